//! A journal that is read while its oldest segments are removed.

use super::*;

/// Moves a journal's beginning to a record that the folder has no segment before.
fn begin_after(data: &Path, sequence: u64) {
    let head = Head { sequence, ..Head::ZERO };
    let state = State::new(LedgerProof::KEY_RETENTION);
    beginning::write(data, &head, &state, &[]).unwrap();
}

fn missed() -> Result<u64, Damage> {
    Err(Damage::MissingSegment { expected: 1, found: 5 })
}

#[test]
fn what_was_missed_since_the_beginning_moved_is_read_again_from_there() {
    let dir = tempfile::tempdir().unwrap();
    let mut begun = Vec::new();
    let found = from_its_beginning(dir.path(), |_, begun_after| {
        begun.push(begun_after.sequence);
        match begun.len() {
            reads @ (1 | 2) => {
                begin_after(dir.path(), reads as u64 * 4);
                missed()
            }
            _ => Ok(begun_after.sequence),
        }
    });
    assert_eq!((found.unwrap(), begun), (8, vec![0, 4, 8]));
}

#[test]
fn what_is_missing_while_the_beginning_stays_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    begin_after(dir.path(), 4);
    let mut reads = 0;
    let found = from_its_beginning(dir.path(), |_, _| {
        reads += 1;
        missed()
    });
    assert!(matches!(found, Err(Damage::MissingSegment { .. })), "{found:?}");
    assert_eq!(reads, 1);
}
