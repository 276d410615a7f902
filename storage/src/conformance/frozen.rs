//! A journal with records of every kind, and what is known once it is read: the content of the
//! journals that are kept with the tests, one for each released version of the records.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::time::Duration;

use router::detail::{BrokenLimit, Detail};
use router::fee::{Bearer, Fee, FeeTiming};
use router::free_text::FreeText;
use router::id::{
    BillNo, BillerId, ClientRef, EndpointId, FloatRef, OperatorId, ParticipantId, Product,
};
use router::message::{Originator, PaymentRequest, Rail, Trace};
use router::notice::NoticeType;
use router::outcome::Cause;
use router::payment::Payment;
use router::policy::{Scope, Window};
use router::posting::cap_movement;
use router::reason::Reason;
use router::record::{AccountMovement, Attempt, Intent, NoticeMark, Record, Refused, Rerouted};
use router::reservation::Keep;
use router::text::Text;
use router::time::Timestamp;

use super::sample::{self, Sample};
use crate::journal::{Files, Head, Journal, dir_of};
use crate::record;
use crate::verify::frames;
use crate::{Admission, Recovered, Settings, Store, StoreError};

/// Payments of the journal.
pub const PAYMENTS: u64 = 120;
/// The floats that are topped up.
const FLOATS: [&str; 2] = ["float:1", "float:2"];
/// The counter and the slots of the samples.
const COUNTER: u128 = 7;

/// Settings under which a store's oldest segments are removed that was filled by [`fill`].
pub fn pruned_settings(dir: &Path) -> Settings {
    Settings {
        snapshot_segments: 0,
        segment_len_max: 10_000,
        key_retention: Duration::from_secs(10),
        keep_for: Some(Duration::from_secs(30)),
        ..Settings::new(dir)
    }
}

/// Appends some hundred records to an empty store: every kind, every field, every reason.
pub async fn fill(store: &Store) {
    for float in FLOATS {
        store.append(sample::top_up(float, 1_000_000)).await.unwrap();
        store.append(sample::top_up(float, -250)).await.unwrap();
    }
    store.append(room_under_a_cap(700)).await.unwrap();
    for endpoint in 1..=3 {
        store.append(sample::endpoint(endpoint)).await.unwrap();
    }
    store.append(sample::endpoint_with_old_secrets(2)).await.unwrap();
    let removed = sample::first_endpoint(3);
    let removed = router::endpoint::Endpoint { url: None, version: 2, ..removed };
    store.append(sample::set(removed)).await.unwrap();
    let changed = sample::first_endpoint(1);
    let types = vec![NoticeType::PaymentApproved, NoticeType::PaymentReversed];
    let changed = router::endpoint::Endpoint { version: 2, types, ..changed };
    store.append(sample::set(changed)).await.unwrap();
    for version in 1..=2 {
        let event = sample::event_of_a_later_build(version);
        store.append(Record::Event(Box::new(event))).await.unwrap();
    }
    for n in 1..=PAYMENTS {
        pay(store, n).await;
    }
    let mark = NoticeMark { endpoint: EndpointId(1), through: 40 };
    store.append(Record::NoticeMark(mark)).await.unwrap();
}

fn room_under_a_cap(minor: i64) -> Record {
    let entry = cap_movement(&sample::originator(), sample::money(minor)).unwrap();
    Record::Account(Box::new(AccountMovement { at: sample::at(0), entry }))
}

/// One payment; its number decides what becomes of it.
async fn pay(store: &Store, n: u64) {
    let payment = numbered(n);
    if n.is_multiple_of(12) {
        return refuse(store, &payment).await;
    }
    if n % 40 == 1 {
        let early = sample::early_reversal(&Sample::new(n + 100_000));
        store.append(Record::EarlyReversal(early)).await.unwrap();
    }
    store.admit(filled(payment.intent(), n)).await.unwrap();
    for record in steps(&payment, n) {
        store.append(record).await.unwrap();
    }
}

fn numbered(n: u64) -> Sample {
    let (name, amount) =
        (FLOATS[usize::from(n.is_multiple_of(2))], 100 + i64::try_from(n).unwrap());
    let keep = match n % 3 {
        0 => Keep::UntilOutcome,
        1 => Keep::WhileApproved,
        _ => Keep::Until(Timestamp(sample::at(0).0 + sample::WINDOW_END)),
    };
    Sample {
        at: i64::try_from(n).unwrap() * 1_000_000,
        hold: Some((name, amount)),
        counter: (!n.is_multiple_of(4)).then_some((COUNTER, 1_000)),
        slot: Some((1_000 + u128::from(n), keep)),
        ..Sample::new(n)
    }
}

