mod inquiries;
mod parts;
mod refunds;
mod waiting;

use proptest::prelude::*;

use super::*;
use crate::endpoint::Endpoint;
use crate::event::{Actor, Event, EventKind};
use crate::exchange::{AttemptRef, RequestTrace};
use crate::id::{BillerId, EndpointId, FloatRef, ParticipantId, SecretId, Stan};
use crate::invariant::{parts_fit, refunds_fit, unknown_is_owed};
use crate::outcome::Cause;
use crate::plan::plan;
use crate::posting::{partial_reversal, top_up};
use crate::reason::Reason;
use crate::record::{
    AccountMovement, Concluded, Intent, LateAnswer, NoticeMark, PartConfirmed, PartOwed,
    RefundStep, Refused, Rerouted, Reversal, ReversalConfirmed,
};
use crate::secret::SealedSecret;
use crate::testing::{self, NOON};
use crate::text::Text;

const ID: PaymentId = PaymentId(7);

fn attempt(participant: &str) -> Attempt {
    let transmitted_at = Text::new("1123180000").unwrap();
    let participant: ParticipantId = testing::participant_id(participant);
    let trace = RequestTrace { stan: Stan::new(1).unwrap(), transmitted_at };
    Attempt { participant, reference: AttemptRef::Trace(trace) }
}

fn intent() -> Record {
    let request = testing::request(50_000);
    let plan = plan(&request, &testing::policy(), NOON).unwrap();
    let (folio, attempt) = (Folio::new(1).unwrap(), attempt("bank-a"));
    Record::Intent(Box::new(Intent { payment: ID, folio, at: NOON, request, plan, attempt }))
}

fn refused() -> Record {
    Record::Refused(Box::new(Refused {
        payment: ID,
        folio: Folio::new(1).unwrap(),
        at: NOON,
        business_date: Date(20_780),
        request: testing::request(50_000),
        reason: Reason::DuplicateTransaction,
        original: Some(PaymentId(6)),
        detail: Some(Detail::Text("folio 000000000001".into())),
        bill: None,
    }))
}

fn yes() -> Outcome {
    let authorisation = Text::new("123456").unwrap();
    Outcome::Approved(Approval { authorisation, ..Approval::default() })
}

fn no() -> Outcome {
    Outcome::Declined(Decline::ours(Reason::InsufficientFunds))
}

fn silence() -> Outcome {
    Outcome::Unknown(Cause::Timeout)
}

fn concluded(outcome: Outcome) -> Record {
    let entry = Entry::default();
    Record::Outcome(Box::new(Concluded { payment: ID, at: NOON, outcome, entry }))
}

fn rerouted() -> Record {
    Record::Rerouted(Rerouted { payment: ID, at: NOON, attempt: attempt("bank-b") })
}

fn reversal(step: ReversalStep) -> Record {
    Record::Reversal(Box::new(Reversal { payment: ID, at: NOON.plus_micros(1), step }))
}

fn owed() -> Record {
    reversal(ReversalStep::Owed(ReversalCause::Asked))
}

fn confirmed() -> Record {
    let entry = Entry::default();
    reversal(ReversalStep::Confirmed(ReversalConfirmed { response_code: *b"00", entry }))
}

fn part_owed(from_minor: i64, stands_minor: i64) -> Record {
    let part = PartOwed { amount_minor: 50_000, from_minor, stands_minor, key: None };
    reversal(ReversalStep::PartOwed(part))
}

fn part_confirmed(stands_minor: i64) -> Record {
    let Record::Intent(intent) = intent() else { panic!("an intent") };
    let entry = partial_reversal(&intent.plan.entry, testing::pesos(1)).unwrap();
    let part = PartConfirmed { stands_minor, response_code: *b"00", entry };
    reversal(ReversalStep::PartConfirmed(part))
}

fn late(outcome: Outcome) -> Record {
    Record::LateAnswer(LateAnswer { payment: ID, at: NOON, outcome })
}

