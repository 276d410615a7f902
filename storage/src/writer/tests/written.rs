//! What the writer leaves the follower tells what the journal's bytes tell.

use std::path::Path;

use parking_lot::Mutex;
use proptest::prelude::*;
use router::id::BillNo;
use router::message::{Fingerprint, IdempotencyKey, Originator, PaymentRequest};
use router::outcome::{Approval, Cause, Decline, Outcome};
use router::payment::Progress;
use router::reason::Reason;
use router::record::Concluded;
use router::text::Text;

use super::*;
use crate::journal;
use crate::record::{self, Kind};
use crate::view::Facts;

/// A disk that keeps the bodies of records.
#[derive(Clone, Default)]
struct Keeping(Arc<Mutex<Vec<Vec<u8>>>>);

impl Backend for Keeping {
    fn append(&mut self, frame: &Frame<'_>) -> Result<(), BackendError> {
        let records = &frame.bytes[journal::FRAME_HEADER_LEN..];
        self.0.lock().extend(record::bodies(records).map(|body| body.unwrap().to_vec()));
        Ok(())
    }

    fn anchor(&mut self, _: &Head) -> Result<(), BackendError> {
        Ok(())
    }
}

/// What rows need of the intent with these bytes.
fn decoded(body: &[u8]) -> (PaymentId, Facts) {
    let read = record::intent_request(body).unwrap();
    (read.payment, Facts::of(read.folio, read.business_date, &read.request))
}

/// A record leads a payment that was sent where what its bytes tell leads it.
fn is_told_by(known: &Concluded, body: &[u8]) {
    let known = Record::Outcome(Box::new(known.clone()));
    let Record::Outcome(read) = record::decode_step(body).unwrap() else { panic!("an outcome") };
    let read = Record::Outcome(read);
    assert_eq!((known.payment(), known.at()), (read.payment(), read.at()));
    let [mut by_known, mut by_read] = [Progress::SENT; 2];
    assert_eq!(by_known.apply(&known), by_read.apply(&read));
    assert_eq!(by_known, by_read);
}

/// Holds what is left by the writer against the records of the journal, and gives how many of its
/// intents and outcomes were left.
fn hold_against(shared: &Shared, records: &[Vec<u8>]) -> (usize, usize) {
    let body = |sequence: u64| &records[usize::try_from(sequence).unwrap() - 1];
    let groups = shared.written_groups.waiting();
    for intent in groups.iter().flat_map(|group| &group.intents) {
        let known = (intent.payment, intent.facts.clone());
        assert_eq!(known, decoded(body(intent.sequence)), "position {}", intent.sequence);
    }
    for outcome in groups.iter().flat_map(|group| &group.outcomes) {
        is_told_by(&outcome.concluded, body(outcome.sequence));
    }
    let intents = groups.iter().map(|group| group.intents.len()).sum();
    (intents, groups.iter().map(|group| group.outcomes.len()).sum())
}

fn is_card_like(seed: u64) -> bool {
    seed.is_multiple_of(3)
}

/// A request whose fields are there or not; one in three bills looks like a card number.
fn altered(request: &mut PaymentRequest, seed: u64) {
    let bit = |n: u32| seed >> n & 1 == 1;
    request.fingerprint = Fingerprint(u128::from(seed) << 64);
    request.key = IdempotencyKey(u128::from(seed));
    request.biller = request.biller.filter(|_| bit(0));
    let number =
        if is_card_like(seed) { "4000001234567890".into() } else { format!("B-{}", seed % 1000) };
    request.bill = bit(1).then(|| BillNo::new(&number).unwrap());
    if bit(2) {
        request.originator = Originator::Biller(sample::biller());
    }
    request.trace.stan = request.trace.stan.filter(|_| bit(3));
    request.trace.rrn = Text::new(if bit(4) { "712345678901" } else { "" }).unwrap();
    request.trace.terminal = Text::new(if bit(5) { "T0000009" } else { "" }).unwrap();
    request.payer.card = request.payer.card.take().filter(|_| bit(6));
}

