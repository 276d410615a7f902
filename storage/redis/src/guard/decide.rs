//! A batch of decisions: its rounds, and what the answers mean.

use std::sync::Arc;

use redis::Value;
use router::id::PaymentId;
use router::reservation::{ClaimOwner, Reservation};
use storage::guard::{Balance, LimitPlace, ReserveAsk, Verdict, Wants};

use super::{Call, RedisGuard, Span};
use crate::early;
use crate::failure::Failure;
use crate::gate::Gate;
use crate::layout::{GroupShare, Layout, RefusedPlace};
use crate::library::Function;
use crate::link::Round;
use crate::pack;

/// One ask on its way through the groups.
struct Course<'a> {
    ask: &'a ReserveAsk<'a>,
    parts: Vec<GroupShare>,
    stage: Stage,
    refused: Option<(RefusedPlace, Verdict)>,
}

/// What a decision says of time besides its own instant.
struct Times {
    retention: String,
    now: String,
    tolerance: String,
}

impl Times {
    fn now(gate: &Gate) -> Self {
        Self {
            retention: gate.settings().retention_text(),
            now: pack::instant(gate.clock().now()),
            tolerance: gate.settings().tolerance_micros().to_string(),
        }
    }

    fn arguments(&self) -> [&[u8]; 3] {
        [self.retention.as_bytes(), self.now.as_bytes(), self.tolerance.as_bytes()]
    }
}

#[derive(Clone, Copy)]
enum Stage {
    /// This part is asked next; those before it are taken.
    Take(usize),
    /// This part refused: those before it are given back, those after it only checked, since the
    /// reason told is that of the first rule broken.
    Undo(usize),
    Done(Verdict),
}

impl RedisGuard {
    pub(super) fn decide(&mut self, batch: &[ReserveAsk<'_>]) -> Result<Vec<Verdict>, Failure> {
        let layout = self.gate.layout();
        let mut courses: Vec<Course<'_>> =
            batch.iter().map(|ask| Course::new(ask, layout)).collect();
        let gate = Arc::clone(&self.gate);
        while courses.iter().any(|course| !matches!(course.stage, Stage::Done(_))) {
            let answers = self.exchange(|round, call| {
                let times = Times::now(&gate);
                courses.iter().for_each(|course| course.call(round, call, &times));
            });
            let heard = answers.and_then(|answers| {
                let mut answers = answers.iter();
                let heard = courses.iter_mut().try_for_each(|course| course.hear(&mut answers));
                self.noting(None, heard)
            });
            if let Err(failure) = heard {
                let asked = batch.iter().map(|ask| (ask.payment, ask.wants.identity().0));
                self.note_unheard(asked);
                return Err(failure);
            }
        }
        if self.gate.layout().groups() > 1 {
            courses.iter().for_each(|course| self.note_span(course));
        }
        Ok(courses.iter().filter_map(Course::verdict).collect())
    }

    /// Notes where a payment has something now.
    fn note_span(&mut self, course: &Course<'_>) {
        let has_end = matches!(course.ask.wants, Wants::Reserve(_));
        let (parts, has_end) = match course.stage {
            Stage::Done(Verdict::Granted) => (&course.parts[..], has_end),
            Stage::Done(Verdict::Exceeded { .. }) => (&course.parts[..1], false),
            _ => return,
        };
        let groups = parts.iter().map(|part| part.group).collect();
        self.spans.insert(course.ask.payment, Span { groups, has_end });
    }
}

impl<'a> Course<'a> {
    fn new(ask: &'a ReserveAsk<'a>, layout: &Layout) -> Self {
        let parts = match ask.wants {
            Wants::Reserve(reservation) => layout.parts(reservation),
            Wants::Remember(key, _) => vec![GroupShare::of_key(layout.group_of_key(key))],
        };
        Self { ask, parts, stage: Stage::Take(0), refused: None }
    }

    fn verdict(&self) -> Option<Verdict> {
        match self.stage {
            Stage::Done(verdict) => Some(verdict),
            Stage::Take(_) | Stage::Undo(_) => None,
        }
    }