async fn refuse(store: &Store, payment: &Sample) {
    let n = payment.payment;
    let reasons: Vec<Reason> = Reason::ALL.into_iter().collect();
    let at = usize::try_from(n / 12).unwrap();
    let detail = details().into_iter().cycle().nth(at).unwrap();
    let original = n.is_multiple_of(24).then(|| Sample::new(1).id());
    let request = filled(payment.intent(), n).request;
    let refused = payment.refused(reasons[at * 3 % reasons.len()]);
    let refused = Refused { request, detail: Some(detail), original, ..refused };
    store.refuse(refused).await.unwrap();
}

fn details() -> Vec<Detail> {
    let (scope, window, max) = (Scope::Terminal, Window::Month, sample::money(900));
    let limits = [
        BrokenLimit::Most(max),
        BrokenLimit::Least(max),
        BrokenLimit::Count { max: 3, scope, window },
        BrokenLimit::Sum { max, scope: Scope::Client, window: Window::Day },
        BrokenLimit::NetDebit(max),
        BrokenLimit::Remaining { least: max, most: sample::money(1) },
        BrokenLimit::Products("credit, rent".into()),
    ];
    limits.into_iter().map(Detail::Limit).chain([Detail::Text("most 100.00".into())]).collect()
}

/// What follows the intent.
fn steps(payment: &Sample, n: u64) -> Vec<Record> {
    let amount = 100 + i64::try_from(n).unwrap();
    let causes = [
        Cause::Timeout,
        Cause::LineLost,
        Cause::Restart,
        Cause::BadAnswer,
        Cause::ContradictsRequest,
        Cause::PartialApproval,
    ];
    let cause = causes.into_iter().cycle().nth(usize::try_from(n).unwrap()).unwrap();
    match n % 12 {
        1 | 2 => vec![payment.approved()],
        3 => vec![payment.declined()],
        4 => {
            vec![payment.unknown(), payment.reversal_owed_for(cause), payment.reversal_confirmed()]
        }
        5 => vec![payment.unknown()],
        6 => vec![payment.approved(), payment.reversal_asked(), payment.approval_reversed(0)],
        7 => vec![
            payment.approved(),
            payment.part_owed(amount, 60),
            payment.part_confirmed(amount - 60, 60),
            payment.part_owed(60, 20),
            payment.part_confirmed(40, 20),
        ],
        8 => vec![payment.declined(), payment.late(), payment.reversal_owed_anew()],
        9 => vec![rerouted(payment), payment.approved(), payment.late()],
        10 => vec![payment.approved(), payment.part_owed(amount, 1)],
        _ => Vec::new(),
    }
}

fn rerouted(payment: &Sample) -> Record {
    let Intent { payment: id, attempt, .. } = payment.intent();
    let attempt = Attempt { participant: ParticipantId::new("bank-c").unwrap(), ..attempt };
    Record::Rerouted(Rerouted { payment: id, at: sample::at(payment.at + 2), attempt })
}

/// The same with every field set that a request can have, on every rail.
fn filled(mut intent: Intent, n: u64) -> Intent {
    let mut rails = Rail::ALL.into_iter().cycle();
    let request = &mut intent.request;
    let mut payer = request.payer.clone();
    // Every third account looks like a card number: it is masked, and sealed beside.
    let account = if n.is_multiple_of(3) { "4000001234567899" } else { "DE02120300000000202051" };
    payer.account = Some(Text::new(account).unwrap());
    payer.phone = Some(Text::new("584121234567").unwrap());
    payer.document = Some(Text::new("V12345678").unwrap());
    payer.bank_code = Some(Text::new("0102").unwrap());
    *request = PaymentRequest {
        originator: originator(n),
        rail: rails.nth(usize::try_from(n).unwrap()).unwrap(),
        client: Some(ClientRef::new("client-1").unwrap()),
        bill: Some(BillNo::new(&format!("INV-{n:04}")).unwrap()),
        product: Some(Product::new("credit").unwrap()),
        float_ref: Some(FloatRef::new("58341122").unwrap()),
        operator: Some(OperatorId::new("op-1").unwrap()),
        remaining_debt: Some(sample::money(5_000)),
        reference: FreeText::new("order 7").ok(),
        metadata: Some("{\"note\":\"4000001234567899\"}".into()),
        payer,
        trace: filled_trace(request.trace),
        ..request.clone()
    };
    let fee = |minor, borne_by, timing| Fee {
        label: Text::new("service").unwrap(),
        amount: sample::money(minor),
        borne_by,
        timing,
    };
    intent.plan.fees =
        [fee(3, Bearer::Payer, FeeTiming::Net), fee(4, Bearer::Merchant, FeeTiming::Invoice)]
            .into_iter()
            .collect();
    intent.plan.routes.push(ParticipantId::new("bank-c").unwrap());
    intent
}

