//! Charts as inline SVG: two axes with units and ticks, drawn once for wide screens and once for
//! narrow ones, so that text keeps its size on both.

use std::fmt::{self, Write};

use super::escape;

/// How an axis spreads its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    /// From 0, evenly.
    Linear,
    /// By powers of ten; values of 0 are not drawn.
    Logarithmic,
}

/// One axis.
pub(super) struct Axis {
    /// What it shows, with its unit.
    pub(super) label: &'static str,
    /// How it spreads values.
    pub(super) scale: Scale,
    /// How a tick is labelled.
    pub(super) tick: fn(u64) -> String,
    /// Ticks at these places alone, labelled with these texts; empty chooses round values.
    pub(super) places: Vec<(u64, &'static str)>,
}

/// One line of a chart.
pub(super) struct Series {
    /// What it is.
    pub(super) name: &'static str,
    /// Its colour.
    pub(super) colour: &'static str,
    /// Its points, x ascending.
    pub(super) points: Vec<(u64, u64)>,
}

/// A chart.
pub(super) struct Chart {
    /// What it shows.
    pub(super) caption: &'static str,
    /// From left to right.
    pub(super) x: Axis,
    /// From bottom to top.
    pub(super) y: Axis,
    /// Its lines.
    pub(super) series: Vec<Series>,
    /// A level that is not to be passed, with its name.
    pub(super) level: Option<(u64, &'static str)>,
}

/// A drawing: size, and what is left free around the plot.
struct Canvas {
    class: &'static str,
    width: u64,
    height: u64,
    ticks_max: u64,
}

const WIDE: Canvas = Canvas { class: "wide", width: 760, height: 300, ticks_max: 8 };
const NARROW: Canvas = Canvas { class: "narrow", width: 340, height: 240, ticks_max: 4 };
const LEFT: u64 = 62;
const RIGHT: u64 = 18;
const TOP: u64 = 26;
const BOTTOM: u64 = 44;

impl Chart {
    /// Appends the chart; nothing where it has no point.
    pub(super) fn write(&self, out: &mut String) -> fmt::Result {
        let points = || self.series.iter().flat_map(|series| &series.points);
        if points().next().is_none() {
            return Ok(());
        }
        let x = Range::of(&self.x, points().map(|(x, _)| *x));
        let level = self.level.map(|(level, _)| level);
        let y = Range::of(&self.y, points().map(|(_, y)| *y).chain(level));
        write!(out, "<h2>{}</h2><figure>", self.caption)?;
        for canvas in [WIDE, NARROW] {
            self.draw(out, &canvas, &x, &y)?;
        }
        write!(out, "<figcaption>")?;
        for Series { name, colour, .. } in &self.series {
            write!(out, "<span style=\"color:{colour}\">&#9644;</span> {name} &nbsp; ")?;
        }
        if let Some((_, name)) = self.level {
            write!(out, "<span class=\"bad\">- -</span> {name}")?;
        }
        write!(out, "</figcaption></figure>")
    }

    fn draw(&self, out: &mut String, canvas: &Canvas, x: &Range, y: &Range) -> fmt::Result {
        let Canvas { class, width, height, ticks_max } = *canvas;
        let (right, bottom) = (width - RIGHT, height - BOTTOM);
        write!(
            out,
            "<svg class=\"{class}\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
             aria-label=\"{}: {} over {}\">",
            self.caption, self.y.label, self.x.label
        )?;
        for (value, text) in y.ticks(&self.y, 5) {
            let at = bottom - y.place(value, bottom - TOP);
            write!(
                out,
                "<path class=\"grid\" d=\"M{LEFT} {at}H{right}\"/>\
                 <text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
                LEFT - 6,
                at + 4,
                escape(&text)
            )?;
        }
        for (value, text) in x.ticks(&self.x, ticks_max) {
            let at = LEFT + x.place(value, right - LEFT);
            write!(
                out,
                "<path class=\"axis\" d=\"M{at} {bottom}v5\"/>\
                 <text x=\"{at}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                bottom + 18,
                escape(&text)
            )?;
        }
        write!(
            out,
            "<path class=\"axis\" d=\"M{LEFT} {TOP}V{bottom}H{right}\"/>\
             <text class=\"label\" x=\"4\" y=\"14\">{}</text>\
             <text class=\"label\" x=\"{right}\" y=\"{}\" text-anchor=\"end\">{}</text>",
            self.y.label,
            height - 6,
            self.x.label
        )?;
        if let Some((level, _)) = self.level {
            let at = bottom - y.place(level, bottom - TOP);
            write!(out, "<path class=\"level\" d=\"M{LEFT} {at}H{right}\"/>")?;
        }
        for series in &self.series {
            series.draw(
                out,
                |value| LEFT + x.place(value, right - LEFT),
                |value| y.is_drawn(value).then(|| bottom - y.place(value, bottom - TOP)),
            )?;
        }
        write!(out, "</svg>")
    }
}

impl Series {
    /// Draws the line, interrupted where a value cannot be drawn, with a mark at each of few points.
    fn draw(
        &self,
        out: &mut String,
        x: impl Fn(u64) -> u64,
        y: impl Fn(u64) -> Option<u64>,
    ) -> fmt::Result {
        let places = || self.points.iter().map(|(at, value)| (x(*at), y(*value)));
        write!(out, "<path class=\"line\" stroke=\"{}\" d=\"", self.colour)?;
        let mut is_down = false;
        for (x, y) in places() {
            if let Some(y) = y {
                write!(out, "{}{x} {y}", if is_down { 'L' } else { 'M' })?;
            }
            is_down = y.is_some();
        }
        write!(out, "\"/>")?;
        if self.points.len() <= MARKED_MAX {
            for (x, y) in places() {
                let Some(y) = y else { continue };
                write!(out, "<circle cx=\"{x}\" cy=\"{y}\" r=\"3\" fill=\"{}\"/>", self.colour)?;
            }
        }
        Ok(())
    }
}

/// With more points than these a line has no marks.
const MARKED_MAX: usize = 40;

/// The values an axis spans.
struct Range {
    scale: Scale,
    /// Least value, or its logarithm.
    low: u64,
    /// Greatest, or its logarithm.
    high: u64,
}

impl Range {
    fn of(axis: &Axis, values: impl Iterator<Item = u64>) -> Self {
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

    fn is_drawn(&self, value: u64) -> bool {
        self.scale == Scale::Linear || value > 0
    }

    /// How far along an axis of this length a value lies.
    fn place(&self, value: u64, length: u64) -> u64 {
        let value = match self.scale {
            Scale::Linear => value,
            Scale::Logarithmic => log2_256(value),
        };
        let along = u128::from(value.clamp(self.low, self.high) - self.low) * u128::from(length);
        u64::try_from(along / u128::from((self.high - self.low).max(1))).unwrap_or(length)
    }

    /// Values to be marked, with their labels.
    fn ticks(&self, axis: &Axis, most: u64) -> Vec<(u64, String)> {
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
    fn ticks_are_round_and_within_the_axis() {
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
