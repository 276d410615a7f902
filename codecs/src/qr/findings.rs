//! What breaks a rule and is read all the same.

use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::QrError;

/// How strictly a payload is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reading {
    /// What exceeds a length, or fills a field up, as codes on the street do, is a warning; so is
    /// what an account's scheme does not explain, whose data are kept.
    Lenient,
    /// Every rule holds.
    Strict,
}

/// The warnings of one payload.
#[derive(Debug)]
pub(super) struct Findings {
    reading: Reading,
    pub warnings: Vec<QrError>,
}

impl Findings {
    pub(super) fn new(reading: Reading) -> Self {
        Self { reading, warnings: Vec::new() }
    }

    /// Whether every rule holds.
    pub(super) fn is_strict(&self) -> bool {
        self.reading == Reading::Strict
    }

    /// Takes note of what can be read although it breaks a rule.
    ///
    /// Errors: the mistake itself, where every rule holds.
    pub(super) fn allow(&mut self, mistake: QrError) -> Result<(), QrError> {
        if self.is_strict() {
            return Err(mistake);
        }
        self.warnings.push(mistake);
        Ok(())
    }
}

/// As the command line tells it: `{"kind","field","offset","message"}`.
impl Serialize for QrError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut told = serializer.serialize_struct("QrError", 4)?;
        told.serialize_field("kind", self.kind.name())?;
        told.serialize_field("field", &self.field)?;
        told.serialize_field("offset", &self.offset)?;
        told.serialize_field("message", &self.to_string())?;
        told.end()
    }
}
