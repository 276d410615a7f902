//! Lengths of the data elements, 1987 edition.

/// How long a field is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Always this many bytes.
    Fixed(u8),
    /// As many as the digits before it say, up to the maximum.
    Var {
        /// Digits of the length.
        digits: u8,
        /// Most bytes.
        max: u16,
    },
}

const fn fixed(len: u8) -> Kind {
    Kind::Fixed(len)
}

const fn ll(max: u16) -> Kind {
    Kind::Var { digits: 2, max }
}

const fn lll(max: u16) -> Kind {
    Kind::Var { digits: 3, max }
}

/// How long a data element of 1..=128 is.
///
/// Source: ISO 8583:1987, table of data elements.
pub(super) const fn kind(field: u8) -> Kind {
    match field {
        2 => ll(19),
        4..=6 | 37 | 82..=85 => fixed(12),
        7 | 74..=81 => fixed(10),
        3 | 11 | 12 | 38 | 73 | 93 => fixed(6),
        1 | 8..=10 | 41 | 52 | 64 | 96 | 128 => fixed(8),
        13..=18 | 71 | 72 => fixed(4),
        19..=24 | 40 | 49..=51 | 68..=70 => fixed(3),
        25 | 26 | 39 | 67 | 92 => fixed(2),
        27 | 65 | 66 | 91 => fixed(1),
        28..=31 => fixed(9),
        32 | 33 | 99 | 100 => ll(11),
        34 | 102 | 103 => ll(28),
        35 => ll(37),
        36 => lll(104),
        42 => fixed(15),
        43 => fixed(40),
        44 => ll(25),
        45 => ll(76),
        53 | 86..=89 => fixed(16),
        54 => lll(120),
        90 | 95 => fixed(42),
        94 => fixed(7),
        97 => fixed(17),
        98 => fixed(25),
        101 => ll(17),
        104 => lll(100),
        _ => lll(999),
    }
}
