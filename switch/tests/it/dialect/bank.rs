//! The other side of a line, in a format of its own: a bank that is called and one that calls.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use bytes::{Bytes, BytesMut};
use codecs::iso8583::cauce87::{self, WireAnswer, WireKind};
use codecs::iso8583::{Dialect, Edition, Spec};
use codecs::security::{KeyAlgorithm, KeyUsage, MacAlgorithm, Padding, Parity, SoftwareKeyStore};
use switch::line_rules::message_format::{MacRule, MessageFormat};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::harness::PATIENCE;

/// The bank's format.
pub const SPEC: &str = include_str!("banco.toml");

/// The key of the bank's codes.
pub const MAC_KEY: &str = "0123456789ABCDEFFEDCBA9876543210";

/// Whether messages carry codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codes {
    Without,
    /// ANSI X9.19 in field 64 or 128.
    With,
}

fn message_format(codes: Codes) -> MessageFormat {
    if codes == Codes::Without {
        return MessageFormat::new(dialect(), None);
    }
    let (keys, key) = (SoftwareKeyStore::new(), "mine".parse().expect("a name"));
    let bytes = hex::decode(MAC_KEY).expect("hexadecimal digits");
    let kept = keys.insert(&key, KeyUsage::Mac, KeyAlgorithm::Tdes2, &bytes, Parity::Odd);
    kept.expect("a key");
    let algorithm = MacAlgorithm::X9_19(Padding::Zeros);
    let rule = MacRule { keys: Arc::new(keys), key, algorithm };
    MessageFormat::new(dialect().authenticated(64).expect("room for codes"), Some(rule))
}

fn dialect() -> Dialect {
    let spec = Spec::from_toml(SPEC).unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
    Dialect::new(Arc::new(spec), Edition::Of1987, Vec::new())
}

/// Text as the hexadecimal digits of its ASCII characters.
pub fn letters(text: &str) -> String {
    hex::encode_upper(text)
}

/// A bank that is called: answers 00, with a bit flipped to amounts that end in 67, and nothing to
/// those that end in 69.
pub struct Bank {
    pub addr: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Bank {
    /// Listens on a free port, on threads of its own.
    pub fn open(codes: Codes) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let addr = listener.local_addr().expect("an address");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let noted = Arc::clone(&noted);
                std::thread::spawn(move || serve(stream, codes, &noted));
            }
        });
        Self { addr, seen }
    }

    /// What came, frames and all, as hexadecimal digits; only messages of these types.
    pub fn seen(&self, mti: &str) -> Vec<String> {
        let seen = self.seen.lock().expect("no panic");
        // Two bytes of length, five of TPDU.
        seen.iter().filter(|frame| frame[14..].starts_with(mti)).cloned().collect()
    }
}

/// Answers until the line ends.
fn serve(mut stream: TcpStream, codes: Codes, seen: &Mutex<Vec<String>>) -> Option<()> {
    let message_format = message_format(codes);
    loop {
        let mut len = [0; 2];
        stream.read_exact(&mut len).ok()?;
        let mut rest = vec![0; usize::from(u16::from_be_bytes(len))];
        stream.read_exact(&mut rest).ok()?;
        seen.lock().ok()?.push(hex::encode_upper([&len[..], &rest].concat()));
        let Some(answer) = answer(&message_format, &rest[5..]) else { continue };
        // The TPDU's addresses the other way round.
        let tpdu = [rest[0], rest[3], rest[4], rest[1], rest[2]];
        let len = u16::try_from(5 + answer.len()).ok()?;
        stream.write_all(&[&len.to_be_bytes()[..], &tpdu, &answer].concat()).ok()?;
    }
}

/// What the bank answers to a message it takes.
fn answer(message_format: &MessageFormat, message: &[u8]) -> Option<Bytes> {
    let (home, read) = message_format.read(message);
    read.ok()?;
    let wire = cauce87::read(&home).ok()?;
    let is_payment = matches!(wire.kind, WireKind::PaymentRequest { .. });
    let is_of = |end: &[u8]| {
        is_payment && wire.index.field(&home, 4).is_some_and(|amount| amount.ends_with(end))
    };
    if is_of(b"69") {
        return None;
    }
    let authorisation = is_payment.then(|| "A1B2C3".parse().expect("six characters"));
    let told = WireAnswer { de39: *b"00", authorisation, ..WireAnswer::default() };
    let mut ours = BytesMut::new();
    cauce87::answer(&wire.index, &home, &told, &mut ours).ok()?;
    let mut out = BytesMut::from(message_format.write(&ours, 4096).ok()?);
    if is_of(b"67") {
        *out.last_mut()? ^= 1;
    }
    Some(out.freeze())
}

/// A bank that calls, behind a TPDU from address 12 to address 34.
pub struct Caller {
    stream: tokio::net::TcpStream,
}

impl Caller {
    pub async fn call(addr: SocketAddr) -> Self {
        Self { stream: tokio::net::TcpStream::connect(addr).await.expect("a line") }
    }

    /// Sends a message of hexadecimal digits, spaces allowed, and gives what comes back.
    pub async fn ask(&mut self, message: &str) -> String {
        self.say(message).await;
        self.hear().await
    }

    pub async fn say(&mut self, message: &str) {
        let message = hex::decode(message.replace(' ', "")).expect("hexadecimal digits");
        let len = u16::try_from(5 + message.len()).expect("a short message");
        let tpdu = [0x60, 0x00, 0x12, 0x00, 0x34];
        let frame = [&len.to_be_bytes()[..], &tpdu, &message].concat();
        self.stream.write_all(&frame).await.expect("a line");
    }

    pub async fn hear(&mut self) -> String {
        let hearing = async {
            let mut head = [0; 7];
            self.stream.read_exact(&mut head).await?;
            let len = usize::from(u16::from_be_bytes([head[0], head[1]]));
            assert_eq!(head[2..], [0x60, 0x00, 0x34, 0x00, 0x12], "the TPDU goes back");
            let mut message = vec![0; len - 5];
            self.stream.read_exact(&mut message).await?;
            std::io::Result::Ok(hex::encode_upper(message))
        };
        let heard = tokio::time::timeout(PATIENCE, hearing).await;
        heard.expect("an answer in time").expect("a line")
    }
}