fn concluded(sample: &Sample, kind: u8) -> Record {
    let outcome = match kind % 4 {
        0 => return sample.approved(),
        1 => Outcome::Unknown(Cause::LineLost),
        2 => {
            Outcome::Declined(Decline { reason: Reason::CardDeclined, network_code: Some(*b"51") })
        }
        // What a bank calls the payment may look like a card number.
        _ => Outcome::Approved(Approval {
            authorisation: Text::new("").unwrap(),
            bank_reference: Text::new("4000001234567890").unwrap(),
        }),
    };
    let Record::Outcome(mut concluded) = sample.approved() else { panic!("an outcome") };
    if !matches!(outcome, Outcome::Approved(_)) {
        concluded.entry = router::posting::Entry::default();
    }
    concluded.outcome = outcome;
    Record::Outcome(concluded)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn what_is_left_of_any_payments_is_what_their_records_tell(
        payments in prop::collection::vec((any::<u64>(), any::<u8>()), 1..8),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let shared = Arc::new(Shared::new(Head::ZERO, 0));
        let (_commands, queue) = bounded(16);
        let disk = Keeping::default();
        let mut writer = writer(dir.path(), disk.clone(), queue, &shared);
        let samples: Vec<Sample> = (1..).take(payments.len()).map(Sample::new).collect();
        let admitted = samples.iter().zip(&payments).map(|(sample, (seed, _))| {
            let mut intent = sample.intent();
            altered(&mut intent.request, *seed);
            // No two share a key.
            intent.request.key.0 += u128::from(sample.payment) << 64;
            admit_intent(intent).0
        });
        writer.serve(&mut admitted.collect());
        let masked = |(seed, _): &&(u64, u8)| is_card_like(*seed) && seed >> 1 & 1 == 1;
        let kept_masked = payments.iter().filter(masked).count();
        let left = hold_against(&shared, &disk.0.lock());
        prop_assert_eq!(left, (payments.len() - kept_masked, 0));
        let ends = samples.iter().zip(&payments);
        writer.serve(&mut ends.map(|(sample, (_, kind))| append(concluded(sample, *kind)).0).collect());
        let left = hold_against(&shared, &disk.0.lock());
        prop_assert_eq!(left, (0, payments.len()));
    }
}

#[test]
fn what_a_frozen_journal_s_records_tell_in_part_is_what_they_tell_whole() {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/journals/v2");
    let (mut intents, mut outcomes, mut others) = (0, 0, 0);
    for record in crate::verify::records(&kept) {
        let (sequence, record) = record.unwrap();
        let mut bytes = Vec::new();
        record::encode(&record, &sealer(), &mut bytes);
        let body = &bytes[record::RECORD_HEADER_LEN..];
        match &record {
            Record::Intent(intent) => {
                let facts = Facts::of(intent.folio, intent.plan.business_date, &intent.request);
                assert_eq!((intent.payment, facts), decoded(body), "position {sequence}");
                intents += 1;
            }
            Record::Outcome(concluded) => {
                is_told_by(concluded, body);
                outcomes += 1;
            }
            // The writer leaves nothing of these: they are decoded.
            Record::Refused(_)
            | Record::Rerouted(_)
            | Record::Reversal(_)
            | Record::LateAnswer(_)
            | Record::Account(_)
            | Record::Event(_)
            | Record::NoticeMark(_)
            | Record::EarlyReversal(_)
            | Record::Awaiting(_)
            | Record::Confirming(_)
            | Record::Expired(_)
            | Record::Inquiry(_)
            | Record::Refund(_) => {
                let kind = record::kind_of(body).unwrap();
                assert!(!matches!(kind, Kind::Intent | Kind::Outcome));
                others += 1;
            }
        }
    }
    assert!(intents > 10 && outcomes > 10 && others > 10, "{intents} {outcomes} {others}");
}