    fn call(&self, round: &mut Round<'_>, call: &Call<'_>, times: &Times) {
        match self.stage {
            Stage::Take(at) => self.reserve(at, b"t", round, call, times),
            Stage::Undo(at) => {
                for part in &self.parts[..at] {
                    let kept: &[u8] = if part.has_key { b"k" } else { b"" };
                    let payment = pack::payment(self.ask.payment);
                    call.in_session(round, part.group, Function::TakeBack, &[&payment, kept]);
                }
                let later = at + 1..self.parts.len();
                later.for_each(|later| self.reserve(later, b"c", round, call, times));
            }
            Stage::Done(_) => {}
        }
    }

    fn reserve(
        &self,
        at: usize,
        mode: &[u8],
        round: &mut Round<'_>,
        call: &Call<'_>,
        times: &Times,
    ) {
        let part = &self.parts[at];
        let (key, fingerprint) = self.ask.wants.identity();
        let half = pack::half(fingerprint);
        let fingerprint = if part.has_key { half.as_slice() } else { b"" };
        let (payment, key) = (pack::payment(self.ask.payment), key.0.to_be_bytes());
        let at = pack::instant(self.ask.at);
        let held = part.held.as_slice();
        let (since, name) = if part.has_key { known_by(self.ask) } else { Default::default() };
        let head: [&[u8]; 4] = [&payment, &key, fingerprint, at.as_bytes()];
        let mut more = head.to_vec();
        more.extend(times.arguments());
        more.extend([held, mode, since.as_bytes(), &name]);
        more.extend(part.wants.iter().map(Vec::as_slice));
        call.in_session(round, part.group, Function::Reserve, &more);
    }

    /// Takes its answers of a round.
    fn hear<'v>(&mut self, answers: &mut impl Iterator<Item = &'v Value>) -> Result<(), Failure> {
        let mut next = || answers.next().ok_or_else(|| Failure::strange("too few answers"));
        match self.stage {
            Stage::Take(at) => self.heard_one(at, bytes(next()?)?)?,
            Stage::Undo(at) => {
                for _ in 0..at {
                    next()?;
                }
                for later in at + 1..self.parts.len() {
                    let heard = self.read(later, bytes(next()?)?)?;
                    if let PartAnswer::Refused(place, verdict) = heard {
                        self.note_refusal(place, verdict);
                    }
                }
                self.stage = Stage::Done(self.told());
            }
            Stage::Done(_) => {}
        }
        Ok(())
    }

    fn heard_one(&mut self, at: usize, answer: &[u8]) -> Result<(), Failure> {
        self.stage = match self.read(at, answer)? {
            PartAnswer::Taken if at + 1 < self.parts.len() => Stage::Take(at + 1),
            PartAnswer::Taken => Stage::Done(Verdict::Granted),
            PartAnswer::Known(verdict) => Stage::Done(verdict),
            PartAnswer::Refused(place, verdict) => {
                self.note_refusal(place, verdict);
                if self.parts.len() == 1 { Stage::Done(verdict) } else { Stage::Undo(at) }
            }
        };
        Ok(())
    }

    fn note_refusal(&mut self, place: RefusedPlace, verdict: Verdict) {
        if self.refused.is_none_or(|(other, _)| place < other) {
            self.refused = Some((place, verdict));
        }
    }

    fn told(&self) -> Verdict {
        self.refused.expect("invariant: it is undone because one refused").1
    }

    fn read(&self, at: usize, answer: &[u8]) -> Result<PartAnswer, Failure> {
        let strange = || Failure::strange(&String::from_utf8_lossy(answer));
        let (kind, rest) = answer.split_first().ok_or_else(strange)?;
        Ok(match kind {
            b'g' => PartAnswer::Taken,
            b'd' => PartAnswer::Known(Verdict::Duplicate(payment(rest)?)),
            b'k' => PartAnswer::Known(Verdict::KeyReused(payment(rest)?)),
            b'e' => PartAnswer::Refused(RefusedPlace::Whole, Verdict::REVERSED_BEFOREHAND),
            b's' if rest.len() > 18 => {
                let (claim, owner) = (rest[0], claim_owner(&rest[1..18])?);
                let index = number(&rest[18..])?;
                self.refused_slot(at, index, claim, owner).ok_or_else(strange)?
            }
            b'c' | b'h' => {
                let space = rest.iter().position(|byte| *byte == b' ').ok_or_else(strange)?;
                let index = number(&rest[..space])?;
                let left = wide(&rest[space + 1..])?;
                self.refused_amount(at, *kind, index, left).ok_or_else(strange)?
            }
            _ => return Err(strange()),
        })
    }

