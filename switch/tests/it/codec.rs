//! `cauce codec` as its users run it, over the public messages of other projects.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

fn testdata(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../codecs/testdata").join(path)
}

/// Exit code and standard output of `cauce codec …` with an input.
fn codec(args: &[&str], input: &[u8]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cauce"));
    command.arg("codec").args(args).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().expect("the program");
    let mut stdin = child.stdin.take().expect("a pipe");
    // A usage error ends the program before it reads.
    let _ = stdin.write_all(input);
    drop(stdin);
    let output = child.wait_with_output().expect("its output");
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap_or(-1), String::from_utf8(text).expect("text"))
}

fn vectors(folder: &str) -> Vec<Value> {
    let files = fs::read_dir(testdata(folder)).expect("a folder");
    let mut paths: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    let read = |path: &PathBuf| fs::read(path).expect("a vector");
    paths.iter().map(|path| serde_json::from_slice(&read(path)).expect("JSON")).collect()
}

/// The options that name a vector's format.
fn spec_of(vector: &Value, folder: &Path) -> String {
    let path = match vector["spec"].as_str() {
        Some(name) => testdata("iso8583/specs").join(name).with_extension("json"),
        None => {
            let path = folder.join("inline.json");
            fs::write(&path, vector["inline_spec"].to_string()).expect("written");
            path
        }
    };
    path.to_str().expect("a name").to_owned()
}

#[test]
fn every_public_message_is_read_refused_and_written_as_its_source_asserts() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut read, mut refused) = (0, 0);
    for vector in vectors("iso8583/vectors") {
        let (spec, hex) = (spec_of(&vector, folder.path()), vector["hex"].as_str().expect("hex"));
        let mut args = vec!["decode", "--spec", &spec, "--reveal"];
        args.extend(vector["framing"].as_str().map(|_| "--framed"));
        let (code, line) = codec(&args, hex.as_bytes());
        let mut told: Value = serde_json::from_str(&line).expect("JSON");
        if let Some(expect) = vector["expect_error"].as_object() {
            assert_eq!(code, 1, "{line}");
            for key in ["kind", "field", "offset"] {
                assert_eq!(told["error"][key], expect[key], "{line}");
            }
            refused += 1;
            continue;
        }
        assert_eq!(code, 0, "{line}");
        let mut fields = told["fields"].take();
        fields["0"] = told["mti"].take();
        if told["header"].is_string() {
            fields["h"] = told["header"].take();
        }
        assert_eq!(fields, vector["expected"], "{}", vector["id"]);
        args.retain(|arg| *arg != "--reveal");
        args[0] = "encode";
        let (code, again) = codec(&args, line.as_bytes());
        assert_eq!((code, again.trim()), (0, hex.to_uppercase().as_str()), "{}", vector["id"]);
        read += 1;
    }
    assert_eq!((read, refused), (40, 6));
}

#[test]
fn every_public_qr_code_is_read_or_refused_as_its_source_asserts() {
    for vector in vectors("qr") {
        let format = match vector["scheme"].as_str().expect("a scheme") {
            "pix" => "pix",
            "epc069-12" => "epc",
            _ => "emvco",
        };
        let payload = match vector["payload_hex"].as_str() {
            Some(hex) => hex::decode(hex).expect("hexadecimal"),
            None => vector["payload"].as_str().expect("a payload").as_bytes().to_vec(),
        };
        let (code, line) = codec(&["decode", "--format", format], &payload);
        let told: Value = serde_json::from_str(&line).expect("JSON");
        if vector["expect_reject"].is_null() {
            assert_eq!((code, &told), (0, &vector["expected"]), "{line}");
        } else {
            assert_eq!(code, 1, "{line}");
            assert!(told["error"]["kind"].is_string() && told["error"]["message"].is_string());
        }
    }
}

#[test]
fn a_usage_guideline_is_applied_where_the_command_names_it() {
    let transfer =
        fs::read(testdata("iso20022/vectors/mx-fednow-invalid-eur.xml")).expect("a file");
    let decode = |more: &[&str]| {
        let (code, line) = codec(&[&["decode", "--format", "iso20022"], more].concat(), &transfer);
        let told: Value = serde_json::from_str(&line).expect("JSON");
        (code, told["error"]["kind"].as_str().map(str::to_owned))
    };
    assert_eq!(decode(&[]), (0, None));
    assert_eq!(decode(&["--guideline", "sepa"]), (0, None), "it is in euros");
    let refused = Some("currency_not_allowed".to_owned());
    assert_eq!(decode(&["--guideline", "fednow"]), (1, refused));
    let settled = Some("guideline_broken".to_owned());
    assert_eq!(decode(&["--guideline", "cbpr-plus"]), (1, settled));
}

#[test]
fn a_code_that_is_read_with_a_warning_is_refused_by_a_strict_command() {
    let name = "N".repeat(71);
    let payload = format!("BCD\n002\n1\nSCT\n\n{name}\nDE89370400440532013000\nEUR1");
    let (code, line) = codec(&["decode", "--format", "epc"], payload.as_bytes());
    let told: Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!((code, told["name"].as_str()), (0, Some(name.as_str())));
    assert_eq!(told["warnings"][0]["field"], "name");
    let (code, line) = codec(&["decode", "--format", "epc", "--strict"], payload.as_bytes());
    let told: Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!((code, told["error"]["kind"].as_str()), (1, Some("too_long")));
}

