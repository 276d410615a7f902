//! API keys: the command beside a running switch.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use switch::keys::Role;

use crate::api::Api;
use crate::harness::{House, eventually, issuer};
use crate::program::Site;

/// `cauce key` on a data folder.
fn command(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cauce"));
    command.arg("key").args(arguments).arg("--data").arg(dir);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(dir: &Path, arguments: &[&str]) -> Output {
    command(dir, arguments).output().expect("an end")
}

/// What a command that went well has printed.
fn printed(output: &Output) -> String {
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    String::from_utf8(output.stdout.clone()).expect("text").trim().to_owned()
}

/// The ids that are listed, and their owners.
fn listed(dir: &Path) -> Vec<(String, String)> {
    let printed = printed(&run(dir, &["list"]));
    let line = |line: &str| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        (columns[0].to_owned(), columns[4].to_owned())
    };
    printed.lines().skip(1).map(line).collect()
}

async fn status(house: &House, key: &str) -> u16 {
    Api::with_key(house, key).get("/v1/endpoints").await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_and_a_rotated_one_are_dead_at_the_next_request() {
    let house = House::start().await;
    let dir = house.dir.path();
    let create = ["create", "--role", "biller", "--owner", "isp-ve"];
    let (one, two) = (printed(&run(dir, &create)), printed(&run(dir, &create)));
    assert_eq!((status(&house, &one).await, status(&house, &two).await), (200, 200));
    let ids = listed(dir);
    assert!(ids.iter().all(|(id, owner)| id.starts_with("key_") && owner == "isp-ve"), "{ids:?}");

    printed(&run(dir, &["revoke", &ids[0].0]));
    assert_eq!((status(&house, &one).await, status(&house, &two).await), (401, 200));
    let three = printed(&run(dir, &["rotate", &ids[1].0]));
    assert_eq!((status(&house, &two).await, status(&house, &three).await), (200, 200));
    let four = printed(&run(dir, &["rotate", &two, "--now"]));
    assert_eq!((status(&house, &two).await, status(&house, &four).await), (401, 200));
    assert_eq!(listed(dir).len(), 2);
    let again = run(dir, &["revoke", &ids[0].0]);
    assert!(!again.status.success());
    assert!(String::from_utf8_lossy(&again.stderr).contains(&ids[0].0));
    let shown = printed(&run(dir, &["list"]));
    assert!([&one, &two, &three, &four].iter().all(|key| !shown.contains(key.as_str())));
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_line_stops_no_switch_hides_no_key_and_is_told_with_file_and_line() {
    let house = House::start().await;
    let dir = house.dir.path().to_owned();
    let key = switch::keys::create(&dir, Role::Biller, "isp-ve").expect("a key");
    let path = dir.join("api-keys.jsonl");
    let whole = std::fs::read_to_string(&path).expect("the file");
    std::fs::write(&path, format!("{whole}{}", &whole[..40])).expect("written");
    assert_eq!(status(&house, &key).await, 200);
    let told = run(&dir, &["list"]);
    let warning = format!("{}: line 2: half a line", path.display());
    assert!(String::from_utf8_lossy(&told.stderr).contains(&warning), "{told:?}");
    let (left, issuer) = house.stop().await;
    let app = crate::harness::start_app(left.path(), &issuer, "").await;
    let house = House { app, issuer, dir: left };
    assert_eq!(status(&house, &key).await, 200);
    let made = run(&dir, &["create", "--role", "operator", "--owner", "desk"]);
    assert!(String::from_utf8_lossy(&made.stderr).contains(&warning), "told once more, and mended");
    let other = printed(&made);
    assert_eq!(status(&house, &key).await, 200);
    let list = Api::with_key(&house, &other).get("/v1/endpoints?biller=isp-ve").await;
    assert_eq!(list.status, 200);
    assert_eq!(String::from_utf8_lossy(&run(&dir, &["list"]).stderr), "");
}

/// What a command that did nothing has said.
fn refused(output: &Output) -> String {
    assert_eq!((output.status.code(), &output.stdout[..]), (Some(1), &b""[..]), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_made_for_a_biller_that_the_switch_or_the_configuration_knows_and_for_no_other() {
    let house = House::start().await;
    let dir = house.dir.path();
    printed(&run(dir, &["create", "--role", "biller", "--owner", "isp-ve"]));
    printed(&run(dir, &["create", "--role", "operator", "--owner", "desk 1"]));
    let told = refused(&run(dir, &["create", "--role", "biller", "--owner", "isp-v"]));
    assert!(told.contains("no biller `isp-v`") && told.contains("isp-ve, lender-mx"), "{told}");
    for owner in ["", " ", "a\nb", &"x".repeat(65)] {
        for role in ["biller", "operator"] {
            refused(&run(dir, &["create", "--role", role, "--owner", owner]));
        }
    }
    // The configuration's word counts for more: it may be of a switch that is yet to start.
    let config = dir.join("shop.toml");
    let shop = "[[billers]]\nid = \"shop-1\"\ncurrencies = [\"MXN\"]\n";
    std::fs::write(&config, shop).expect("a file");
    let config = config.to_str().expect("text");
    let create = ["create", "--role", "biller", "--config", config, "--owner"];
    printed(&run(dir, &[&create[..], &["shop-1"]].concat()));
    let told = refused(&run(dir, &[&create[..], &["isp-ve"]].concat()));
    assert!(told.contains("no biller `isp-ve`"), "{told}");
    assert_eq!(listed(dir).len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_made_before_the_first_start_for_no_biller_is_warned_of_at_each_start() {
    let issuer = issuer().await;
    let site = Site::new(issuer.addr(), "");
    for owner in ["isp-ve", "ips-ve"] {
        let made = run(&site.data(), &["create", "--role", "biller", "--owner", owner]);
        let told = String::from_utf8_lossy(&made.stderr);
        assert!(told.contains(&format!("whether there is a biller `{owner}`")), "{told}");
        printed(&made);
    }
    printed(&run(&site.data(), &["create", "--role", "operator", "--owner", "desk"]));
    let running = site.start();
    let read = || std::fs::read_to_string(site.log()).expect("a log");
    eventually("a warning", async || read().contains("belongs to no biller").then_some(())).await;
    running.stop().await;
    let log = read();
    let warned: Vec<_> = log.lines().filter(|line| line.contains("belongs to no biller")).collect();
    assert!(warned.len() == 1 && warned[0].contains("ips-ve"), "{warned:?}");
    let told = refused(&run(&site.data(), &["create", "--role", "biller", "--owner", "ips-ve"]));
    assert!(told.contains("no biller `ips-ve`"), "{told}");
}

#[test]
fn commands_make_no_data_folder_in_silence() {
    let root = tempfile::tempdir().expect("a folder");
    let (dir, deep) = (root.path().join("data"), root.path().join("no/data"));
    let commands: [&[&str]; 10] = [
        &["key", "list"],
        &["key", "revoke", "key_0123456789abcdef"],
        &["key", "rotate", "key_0123456789abcdef"],
        &["clock", "show"],
        &["clock", "accept"],
        &["journal", "verify"],
        &["journal", "dump"],
        &["journal", "export"],
        &["journal", "balances"],
        &["journal", "import"],
    ];
    let cauce = |command: &[&str]| {
        let mut cauce = Command::new(env!("CARGO_BIN_EXE_cauce"));
        cauce.args(command).arg("--data").arg(&dir).output().expect("an end")
    };
    for command in commands {
        let told = refused(&cauce(command));
        let expect = format!("no data folder `{}`", dir.display());
        assert!(told.contains(&expect), "{command:?}: {told}");
        assert!(!dir.exists(), "{command:?}");
    }
    let create = ["create", "--role", "biller", "--owner", "shop-1"];
    let told = refused(&run(&deep, &create));
    assert!(told.contains("cannot be made") && !deep.exists(), "{told}");
    let made = run(&dir, &create);
    let told = String::from_utf8_lossy(&made.stderr);
    assert!(told.contains("it was made") && told.contains("biller `shop-1`"), "{told}");
    printed(&made);
    assert_eq!(crate::program::modes(&dir).iter().find(|(_, mode)| mode & 0o077 != 0), None);
    let told = refused(&cauce(&["journal", "verify"]));
    assert!(told.contains("no journal"), "{told}");
}

#[test]
fn four_processes_that_make_keys_at_once_all_have_theirs() {
    let dir = tempfile::tempdir().expect("a folder");
    let data = dir.path().join("data");
    let owners = ["shop-1", "shop-2", "shop-3", "shop-4"];
    let made: Vec<_> = owners
        .iter()
        .map(|owner| {
            let arguments = ["create", "--role", "biller", "--owner", owner];
            command(&data, &arguments).spawn().expect("a process")
        })
        .collect();
    for process in made {
        printed(&process.wait_with_output().expect("an end"));
    }
    let mut found: Vec<String> = listed(&data).into_iter().map(|(_, owner)| owner).collect();
    found.sort();
    assert_eq!(found, owners);
}
