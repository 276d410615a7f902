use super::*;

const SOUND: &str = r#"
name = "demo"
content = "bills"
format = "csv"
currency = "MXN"
[csv]
header = true
[fields]
bill_no = { column = "A" }
client_id = { column = 2 }
amount = { column = "C" }
"#;

fn mistakes(toml: &str) -> Vec<String> {
    let errors = Layout::from_toml(toml).expect_err("mistakes");
    errors.into_iter().map(|error| error.key).collect()
}

fn keys_of(change: (&str, &str)) -> Vec<String> {
    assert!(SOUND.contains(change.0), "{change:?}");
    mistakes(&SOUND.replace(change.0, change.1))
}

#[test]
fn a_sound_layout_is_taken() {
    let layout = Layout::from_toml(SOUND).expect("a layout");
    assert_eq!((layout.name(), layout.is_for::<crate::file::bill::BillRow>()), ("demo", true));
}

#[test]
fn the_layouts_that_are_shipped_have_no_mistakes() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/files");
    let mut count = 0;
    for file in std::fs::read_dir(folder).expect("a folder") {
        let path = file.expect("a file").path();
        let toml = std::fs::read_to_string(&path).expect("a layout");
        let layout = Layout::from_toml(&toml);
        let layout = layout.unwrap_or_else(|errors| panic!("{}: {errors:?}", path.display()));
        assert_eq!(path.file_stem().and_then(|stem| stem.to_str()), Some(layout.name()));
        count += 1;
    }
    assert_eq!(count, 6);
}

#[test]
fn every_mistake_is_named_at_once() {
    let toml = SOUND
        .replace("MXN", "XXZ")
        .replace("bills", "invoices")
        .replace("header = true", "header = false\ndelimiter = \"é\"");
    let expect = [
        "content",
        "csv.delimiter",
        "currency",
        "fields.bill_no",
        "fields.amount",
        "fields.amount",
    ];
    assert_eq!(mistakes(&toml), expect);
}

#[test]
fn each_key_keeps_its_rule() {
    assert_eq!(keys_of(("name =", "nom =")), [""]);
    assert_eq!(keys_of(("[csv]", "color = 1\n[csv]")), [""]);
    assert_eq!(keys_of(("\"csv\"", "\"pdf\"")), ["csv", "format"]);
    assert_eq!(keys_of(("\"csv\"", "\"fixed\"")).first().map(String::as_str), Some("csv"));
    assert_eq!(keys_of(("amount =", "amont =")), ["fields.amont", "fields.amount"]);
    assert_eq!(keys_of(("column = 2", "column = 0")), ["fields.client_id"]);
    assert_eq!(keys_of(("column = 2", "column = 257")), ["fields.client_id"]);
    assert_eq!(keys_of(("column = 2", "colum = 2")), ["fields.client_id"]);
    assert_eq!(keys_of(("column = 2", "start = 2, length = 3")), ["fields.client_id"]);
    assert_eq!(keys_of(("\"C\"", "\"A\"")), ["fields.amount"]);
    for (key, line) in [
        ("encoding", "encoding = \"ebcdic\""),
        ("date_pattern", "date_pattern = \"DDMM\""),
        ("date_pattern", "date_pattern = \"YYYYMMDDhhmmss\""),
        ("instant_pattern", "instant_pattern = \"YYYYMMDD\""),
        ("decimal_mark", "decimal_mark = \"x\""),
        ("decimal_mark", "decimal_mark = \".\"\nimplied_decimals = 2"),
        ("decimal_mark", "implied_decimals = 1"),
        ("yes", "yes = \"0\""),
    ] {
        assert_eq!(keys_of(("[csv]", &format!("{line}\n[csv]"))), [key], "{line}");
    }
    let totals = "[totals]\nrecord = \"trailer\"\ncount = { column = 1 }";
    assert_eq!(mistakes(&format!("{SOUND}{totals}")), ["totals.record"]);
    let records = "[records]\nat = { column = 9 }\nheader = \"T\"\ntrailer = \"T\"";
    assert_eq!(mistakes(&format!("{SOUND}{records}")), ["records"]);
}

#[test]
fn fixed_places_lie_within_the_row_and_apart() {
    let fixed = SOUND
        .replace("\"csv\"", "\"fixed\"")
        .replace("[csv]\nheader = true", "[fixed]\nlength = 10")
        .replace("column = \"A\"", "start = 1, length = 3")
        .replace("column = 2", "start = 4, length = 3")
        .replace("column = \"C\"", "start = 7, length = 4");
    assert!(Layout::from_toml(&fixed).is_ok());
    for bad in ["start = 7, length = 5", "start = 0, length = 1", "start = 7, length = 0"] {
        let changed = fixed.replace("start = 7, length = 4", bad);
        assert_eq!(mistakes(&changed), ["fields.amount"], "{bad}");
    }
    let huge = fixed.replace("length = 4", &format!("length = {}", i64::MAX));
    assert_eq!(mistakes(&huge), ["fields.amount"]);
    let over = fixed.replace("start = 7, length = 4", "start = 6, length = 4");
    assert_eq!(mistakes(&over), ["fields.amount"]);
}
