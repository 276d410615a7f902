//! The data folder: its owner's alone, one process's at a time, with the keys its records need.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use crate::harness::{card_order, eventually, issuer};
use crate::program::{Site, modes};

#[tokio::test(flavor = "multi_thread")]
async fn every_file_of_the_data_folder_is_its_owner_s_alone_and_one_that_was_open_is_closed() {
    let issuer = issuer().await;
    let site = Site::new(issuer.addr(), "[storage]\nsegment_bytes_max = 65536\n");
    fs::create_dir(site.data()).expect("a folder");
    fs::set_permissions(site.data(), Permissions::from_mode(0o755)).expect("its mode");
    let running = site.start();
    let bank = site.bank().await;
    for _ in 0..100 {
        bank.pay(&card_order(15_000)).await.expect("an answer");
    }
    site.api("isp-ve");
    let found = modes(&site.data());
    let open: Vec<_> = found.iter().filter(|(_, mode)| mode & 0o077 != 0).collect();
    assert!(open.is_empty(), "{open:?}");
    let names = ["journal", "views", "api-keys.jsonl", "seal-local-1.key", "sealing-keys", "lock"];
    for name in names {
        assert!(found.iter().any(|(path, _)| path.ends_with(name)), "{name} is there");
    }
    running.stop().await;

    for (path, mode) in modes(&site.data()) {
        fs::set_permissions(path, Permissions::from_mode(mode | 0o055)).expect("its mode");
    }
    let running = site.start();
    site.bank().await;
    let open: Vec<_> =
        modes(&site.data()).into_iter().filter(|(_, mode)| mode & 0o077 != 0).collect();
    assert!(open.is_empty(), "{open:?}");
    running.stop().await;
    let log = fs::read_to_string(site.log()).expect("a log");
    assert!(log.contains("were open to other users"), "the log says so");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_folder_is_not_made_in_silence_however_little_the_log_says() {
    let issuer = issuer().await;
    for level in ["info", "warn", "error", "off"] {
        let site = Site::new(issuer.addr(), "");
        for (start, expect) in [("first", 1), ("second", 0)] {
            fs::remove_file(site.log()).ok();
            let running = site.start_with(&["--set", &format!("log.level={level}")]);
            site.bank().await;
            running.stop().await;
            let log = fs::read_to_string(site.log()).expect("a log");
            let place = site.data().display().to_string();
            let told = |line: &&str| line.contains("no data folder") && line.contains(&place);
            assert_eq!(log.lines().filter(told).count(), expect, "{level}, {start} start: {log}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_is_kept_out_although_the_lock_s_file_was_removed() {
    let issuer = issuer().await;
    let site = Site::new(issuer.addr(), "");
    let running = site.start();
    let bank = site.bank().await;
    let mut other = Site::new(issuer.addr(), "");
    other.move_data_to(&site);
    let told = other.start_in_vain();
    let pid = fs::read_to_string(site.data().join("lock")).expect("the lock's file");
    let place = site.data().display().to_string();
    assert!(told.contains(&place) && told.contains(pid.trim()), "{told}");

    fs::remove_file(site.data().join("lock")).expect("the lock's file");
    let told = other.start_in_vain();
    assert!(told.contains(&place) && told.contains("in use by another process"), "{told}");
    let (_, answer) = bank.pay(&card_order(15_000)).await.expect("an answer");
    assert_eq!(answer.response_code(), "00");
    running.stop().await;
    storage::verify::verify(&site.data()).expect("a whole journal");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_sealing_key_stops_the_start_and_none_is_made_in_its_place() {
    let issuer = issuer().await;
    let site = Site::new(issuer.addr(), "");
    let running = site.start();
    let bank = site.bank().await;
    eventually("the issuer to approve", async || {
        let (_, answer) = bank.pay(&card_order(15_000)).await.expect("an answer");
        answer.is_approved().then_some(())
    })
    .await;
    running.stop().await;
    let (key, aside) = (site.data().join("seal-local-1.key"), site.root.path().join("aside"));
    fs::rename(&key, &aside).expect("the key");
    let told = site.start_in_vain();
    assert!(told.contains("`local-1` is missing") && told.contains("seal-local-1.key"), "{told}");
    assert!(!key.exists(), "no other was made");
    fs::write(&key, "8f1b2c3d4e5f60718293a4b5c6d7e8f90123456789abcdef00112233445566aa")
        .expect("another key");
    let told = site.start_in_vain();
    assert!(told.contains("`local-1` is not the one"), "{told}");
    fs::rename(&aside, &key).expect("the key");
    let running = site.start();
    site.bank().await;
    running.stop().await;
}

#[test]
fn a_sealing_key_that_anyone_would_guess_is_a_mistake_of_the_configuration() {
    let key = "0".repeat(64);
    let extra = format!("[seal]\nactive = \"k\"\n[seal.keys]\nk = \"{key}\"\n");
    let site = Site::new(([127, 0, 0, 1], 9).into(), &extra);
    let told = site.start_in_vain();
    assert!(told.contains("seal.keys.k") && !told.contains(&key), "{told}");
}
