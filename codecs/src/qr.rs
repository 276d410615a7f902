//! QR codes: the payment codes of three standards, read and built, and any text as an image.
//!
//! - [`emv`]: merchant-presented codes of EMVCo, with VietQR;
//! - [`pix`]: Pix codes of Brazil, which are merchant codes;
//! - [`epc`]: SEPA credit transfers;
//! - [`symbol`]: a text as modules, SVG and PNG.
//!
//! Builders share the readers' rules: what is built is read before it is handed out, strictly. Codes
//! of others are read [leniently](Reading::Lenient) where that is asked for.

use serde::Serialize;

mod crc;
pub mod emv;
pub mod epc;
mod error;
mod findings;
pub mod pix;
pub mod symbol;
mod tlv;

pub use crate::charset::Charset;
pub use crc::crc16;
pub use error::{QrError, QrErrorKind};
pub use findings::Reading;

/// The formats of the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Any merchant-presented code of EMVCo, VietQR and Pix among them.
    Emvco,
    /// A merchant code with Pix in it.
    Pix,
    /// A SEPA credit transfer.
    Epc,
}

impl Format {
    /// From the name on the command line.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "emvco" => Some(Self::Emvco),
            "pix" => Some(Self::Pix),
            "epc" => Some(Self::Epc),
            _ => None,
        }
    }
}

/// A payload read.
///
/// Shape: serializes as the `expected` of the test vectors, and where there are any with `warnings`,
///        a list of `{"kind","field","offset","message"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Decoded {
    /// EMVCo, VietQR, Pix.
    Emv(emv::EmvCode),
    /// EPC069-12.
    Epc(epc::EpcCode),
}

impl Decoded {
    /// The scheme, by its name in the test vectors.
    pub fn scheme_name(&self) -> &'static str {
        match self {
            Self::Emv(code) => code.scheme().name(),
            Self::Epc(_) => "epc069-12",
        }
    }

    /// What breaks a rule and was read all the same.
    pub fn warnings(&self) -> &[QrError] {
        match self {
            Self::Emv(code) => code.warnings(),
            Self::Epc(code) => code.warnings(),
        }
    }
}

/// Reads one payload, as a file or a pipe gives it: one line end behind it is no part of it.
///
/// Errors: the first rule broken; `BadEncoding` for a merchant code that is not UTF-8.
pub fn decode(format: Format, reading: Reading, payload: &[u8]) -> Result<Decoded, QrError> {
    let body = payload.strip_suffix(b"\n").unwrap_or(payload);
    let body = body.strip_suffix(b"\r").unwrap_or(body);
    match format {
        Format::Emvco => emv::EmvCode::read(utf8(body)?, reading).map(Decoded::Emv),
        Format::Pix => {
            let code = emv::EmvCode::read(utf8(body)?, reading)?;
            pix::PixCode::from_emv(&code)?;
            Ok(Decoded::Emv(code))
        }
        Format::Epc => epc::EpcCode::read(body, reading).map(Decoded::Epc),
    }
}

fn utf8(bytes: &[u8]) -> Result<&str, QrError> {
    std::str::from_utf8(bytes).map_err(|error| {
        QrError::new(QrErrorKind::BadEncoding, "", error.valid_up_to(), "is UTF-8")
    })
}
