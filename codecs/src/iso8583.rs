//! ISO 8583 by specification: a [`Spec`] says how the fields of a message are written;
//! [`Spec::index`] finds them in one pass without copying, [`Packer`] writes them, [`Spec::unpack`]
//! and [`Spec::assemble`] go down to the last part and tag, and [`cauce87`] maps the switch's own
//! format to the canonical message.

mod assemble;
pub mod cauce87;
mod composite;
mod content;
mod describe;
mod dialect;
mod ebcdic;
mod field;
mod index;
mod mask;
mod misfit;
mod pack;
mod spec;
pub mod tags;
pub mod tlv;
mod unpack;
mod value;

pub use assemble::{AssembleError, Problem};
pub use composite::{
    Characters, Composite, DataSet, FirstBit, Part, Parts, TagForm, TagLayout, TagOrder, TagPart,
    Tagged,
};
pub use content::Content;
pub use describe::{Described, describe};
pub use dialect::{Dialect, Edition};
pub use ebcdic::Page;
pub use field::{Bcd, Counts, Encoding, Field, Length, Odd, Pad, Prefix, PrefixEncoding};
pub use index::{Index, MESSAGE_LEN_MAX};
pub use misfit::{Misfit, MisfitMessage};
pub use pack::Packer;
pub use spec::{
    BitmapEncoding, Bitmaps, FIELD_MAX, Form, Lint, MtiEncoding, RawDefaults, RawField, RawParts,
    RawSet, RawSpec, SPEC_LEN_MAX, Spec, SpecError, ThirdBitmap, Trailing, form_of, import,
};
pub use value::{Tree, Value};

/// The MTI's pseudo-number in errors.
pub const MTI: u8 = 0;
/// The bitmap's pseudo-number in errors.
pub const BITMAP: u8 = 1;