fn of_no_payment() -> [Record; 4] {
    let (id, at) = (EndpointId(1), NOON);
    let entry = top_up(&FloatRef::new("1").unwrap(), testing::pesos(1)).unwrap();
    let biller = BillerId::new("lender").unwrap();
    let (url, types) = (None, Vec::new());
    let secret =
        SealedSecret { id: SecretId(1), key_name: "k1".into(), ciphertext: Box::default() };
    let endpoint =
        Endpoint { id, biller, at, version: 2, url, secret, old_secrets: Vec::new(), types };
    [
        Record::Account(Box::new(AccountMovement { at, entry })),
        Record::Event(Box::new(Event::of_endpoint(endpoint, EventKind::Changed, Actor::Node))),
        Record::NoticeMark(NoticeMark { endpoint: id, through: 1 }),
        Record::EarlyReversal(testing::early_reversal()),
    ]
}

fn every_record() -> Vec<Record> {
    let mut records = vec![intent(), refused(), rerouted()];
    records.extend([yes(), no(), silence()].map(concluded));
    records.extend([owed(), confirmed(), part_owed(50_000, 30_000), part_confirmed(30_000)]);
    records.extend([yes(), no(), silence()].map(late));
    records.extend([waiting::awaiting(60), waiting::confirming(1), waiting::expired(60)]);
    records.extend(inquiries::every_finding().map(inquiries::inquiry));
    records.extend([refunds::begun(1, 20_000), refunds::done(0, 1, 20_000)]);
    records.extend([refunds::failed(0, 1, 20_000)]);
    records.extend(of_no_payment());
    records
}

fn after(records: &[Record]) -> Payment {
    Payment::fold(records.iter()).expect("a beginning").expect("legal steps")
}

/// What may follow a way a payment went; everything not named may not.
#[derive(Clone)]
struct Way {
    name: &'static str,
    records: Vec<Record>,
    state: PaymentState,
    may_follow: &'static [&'static str],
}

fn name_of(record: &Record) -> &'static str {
    match record {
        Record::Reversal(reversal) => match reversal.step {
            ReversalStep::Owed(_) => "owed",
            ReversalStep::Confirmed(_) => "confirmed",
            ReversalStep::PartOwed(_) => "part owed",
            ReversalStep::PartConfirmed(_) => "part confirmed",
        },
        Record::Refund(refund) => match refund.step {
            RefundStep::Begun(_) => "refund begun",
            RefundStep::Done(_) => "refund done",
            RefundStep::Failed(_) => "refund failed",
        },
        Record::Awaiting(_)
        | Record::Confirming(_)
        | Record::Expired(_)
        | Record::Inquiry(_)
        | Record::Intent(_)
        | Record::Refused(_)
        | Record::Rerouted(_)
        | Record::Outcome(_)
        | Record::LateAnswer(_)
        | Record::Account(_)
        | Record::Event(_)
        | Record::NoticeMark(_)
        | Record::EarlyReversal(_) => record.kind(),
    }
}

fn ways() -> Vec<Way> {
    let way: MakeWay = |name, steps, state, may_follow| {
        let records = [vec![intent()], steps].concat();
        Way { name, records, state, may_follow }
    };
    let (name, state) = ("refused", PaymentState::Declined);
    let refusal = Way { name, records: vec![refused()], state, may_follow: &[] };
    let later_ways = [waiting::ways(way), inquiries::ways(way), refunds::ways(way)].concat();
    [vec![refusal], approved_ways(way), other_ways(way), later_ways].concat()
}

fn approved_ways(way: MakeWay) -> Vec<Way> {
    use PaymentState as State;
    let ok = concluded(yes());
    vec![
        way("sent", vec![], State::Sent, &["rerouted", "outcome", "awaiting"]),
        way("rerouted", vec![rerouted()], State::Sent, &["rerouted", "outcome", "awaiting"]),
        way(
            "approved",
            vec![ok.clone()],
            State::Approved,
            &["owed", "part owed", "late_answer", "refund begun"],
        ),
        way(
            "undoing a part",
            vec![ok.clone(), part_owed(50_000, 30_000)],
            State::Approved,
            &["owed", "part confirmed", "late_answer"],
        ),
        way(
            "undone part",
            vec![ok.clone(), part_owed(50_000, 30_000), part_confirmed(30_000)],
            State::Approved,
            &["owed", "late_answer", "refund begun"],
        ),
        way(
            "undoing the whole before a part is confirmed",
            vec![ok.clone(), part_owed(50_000, 30_000), owed()],
            State::Reversing,
            &["confirmed", "part confirmed", "late_answer"],
        ),
        way(
            "undoing a yes",
            vec![ok.clone(), owed()],
            State::Reversing,
            &["confirmed", "late_answer"],
        ),
        way("undone yes", vec![ok, owed(), confirmed()], State::Reversed, &["late_answer"]),
    ]
}

