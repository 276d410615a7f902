//! What each command of a group comes to: into the frame, or an answer at once.

use router::detail::Detail;
use router::event::Event;
use router::id::PaymentId;
use router::invariant::entry_is_due;
use router::message::IdempotencyKey;
use router::payment::{Effects, Progress};
use router::posting::Entry;
use router::reason::Reason;
use router::record::{Intent, Record, Refused};
use router::reservation::{ClaimOwner, Reservation, Settle};

use super::group::{Ended, FollowingRecord, Group, Published};
use super::{Answer, Command, Decided, Writer};
use crate::appended::Appended;
use crate::error::StoreError;
use crate::guard::{Begun, Guard, GuardError, LimitPlace, Requested, ReserveAsk, Verdict, Wants};
use crate::history::History;
use crate::journal::Backend;
use crate::record::{self, RECORD_HEADER_LEN, Reopening};
use crate::state::given_back;

impl<G: Guard, B: Backend> Writer<G, B> {
    pub(super) fn reserve(
        &mut self,
        waiting: &[Command],
        group: &mut Group,
    ) -> Result<Vec<Verdict>, GuardError> {
        let asks: Vec<ReserveAsk<'_>> = waiting.iter().filter_map(ask).collect();
        let mut verdicts = Vec::with_capacity(asks.len());
        if !asks.is_empty() {
            group.decided_under = Some(self.guard.reserve(&asks, &mut verdicts)?);
        }
        Ok(verdicts)
    }

    pub(super) fn follow(
        &mut self,
        record: Record,
        encoded: Vec<u8>,
        answer: Answer<Appended>,
        group: &mut Group,
    ) {
        let appended = self.append(&record, &encoded, group);
        group.appended.push(FollowingRecord { record, encoded, answer, appended });
    }

    /// Notes where a payment stands now, and where it stood.
    fn move_to(&mut self, id: PaymentId, progress: Progress, group: &mut Group) {
        group.moved.push((id, self.steps.insert(id, progress)));
    }

    pub(super) fn admit(
        &mut self,
        verdict: Verdict,
        intent: &Intent,
        encoded: &[u8],
        group: &mut Group,
    ) -> Decided {
        match verdict {
            Verdict::Granted => {
                let sequence = self.put(encoded, group);
                self.move_to(intent.payment, Progress::SENT, group);
                self.publish(intent.payment, Progress::SENT, sequence, encoded.len(), group);
                let (payment, key) = (intent.payment, intent.plan.reservation.key);
                group.begun.push(Begun { payment, key });
                Decided::Granted { sequence }
            }
            Verdict::Duplicate(owner) => Decided::Duplicate(owner),
            Verdict::KeyReused(owner) => Decided::KeyReused(owner),
            Verdict::Exceeded { reason, owner, headroom, place } => {
                let mut encoded = Vec::with_capacity(encoded.len());
                let refused = refusal(intent, reason, owner, (place, headroom));
                record::encode_refused(&refused, &self.sealer, &mut encoded);
                self.put_refused(intent.payment, intent.request.key, &encoded, group)
            }
        }
    }

    pub(super) fn refuse(
        &mut self,
        verdict: Verdict,
        refused: &Refused,
        encoded: &[u8],
        group: &mut Group,
    ) -> Decided {
        match verdict {
            Verdict::Duplicate(owner) => Decided::Duplicate(owner),
            Verdict::KeyReused(owner) => Decided::KeyReused(owner),
            // A remembered key is never exceeded; were it, the refusal stands all the same.
            Verdict::Granted | Verdict::Exceeded { .. } => {
                self.put_refused(refused.payment, refused.request.key, encoded, group)
            }
        }
    }

    fn put_refused(
        &mut self,
        id: PaymentId,
        key: IdempotencyKey,
        encoded: &[u8],
        group: &mut Group,
    ) -> Decided {
        let sequence = self.put(encoded, group);
        self.publish(id, Progress::REFUSED, sequence, encoded.len(), group);
        group.begun.push(Begun { payment: id, key });
        Decided::Refused
    }