fn originator(n: u64) -> Originator {
    match n % 5 {
        0 => Originator::Biller(BillerId::new("isp-ve").unwrap()),
        _ => Originator::Participant(sample::originator()),
    }
}

fn filled_trace(trace: Trace) -> Trace {
    Trace {
        local_time: Text::new("171722").unwrap(),
        local_date: Text::new("1123").unwrap(),
        merchant_category: Text::new("4900").unwrap(),
        entry_mode: Text::new("051").unwrap(),
        condition_code: Text::new("00").unwrap(),
        acquirer: Text::new("00000000102").unwrap(),
        rrn: Text::new("000123456789").unwrap(),
        merchant: Text::new("MERCHANT0000001").unwrap(),
        ..trace
    }
}

/// What a store knows after [`fill`], a line for each thing. Asks it about more payments.
pub async fn describe(store: &Store, recovered: &Recovered) -> String {
    let mut out = String::new();
    let mut line = |text: String| writeln!(out, "{text}").unwrap();
    line(format!("records {} next folio {}", recovered.sequence, recovered.folio_next));
    for name in FLOATS.into_iter().chain(["cap:bank-a:MXN"]) {
        let balance = store.account_balance(sample::account(name), sample::currency()).await;
        let balance = balance.unwrap();
        line(format!("account {name} balance {} held {}", balance.balance, balance.held));
    }
    for endpoint in store.endpoints() {
        let router::endpoint::Endpoint { id, biller, version, url, types, .. } = endpoint;
        line(format!("endpoint {} version {version} of {biller} at {url:?} for {types:?}", id.0));
    }
    let mut open: Vec<_> = recovered.open.iter().map(|payment| payment.folio.number()).collect();
    open.sort_unstable();
    line(format!("open {open:?}"));
    let payments = describe_payments(store).await;
    payments.into_iter().for_each(&mut line);
    for n in 1..=PAYMENTS {
        let repeat = Sample { payment: 1_000 + n, ..numbered(n) };
        let same_key = of_admission(store.admit(filled(repeat.intent(), n)).await);
        let other = Sample { key: Sample::new(2_000 + n).key, payment: 2_000 + n, ..numbered(n) };
        let same_slot = of_admission(store.admit(other.intent()).await);
        line(format!("payment {n}: same key {same_key}, same slot {same_slot}"));
    }
    out
}

/// The part of [`describe`] about the payments of the journal, which changes nothing.
pub async fn describe_payments(store: &Store) -> Vec<String> {
    let mut lines = Vec::new();
    for n in 1..=PAYMENTS {
        let payment = store.payment(numbered(n).id()).await.unwrap();
        lines.push(
            payment.map_or_else(|| format!("payment {n} is not there"), |it| of_payment(&it)),
        );
    }
    lines
}

fn of_admission(admission: Result<Admission, StoreError>) -> String {
    match admission.unwrap() {
        Admission::Granted { .. } => "granted".into(),
        Admission::Replay(payment) => format!("replay of {}", payment.folio.number()),
        Admission::InFlight(owner, _) => format!("in flight as {owner}"),
        Admission::KeyReused(owner) => format!("reused, of {owner}"),
        Admission::Refused(payment) => format!("refused by {:?}", payment.outcome),
    }
}

fn trace_of(attempt: &Attempt) -> u32 {
    attempt.reference.trace().expect("invariant: samples are sent by ISO 8583").stan.number()
}

