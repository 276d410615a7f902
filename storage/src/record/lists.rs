//! The ceiling on lists: their length is one byte of a record.

use router::event::Event;
use router::plan::Plan;
use router::posting::Entry;
use router::record::{Intent, Record};
use router::reservation::Reservation;

/// Items a list of a record may have.
pub const LIST_LEN_MAX: usize = 255;

/// A list that does not fit a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ListTooLong {
    /// Its items.
    pub len: usize,
}

/// Holds every list of a record against the ceiling; what passes can be encoded.
pub(crate) fn check_lists(record: &Record) -> Result<(), ListTooLong> {
    match record {
        Record::Intent(intent) => check_intent(intent),
        Record::Outcome(_)
        | Record::Reversal(_)
        | Record::Account(_)
        | Record::Inquiry(_)
        | Record::Refund(_) => record.entry().map_or(Ok(()), check_entry),
        Record::Event(event) => check_event(event),
        Record::Refused(_)
        | Record::Rerouted(_)
        | Record::LateAnswer(_)
        | Record::NoticeMark(_)
        | Record::EarlyReversal(_)
        | Record::Awaiting(_)
        | Record::Confirming(_)
        | Record::Expired(_) => Ok(()),
    }
}

/// The same for an intent.
pub(crate) fn check_intent(intent: &Intent) -> Result<(), ListTooLong> {
    let Plan { routes, fees, entry, reservation, .. } = &intent.plan;
    let Reservation { holds, counters, slots, key: _, fingerprint: _ } = reservation;
    check(routes.len())?;
    check(fees.len())?;
    check_entry(entry)?;
    check(holds.len())?;
    check(counters.len())?;
    check(slots.len())
}

fn check_event(event: &Event) -> Result<(), ListTooLong> {
    check_entry(&event.entry)?;
    check(event.notices.len())?;
    if let Some(endpoint) = event.endpoint() {
        check(endpoint.types.len())?;
        check(endpoint.old_secrets.len())?;
    }
    Ok(())
}

fn check_entry(entry: &Entry) -> Result<(), ListTooLong> {
    check(entry.lines().len())
}

fn check(len: usize) -> Result<(), ListTooLong> {
    if len <= LIST_LEN_MAX { Ok(()) } else { Err(ListTooLong { len }) }
}
