//! Identifiers: one type for each role, so that no two can be swapped by mistake.
//!
//! Generated ids are 128 bits, time-ordered (the high 48 bits are Unix milliseconds), and print
//! with a prefix that says what they are: `pay_06f2kq…`.

use std::fmt;
use std::str::FromStr;

use crate::text::{Text, TextError};

const CROCKFORD: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const ENCODED_LEN: usize = 26;

/// Why a printed id could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// It does not start with the prefix of its role.
    #[error("id must start with `{expected}`")]
    Prefix {
        /// The prefix of this role.
        expected: &'static str,
    },
    /// Not 26 characters of Crockford base 32 after the prefix.
    #[error("id must be 26 base-32 characters after its prefix")]
    Digits,
}

fn encode(value: u128) -> [u8; ENCODED_LEN] {
    let mut out = [0; ENCODED_LEN];
    let mut rest = value;
    for slot in out.iter_mut().rev() {
        *slot = CROCKFORD[usize::try_from(rest & 31).expect("invariant: five bits")];
        rest >>= 5;
    }
    out
}

fn decode(digits: &str) -> Result<u128, IdError> {
    if digits.len() != ENCODED_LEN || digits.as_bytes()[0] > b'7' {
        return Err(IdError::Digits);
    }
    digits.bytes().try_fold(0_u128, |value, byte| {
        let digit = CROCKFORD.iter().position(|known| *known == byte).ok_or(IdError::Digits)?;
        Ok(value << 5 | digit as u128)
    })
}

macro_rules! generated_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub u128);

        impl $name {
            /// What its printed form starts with.
            pub const PREFIX: &'static str = $prefix;

            /// An id of its time: 48 bits of Unix milliseconds, then 80 random bits.
            pub fn from_parts(unix_ms: i64, random: u128) -> Self {
                let ms = u128::try_from(unix_ms).unwrap_or(0) & ((1 << 48) - 1);
                Self(ms << 80 | random & ((1 << 80) - 1))
            }

            /// The Unix milliseconds it was made at.
            pub fn unix_ms(self) -> i64 {
                i64::try_from(self.0 >> 80).expect("invariant: 48 bits fit")
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let digits = encode(self.0);
                f.write_str($prefix)?;
                f.write_str(std::str::from_utf8(&digits).expect("invariant: base 32 is ASCII"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let expected = $prefix;
                let digits = text.strip_prefix(expected).ok_or(IdError::Prefix { expected })?;
                decode(digits).map(Self)
            }
        }
    };
}

