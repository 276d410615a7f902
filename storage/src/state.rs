//! What the writer knows, as a fold of the journal: the same at a start, in a snapshot, and in
//! the check that both agree.

use std::collections::BTreeMap;
use std::collections::hash_map::Entry as MapEntry;
use std::time::Duration;

use foldhash::{HashMap, HashMapExt};
use router::early::EarlyReversal;
use router::endpoint::Endpoint;
use router::event::{Event, Subject};
use router::id::{EndpointId, PaymentId};
use router::ledger::Ledger;
use router::payment::{IllegalStep, PaymentState, Progress};
use router::posting::Entry;
use router::record::Record;
use router::reservation::{Reservation, Settle, Share};
use router::time::Timestamp;

use crate::guard::{Credit, MemoryGuard, NewKey, ReservationEnd, ReserveAsk, Wants};
use crate::history::{History, HistoryError};
use crate::journal::{Damage, TailFrame};
use crate::record::{self, DecodeError, Kind};

/// The fold of one lane, with all that it reserved, posted and gave back.
pub struct State {
    pub(crate) fold: Fold,
    pub(crate) guard: MemoryGuard,
    pub(crate) ledger: Ledger,
}

/// The guard and the ledger, which take the same entries.
struct Books<'a> {
    guard: &'a mut MemoryGuard,
    ledger: &'a mut Ledger,
}

/// What a lane says beside reservations.
#[derive(Debug, Clone)]
pub struct Fold {
    /// Payments that are sent, wait, are unknown, or are being reversed or refunded.
    pub(crate) open: HashMap<PaymentId, OpenPayment>,
    /// Endpoints that are set.
    pub(crate) endpoints: BTreeMap<EndpointId, Endpoint>,
    /// The present versions of all subjects of events.
    pub(crate) versions: BTreeMap<Subject, u32>,
    /// How far endpoints' notices are delivered.
    pub(crate) marks: BTreeMap<EndpointId, u64>,
    pub(crate) folio_next: u64,
    /// When the last record was made; none before the first.
    pub(crate) last_at: Option<Timestamp>,
    spare: SpareHistories,
}

/// Emptied histories of payments that are over, for those that begin: most live for a moment only.
#[derive(Debug, Clone, Default)]
struct SpareHistories(Vec<History>);

impl SpareHistories {
    /// Histories kept; beyond, their memory is given back.
    const COUNT_MAX: usize = 64;

    /// Of the record that begins a payment.
    fn begin(&mut self, sequence: u64, body: &[u8]) -> History {
        let mut history = self.0.pop().unwrap_or_default();
        history.push(sequence, body);
        history
    }

    fn keep(&mut self, mut history: History) {
        if self.0.len() < Self::COUNT_MAX && history.clear_for_another() {
            self.0.push(history);
        }
    }
}

/// A payment something is still owed for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OpenPayment {
    pub progress: Progress,
    pub history: History,
}

