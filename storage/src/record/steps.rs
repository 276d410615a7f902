//! The records that follow, and those that belong to no payment.

use router::outcome::{Approval, Decline, Outcome};
use router::posting::Entry;
use router::record::{
    AccountMovement, Concluded, LateAnswer, NoticeMark, PartConfirmed, PartOwed, Rerouted,
    Reversal, ReversalCause, ReversalConfirmed, ReversalStep,
};

use super::DecodeError;
use super::field::{Field, FieldFate, ValueReader, ValueWriter, fields, variants};

fields!(Rerouted { 0 => payment, 1 => at, 2 => attempt });
fields!(Concluded { 0 => payment, 1 => at, 2 => outcome, 3 => entry });
/// The field of what an outcome posted: the last.
const ENTRY: u64 = 3;

/// An outcome without what it posted.
pub(super) fn concluded_alone(reader: &mut ValueReader<'_>) -> Result<Concluded, DecodeError> {
    let (mut payment, mut at, mut outcome) = (None, None, None);
    reader.map(|number, reader| {
        match number {
            0 => payment = Some(Field::read(reader)?),
            1 => at = Some(Field::read(reader)?),
            2 => outcome = Some(Field::read(reader)?),
            ENTRY => return Ok(FieldFate::Enough),
            _ => return Ok(FieldFate::Unknown),
        }
        Ok(FieldFate::Known)
    })?;
    let missing = |field| DecodeError::Missing { field };
    Ok(Concluded {
        payment: payment.ok_or(missing("payment"))?,
        at: at.ok_or(missing("at"))?,
        outcome: outcome.ok_or(missing("outcome"))?,
        entry: Entry::default(),
    })
}

fields!(AccountMovement { 0 => at, 1 => entry });
fields!(NoticeMark { 0 => endpoint, 1 => through });
fields!(PartOwed { 0 => amount_minor, 1 => from_minor, 2 => stands_minor, 3 => key });
fields!(ReversalConfirmed { 0 => response_code, 1 => entry });
fields!(PartConfirmed { 0 => stands_minor, 1 => response_code, 2 => entry });
fields!(Approval { 0 => authorisation, 1 => bank_reference });
fields!(Decline { 0 => reason, 1 => network_code });
variants!(Outcome, "outcome", Approved = 1, Declined = 2, Unknown = 3);

fields!(pub(super) read reversal, Reversal { 0 => payment, 1 => at, 2 => step });
fields!(pub(super) read late, LateAnswer { 0 => payment, 1 => at, 2 => outcome });
/// The field of a reversal or late answer with the history of the payment that it opens again: all
/// that replay needs to do so.
const HISTORY: u64 = 3;

/// A pair: the step's number, and what it tells.
impl Field for ReversalStep {
    fn write(&self, out: &mut ValueWriter<'_>) {
        out.array(2);
        match self {
            Self::Owed(cause) => {
                out.unsigned(1);
                cause.write(out);
            }
            Self::Confirmed(confirmed) => {
                out.unsigned(2);
                confirmed.write(out);
            }
            Self::PartOwed(part) => {
                out.unsigned(3);
                part.write(out);
            }
            Self::PartConfirmed(part) => {
                out.unsigned(4);
                part.write(out);
            }
        }
    }

    fn read(reader: &mut ValueReader<'_>) -> Result<Self, DecodeError> {
        const FIELD: &str = "reversal step";
        reader.array_of(2, FIELD)?;
        let at = reader.at();
        match reader.code(FIELD)? {
            1 => Field::read(reader).map(Self::Owed),
            2 => Field::read(reader).map(Self::Confirmed),
            3 => Field::read(reader).map(Self::PartOwed),
            4 => Field::read(reader).map(Self::PartConfirmed),
            _ => reader.invalid(FIELD, at),
        }
    }
}

/// The number of a cause; why an outcome is unknown stands in a pair with it.
impl Field for ReversalCause {
    fn write(&self, out: &mut ValueWriter<'_>) {
        match self {
            Self::Unknown(cause) => {
                out.array(1);
                cause.write(out);
            }
            Self::Asked => out.unsigned(1),
            Self::LateAnswer => out.unsigned(2),
        }
    }

    fn read(reader: &mut ValueReader<'_>) -> Result<Self, DecodeError> {
        const FIELD: &str = "reversal cause";
        if reader.is_array() {
            reader.array_of(1, FIELD)?;
            return Field::read(reader).map(Self::Unknown);
        }
        let at = reader.at();
        match reader.code(FIELD)? {
            1 => Ok(Self::Asked),
            2 => Ok(Self::LateAnswer),
            _ => reader.invalid(FIELD, at),
        }
    }
}

pub(super) fn put_reversal(reversal: &Reversal, history: Option<&[u8]>, out: &mut Vec<u8>) {
    let Reversal { payment, at, step } = reversal;
    ValueWriter::new(out).map(|out| {
        out.field(0, payment);
        out.field(1, at);
        out.field(2, step);
        put_history(history, out);
    });
}

pub(super) fn put_late(late: &LateAnswer, history: Option<&[u8]>, out: &mut Vec<u8>) {
    let LateAnswer { payment, at, outcome } = late;
    ValueWriter::new(out).map(|out| {
        out.field(0, payment);
        out.field(1, at);
        out.field(2, outcome);
        put_history(history, out);
    });
}

pub(super) fn put_history(history: Option<&[u8]>, out: &mut ValueWriter<'_>) {
    if let Some(history) = history {
        out.bytes_field(HISTORY, history);
    }
}

/// The history that a reversal or late answer carries.
pub(super) fn history<'a>(reader: &mut ValueReader<'a>) -> Result<Option<&'a [u8]>, DecodeError> {
    let mut history = None;
    reader.map(|number, reader| {
        if number != HISTORY {
            return Ok(FieldFate::Unknown);
        }
        history = Some(reader.bytes("history")?);
        Ok(FieldFate::Enough)
    })?;
    Ok(history)
}

/// Appends the fields of a reversal or late answer as they are, but for the history.
pub(super) fn put_without_history(
    reader: &mut ValueReader<'_>,
    out: &mut Vec<u8>,
) -> Result<(), DecodeError> {
    let mut kept = Vec::new();
    reader.map(|number, reader| {
        let item = reader.item("value")?;
        kept.push((number, item));
        Ok(FieldFate::Known)
    })?;
    ValueWriter::new(out).map(|out| {
        let others = kept.iter().filter(|(number, _)| *number != HISTORY);
        others.for_each(|(number, item)| out.raw_field(*number, item));
    });
    Ok(())
}
