//! What the simulated issuer does with a payment: a function of its amount, of the seed and of
//! the payment's reference, and of nothing else.

use std::sync::LazyLock;
use std::time::Duration;

use router::reason::Reason;

/// What an amount asks for.
///
/// The last two digits of the amount in minor units decide: a response code of the decline
/// catalogue is given as the answer (`00`, `09` and `68` excepted), `68` is silence, `69` is
/// lateness, anything else is a yes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Debits and says so.
    Approve,
    /// Declines with this response code (DE39); nothing is debited.
    Decline([u8; 2]),
    /// Debits and never says anything about it, neither now nor to a repeat: the bank whose
    /// answer is lost. Only a reversal undoes it. An inquiry is answered.
    Silent,
    /// Debits and says so after the deadline.
    Late,
}

static DECLINES: LazyLock<[bool; 100]> = LazyLock::new(|| {
    let mut declines = [false; 100];
    for reason in Reason::ALL {
        let code = reason.info().de39.and_then(|code| code.parse::<usize>().ok());
        if let Some(code) = code.filter(|code| ![0, 9, 68].contains(code)) {
            declines[code] = true;
        }
    }
    declines
});

impl Verdict {
    /// What an amount in minor units asks for.
    pub fn of(amount_minor: u64) -> Self {
        let cents = u8::try_from(amount_minor % 100).expect("invariant: a remainder of 100");
        match cents {
            68 => Self::Silent,
            69 => Self::Late,
            code if DECLINES[usize::from(code)] => {
                Self::Decline([b'0' + code / 10, b'0' + code % 10])
            }
            _ => Self::Approve,
        }
    }

    /// Whether the bank debits.
    pub fn debits(self) -> bool {
        match self {
            Self::Approve | Self::Silent | Self::Late => true,
            Self::Decline(_) => false,
        }
    }

    /// Whether its answer may never be heard.
    pub fn may_be_lost(self) -> bool {
        match self {
            Self::Silent | Self::Late => true,
            Self::Approve | Self::Decline(_) => false,
        }
    }
}

/// Extra time before each answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Latency {
    /// At once.
    #[default]
    None,
    /// Always the same.
    Fixed(Duration),
    /// Spread evenly; which payment gets what is a function of the seed.
    Uniform {
        /// Least.
        min: Duration,
        /// Most.
        max: Duration,
    },
}

/// How the line misbehaves, beyond what amounts ask for.
///
/// Units: shares in basis points of all payments, chosen by (seed, reference).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Profile {
    /// Extra time before each answer to a payment or reversal.
    pub latency: Latency,
    /// Answers that are sent twice.
    pub twice: u32,
    /// Answers that are held back for 5 ms, so that later ones overtake them.
    pub out_of_order: u32,
    /// Requests after which the line is dropped: debited, never answered.
    pub line_drop: u32,
    /// Approvals that are told as one of half the amount, every other one with response code 10:
    /// debited in full.
    pub contradicting: u32,
}

/// What the profile makes of one payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Manner {
    pub(super) delay: Duration,
    pub(super) is_twice: bool,
    pub(super) is_line_dropped: bool,
    /// The response code of an approval that is told as one of half the amount.
    pub(super) contradiction: Option<[u8; 2]>,
}

/// How long an answer out of order is held back.
const HELD_BACK: Duration = Duration::from_millis(5);

impl Profile {
    /// What it makes of the payment with this digest of seed and reference.
    pub(super) fn manner(&self, digest: u64) -> Manner {
        let held_back =
            if chosen(digest, 1, self.out_of_order) { HELD_BACK } else { Duration::ZERO };
        let latency = match self.latency {
            Latency::None => Duration::ZERO,
            Latency::Fixed(latency) => latency,
            Latency::Uniform { min, max } => {
                let spread = u64::try_from(max.saturating_sub(min).as_micros()).unwrap_or(u64::MAX);
                let extra = mix(digest ^ 4).checked_rem(spread.saturating_add(1)).unwrap_or(0);
                min + Duration::from_micros(extra)
            }
        };
        Manner {
            delay: latency + held_back,
            is_twice: chosen(digest, 2, self.twice),
            is_line_dropped: chosen(digest, 3, self.line_drop),
            contradiction: chosen(digest, 5, self.contradicting)
                .then(|| if mix(digest ^ 6).is_multiple_of(2) { *b"00" } else { *b"10" }),
        }
    }
}

fn chosen(digest: u64, lane: u64, basis_points: u32) -> bool {
    basis_points > 0 && mix(digest.wrapping_add(lane << 32)) % 10_000 < u64::from(basis_points)
}

/// Spreads a number over 64 bits.
///
/// Source: the finaliser of SplitMix64 (Steele, Lea, Flood 2014), public domain.
pub fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_two_digits_of_the_amount_decide() {
        assert_eq!(Verdict::of(50_000), Verdict::Approve);
        assert_eq!(Verdict::of(50_009), Verdict::Approve);
        assert_eq!(Verdict::of(50_005), Verdict::Decline(*b"05"));
        assert_eq!(Verdict::of(151), Verdict::Decline(*b"51"));
        assert_eq!(Verdict::of(54), Verdict::Decline(*b"54"));
        assert_eq!(Verdict::of(12_368), Verdict::Silent);
        assert_eq!(Verdict::of(12_369), Verdict::Late);
        assert_eq!(Verdict::of(12_399), Verdict::Approve);
    }

    #[test]
    fn a_share_of_payments_is_what_it_says() {
        let profile = Profile { twice: 500, ..Profile::default() };
        let twice = (0..100_000).filter(|n| profile.manner(mix(*n)).is_twice).count();
        assert!((4_700..5_300).contains(&twice), "{twice} of 100,000 at 5 %");
        assert!((0..100_000).all(|n| !profile.manner(mix(n)).is_line_dropped));
    }

    #[test]
    fn uniform_latency_stays_within_its_bounds() {
        let (min, max) = (Duration::from_millis(2), Duration::from_millis(4));
        let profile = Profile { latency: Latency::Uniform { min, max }, ..Profile::default() };
        assert!((0..10_000).all(|n| (min..=max).contains(&profile.manner(mix(n)).delay)));
    }
}
