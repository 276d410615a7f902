//! The key of a bank's codes, changed by message and kept over a restart.

use std::path::PathBuf;

use super::*;
use crate::harness::start_app;

const CHANGE: &str = "0800 8220000000000000 0400000100000001 1126193003 000004 0101 \
                      19 5A59F17457F7ACF4E9DD932D5CAA721A 68DD0C F1C305BCD0F3AF1D";
/// An echo under the new key, and its answer.
const ECHO: &str = "0800 8220000000000000 0400000000000001 1126193004 000005 0301 8CA09DFEF940730D";
const ECHOED: &str =
    "0810 8220000002000000 0400000000000001 1126193004 000005 3030 0301 1D125AF4F2CF0663";

/// A switch whose bank has changed its key.
struct Changed {
    house: House,
    rules: String,
    /// Where the bank's format and keys are.
    _folder: TempDir,
}

impl Changed {
    async fn start() -> Self {
        let folder = folder();
        let rules = authenticated(folder.path());
        let house = House::start_with(&rules).await;
        let mut bank = signed_on(&house).await;
        change(&mut bank).await;
        Self { house, rules, _folder: folder }
    }

    fn file(&self) -> PathBuf {
        self.house.dir.path().join("session-keys")
    }

    async fn restarted(self) -> Self {
        let (dir, issuer) = self.house.stop().await;
        let app = start_app(dir.path(), &issuer, &self.rules).await;
        Self { house: House { app, issuer, dir }, ..self }
    }
}

async fn change(bank: &mut Caller) {
    let told = bank.ask(CHANGE).await;
    assert!(told.starts_with(&plain("0810")) && told.contains(&plain("3030 0101")), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_a_bank_has_sent_is_in_use_after_a_restart() {
    let changed = Changed::start().await.restarted().await;
    let mut bank = Caller::call(own_address(&changed.house.app)).await;
    // The sign-on under the old key, which is taken for a while.
    let sign_on = SIGN_ON.replace("0400000000000000", "0400000000000001");
    let told = bank.ask(&format!("{sign_on} 330F981D7FD4C244")).await;
    assert!(told.contains(&plain("3030 0001")), "{told}");
    assert!(!told.ends_with("A3E93234CCCA2B5B"), "that is the code of the old key: {told}");
    assert_eq!(bank.ask(ECHO).await, plain(ECHOED), "under the new key, both ways");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_key_that_cannot_be_opened_leaves_the_configured_one_until_another_comes() {
    for (what, from, to) in [
        ("a sealing key that is missing", "\"local-1\"", "\"k9\""),
        ("another sealing key", "\"ciphertext\":\"", "\"ciphertext\":\"00"),
        ("half a line", "\"}\n", ""),
    ] {
        let changed = Changed::start().await;
        let text = std::fs::read_to_string(changed.file()).expect("the file");
        assert!(!text.contains("5A59F174") && text.contains(from), "{what}: {text}");
        std::fs::write(changed.file(), text.replacen(from, to, 1)).expect("written");
        let changed = changed.restarted().await;
        // Asked and answered under the configured key, byte for byte.
        let mut bank = signed_on(&changed.house).await;
        change(&mut bank).await;
        assert_eq!(bank.ask(ECHO).await, plain(ECHOED), "{what}: a new exchange counts");
    }
}
