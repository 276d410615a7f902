//! A bank that does what a test's script says, message by message, on lines the switch opens.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Instant;

use loadtest::simulator::acquirer::Fields;
use loadtest::wire::{self, Index};
use parking_lot::{Condvar, Mutex};

/// Data elements that an honest answer repeats.
const REPEATED: [u8; 11] = [2, 3, 4, 7, 11, 32, 37, 41, 42, 49, 90];

/// A message that came from the switch.
#[derive(Debug, Clone)]
pub struct Message {
    /// Number of its line, from 0 in the order they were opened.
    pub line: usize,
    /// Its type.
    pub mti: String,
    /// Its fields.
    pub fields: Fields,
    /// When it was read.
    pub at: Instant,
}

impl Message {
    /// The fields of its answer with a response code.
    pub fn answer(&self, code: &str) -> Fields {
        let repeated = self.fields.iter().filter(|(field, _)| REPEATED.contains(field));
        repeated.fold(Fields::new(), |all, (field, value)| all.with(field, value)).with(39, code)
    }

    /// The last two digits of its amount.
    pub fn cents(&self) -> &str {
        let amount = self.fields.text(4);
        &amount[amount.len().saturating_sub(2)..]
    }
}

/// A running bank. Its threads end with their lines.
#[derive(Clone)]
pub struct ScriptedBank {
    /// Where it listens.
    pub addr: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    lines: Mutex<Vec<TcpStream>>,
    seen: Mutex<Vec<Message>>,
    stalled: Mutex<HashSet<usize>>,
    released: Condvar,
}

impl ScriptedBank {
    /// Listens on a free port. Sign-ons and echoes are answered 00; the script gets the rest.
    pub fn open(script: impl Fn(&Self, &Message) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let addr = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            lines: Mutex::default(),
            seen: Mutex::default(),
            stalled: Mutex::default(),
            released: Condvar::new(),
        });
        let (bank, script) = (Self { addr, shared }, Arc::new(script));
        let accepting = bank.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (bank, script) = (accepting.clone(), Arc::clone(&script));
                let line = {
                    let mut lines = bank.shared.lines.lock();
                    lines.push(stream.try_clone().expect("a second handle"));
                    lines.len() - 1
                };
                std::thread::spawn(move || bank.serve(line, stream, &*script));
            }
        });
        bank
    }

    /// Says something on a line; a line that has fallen says nothing.
    pub fn say(&self, line: usize, mti: &str, fields: &Fields) {
        let mut frame = Vec::new();
        let mti = mti.as_bytes().try_into().expect("four digits");
        wire::encode(&mut frame, mti, fields.iter()).expect("fields that fit");
        let written = self.shared.lines.lock()[line].write_all(&frame);
        drop(written);
    }

    /// Sends bytes on a line as they stand; whether the line took them.
    pub fn say_raw(&self, line: usize, bytes: &[u8]) -> bool {
        let stream = self.shared.lines.lock()[line].try_clone();
        stream.is_ok_and(|mut stream| stream.write_all(bytes).is_ok())
    }

    /// How many lines were opened so far.
    pub fn lines_opened(&self) -> usize {
        self.shared.lines.lock().len()
    }

    /// Answers a message on its own line.
    pub fn answer(&self, message: &Message, fields: &Fields) {
        let mti = message.mti.as_bytes().try_into().expect("four digits");
        let mti = String::from_utf8(wire::answer_mti(mti).to_vec()).expect("digits");
        self.say(message.line, &mti, fields);
    }

    /// Closes a line.
    pub fn hang_up(&self, line: usize) {
        // It may have fallen already.
        self.shared.lines.lock()[line].shutdown(Shutdown::Both).ok();
    }

    /// Reads nothing more of a line until it is released.
    pub fn stall(&self, line: usize) {
        self.shared.stalled.lock().insert(line);
    }

    /// Reads on.
    pub fn release(&self, line: usize) {
        self.shared.stalled.lock().remove(&line);
        self.shared.released.notify_all();
    }

    /// Messages that came of a type (`0420` also means its repeats), in the order they were read.
    pub fn seen(&self, mti: &str) -> Vec<Message> {
        let seen = self.shared.seen.lock();
        seen.iter().filter(|message| message.mti.starts_with(&mti[..3])).cloned().collect()
    }

    fn serve(
        &self,
        line: usize,
        mut stream: TcpStream,
        script: &(impl Fn(&Self, &Message) + ?Sized),
    ) -> Option<()> {
        loop {
            let mut len = [0; 2];
            stream.read_exact(&mut len).ok()?;
            let mut bytes = vec![0; usize::from(u16::from_be_bytes(len))];
            stream.read_exact(&mut bytes).ok()?;
            {
                let mut stalled = self.shared.stalled.lock();
                while stalled.contains(&line) {
                    self.shared.released.wait(&mut stalled);
                }
            }
            let message = read(line, &bytes)?;
            self.shared.seen.lock().push(message.clone());
            match message.mti.as_str() {
                "0800" => {
                    let repeated = message.fields.iter().filter(|(field, _)| *field != 2);
                    let fields = repeated.fold(Fields::new(), |all, (n, value)| all.with(n, value));
                    self.answer(&message, &fields.with(39, "00"));
                }
                _ => script(self, &message),
            }
        }
    }
}

fn read(line: usize, bytes: &[u8]) -> Option<Message> {
    let mut index = Index::new();
    index.read(bytes).ok()?;
    let mti = String::from_utf8(wire::mti(bytes)?.to_vec()).ok()?;
    let values = (2..=128).filter_map(|field| Some((field, index.value(bytes, field)?)));
    let fields = values.fold(Fields::new(), |all, (field, value)| all.with(field, value));
    Some(Message { line, mti, fields, at: Instant::now() })
}
