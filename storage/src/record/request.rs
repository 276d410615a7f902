//! The request, with its card number sealed, fields that look like card numbers masked, and what
//! may not be kept left out.

use router::id::PaymentId;
use router::id::{BillNo, BillerId, ClientRef, FloatRef, OperatorId, ParticipantId, Product};
use router::message::{Fingerprint, IdempotencyKey, Originator, Payer, PaymentRequest, Trace};
use router::secret::{CardNumber, MaskedPan, Pan, SealedPan, SealedTexts};

use super::DecodeError;
use super::bytes::{Reader, put_blob, put_money, put_option, put_text, put_u32, put_u128};
use super::names;
use crate::seal::Sealer;
use crate::withheld;

/// Key and fingerprint stand in the record's head already.
pub(super) fn put_request(
    request: &PaymentRequest,
    payment: PaymentId,
    sealer: &Sealer,
    out: &mut Vec<u8>,
) {
    let masked = withheld::masked(request, payment, sealer);
    let PaymentRequest {
        originator,
        key: _,
        fingerprint: _,
        rail,
        amount,
        biller,
        client,
        bill,
        product,
        float_ref,
        operator,
        remaining_debt,
        payer,
        trace,
        reference,
        metadata,
        transient: _, // never stored
        sealed_texts,
    } = masked.as_ref().unwrap_or(request);
    match originator {
        Originator::Participant(id) => {
            out.push(1);
            put_text(&id.0, out);
        }
        Originator::Biller(id) => {
            out.push(2);
            put_text(&id.0, out);
        }
    }
    names::put_rail(*rail, out);
    put_money(*amount, out);
    put_option(biller.as_ref(), out, |id, out| put_text(&id.0, out));
    put_option(client.as_ref(), out, |id, out| put_text(&id.0, out));
    put_option(bill.as_ref(), out, |id, out| put_text(&id.0, out));
    put_option(product.as_ref(), out, |id, out| put_text(&id.0, out));
    put_option(float_ref.as_ref(), out, |id, out| put_text(&id.0, out));
    put_option(operator.as_ref(), out, |id, out| put_text(&id.0, out));
    put_option(remaining_debt.as_ref(), out, |debt, out| put_money(*debt, out));
    put_payer(payer, payment, sealer, out);
    put_trace(trace, out);
    put_option(reference.as_ref(), out, put_text);
    put_option(metadata.as_ref(), out, |json, out| put_blob(json.as_bytes(), out));
    put_option(sealed_texts.as_ref(), out, |sealed, out| {
        put_blob(sealed.key_name.as_bytes(), out);
        put_blob(&sealed.ciphertext, out);
    });
}

pub(super) fn request(
    reader: &mut Reader<'_>,
    key: IdempotencyKey,
    fingerprint: Fingerprint,
) -> Result<PaymentRequest, DecodeError> {
    let at = reader.at();
    let originator = match reader.u8()? {
        1 => Originator::Participant(ParticipantId(reader.text()?)),
        2 => Originator::Biller(BillerId(reader.text()?)),
        _ => return Err(DecodeError::Value { field: "originator", at }),
    };
    Ok(PaymentRequest {
        originator,
        key,
        fingerprint,
        rail: names::rail(reader)?,
        amount: reader.money()?,
        biller: reader.option(|reader| reader.text().map(BillerId))?,
        client: reader.option(|reader| reader.text().map(ClientRef))?,
        bill: reader.option(|reader| reader.text().map(BillNo))?,
        product: reader.option(|reader| reader.text().map(Product))?,
        float_ref: reader.option(|reader| reader.text().map(FloatRef))?,
        operator: reader.option(|reader| reader.text().map(OperatorId))?,
        remaining_debt: reader.option(Reader::money)?,
        payer: payer(reader)?,
        trace: trace(reader)?,
        reference: reader.option(Reader::text)?,
        metadata: reader.option(Reader::string)?,
        transient: None,
        sealed_texts: reader.option(sealed_texts)?.map(Box::new),
    })
}

fn sealed_texts(reader: &mut Reader<'_>) -> Result<SealedTexts, DecodeError> {
    Ok(SealedTexts { key_name: reader.string()?, ciphertext: reader.blob()?.into() })
}

