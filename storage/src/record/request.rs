//! The request, with its card number sealed, fields that look like card numbers masked, and what
//! may not be kept left out.

use router::early::EarlyReversal;
use router::message::{Fingerprint, IdempotencyKey, Originator, Payer, PaymentRequest, Trace};
use router::secret::{CardNumber, MaskedPan, Pan, SealedPan, SealedTexts};

use super::DecodeError;
use super::field::{Field, ValueReader, ValueWriter, fields, variants};

// Key and fingerprint stand beside the request; what is transient is never kept.
fields!(PaymentRequest {
    0 => originator,
    1 => rail,
    2 => amount,
    3 => biller,
    4 => client,
    5 => bill,
    6 => product,
    7 => float_ref,
    8 => operator,
    9 => remaining_debt,
    10 => payer,
    11 => trace,
    12 => reference,
    13 => metadata,
    14 => sealed_texts,
}; key = IdempotencyKey(0), fingerprint = Fingerprint(0), transient = None);

variants!(Originator, "originator", Participant = 1, Biller = 2);

fields!(Payer {
    0 => card,
    1 => expiry,
    2 => account,
    3 => phone,
    4 => document,
    5 => bank_code,
});

fields!(Trace {
    0 => mti,
    1 => processing_code,
    2 => stan,
    3 => transmitted_at,
    4 => local_time,
    5 => local_date,
    6 => merchant_category,
    7 => entry_mode,
    8 => condition_code,
    9 => acquirer,
    10 => rrn,
    11 => terminal,
    12 => merchant,
    13 => merchant_place,
});

fields!(EarlyReversal {
    0 => originator,
    1 => at,
    2 => until,
    3 => stan,
    4 => rrn,
    5 => transmitted_at,
    6 => terminal,
    7 => amount,
});

fields!(SealedPan { 0 => masked, 1 => key_name, 2 => ciphertext });
fields!(SealedTexts { 0 => key_name, 1 => ciphertext });

/// Sealed on the way, where it is clear.
impl Field for CardNumber {
    fn write(&self, out: &mut ValueWriter<'_>) {
        match self {
            Self::Clear(pan) => {
                let (sealer, payment) =
                    out.sealer().expect("invariant: a request is written with its sealer");
                sealer.seal(pan, payment).write(out);
            }
            Self::Sealed(sealed) => sealed.write(out),
        }
    }

    fn read(reader: &mut ValueReader<'_>) -> Result<Self, DecodeError> {
        Field::read(reader).map(Self::Sealed)
    }
}

/// Its first six digits, its last four, and how many it has.
impl Field for MaskedPan {
    fn write(&self, out: &mut ValueWriter<'_>) {
        let mut bytes = [self.len; 11];
        bytes[..6].copy_from_slice(&self.first);
        bytes[6..10].copy_from_slice(&self.last);
        out.bytes(&bytes);
    }

    fn read(reader: &mut ValueReader<'_>) -> Result<Self, DecodeError> {
        const FIELD: &str = "masked card number";
        let at = reader.at();
        let [f1, f2, f3, f4, f5, f6, l1, l2, l3, l4, len]: [u8; 11] =
            reader.bytes(FIELD)?.try_into().or_else(|_| reader.invalid(FIELD, at))?;
        let (first, last) = ([f1, f2, f3, f4, f5, f6], [l1, l2, l3, l4]);
        let digits = first.iter().chain(&last).all(u8::is_ascii_digit);
        if !digits || !(Pan::LEN_MIN..=Pan::LEN_MAX).contains(&usize::from(len)) {
            return reader.invalid(FIELD, at);
        }
        Ok(Self { first, last, len })
    }
}