/// What records do to a guard. They are not checked again: they were granted once.
pub trait Reflect {
    /// A payment was admitted or refused; its key is remembered, and its reservation is taken.
    fn regrant(&mut self, ask: &ReserveAsk<'_>, sequence: u64);

    /// A reservation ended.
    fn end(&mut self, settlement: &ReservationEnd<'_>);

    /// An entry of no payment was posted.
    fn credit(&mut self, credit: &Credit<'_>);

    /// A reversal came before its original.
    fn forestall(&mut self, early: &EarlyReversal);
}

impl Reflect for MemoryGuard {
    fn regrant(&mut self, ask: &ReserveAsk<'_>, _: u64) {
        Self::regrant(self, ask.payment, ask.at, ask.wants);
    }

    fn end(&mut self, settlement: &ReservationEnd<'_>) {
        Self::end(self, settlement);
    }

    fn credit(&mut self, credit: &Credit<'_>) {
        Self::credit(self, credit.entry);
    }

    fn forestall(&mut self, early: &EarlyReversal) {
        self.take_early(early);
    }
}

impl Reflect for Books<'_> {
    fn regrant(&mut self, ask: &ReserveAsk<'_>, _: u64) {
        self.guard.regrant(ask.payment, ask.at, ask.wants);
    }

    fn end(&mut self, settlement: &ReservationEnd<'_>) {
        self.ledger.post(settlement.entry);
        self.guard.end(settlement);
    }

    fn credit(&mut self, credit: &Credit<'_>) {
        self.ledger.post(credit.entry);
        self.guard.credit(credit.entry);
    }

    fn forestall(&mut self, early: &EarlyReversal) {
        self.guard.take_early(early);
    }
}

/// Books that remember no keys: they are gathered, to be remembered together.
struct BooksWithoutKeys<'a> {
    books: Books<'a>,
    keys: &'a mut Vec<NewKey>,
}

impl Reflect for BooksWithoutKeys<'_> {
    fn regrant(&mut self, ask: &ReserveAsk<'_>, _: u64) {
        self.keys.push(self.books.guard.regrant_but_key(ask.payment, ask.at, ask.wants));
    }

    fn end(&mut self, settlement: &ReservationEnd<'_>) {
        self.books.end(settlement);
    }

    fn credit(&mut self, credit: &Credit<'_>) {
        self.books.credit(credit);
    }

    fn forestall(&mut self, early: &EarlyReversal) {
        self.books.forestall(early);
    }
}

/// Forgets everything: for a fold that only has to come to a place.
pub struct Unreflected;

