//! The formats that are compiled in, against messages of other projects.

use codecs::error::ErrorKind;
use codecs::iso8583::{Spec, Tree};

use crate::vectors::{self, Vector};

/// The shipped format a message belongs to, by the first part of its name.
const BELONG: [(&str, &str); 9] = [
    ("erl-postilion-forum", "postilion-like"),
    ("erl87-ascii", "iso87-ascii"),
    ("erl87-bcd", "iso87-bcd"),
    ("erl87-ebcdic", "iso87-ebcdic"),
    ("jpos-iso87a-full", "iso87-ascii"),
    ("jpos-iso87b-f64", "iso87-bcd"),
    ("jpos-iso93b-full", "iso93-bcd"),
    ("moov-dat", "iso87-ascii"),
    ("zemuldo-ascii", "iso87-ascii"),
];

/// What test messages put where the standard does not allow it, in hexadecimal, and something like it
/// that the standard does: a word in track 3, and amounts without a sign.
const CORRECTIONS: [(&str, &str); 3] = [
    (
        "54484520515549434B2042524F574E20464F58204A554D504544204F56455220544845204C415A5920444F47",
        "3031323334353637383930313233343536373839303132333435363738393031323334353637383930313233",
    ),
    (
        "303030303030313030303030303030323030303030303030333030303030303030343030",
        "433030303030313030443030303030323030433030303030333030443030303030343030",
    ),
    ("3000000100300000020030000003003000000400", "4300000100440000020043000003004400000400"),
];

fn corrected(vector: &Vector) -> Vec<u8> {
    let hex = hex::encode_upper(vector.bytes());
    let correct = |hex: String, (wrong, right): &(&str, &str)| hex.replacen(wrong, right, 1);
    hex::decode(CORRECTIONS.iter().fold(hex, correct)).expect("hexadecimal")
}

fn unpacked(spec: &Spec, vector: &Vector, bytes: &[u8]) -> Tree {
    spec.unpack(bytes).unwrap_or_else(|error| panic!("{} by {}: {error}", vector.id, spec.name()))
}

#[test]
fn shipped_formats_read_the_messages_that_belong_to_them() {
    let mut belonging = 0;
    for vector in vectors::all().iter().filter(|vector| vector.is_sound()) {
        let found = BELONG.iter().find(|(prefix, _)| vector.id.starts_with(prefix));
        let Some((_, name)) = found else { continue };
        let spec = Spec::builtin(name).expect("compiled in");
        let bytes = corrected(vector);
        let tree = unpacked(&spec, vector, &bytes);
        assert_eq!(tree, unpacked(&vector.spec(), vector, &bytes), "{}", vector.id);
        belonging += 1;
    }
    assert!(belonging >= 19, "{belonging}");
}

#[test]
fn what_the_standard_does_not_allow_is_refused_by_its_field() {
    let refused = |id: &str, name: &str| {
        let vectors = vectors::all();
        let vector = vectors.iter().find(|vector| vector.id == id).expect("a vector");
        let spec = Spec::builtin(name).expect("compiled in");
        let error = spec.unpack(&vector.bytes()).expect_err("refused");
        (error.kind, error.path().to_string())
    };
    let content = |field: &str| (ErrorKind::BadContent, field.to_owned());
    assert_eq!(refused("jpos-iso87a-full", "iso87-ascii"), content("28"));
    assert_eq!(refused("jpos-iso87b-f64", "iso87-bcd"), content("28"));
    assert_eq!(refused("jpos-iso93b-full", "iso93-bcd"), content("36"));
}

#[test]
fn shipped_formats_leave_nothing_to_be_said() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../config/iso8583");
    let mut files = 0;
    for file in std::fs::read_dir(folder).expect("a folder") {
        let path = file.expect("a file").path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("text");
        let lint = Spec::lint(&text);
        assert_eq!((lint.mistakes, lint.warnings), (vec![], vec![]), "{}", path.display());
        let name = path.file_stem().and_then(|stem| stem.to_str()).expect("a name");
        assert_eq!(Spec::builtin(name).expect("compiled in").name(), name);
        assert!(text.starts_with("# "), "{name} says what it is");
        files += 1;
    }
    assert_eq!(files, Spec::builtin_names().count());
}

