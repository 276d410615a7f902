//! One group: take, write, sync, give back, publish, answer.

use std::time::Instant;

use router::id::PaymentId;
use router::message::IdempotencyKey;
use router::payment::{Effects, Progress};
use router::reason::Reason;
use router::record::{AccountMovement, Intent, Record, Refused};
use router::reservation::{Reservation, Settle};

use super::{Answer, Command, Decided, Writer};
use crate::guard::{
    Begun, Credit, GateEpoch, GiveBack, Guard, GuardError, ReserveAsk, Settlement, Verdict, Wants,
};
use crate::history::History;
use crate::journal::{Backend, BackendError, FRAME_HEADER_LEN};
use crate::record::{self, RECORD_HEADER_LEN};
use crate::store::{Appended, StoreError};

/// What the group does once it is durable.
#[derive(Default)]
struct Group {
    count: u32,
    /// The guard's epoch under which its payments were admitted.
    decided_under: Option<GateEpoch>,
    published: Vec<Published>,
    /// Where payments stood before the group moved them, oldest first.
    moved: Vec<(PaymentId, Option<Progress>)>,
    begun: Vec<Begun>,
    ended: Vec<Ended>,
    credits: Vec<(AccountMovement, u64)>,
    around: Vec<Record>,
    decided: Vec<Answered<Decided>>,
    appended: Vec<Step>,
    found: Vec<Answered<Option<PaymentId>>>,
    barriers: Vec<Answered<()>>,
}

type Answered<T> = (Answer<T>, Result<T, StoreError>);

/// One record that follows, with what is needed to put it into another frame.
struct Step {
    record: Record,
    encoded: Vec<u8>,
    answer: Answer<Appended>,
    appended: Result<Appended, StoreError>,
}

/// A reservation that ends with a record of the group.
struct Ended {
    payment: PaymentId,
    settle: Settle,
    reservation: Option<Reservation>,
    sequence: u64,
}

/// A record of a payment, for readers.
struct Published {
    id: PaymentId,
    progress: Progress,
    sequence: u64,
    body: std::ops::Range<usize>,
    /// The payment's earlier records, when it was not in memory.
    before: Option<History>,
    begins: bool,
}

impl<G: Guard, B: Backend> Writer<G, B> {
    /// Serves what waits; gives the answer to a stop, which ends the group it is in.
    pub(super) fn serve(&mut self, waiting: &mut Vec<Command>) -> Option<Answer<()>> {
        if waiting.is_empty() {
            return None;
        }
        self.shared.figures.queue_len.set(u32::try_from(self.commands.len()).unwrap_or(u32::MAX));
        let mut group = Group::default();
        let mut verdicts = self.reserve(waiting, &mut group).map(Vec::into_iter);
        let mut stop = None;
        self.journal.begin();
        for command in waiting.drain(..) {
            match command {
                Command::Admit { intent, encoded, answer } => {
                    let decided = next(&mut verdicts);
                    let decided =
                        decided.map(|verdict| self.admit(verdict, &intent, &encoded, &mut group));
                    group.decided.push((answer, decided));
                }
                Command::Refuse { refused, encoded, answer } => {
                    let decided = next(&mut verdicts);
                    let decided =
                        decided.map(|verdict| self.refuse(verdict, &refused, &encoded, &mut group));
                    group.decided.push((answer, decided));
                }
                Command::Append { record, encoded, answer } => {
                    self.follow(record, encoded, answer, &mut group);
                }
                Command::FindKey { key, answer } => {
                    // The payment found may be of this very group.
                    group.found.push((answer, self.guard.find_key(key).map_err(StoreError::from)));
                }
                Command::Barrier { answer } => group.barriers.push((answer, Ok(()))),
                Command::Balance { account, currency, answer } => {
                    let balance = self.guard.balance(account, currency);
                    let _ = answer.send(balance.map_err(StoreError::from));
                }
                Command::Stop { answer } => stop = Some(answer),
            }
        }
        self.finish(group);
        stop
    }

    fn reserve(
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

    fn follow(
        &mut self,
        record: Record,
        encoded: Vec<u8>,
        answer: Answer<Appended>,
        group: &mut Group,
    ) {
        let appended = self.append(&record, &encoded, group);
        group.appended.push(Step { record, encoded, answer, appended });
    }

    /// Notes where a payment stands now, and where it stood.
    fn move_to(&mut self, id: PaymentId, progress: Progress, group: &mut Group) {
        group.moved.push((id, self.steps.insert(id, progress)));
    }

    fn admit(
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
            Verdict::Exceeded { reason, owner, headroom: _ } => {
                let mut encoded = Vec::with_capacity(encoded.len());
                record::encode_refused(&refusal(intent, reason, owner), &self.sealer, &mut encoded);
                self.put_refused(intent.payment, intent.request.key, &encoded, group)
            }
        }
    }

