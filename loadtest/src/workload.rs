//! What is asked of the switch: payment number `i` of a run is a pure function of the seed and
//! `i`, so that every party of an audit can compute it.

pub mod schedule;

use router::money::{Currency, Money};

use crate::conduct::mix;
use crate::simulator::issuer::Verdict;

/// Shares of a run, in basis points; what is left approves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Shares {
    /// Payments the issuer declines, with changing codes.
    pub declines: u32,
    /// Payments the issuer never answers.
    pub silents: u32,
    /// Payments the issuer answers after the deadline.
    pub lates: u32,
    /// Payments whose request is repeated (0201) once answered; any of the kinds above may be.
    pub duplicates: u32,
}

/// Why shares cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SharesError {
    /// Declines, silents and lates are more than all payments.
    #[error("shares of declines, silents and lates add up to more than 100 %")]
    TooMany,
    /// A part of the text is not `name=percent` with a known name.
    #[error("`{0}` is not `declines=`, `silents=`, `lates=` or `duplicates=` and a percentage")]
    NotAShare(String),
}

impl std::str::FromStr for Shares {
    type Err = SharesError;

    /// Reads `declines=5,silents=0.5,duplicates=1`, in per cent with at most two decimals.
    fn from_str(text: &str) -> Result<Self, SharesError> {
        let mut shares = Self::default();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let not_a_share = || SharesError::NotAShare(part.to_owned());
            let (name, percent) = part.split_once('=').ok_or_else(not_a_share)?;
            let share = match name {
                "declines" => &mut shares.declines,
                "silents" => &mut shares.silents,
                "lates" => &mut shares.lates,
                "duplicates" => &mut shares.duplicates,
                _ => return Err(not_a_share()),
            };
            *share = basis_points(percent).ok_or_else(not_a_share)?;
        }
        let fated = shares.declines + shares.silents + shares.lates;
        if fated > 10_000 { Err(SharesError::TooMany) } else { Ok(shares) }
    }
}

fn basis_points(percent: &str) -> Option<u32> {
    let (whole, decimals) = percent.split_once('.').unwrap_or((percent, ""));
    let decimals: u32 = match decimals.len() {
        0 => 0,
        1 => decimals.parse::<u32>().ok()? * 10,
        2 => decimals.parse().ok()?,
        _ => return None,
    };
    let whole: u32 = whole.parse().ok().filter(|whole| *whole <= 100)?;
    Some(whole * 100 + decimals).filter(|points| *points <= 10_000)
}

/// What the payments of a run are made of.
#[derive(Debug, Clone)]
pub struct Workload {
    /// Everything about a payment is a function of this and of its number.
    pub seed: u64,
    /// Kinds of payments.
    pub shares: Shares,
    /// Processing code, DE3.
    pub processing_code: String,
    /// Currency of every payment.
    pub currency: Currency,
    /// Least amount in major units.
    pub major_min: u64,
    /// Most, in major units.
    pub major_max: u64,
    /// The biller paid (DE48 tag 01); none leaves DE48 out.
    pub biller: Option<String>,
    /// First six digits of the test cards (DE2).
    pub bin: String,
    /// How many clients share the payments (DE48 tag 02); 0 gives each payment its own.
    pub clients: u64,
}

/// One payment of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Planned {
    /// Its number in the run, from 0.
    pub index: u64,
    /// Amount in minor units; its last two digits are the issuer's cue.
    pub amount_minor: u64,
    /// Nine digits of the card number, after the BIN and before the check digit.
    pub card: u64,
    /// Number of the client.
    pub client: u64,
    /// Whether its request is repeated once answered.
    pub is_repeated: bool,
}

/// Codes the declines take in turn; each is a code the issuer gives for such an amount.
const DECLINE_CENTS: [u64; 6] = [5, 51, 54, 61, 62, 91];

