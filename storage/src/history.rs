//! The records of one payment, with their positions, as bytes: what is kept of a payment
//! everywhere – in memory, in the read models, in a reversal that opens it again.

use router::id::ParticipantId;
use router::payment::{Payment, Progress};
use router::record::Record;
use router::reservation::Reservation;

use crate::facts::Facts;
use crate::packing::{Reader, put_blob, put_u64};
use crate::positions::Positions;
use crate::record::{DecodeError, Kind, decode, intent_head, kind_of, put_without_history};

/// Bytes before each body: its position, and its length.
const ENTRY_HEADER_LEN: usize = 8 + 4;
/// Room of a history that is used again: more than most payments need would be held by an open one
/// for nothing.
const REUSED_LEN_MAX: usize = 512;

/// Positions and bodies, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History(Vec<u8>);

/// Why a history does not make a payment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HistoryError {
    /// A record cannot be read.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// A record cannot follow.
    #[error(transparent)]
    Step(#[from] router::payment::IllegalStep),
    /// Its first record begins no payment.
    #[error("it does not begin with an intent or a refusal")]
    NoBeginning,
}

impl History {
    /// Of the record that begins a payment.
    pub fn new(sequence: u64, body: &[u8]) -> Self {
        let mut history = Self(Vec::new());
        history.push(sequence, body);
        history
    }

    /// As it was kept; read only when it is folded.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }

    /// Adds a record.
    pub fn push(&mut self, sequence: u64, body: &[u8]) {
        // Exactly: open payments stay in memory, and doubling would cost as much again.
        self.0.reserve_exact(ENTRY_HEADER_LEN + body.len());
        put_u64(sequence, &mut self.0);
        put_blob(body, &mut self.0);
    }

    /// Empties it for another payment; false where it has grown too large to be worth keeping.
    pub(crate) fn clear_for_another(&mut self) -> bool {
        self.0.clear();
        self.0.capacity() <= REUSED_LEN_MAX
    }

