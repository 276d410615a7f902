//! Frames that the switch does not understand: answered where their trace number can be read, told
//! in the log, counted. And the trace of lines. Messages are laid out by hand after ISO 8583:1987.

mod before_sign_on;
mod types;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::BytesMut;
use codecs::iso8583::cauce87::{self, WireAnswer, WireKind};
use loadtest::simulator::acquirer::{Acquirer, AcquirerSettings};
use serde_json::Value;

use crate::dialect::SPEC;
use crate::harness::{PATIENCE, card_order, eventually, issuer};
use crate::program::{Running, Site};

/// DE7, DE11, DE70 of an echo, in ASCII behind binary bitmaps.
const ECHO: &[u8] = b"0800\x82\x20\0\0\0\0\0\0\x04\0\0\0\0\0\0\x001123211722000042301";
/// The same in BCD.
const ECHO_BCD: &[u8] =
    b"\x08\0\x82\x20\0\0\0\0\0\0\x04\0\0\0\0\0\0\0\x11\x23\x21\x17\x22\0\0\x42\x03\x01";
/// Sign-on of bank-a: DE7, DE11, DE32, DE70.
const SIGN_ON: &[u8] =
    b"0800\x82\x20\0\x01\0\0\0\0\x04\0\0\0\0\0\0\x0011232117220000411100000000011001";
const TPDU: &[u8] = b"\x60\0\x03\0\x11";

/// A switch with the banks of the harness, and one that calls at an address of its own in BCD.
struct Town {
    site: Site,
    banco: SocketAddr,
    _dir: tempfile::TempDir,
    running: Running,
}

impl Town {
    async fn start(issuer: SocketAddr, extra: &str) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join("banco.toml"), SPEC).expect("a file");
        let banco = TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr());
        let banco = banco.expect("a port");
        let site = Site::new(
            issuer,
            &format!(
                "[[participants]]\nid = \"banco\"\nacquirer_id = \"00000000042\"\n\
                 listen = \"{banco}\"\nframing = \"nac\"\n\
                 [participants.dialect]\nspec = \"{}/banco.toml\"\n{extra}",
                dir.path().display()
            ),
        );
        let running = site.start();
        site.bank().await;
        Self { site, banco, _dir: dir, running }
    }

    /// A connection to the listener of everybody.
    fn connect(&self) -> TcpStream {
        connect(self.site.iso8583)
    }

    /// Log lines that hold all of these texts.
    fn logged(&self, texts: &[String]) -> Vec<String> {
        let log = plain(&std::fs::read_to_string(self.site.log()).unwrap_or_default());
        let lines = log.lines().filter(|line| texts.iter().all(|text| line.contains(text)));
        lines.map(str::to_owned).collect()
    }

    /// Waits for such a line.
    async fn wait_for_log(&self, texts: &[String]) -> String {
        let look = async || self.logged(texts).into_iter().next();
        eventually(&format!("a log line with {texts:?}"), look).await
    }

    /// The value of a series, 0 where there is none.
    async fn metric(&self, series: &str) -> u64 {
        let text = self.site.metrics().await;
        let line = text.lines().find_map(|line| line.strip_prefix(series));
        line.map_or(0, |value| value.trim().parse().expect("a number"))
    }
}

/// A log without the codes of a terminal.
fn plain(log: &str) -> String {
    let mut parts = log.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |all, part| all + part.split_once('m').map_or("", |(_, rest)| rest))
}

fn connect(address: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(address).expect("a connection");
    socket.set_read_timeout(Some(PATIENCE)).expect("a time limit");
    socket
}

fn framed(message: &[u8]) -> Vec<u8> {
    let len = u16::try_from(message.len()).expect("a short message");
    [&len.to_be_bytes()[..], message].concat()
}