    fn reservation(&self) -> Option<&'a Reservation> {
        match self.ask.wants {
            Wants::Reserve(reservation) => Some(reservation),
            Wants::Remember(..) => None,
        }
    }

    fn refused_slot(
        &self,
        at: usize,
        index: usize,
        claim: u8,
        owner: ClaimOwner,
    ) -> Option<PartAnswer> {
        let place = self.parts[at].place(b's', index)?;
        let RefusedPlace::Slot(index) = place else { return None };
        let slot = self.reservation()?.slots.get(index)?;
        let reason = if claim == b'o' { slot.reason_while_open } else { slot.reason_once_kept };
        let verdict = Verdict::Exceeded { reason, owner: Some(owner), headroom: None, place: None };
        Some(PartAnswer::Refused(place, verdict))
    }

    fn refused_amount(&self, at: usize, kind: u8, index: usize, left: i128) -> Option<PartAnswer> {
        let place = self.parts[at].place(kind, index)?;
        let reservation = self.reservation()?;
        let (reason, limit) = match place {
            RefusedPlace::Counter(index) => {
                let counter = reservation.counters.get(index)?;
                (counter.reason_with(left), LimitPlace::Counter(index))
            }
            RefusedPlace::Hold(index) => {
                (reservation.holds.get(index)?.reason, LimitPlace::Hold(index))
            }
            RefusedPlace::Slot(_) | RefusedPlace::Whole => return None,
        };
        let headroom = Some(to_i64(left.max(0)));
        let limit = Some(limit);
        let verdict = Verdict::Exceeded { reason, owner: None, headroom, place: limit };
        Some(PartAnswer::Refused(place, verdict))
    }
}

enum PartAnswer {
    Taken,
    Known(Verdict),
    Refused(RefusedPlace, Verdict),
}

/// An account, from what the function `balance` gives.
pub(super) fn balance(answer: &Value) -> Result<Option<Balance>, Failure> {
    if matches!(answer, Value::Nil) {
        return Ok(None);
    }
    let text = bytes(answer)?;
    let strange = || Failure::strange(&String::from_utf8_lossy(text));
    let space = text.iter().position(|byte| *byte == b' ').ok_or_else(strange)?;
    let (balance, held) = (wide(&text[..space])?, wide(&text[space + 1..])?);
    Ok(Some(Balance { balance: to_i64(balance), held: to_i64(held) }))
}

/// The payment of a key, from what the function `find_key` gives.
pub(super) fn owner(answer: &Value) -> Result<Option<PaymentId>, Failure> {
    if matches!(answer, Value::Nil) {
        return Ok(None);
    }
    let known = bytes(answer)?;
    payment(known.get(1..).unwrap_or_default()).map(Some)
}

/// What a function takes of a request besides its key: since when payments may be what it repeats,
/// and what an early reversal may name it by.
fn known_by(ask: &ReserveAsk<'_>) -> (String, Vec<u8>) {
    let since = pack::since(ask.sought().day_began);
    let name = match (ask.wants, ask.requested) {
        (Wants::Reserve(_), Some(requested)) => early::name(requested.request),
        // What is refused already need not be refused again.
        (Wants::Reserve(_), None) | (Wants::Remember(..), _) => Vec::new(),
    };
    (since, name)
}

fn bytes(value: &Value) -> Result<&[u8], Failure> {
    match value {
        Value::BulkString(bytes) => Ok(bytes),
        other => Err(Failure::strange(&format!("{other:?}"))),
    }
}

fn claim_owner(bytes: &[u8]) -> Result<ClaimOwner, Failure> {
    match bytes.split_first() {
        Some((b'p', id)) => payment(id).map(ClaimOwner::Payment),
        _ => Err(Failure::strange("an owner of no known kind")),
    }
}

fn payment(bytes: &[u8]) -> Result<PaymentId, Failure> {
    let bytes = <[u8; 16]>::try_from(bytes).map_err(|_| Failure::strange("no payment id"))?;
    Ok(PaymentId(u128::from_be_bytes(bytes)))
}

fn number(text: &[u8]) -> Result<usize, Failure> {
    usize::try_from(wide(text)?).map_err(|_| Failure::strange("a negative index"))
}

fn wide(text: &[u8]) -> Result<i128, Failure> {
    let text = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    text.ok_or_else(|| Failure::strange("no number"))
}

fn to_i64(value: i128) -> i64 {
    i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })
}
