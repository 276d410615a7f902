//! A PIN block that came under the originator's key leaves under the key of who is asked.

use codecs::error::PackError;
use codecs::iso8583::cauce87;
use codecs::security::{EncryptedPin, PinFill};
use router::message::PaymentRequest;
use router::secret::CardNumber;

use super::Speaker;
use crate::line_rules::pin::PinRule;

/// The data element of a PIN block.
const PIN_BLOCK: u8 = 52;

/// Puts the PIN block of a request that has been written under the key of who is asked.
///
/// Shape:  between participants without PIN keys a block passes as it is.
/// Errors: one of the two has a key and the other none, the card is not known, or the block is none
///         under the originator's key.
pub fn translate(
    speaker: &Speaker,
    request: &PaymentRequest,
    to: Option<&PinRule>,
    message: &mut [u8],
) -> Result<(), PackError> {
    let has_block = request.transient.as_deref().is_some_and(|kept| kept.pin_block.is_some());
    if !has_block {
        return Ok(());
    }
    let from = speaker.pin_of(&request.originator);
    if from.is_none() && to.is_none() {
        return Ok(());
    }
    let fault = PackError::Content { field: PIN_BLOCK, at: 0 };
    let wire = cauce87::read(message).map_err(|_| fault)?;
    let Some(at) = wire.index.range(PIN_BLOCK) else { return Ok(()) };
    let (Some(from), Some(to), Some(CardNumber::Clear(pan))) = (from, to, &request.payer.card)
    else {
        return Err(fault);
    };
    let block = EncryptedPin::try_from(&message[at.clone()]).map_err(|_| fault)?;
    let fill = PinFill(rand::random());
    let translated = to.keys.translate_pin(&block, pan, from.current(), to.current(), &fill);
    let translated = translated.map_err(|error| {
        metrics::counter!("cauce_pins_refused_total", "why" => error.kind.name()).increment(1);
        tracing::warn!(participant = request.originator.as_str(), %error, "PIN block refused");
        fault
    })?;
    // Both formats have eight bytes.
    message[at].copy_from_slice(translated.as_bytes());
    Ok(())
}
