use router::exchange::{AttemptRef, KnownPayment, RefundAsk};
use router::id::{ParticipantId, PaymentId, RefundId};
use router::message::Message;
use router::money::Money;
use router::plan::{Plan, Routes};
use router::record::{Attempt, Intent};
use router::reservation::Reservation;
use router::time::Timestamp;
use smallvec::smallvec;

use super::*;
use crate::iso8583::cauce87::{read, to_message};

/// A message laid out by a script after ISO 8583:1987, not by our packer.
macro_rules! laid_out {
    ($name:literal) => {
        include_str!(concat!("../../../../testdata/cauce87/", $name, ".hex")).trim()
    };
}

fn participant() -> ParticipantId {
    ParticipantId::new("bank-a").expect("an id")
}

/// The intent that the card payment of the test data leads to, with a fee of 12.00.
fn intent() -> Intent {
    let bytes = hex::decode(laid_out!("card-payment")).expect("hexadecimal");
    let message = to_message(&read(&bytes).expect("well formed"), &bytes, participant());
    let Ok(Message::Payment(request)) = message else { panic!("a payment, not {message:?}") };
    let fee = Fee {
        label: "commission".parse().expect("a text"),
        amount: Money::new(1200, request.amount.currency),
        borne_by: Bearer::Payer,
        timing: FeeTiming::Net,
    };
    let invoiced = Fee { timing: FeeTiming::Invoice, ..fee };
    let total = request.amount.checked_add(fee.amount).expect("adds up");
    let reservation = Reservation {
        key: request.key,
        fingerprint: request.fingerprint,
        slots: smallvec![],
        counters: smallvec![],
        holds: smallvec![],
    };
    let plan = Plan {
        business_date: Date::from_year_month_day(2026, 11, 23),
        routes: Routes::new(),
        fees: smallvec![fee, invoiced],
        total,
        entry: router::posting::Entry::default(),
        reservation,
        day_began: Timestamp(0),
        limits: Default::default(),
        rules_version: 0,
        bill: None,
    };
    Intent {
        payment: PaymentId(1),
        folio: Folio::new(12).expect("a folio"),
        at: Timestamp(0),
        request: *request,
        plan,
        attempt: Attempt { participant: participant(), reference: AttemptRef::Trace(named()) },
    }
}

fn named() -> RequestTrace {
    RequestTrace {
        stan: Stan::new(777).expect("a stan"),
        transmitted_at: "1123211723".parse().expect("a text"),
    }
}

fn asking(repeat: Repeat) -> Asking {
    Asking { acquirer: "900001".parse().expect("a text"), repeat, acceptor: Acceptor::default() }
}

#[test]
fn a_payment_is_asked_for_as_the_standard_lays_it_out() {
    let (intent, mut out) = (intent(), BytesMut::new());
    payment_request(&intent.ask(), &named(), asking(Repeat::First), &mut out).expect("packed");
    assert_eq!(hex::encode(&out), laid_out!("payment-request"));
    let first = out.split();
    payment_request(&intent.ask(), &named(), asking(Repeat::Again), &mut out).expect("packed");
    assert_eq!((&out[..4], &out[4..]), (&b"0201"[..], &first[4..]));
}

#[test]
fn a_reversal_is_advised_as_the_standard_lays_it_out() {
    let (intent, original, mut out) = (intent(), named(), BytesMut::new());
    let card = Pan::new(b"4111111111111111").expect("a card number");
    let undo = Undo {
        payment: intent.payment,
        folio: intent.folio,
        request: &intent.request,
        total: intent.plan.total,
        business_date: intent.plan.business_date,
        original: AttemptRef::Trace(original),
        card: Some(&card),
        stands_minor: None,
        repeat: Repeat::Again,
        has_arrived: false,
        approval: None,
    };
    let own = RequestTrace {
        stan: Stan::new(778).expect("a stan"),
        transmitted_at: "1123211800".parse().expect("a text"),
    };
    let advice = ReversalAdvice { undo: &undo, original, own };
    reversal_advice(&advice, asking(Repeat::Again), &mut out).expect("packed");
    assert_eq!(hex::encode(&out), laid_out!("reversal-advice"));

    let of_a_part = Undo { stands_minor: Some(4_000), ..undo };
    let part = ReversalAdvice { undo: &of_a_part, ..advice };
    let mut out = BytesMut::new();
    reversal_advice(&part, asking(Repeat::Again), &mut out).expect("packed");
    // DE95 comes last, and its bit is the second of the last four bytes of the bitmaps.
    let whole = hex::decode(laid_out!("reversal-advice")).expect("hexadecimal");
    let stands = b"000000004000000000000000C00000000C00000000";
    let mut expected = [whole.as_slice(), stands].concat();
    expected[4 + 11] |= 0b10;
    assert_eq!(out, expected, "{}", hex::encode(&out));
}