fn other_ways(way: MakeWay) -> Vec<Way> {
    use PaymentState as State;
    let (ko, lost) = (concluded(no()), concluded(silence()));
    vec![
        way("declined", vec![ko.clone()], State::Declined, &["late_answer"]),
        way("unknown", vec![lost.clone()], State::Unknown, &["owed", "late_answer", "inquiry"]),
        way(
            "undoing an unknown",
            vec![lost.clone(), owed()],
            State::Reversing,
            &["confirmed", "late_answer"],
        ),
        way(
            "undone unknown",
            vec![lost.clone(), owed(), confirmed()],
            State::Reversed,
            &["late_answer"],
        ),
        way("a yes behind a no", vec![ko, late(yes())], State::Reversing, &["owed", "late_answer"]),
        way(
            "a yes while an unknown is being undone",
            vec![lost.clone(), owed(), late(yes())],
            State::Reversing,
            &["owed", "late_answer"],
        ),
        way(
            "a yes behind an undoing, being undone",
            vec![lost, owed(), confirmed(), late(yes()), owed()],
            State::Reversing,
            &["confirmed", "late_answer"],
        ),
    ]
}

/// What [`ways`] makes each of.
type MakeWay = fn(&'static str, Vec<Record>, PaymentState, &'static [&'static str]) -> Way;

#[test]
fn only_the_records_of_the_table_may_follow() {
    for way in ways() {
        let payment = after(&way.records);
        assert_eq!(payment.state, way.state, "{}", way.name);
        for record in every_record() {
            let mut next = payment.clone();
            let legal = next.apply(&record).is_ok();
            assert_eq!(
                legal,
                way.may_follow.contains(&name_of(&record)),
                "{}: {record:?}",
                way.name
            );
        }
    }
}

#[test]
fn a_record_that_cannot_follow_changes_nothing() {
    for way in ways() {
        let payment = after(&way.records);
        for record in every_record() {
            let mut next = payment.clone();
            if let Err(illegal) = next.apply(&record) {
                assert_eq!(illegal, IllegalStep { state: way.state, record: record.kind() });
                assert_eq!(format!("{next:?}"), format!("{payment:?}"));
            }
        }
    }
}

#[test]
fn states_that_no_record_leads_to_take_no_record() {
    use PaymentState as State;
    for state in [State::Received, State::Settled] {
        for record in every_record() {
            let mut payment = Payment { state, ..after(&[intent()]) };
            assert!(payment.apply(&record).is_err(), "{state:?} {record:?}");
        }
    }
}

#[test]
fn only_an_intent_or_a_refusal_begins_a_payment() {
    for record in every_record() {
        let begins = matches!(record, Record::Intent(_) | Record::Refused(_));
        assert_eq!(Payment::begin(&record).is_some(), begins, "{record:?}");
    }
}

#[test]
fn an_approval_posts_its_reservation_and_tells_the_merchant() {
    let mut payment = after(&[intent()]);
    assert!(payment.is_open());
    assert_eq!(payment.total, testing::pesos(51_200));
    let effects = payment.apply(&concluded(yes())).unwrap();
    let notice = Some(NoticeType::PaymentApproved);
    assert_eq!(effects, Effects { settle: Some(Settle::Post), notice, owes_reversal: false });
    assert_eq!(payment.approval().map(|approval| approval.authorisation.as_str()), Some("123456"));
    assert_eq!(payment.concluded_at, Some(NOON));
    assert!(!payment.is_open());
}

#[test]
fn a_decline_releases_its_reservation_and_owes_nothing() {
    let mut payment = after(&[intent(), rerouted()]);
    assert_eq!(payment.attempt, Some(attempt("bank-b")));
    let effects = payment.apply(&concluded(no())).unwrap();
    let notice = Some(NoticeType::PaymentDeclined);
    assert_eq!(effects, Effects { settle: Some(Settle::Release), notice, owes_reversal: false });
    assert!(!payment.is_open() && !payment.may_be_reversed());
}

#[test]
fn a_refusal_is_final_and_names_the_payment_it_repeats() {
    let (payment, effects) = Payment::begin(&refused()).unwrap();
    let notice = Some(NoticeType::PaymentDeclined);
    assert_eq!(effects, Effects { settle: None, notice, owes_reversal: false });
    assert_eq!(
        payment.outcome,
        Some(Outcome::Declined(Decline::ours(Reason::DuplicateTransaction)))
    );
    assert_eq!(payment.original, Some(PaymentId(6)));
    assert_eq!(payment.detail, Some(Detail::Text("folio 000000000001".into())));
}

#[test]
fn an_unknown_keeps_its_reservation_until_its_undoing_is_confirmed() {
    let mut payment = after(&[intent()]);
    let effects = payment.apply(&concluded(silence())).unwrap();
    let notice = Some(NoticeType::PaymentUnknown);
    assert_eq!(effects, Effects { settle: None, notice, owes_reversal: true });
    assert_eq!(unknown_is_owed(&payment), Ok(()));

    let cause = ReversalCause::Unknown(Cause::Timeout);
    let effects = payment.apply(&reversal(ReversalStep::Owed(cause))).unwrap();
    assert_eq!(effects, Effects { settle: None, notice: None, owes_reversal: true });
    assert_eq!(payment.reversal_cause, Some(cause));

    let effects = payment.apply(&confirmed()).unwrap();
    let notice = Some(NoticeType::PaymentReversed);
    assert_eq!(effects, Effects { settle: Some(Settle::Release), notice, owes_reversal: false });
    assert_eq!(payment.reversed_at, Some(NOON.plus_micros(1)));
    assert_eq!(unknown_is_owed(&payment), Ok(()));

    payment.state = PaymentState::Declined;
    assert!(unknown_is_owed(&payment).is_err(), "silence is never a decline");
}

#[test]
fn a_reversal_that_was_asked_for_undoes_what_was_posted() {
    let mut payment = after(&[intent(), concluded(yes()), owed()]);
    let effects = payment.apply(&confirmed()).unwrap();
    assert_eq!(effects.settle, Some(Settle::Undo));
    assert!(payment.was_approved(), "the originator was told yes, and that stays so");
}

#[test]
fn a_late_yes_before_its_reversal_begins_changes_nothing() {
    let mut payment = after(&[intent(), concluded(silence())]);
    assert!(payment.is_news(&no()));
    payment.apply(&late(no())).unwrap();
    assert!(payment.is_news(&yes()) && !payment.is_news(&no()));
    assert_eq!(payment.apply(&late(yes())).unwrap(), Effects::default());
    assert_eq!(payment.late_answer, Some(yes()), "an approval counts more than a decline");
    payment.apply(&late(no())).unwrap();
    assert_eq!(payment.late_answer, Some(yes()), "the first approval is kept");
    assert_eq!((payment.state, payment.outcome.clone()), (PaymentState::Unknown, Some(silence())));
    payment.apply(&owed()).unwrap();
    assert_eq!(payment.apply(&confirmed()).unwrap().settle, Some(Settle::Release));
}

#[test]
fn a_late_yes_owes_a_new_reversal_whatever_was_believed_before() {
    let reopened = Effects { owes_reversal: true, ..Effects::default() };
    let mut payment = after(&[intent(), concluded(silence()), owed(), confirmed()]);
    let first = payment.reversed_at;
    for _ in 0..2 {
        assert!(payment.is_news(&yes()) && !payment.is_open());
        assert_eq!(payment.apply(&late(yes())).unwrap(), reopened);
        assert!(payment.is_open() && !payment.is_news(&yes()), "one record a reversal");
        assert!(payment.apply(&confirmed()).is_err(), "that confirms the reversal before");
        assert_eq!(payment.apply(&owed()).unwrap(), reopened);
        let ended = payment.apply(&confirmed()).unwrap();
        assert_eq!(ended, Effects::default(), "its hold is released once, its merchant told once");
        assert_eq!((payment.state, payment.reversed_at), (PaymentState::Reversed, first));
    }
    assert_eq!(unknown_is_owed(&payment), Ok(()));
}

#[test]
fn a_late_yes_while_a_reversal_is_under_way_makes_that_reversal_no_evidence() {
    let mut payment = after(&[intent(), concluded(silence()), owed(), late(yes())]);
    assert!(payment.apply(&confirmed()).is_err());
    payment.apply(&owed()).unwrap();
    let effects = payment.apply(&confirmed()).unwrap();
    assert_eq!(effects.settle, Some(Settle::Release));
    assert_eq!(effects.notice, Some(NoticeType::PaymentReversed));
}

#[test]
fn a_yes_behind_a_bank_s_no_is_reversed_and_what_was_held_stays_released() {
    let mut payment = after(&[intent(), concluded(no())]);
    assert!(!payment.is_news(&no()), "a copy");
    payment.apply(&late(yes())).unwrap();
    assert_eq!((payment.state, payment.outcome.clone()), (PaymentState::Reversing, Some(no())));
    payment.apply(&owed()).unwrap();
    let effects = payment.apply(&confirmed()).unwrap();
    let notice = Some(NoticeType::PaymentReversed);
    assert_eq!(effects, Effects { settle: None, notice, owes_reversal: false });
}

#[test]
fn a_no_behind_a_bank_s_yes_is_recorded_and_the_payment_stands() {
    let mut payment = after(&[intent(), concluded(yes())]);
    assert!(!payment.is_news(&yes()), "a copy");
    assert!(payment.is_news(&no()));
    assert_eq!(payment.apply(&late(no())).unwrap(), Effects::default());
    assert_eq!((payment.state, payment.late_answer.clone()), (PaymentState::Approved, Some(no())));
    assert!(!payment.is_news(&no()));
}

#[test]
fn no_answer_can_be_late_for_a_payment_that_a_rule_refused() {
    let mut payment = after(&[refused()]);
    assert!(payment.apply(&late(yes())).is_err());
}

#[test]
fn folding_stops_at_the_first_record_that_cannot_follow() {
    let illegal = IllegalStep { state: PaymentState::Declined, record: "outcome" };
    let records = [intent(), concluded(no()), concluded(yes())];
    assert_eq!(Payment::fold(records.iter()).unwrap().map(|_| ()), Err(illegal));
    assert_eq!(illegal.to_string(), "a record of kind `outcome` cannot follow state `declined`");
    assert!(Payment::fold([rerouted()].iter()).is_none());
    assert!(Payment::fold([].iter()).is_none());
}

proptest! {
    #[test]
    fn no_sequence_of_records_changes_what_was_told_or_settles_twice(
        choices in proptest::collection::vec(proptest::sample::select(every_record()), 0..24),
    ) {
        let mut payment = after(&[intent()]);
        let mut settled = Vec::new();
        for record in choices {
            let told = payment.outcome.clone().filter(|told| *told != silence());
            let first_yes = payment.late_answer.clone().filter(|late| *late == yes());
            if let Ok(effects) = payment.apply(&record) {
                settled.extend(effects.settle);
            }
            prop_assert!(told.is_none() || payment.outcome == told);
            prop_assert!(first_yes.is_none() || payment.late_answer == first_yes);
            prop_assert_eq!(unknown_is_owed(&payment), Ok(()));
            prop_assert_eq!(parts_fit(&payment), Ok(()));
            prop_assert_eq!(refunds_fit(&payment), Ok(()));
            let is_undoing = matches!(payment.state, PaymentState::Reversing | PaymentState::Refunding)
                || payment.part_owed().is_some();
            prop_assert_eq!(payment.is_open(), settled.is_empty() || is_undoing);
        }
        // A hold is released once; an approval that is undone, in part or whole, is all that
        // may follow.
        let allowed: [&[Settle]; 5] = [
            &[],
            &[Settle::Post],
            &[Settle::Release],
            &[Settle::Post, Settle::Undo],
            &[Settle::Post, Settle::Undo, Settle::Undo],
        ];
        prop_assert!(allowed.contains(&settled.as_slice()), "{settled:?}");
    }
}