/// The next frame; none where the line ended.
fn read_frame(socket: &mut TcpStream) -> Option<Vec<u8>> {
    let mut len = [0; 2];
    socket.read_exact(&mut len).ok()?;
    let mut message = vec![0; usize::from(u16::from_be_bytes(len))];
    socket.read_exact(&mut message).ok()?;
    Some(message)
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// A message with these bits and this text.
fn ascii(mti: &[u8; 4], fields: &[u8], text: &str) -> Vec<u8> {
    let bits = fields.iter().fold(0_u64, |bits, field| bits | 1 << (64 - field));
    [&mti[..], &bits.to_be_bytes(), text.as_bytes()].concat()
}

/// Where a case is sent.
#[derive(Clone, Copy, Debug)]
enum At {
    Everybody,
    Banco,
}

/// A frame, and what must come of it.
struct Case {
    what: &'static str,
    at: At,
    frame: Vec<u8>,
    /// How the answer begins, and what it holds; none where there can be no answer.
    answer: Option<(&'static [u8], &'static [u8])>,
    kind: &'static str,
    field: &'static str,
    offset: usize,
}

fn cases() -> Vec<Case> {
    let payment =
        |length: &str| format!("{length}4000001234567899000000000000015000112321172200004");
    let bad_length = |length: &str| {
        let text = payment(length) + "2TERM0001484";
        framed(&ascii(b"0200", &[2, 3, 4, 7, 11, 41, 49], &text))
    };
    let case = |what, at, frame, answer, kind, field, offset| Case {
        what,
        at,
        frame,
        answer,
        kind,
        field,
        offset,
    };
    // Bits 3 4 5 7 11 49 of a format without DE5.
    let undefined = b"\x02\0\x3A\x20\0\0\0\0\x80\0\0\0\0\0\0\0\x01\x50\0\0\0\0\x01\x50\0\
                      \x11\x23\x21\x17\x22\0\0\x42\x04\x84";
    vec![
        case(
            "a field that the format does not define",
            At::Banco,
            framed(&[TPDU, undefined].concat()),
            Some((b"\x60\0\x11\0\x03\x02\x10", b"\0\0\x42")),
            "undefined_field",
            "5",
            19,
        ),
        case(
            "no TPDU",
            At::Banco,
            framed(ECHO_BCD),
            Some((b"\x08\x10", b"\0\0\x42")),
            "missing_header",
            "0",
            0,
        ),
        case(
            "a TPDU where there is none",
            At::Everybody,
            framed(&[TPDU, ECHO].concat()),
            Some((b"\x60\0\x11\0\x030810", b"000042")),
            "unexpected_header",
            "0",
            0,
        ),
        case(
            "two TPDUs where there is one",
            At::Banco,
            framed(&[TPDU, TPDU, ECHO_BCD].concat()),
            Some((b"\x60\0\x11\0\x03\x08\x10", b"\0\0\x42")),
            "unexpected_header",
            "0",
            0,
        ),
        case(
            "ASCII on a BCD port",
            At::Banco,
            framed(&[TPDU, ECHO].concat()),
            Some((b"\x60\0\x11\0\x030810", b"000042")),
            "other_format",
            "0",
            0,
        ),
        case(
            "ASCII without TPDU on a BCD port",
            At::Banco,
            framed(ECHO),
            Some((b"0810", b"000042")),
            "other_format",
            "0",
            0,
        ),
        case(
            "ASCII with a bitmap of letters and no TPDU on a BCD port",
            At::Banco,
            framed(b"0800822000000000000004000000000000001123211722000042301" as &[u8]),
            Some((b"0810", b"000042")),
            "other_format",
            "0",
            0,
        ),
        case(
            "an unknown field behind no TPDU",
            At::Banco,
            framed(undefined),
            Some((b"\x02\x10", b"\0\0\x42")),
            "missing_header",
            "0",
            0,
        ),
        case(
            "BCD on an ASCII port",
            At::Everybody,
            framed(ECHO_BCD),
            Some((b"\x08\x10", b"\0\0\x42")),
            "other_format",
            "0",
            0,
        ),
        case(
            "a message type that nobody knows",
            At::Everybody,
            framed(&[b"0900", &ECHO[4..]].concat()),
            Some((b"0910", b"000042")),
            "unknown_message_type",
            "0",
            0,
        ),
        case(
            "a message type of another edition",
            At::Everybody,
            framed(&[b"1200", &ECHO[4..]].concat()),
            Some((b"1210", b"000042")),
            "unknown_message_type",
            "0",
            0,
        ),
        case(
            "a length beyond the field's",
            At::Everybody,
            bad_length("99"),
            Some((b"0210", b"000042")),
            "too_long",
            "2",
            12,
        ),
        case(
            "a length of letters",
            At::Everybody,
            bad_length("1x"),
            Some((b"0210", b"000042")),
            "bad_length",
            "2",
            12,
        ),
        case("garbage", At::Everybody, framed(&[0xFF; 40]), None, "bad_content", "0", 0),
        case("letters", At::Everybody, framed(b"GET / HTTP/1.1"), None, "bad_content", "0", 0),
        case("garbage in BCD", At::Banco, framed(&[0xFF; 40]), None, "bad_content", "0", 0),
        case(
            "a frame that is too long",
            At::Everybody,
            b"\xFF\xFF02".to_vec(),
            None,
            "too_long",
            "frame",
            0,
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_frame_that_is_not_understood_is_answered_where_it_can_be_and_always_told() {
    let issuer = issuer().await;
    let town = Town::start(issuer.addr(), "").await;
    for case in cases() {
        let (address, participant) = match case.at {
            At::Everybody => (town.site.iso8583, "unknown"),
            At::Banco => (town.banco, "banco"),
        };
        let mut socket = connect(address);
        socket.write_all(&case.frame).expect("written");
        if let Some((begins, contains)) = case.answer {
            let answer = read_frame(&mut socket).unwrap_or_default();
            let text = answer.escape_ascii();
            assert!(
                answer.starts_with(begins) && holds(&answer, contains),
                "{}: {text}",
                case.what
            );
        }
        let peer = socket.local_addr().expect("an address");
        let told = [
            "INFO".to_owned(),
            "message not understood".to_owned(),
            format!("participant=\"{participant}\""),
            format!("peer={peer}"),
            format!("kind=\"{}\"", case.kind),
            format!("field={}", case.field),
            format!("offset={}", case.offset),
            format!("answered={}", case.answer.is_some()),
        ];
        town.wait_for_log(&told).await;
        let series = format!(
            "cauce_messages_refused_total{{participant=\"{participant}\",why=\"{}\"}}",
            case.kind
        );
        assert!(town.metric(&series).await > 0, "{}: {series}", case.what);
    }
    town.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_participant_s_frames_are_told_once_a_line_and_minute_and_all_are_counted() {
    let issuer = issuer().await;
    let town = Town::start(issuer.addr(), "").await;
    let mut socket = town.connect();
    socket.write_all(&framed(SIGN_ON)).expect("written");
    let answer = read_frame(&mut socket).expect("an answer");
    assert!(answer.starts_with(b"0810") && holds(&answer, b"00001"), "signed on");
    let frame = framed(&[b"0900", &ECHO[4..]].concat());
    for _ in 0..50 {
        socket.write_all(&frame).expect("written");
        assert!(read_frame(&mut socket).expect("an answer").starts_with(b"0910"));
    }
    let series =
        "cauce_messages_refused_total{participant=\"bank-a\",why=\"unknown_message_type\"}";
    // The last answer may come before it is counted.
    let all = async || (town.metric(series).await == 50).then_some(());
    eventually("all frames to be counted", all).await;
    let peer = socket.local_addr().expect("an address");
    let told = ["not understood".to_owned(), format!("peer={peer}"), "\"bank-a\"".to_owned()];
    assert_eq!(town.logged(&told).len(), 1);
    // One search finds all that is said of a participant.
    let signed_on = ["signed on".to_owned(), "participant=\"bank-a\"".to_owned()];
    assert!(!town.logged(&signed_on).is_empty());
    town.running.stop().await;
}

/// A bank that confirms sign-ons, and then sends a frame of its own on each line.
fn talking_bank(frame: Vec<u8>) -> (SocketAddr, std::sync::Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let answered = std::sync::Arc::new(AtomicUsize::new(0));
    let count = std::sync::Arc::clone(&answered);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let (frame, count) = (frame.clone(), std::sync::Arc::clone(&count));
            std::thread::spawn(move || {
                while let Some(message) = read_frame(&mut stream) {
                    let Ok(wire) = cauce87::read(&message) else { continue };
                    if wire.kind != WireKind::NetworkRequest {
                        count
                            .fetch_add(usize::from(message.starts_with(b"0910")), Ordering::SeqCst);
                        continue;
                    }
                    let (mut out, yes) = (BytesMut::new(), *b"00");
                    let yes = WireAnswer { de39: yes, ..WireAnswer::default() };
                    cauce87::answer(&wire.index, &message, &yes, &mut out).expect("an answer");
                    let sent = [framed(&out), frame.clone()].concat();
                    if stream.write_all(&sent).is_err() {
                        return;
                    }
                }
            });
        }
    });
    (address, answered)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_the_switch_opened_answers_and_tells_the_same() {
    let unknown = framed(&[b"0900", &ECHO[4..]].concat());
    let (bank, answered) = talking_bank([unknown, framed(&[0xFF; 40])].concat());
    let town = Town::start(bank, "").await;
    let told = [
        "INFO".to_owned(),
        "not understood".to_owned(),
        "participant=\"bank-b\"".to_owned(),
        format!("peer={bank}"),
        "kind=\"unknown_message_type\"".to_owned(),
        "answered=true".to_owned(),
    ];
    town.wait_for_log(&told).await;
    let is_answered = async || (answered.load(Ordering::SeqCst) > 0).then_some(());
    eventually("an answer at the bank", is_answered).await;
    let series = "cauce_messages_refused_total{participant=\"bank-b\",why=\"bad_content\"}";
    let is_counted = async || (town.metric(series).await > 0).then_some(());
    eventually("the garbage to be counted", is_counted).await;
    town.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_sign_on_is_told_with_whom_it_named_its_peer_and_the_reason() {
    let issuer = issuer().await;
    let town = Town::start(issuer.addr(), "").await;
    let nameless = b"0800\x82\x20\0\0\0\0\0\0\x04\0\0\0\0\0\0\x001123211722000042001";
    let named = |acquirer: &str| {
        let text = format!("112321172200004111{acquirer}001");
        [b"0800\x82\x20\0\x01\0\0\0\0\x04\0\0\0\0\0\0\0" as &[u8], text.as_bytes()].concat()
    };
    let banco = b"\x60\0\x03\0\x11\x08\0\x82\x20\0\x01\0\0\0\0\x04\0\0\0\0\0\0\0\
                  \x11\x23\x21\x17\x22\0\0\x41\x11\0\0\0\0\0\x99\0\x01";
    let cases: [(SocketAddr, &[u8], &str, &str); 4] = [
        (town.site.iso8583, &named("00000099999"), "00000099999", "unknown_acquirer"),
        (town.site.iso8583, &named("00000000042"), "00000000042", "other_address"),
        (town.site.iso8583, nameless, "-", "no_acquirer"),
        (town.banco, banco, "00000000099", "other_acquirer"),
    ];
    for (address, message, de32, reason) in cases {
        let mut socket = connect(address);
        socket.write_all(&framed(message)).expect("written");
        read_frame(&mut socket).expect("an answer");
        let peer = socket.local_addr().expect("an address");
        let told = [
            "sign-on refused".to_owned(),
            format!("de32=\"{de32}\""),
            format!("peer={peer}"),
            format!("reason=\"{reason}\""),
        ];
        town.wait_for_log(&told).await;
    }
    let series = "cauce_sign_ons_refused_total{participant=\"unknown\",why=\"unknown_acquirer\"}";
    assert_eq!(town.metric(series).await, 1);
    town.running.stop().await;
}

/// The events of a trace.
fn traced(site: &Site, name: &str) -> Vec<Value> {
    let file = site.data().join("line-trace").join(name);
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_trace_of_lines_is_switched_on_and_off_while_the_switch_runs() {
    let issuer = issuer().await;
    let town = Town::start(issuer.addr(), "").await;
    let settings =
        AcquirerSettings { deadline: PATIENCE, ..AcquirerSettings::new(crate::harness::ACQUIRER) };
    let bank = Acquirer::connect(town.site.iso8583, settings).await.expect("a line");
    let pay = async || bank.pay(&card_order(15_000)).await.expect("an answer");
    pay().await;
    assert!(!town.site.data().join("line-trace").exists(), "nothing is written unasked");
    assert_eq!(town.site.command_admin("POST /trace-lines/on", "guess").await, 401);
    let token = std::fs::read_to_string(town.site.data().join("drain-token")).expect("a token");
    assert_eq!(town.site.command_admin("POST /trace-lines/on", token.trim()).await, 200);
    let (_, answer) = pay().await;
    let mut socket = town.connect();
    socket.write_all(&framed(&[0xFF; 40])).expect("written");
    let complete = async || {
        let (bank, unsigned) =
            (traced(&town.site, "bank-a.jsonl"), "before-sign-on.unsigned.jsonl");
        let stranger = traced(&town.site, unsigned);
        (bank.len() >= 2 && stranger.len() >= 2).then_some((bank, stranger))
    };
    let (events, stranger) = eventually("the trace of both lines", complete).await;
    let of = |direction: &str| {
        events.iter().find(|event| event["direction"] == direction).expect("a message")
    };
    let (request, told) = (of("in"), of("out"));
    assert_eq!((&request["mti"], &told["mti"]), (&"0200".into(), &"0210".into()));
    assert_eq!(told["fields"]["39"], "00");
    assert_eq!(told["fields"]["37"], answer.fields.text(37));
    assert_eq!(request["participant"], "bank-a");
    assert!(stranger.iter().any(|event| event["not_understood"] == "bad_content"), "{stranger:?}");
    assert_eq!(town.site.command_admin("POST /trace-lines/off", token.trim()).await, 200);
    let before = traced(&town.site, "bank-a.jsonl").len();
    pay().await;
    assert_eq!(town.site.command_admin("POST /trace-lines/on", token.trim()).await, 200);
    pay().await;
    let site = town.site;
    town.running.stop().await;
    assert_eq!(traced(&site, "bank-a.jsonl").len(), before + 2, "the trace goes on to the stop");
}