const ECHO: &str = "303830308220000000000000040000000000000031313233323131373232303030303432333031";

#[test]
fn each_line_is_answered_by_a_line_and_one_that_fails_fails_the_whole() {
    let input = format!("{ECHO}\n\n  {} 00\nxyz\n{}\n", ECHO, &ECHO[..60]);
    let (code, text) = codec(&["decode", "--spec", "cauce-87"], input.as_bytes());
    let lines: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(code, 1);
    assert_eq!(
        lines[0],
        json!({"mti":"0800","fields":{"7":"1123211722","11":"000042","70":"301"}})
    );
    assert_eq!(lines[1]["error"]["kind"], "trailing");
    assert_eq!(lines[1]["error"]["offset"], 39);
    assert_eq!(lines[2]["error"]["kind"], "bad_hex");
    assert_eq!(lines[3]["error"]["kind"], "short_data");
    assert_eq!(lines[3]["error"]["field"], "11");
    assert_eq!(lines.len(), 4);
}

#[test]
fn card_numbers_are_masked_unless_they_are_asked_for() {
    let message = br#"{"mti":"0200","fields":{"2":"4111111111111111","3":"000000","35":"4111111111111111=3012101","46":"card 5500000000000004"}}"#;
    let (code, hex) = codec(&["encode", "--spec", "cauce-87"], message);
    assert_eq!(code, 0, "{hex}");
    let (_, masked) = codec(&["decode", "--spec", "cauce-87"], hex.as_bytes());
    let told: Value = serde_json::from_str(&masked).expect("JSON");
    assert_eq!(
        told["fields"],
        json!({"2":"411111******1111","3":"000000","35":"[24 hidden]","46":"card 550000******0004"})
    );
    let (_, words) = codec(&["describe", "--spec", "cauce-87"], hex.as_bytes());
    assert!(words.contains("primary account number: 411111******1111"), "{words}");
    assert!(!words.contains('\u{1b}'), "colours are for terminals");
    for text in [masked, words] {
        assert!(!text.contains("4111111111111111") && !text.contains("5500000000000004"), "{text}");
    }
    let (_, clear) = codec(&["decode", "--spec", "cauce-87", "--reveal"], hex.as_bytes());
    assert!(clear.contains("4111111111111111"), "{clear}");
}

#[test]
fn only_what_decode_has_masked_is_not_written_again() {
    let message = br#"{"mti":"0200","fields":{"2":"4111111111111111","3":"000000","46":"card 5500000000000004","63":"CARD 541333******4111"}}"#;
    let (_, hex) = codec(&["encode", "--spec", "cauce-87"], message);
    let (_, clear) = codec(&["decode", "--spec", "cauce-87", "--reveal"], hex.as_bytes());
    let (code, again) = codec(&["encode", "--spec", "cauce-87"], clear.as_bytes());
    assert_eq!((code, again), (0, hex.clone()));
    let (_, masked) = codec(&["decode", "--spec", "cauce-87"], hex.as_bytes());
    let mut told: Value = serde_json::from_str(&masked).expect("JSON");
    assert_eq!(told["masked"], json!(["2", "46"]));
    // Field by field what was masked is put right.
    for (number, value) in [("2", "4111111111111111"), ("46", "card 5500000000000004")] {
        let (code, line) = codec(&["encode", "--spec", "cauce-87"], told.to_string().as_bytes());
        let fault: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!((code, &fault["error"]["kind"]), (1, &json!("masked")), "{line}");
        assert_eq!(fault["error"]["field"], number);
        told["fields"][number] = json!(value);
    }
    let (code, again) = codec(&["encode", "--spec", "cauce-87"], told.to_string().as_bytes());
    assert_eq!((code, again), (0, hex));
}

#[test]
fn what_cannot_be_written_is_told_with_its_path() {
    let fault = |message: &str| {
        let (code, line) = codec(&["encode", "--spec", "cauce-87"], message.as_bytes());
        assert_eq!(code, 1, "{line}");
        let told: Value = serde_json::from_str(&line).expect("JSON");
        let text = |key: &str| told["error"][key].as_str().expect("a text").to_owned();
        (text("kind"), text("field"))
    };
    let check = |message, kind: &str, field: &str| {
        assert_eq!(fault(message), (kind.to_owned(), field.to_owned()));
    };
    check(r#"{"mti":"0200","fields":{"4":"12"}}"#, "bad_length", "4");
    check(r#"{"mti":"0200","fields":{"3":"00000x"}}"#, "bad_content", "3");
    check(r#"{"mti":"0200","fields":{"129":"1"}}"#, "undefined_field", "129");
    check(r#"{"mti":"02","fields":{}}"#, "bad_value", "0");
    check("{", "bad_json", "line");
}

#[test]
fn a_format_that_is_not_there_is_a_usage_error_that_names_those_that_are() {
    let (code, text) = codec(&["decode", "--spec", "cauce-78"], b"");
    assert_eq!(code, 64, "{text}");
    assert!(text.contains("cauce-87"), "{text}");
    let (code, text) = codec(&["decode"], b"");
    assert_eq!(code, 64, "{text}");
    assert!(text.contains("--spec"), "{text}");
}
