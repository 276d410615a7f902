//! One group: take, write, sync, give back, publish, answer.

use std::time::Instant;

use router::event::Subject;
use router::id::PaymentId;
use router::payment::Progress;
use router::posting::Entry;
use router::record::{Intent, Record};
use router::reservation::{Reservation, Settle};

use super::take::next;
use super::{Answer, Command, Decided, Writer};
use crate::appended::Appended;
use crate::error::StoreError;
use crate::failure::StoreFailure;
use crate::guard::{Begun, Credit, GateEpoch, GiveBack, Guard, GuardError, ReservationEnd};
use crate::history::History;
use crate::journal::{Backend, BackendError, FRAME_HEADER_LEN, Head};
use crate::view::Facts;
use crate::waking;
use crate::written::{WrittenGroup, WrittenIntent, WrittenOutcome};

/// What the group does once it is durable.
#[derive(Default)]
pub(super) struct Group {
    pub(super) count: u32,
    /// The guard's epoch under which its payments were admitted.
    pub(super) decided_under: Option<GateEpoch>,
    pub(super) published: Vec<Published>,
    /// Where payments stood before the group moved them, oldest first.
    pub(super) moved: Vec<(PaymentId, Option<Progress>)>,
    /// The versions of subjects before the group changed them, oldest first.
    pub(super) changed: Vec<(Subject, Option<u32>)>,
    pub(super) begun: Vec<Begun>,
    pub(super) ended: Vec<Ended>,
    pub(super) credits: Vec<(Entry, u64)>,
    pub(super) around: Vec<Record>,
    /// Intents that were granted, as the follower needs them.
    intents: Vec<WrittenIntent>,
    /// Answers to records that follow, whose records are with the follower.
    stepped: Vec<Answered<Appended>>,
    pub(super) decided: Vec<Answered<Decided>>,
    pub(super) appended: Vec<FollowingRecord>,
    pub(super) found: Vec<Answered<Option<PaymentId>>>,
    pub(super) barriers: Vec<Answered<()>>,
}

type Answered<T> = (Answer<T>, Result<T, StoreError>);

impl Group {
    /// With room for so many commands.
    fn with_room(count: usize) -> Self {
        Self {
            published: Vec::with_capacity(count),
            moved: Vec::with_capacity(count),
            begun: Vec::with_capacity(count),
            ended: Vec::with_capacity(count),
            intents: Vec::with_capacity(count),
            decided: Vec::with_capacity(count),
            appended: Vec::with_capacity(count),
            ..Self::default()
        }
    }

    /// Counts only under an epoch of the guard, or an older one that it is bound to already.
    pub(super) fn decide_under(&mut self, epoch: GateEpoch) {
        self.decided_under = Some(self.decided_under.map_or(epoch, |other| other.min(epoch)));
    }
}

/// One record that follows, with what is needed to put it into another frame.
pub(super) struct FollowingRecord {
    pub(super) record: Record,
    pub(super) encoded: Vec<u8>,
    pub(super) answer: Answer<Appended>,
    pub(super) appended: Result<Appended, StoreError>,
}

/// A reservation that ends with a record of the group.
pub(super) struct Ended {
    pub(super) payment: PaymentId,
    pub(super) settle: Settle,
    pub(super) reservation: Option<Box<Reservation>>,
    /// Which of the records that follow it is: its entry moves the balances.
    pub(super) step: usize,
    pub(super) sequence: u64,
}

/// A record of a payment, for readers.
pub(super) struct Published {
    pub(super) id: PaymentId,
    pub(super) progress: Progress,
    pub(super) sequence: u64,
    pub(super) body: std::ops::Range<usize>,
    /// The payment's earlier records, when it was not in memory.
    pub(super) before: Option<History>,
    pub(super) begins: bool,
}

