//! How long the journal's records are kept, and how long bills are remembered.

use std::time::Duration;

use super::ServiceConfig;
use super::cluster::Use;
use super::read::Section;

const DAY: Duration = Duration::from_hours(24);
/// How far back payments are looked for by terminal and RRN, in microseconds: as long as keys are
/// remembered.
pub const ORIGINAL_WITHIN_MICROS: i64 = 48 * 3_600_000_000;
/// Payments of so long are looked through for the original of a reversal.
const REVERSED_WITHIN: Duration = Duration::from_micros(ORIGINAL_WITHIN_MICROS.unsigned_abs());
const DAYS_MAX: u64 = 36_500;
/// The shortest time that bills are remembered.
///
/// A bill's counter is forgotten so long after its last payment, by each lane after the last one that
/// the lane took. Of two parts that lie further apart the earlier may be forgotten while the later
/// counts, and what a reversal of the earlier one gives back is not seen. A year keeps the parts of a
/// bill together that is paid once a year.
const BILL_DAYS_MIN: u64 = 366;

/// `storage.keep_for_days`; none where records are kept for ever.
pub(super) fn keep_for(section: &mut Section<'_>, use_of: Use) -> Option<Duration> {
    let days = section.number("keep_for_days", 0..=DAYS_MAX, 0);
    if days > 0 && use_of == Use::Needed {
        section
            .mistake("keep_for_days", "is for one machine; many nodes have scylla.retention_days");
    }
    (days > 0).then(|| DAY * u32::try_from(days).expect("invariant: the bounds fit"))
}

/// `storage.bill_retention_days`; none where bills are remembered for ever.
pub(super) fn bill_retention(section: &mut Section<'_>) -> Option<Duration> {
    let days = section.number("bill_retention_days", 0..=DAYS_MAX, 400);
    if (1..BILL_DAYS_MIN).contains(&days) {
        let problem = format!(
            "must be 0 or at least {BILL_DAYS_MIN}: parts of a bill that are paid further apart than \
             this are not counted together, and a bill may be paid in parts once a year"
        );
        section.mistake("bill_retention_days", problem);
    }
    (days > 0).then(|| DAY * u32::try_from(days).expect("invariant: the bounds fit"))
}

/// Refuses a time that is shorter than records are wanted for: by a repeat of a key, which gets the
/// first answer, by a reversal that names its payment, and by a notice that is still owed.
pub(super) fn check(config: &ServiceConfig, root: &Section<'_>) {
    let Some(keep_for) = config.storage.keep_for else { return };
    let keys = config.storage.key_retention * 2;
    let owed = config.notices.age_max * 2;
    let ahead = config.clock.off_max + keys;
    let least = [
        ("a repeat of a key is known for twice storage.key_retention_hours", keys),
        ("a reversal may name its payment for as long", REVERSED_WITHIN),
        (
            "a notice is owed for twice notices.age_max_s, and its payment kept a day longer",
            owed + DAY,
        ),
        ("the clock may be clock.off_max_days ahead, and keys are known behind that", ahead),
    ];
    for (name, least) in least {
        if keep_for < least {
            let hours = least.as_secs().div_ceil(3600);
            let problem = format!("must be at least {hours} hours: {name}");
            root.mistake("storage.keep_for_days", problem);
        }
    }
}
