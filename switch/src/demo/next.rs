//! What to do next: one command for a merchant and one for a bank, to be pasted as they are.

use std::path::Path;

use super::sandbox::{MERCHANT_LOG, Sandbox};
use super::screen;
use crate::app::App;

/// Tells both commands.
pub(super) fn tell(dir: &Path, app: &App, sandbox: &Sandbox) {
    let key = sandbox.biller("isp-ve").map_or("", |biller| &biller.api_key);
    screen::line("\nNext, in another terminal of this machine:\n");
    screen::line("  # a merchant asks for a payment, and hears of it");
    screen::line(&merchant(&app.addresses.http.to_string(), key));
    let log = quoted(&dir.join(MERCHANT_LOG).display().to_string());
    screen::line(&format!("  tail -n 1 {log}\n"));
    screen::line("  # a bank sends a payment (0200) and gets its answer (0210)");
    let program = std::env::args().next().unwrap_or_else(|| "cauce".to_owned());
    screen::line(&bank(&program, &app.addresses.iso8583.to_string()));
}

/// One command line: `curl` of any age, and a key of idempotency that is new each second.
fn merchant(http: &str, key: &str) -> String {
    format!(
        "  curl -sS http://{http}/v1/payments \\\n    \
           -H 'Authorization: Bearer {key}' \\\n    \
           -H \"Idempotency-Key: $(date +%s)\" -H 'Content-Type: application/json' \\\n    \
           -d '{{\"rail\":\"account\",\"amount\":{{\"currency\":\"VES\",\"minor\":12300}},\n        \
           \"payer\":{{\"account\":\"01020000000000000001\"}}}}'; echo"
    )
}

/// One command line, in two lines where the path of the program is long.
fn bank(program: &str, iso8583: &str) -> String {
    let program = quoted(program);
    let short = format!("  {program} demo bank {iso8583}");
    match short.chars().count() {
        0..=80 => short,
        _ => format!("  {program} \\\n    demo bank {iso8583}"),
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
        assert_eq!(bank("cauce", "127.0.0.1:8583"), "  cauce demo bank 127.0.0.1:8583");
        let path = format!("/opt/{}/it's cauce", "long".repeat(15));
        let told = bank(&path, "127.0.0.1:8583");
        let line = told.lines().next().unwrap();
        assert!(line.starts_with("  '/opt/") && line.ends_with("/it'\\''s cauce' \\"), "{told}");
    }
}
