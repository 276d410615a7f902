//! camt.054 as a clearing file: what a bank notifies, as entries, and entries as a notification.
//!
//! A notification states what was credited or debited. It knows no fee, rail or authorisation: read,
//! the fee is zero; written, they are left out.

use router::money::Money;
use router::time::{Date, Timestamp, Zone};

use super::clearing::ClearingEntry;
use super::pattern::Pattern;
use super::{RowError, RowErrorKind};
use crate::iso20022::write::{Booking, Direction};
use crate::iso20022::{Amount, Entry, Iso20022, Transaction};

const MICROS_PER_SECOND: i64 = 1_000_000;

/// The entries of a notification, one for each transaction of an entry, or for the entry where it
/// details none.
///
/// Shape:  debits are negative; the folio is `NtryRef`, else the bank's reference; the bill's number
///         is the structured document number, else what the payer wrote.
/// Errors: a row without folio, amount or date, with its number from 1 and the amount's offset.
pub fn entries(message: &Iso20022<'_>) -> Vec<Result<ClearingEntry, RowError>> {
    let rows = message.entries.iter().flat_map(|entry| {
        let whole = entry.details.is_empty().then_some((entry, None));
        whole.into_iter().chain(entry.details.iter().map(move |detail| (entry, Some(detail))))
    });
    (1..).zip(rows).map(|(row, (entry, detail))| read_row(row, entry, detail)).collect()
}

fn read_row(
    row: u64,
    entry: &Entry<'_>,
    detail: Option<&Transaction<'_>>,
) -> Result<ClearingEntry, RowError> {
    // An entry of many transactions states the sum; each of them states its own amount.
    let only = entry.details.len() < 2;
    let of_entry = entry.amount.as_ref().filter(|_| only);
    let stated = detail.and_then(|detail| detail.amount.as_ref()).or(of_entry);
    let offset = stated.map_or(0, |amount| amount.offset);
    let fault = |field: &str, kind, rule| RowError {
        row,
        offset: u64::try_from(offset).unwrap_or(u64::MAX),
        field: field.to_owned(),
        column: 0,
        kind,
        rule,
    };
    let missing = |field| fault(field, RowErrorKind::Missing, "is needed and not there");
    let folio = entry.reference.as_deref().or(entry.bank_reference.as_deref());
    let direction = detail.and_then(|detail| detail.direction.as_deref());
    let direction = direction.or(entry.direction.as_deref());
    let amount = signed(stated.ok_or_else(|| missing("amount"))?, direction)
        .ok_or_else(|| fault("amount", RowErrorKind::BadAmount, "is an amount of its currency"))?;
    let booked = entry.booked.as_deref().ok_or_else(|| missing("paid_at"))?;
    let word = |pick: for<'d> fn(&'d Transaction<'_>) -> Option<&'d str>| {
        detail.and_then(pick).map(str::to_owned)
    };
    Ok(ClearingEntry {
        folio: folio.ok_or_else(|| missing("folio"))?.to_owned(),
        bill_no: word(|detail| detail.document_number.as_deref().or(detail.remittance.as_deref())),
        client_id: word(|detail| detail.creditor_reference.as_deref()),
        amount,
        fee: Money::zero(amount.currency),
        net: amount,
        paid_at: instant(booked)
            .ok_or_else(|| fault("paid_at", RowErrorKind::BadDate, "is a day or an instant"))?,
        rail: None,
        reference: word(|detail| detail.end_to_end_id.as_deref()),
        authorisation: None,
    })
}

/// What came in, or with a minus what went out.
fn signed(amount: &Amount<'_>, direction: Option<&str>) -> Option<Money> {
    let money = amount.money?;
    match direction {
        Some("CRDT") => Some(money),
        Some("DBIT") => money.checked_neg().ok(),
        _ => None,
    }
}

/// A day (its first instant in UTC), or an instant with or without its offset from UTC.
fn instant(text: &str) -> Option<Timestamp> {
    let pattern = |pattern| Pattern::parse(pattern).expect("invariant: a sound pattern");
    let Some((seconds, rest)) = text.split_at_checked("YYYY-MM-DDThh:mm:ss".len()) else {
        let date = pattern("YYYY-MM-DD").read_date(text)?;
        return Some(Timestamp(i64::from(date.0) * 86_400 * MICROS_PER_SECOND));
    };
    let local = pattern("YYYY-MM-DDThh:mm:ss").read_instant(seconds)?;
    let zone = rest.trim_start_matches(|sign: char| sign == '.' || sign.is_ascii_digit());
    Some(local.plus_micros(-offset_seconds(zone)? * MICROS_PER_SECOND))
}

/// `Z`, `+01:00`, `-04:00`; nothing is taken for UTC.
fn offset_seconds(zone: &str) -> Option<i64> {
    let sign = match zone.as_bytes().first() {
        None | Some(b'Z') => return (zone.len() < 2).then_some(0),
        Some(b'+') => 1,
        Some(b'-') => -1,
        Some(_) => return None,
    };
    let (hours, minutes) = zone[1..].split_once(':')?;
    let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
    let is_sound = (0..15).contains(&hours) && (0..60).contains(&minutes);
    is_sound.then_some(sign * (hours * 3600 + minutes * 60))
}