    pub(super) fn append(
        &mut self,
        record: &Record,
        encoded: &[u8],
        group: &mut Group,
    ) -> Result<Appended, StoreError> {
        let Some(id) = record.payment() else {
            return self.append_around(record, encoded, group);
        };
        let (mut progress, before) = self.standing(id)?;
        let before = match before {
            None if !progress.is_open() => self.closed_in(id, group),
            before => before,
        };
        let was_open = progress.is_open();
        let share = progress.share_given_back(record);
        let effects = progress.apply(record)?;
        self.check_refund(id, record, before.as_ref(), group)?;
        self.check_entry(id, record, effects.settle, group)?;
        let reopening = match reopening(record).filter(|_| !was_open && progress.is_open()) {
            Some(reopening) => {
                let history = before.as_ref().ok_or(StoreError::UnknownPayment(id))?;
                Some(with_history(reopening, history)?)
            }
            None => None,
        };
        // From here on nothing refuses the record.
        self.move_to(id, progress, group);
        let encoded = reopening.as_deref().unwrap_or(encoded);
        let sequence = self.put(encoded, group);
        let body = self.last_body(encoded.len());
        group.published.push(Published { id, progress, sequence, body, before, begins: false });
        if let Some(settle) = effects.settle {
            let reservation = match settle {
                Settle::Undo => given_back(self.reservation_of(id, group), share, record.at()),
                Settle::Post | Settle::Release => None,
            };
            let (reservation, step) = (reservation.map(Box::new), group.appended.len());
            group.ended.push(Ended { payment: id, settle, reservation, step, sequence });
        }
        Ok(Appended { sequence, effects })
    }

    /// Where a payment stands; with its records when it is closed, for then it may leave memory
    /// at any moment.
    fn standing(&self, id: PaymentId) -> Result<(Progress, Option<History>), StoreError> {
        if let Some(progress) = self.steps.get(&id) {
            return Ok((*progress, None));
        }
        // In this order: what leaves memory is in the read models before.
        let history = match self.shared.live.history(id) {
            Some(history) => history,
            None => self.views.history(id)?.ok_or(StoreError::UnknownPayment(id))?,
        };
        let progress = history.progress().map_err(|error| StoreError::unreadable(&error))?;
        Ok((progress, Some(history)))
    }

    /// The records of a payment that this very group closed.
    fn closed_in(&mut self, id: PaymentId, group: &Group) -> Option<History> {
        let mine = || group.published.iter().filter(|published| published.id == id);
        let before = mine().find_map(|published| published.before.clone());
        let mut history = before.or_else(|| self.shared.live.history(id)).unwrap_or_default();
        for published in mine() {
            history.push(published.sequence, &self.journal.frame_mut()[published.body.clone()]);
        }
        Some(history)
    }

    /// What a payment being reversed had reserved: it is open, so it is in memory, or was opened
    /// again in this very group.
    fn reservation_of(&self, id: PaymentId, group: &Group) -> Option<Reservation> {
        let reopened = group.published.iter().filter(|published| published.id == id);
        let reopened = reopened.filter_map(|published| published.before.clone()).next();
        let history = reopened.or_else(|| self.shared.live.history(id))?;
        history.reservation().ok().flatten()
    }

    /// Refuses a record that posts something else than the payment owes there: what a reversal
    /// takes back is worked out again from all records of the payment, and an approval posts
    /// something, which no other outcome does.
    fn check_entry(
        &mut self,
        id: PaymentId,
        record: &Record,
        settle: Option<Settle>,
        group: &Group,
    ) -> Result<(), StoreError> {
        let Some(entry) = record.entry() else { return Ok(()) };
        let is_due = match settle {
            Some(Settle::Post) => !entry.is_empty(),
            Some(Settle::Release) | None => entry.is_empty(),
            Some(Settle::Undo) => {
                let history = self.closed_in(id, group).ok_or(StoreError::UnknownPayment(id))?;
                let payment = history.payment().map_err(|error| StoreError::unreadable(&error))?;
                payment.due_entry(record).is_some_and(|due| entry_is_due(entry, &due).is_ok())
            }
        };
        if is_due { Ok(()) } else { Err(StoreError::EntryDiffers { kind: record.kind() }) }
    }

