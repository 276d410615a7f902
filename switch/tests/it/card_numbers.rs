//! Card numbers in fields where none belongs: refused with the field's name, or taken and kept
//! masked. The numbers are of test ranges.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use bytes::BytesMut;
use codecs::iso8583::cauce87::{self, WireAnswer, WireKind};
use loadtest::simulator::merchant::{BillerEndpoint, Merchant, MerchantSettings, Script};
use serde_json::{Value, json};

use crate::api::{Api, card_payment};
use crate::harness::{House, card_order, eventually, issuer};
use crate::program::Site;

/// A payment with a value at a place of its body.
fn body_with(pointer: &str, value: &Value) -> Value {
    let mut body = json!({
        "rail": "account",
        "amount": {"currency": "VES", "minor": 15_000},
        "payer": {"account": "01020000000000000001"},
    });
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
    let parent = body.pointer_mut(parent).expect("an object");
    parent[name] = value.clone();
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_number_in_a_field_of_a_body_is_refused_with_the_field_s_name() {
    let house = House::start().await;
    let api = Api::of(&house, "isp-ve");
    let card = "4111111111111111";
    let cases = [
        ("/reference", json!(card), "reference"),
        ("/reference", json!("card 4111-1111 1111-1111, paid"), "reference"),
        ("/client", json!("5555555555554444"), "client"),
        ("/bill", json!(format!("F{card}")), "bill"),
        ("/product", json!(card), "product"),
        ("/operator", json!("378282246310005"), "operator"),
        ("/float_ref", json!(card), "float_ref"),
        ("/payer/account", json!(card), "payer.account"),
        ("/metadata", json!({"a": [{"b": card}]}), "metadata"),
        ("/metadata", json!({card: 1}), "metadata"),
        ("/metadata", json!({"n": 4_111_111_111_111_111_u64}), "metadata"),
    ];
    for (pointer, value, field) in &cases {
        let refused = api.pay("one key", &body_with(pointer, value)).await;
        assert_eq!(refused.status, 400, "{pointer}: {}", refused.body);
        assert_eq!((refused.text("/code"), refused.text("/field")), ("format_error", *field));
        assert!(!refused.body.to_string().contains("1111"), "{}", refused.body);
    }
    let url = format!("https://shop.example/{card}");
    let refused = api.post("/v1/endpoints", &json!({"url": url})).await;
    assert_eq!((refused.status, refused.text("/field")), (400, "url"));
    // Nothing was kept: the key is free for the corrected request.
    let paid = api.pay("one key", &body_with("/reference", &json!("order 17"))).await;
    assert_eq!(paid.status, 201, "{}", paid.body);
    assert_eq!(house.issuer.truth().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_number_in_a_field_of_a_message_is_refused_with_its_data_element() {
    let house = House::start().await;
    let bank = house.bank().await;
    let good = bank.payment(&card_order(15_000));
    let card = "4111111111111111";
    let tagged = |tag: &str| format!("0106isp-ve{tag}16{card}");
    let cases = [
        (48, tagged("02"), "tag 02"),
        (48, tagged("04"), "tag 04"),
        (48, tagged("05"), "tag 05"),
        (48, tagged("06"), "tag 06"),
        (48, tagged("07"), "tag 07"),
        (48, format!("0116{card}"), "tag 01"),
        (42, "378282246310005".to_owned(), "holds a card number"),
        (102, card.to_owned(), "holds a card number"),
    ];
    for (field, value, words) in cases {
        let request = bank.traced(good.clone()).with(field, value);
        let answer = bank.request("0200", &request).await.expect("an answer");
        assert_eq!(answer.response_code(), "30", "DE{field} {words}");
        let place = answer.fields.text(44).to_owned();
        assert!(place.starts_with(&format!("6006 DE{field} @")), "{place}");
        assert!(answer.fields.text(48).contains(words), "{}", answer.fields.text(48));
    }
    let (_, answer) = bank.pay(&card_order(15_000)).await.expect("an answer");
    assert_eq!(answer.response_code(), "00");
    assert_eq!(house.issuer.truth().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_whose_own_check_digits_are_right_is_taken() {
    let house = House::start().await;
    let api = Api::of(&house, "isp-ve");
    // A CLABE that is a card number by length, prefix and check digit, too.
    let clabe = json!("646180110400000104");
    let paid = api.pay("order-1", &body_with("/payer/account", &clabe)).await;
    assert_eq!(paid.status, 201, "{}", paid.body);
    let refused = api.pay("order-2", &body_with("/reference", &clabe)).await;
    assert_eq!(refused.status, 400, "elsewhere it is none: {}", refused.body);
}

/// Numbers that look like card numbers, each used once: with a right check digit or without.
struct Canaries {
    next: u64,
    used: Vec<String>,
}

impl Canaries {
    /// One of 16 digits.
    fn draw(&mut self) -> String {
        self.next += 7_919;
        let canary = format!("400000{:010}", self.next);
        self.used.push(canary.clone());
        canary
    }

    /// One of 15 digits.
    fn draw_short(&mut self) -> String {
        let mut canary = self.draw();
        canary.truncate(15);
        self.used.push(canary.clone());
        canary
    }

    /// Fails where one of them stands in the bytes.
    fn look_in(&self, what: &str, bytes: &[u8]) {
        for canary in &self.used {
            let found = bytes.windows(canary.len()).any(|window| window == canary.as_bytes());
            assert!(!found, "{what} shows {}", &canary[6..]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_kept_or_shown_holds_what_looks_like_a_card_number() {
    let issuer = issuer().await;
    let extra = "[card_numbers]\nin_free_fields = \"mask\"\n[trace]\nlines = true\n";
    let site = Site::new(issuer.addr(), extra);
    let running = site.start();
    let bank = site.bank().await;
    let api = site.api("isp-ve");
    let merchant = merchant(&api).await;
    let mut canaries = Canaries { next: 1_234_567, used: Vec::new() };

    let mut shown = Vec::new();
    let pointers = ["/reference", "/client", "/bill", "/product", "/operator", "/payer/account"];
    for pointer in pointers {
        let paid = api.pay(pointer, &body_with(pointer, &json!(canaries.draw()))).await;
        assert_eq!(paid.status, 201, "{pointer}: {}", paid.body);
        shown.push(paid.body);
    }
    let digits: u64 = canaries.draw().parse().expect("digits");
    let metadata = json!({"text": canaries.draw(), canaries.draw(): 1, "number": digits});
    let paid = api.pay("metadata", &body_with("/metadata", &metadata)).await;
    assert_eq!(paid.status, 201, "{}", paid.body);
    let masked = format!("400000******{:04}", digits % 10_000);
    assert_eq!(paid.body["metadata"]["number"], json!(masked));
    shown.push(paid.body);
    api.pay(&canaries.draw(), &card_payment(15_000, "B-1")).await;

    let good = bank.payment(&card_order(15_000));
    let fields = [
        (2, canaries.draw()),
        (42, canaries.draw_short()),
        (102, canaries.draw()),
        (48, format!("0106isp-ve0216{}0616{}", canaries.draw(), canaries.draw())),
        (48, format!("0116{}", canaries.draw())),
    ];
    for (field, value) in fields {
        let request = bank.traced(good.clone()).with(field, value);
        bank.request("0200", &request).await.expect("an answer");
    }
    shown.push(api.get("/v1/payments?limit=200").await.body);
    eventually("the notices", async || (merchant.heard().len() >= 7).then_some(())).await;
    let endpoints = api.get("/v1/endpoints").await;
    let of_endpoint = format!("/v1/notices?endpoint={}", endpoints.text("/items/0/id"));
    let notices = api.get(&of_endpoint).await;
    assert!(notices.body["items"].as_array().is_some_and(|items| items.len() >= 7), "{notices:?}");
    shown.push(notices.body);
    running.stop().await;
    let running = site.start();
    site.bank().await;
    running.stop().await;

    for participant in ["bank-a", "bank-b"] {
        let trace = site.data().join(format!("line-trace/{participant}.jsonl"));
        let trace = std::fs::read_to_string(trace).expect("a trace");
        assert!(trace.contains("\"400000******"), "{participant}: a masked card number");
    }
    canaries.look_in("an answer", json!(shown).to_string().as_bytes());
    for command in [&["dump"][..], &["export"], &["export", "--format", "csv"]] {
        canaries.look_in(&command.join(" "), &journal(&site.data(), command));
    }
    canaries.look_in("the log", &std::fs::read(site.log()).expect("a log"));
    for (path, _) in crate::program::modes(&site.data()) {
        if path.is_file() {
            canaries.look_in(&path.display().to_string(), &std::fs::read(&path).expect("a file"));
        }
    }
}

async fn merchant(api: &Api) -> loadtest::simulator::merchant::MerchantHandle {
    let endpoint = BillerEndpoint {
        path: "/hook".to_owned(),
        secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned(),
        script: Script::Accept,
    };
    let listen = ([127, 0, 0, 1], 0).into();
    let settings = MerchantSettings { listen, log: None, billers: vec![endpoint] };
    let merchant = Merchant::start(settings).await.expect("a merchant");
    let made = api.post("/v1/endpoints", &json!({"url": merchant.url("/hook")})).await;
    merchant.set_secret("/hook", made.text("/secret")).expect("a secret");
    merchant
}

fn journal(data: &Path, command: &[&str]) -> Vec<u8> {
    let mut program = Command::new(env!("CARGO_BIN_EXE_cauce"));
    program.arg("journal").args(command).arg("--data").arg(data);
    let output = program.output().expect("the program");
    assert!(output.status.success() && !output.stdout.is_empty(), "{command:?}");
    output.stdout
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bank_gets_what_the_sender_wrote_with_the_payment_and_with_its_reversal() {
    let (address, seen) = silent_bank();
    let site = Site::new(address, "");
    let running = site.start();
    let bank = site.bank().await;
    // Of a card's prefix and length, with a wrong check digit.
    let (merchant, account) = ("400000123456789", "4000001234567890");
    let request = bank.traced(bank.payment(&card_order(15_000)));
    let request = request.with(42, merchant).with(102, account);
    site.wait_for_lines("bank-b").await;
    bank.request("0200", &request).await.expect("an answer");
    let holds = |message: &[u8], text: &str| {
        message.windows(text.len()).any(|window| window == text.as_bytes())
    };
    let of_type = |mti: &[u8]| {
        let seen = seen.lock().expect("no panic");
        seen.iter().find(|message| message.starts_with(mti)).cloned()
    };
    let asked = eventually("the payment", async || of_type(b"0200")).await;
    assert!(holds(&asked, merchant) && holds(&asked, account));
    let undone = eventually("the reversal", async || of_type(b"0420")).await;
    assert!(holds(&undone, merchant));
    running.stop().await;
}

/// Messages that a bank was sent.
type Seen = Arc<Mutex<Vec<Vec<u8>>>>;

/// A bank that signs on and confirms reversals, and says nothing to payments.
fn silent_bank() -> (SocketAddr, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let seen = Seen::default();
    let noted = Arc::clone(&seen);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let noted = Arc::clone(&noted);
            std::thread::spawn(move || serve(stream, &noted));
        }
    });
    (address, seen)
}

fn serve(mut stream: TcpStream, seen: &Seen) {
    let mut len = [0; 2];
    while stream.read_exact(&mut len).is_ok() {
        let mut message = vec![0; usize::from(u16::from_be_bytes(len))];
        if stream.read_exact(&mut message).is_err() {
            return;
        }
        let Ok(wire) = cauce87::read(&message) else { continue };
        let mut out = BytesMut::new();
        if !matches!(wire.kind, WireKind::PaymentRequest { .. }) {
            let yes = WireAnswer { de39: *b"00", ..WireAnswer::default() };
            cauce87::answer(&wire.index, &message, &yes, &mut out).expect("an answer");
        }
        seen.lock().expect("no panic").push(message);
        let len = u16::try_from(out.len()).expect("a short message");
        if !out.is_empty() && stream.write_all(&[&len.to_be_bytes()[..], &out].concat()).is_err() {
            return;
        }
    }
}
