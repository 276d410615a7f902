//! Which billers the switch of a data folder serves: it notes them at each start and each time it
//! reads its rules again, so that `cauce key create` knows an owner without a configuration.

use std::io;
use std::path::Path;

use router::id::BillerId;
use storage::private_file;

const FILE_NAME: &str = "billers";

/// Notes the billers, one id a line. Blocks.
///
/// Errors: the file cannot be written.
pub fn note<'a>(dir: &Path, billers: impl Iterator<Item = &'a BillerId>) -> io::Result<()> {
    let mut ids: Vec<&str> = billers.map(BillerId::as_str).collect();
    ids.sort_unstable();
    let mut text = ids.join("\n");
    text.push('\n');
    private_file::replace(&dir.join(FILE_NAME), text.as_bytes())
}

/// The billers that were noted; none where no switch has noted any. Blocks.
///
/// Errors: the file is there and cannot be read.
pub fn noted(dir: &Path) -> io::Result<Option<Vec<String>>> {
    match std::fs::read_to_string(dir.join(FILE_NAME)) {
        Ok(text) => Ok(Some(text.lines().filter(|id| !id.is_empty()).map(str::to_owned).collect())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_last_is_known_and_nothing_before_a_switch_has_noted_anything() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(noted(dir.path()).unwrap(), None);
        let ids = ["shop-2", "shop-1"].map(|id| BillerId::new(id).unwrap());
        note(dir.path(), ids.iter()).unwrap();
        let known = noted(dir.path()).unwrap();
        assert_eq!(known, Some(vec!["shop-1".to_owned(), "shop-2".to_owned()]));
        note(dir.path(), std::iter::empty()).unwrap();
        assert_eq!(noted(dir.path()).unwrap(), Some(vec![]));
    }
}