impl<G: Guard, B: Backend> Writer<G, B> {
    /// Serves what waits; gives the answer to a stop, which ends the group it is in.
    pub(super) fn serve(&mut self, waiting: &mut Vec<Command>) -> Option<Answer<()>> {
        if waiting.is_empty() {
            return None;
        }
        self.shared.figures.queue_len.set(u32::try_from(self.commands.len()).unwrap_or(u32::MAX));
        let mut group = Group::with_room(waiting.len());
        let mut verdicts = self.reserve(waiting, &mut group).map(Vec::into_iter);
        let mut stop = None;
        self.journal.begin();
        for command in waiting.drain(..) {
            match command {
                Command::Admit { intent, encoded, is_as_it_came, answer } => {
                    let decided = next(&mut verdicts);
                    let decided =
                        decided.map(|verdict| self.admit(verdict, &intent, &encoded, &mut group));
                    if let (Ok(Decided::Granted { sequence }), true) = (&decided, is_as_it_came) {
                        group.note_intent(*sequence, &intent);
                    }
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
                Command::FindKey { sought, answer } => {
                    let found = self.guard.find_original(&sought).map_err(StoreError::from);
                    // The payment found may be of this very group.
                    group.found.push((answer, found));
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

    fn finish(&mut self, mut group: Group) {
        loop {
            let committed = self.commit(&group);
            // Before anything else is asked of the guard, or told to it.
            self.guard.raise_epoch(self.journal.guard_epoch());
            match committed {
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
        let lane = Head::lane_of(self.journal.head().sequence);
        self.shared.take_around(lane, std::mem::take(&mut group.around));
        if group.count > 0 {
            self.shared.written_groups.put(group.written());
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
        let Group { moved, changed, decided, appended, found, barriers, .. } = fenced;
        for (id, before) in moved.into_iter().rev() {
            match before {
                Some(progress) => self.steps.insert(id, progress),
                None => self.steps.remove(&id),
            };
        }
        for (subject, before) in changed.into_iter().rev() {
            match before {
                Some(version) => self.versions.insert(subject, version),
                None => self.versions.remove(&subject),
            };
        }
        let detail = format!("what it decided under epoch {} does not count", epoch.0).into();
        let gone = StoreError::Guard(GuardError::Unavailable { detail });
        let mut group = Group { found, barriers, ..Group::default() };
        let refused = decided.into_iter().map(|(answer, _)| (answer, Err(gone.clone())));
        group.decided.extend(refused);
        self.journal.begin();
        for FollowingRecord { record, encoded, answer, .. } in appended {
            self.follow(record, encoded, answer, &mut group);
        }
        group
    }

    /// Tells the guard what it could not be told before: a lane of which nothing is asked any more
    /// would keep others from what its payments have given back.
    pub(super) fn tell_guard_again(&mut self) {
        if self.guard.is_behind() {
            self.tell_guard(&Group::default());
        }
    }

    fn give_back(&mut self, group: &Group) {
        if group.count > 0 {
            self.tell_guard(group);
        }
    }

    fn tell_guard(&mut self, group: &Group) {
        let nothing = Entry::default();
        let endings = group.ended.iter();
        let endings: Vec<ReservationEnd<'_>> =
            endings.map(|ended| ended.settlement(&group.appended, &nothing)).collect();
        let credits = group.credits.iter();
        let credits: Vec<Credit<'_>> =
            credits.map(|(entry, sequence)| Credit { entry, sequence: *sequence }).collect();
        let through = self.journal.head().sequence;
        let given = GiveBack { begun: &group.begun, endings: &endings, credits: &credits, through };
        if let Err(error) = self.guard.give_back(&given) {
            // The guard now holds more than the journal says; a restart puts it right.
            tracing::error!(%error, "the guard has failed; the process must end");
            self.shared.fail(StoreFailure::Guard);
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

    /// Notes what the follower needs of an intent that was granted.
    fn note_intent(&mut self, sequence: u64, intent: &Intent) {
        let Intent { payment, folio, request, plan, .. } = intent;
        let facts = Facts::of(*folio, plan.business_date, request);
        self.intents.push(WrittenIntent { sequence, payment: *payment, facts });
    }

    /// What the follower need not decode; outcomes are no more with the group.
    fn written(&mut self) -> WrittenGroup {
        let mut outcomes = Vec::with_capacity(self.appended.len());
        self.stepped.reserve(self.appended.len());
        for FollowingRecord { record, answer, appended, .. } in self.appended.drain(..) {
            if let (Record::Outcome(concluded), Ok(Appended { sequence, .. })) = (record, &appended)
            {
                outcomes.push(WrittenOutcome { sequence: *sequence, concluded });
            }
            self.stepped.push((answer, appended));
        }
        WrittenGroup { intents: std::mem::take(&mut self.intents), outcomes }
    }

    fn answer(self) {
        waking::after(|| {
            send(self.decided);
            send(self.stepped);
            send(self.appended.into_iter().map(|step| (step.answer, step.appended)).collect());
            send(self.found);
            send(self.barriers);
        });
    }
}

impl Ended {
    /// Among the group's records that follow; `nothing` is what most of them post.
    fn settlement<'a>(
        &'a self,
        appended: &'a [FollowingRecord],
        nothing: &'a Entry,
    ) -> ReservationEnd<'a> {
        let Self { payment, settle, reservation, step, sequence } = self;
        let (payment, settle, sequence) = (*payment, *settle, *sequence);
        let entry = appended[*step].record.entry().unwrap_or(nothing);
        ReservationEnd { payment, settle, reservation: reservation.as_deref(), entry, sequence }
    }
}

fn fail<T>(answers: &mut [Answered<T>]) {
    answers.iter_mut().for_each(|(_, answer)| *answer = Err(StoreError::Failed));
}

fn send<T>(answers: Vec<Answered<T>>) {
    // Callers that went away do not need their answers.
    answers.into_iter().for_each(|(caller, answer)| drop(caller.send(answer)));
}
