//! The files of the trace: one a participant and the one before it, each bounded.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use router::id::ParticipantId;
use rustix::fs::OFlags;

use super::lost;
use crate::log::Seldom;

/// The file of lines whose participant is not known: no participant's, for an id has no dot.
const UNSIGNED: &str = "before-sign-on.unsigned";

/// The folder of the trace.
#[derive(Debug)]
pub(super) struct Files {
    dir: PathBuf,
    file_bytes_max: u64,
}

/// Makes the folder, for its owner alone.
///
/// Errors: the system's.
pub(super) fn make_folder(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

impl Files {
    /// A folder whose files have at most so many bytes each.
    pub(super) fn new(dir: PathBuf, file_bytes_max: u64) -> Self {
        Self { dir, file_bytes_max }
    }

    /// Appends lines to the files of their participants. What cannot be written is counted.
    pub(super) fn append(&self, lines: impl Iterator<Item = (Option<ParticipantId>, String)>) {
        let mut by_file: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (participant, line) in lines {
            let name = participant.map_or_else(|| UNSIGNED.to_owned(), |id| name(id.as_str()));
            by_file.entry(name).or_default().push(line);
        }
        for (name, lines) in by_file {
            if let Err(error) = self.append_to(&name, &lines) {
                lost("disk", u64::try_from(lines.len()).unwrap_or(u64::MAX));
                static NOT_WRITTEN: Seldom = Seldom::new();
                if let Some(left_out) = NOT_WRITTEN.is_due() {
                    let dir = self.dir.display();
                    tracing::warn!(%dir, %error, left_out, "the trace of lines cannot be written");
                }
            }
        }
    }

    /// Errors: of `lines` some may be lost.
    fn append_to(&self, name: &str, lines: &[String]) -> io::Result<()> {
        let path = self.dir.join(format!("{name}.jsonl"));
        let mut text = String::new();
        let mut len = fs::symlink_metadata(&path).map_or(0, |file| file.len());
        for line in lines {
            let added = u64::try_from(line.len() + 1).unwrap_or(u64::MAX);
            if added > self.file_bytes_max {
                lost("too_long", 1);
                continue;
            }
            if len + added > self.file_bytes_max {
                write(&path, &std::mem::take(&mut text))?;
                fs::rename(&path, self.dir.join(format!("{name}.before.jsonl")))?;
                len = 0;
            }
            text.push_str(line);
            text.push('\n');
            len += added;
        }
        write(&path, &text)
    }
}

/// Appends to a file that is its owner's alone, and no link to another.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let no_link = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or_default();
    let mut options = OpenOptions::new();
    let options = options.append(true).create(true).mode(0o600).custom_flags(no_link);
    let mut file = options.open(path)?;
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        file.set_permissions(Permissions::from_mode(0o600))?;
    }
    file.write_all(text.as_bytes())
}

/// The name of a participant's file, another for each id: a byte that is no plain character of a file
/// name is written as `%` and two hexadecimal digits, as in an URL.
fn name(participant: &str) -> String {
    let mut name = String::new();
    for byte in participant.bytes() {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'_' => name.push(byte.into()),
            _ => name.push_str(&format!("%{byte:02X}")),
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(number: usize) -> (Option<ParticipantId>, String) {
        (ParticipantId::new("bank-a").ok(), format!("{{\"line\":{number:04}}}"))
    }

    fn read(dir: &Path, name: &str) -> String {
        fs::read_to_string(dir.join(name)).unwrap_or_default()
    }

    #[test]
    fn a_participant_s_trace_keeps_the_last_lines_and_no_more_than_two_files() {
        let dir = tempfile::tempdir().expect("a folder");
        let files = Files::new(dir.path().to_owned(), 60);
        for first in [0, 5, 10, 15] {
            files.append((first..first + 5).map(line));
        }
        let [before, now] = ["bank-a.before.jsonl", "bank-a.jsonl"].map(|it| read(dir.path(), it));
        assert!(before.len() <= 60 && now.len() <= 60, "{before}{now}");
        let last: String = (16..20).map(|number| line(number).1 + "\n").collect();
        assert!((before + &now).ends_with(&last));
        assert_eq!(fs::read_dir(dir.path()).expect("a folder").count(), 2);
        for file in fs::read_dir(dir.path()).expect("a folder") {
            let mode = file.expect("a file").metadata().expect("a file").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn a_link_in_place_of_a_file_is_not_followed() {
        let (dir, other) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir());
        let target = other.expect("a folder").keep().join("target");
        std::os::unix::fs::symlink(&target, dir.path().join("bank-a.jsonl")).expect("a link");
        Files::new(dir.path().to_owned(), 600).append([line(1)].into_iter());
        assert!(!target.exists());
    }

    #[test]
    fn no_name_of_a_participant_leads_out_of_the_folder() {
        assert_eq!(name("../bank/a"), "%2E%2E%2Fbank%2Fa");
        assert_ne!(name("bank.a"), name("bank_a"));
        assert_ne!(name("before-sign-on.unsigned"), UNSIGNED);
    }
}