impl Workload {
    /// Payment number `index`.
    pub fn payment(&self, index: u64) -> Planned {
        let digest = mix(self.seed ^ mix(index));
        let spread = self.major_max.saturating_sub(self.major_min) + 1;
        let major = self.major_min + mix(digest ^ 1) % spread;
        Planned {
            index,
            amount_minor: major * 100 + self.cents(digest),
            card: mix(digest ^ 2) % 1_000_000_000,
            client: if self.clients == 0 { index } else { mix(digest ^ 3) % self.clients },
            is_repeated: share(mix(digest ^ 4), self.shares.duplicates),
        }
    }

    /// What the issuer is to make of payment number `index`.
    pub fn verdict(&self, index: u64) -> Verdict {
        Verdict::of(self.payment(index).amount_minor)
    }

    /// The amount of payment number `index`.
    pub fn amount(&self, index: u64) -> Money {
        let minor = i64::try_from(self.payment(index).amount_minor).unwrap_or(i64::MAX);
        Money::new(minor, self.currency)
    }

    fn cents(&self, digest: u64) -> u64 {
        let Shares { declines, silents, lates, .. } = self.shares;
        let lot = u32::try_from(mix(digest ^ 5) % 10_000).expect("invariant: below 10,000");
        if lot < declines {
            return DECLINE_CENTS[usize::try_from(digest % 6).expect("invariant: below six")];
        }
        match lot - declines {
            lot if lot < silents => 68,
            lot if lot < silents + lates => 69,
            _ => 0,
        }
    }
}

fn share(digest: u64, basis_points: u32) -> bool {
    digest % 10_000 < u64::from(basis_points)
}

/// The check digit of a card number without one.
///
/// Source: ISO/IEC 7812-1, annex B (Luhn formula).
pub fn check_digit(digits: &[u8]) -> u8 {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, byte)| {
            let digit = u32::from(byte - b'0') * if place % 2 == 0 { 2 } else { 1 };
            digit / 10 + digit % 10
        })
        .sum();
    b'0' + u8::try_from((10 - sum % 10) % 10).expect("invariant: a digit is below ten")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workload(shares: &str) -> Workload {
        Workload {
            seed: 7,
            shares: shares.parse().unwrap(),
            processing_code: "000000".to_owned(),
            currency: Currency::from_code("MXN").unwrap(),
            major_min: 10,
            major_max: 500,
            biller: None,
            bin: "400000".to_owned(),
            clients: 0,
        }
    }

    #[test]
    fn the_mix_is_what_the_shares_say() {
        let mixed = workload("declines=10,silents=1,lates=0.5,duplicates=2");
        let (mut declines, mut silents, mut lates, mut repeats) = (0, 0, 0, 0);
        for index in 0..100_000 {
            match mixed.verdict(index) {
                Verdict::Approve => {}
                Verdict::Decline(_) => declines += 1,
                Verdict::Silent => silents += 1,
                Verdict::Late => lates += 1,
            }
            repeats += u32::from(mixed.payment(index).is_repeated);
        }
        // Each within five standard deviations of its mean.
        assert!((9_500..10_500).contains(&declines), "{declines}");
        assert!((840..1_160).contains(&silents), "{silents}");
        assert!((388..612).contains(&lates), "{lates}");
        assert!((1_779..2_221).contains(&repeats), "{repeats}");
    }

    #[test]
    fn by_default_every_payment_approves_and_is_the_same_each_time() {
        let plain = workload("");
        for index in 0..10_000 {
            assert_eq!(plain.verdict(index), Verdict::Approve);
            assert_eq!(plain.payment(index), plain.payment(index));
            assert!((1_000..=50_000).contains(&plain.payment(index).amount_minor));
        }
    }

    #[test]
    fn shares_that_make_no_sense_are_refused() {
        assert_eq!("declines=60,silents=50".parse::<Shares>(), Err(SharesError::TooMany));
        let unknown = "losses=1".parse::<Shares>();
        assert_eq!(unknown, Err(SharesError::NotAShare("losses=1".to_owned())));
        assert!("declines=1.234".parse::<Shares>().is_err());
    }

    #[test]
    fn the_check_digit_is_that_of_the_formula() {
        // 7992739871 with 3: the worked example of the patent, US 2,950,048.
        assert_eq!(check_digit(b"7992739871"), b'3');
        assert_eq!(check_digit(b"400000000000000"), b'2');
    }
}
