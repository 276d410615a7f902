//! Banks that speak another format: a file each, and no code.
//!
//! Messages are laid out by hand; authentication codes were computed with the openssl program.

mod acceptor;
mod bank;
mod session_keys;
mod terminals;

use std::net::SocketAddr;
use std::path::Path;

use router::payment::PaymentState;
use switch::app::App;
use switch::config::{self, Layers};
use tempfile::TempDir;

use crate::harness::{self, CONFIG, House, PATIENCE, card_order};
pub use bank::SPEC;
use bank::{Bank, Caller, Codes, MAC_KEY, letters};

/// A sign-on of the bank that calls: DE7, DE11, DE32, DE70; its answer with DE39.
const SIGN_ON: &str =
    "0800 8220000100000000 0400000000000000 1126193000 000001 11 000000000042 0001";
const SIGNED_ON: &str =
    "0810 8220000102000000 0400000000000000 1126193000 000001 11 000000000042 3030 0001";
/// DE2, DE3, DE4, DE7, DE11, DE41 and DE49 of a payment.
const PAYMENT: &str = "7220000000808000 16 4000000000000002 000000 000000015000 1126193001 000002 \
                       5445524D30303031 0928";

fn plain(message: &str) -> String {
    message.replace(' ', "")
}

/// The bank's format and keys in a folder.
fn folder() -> TempDir {
    let dir = TempDir::new().expect("a folder");
    std::fs::write(dir.path().join("banco.toml"), SPEC).expect("a file");
    std::fs::write(dir.path().join("mac.key"), format!("{MAC_KEY}\n")).expect("a file");
    std::fs::write(dir.path().join("kek.key"), "FEDCBA98765432100123456789ABCDEF").expect("a file");
    dir
}

/// A participant with an address of its own and the bank's format, and what else is given.
fn calling(dir: &Path, more: &str) -> String {
    format!(
        "[[participants]]\nid = \"banco\"\nacquirer_id = \"00000000042\"\n\
         listen = \"127.0.0.1:0\"\nframing = \"nac\"\n\
         [participants.dialect]\nspec = \"{}/banco.toml\"\n{more}",
        dir.display()
    )
}