impl Reflect for Unreflected {
    fn regrant(&mut self, _: &ReserveAsk<'_>, _: u64) {}

    fn end(&mut self, _: &ReservationEnd<'_>) {}

    fn credit(&mut self, _: &Credit<'_>) {}

    fn forestall(&mut self, _: &EarlyReversal) {}
}

impl State {
    /// Before the first record; keys are known for at least `key_retention`.
    pub fn new(key_retention: Duration) -> Self {
        let (guard, ledger) = (MemoryGuard::new(key_retention), Ledger::default());
        Self { fold: Fold::new(), guard, ledger }
    }

    /// Takes the next record of the journal.
    pub fn apply(&mut self, sequence: u64, body: &[u8]) -> Result<(), Damage> {
        let Self { fold, guard, ledger } = self;
        fold.apply(sequence, body, &mut Books { guard, ledger })
    }

    /// Takes the next record of the journal; keys that are to be remembered are added to `keys`, and
    /// must be [remembered](MemoryGuard::remember) before anything is decided.
    pub(crate) fn apply_but_keys(
        &mut self,
        sequence: u64,
        body: &[u8],
        keys: &mut Vec<NewKey>,
    ) -> Result<(), Damage> {
        let Self { fold, guard, ledger } = self;
        fold.apply(sequence, body, &mut BooksWithoutKeys { books: Books { guard, ledger }, keys })
    }

    /// Takes the next frame of the journal.
    pub fn take(&mut self, frame: &TailFrame) -> Result<(), Damage> {
        let Self { fold, guard, ledger } = self;
        fold.take(frame, &mut Books { guard, ledger })
    }

    /// All that the lane reserved, posted and gave back.
    pub fn guard(&self) -> &MemoryGuard {
        &self.guard
    }

    /// The balances of all accounts, folded from entries alone.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The rest of it.
    pub fn into_fold(self) -> Fold {
        self.fold
    }
}

impl Default for Fold {
    fn default() -> Self {
        Self::new()
    }
}

impl Fold {
    /// Before the first record.
    pub fn new() -> Self {
        Self {
            open: HashMap::new(),
            endpoints: BTreeMap::new(),
            versions: BTreeMap::new(),
            marks: BTreeMap::new(),
            folio_next: 1,
            last_at: None,
            spare: SpareHistories::default(),
        }
    }

    /// Whether something is still owed for a payment.
    pub fn is_open(&self, payment: PaymentId) -> bool {
        self.open.contains_key(&payment)
    }

    /// Takes the next frame, and applies its records to a guard.
    pub fn take(&mut self, frame: &TailFrame, guard: &mut dyn Reflect) -> Result<(), Damage> {
        for (sequence, body) in (frame.first_sequence..).zip(record::bodies(&frame.body)) {
            let body = body.map_err(|source| Damage::Record { sequence, source })?;
            self.apply(sequence, body, guard)?;
        }
        Ok(())
    }

    /// Takes the next record, and applies it to a guard.
    pub fn apply(
        &mut self,
        sequence: u64,
        body: &[u8],
        guard: &mut dyn Reflect,
    ) -> Result<(), Damage> {
        let unreadable = |source| Damage::Record { sequence, source };
        match record::kind_of(body).map_err(unreadable)? {
            Kind::Intent => {
                let head = record::intent_head(body).map_err(unreadable)?;
                let wants = Wants::Reserve(&head.reservation);
                let (payment, at, requested) = (head.payment, head.at, None);
                guard.regrant(&ReserveAsk { payment, at, wants, requested }, sequence);
                self.folio_next = self.folio_next.max(head.folio.number() + 1);
                self.last_at = Some(head.at);
                let history = self.spare.begin(sequence, body);
                self.open.insert(head.payment, OpenPayment { progress: Progress::SENT, history });
            }
            Kind::Refused => {
                let head = record::refused_head(body).map_err(unreadable)?;
                let wants = Wants::Remember(head.key, head.fingerprint);
                let (payment, at, requested) = (head.payment, head.at, None);
                guard.regrant(&ReserveAsk { payment, at, wants, requested }, sequence);
                self.folio_next = self.folio_next.max(head.folio.number() + 1);
                self.last_at = Some(head.at);
            }
            Kind::Rerouted
            | Kind::Outcome
            | Kind::Reversal
            | Kind::LateAnswer
            | Kind::Awaiting
            | Kind::Confirming
            | Kind::Expired
            | Kind::Inquiry
            | Kind::Refund => {
                let record = record::decode(body).map_err(unreadable)?;
                self.step(sequence, body, &record, guard)?;
                self.last_at = record.at().or(self.last_at);
            }
            Kind::Account | Kind::Event | Kind::NoticeMark | Kind::EarlyReversal => {
                let record = record::decode(body).map_err(unreadable)?;
                self.around(sequence, &record, guard)?;
                self.last_at = record.at().or(self.last_at);
            }
        }
        Ok(())
    }

    fn step(
        &mut self,
        sequence: u64,
        body: &[u8],
        record: &Record,
        guard: &mut dyn Reflect,
    ) -> Result<(), Damage> {
        let Some(id) = record.payment() else { return Ok(()) };
        let open = match self.open.entry(id) {
            MapEntry::Occupied(open) => open.into_mut(),
            MapEntry::Vacant(closed) => {
                match reopened(body).map_err(|error| damage(sequence, error))? {
                    Some(open) => closed.insert(open),
                    // A late answer that opens nothing again changes nothing here.
                    None if matches!(record, Record::LateAnswer(_)) => return Ok(()),
                    None => return Err(Damage::Step { sequence, source: illegal(record) }),
                }
            }
        };
        let share = open.progress.share_given_back(record);
        let effects = open.progress.apply(record);
        let effects = effects.map_err(|source| Damage::Step { sequence, source })?;
        if let Some(settle) = effects.settle {
            let reservation = match settle {
                Settle::Undo => open.history.reservation(),
                Settle::Post | Settle::Release => Ok(None),
            };
            let whole = reservation.map_err(|error| damage(sequence, error))?;
            let reservation = given_back(whole, share, record.at());
            let reservation = reservation.as_ref();
            let nothing = Entry::default();
            let entry = record.entry().unwrap_or(&nothing);
            guard.end(&ReservationEnd { payment: id, settle, reservation, entry, sequence });
        }
        // Most payments end with this record: nothing is kept of those.
        if open.progress.is_open() {
            open.history.push(sequence, body);
        } else {
            let over = self.open.remove(&id);
            over.into_iter().for_each(|payment| self.spare.keep(payment.history));
        }
        Ok(())
    }

    fn happened(
        &mut self,
        sequence: u64,
        event: &Event,
        guard: &mut dyn Reflect,
    ) -> Result<(), Damage> {
        self.check_version(sequence, event)?;
        if event.ends_subject() {
            self.versions.remove(&event.subject());
        } else {
            self.versions.insert(event.subject(), event.version());
        }
        if let Some(endpoint) = event.endpoint() {
            match endpoint.url {
                Some(_) => self.endpoints.insert(endpoint.id, endpoint.clone()),
                None => self.endpoints.remove(&endpoint.id),
            };
        }
        if !event.entry.is_empty() {
            guard.credit(&Credit { entry: &event.entry, sequence });
        }
        Ok(())
    }

    /// An event follows its subject's version. How one of a subject that this build does not know
    /// follows, a later build says: here it was checked when it was appended.
    fn check_version(&self, sequence: u64, event: &Event) -> Result<(), Damage> {
        let subject = event.subject();
        match subject {
            Subject::Endpoint(_) | Subject::ApiKey(_) => {
                let follows = event.follows(self.versions.get(&subject).copied());
                follows.map_err(|stale| Damage::Event { sequence, source: Box::new(stale) })
            }
            Subject::Other { .. } => Ok(()),
        }
    }

    fn around(
        &mut self,
        sequence: u64,
        record: &Record,
        guard: &mut dyn Reflect,
    ) -> Result<(), Damage> {
        match record {
            Record::Account(movement) => {
                guard.credit(&Credit { entry: &movement.entry, sequence });
            }
            Record::Event(event) => self.happened(sequence, event, guard)?,
            Record::NoticeMark(mark) => {
                let through = self.marks.entry(mark.endpoint).or_default();
                *through = mark.through.max(*through);
            }
            Record::EarlyReversal(early) => guard.forestall(early),
            Record::Intent(_)
            | Record::Refused(_)
            | Record::Rerouted(_)
            | Record::Outcome(_)
            | Record::Reversal(_)
            | Record::LateAnswer(_)
            | Record::Awaiting(_)
            | Record::Confirming(_)
            | Record::Expired(_)
            | Record::Inquiry(_)
            | Record::Refund(_) => {}
        }
        Ok(())
    }
}

/// What a reversal gives back of a reservation: all of it, or a share; of no window that is closed
/// at the time of its record.
pub(crate) fn given_back(
    whole: Option<Reservation>,
    share: Option<Share>,
    at: Option<Timestamp>,
) -> Option<Reservation> {
    let given = match share {
        Some(share) => whole.map(|whole| whole.given_back(share)),
        None => whole,
    };
    given.map(|given| at.map_or(given.clone(), |at| given.in_open_windows(at)))
}

/// A closed payment that a record opens again, from the history the record carries.
fn reopened(body: &[u8]) -> Result<Option<OpenPayment>, HistoryError> {
    let Some(bytes) = record::reopened_history(body)? else { return Ok(None) };
    let history = History::from_bytes(bytes);
    Ok(Some(OpenPayment { progress: history.progress()?, history }))
}

pub(crate) fn damage(sequence: u64, error: HistoryError) -> Damage {
    match error {
        HistoryError::Decode(source) => Damage::Record { sequence, source },
        HistoryError::Step(source) => Damage::Step { sequence, source },
        HistoryError::NoBeginning => {
            let source = DecodeError::Value { field: "history", at: 0 };
            Damage::Record { sequence, source }
        }
    }
}

fn illegal(record: &Record) -> IllegalStep {
    IllegalStep { state: PaymentState::Received, record: record.kind() }
}