    fn refuse(
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

    fn append(
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
        let effects = progress.apply(record)?;
        self.move_to(id, progress, group);
        let reopening = match (record, was_open) {
            (Record::Reversal(reversal), false) => {
                let history = before.as_ref().ok_or(StoreError::UnknownPayment(id))?;
                let mut encoded = Vec::with_capacity(history.bytes().len() + 64);
                record::encode_reopening(reversal, history.bytes(), &mut encoded);
                Some(encoded)
            }
            _ => None,
        };
        let encoded = reopening.as_deref().unwrap_or(encoded);
        let sequence = self.put(encoded, group);
        let body = self.last_body(encoded.len());
        group.published.push(Published { id, progress, sequence, body, before, begins: false });
        if let Some(settle) = effects.settle {
            let reservation = match settle {
                Settle::Undo => self.reservation_of(id, group),
                Settle::Post | Settle::Release => None,
            };
            group.ended.push(Ended { payment: id, settle, reservation, sequence });
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

    fn append_around(
        &mut self,
        record: &Record,
        encoded: &[u8],
        group: &mut Group,
    ) -> Result<Appended, StoreError> {
        let sequence = self.journal.head().sequence + u64::from(group.count) + 1;
        match record {
            // What lowers a balance counts at once, what raises it when it is durable.
            Record::Account(movement) if movement.delta.minor < 0 => {
                let token = token_of(sequence);
                let epoch = self.guard.withhold(token, movement)?;
                let decided_under = group.decided_under.map_or(epoch, |other| other.min(epoch));
                group.decided_under = Some(decided_under);
                let (settle, reservation) = (Settle::Post, None);
                group.ended.push(Ended { payment: token, settle, reservation, sequence });
            }
            Record::Account(movement) => group.credits.push((*movement, sequence)),
            _ => {}
        }
        self.put(encoded, group);
        group.around.push(record.clone());
        Ok(Appended { sequence, effects: Effects::default() })
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

    fn finish(&mut self, mut group: Group) {
        loop {
            match self.commit(&group) {
                Ok(()) => break,
                // Every turn leaves out what was decided under the epoch that is over.
                Err(BackendError::Fenced { decided_under }) => {
                    group = self.without_decisions(group, decided_under);
                }
                Err(error) => {
                    self.fail(&error);
                    group.fail();
                    return group.answer();
                }
            }
        }
        self.give_back(&group);
        self.show(std::mem::take(&mut group.published));
        self.shared.take_around(std::mem::take(&mut group.around));
        if group.count > 0 {
            self.shared.set_durable(*self.journal.head());
        }
        group.answer();
    }

    fn commit(&mut self, group: &Group) -> Result<(), BackendError> {
        if group.count == 0 {
            return Ok(());
        }
        let began = Instant::now();
        let len = self.journal.frame_mut().len() - FRAME_HEADER_LEN;
        self.shared.set_committing(true);
        let committed = self.journal.commit(group.count, group.decided_under);
        self.shared.set_committing(false);
        committed?;
        let figures = &self.shared.figures;
        figures.sync_seconds.record(began.elapsed());
        figures.group_records.record(f64::from(group.count));
        figures.records.increment(u64::from(group.count));
        figures.bytes.increment(len as u64);
        Ok(())
    }

    /// The same group in a new frame, less what a guard that is gone had decided: none of that
    /// was sent, so it is refused and may be asked again. What follows up on earlier payments
    /// stays.
    fn without_decisions(&mut self, fenced: Group, epoch: GateEpoch) -> Group {
        let Group { moved, decided, appended, found, barriers, .. } = fenced;
        for (id, before) in moved.into_iter().rev() {
            match before {
                Some(progress) => self.steps.insert(id, progress),
                None => self.steps.remove(&id),
            };
        }
        let detail = format!("what it decided under epoch {} does not count", epoch.0).into();
        let gone = StoreError::Guard(GuardError::Unavailable { detail });
        let mut group = Group { found, barriers, ..Group::default() };
        let refused = decided.into_iter().map(|(answer, _)| (answer, Err(gone.clone())));
        group.decided.extend(refused);
        self.journal.begin();
        for Step { record, encoded, answer, .. } in appended {
            self.follow(record, encoded, answer, &mut group);
        }
        group
    }

    fn give_back(&mut self, group: &Group) {
        if group.count == 0 {
            return;
        }
        let endings: Vec<Settlement<'_>> = group.ended.iter().map(Ended::settlement).collect();
        let credit = |(movement, sequence)| Credit { movement, sequence };
        let credits = group.credits.iter().map(|(movement, sequence)| credit((movement, *sequence)));
        let credits: Vec<Credit<'_>> = credits.collect();
        let through = self.journal.head().sequence;
        let given = GiveBack { begun: &group.begun, endings: &endings, credits: &credits, through };
        if let Err(error) = self.guard.give_back(&given) {
            // The guard now holds more than the journal says; a restart puts it right.
            self.fail(&error);
        }
    }

    fn show(&mut self, published: Vec<Published>) {
        for Published { id, progress, sequence, body, before, begins } in published {
            let body = &self.journal.frame_mut()[body];
            let live = &self.shared.live;
            // Order matters: readers look here first, then in the read models.
            if begins {
                live.publish(id, progress, History::new(sequence, body), sequence);
            } else if let Some(mut history) = before {
                history.push(sequence, body);
                live.publish(id, progress, history, sequence);
            } else {
                live.push(id, progress, sequence, body);
            }
            if !progress.is_open() {
                self.steps.remove(&id);
            }
        }
    }
}

impl Group {
    /// Nothing of the group is durable, so whatever was to be answered is not true.
    fn fail(&mut self) {
        fail(&mut self.decided);
        self.appended.iter_mut().for_each(|step| step.appended = Err(StoreError::Failed));
        fail(&mut self.found);
        fail(&mut self.barriers);
    }

    fn answer(self) {
        send(self.decided);
        send(self.appended.into_iter().map(|step| (step.answer, step.appended)).collect());
        send(self.found);
        send(self.barriers);
    }
}

impl Ended {
    fn settlement(&self) -> Settlement<'_> {
        let Self { payment, settle, reservation, sequence } = self;
        let (payment, settle, sequence) = (*payment, *settle, *sequence);
        Settlement { payment, settle, reservation: reservation.as_ref(), sequence }
    }
}

/// What a movement that lowers a balance is withheld as: the digest of its position, which no
/// payment has.
fn token_of(sequence: u64) -> PaymentId {
    PaymentId(router::message::digest128(&[b"movement", &sequence.to_be_bytes()]))
}

fn fail<T>(answers: &mut [Answered<T>]) {
    answers.iter_mut().for_each(|(_, answer)| *answer = Err(StoreError::Failed));
}

fn send<T>(answers: Vec<Answered<T>>) {
    // Callers that went away do not need their answers.
    answers.into_iter().for_each(|(caller, answer)| drop(caller.send(answer)));
}

fn ask(command: &Command) -> Option<ReserveAsk<'_>> {
    match command {
        Command::Admit { intent, .. } => Some(ReserveAsk {
            payment: intent.payment,
            at: intent.at,
            wants: Wants::Reserve(&intent.plan.reservation),
        }),
        Command::Refuse { refused, .. } => Some(ReserveAsk {
            payment: refused.payment,
            at: refused.at,
            wants: Wants::Remember(refused.request.key, refused.request.fingerprint),
        }),
        Command::Append { .. }
        | Command::FindKey { .. }
        | Command::Barrier { .. }
        | Command::Balance { .. }
        | Command::Stop { .. } => None,
    }
}

fn next(
    verdicts: &mut Result<std::vec::IntoIter<Verdict>, GuardError>,
) -> Result<Verdict, StoreError> {
    match verdicts {
        Ok(verdicts) => Ok(verdicts.next().expect("invariant: one verdict an ask")),
        Err(error) => Err(StoreError::Guard(error.clone())),
    }
}

/// The refusal that an intent becomes when a rule says no.
fn refusal(intent: &Intent, reason: Reason, owner: Option<PaymentId>) -> Refused {
    Refused {
        payment: intent.payment,
        folio: intent.folio,
        at: intent.at,
        business_date: intent.plan.business_date,
        request: intent.request.clone(),
        reason,
        original: owner.filter(|_| reason == Reason::DuplicateTransaction),
        detail: None,
    }
}