#[test]
fn shipped_formats_hide_card_data_and_know_their_last_field() {
    for spec in Spec::builtin_names().filter_map(Spec::builtin) {
        for number in [2, 34, 35, 36, 45, 52] {
            let is_open = spec.field(number).is_some_and(|field| !field.secret);
            assert!(!is_open, "{} field {number}", spec.name());
        }
        if spec.name() != "cauce-87" {
            let seals = [64, 128].map(|number| spec.field(number).is_some_and(|field| field.mac));
            assert_eq!(seals, [true, true], "{}", spec.name());
        }
    }
}

#[test]
fn a_terminal_behind_a_tpdu_is_read_with_its_chip_data() {
    let spec = Spec::builtin("pos-tpdu").expect("compiled in");
    assert_eq!((spec.header_len(), spec.framing()), (5, Some("binary2")));
    // Bits 2 3 4 11 22 24 25 35 41 42 55 62, laid out by hand after the format's description.
    let message = hex::decode(concat!(
        "6000030000",
        "0200",
        "7020058020C00204",
        "165413330089010434",
        "000000",
        "000000002500",
        "000042",
        "0051",
        "0003",
        "00",
        "325413330089010434D251210112345678",
        "5445524D30303031",
        "4D45524348414E5430303030303031",
        "00119F26081122334455667788",
        "0006303030303037",
    ))
    .expect("hexadecimal");
    let tree = spec.unpack(&message).expect("read");
    let tree = serde_json::to_value(spec.masked(tree)).expect("JSON");
    let expect = serde_json::json!({"mti": "0200", "header": "6000030000", "fields": {
        "2": "541333******0434", "3": "000000", "4": "000000002500", "11": "000042", "22": "051",
        "24": "003", "25": "00", "35": "[32 hidden]", "41": "TERM0001", "42": "MERCHANT0000001",
        "55": {"9F26": "1122334455667788"}, "62": "000007"}});
    assert_eq!(tree, expect);
}

#[test]
fn private_data_of_postilion_holds_chip_data_behind_a_bitmap_of_its_own() {
    let spec = Spec::builtin("postilion-like").expect("compiled in");
    // Bits 1 3 11, then 127 with 2 and 25; the chip data has 2 and 26.
    let chip = "4000004000000000000000002500840";
    let message = [
        &b"0200"[..],
        &[0xA0, 0x20, 0, 0, 0, 0, 0, 0],
        &[0, 0, 0, 0, 0, 0, 0, 2],
        b"000000000042",
        b"000055",
        &[0x40, 0, 0, 0x80, 0, 0, 0, 0],
        b"100000000042",
        b"0031",
        chip.as_bytes(),
    ]
    .concat();
    let tree = spec.unpack(&message).map(|tree| serde_json::to_value(tree).expect("JSON"));
    let expect = serde_json::json!({"mti": "0200", "fields": {"3": "000000", "11": "000042",
        "127": {"2": "0000000042", "25": {"2": "000000002500", "26": "840"}}}});
    assert_eq!(tree, Ok(expect));
}

#[test]
fn data_sets_of_the_2003_edition_are_read_set_by_set() {
    let spec = Spec::builtin("iso03-ascii").expect("compiled in");
    // Bits 4, 39 and 55; of the chip data set 01 has a tag, set 71 is not defined.
    let sets = [&[0x01, 0, 4, 0x9C, 2, 0x12, 0x34][..], &[0x71, 0, 2, 0x20, 0]].concat();
    let message = [&b"210010000000020002008400000000002500"[..], b"0000", b"0012", &sets].concat();
    let tree = spec.unpack(&message).map(|tree| serde_json::to_value(tree).expect("JSON"));
    let expect = serde_json::json!({"mti": "2100", "fields": {"4": "8400000000002500",
        "39": "0000", "55": {"01": {"9C": "1234"}, "71": "2000"}}});
    assert_eq!(tree, Ok(expect));
}

#[test]
fn every_example_of_the_description_loads() {
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/../config/iso8583/README.md");
    let readme = std::fs::read_to_string(readme).expect("text");
    let blocks: Vec<&str> = readme
        .split("```toml\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap_or_default())
        .collect();
    for block in &blocks {
        let head = "name = 'x'\nmti = 'ascii'\nbitmap = 'hex'\n";
        let text = match block.chars().next() {
            Some('n') => (*block).to_owned(),
            Some('[') => format!("{head}{block}"),
            _ => format!("{head}[fields]\n{block}"),
        };
        assert_eq!(Spec::lint(&text).mistakes, [], "{block}");
    }
    assert_eq!(blocks.len(), 7);
    for name in Spec::builtin_names() {
        assert!(readme.contains(&format!("| `{name}` |")), "{name} is listed");
    }
}
