//! What is asked about a payment that was asked for before: what became of it, and a refund.

use bytes::BytesMut;
use router::exchange::{KnownPayment, RefundAsk, RequestTrace};
use router::message::{PaymentRequest, Trace};
use router::text::Text;

use super::{
    Asking, PAYER_ACCOUNT, original_elements, put_business_date, put_head, put_place, repeat_digit,
};
use crate::error::PackError;
use crate::iso8583::pack::Packer;
use crate::iso8583::spec::Spec;

/// DE3 of a refund: money goes back to the payer.
const REFUND: &str = "200000";
/// DE3 of an inquiry about what became of a payment.
const INQUIRY: &str = "320000";

/// Appends the request that gives money of a payment back (0200, 0201).
///
/// Shape:  DE4 is what is given back, DE11 and DE7 name the refund, DE37 is the folio of the payment
///         and DE90 its request.
/// Errors: a value that does not fit; nothing is appended then.
/// Source: research/domain.md 3.4, "refund/return".
pub fn refund_request(
    refund: &RefundAsk<'_>,
    original: &RequestTrace,
    own: &RequestTrace,
    asking: Asking,
    out: &mut BytesMut,
) -> Result<(), PackError> {
    let asked = about(&refund.of, REFUND);
    let asked = PaymentRequest { amount: refund.amount, ..asked };
    write(&refund.of, &asked, (original, own), asking, out)
}

/// Appends the request that asks what became of a payment (0200, 0201).
///
/// Shape:  DE4 is the payment's amount, DE37 its folio and DE90 its request.
/// Errors: a value that does not fit; nothing is appended then.
/// Source: research/domain.md 3.4, "status inquiry".
pub fn inquiry_request(
    of: &KnownPayment<'_>,
    original: &RequestTrace,
    own: &RequestTrace,
    asking: Asking,
    out: &mut BytesMut,
) -> Result<(), PackError> {
    write(of, &about(of, INQUIRY), (original, own), asking, out)
}

/// The request of a payment under another processing code.
fn about(of: &KnownPayment<'_>, processing_code: &str) -> PaymentRequest {
    let processing_code = Text::new(processing_code).unwrap_or_default();
    let trace = Trace { processing_code, ..of.request.trace };
    PaymentRequest { trace, ..of.request.clone() }
}

fn write(
    of: &KnownPayment<'_>,
    asked: &PaymentRequest,
    (original, own): (&RequestTrace, &RequestTrace),
    asking: Asking,
    out: &mut BytesMut,
) -> Result<(), PackError> {
    let mti = [b'0', b'2', b'0', repeat_digit(asking.repeat)];
    let mut packer = Packer::begin(Spec::cauce87(), mti, out);
    put_head(&mut packer, asked, of.card, own)?;
    put_business_date(&mut packer, of.business_date)?;
    packer.put(32, asking.acquirer.as_bytes())?;
    put_place(&mut packer, of.folio, &asked.trace)?;
    packer.put_number(49, asked.amount.currency.numeric().into())?;
    packer.put(90, &original_elements(original, &asking.acquirer))?;
    packer.put_opt(PAYER_ACCOUNT, asked.payer.account.as_ref().map(Text::as_bytes))?;
    packer.finish();
    Ok(())
}
