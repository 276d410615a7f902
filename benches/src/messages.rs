//! The same payments as every bench asks for them: on the wire, in JSON, and decoded.

use bytes::BytesMut;
use codecs::iso8583::{Content, Length, Packer, Spec, cauce87};
use router::id::ParticipantId;
use router::message::{Message, PaymentRequest};

/// A data element's number and content.
pub type Field = (u8, &'static str);

/// A card payment to an internet provider: 120 bytes in eleven data elements.
pub const CARD_FIELDS: [Field; 11] = [
    (2, "4111111111111111"),
    (3, "000000"),
    (4, "000000050000"),
    (7, "1123211722"),
    (11, "123456"),
    (13, "1123"),
    (32, "700001"),
    (37, "000000000001"),
    (41, "TERM0001"),
    (48, "0106isp-ve02041234"),
    (49, "928"),
];

/// Cash that a collector took for a lender, with everything the lender's limits ask for.
pub const CASH_FIELDS: [Field; 9] = [
    (3, "510000"),
    (4, "000000050000"),
    (7, "1123211722"),
    (11, "123457"),
    (32, "700002"),
    (37, "000000000002"),
    (41, "TERM0001"),
    (48, "0106lender02091002003000404op-10508583411220708credimax09071000000"),
    (49, "484"),
];

/// A 0200 of eleven data elements in 120 bytes whose bitmap is written in hexadecimal: the message
/// that published figures of other codecs are mostly about.
pub const HEX_BITMAP: &[u8] =
    b"02007238000008C080001641111111111111110000000000000100000925120000000123\
    1200000925060700000001TERM0001MERCHANT0000001360";

/// The card payment as a merchant's server asks for it, `POST /v1/payments`.
pub const JSON: &[u8] = br#"{"rail":"account","amount":{"currency":"VES","minor":50000},
"client":"1234","bill":"INV-0001","reference":"order 77","payer":{"doc":"V12345678",
"card":{"number":"4111111111111111","expiry":"2912"}},"metadata":{"basket":"7f3a"}}"#;

/// Packs a 0200 of the switch's own profile.
pub fn packed(fields: &[Field]) -> BytesMut {
    let mut out = BytesMut::new();
    pack(fields, &mut out);
    out
}

/// Appends a 0200 of the switch's own profile.
pub fn pack(fields: &[Field], out: &mut BytesMut) {
    let mut packer = Packer::begin(Spec::cauce87(), *b"0200", out);
    for (number, content) in fields {
        packer.put(*number, content.as_bytes()).expect("invariant: the samples fit their fields");
    }
    packer.finish();
}

/// The profile with bitmaps in hexadecimal, for [`HEX_BITMAP`].
pub fn hex_bitmap_spec() -> Spec {
    let profile = include_str!("../../config/iso8583/cauce-87.toml");
    let profile = profile.replacen("bitmap = \"binary\"", "bitmap = \"hex\"", 1);
    Spec::from_toml(&profile).expect("invariant: hexadecimal bitmaps are known")
}

/// A message of 65 data elements in BCD, every one of them full of what its class allows; contents
/// of variable length have at most 20 units.
pub fn packed_digits(spec: &Spec) -> BytesMut {
    let mut out = BytesMut::new();
    let mut packer = Packer::begin(spec, *b"0200", &mut out);
    for number in (2..=64).chain([66, 70]) {
        let field = spec.field(number).expect("invariant: the format defines every field");
        packer.put(number, &content(field)).expect("invariant: the content is of its class");
    }
    packer.finish();
    out
}

fn content(field: &codecs::iso8583::Field) -> Vec<u8> {
    let units = match field.length {
        Length::Fixed(units) => usize::from(units),
        Length::Variable(prefix) => usize::try_from(prefix.max).map_or(20, |max| max.min(20)),
    };
    let mut content = match field.content {
        Content::Binary | Content::Any => vec![0x12; units],
        Content::Alpha | Content::AlphaNumeric | Content::Text => vec![b'A'; units],
        Content::Numeric | Content::Track | Content::SignedNumeric => vec![b'7'; units],
    };
    if field.content == Content::SignedNumeric {
        content[0] = b'C';
    }
    content
}

/// The participant that asks for the card payment.
pub fn acquirer() -> ParticipantId {
    participant("acquirer")
}

/// The participant that asks for the cash payment.
pub fn collector() -> ParticipantId {
    participant("collector")
}

/// [`CARD_FIELDS`] decoded.
pub fn card_payment() -> PaymentRequest {
    decoded(&CARD_FIELDS, acquirer())
}

/// [`CASH_FIELDS`] decoded.
pub fn cash_payment() -> PaymentRequest {
    decoded(&CASH_FIELDS, collector())
}

/// A participant's id.
pub(crate) fn participant(name: &str) -> ParticipantId {
    ParticipantId::new(name).expect("invariant: the samples' names are ids")
}

fn decoded(fields: &[Field], originator: ParticipantId) -> PaymentRequest {
    let bytes = packed(fields);
    let wire = cauce87::read(&bytes).expect("invariant: the samples are well formed");
    let message = cauce87::to_message(&wire, &bytes, originator);
    match message.expect("invariant: the samples make sense") {
        Message::Payment(request) => *request,
        Message::Reversal(_) | Message::Inquiry(_) | Message::Network(_) => {
            unreachable!("a 0200 with DE3 00 or 51 is a payment")
        }
    }
}

#[cfg(test)]
mod tests {
    use codecs::iso8583::Index;
    use router::message::Rail;

    use super::*;

    #[test]
    fn both_card_messages_are_120_bytes_of_eleven_fields() {
        for (spec, bytes) in [
            (Spec::cauce87(), packed(&CARD_FIELDS).to_vec()),
            (&hex_bitmap_spec(), HEX_BITMAP.to_vec()),
        ] {
            let mut index = Index::default();
            spec.index(&bytes, &mut index).unwrap();
            assert_eq!((bytes.len(), index.fields().count()), (120, 11));
        }
    }

    #[test]
    fn the_decoded_samples_say_what_the_wire_says() {
        let card = card_payment();
        assert_eq!((card.rail, card.amount.to_string()), (Rail::Account, "500.00 VES".to_owned()));
        assert!(card.payer.card.is_some() && card.biller.is_some());
        let cash = cash_payment();
        assert_eq!(
            (cash.rail, cash.amount.to_string()),
            (Rail::CashFloat, "500.00 MXN".to_owned())
        );
        assert!(cash.client.is_some() && cash.operator.is_some() && cash.float_ref.is_some());
        assert!(cash.product.is_some() && cash.remaining_debt.is_some());
    }
}