    /// Refuses a step of a refund that the payment's own refunds do not allow: one that is begun
    /// already, or that has ended.
    fn check_refund(
        &mut self,
        id: PaymentId,
        record: &Record,
        before: Option<&History>,
        group: &Group,
    ) -> Result<(), StoreError> {
        if !matches!(record, Record::Refund(_)) {
            return Ok(());
        }
        let known = before.cloned().or_else(|| self.closed_in(id, group));
        let history = known.ok_or(StoreError::UnknownPayment(id))?;
        let payment = history.payment().map_err(|error| StoreError::unreadable(&error));
        payment?.apply(record)?;
        Ok(())
    }

    fn append_around(
        &mut self,
        record: &Record,
        encoded: &[u8],
        group: &mut Group,
    ) -> Result<Appended, StoreError> {
        let sequence = self.journal.head().sequence + u64::from(group.count) + 1;
        match record {
            Record::Event(event) => self.check_event(event)?,
            Record::EarlyReversal(early) => {
                let epoch = self.guard.forestall(early)?;
                group.decide_under(epoch);
            }
            Record::Intent(_)
            | Record::Refused(_)
            | Record::Rerouted(_)
            | Record::Outcome(_)
            | Record::Reversal(_)
            | Record::LateAnswer(_)
            | Record::Account(_)
            | Record::NoticeMark(_)
            | Record::Awaiting(_)
            | Record::Confirming(_)
            | Record::Expired(_)
            | Record::Inquiry(_)
            | Record::Refund(_) => {}
        }
        if let Some(entry) = record.movement() {
            self.post(entry, sequence, group)?;
        }
        if let Record::Event(event) = record {
            self.change_version(event, group);
        }
        self.put(encoded, group);
        group.around.push(record.clone());
        Ok(Appended { sequence, effects: Effects::default() })
    }

    /// What lowers a balance counts at once, what raises it when it is durable.
    fn post(&mut self, entry: &Entry, sequence: u64, group: &mut Group) -> Result<(), StoreError> {
        if entry.guarded_debits().next().is_none() {
            group.credits.push((entry.clone(), sequence));
            return Ok(());
        }
        let token = token_of(sequence);
        let epoch = self.guard.withhold(token, entry)?;
        group.decide_under(epoch);
        let (settle, reservation, step) = (Settle::Post, None, group.appended.len());
        group.ended.push(Ended { payment: token, settle, reservation, step, sequence });
        Ok(())
    }

    /// An event follows the version of its subject that it was made from.
    fn check_event(&self, event: &Event) -> Result<(), StoreError> {
        if let Some(biller) = event.biller_owed_twice() {
            return Err(StoreError::NoticesOfOneBiller { biller });
        }
        Ok(event.follows(self.versions.get(&event.subject()).copied())?)
    }

    /// Notes the version of a subject that an event leaves, and the one before.
    fn change_version(&mut self, event: &Event, group: &mut Group) {
        let subject = event.subject();
        let before = match event.ends_subject() {
            true => self.versions.remove(&subject),
            false => self.versions.insert(subject, event.version()),
        };
        group.changed.push((subject, before));
    }

    /// Copies an encoded record into the frame; gives its position.
    fn put(&mut self, encoded: &[u8], group: &mut Group) -> u64 {
        self.journal.frame_mut().extend_from_slice(encoded);
        group.count += 1;
        self.journal.head().sequence + u64::from(group.count)
    }

