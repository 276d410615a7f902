//! Bill bases and clearing files: the first byte chooses one of the layouts that are shipped, the
//! rest is a file.
#![no_main]

use std::fmt::Debug;
use std::sync::LazyLock;

use codecs::file::bill::BillRow;
use codecs::file::clearing::ClearingEntry;
use codecs::file::layout::Layout;
use codecs::file::read::{Policy, Refused, read_all};
use codecs::file::{Record, write, xlsx};
use libfuzzer_sys::fuzz_target;
use router::time::Timestamp;

macro_rules! layout {
    ($name:literal) => {
        LazyLock::new(|| {
            let text = include_str!(concat!("../../config/files/", $name, ".toml"));
            Layout::from_toml(text).expect("a layout")
        })
    };
}

static LAYOUTS: [LazyLock<Layout>; 6] = [
    layout!("bills-mx-csv"),
    layout!("bills-ar-fixed"),
    layout!("bills-xlsx"),
    layout!("clearing-csv"),
    layout!("clearing-fixed"),
    layout!("clearing-xlsx"),
];
/// The most mistakes a row tells: one for each of its fields.
const MISTAKES_PER_ROW: usize = 64;

fuzz_target!(|input: &[u8]| {
    let Some((choice, file)) = input.split_first() else { return };
    let layout = &LAYOUTS[usize::from(*choice) % LAYOUTS.len()];
    if layout.is_for::<BillRow>() {
        take::<BillRow>(layout, file);
    } else {
        take::<ClearingEntry>(layout, file);
    }
});

fn take<T: Record + Debug + PartialEq>(layout: &Layout, file: &[u8]) {
    let imported = match read_all::<T>(layout, file, Policy::KeepGood) {
        Ok(imported) => imported,
        Err(Refused::File(error)) => {
            assert!(error.to_string().len() < 400, "an error is a short line");
            return;
        }
        Err(Refused::Rows(_)) => panic!("good rows were to be kept"),
    };
    let summary = imported.summary;
    let rows = usize::try_from(summary.good + summary.bad).expect("few");
    assert!(imported.mistakes.len() <= rows * MISTAKES_PER_ROW);
    assert!(imported.mistakes.iter().all(|mistake| mistake.to_string().len() < 300));
    let all = read_all::<T>(layout, file, Policy::AllOrNothing);
    assert_eq!(all.is_ok(), imported.mistakes.is_empty(), "all or nothing");
    is_written_as_it_was_read(layout, &imported.records);
}

fn is_written_as_it_was_read<T: Record + Debug + PartialEq>(layout: &Layout, records: &[T]) {
    let written =
        write::write(layout, records).or_else(|_| xlsx::write(layout, records, Timestamp(0)));
    // A column that is not in the layout's character set, or a sum that does not fit.
    let Ok(written) = written else { return };
    let again = read_all::<T>(layout, &written, Policy::AllOrNothing);
    assert_eq!(again.expect("what was written can be read").records, records);
}