    /// As it is kept.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Positions and record bodies, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = Result<(u64, &[u8]), DecodeError>> {
        let mut reader = Reader::new(&self.0);
        std::iter::from_fn(move || {
            (!reader.rest().is_empty()).then(|| Ok((reader.u64()?, reader.blob()?)))
        })
    }

    /// Position of the last record; 0 when there is none or it cannot be read.
    pub fn last_sequence(&self) -> u64 {
        self.iter().filter_map(Result::ok).last().map_or(0, |(sequence, _)| sequence)
    }

    /// The records before a position.
    pub(crate) fn before(&self, sequence: u64) -> Self {
        let mut before = Self::default();
        let known = self.iter().filter_map(Result::ok);
        known.take_while(|(at, _)| *at < sequence).for_each(|(at, body)| before.push(at, body));
        before
    }

    /// Whether there is no record.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Where the records stand.
    pub(crate) fn positions(&self) -> Positions {
        self.iter().filter_map(Result::ok).map(|(sequence, _)| sequence).collect()
    }

    /// The same records, none of which carries a history: what another record may carry. Were
    /// histories carried in histories, each reopening would double the one before.
    pub fn alone(&self) -> Result<Self, DecodeError> {
        let mut alone = Self(Vec::with_capacity(self.0.len()));
        for entry in self.iter() {
            let (sequence, body) = entry?;
            let mut bare = Vec::with_capacity(body.len());
            put_without_history(body, &mut bare)?;
            alone.push(sequence, &bare);
        }
        Ok(alone)
    }

    /// The payment they make.
    pub fn payment(&self) -> Result<Payment, HistoryError> {
        let mut records = self.records();
        let first = records.next().ok_or(HistoryError::NoBeginning)??;
        let (mut payment, _) = Payment::begin(&first).ok_or(HistoryError::NoBeginning)?;
        for record in records {
            payment.apply(&record?)?;
        }
        Ok(payment)
    }

    /// Where the payment stands.
    pub fn progress(&self) -> Result<Progress, HistoryError> {
        self.progress_before(u64::MAX)
    }

    /// Where the payment stood before a position; its beginning counts in any case.
    pub fn progress_before(&self, sequence: u64) -> Result<Progress, HistoryError> {
        let mut bodies = self.iter();
        let (_, first) = bodies.next().ok_or(HistoryError::NoBeginning)??;
        let mut progress = begun(first)?.ok_or(HistoryError::NoBeginning)?;
        for step in bodies {
            let (at, body) = step?;
            if at >= sequence {
                break;
            }
            progress.apply(&decode(body)?)?;
        }
        Ok(progress)
    }

    /// The participant that was asked last; none for a refusal.
    pub fn participant(&self) -> Result<Option<ParticipantId>, HistoryError> {
        let mut asked = None;
        for (_, body) in self.iter().filter_map(Result::ok) {
            match kind_of(body)? {
                Kind::Intent | Kind::Rerouted => asked = attempted(&decode(body)?).or(asked),
                Kind::Refused
                | Kind::Outcome
                | Kind::Reversal
                | Kind::LateAnswer
                | Kind::Account
                | Kind::Event
                | Kind::NoticeMark
                | Kind::EarlyReversal
                | Kind::Awaiting
                | Kind::Confirming
                | Kind::Expired
                | Kind::Inquiry
                | Kind::Refund => {}
            }
        }
        Ok(asked)
    }

    /// What the payment had reserved; none for a refusal.
    pub fn reservation(&self) -> Result<Option<Reservation>, HistoryError> {
        let (_, first) = self.iter().next().ok_or(HistoryError::NoBeginning)??;
        match kind_of(first)? {
            Kind::Intent => Ok(Some(intent_head(first)?.reservation)),
            Kind::Refused
            | Kind::Rerouted
            | Kind::Outcome
            | Kind::Reversal
            | Kind::LateAnswer
            | Kind::Account
            | Kind::Event
            | Kind::NoticeMark
            | Kind::EarlyReversal
            | Kind::Awaiting
            | Kind::Confirming
            | Kind::Expired
            | Kind::Inquiry
            | Kind::Refund => Ok(None),
        }
    }

    /// What the payment's rows are found by.
    pub fn facts(&self) -> Result<Facts, HistoryError> {
        match self.records().next().ok_or(HistoryError::NoBeginning)?? {
            Record::Intent(intent) => {
                Ok(Facts::of(intent.folio, intent.plan.business_date, &intent.request))
            }
            Record::Refused(refused) => {
                Ok(Facts::of(refused.folio, refused.business_date, &refused.request))
            }
            Record::Rerouted(_)
            | Record::Outcome(_)
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
            | Record::Refund(_) => Err(HistoryError::NoBeginning),
        }
    }

    fn records(&self) -> impl Iterator<Item = Result<Record, DecodeError>> {
        self.iter().map(|entry| entry.and_then(|(_, body)| decode(body)))
    }
}

fn attempted(record: &Record) -> Option<ParticipantId> {
    match record {
        Record::Intent(intent) => Some(intent.attempt.participant),
        Record::Rerouted(rerouted) => Some(rerouted.attempt.participant),
        Record::Refused(_)
        | Record::Outcome(_)
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
        | Record::Refund(_) => None,
    }
}

/// Where a payment stands after the record that begins it; none when the record begins none.
fn begun(body: &[u8]) -> Result<Option<Progress>, DecodeError> {
    Ok(match kind_of(body)? {
        Kind::Intent => Some(Progress::SENT),
        Kind::Refused => Some(Progress::REFUSED),
        Kind::Rerouted
        | Kind::Outcome
        | Kind::Reversal
        | Kind::LateAnswer
        | Kind::Account
        | Kind::Event
        | Kind::NoticeMark
        | Kind::EarlyReversal
        | Kind::Awaiting
        | Kind::Confirming
        | Kind::Expired
        | Kind::Inquiry
        | Kind::Refund => None,
    })
}