macro_rules! given_id {
    ($(#[$doc:meta])* $name:ident, $max:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub Text<$max>);

        impl $name {
            /// Most characters it may have.
            pub const LEN_MAX: usize = $max;

            /// From text: 1 to the maximum of printable ASCII characters.
            pub fn new(text: &str) -> Result<Self, TextError> {
                Self::from_ascii(text.as_bytes())
            }

            /// The same from bytes, such as those of a message.
            pub fn from_ascii(ascii: &[u8]) -> Result<Self, TextError> {
                if ascii.is_empty() { Err(TextError::Empty) } else { Text::from_ascii(ascii).map(Self) }
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = TextError;

            fn from_str(text: &str) -> Result<Self, TextError> {
                Self::new(text)
            }
        }
    };
}

generated_id!(
    /// One payment: one attempt to move money, on one rail.
    PaymentId,
    "pay_"
);
generated_id!(
    /// One event told to merchants; the same for every endpoint and every delivery of it.
    NoticeId,
    "ntc_"
);
generated_id!(
    /// One refund of a payment.
    RefundId,
    "rfn_"
);
generated_id!(
    /// A merchant's address for notices.
    EndpointId,
    "end_"
);
generated_id!(
    /// A registered bill.
    BillId,
    "bil_"
);
generated_id!(
    /// A file of bills.
    BatchId,
    "bat_"
);
generated_id!(
    /// One payment of a bill that was made elsewhere.
    ExternalPaymentId,
    "ext_"
);
generated_id!(
    /// One signing secret of an endpoint. Never told; its seal is bound to it.
    SecretId,
    "sec_"
);

/// The journal a payment is written in: one writer's own part of it.
///
/// On one machine there is lane 0 alone. Of many nodes each has lanes of its own, and a payment
/// stays in the lane it began in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lane(pub u16);

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl From<PaymentId> for ExternalPaymentId {
    fn from(payment: PaymentId) -> Self {
        Self(payment.0)
    }
}

impl From<ExternalPaymentId> for PaymentId {
    fn from(external: ExternalPaymentId) -> Self {
        Self(external.0)
    }
}

impl PaymentId {
    /// An id of its time and lane: 48 bits of Unix milliseconds, 16 of the lane, 64 random.
    pub fn in_lane(unix_ms: i64, lane: Lane, random: u64) -> Self {
        Self::from_parts(unix_ms, u128::from(lane.0) << 64 | u128::from(random))
    }

    /// The lane it was begun in.
    pub fn lane(self) -> Lane {
        let [_, _, _, _, _, _, high, low, ..] = self.0.to_be_bytes();
        Lane(u16::from_be_bytes([high, low]))
    }
}

given_id!(
    /// A bank, aggregator or processor that exchanges messages with the switch.
    ParticipantId,
    24
);
given_id!(
    /// A merchant that is owed money and is told of payments.
    BillerId,
    24
);
given_id!(
    /// The biller's own number of a payer: subscriber, debtor, "cliente único".
    ClientRef,
    28
);
given_id!(
    /// The biller's own number of a bill.
    BillNo,
    40
);
given_id!(
    /// A collector's prefunded float.
    FloatRef,
    16
);
given_id!(
    /// The person at a terminal.
    OperatorId,
    16
);
given_id!(
    /// A kind of credit or service, such as `credimax`; product rules name it.
    Product,
    16
);
given_id!(
    /// A ledger account: `float:58341122`, `payable:isp-ve`, `clearing:bank-a`.
    AccountId,
    48
);

/// The 12-digit number that identifies a payment to people; it also travels as DE37.
///
/// Shape: 1..=999_999_999_999, unique for ever within one journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Folio(u64);

impl Folio {
    /// The largest folio.
    pub const MAX: u64 = 999_999_999_999;

    /// A folio of 1..=[`Folio::MAX`].
    pub fn new(number: u64) -> Option<Self> {
        (1..=Self::MAX).contains(&number).then_some(Self(number))
    }

    /// The number.
    pub fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Folio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:012}", self.0)
    }
}

impl FromStr for Folio {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let digits = text.len() <= 12 && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = if digits { text.parse().ok() } else { None };
        number.and_then(Self::new).ok_or(IdError::Digits)
    }
}

/// Systems trace audit number, DE11: 0..=999_999, unique among a line's open requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Stan(u32);

impl Stan {
    /// How many there are.
    pub const COUNT: u32 = 1_000_000;

    /// A STAN of 0..=999_999.
    pub fn new(number: u32) -> Option<Self> {
        (number < Self::COUNT).then_some(Self(number))
    }

    /// The number.
    pub fn number(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Stan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:06}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_print_with_their_role_and_read_back() {
        let id = PaymentId::from_parts(1_732_396_642_043, 0x1234_5678_9abc_def0);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.unix_ms(), 1_732_396_642_043);
        assert_eq!(
            id.to_string().replace("pay_", "end_").parse::<PaymentId>(),
            Err(IdError::Prefix { expected: "pay_" })
        );
        assert_eq!("pay_".parse::<PaymentId>(), Err(IdError::Digits));
        assert_eq!("pay_zzzzzzzzzzzzzzzzzzzzzzzzzz".parse::<PaymentId>(), Err(IdError::Digits));
    }

    #[test]
    fn a_payment_knows_its_lane() {
        let id = PaymentId::in_lane(1_732_396_642_043, Lane(0xabcd), u64::MAX);
        assert_eq!((id.unix_ms(), id.lane()), (1_732_396_642_043, Lane(0xabcd)));
        assert_eq!(PaymentId::in_lane(1, Lane(0), 7), PaymentId::from_parts(1, 7));
    }

    #[test]
    fn a_given_id_names_something() {
        assert_eq!(ClientRef::new(""), Err(TextError::Empty));
        assert!(ClientRef::new(&"9".repeat(28)).is_ok());
        assert_eq!(ClientRef::new(&"9".repeat(29)), Err(TextError::TooLong { len: 29, max: 28 }));
    }

    #[test]
    fn a_folio_has_twelve_digits_and_is_never_zero() {
        assert_eq!(Folio::new(7).map(|folio| folio.to_string()), Some("000000000007".to_owned()));
        assert_eq!(Folio::new(0), None);
        assert_eq!("000000000007".parse(), Ok(Folio(7)));
        assert_eq!("1000000000000".parse::<Folio>(), Err(IdError::Digits));
        assert_eq!("+7".parse::<Folio>(), Err(IdError::Digits));
    }
}
