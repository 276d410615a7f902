//! What a start makes of the journal before anything is served: the last good snapshot, and the
//! records after it.
//!
//! One thread reads frames and holds them against checksum and chain; another folds them, for the
//! two take about as long.

use std::thread;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, Sender, bounded};

use crate::journal::{Damage, End, Head, Walked, walk};
use crate::record::bodies;
use crate::settings::Settings;
use crate::snapshot;
use crate::state::State;

/// Frames are handed to the fold in pieces of this many bytes or a little more: a hand-over costs
/// as much as many small frames.
const PIECE_LEN: usize = 256 << 10;
/// Pieces read ahead of the fold.
const PIECES_AHEAD_MAX: usize = 16;

/// What a replay came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replayed {
    /// Records after the snapshot.
    pub records: u64,
    /// The last record.
    pub sequence: u64,
    /// Payments that something is still owed for.
    pub open: usize,
    /// How long it took.
    pub took: Duration,
}

/// Replays the journal of a data folder, as a start does it, and keeps nothing of it.
///
/// The store does this by itself when it is opened; this is for tools and benchmarks.
///
/// Errors: [`Damage`] names the first thing that is wrong, and where.
pub fn replay_now(settings: &Settings) -> Result<Replayed, Damage> {
    let began = Instant::now();
    let (state, walked) = replay(settings)?;
    let (records, sequence) = (walked.records, walked.head.sequence);
    Ok(Replayed { records, sequence, open: state.fold.open.len(), took: began.elapsed() })
}

/// Frames on their way from the reader to the fold.
#[derive(Default)]
struct Piece {
    /// The first record of each frame, and where its records end.
    frames: Vec<(u64, usize)>,
    records: Vec<u8>,
}

/// Why the reader stopped.
enum Stopped {
    Damage(Damage),
    /// The fold takes nothing more.
    Unwanted,
}

impl From<Damage> for Stopped {
    fn from(damage: Damage) -> Self {
        Self::Damage(damage)
    }
}

/// The state as the last good snapshot and the journal after it give it.
pub(crate) fn replay(settings: &Settings) -> Result<(State, Walked), Damage> {
    let (mut state, head) = snapshot::load_latest(&settings.dir, settings.key_retention)?;
    let (ahead, pieces) = bounded(PIECES_AHEAD_MAX);
    thread::scope(|scope| {
        let reader = scope.spawn(move || read(settings, head, &ahead));
        // With the last piece, or the first error, the receiver goes, and the reader stops.
        let folded = fold(pieces, &mut state);
        let read = reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        folded?;
        match read {
            Ok(walked) => Ok((state, walked)),
            Err(Stopped::Damage(damage)) => Err(damage),
            Err(Stopped::Unwanted) => unreachable!("invariant: the fold stops with an error alone"),
        }
    })
}

fn read(settings: &Settings, head: Head, ahead: &Sender<Piece>) -> Result<Walked, Stopped> {
    let mut piece = Piece::default();
    let walked = walk(&settings.dir, head, End::Head, |_, frame| {
        piece.records.extend_from_slice(frame.body);
        piece.frames.push((frame.first_sequence, piece.records.len()));
        if piece.records.len() < PIECE_LEN {
            return Ok(());
        }
        ahead.send(std::mem::take(&mut piece)).map_err(|_| Stopped::Unwanted)
    })?;
    ahead.send(piece).map_err(|_| Stopped::Unwanted)?;
    Ok(walked)
}

fn fold(pieces: Receiver<Piece>, state: &mut State) -> Result<(), Damage> {
    let mut keys = Vec::new();
    for Piece { frames, records } in pieces {
        let mut begin = 0;
        for (first_sequence, end) in frames {
            for (sequence, body) in (first_sequence..).zip(bodies(&records[begin..end])) {
                let body = body.map_err(|source| Damage::Record { sequence, source })?;
                state.apply_but_keys(sequence, body, &mut keys)?;
            }
            begin = end;
        }
        state.guard.remember(keys.drain(..));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::sample::Sample;
    use crate::journal::{Files, Journal, dir_of};
    use crate::record::encode;
    use crate::seal::{Sealer, SealingKey};

    /// Frames of two payments each, the last of which may hold a step that cannot follow.
    fn settings(data: &std::path::Path, frames: u64, is_wrong: bool) -> Settings {
        let key = SealingKey { name: "k1".into(), bytes: [7; 32].into() };
        let sealer = Sealer::new("k1", vec![key]).unwrap();
        std::fs::create_dir_all(dir_of(data)).unwrap();
        let files = Files::open(data.to_owned(), None, 100_000, Duration::ZERO).unwrap();
        let mut journal = Journal::new(files, Head::ZERO);
        for frame in 0..frames {
            journal.begin();
            let [one, other] = [1, 2].map(|n| Sample::new(2 * frame + n));
            let intent =
                |sample: &Sample| router::record::Record::Intent(Box::new(sample.intent()));
            let third =
                if is_wrong && frame + 1 == frames { other.approved() } else { intent(&other) };
            for record in [intent(&one), one.approved(), third] {
                encode(&record, &sealer, journal.frame_mut());
            }
            journal.commit(3, None).unwrap();
        }
        Settings { segment_len_max: 100_000, ..Settings::new(data) }
    }

    #[test]
    fn a_replay_in_pieces_folds_every_record_in_order() {
        let dir = tempfile::tempdir().unwrap();
        // More than two pieces, in several segments.
        let settings = settings(dir.path(), 700, false);
        let replayed = replay_now(&settings).unwrap();
        let told = (replayed.records, replayed.sequence, replayed.open);
        assert_eq!(told, (2_100, 2_100, 700));
        let (state, walked) = replay(&settings).unwrap();
        assert!(walked.segments > 2);
        let mut whole = State::new(settings.key_retention);
        walk(&settings.dir, Head::ZERO, End::Head, |_, frame| {
            for (sequence, body) in (frame.first_sequence..).zip(bodies(frame.body)) {
                whole.apply(sequence, body.unwrap())?;
            }
            Ok::<(), Damage>(())
        })
        .unwrap();
        assert_eq!(state.image(&walked.head), whole.image(&walked.head));
    }

    #[test]
    fn a_record_that_cannot_follow_ends_a_replay_that_is_far_ahead() {
        let dir = tempfile::tempdir().unwrap();
        let settings = settings(dir.path(), 40, true);
        let told = replay_now(&settings);
        assert!(matches!(told, Err(Damage::Step { sequence: 120, .. })), "{told:?}");
    }
}
