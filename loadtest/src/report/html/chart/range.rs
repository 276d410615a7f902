//! The values an axis spans: where each of them lies, and which are labelled.

use super::{Axis, Scale};

/// The values an axis spans.
pub(super) struct Range {
    scale: Scale,
    /// Least value, or its logarithm.
    low: u64,
    /// Greatest, or its logarithm.
    high: u64,
}

impl Range {
    /// Spans these values of an axis.
    pub(super) fn of(axis: &Axis, values: impl Iterator<Item = u64>) -> Self {
        let drawn = values.filter(|value| axis.scale == Scale::Linear || *value > 0);
        let (least, most) =
            drawn.fold((u64::MAX, 0), |(least, most), value| (least.min(value), most.max(value)));
        match axis.scale {
            Scale::Linear => Self { scale: axis.scale, low: 0, high: (most + most / 20).max(1) },
            Scale::Logarithmic => {
                let low = power_of_ten(least.clamp(1, most.max(1)).ilog10());
                let high = power_of_ten(most.max(2).saturating_sub(1).ilog10() + 1);
                Self { scale: axis.scale, low: log2_256(low), high: log2_256(high) }
            }
        }
    }

    /// Whether a value can be drawn.
    pub(super) fn is_drawn(&self, value: u64) -> bool {
        self.scale == Scale::Linear || value > 0
    }

    /// How far along an axis of this length a value lies.
    pub(super) fn place(&self, value: u64, length: u64) -> u64 {
        let value = match self.scale {
            Scale::Linear => value,
            Scale::Logarithmic => log2_256(value),
        };
        let along = u128::from(value.clamp(self.low, self.high) - self.low) * u128::from(length);
        u64::try_from(along / u128::from((self.high - self.low).max(1))).unwrap_or(length)
    }

    /// Values to be marked, with their labels.
    pub(super) fn ticks(&self, axis: &Axis, most: u64) -> Vec<(u64, String)> {
        if !axis.places.is_empty() {
            let places = axis.places.iter();
            return places.map(|(value, label)| (*value, (*label).to_owned())).collect();
        }
        let values: Vec<u64> = match self.scale {
            Scale::Linear => {
                let step = round_step(self.high, most);
                (0..=self.high / step).map(|number| number * step).collect()
            }
            Scale::Logarithmic => {
                let powers = (0..20).map(power_of_ten);
                powers.filter(|power| (self.low..=self.high).contains(&log2_256(*power))).collect()
            }
        };
        values.into_iter().map(|value| (value, (axis.tick)(value))).collect()
    }
}

fn power_of_ten(power: u32) -> u64 {
    10_u64.checked_pow(power).unwrap_or(u64::MAX)
}

/// The least of 1, 2, 5, 10, 20, 50 … that divides a span into at most so many steps.
fn round_step(span: u64, most: u64) -> u64 {
    let steps = (0..19).flat_map(|power| [1, 2, 5].map(|digit| digit * power_of_ten(power)));
    steps.into_iter().find(|step| span / step <= most).unwrap_or(span)
}

/// Logarithm to base 2 in units of 1/256, straight between powers; 0 for 0.
fn log2_256(value: u64) -> u64 {
    let Some(power) = value.checked_ilog2() else { return 0 };
    let fraction = (u128::from(value) << 8 >> power) - 256;
    u64::from(power) * 256 + u64::try_from(fraction).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logarithm_is_exact_at_powers_and_grows_between() {
        assert_eq!([0, 1, 2, 1024].map(log2_256), [0, 0, 256, 2560]);
        assert!((1..100_000).all(|value| log2_256(value) <= log2_256(value + 1)));
    }

    #[test]
    pub(super) fn ticks_are_round_and_within_the_axis() {
        let axis = |scale| Axis { label: "ms", scale, tick: |v| v.to_string(), places: vec![] };
        let values = |scale, greatest: u64| {
            let range = Range::of(&axis(scale), [3, greatest].into_iter());
            let ticks = range.ticks(&axis(scale), 5).into_iter();
            ticks.map(|(value, _)| value).collect::<Vec<_>>()
        };
        assert_eq!(values(Scale::Linear, 47), [0, 10, 20, 30, 40]);
        assert_eq!(values(Scale::Linear, 1_000), [0, 200, 400, 600, 800, 1_000]);
        assert_eq!(values(Scale::Logarithmic, 4_700), [1, 10, 100, 1_000, 10_000]);
        assert_eq!(values(Scale::Logarithmic, 1_000), [1, 10, 100, 1_000]);
    }

    #[test]
    fn a_value_lies_where_its_axis_says() {
        let linear = Range { scale: Scale::Linear, low: 0, high: 200 };
        assert_eq!([0, 50, 200, 900].map(|value| linear.place(value, 100)), [0, 25, 100, 100]);
        let (low, high) = (log2_256(1), log2_256(16));
        let logarithmic = Range { scale: Scale::Logarithmic, low, high };
        assert_eq!([1, 4, 16].map(|value| logarithmic.place(value, 100)), [0, 50, 100]);
        assert!(!logarithmic.is_drawn(0));
    }
}
