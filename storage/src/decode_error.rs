//! Why bytes are not a record.

use router::posting::EntryError;

/// Why bytes are not a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// They end too early.
    #[error("record ends at byte {at}")]
    Truncated {
        /// Where more was expected.
        at: usize,
    },
    /// A field has a value it cannot have.
    #[error("record holds no valid {field} at byte {at}")]
    Value {
        /// The field.
        field: &'static str,
        /// Where it starts.
        at: usize,
    },
    /// No record has this kind.
    #[error("no record has kind {kind}")]
    Kind {
        /// The kind byte.
        kind: u8,
    },
    /// Written by a later version.
    #[error("record has version {version}")]
    Version {
        /// The version byte.
        version: u8,
    },
    /// A field that has no default is not there.
    #[error("record has no {field}")]
    Missing {
        /// The field.
        field: &'static str,
    },
    /// A field is there twice.
    #[error("record has field {number} twice, again at byte {at}")]
    Twice {
        /// The field's number.
        number: u64,
        /// Where it begins again.
        at: usize,
    },
    /// What it posts does not balance.
    #[error(transparent)]
    Entry(#[from] Box<EntryError>),
    /// More bytes than the record has fields.
    #[error("{len} bytes follow the record")]
    Trailing {
        /// How many.
        len: usize,
    },
}
