//! What to do next: one command for a merchant and one for a bank, to be pasted as they are.

use std::path::{Path, PathBuf};

use super::sandbox::{MERCHANT_LOG, Sandbox};
use super::screen;
use crate::app::App;

/// Tells both commands.
pub(super) fn tell(dir: &Path, app: &App, sandbox: &Sandbox) {
    let key = sandbox.biller("isp-ve").map_or("", |biller| &biller.api_key);
    screen::line("\nNext, in another terminal of this machine:\n");
    screen::line("  # a merchant asks for a payment, and hears of it");
    screen::line(&merchant(&app.addresses.http.to_string(), key));
    screen::line(&format!("{}\n", notice(&dir.join(MERCHANT_LOG).display().to_string())));
    screen::line("  # a bank sends a payment (0200) and gets its answer (0210)");
    screen::line(&bank(&program(), &app.addresses.iso8583.to_string()));
}

/// This program as any shell of this machine finds it: by its name where the first program of that
/// name on the `PATH` is this one, and else by its whole path.
fn program() -> String {
    let Ok(whole) = std::env::current_exe() else { return "cauce".to_owned() };
    let paths = std::env::var_os("PATH").unwrap_or_default();
    named(&whole, std::env::split_paths(&paths))
}

fn named(whole: &Path, mut folders: impl Iterator<Item = PathBuf>) -> String {
    let short = whole.file_name().unwrap_or_default();
    // A folder of the PATH that is not absolute is another one in another terminal.
    let first = folders.find_map(|folder| {
        let found = folder.is_absolute().then(|| folder.join(short))?;
        found.is_file().then_some(found)
    });
    let is_found = first.and_then(|found| found.canonicalize().ok()).as_deref() == Some(whole);
    let name = if is_found { Path::new(short) } else { whole };
    name.display().to_string()
}

/// One command line: `curl` of any age, and a key of idempotency that is new each second. The answer
/// is shown, and kept for [`notice`].
fn merchant(http: &str, key: &str) -> String {
    format!(
        "  PAID=$(curl -sS http://{http}/v1/payments \\\n    \
           -H 'Authorization: Bearer {key}' \\\n    \
           -H \"Idempotency-Key: $(date +%s)\" -H 'Content-Type: application/json' \\\n    \
           -d '{{\"rail\":\"account\",\"amount\":{{\"currency\":\"VES\",\"minor\":12300}},\n        \
           \"payer\":{{\"account\":\"01020000000000000001\"}}}}'); echo \"$PAID\""
    )
}

/// Waits for the notice of that payment, a few seconds at most: it comes a moment after the answer.
fn notice(log: &str) -> String {
    let log = quoted(log);
    format!(
        "  ID=$(echo \"$PAID\" | grep -o 'pay_[0-9A-Za-z]*' | head -n 1)\n  \
           [ -n \"$ID\" ] && for second in 1 2 3 4 5; do\n    \
           grep \"$ID\" {log} \\\n    \
           && break; sleep 1; done"
    )
}

/// One command line.
fn bank(program: &str, iso8583: &str) -> String {
    in_two_lines(&quoted(program), &format!("demo bank {iso8583}"))
}

/// A command line, broken in two where it is too long for one.
fn in_two_lines(begin: &str, end: &str) -> String {
    let short = format!("  {begin} {end}");
    match short.chars().count() {
        0..=80 => short,
        _ => format!("  {begin} \\\n    {end}"),
    }
}

/// A word as a shell reads it.
fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+:@%".contains(&byte);
    match !word.is_empty() && word.bytes().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_fit_80_columns_and_paths_are_quoted_for_a_shell() {
        let key = format!("ck_{}", "x".repeat(43));
        for line in merchant("127.0.0.1:65535", &key).lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
        for line in notice("/tmp/cauce-demo-1234567/merchant.jsonl").lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
        assert_eq!(bank("cauce", "127.0.0.1:8583"), "  cauce demo bank 127.0.0.1:8583");
        let root = tempfile::tempdir().unwrap();
        let [own, other] = ["own", "other"].map(|name| root.path().join(name));
        for folder in [&own, &other] {
            std::fs::create_dir(folder).unwrap();
            std::fs::write(folder.join("cauce"), "").unwrap();
        }
        let whole = own.join("cauce").canonicalize().unwrap();
        let check = |folders: &[&Path], expect: &str| {
            assert_eq!(named(&whole, folders.iter().map(|path| path.to_path_buf())), expect);
        };
        check(&[&own, &other], "cauce");
        check(&[&other, &own], whole.to_str().unwrap());
        check(&[Path::new("own")], whole.to_str().unwrap());
        let path = format!("/opt/{}/it's cauce", "long".repeat(15));
        let told = bank(&path, "127.0.0.1:8583");
        let line = told.lines().next().unwrap();
        assert!(line.starts_with("  '/opt/") && line.ends_with("/it'\\''s cauce' \\"), "{told}");
    }
}