#[test]
fn a_sign_on_is_laid_out_as_the_standard_has_it() {
    let mut out = BytesMut::new();
    let (stan, at) = (Stan::new(1).expect("a stan"), "1123211800".parse().expect("a text"));
    let acquirer = asking(Repeat::First).acquirer;
    network_request(NetworkKind::SignOn, stan, &at, &acquirer, &mut out).expect("packed");
    assert_eq!(hex::encode(&out), laid_out!("sign-on"));
}

#[test]
fn a_sealed_card_number_or_a_fee_too_large_is_refused_and_nothing_is_written() {
    let mut intent = intent();
    let mut out = BytesMut::from(&b"before"[..]);
    intent.plan.fees[0].amount.minor = 100_000_000;
    let error = payment_request(&intent.ask(), &named(), asking(Repeat::First), &mut out);
    assert_eq!(error, Err(PackError::Length { field: 28, have: 9, allowed: 8 }));
    let masked = intent.request.payer.card.as_ref().expect("a card").masked();
    intent.request.payer.card = Some(CardNumber::Sealed(Box::new(router::secret::SealedPan {
        masked,
        key_name: "k1".into(),
        ciphertext: Box::new([]),
    })));
    let error = payment_request(&intent.ask(), &named(), asking(Repeat::First), &mut out);
    assert_eq!(error, Err(PackError::CardSealed));
    assert_eq!(&out[..], b"before");
}

#[test]
fn a_refund_names_itself_its_payment_and_what_is_given_back() {
    let (intent, mut out) = (intent(), BytesMut::new());
    let card = match &intent.request.payer.card {
        Some(CardNumber::Clear(pan)) => Some(pan),
        Some(CardNumber::Sealed(_)) | None => None,
    };
    let of = KnownPayment {
        payment: intent.payment,
        folio: intent.folio,
        request: &intent.request,
        business_date: intent.plan.business_date,
        original: intent.attempt.reference,
        total: intent.plan.total,
        reference: "",
        approval: None,
        card,
    };
    let own = RequestTrace { stan: Stan::new(888).expect("a stan"), ..named() };
    let refund = RefundAsk {
        of,
        refund: RefundId(1),
        amount: Money::new(4_000, intent.request.amount.currency),
        own: AttemptRef::Trace(own),
        repeat: Repeat::Again,
    };
    refund_request(&refund, &named(), &own, asking(Repeat::Again), &mut out).expect("packed");
    let fields = |out: &BytesMut| {
        let wire = read(out).expect("well formed");
        let text = |field| {
            let value = wire.index.field(out, field).unwrap_or_default();
            String::from_utf8_lossy(value).into_owned()
        };
        let mti = String::from_utf8_lossy(&wire.index.mti()).into_owned();
        [mti].into_iter().chain([3, 4, 7, 11, 37, 49, 90].map(text)).collect::<Vec<_>>()
    };
    let currency = intent.request.amount.currency.numeric();
    let original = "020000077711232117230000090000100000000000";
    let said = fields(&out);
    assert_eq!(
        said[..6],
        ["0201", "200000", "000000004000", "1123211723", "000888", "000000000012"]
    );
    assert_eq!((said[6].as_str(), said[7].as_str()), (format!("{currency:03}").as_str(), original));

    let mut out = BytesMut::new();
    inquiry_request(&of, &named(), &own, asking(Repeat::First), &mut out).expect("packed");
    let (asked, amount) = (fields(&out), format!("{:012}", intent.request.amount.minor));
    assert_eq!(asked[..3], ["0200".to_owned(), "320000".to_owned(), amount]);
    assert_eq!(asked[7], original);
}