fn put_payer(payer: &Payer, payment: PaymentId, sealer: &Sealer, out: &mut Vec<u8>) {
    let Payer { card, expiry, account, phone, document, bank_code } = payer;
    put_option(card.as_ref(), out, |card, out| match card {
        CardNumber::Clear(pan) => put_sealed(&sealer.seal(pan, payment), out),
        CardNumber::Sealed(sealed) => put_sealed(sealed, out),
    });
    put_option(expiry.as_ref(), out, put_text);
    put_option(account.as_ref(), out, put_text);
    put_option(phone.as_ref(), out, put_text);
    put_option(document.as_ref(), out, put_text);
    put_option(bank_code.as_ref(), out, put_text);
}

fn payer(reader: &mut Reader<'_>) -> Result<Payer, DecodeError> {
    Ok(Payer {
        card: reader.option(|reader| sealed(reader).map(Box::new).map(CardNumber::Sealed))?,
        expiry: reader.option(Reader::text)?,
        account: reader.option(Reader::text)?,
        phone: reader.option(Reader::text)?,
        document: reader.option(Reader::text)?,
        bank_code: reader.option(Reader::text)?,
    })
}

fn put_sealed(sealed: &SealedPan, out: &mut Vec<u8>) {
    let SealedPan { masked, key_name, ciphertext } = sealed;
    out.extend_from_slice(&masked.first);
    out.extend_from_slice(&masked.last);
    out.push(masked.len);
    put_blob(key_name.as_bytes(), out);
    put_blob(ciphertext, out);
}

fn sealed(reader: &mut Reader<'_>) -> Result<SealedPan, DecodeError> {
    let at = reader.at();
    let masked = MaskedPan { first: reader.array()?, last: reader.array()?, len: reader.u8()? };
    let digits = masked.first.iter().chain(&masked.last).all(u8::is_ascii_digit);
    if !digits || !(Pan::LEN_MIN..=Pan::LEN_MAX).contains(&usize::from(masked.len)) {
        return Err(DecodeError::Value { field: "masked card number", at });
    }
    let key_name = reader.string()?;
    Ok(SealedPan { masked, key_name, ciphertext: reader.blob()?.into() })
}

fn put_trace(trace: &Trace, out: &mut Vec<u8>) {
    let Trace {
        mti,
        processing_code,
        stan,
        transmitted_at,
        local_time,
        local_date,
        merchant_category,
        entry_mode,
        condition_code,
        acquirer,
        rrn,
        terminal,
        merchant,
    } = trace;
    put_text(mti, out);
    put_text(processing_code, out);
    put_option(stan.as_ref(), out, |stan, out| put_u32(stan.number(), out));
    put_text(transmitted_at, out);
    put_text(local_time, out);
    put_text(local_date, out);
    put_text(merchant_category, out);
    put_text(entry_mode, out);
    put_text(condition_code, out);
    put_text(acquirer, out);
    put_text(rrn, out);
    put_text(terminal, out);
    put_text(merchant, out);
}

fn trace(reader: &mut Reader<'_>) -> Result<Trace, DecodeError> {
    Ok(Trace {
        mti: reader.text()?,
        processing_code: reader.text()?,
        stan: reader.option(Reader::stan)?,
        transmitted_at: reader.text()?,
        local_time: reader.text()?,
        local_date: reader.text()?,
        merchant_category: reader.text()?,
        entry_mode: reader.text()?,
        condition_code: reader.text()?,
        acquirer: reader.text()?,
        rrn: reader.text()?,
        terminal: reader.text()?,
        merchant: reader.text()?,
    })
}

/// The request's own key and fingerprint, as one who asked twice would give them.
pub(super) fn put_identity(key: IdempotencyKey, fingerprint: Fingerprint, out: &mut Vec<u8>) {
    put_u128(key.0, out);
    put_u128(fingerprint.0, out);
}

pub(super) fn identity(
    reader: &mut Reader<'_>,
) -> Result<(IdempotencyKey, Fingerprint), DecodeError> {
    Ok((IdempotencyKey(reader.u128()?), Fingerprint(reader.u128()?)))
}