/// The bookings of a notification, by which [`crate::iso20022::write`] writes it.
///
/// Shape: what is paid out is booked, on the day of the zone; the folio is the entry's reference.
pub fn bookings<'a>(entries: &'a [ClearingEntry], zone: &Zone) -> Vec<Booking<'a>> {
    entries.iter().map(|entry| booking(entry, zone.date(entry.paid_at))).collect()
}

fn booking(entry: &ClearingEntry, day: Date) -> Booking<'_> {
    let is_debit = entry.net.minor < 0;
    let amount = if is_debit { entry.net.checked_neg().ok() } else { None };
    Booking {
        reference: Some(&entry.folio),
        amount: amount.unwrap_or(entry.net),
        direction: if is_debit { Direction::Debit } else { Direction::Credit },
        booked: day,
        value_date: day,
        bank_reference: None,
        instr_id: None,
        end_to_end_id: entry.reference.as_deref(),
        tx_id: None,
        uetr: None,
        debtor: None,
        creditor: None,
        remittance: entry.bill_no.as_deref(),
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use router::money::Currency;

    use super::*;
    use crate::iso20022::write::{BankAccount, Group, Notification, Outgoing, write};
    use crate::iso20022::{MessageId, read};

    /// A public camt.054: an entry of two transactions, with their own amounts and directions.
    const NOTIFICATION: &[u8] =
        include_bytes!("../../testdata/iso20022/vectors/genkgo-camt054-v8.xml");

    #[test]
    fn a_bank_s_notification_is_read_as_entries() {
        let message = read(NOTIFICATION).expect("a notification");
        let found = entries(&message);
        let first = found[0].as_ref().expect("an entry");
        assert_eq!(first.amount.to_string(), "3.10 CHF");
        assert_eq!(
            (first.paid_at.0, first.folio.as_str()),
            (1_192_665_600_000_000, "ACSR160617103200001")
        );
        assert_eq!((first.net, first.fee.minor), (first.amount, 0));
    }

    #[test]
    fn instants_are_read_with_their_offset() {
        let day = |text| instant(text).map(|at| at.0 / MICROS_PER_SECOND);
        assert_eq!(day("1970-01-02"), Some(86_400));
        assert_eq!(day("1970-01-02T01:00:00+01:00"), Some(86_400));
        assert_eq!(day("1970-01-01T20:00:00.123-04:00"), Some(86_400));
        assert_eq!(day("1970-01-02T00:00:01Z"), Some(86_401));
        assert_eq!(day("1970-01-02T00:00:01"), Some(86_401));
        for bad in ["1970-13-02", "1970-01-02T00:00:00+25:00", "1970-01-02T00:00:00x", "", "Z"] {
            assert_eq!(day(bad), None, "{bad}");
        }
    }

    #[test]
    fn entries_written_as_a_notification_are_read_as_they_were() {
        let currency = Currency::from_code("MXN").expect("a currency");
        let entry = |folio: &str, minor| ClearingEntry {
            folio: folio.to_owned(),
            bill_no: Some("INV-0001".to_owned()),
            client_id: None,
            amount: Money::new(minor, currency),
            fee: Money::zero(currency),
            net: Money::new(minor, currency),
            paid_at: Timestamp(20_000 * 86_400 * MICROS_PER_SECOND),
            rail: None,
            reference: Some("E2E-1".to_owned()),
            authorisation: None,
        };
        let cleared = [entry("000000000001", 50_000), entry("000000000002", -1_250)];
        let zone = Zone { offsets: vec![(Timestamp(i64::MIN), 0)] };
        let group = Group {
            msg_id: "M1",
            created: Timestamp(20_001 * 86_400 * MICROS_PER_SECOND),
            instructing: None,
            instructed: None,
        };
        let bookings = bookings(&cleared, &zone);
        let account = BankAccount::Other("002010077777777771");
        let notification =
            Notification { group, id: "N1", account, owner: None, entries: &bookings };
        let outgoing = Outgoing::Notification(notification);
        let version = MessageId::parse("camt.054.001.08").expect("a version");
        let mut out = BytesMut::new();
        write(&outgoing, version, None, &mut out).expect("written");
        let message = read(&out).expect("read");
        let again: Result<Vec<_>, _> = entries(&message).into_iter().collect();
        assert_eq!(again.expect("every row"), cleared);
    }

    #[test]
    fn a_row_that_cannot_be_read_says_which_and_why() {
        let text = std::str::from_utf8(NOTIFICATION).expect("text");
        let broken = text.replacen("<CdtDbtInd>", "<CdtDbtInd>X", usize::MAX);
        let message = read(broken.as_bytes()).expect("still a notification");
        let error = entries(&message).remove(0).expect_err("no direction");
        assert_eq!((error.row, error.field.as_str()), (1, "amount"));
        assert_eq!(error.kind, RowErrorKind::BadAmount);
        let at = usize::try_from(error.offset).expect("an offset");
        assert!(broken[at..].starts_with('<'), "{}", &broken[at..at + 20]);
    }
}
