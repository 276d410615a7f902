//! How the messages of one participant's lines differ from the switch's own: another format, and a
//! code that proves who wrote them. Everything behind a line works on the switch's own format.

use std::fmt;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use codecs::error::{DecodeError, PackError};
use codecs::iso8583::Dialect;
use codecs::iso8583::cauce87::Fault;
use codecs::security::mac::{self, MacError, MacField};
use codecs::security::{KeyName, KeyStore, MacAlgorithm};
use router::reason::Reason;

/// Room for an ordinary message.
const MESSAGE_CAPACITY: usize = 512;

/// How messages are said on a line.
#[derive(Debug)]
pub struct MessageFormat {
    dialect: Dialect,
    mac: Option<MacRule>,
}

/// Which key proves who wrote a message, and how.
#[derive(Clone)]
pub struct MacRule {
    /// Where the key is.
    pub keys: Arc<dyn KeyStore>,
    /// Its name.
    pub key: KeyName,
    /// How the code is computed.
    pub algorithm: MacAlgorithm,
}

impl fmt::Debug for MacRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} under {:?}", self.algorithm, self.key)
    }
}

impl fmt::Display for MacRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.algorithm {
            MacAlgorithm::X9_9(_) => "X9.9",
            MacAlgorithm::X9_19(_) => "X9.19",
            MacAlgorithm::AesCmac => "AES-CMAC",
        };
        write!(f, "{name} under {}", self.key)
    }
}

/// Why a message is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unread {
    /// It cannot be read.
    Garbled(DecodeError),
    /// Its authentication code is missing or another one.
    Unauthentic {
        /// What is wrong; none when there is no code.
        error: Option<MacError>,
    },
}

/// Why a message cannot be said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnwritableError {
    /// The format has no room for something in it.
    #[error("the participant's format cannot hold it")]
    Format(#[from] PackError),
    /// The authentication code cannot be made.
    #[error("its authentication code cannot be made")]
    Mac(#[from] MacError),
    /// It has become longer than a frame.
    #[error("it has {have} bytes, a frame of the line {allowed}")]
    TooLong {
        /// Bytes it has.
        have: usize,
        /// Bytes a frame takes.
        allowed: usize,
    },
}

impl MessageFormat {
    /// Messages of a dialect; with a rule, its messages are to be `Dialect::authenticated`.
    pub fn new(dialect: Dialect, mac: Option<MacRule>) -> Self {
        Self { dialect, mac }
    }

    /// The format.
    pub fn dialect(&self) -> &Dialect {
        &self.dialect
    }

    /// The rule of authentication codes; none where there are none.
    pub fn mac(&self) -> Option<&MacRule> {
        self.mac.as_ref()
    }

    /// A message that came, in the switch's own format.
    ///
    /// Errors: why it must not be taken; what could be read of it is given all the same, so that it
    ///         can be answered.
    pub fn read(&self, wire: &[u8]) -> (Bytes, Result<(), Unread>) {
        let mut home = BytesMut::with_capacity(MESSAGE_CAPACITY);
        let read = self.dialect.to_home(wire, &mut home).map_err(Unread::Garbled);
        (home.freeze(), read.and_then(|()| self.verify(wire)))
    }

    fn verify(&self, wire: &[u8]) -> Result<(), Unread> {
        let Some(rule) = &self.mac else { return Ok(()) };
        let field = self.dialect.mac_field(wire).ok_or(Unread::Unauthentic { error: None })?;
        let (message, field) = self.covered(wire, &field);
        let verified = mac::verify(message, &field, &*rule.keys, &rule.key, rule.algorithm);
        verified.map(|_| ()).map_err(|error| Unread::Unauthentic { error: Some(error) })
    }

    /// What a code covers, from the message type on, and where it stands in that: what the format
    /// has in front of the message type is for the transport alone.
    fn covered<'a>(&self, wire: &'a [u8], field: &MacField) -> (&'a [u8], MacField) {
        let header_len = self.dialect.spec().header_len();
        (wire.get(header_len..).unwrap_or_default(), field.behind(header_len))
    }

    /// A message of the switch's own format, as it is said; at most `len_max` bytes.
    ///
    /// Errors: [`UnwritableError`].
    pub fn write(&self, home: &[u8], len_max: usize) -> Result<Bytes, UnwritableError> {
        let mut wire = BytesMut::with_capacity(MESSAGE_CAPACITY);
        self.dialect.from_home(home, &mut wire)?;
        let (have, allowed) = (wire.len(), len_max);
        if have > allowed {
            return Err(UnwritableError::TooLong { have, allowed });
        }
        if let Some(rule) = &self.mac {
            let field = self.dialect.mac_field(&wire);
            let field = field.expect("invariant: an authenticated dialect makes room for a code");
            let field = self.covered(&wire, &field).1;
            let message = &mut wire[self.dialect.spec().header_len()..];
            mac::seal(message, &field, &*rule.keys, &rule.key, rule.algorithm)?;
        }
        Ok(wire.freeze())
    }

    /// Whether the format has room for a message of the switch's own.
    ///
    /// Errors: what does not fit.
    pub fn fits(&self, home: &[u8]) -> Result<(), PackError> {
        self.dialect.from_home(home, &mut BytesMut::with_capacity(MESSAGE_CAPACITY))
    }

    /// Where a field begins in a message that came; 0 where it is not there.
    pub fn offset_of(&self, wire: &[u8], field: u8) -> usize {
        self.dialect.offset_of(wire, field).unwrap_or(0)
    }
}

impl fmt::Display for MessageFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (spec, edition) = (self.dialect.spec(), self.dialect.edition());
        let (name, fields, year) = (spec.name(), spec.field_count(), edition.year());
        write!(f, "speaks {name} ({fields} fields, edition {year})")?;
        match &self.mac {
            Some(rule) => write!(f, ", authenticated by {rule}"),
            None => f.write_str(", not authenticated"),
        }
    }
}

impl Unread {
    /// The name used in metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Garbled(error) => error.kind.name(),
            Self::Unauthentic { error: Some(error) } => error.kind.name(),
            Self::Unauthentic { error: None } => "no_mac",
        }
    }
}

impl From<&Unread> for Fault {
    fn from(unread: &Unread) -> Self {
        let unauthentic = |field, offset, text: String| Self {
            reason: Reason::OperatorUnauthorised,
            field,
            offset,
            text,
        };
        match unread {
            Unread::Garbled(error) => error.into(),
            Unread::Unauthentic { error: Some(error) } => {
                unauthentic(error.field, error.offset, error.to_string())
            }
            Unread::Unauthentic { error: None } => {
                unauthentic(64, 0, "message authentication code is missing".to_owned())
            }
        }
    }
}
