//! What was planned for a payment: where it goes, what it costs, posts and reserves.

use router::bill::PlannedBill;
use router::exchange::{AttemptRef, RequestTrace};
use router::fee::Fee;
use router::id::{ParticipantId, Stan};
use router::posting::{Entry, Posting};
use router::record::Attempt;
use router::reservation::{Counter, Hold, Keep, Reservation, Slot};
use router::text::Text;
use router::time::Timestamp;

use super::DecodeError;
use super::field::{Field, ValueReader, ValueWriter, fields};
use super::values::write_list;

fields!(AttemptFields { 0 => participant, 1 => stan, 2 => transmitted_at });
fields!(PlannedBill { 0 => id, 1 => version, 2 => amount_minor, 3 => last_due });
fields!(Fee { 0 => label, 1 => amount, 2 => borne_by, 3 => timing });
fields!(Posting { 0 => account, 1 => side, 2 => amount });
fields!(Reservation { 0 => key, 1 => fingerprint, 2 => slots, 3 => counters, 4 => holds });
fields!(Hold { 0 => account, 1 => amount, 2 => floor_minor, 3 => reason });
fields!(Counter {
    0 => key,
    1 => delta,
    2 => ceiling,
    3 => window_end,
    4 => reason,
    5 => reason_once_full,
});
fields!(Slot { 0 => key, 1 => keep, 2 => reason_while_open, 3 => reason_once_kept });

/// An attempt as it is kept: without a STAN its participant knows it by the payment's id.
struct AttemptFields {
    participant: ParticipantId,
    stan: Option<Stan>,
    transmitted_at: Text<10>,
}

impl Field for Attempt {
    fn write(&self, out: &mut ValueWriter<'_>) {
        let trace = self.reference.trace();
        let transmitted_at = trace.map_or(Text::EMPTY, |trace| trace.transmitted_at);
        let stan = trace.map(|trace| trace.stan);
        AttemptFields { participant: self.participant, stan, transmitted_at }.write(out);
    }

    fn read(reader: &mut ValueReader<'_>) -> Result<Self, DecodeError> {
        let AttemptFields { participant, stan, transmitted_at } = Field::read(reader)?;
        let trace = stan.map(|stan| AttemptRef::Trace(RequestTrace { stan, transmitted_at }));
        Ok(Self { participant, reference: trace.unwrap_or(AttemptRef::Payment) })
    }
}

/// The lines, none where it is missing. Lines that do not balance are no entry.
impl Field for Entry {
    fn is_default(&self) -> bool {
        self.is_empty()
    }

    fn write(&self, out: &mut ValueWriter<'_>) {
        write_list(self.lines(), out);
    }

    fn read(reader: &mut ValueReader<'_>) -> Result<Self, DecodeError> {
        Self::new(Field::read(reader)?).map_err(|error| DecodeError::Entry(Box::new(error)))
    }

    fn missing(_: &'static str) -> Result<Self, DecodeError> {
        Ok(Self::default())
    }
}

/// Two numbers that stand for a way to keep, or the time until which a slot is kept.
impl Field for Keep {
    fn write(&self, out: &mut ValueWriter<'_>) {
        match self {
            Self::UntilOutcome => out.unsigned(1),
            Self::WhileApproved => out.unsigned(2),
            Self::Until(until) => {
                out.array(1);
                until.write(out);
            }
        }
    }

    fn read(reader: &mut ValueReader<'_>) -> Result<Self, DecodeError> {
        if reader.is_array() {
            reader.array_of(1, "keep")?;
            return Timestamp::read(reader).map(Self::Until);
        }
        let at = reader.at();
        match reader.code("keep")? {
            1 => Ok(Self::UntilOutcome),
            2 => Ok(Self::WhileApproved),
            _ => reader.invalid("keep", at),
        }
    }
}