    fn publish(
        &mut self,
        id: PaymentId,
        progress: Progress,
        sequence: u64,
        len: usize,
        group: &mut Group,
    ) {
        let body = self.last_body(len);
        let before = None;
        group.published.push(Published { id, progress, sequence, body, before, begins: true });
    }

    fn last_body(&mut self, len: usize) -> std::ops::Range<usize> {
        let end = self.journal.frame_mut().len();
        end - len + RECORD_HEADER_LEN..end
    }
}

/// The record as one that may open a closed payment again.
fn reopening(record: &Record) -> Option<Reopening<'_>> {
    match record {
        Record::Reversal(reversal) => Some(Reopening::Reversal(reversal)),
        Record::LateAnswer(late) => Some(Reopening::LateAnswer(late)),
        Record::Refund(refund) => Some(Reopening::Refund(refund)),
        Record::Intent(_)
        | Record::Refused(_)
        | Record::Rerouted(_)
        | Record::Outcome(_)
        | Record::Account(_)
        | Record::Event(_)
        | Record::NoticeMark(_)
        | Record::EarlyReversal(_)
        | Record::Awaiting(_)
        | Record::Confirming(_)
        | Record::Expired(_)
        | Record::Inquiry(_) => None,
    }
}

/// The record with all earlier ones of its payment.
fn with_history(reopening: Reopening<'_>, history: &History) -> Result<Vec<u8>, StoreError> {
    let history = history.alone().map_err(|error| StoreError::unreadable(&error))?;
    let mut encoded = Vec::with_capacity(history.bytes().len() + 64);
    record::encode_reopening(reopening, history.bytes(), &mut encoded);
    Ok(encoded)
}

/// What a movement that lowers a balance is withheld as: the digest of its position, which no
/// payment has.
fn token_of(sequence: u64) -> PaymentId {
    PaymentId(router::message::digest128(&[b"movement", &sequence.to_be_bytes()]))
}

fn ask(command: &Command) -> Option<ReserveAsk<'_>> {
    match command {
        Command::Admit { intent, .. } => Some(ReserveAsk {
            payment: intent.payment,
            at: intent.at,
            wants: Wants::Reserve(&intent.plan.reservation),
            requested: Some(Requested {
                request: &intent.request,
                day_began: intent.plan.day_began,
            }),
        }),
        Command::Refuse { refused, .. } => Some(ReserveAsk {
            payment: refused.payment,
            at: refused.at,
            wants: Wants::Remember(refused.request.key, refused.request.fingerprint),
            requested: None,
        }),
        Command::Append { .. }
        | Command::FindKey { .. }
        | Command::Barrier { .. }
        | Command::Balance { .. }
        | Command::Stop { .. } => None,
    }
}

pub(super) fn next(
    verdicts: &mut Result<std::vec::IntoIter<Verdict>, GuardError>,
) -> Result<Verdict, StoreError> {
    match verdicts {
        Ok(verdicts) => Ok(verdicts.next().expect("invariant: one verdict an ask")),
        Err(error) => Err(StoreError::Guard(error.clone())),
    }
}

/// The refusal that an intent becomes when a rule says no.
fn refusal(
    intent: &Intent,
    reason: Reason,
    owner: Option<ClaimOwner>,
    (place, headroom): (Option<LimitPlace>, Option<i64>),
) -> Refused {
    let limits = &intent.plan.limits;
    let limit = place.and_then(|place| match place {
        LimitPlace::Counter(index) => limits.counters.get(index).cloned().flatten(),
        LimitPlace::Hold(index) => limits.holds.get(index).cloned().flatten(),
    });
    Refused {
        payment: intent.payment,
        folio: intent.folio,
        at: intent.at,
        business_date: intent.plan.business_date,
        request: intent.request.clone(),
        reason,
        original: owner
            .filter(|_| reason == Reason::DuplicateTransaction)
            .map(|ClaimOwner::Payment(id)| id),
        detail: limit.and_then(|limit| limit.with_left(headroom)).map(Detail::Limit),
        bill: intent.plan.bill,
    }
}