fn of_payment(payment: &Payment) -> String {
    let Payment { folio, state, outcome, detail, request, .. } = payment;
    let Payment { reversal_cause, reversed_at, parts, late_answer, attempt, .. } = payment;
    let parts: Vec<i64> = parts.iter().map(|part| part.stands_minor).collect();
    let fees: Vec<i64> = payment.fees.iter().map(|fee| fee.amount.minor).collect();
    let lines = payment.planned_entry.lines().iter();
    let postings: Vec<_> =
        lines.map(|line| (line.account.to_string(), line.amount.minor)).collect();
    let sent = attempt.map(|attempt| (attempt.participant.to_string(), trace_of(&attempt)));
    let (received_at, original) = (payment.received_at.0, payment.original);
    format!(
        "payment {} {} received {received_at} sent {sent:?} fees {fees:?} posts {postings:?} \
         outcome {outcome:?} cause {reversal_cause:?} reversed {reversed_at:?} stands {parts:?} \
         late {late_answer:?} repeats {original:?} detail {detail:?} {}",
        folio.number(),
        state.name(),
        of_request(request),
    )
}

/// Each field by its name: a field of a later build changes nothing here.
fn of_request(request: &PaymentRequest) -> String {
    let PaymentRequest { originator, rail, amount, biller, client, bill, product, .. } = request;
    let PaymentRequest { float_ref, operator, remaining_debt, payer, trace, .. } = request;
    let PaymentRequest { reference, metadata, sealed_texts, key, fingerprint, .. } = request;
    let card = payer.card.as_ref().map(|card| card.masked().to_string());
    let payer = (card, payer.expiry, payer.account, payer.phone, payer.document, payer.bank_code);
    let (key, fingerprint) = (key.0, fingerprint.0);
    let Trace { mti, processing_code, stan, transmitted_at, local_time, local_date, .. } = trace;
    let Trace { merchant_category, entry_mode, condition_code, acquirer, rrn, .. } = trace;
    let Trace { terminal, merchant, .. } = trace;
    let sealed_under = sealed_texts.as_ref().map(|sealed| &sealed.key_name);
    format!(
        "from {originator:?} on {rail:?} {amount:?} for {biller:?} client {client:?} bill {bill:?} \
         product {product:?} float {float_ref:?} operator {operator:?} debt {remaining_debt:?} \
         payer {payer:?} reference {reference:?} metadata {metadata:?} sealed {sealed_under:?} \
         key {key:x} fingerprint {fingerprint:x} trace {mti} {processing_code} {stan:?} \
         {transmitted_at} {local_time} {local_date} {merchant_category} {entry_mode} \
         {condition_code} {acquirer} {rrn} {terminal} {merchant}"
    )
}

/// Writes a journal again as a later build would: each record has one field more, which this
/// build does not know.
pub fn write_as_a_later_build(from: &Path, to: &Path) {
    fs::create_dir_all(dir_of(to)).unwrap();
    let files = Files::open(to.to_path_buf(), None, u64::MAX, Duration::ZERO).unwrap();
    let mut journal = Journal::new(files, Head::ZERO);
    for frame in frames(from).unwrap() {
        let frame = frame.unwrap();
        journal.begin();
        for body in record::bodies(&frame.body) {
            let longer = with_field(body.unwrap(), UNKNOWN_FIELD, OF_A_LATER_BUILD);
            let out = journal.frame_mut();
            out.extend_from_slice(&u32::try_from(longer.len()).unwrap().to_le_bytes());
            out.extend_from_slice(&longer);
        }
        journal.commit(frame.count, None).unwrap();
    }
    journal.anchor().unwrap();
}

const UNKNOWN_FIELD: u8 = 200;

/// CBOR laid out by hand (RFC 8949): a map of a text and a list, in a tag.
pub(crate) const OF_A_LATER_BUILD: &[u8] =
    &[0xC1, 0xBF, 0x00, 0x62, b'o', b'k', 0x01, 0x9F, 0x01, 0x82, 0x02, 0x03, 0xFF, 0xFF];

/// A body with its map's fields as they are and one more behind them.
pub(crate) fn with_field(body: &[u8], number: u8, item: &[u8]) -> Vec<u8> {
    let (end, fields) = body.split_last().unwrap();
    let number: &[u8] = if number < 24 { &[number] } else { &[0x18, number] };
    [fields, number, item, &[*end]].concat()
}
