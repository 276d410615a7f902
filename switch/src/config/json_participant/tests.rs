use std::path::Path;

use tempfile::TempDir;

use crate::config::{Config, Layers, load};

const ENTRY: &str = r#"
[[participants]]
id = "bank-j"
codec = "json"
[participants.json]
url = "https://api.bank.example/v2/"
dialect = "dialect.toml"
"#;

/// What becomes of an entry in a folder with the example dialect and two keys.
fn loaded(entry: &str) -> Result<Config, Vec<String>> {
    let folder = TempDir::new().unwrap();
    let example =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/participants/json/example-bank.toml");
    let dialect = std::fs::read_to_string(example).unwrap();
    // Without what must be signed.
    let quiet = dialect.split("[notification]").next().unwrap();
    for (name, text) in [
        ("dialect.toml", quiet),
        ("tells.toml", &dialect),
        ("odd.toml", &quiet.replace("{rail}", "{rails}")),
        ("endless.toml", &quiet.replace("[reverse", "[refund_no")),
        ("short.secret", "too short"),
        ("shared.secret", "a shared secret of the tests\n"),
    ] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let file = folder.path().join("bank-j.toml");
    std::fs::write(&file, entry).unwrap();
    let layers = Layers::compiled_in().with_file(&file).expect("layers");
    load(&layers).map_err(|mistakes| {
        mistakes.iter().map(|mistake| format!("{}: {}", mistake.key, mistake.problem)).collect()
    })
}

fn mistakes(from: &str, to: &str) -> Vec<String> {
    assert!(ENTRY.contains(from), "{from}");
    loaded(&ENTRY.replace(from, to)).err().unwrap_or_default()
}

#[test]
fn an_entry_names_an_address_and_a_dialect() {
    let signed = "dialect = \"dialect.toml\"\nconstants = { terminal = \"T-1\" }\n\
                  header_files = { x-api-key = \"shared.secret\" }\n\
                  [participants.json.sign]\nkind = \"hmac-sha256\"\nkey_id = \"us\"\n\
                  key_file = \"shared.secret\"";
    let config = loaded(&ENTRY.replace("dialect = \"dialect.toml\"", signed)).expect("no mistake");
    let participant = &config.participants[0];
    let json = participant.json.as_ref().expect("a JSON API");
    assert_eq!(json.url, "https://api.bank.example/v2");
    assert_eq!(json.headers["x-api-key"], "a shared secret of the tests");
    assert!(json.headers["x-api-key"].is_sensitive());
    assert_eq!(participant.in_flight_max, 512, "each request has a connection");
    let shown = format!("{json:?}");
    assert!(!shown.contains("a shared secret"), "{shown}");
}

#[test]
fn every_mistake_of_an_entry_is_told_with_its_key() {
    let url = "\"https://api.bank.example/v2/\"";
    let check = |from: &str, to: &str, expect: &str| {
        let told = mistakes(from, to);
        assert!(told.iter().any(|it| it.starts_with(expect)), "{to}: {told:?}");
    };
    check(url, "\"http://api.bank.example/\"", "participants[0].json.url: begins with http");
    check(
        url,
        "\"https://a@bank.example/\"",
        "participants[0].json.url: the address must not carry",
    );
    check(url, "\"https://bank.example/?a=1\"", "participants[0].json.url: has a query");
    check("dialect.toml", "none.toml", "participants[0].json.dialect: `none.toml` cannot be read");
    let odd = "participants[0].json.dialect: odd.toml: start.body.rail: there is no value `rails`";
    check("dialect.toml", "odd.toml", odd);
    check("dialect.toml", "endless.toml", "participants[0].json.dialect: ");
    check("dialect.toml", "tells.toml", "participants[0].json.verify: is missing");
    check("codec = \"json\"", "codec = \"cauce-87\"", "participants[0].json: needs codec");
    let connect = "codec = \"json\"\nconnect = \"127.0.0.1:1\"";
    check("codec = \"json\"", connect, "participants[0].connect: is for lines");
    let sign = |more: &str| format!("dialect = \"dialect.toml\"\n[participants.json.sign]\n{more}");
    let (dialect, key) = ("dialect = \"dialect.toml\"", "participants[0].json.sign.key_file");
    let short = sign("kind = \"hmac-sha256\"\nkey_id = \"us\"\nkey_file = \"short.secret\"");
    check(dialect, &short, &format!("{key}: what it names is shorter than 16 bytes"));
    let no_pem = sign("kind = \"ed25519\"\nkey_id = \"us\"\nkey_file = \"shared.secret\"");
    check(dialect, &no_pem, &format!("{key}: `shared.secret` cannot be used"));
    let no_part = sign(
        "kind = \"hmac-sha256\"\nkey_id = \"us\"\nkey_file = \"shared.secret\"\n\
                        components = [\"@method\", \"@path \"]",
    );
    check(dialect, &no_part, "participants[0].json.sign.components: `@path `");
    let none = "[[participants]]\nid = \"bank-j\"\ncodec = \"json\"\n";
    let told = loaded(none).err().unwrap_or_default();
    assert!(told.iter().any(|it| it.starts_with("participants[0].json: is missing")), "{told:?}");
}

#[test]
fn clear_text_is_for_this_machine_or_for_who_asks_for_it() {
    let url = "url = \"https://api.bank.example/v2/\"";
    for fit in [
        "url = \"http://127.0.0.1:9581\"",
        "url = \"http://localhost:9581\"",
        "url = \"http://[::1]:9581/\"",
        "dangerous_clear_text = true\nurl = \"http://bank.example/\"",
    ] {
        assert_eq!(mistakes(url, fit), [""; 0], "{fit}");
    }
}