fn own_address(app: &App) -> SocketAddr {
    app.own_addresses[0].1
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_bank_s_format_cannot_say_is_refused_and_nothing_leaves() {
    let (dir, bank) = (folder(), Bank::open(Codes::Without));
    let house = house_of(dir, &bank, "", "").await;
    let acquirer = house.bank().await;
    // The account to be debited (DE102), which the bank's format does not define.
    let request = acquirer.payment(&card_order(15_000)).with(102, "000123456789");
    let told = acquirer.request("0200", &request).await.expect("an answer");
    assert_eq!((told.response_code(), told.fields.text(44)), ("30", "6006"));
    assert!(bank.seen("0200").is_empty());
    let (_, answer) = acquirer.pay(&card_order(15_000)).await.expect("an answer");
    assert_eq!(answer.response_code(), "00");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_only_an_absent_bank_could_be_told_waits_for_that_bank() {
    // It would call the switch, and does not.
    let absent = "[[participants]]\nid = \"bank-z\"\nacquirer_id = \"00000000077\"\n";
    for routes in ["\"bank-z\", \"bank-b\"", "\"bank-b\", \"bank-z\""] {
        let (dir, bank) = (folder(), Bank::open(Codes::Without));
        let rules = CONFIG.replace("to = [\"bank-b\"]", &format!("to = [{routes}]"));
        let house = house_under(&rules, dir, &bank, "", absent).await;
        let acquirer = house.bank().await;
        let request = acquirer.payment(&card_order(15_000)).with(102, "000123456789");
        let told = acquirer.request("0200", &request).await.expect("an answer");
        assert_eq!(told.response_code(), "91", "{routes}: its input needs no mending");
        assert!(bank.seen("0200").is_empty());
        let (_, answer) = acquirer.pay(&card_order(15_000)).await.expect("an answer");
        assert_eq!(answer.response_code(), "00", "{routes}");
    }
}

/// A switch whose issuer is this bank, with what else its entry and the configuration hold.
async fn house_of(dir: TempDir, bank: &Bank, more: &str, extra: &str) -> House {
    house_under(CONFIG, dir, bank, more, extra).await
}

async fn house_under(rules: &str, dir: TempDir, bank: &Bank, more: &str, extra: &str) -> House {
    let own = format!(
        "reconnect_max_ms = 200\nframing = \"nac\"\n[participants.dialect]\n\
         spec = \"{}/banco.toml\"\n{more}",
        dir.path().display()
    );
    // The formats of these tests have no room for DE95.
    let text = rules.replace("partial_reversals = true\n", "");
    let text = text.replace("@issuer@", &bank.addr.to_string());
    let text = text.replace("reconnect_max_ms = 200", &own);
    let app = harness::start_text(dir.path(), &text, extra).await;
    House { app, issuer: harness::issuer().await, dir }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bank_with_a_format_of_its_own_is_asked_repeated_and_undone_in_it() {
    let (dir, bank) = (folder(), Bank::open(Codes::Without));
    let house = house_of(dir, &bank, "", "").await;
    let acquirer = house.bank().await;

    let (request, answer) = acquirer.pay(&card_order(15_000)).await.expect("an answer");
    assert_eq!((answer.response_code(), answer.authorisation()), ("00", "A1B2C3"));
    let again = acquirer.repeat("0200", &request).await.expect("an answer");
    assert_eq!((again.response_code(), again.folio()), ("00", answer.folio()));

    let payment = house.payment(answer.folio()).await;
    let trace = payment.attempt.and_then(|attempt| attempt.reference.trace()).expect("a trace");
    let (_, month, day) = payment.business_date.year_month_day();
    // Bits 2 3 4 7, 11 to 15, 18 22, 25 32, 37, 41 42, 49; no DE48, which the bank does not know.
    let expect = format!(
        "0063 6000000000 0200 723E448108C08000 16 4000000000000002 000000 000000015000 {} {} {} {} \
         3012 {month:02}{day:02} 6012 0010 00 11 000000000001 {} {} {} 0928",
        trace.transmitted_at,
        trace.stan,
        request.text(12),
        request.text(13),
        letters(answer.folio()),
        letters("TERM0001"),
        letters(&format!("{:15}", request.text(42))),
    );
    assert_eq!(bank.seen("02"), [plain(&expect)], "asked once, as its format says");

    let (_, answer) = acquirer.pay(&card_order(15_069)).await.expect("an answer");
    assert_eq!(answer.response_code(), "68", "silence is no decline");
    let payment = house.payment(answer.folio()).await;
    house.wait_for_state(payment.id, PaymentState::Reversed).await;
    let trace = payment.attempt.and_then(|attempt| attempt.reference.trace()).expect("a trace");
    let undone = &bank.seen("042")[0];
    // DE90: type, STAN and time of the original, our own code, nobody.
    let original = format!("0200{}{}0000000000100000000000", trace.stan, trace.transmitted_at);
    assert!(undone.ends_with(&format!("0928{original}")), "{undone}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bank_that_calls_is_understood_and_answered_in_its_own_format() {
    let dir = folder();
    let house = House::start_with(&calling(dir.path(), "")).await;
    let mut bank = Caller::call(own_address(&house.app)).await;
    let refused = bank.ask(&format!("0200 {PAYMENT}")).await;
    // Bits 2 3 4 7 11, 39, 41 44, 49: DE39 63, DE44 5001.
    assert_eq!(
        refused,
        plain(
            "0210 7220000002908000 16 4000000000000002 000000 000000015000 1126193001 000002 3633 \
             5445524D30303031 04 35303031 0928"
        ),
        "before the sign-on"
    );
    assert_eq!(bank.ask(SIGN_ON).await, plain(SIGNED_ON));

    let approved = bank.ask(&format!("0200 {PAYMENT}")).await;
    let truth = house.issuer.truth();
    let folio = truth[0].rrn.as_str();
    let payment = house.payment(folio).await;
    let authorisation = payment.approval().expect("an approval").authorisation;
    // Bits 2 3 4 7 11, 37 38 39, 41, 49.
    let expect = format!(
        "0210 722000000E808000 16 4000000000000002 000000 000000015000 1126193001 000002 {} {} \
         3030 5445524D30303031 0928",
        letters(folio),
        letters(authorisation.as_str())
    );
    assert_eq!(approved, plain(&expect));
    assert_eq!(bank.ask(&format!("0201 {PAYMENT}")).await, approved, "a repeat");
    assert_eq!(house.issuer.counts().payments, 1);

    // DE4 with a half byte that is no digit, in its sixth byte: offset 2 + 8 + 9 + 3 + 5.
    let spoilt = PAYMENT.replace("000000015000", "00000001500A");
    // Bits 2 3 7 11, 39, 41 44, 49: DE39 30, DE44 `6006 DE4 @27`.
    assert_eq!(
        bank.ask(&format!("0200 {spoilt}")).await,
        plain(
            "0210 6220000002908000 16 4000000000000002 000000 1126193001 000002 3330 \
             5445524D30303031 12 36303036 20444534 20403237 0928"
        ),
        "its own field and offset"
    );
    // An amount of nothing is well made and makes no sense: DE39 13, DE44 `2003 DE4 @22`.
    let nothing = PAYMENT.replace("000000015000", "000000000000").replace("000002 ", "000003 ");
    let told = bank.ask(&format!("0200 {nothing}")).await;
    assert!(told.contains(&letters("2003 DE4 @22")), "{told}");

    // Bits 1 3 4 7 11 41 49, 90.
    let reversal = "0420 B220000000808000 0000004000000000 000000 000000015000 1126193002 000004 \
                    5445524D30303031 0928 0200000002112619300100000000042 00000000000";
    let told = bank.ask(reversal).await;
    assert!(told.starts_with("0430"), "{told}");
    house.wait_for_state(payment.id, PaymentState::Reversed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bank_with_an_address_of_its_own_signs_on_there_and_nobody_else_does() {
    let dir = folder();
    let house = House::start_with(&calling(dir.path(), "")).await;
    let mut bank = Caller::call(own_address(&house.app)).await;
    let as_bank_a = SIGN_ON.replace("000000000042", "000000000011");
    let told = bank.ask(&as_bank_a).await;
    assert!(told.contains(&plain("000000000011 3633")), "{told}");
    let settings = loadtest::simulator::acquirer::AcquirerSettings {
        deadline: PATIENCE,
        ..loadtest::simulator::acquirer::AcquirerSettings::new("00000000042")
    };
    let elsewhere =
        loadtest::simulator::acquirer::Acquirer::connect(house.app.addresses.iso8583, settings);
    assert!(elsewhere.await.is_err(), "at everybody's address");
}

/// The rules of the bank whose messages carry codes; its key changes by DE96.
fn authenticated(dir: &Path) -> String {
    let own = calling(
        dir,
        "[participants.mac]\nkey = \"banco-mac\"\nalgorithm = \"x9.19\"\n\
         [participants.key_exchange]\nunder = \"banco-kek\"\nfield = 96\nform = \"binary\"\n",
    );
    format!(
        "{own}[keys.banco-mac]\nvalue = \"file:{0}/mac.key\"\ncheck_value = \"08D7B4\"\n\
         [keys.banco-kek]\nusage = \"key-encryption\"\nvalue = \"file:{0}/kek.key\"\n",
        dir.display()
    )
}

/// The sign-on with its code in DE128, and the answer with its own.
async fn signed_on(house: &House) -> Caller {
    let mut bank = Caller::call(own_address(&house.app)).await;
    let with_code = |message: &str| message.replace("0400000000000000", "0400000000000001");
    let asked = format!("{} 330F981D7FD4C244", with_code(SIGN_ON));
    let expect = format!("{} A3E93234CCCA2B5B", with_code(SIGNED_ON));
    assert_eq!(bank.ask(&asked).await, plain(&expect));
    bank
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_whose_code_is_missing_or_wrong_is_refused_and_the_line_lives() {
    let dir = folder();
    let house = House::start_with(&authenticated(dir.path())).await;
    let mut bank = Caller::call(own_address(&house.app)).await;
    let told = bank.ask(SIGN_ON).await;
    assert!(told.contains(&plain("000000000042 3633")), "a sign-on without a code: {told}");

    let mut bank = signed_on(&house).await;
    let payment = PAYMENT.replace("808000", "808001");
    for (what, message) in [
        ("another code", format!("0200 {payment} F868B99D2B1BEB3C")),
        (
            "another amount",
            format!("0200 {} F868B99D2B1BEB3D", payment.replace("015000", "015001")),
        ),
        ("no code", format!("0200 {PAYMENT}")),
    ] {
        let told = bank.ask(&message).await;
        // Bits 2 3 4 7 11, 39, 41 44, 49, 64.
        assert!(told.starts_with(&plain("0210 7220000002908001")), "{what}: {told}");
        assert!(told.contains(&plain("000002 3633 5445524D30303031")), "{what}: {told}");
    }
    assert_eq!(house.issuer.counts().payments, 0);
    let told = bank.ask(&format!("0200 {payment} F868B99D2B1BEB3D")).await;
    // Bits 2 3 4 7 11, 37 38 39, 41, 49, 64.
    assert!(told.starts_with(&plain("0210 722000000E808001")), "{told}");
    assert_eq!(house.issuer.counts().payments, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_whose_code_is_wrong_is_no_answer() {
    let (dir, bank) = (folder(), Bank::open(Codes::With));
    let mac = "[participants.mac]\nkey = \"banco-mac\"\n";
    let path = dir.path().display();
    let keys = format!("[keys.banco-mac]\nvalue = \"file:{path}/mac.key\"\n");
    let house = house_of(dir, &bank, mac, &keys).await;
    let acquirer = house.bank().await;
    let (_, answer) = acquirer.pay(&card_order(15_000)).await.expect("an answer");
    assert_eq!(answer.response_code(), "00", "either side takes the other's code");
    let (_, answer) = acquirer.pay(&card_order(15_067)).await.expect("an answer");
    assert_eq!(answer.response_code(), "68", "an approval nobody has signed");
    let payment = house.payment(answer.folio()).await;
    house.wait_for_state(payment.id, PaymentState::Reversed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_is_taken_in_and_messages_under_the_old_one_still_count() {
    let dir = folder();
    let house = House::start_with(&authenticated(dir.path())).await;
    let mut bank = signed_on(&house).await;
    // Bits 1 7 11, 70 96 128; DE96 is the key under the key-encrypting key and its check value.
    let change = "0800 8220000000000000 0400000100000001 1126193003 000004 0101 \
                  19 5A59F17457F7ACF4E9DD932D5CAA721A 68DD0C";
    let broken = format!("{} F1C305BCD0F3AF1D", change.replace("68DD0C", "68DD0D"));
    assert!(bank.ask(&broken).await.contains("3633"), "its code does not fit");
    assert_eq!(
        bank.ask(&format!("{change} F1C305BCD0F3AF1D")).await,
        plain(
            "0810 8220000002000000 0400000000000001 1126193003 000004 3030 0101 2AE573E1A16A82B7"
        ),
        "answered under the old key"
    );
    let echo = "0800 8220000000000000 0400000000000001";
    let told = "0810 8220000002000000 0400000000000001";
    assert_eq!(
        bank.ask(&format!("{echo} 1126193004 000005 0301 8CA09DFEF940730D")).await,
        plain(&format!("{told} 1126193004 000005 3030 0301 1D125AF4F2CF0663")),
        "under the new key"
    );
    assert_eq!(
        bank.ask(&format!("{echo} 1126193005 000006 0301 3E80B622AACA1249")).await,
        plain(&format!("{told} 1126193005 000006 3030 0301 D7DD2F0C8BD5F6D6")),
        "asked under the old key, answered under the new one"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pin_block_leaves_under_the_key_of_who_is_asked() {
    let (dir, bank) = (folder(), Bank::open(Codes::Without));
    let issuer_key = "0123456789ABCDEFFEDCBA987654321089ABCDEF01234567";
    std::fs::write(dir.path().join("issuer.key"), issuer_key).expect("a file");
    let path = dir.path().display().to_string();
    let keys = format!(
        "[keys.banco-pin]\nusage = \"pin\"\nvalue = \"file:{path}/mac.key\"\n[keys.issuer-pin]\n\
         usage = \"pin\"\nalgorithm = \"tdes3\"\nvalue = \"file:{path}/issuer.key\"\n"
    );
    let caller = calling(dir.path(), "[participants.pin]\nkey = \"banco-pin\"\n");
    let issuer = "[participants.pin]\nkey = \"issuer-pin\"\n";
    let house = house_of(dir, &bank, issuer, &format!("{caller}{keys}")).await;
    let mut caller = Caller::call(own_address(&house.app)).await;
    assert_eq!(caller.ask(SIGN_ON).await, plain(SIGNED_ON));
    // Bits 2 3 4 7 11, 41, 49 52. Blocks of PIN 1234 in format 0 under either key, by psec and
    // pycryptodome.
    let payment = "0200 7220000000809000 16 5555555551234567 000000 000000015000 1126193001 000002 \
                   5445524D30303031 0928";
    let told = caller.ask(&format!("{payment} 230B4C43B8BA2C5C")).await;
    assert!(told.contains("3030"), "{told}");
    let asked = bank.seen("0200").pop().expect("the request");
    assert!(asked.ends_with("092839DF42E5F9237C90"), "{asked}");
    let told = caller.ask(&format!("{payment} 230B4C43B8BA2C5D").replace("000002", "000003")).await;
    assert!(told.starts_with("0210") && told.contains("3330"), "no block under its key: {told}");
    assert_eq!(bank.seen("0200").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn random_bytes_on_a_line_of_another_format_never_take_the_switch_down() {
    use rand::rngs::StdRng;
    use rand::{Rng, RngExt, SeedableRng};
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let dir = folder();
    let house = House::start_with(&calling(dir.path(), "")).await;
    let mut bank = Caller::call(own_address(&house.app)).await;
    for _ in 0..500 {
        let mut bytes = vec![0; random.random_range(1..200)];
        random.fill_bytes(&mut bytes);
        // Half of them begin as a payment does, so that its fields are looked at.
        let begin = if random.random_bool(0.5) { "0200 7220000000808000" } else { "" };
        bank.say(&format!("{begin}{}", hex::encode(bytes))).await;
    }
    // Some were answered; the sign-on is answered as well, on the same line.
    bank.say(SIGN_ON).await;
    while bank.hear().await != plain(SIGNED_ON) {}
}

/// Mistakes of a configuration that stands in a file of the folder.
fn mistakes(dir: &Path, text: &str) -> Vec<String> {
    let file = dir.join("bank.toml");
    std::fs::write(&file, text).expect("a file");
    let layers = Layers::compiled_in().with_file(&file).expect("layers");
    let found = config::load(&layers).err().unwrap_or_default();
    found.iter().map(|mistake| format!("{}: {}", mistake.key, mistake.problem)).collect()
}

#[test]
fn a_format_is_looked_for_beside_the_file_that_names_it_and_checked() {
    let dir = folder();
    let bank = |more: &str| {
        format!(
            "[[participants]]\nid = \"banco\"\nconnect = \"127.0.0.1:1\"\n[participants.dialect]\n{more}\n"
        )
    };
    assert_eq!(mistakes(dir.path(), &bank("spec = \"banco.toml\"")), [""; 0]);
    assert_eq!(mistakes(dir.path(), &bank("spec = \"cauce-87\"\nedition = 2003")), [""; 0]);
    let dropping = mistakes(dir.path(), &bank("spec = \"banco.toml\"\ndroppable_fields = [4]"));
    assert_eq!(
        dropping,
        ["participants[0].dialect.droppable_fields: field 4 cannot be done without"]
    );
    let missing = mistakes(dir.path(), &bank("spec = \"bancó.toml\"\nedition = 1999"));
    assert_eq!(missing[0], "participants[0].dialect.edition: 1987, 1993 or 2003 is expected");
    assert!(
        missing[1]
            .starts_with("participants[0].dialect.spec: `bancó.toml` is no compiled-in format"),
        "{missing:?}"
    );
    let less =
        SPEC.replace("39 = {", "40 = {").replace("4 = { content = \"n\", length = 12 }", "4 = 1");
    std::fs::write(dir.path().join("less.toml"), less).expect("a file");
    let found = mistakes(dir.path(), &bank("spec = \"less.toml\""));
    assert!(found[0].contains("less.toml: fields.4"), "{found:?}");
    let less = SPEC.replace("39 = {", "40 = {").replace("90 = {", "91 = {");
    std::fs::write(dir.path().join("less.toml"), less).expect("a file");
    assert_eq!(
        mistakes(dir.path(), &bank("spec = \"less.toml\"")),
        [
            "participants[0].dialect.spec: field 39 is needed and not to be had",
            "participants[0].dialect.spec: field 90 is needed and not to be had",
        ]
    );
}

#[test]
fn keys_are_checked_and_their_bytes_are_never_told() {
    let dir = folder();
    let good = authenticated(dir.path());
    assert_eq!(mistakes(dir.path(), &good), [""; 0]);
    std::fs::write(dir.path().join("even.key"), "0023456789ABCDEFFEDCBA9876543210")
        .expect("a file");
    for (from, to, expect) in [
        ("08D7B4", "08D7B5", "keys.banco-mac.check_value: the key's own is 08D7B4"),
        ("mac.key", "even.key", "keys.banco-mac.value: its parity is wrong"),
        (
            "field = 96",
            "field = 97",
            "participants[0].key_exchange: no key can stand in field 97 of the format",
        ),
        (
            "x9.19",
            "aes-cmac",
            "participants[0].mac.key: `banco-mac`: it has another algorithm or length than this needs",
        ),
        (
            "under = \"banco-kek\"",
            "under = \"banco-mac\"",
            "participants[0].key_exchange.under: `banco-mac`: it is not for this use",
        ),
    ] {
        let found = mistakes(dir.path(), &good.replace(from, to));
        assert!(found.iter().any(|found| found == expect), "{found:?}");
        assert!(!found.concat().contains("456789AB"), "{found:?}");
    }
    let inline =
        good.replace(&format!("file:{}/mac.key", dir.path().display()), "0123456789ABCDEF");
    let found = mistakes(dir.path(), &inline);
    assert!(
        found.contains(&"keys.banco-mac.value: file:PATH or env:NAME is expected".to_owned()),
        "{found:?}"
    );
    assert!(!found.concat().contains("456789AB"), "{found:?}");
}
