//! `cauce` as a newcomer runs it.

use std::process::Command;

fn cauce() -> Command {
    Command::new(env!("CARGO_BIN_EXE_cauce"))
}

fn output(command: &mut Command) -> (i32, String) {
    let output = command.output().expect("the program");
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn the_demonstration_goes_well_and_its_journal_is_whole() {
    let dir = tempfile::tempdir().expect("a folder");
    let free = ["http", "iso8583", "admin"].map(|section| format!("{section}.listen=127.0.0.1:0"));
    let mut demo = cauce();
    demo.args(["demo", "--once", "--data"]).arg(dir.path());
    for set in &free {
        demo.args(["--set", set]);
    }
    let (code, text) = output(&mut demo);
    assert_eq!(code, 0, "{text}");
    for line in ["approved", "declined", "duplicate", "silent bank", "late answer", "not built yet"]
    {
        assert!(text.contains(line), "{line} is missing:\n{text}");
    }
    assert!(!text.contains('✗'), "{text}");
    let told = std::fs::read_to_string(dir.path().join("demo.json")).expect("demo.json");
    let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!(told["billers"].as_array().map(Vec::len), Some(5));
    let modes = crate::program::modes(dir.path());
    let open: Vec<_> = modes.iter().filter(|(_, mode)| mode & 0o077 != 0).collect();
    assert!(open.is_empty(), "{open:?}");

    let (code, text) = output(cauce().args(["journal", "verify", "--data"]).arg(dir.path()));
    assert_eq!(code, 0, "{text}");
    let (code, text) = output(cauce().args(["journal", "export", "--data"]).arg(dir.path()));
    assert_eq!(code, 0, "{text}");
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("JSON lines")).collect();
    assert!(lines.iter().any(|line| line["kind"] == "intent"));
    assert!(!text.contains(loadtest::simulator::acquirer::TEST_CARD));
    let card = text.contains("400000******0002");
    assert!(card, "card numbers are masked, not lost");

    // The same folder again: no second tour.
    let (code, text) = output(&mut demo);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("the tour was made before"), "{text}");
}

#[test]
fn a_wrong_configuration_or_command_line_exits_64_and_says_everything() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("wrong.toml");
    std::fs::write(&file, "[http]\nport = 1\n[routes]\n").expect("a file");
    let (code, text) = output(cauce().args(["check", "--config"]).arg(&file));
    assert_eq!(code, 64, "{text}");
    assert!(text.contains("http.port: unknown key"), "{text}");
    assert!(text.contains("routes: a list of tables is expected"), "{text}");
    let (code, _) = output(cauce().arg("fly"));
    assert_eq!(code, 64);
    let (code, text) = output(cauce().arg("--help"));
    assert_eq!((code, text.contains("Examples:")), (0, true));
}
