//! ISO 8583 by specification: a [`Spec`] loaded from TOML says how the fields of a message are
//! written; [`Spec::index`] finds them in one pass without copying, [`Packer`] writes them.

pub mod cauce87;
mod content;
mod describe;
mod index;
mod pack;
mod spec;
pub mod tags;

pub use content::Content;
pub use describe::{Described, describe};
pub use index::{Index, MESSAGE_LEN_MAX};
pub use pack::Packer;
pub use spec::{Bitmap, Encoding, Field, Length, Spec, SpecError};

/// The MTI's pseudo-number in errors.
pub const MTI: u8 = 0;
/// The bitmap's pseudo-number in errors.
pub const BITMAP: u8 = 1;
