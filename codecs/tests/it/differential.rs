//! Our reader and writer against pyiso8583, on random formats, messages and broken messages.
//!
//! The formats have what both sides know: contents and lengths in ASCII, two code pages and bytes,
//! lengths that count bytes or half bytes, three bitmaps, a header of bytes. Not tried are what only
//! they have (other headers, bitmaps that are written each in its own way, fillers besides 0
//! and F) and what only we have (content classes, parts, tags).
//!
//! `CODECS_TEST_SEED` repeats a run that failed, `CODECS_TEST_CASES` makes it longer, and
//! `CODECS_TEST_PYTHON` names a Python that has the package.

mod chance;
mod format;
mod peer;
mod verdict;

use bytes::BytesMut;
use codecs::iso8583::{Spec, Tree, Value};

use chance::Chance;
use format::Format;
use peer::Peer;
use verdict::{Difference, compare};

/// Formats, each with a message and some broken ones.
const CASES: usize = 2_000;
const BROKEN_PER_MESSAGE: usize = 6;

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text} is no number")))
}

#[test]
fn another_implementation_reads_and_writes_the_same() {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let micros = u64::try_from(now.expect("after 1970").as_micros()).expect("before 2500");
    let seed = number("CODECS_TEST_SEED").unwrap_or(micros);
    let cases = number("CODECS_TEST_CASES").map_or(CASES, |cases| cases.try_into().expect("few"));
    println!("CODECS_TEST_SEED={seed}");
    let (mut chance, mut peer) = (Chance(seed), Peer::start());
    let mut differences = [0_usize; Difference::ALL.len()];
    for _ in 0..cases {
        let format = Format::random(&mut chance);
        let toml = format.toml();
        let spec = Spec::from_toml(&toml).unwrap_or_else(|errors| panic!("{errors:?}\n{toml}"));
        peer.takes(&format);
        let message = message(&format, &mut chance);
        let bytes = both_write_and_read(&spec, &message, &mut peer, &toml);
        for _ in 0..BROKEN_PER_MESSAGE {
            let broken = broken(&bytes, &mut chance);
            let (ours, theirs) = (spec.unpack(&broken), peer.decode(&broken));
            match compare(&format, &broken, &ours, &theirs) {
                Ok(None) => {}
                Ok(Some(difference)) => differences[difference.place()] += 1,
                Err(problem) => {
                    let text = hex::encode(&broken);
                    panic!("{problem}\nours {ours:?}\ntheirs {theirs:?}\n{text}\n{toml}")
                }
            }
        }
    }
    for (difference, times) in Difference::ALL.iter().zip(differences) {
        println!("{times:6} times: {}", difference.reason());
    }
}

/// Some of the fields of a format.
fn message(format: &Format, chance: &mut Chance) -> Tree {
    let mti = (0..4).map(|_| char::from(b'0' + chance.pick(&[0, 1, 2, 4, 8, 9]))).collect();
    let header = (0..format.header_len)
        .map(|_| format!("{:02X}", chance.below(256)))
        .reduce(|header, byte| header + &byte);
    let mut fields = Vec::new();
    for (number, field) in &format.fields {
        if !chance.one_in(4) {
            fields.push((number.to_string(), Value::Text(field.content(chance))));
        }
    }
    Tree { mti, header, fields, ..Tree::default() }
}

/// The message's bytes, which both sides write, and read as what was written.
fn both_write_and_read(spec: &Spec, message: &Tree, peer: &mut Peer, toml: &str) -> Vec<u8> {
    let mut ours = BytesMut::new();
    spec.assemble(message, &mut ours)
        .unwrap_or_else(|error| panic!("{error}\n{message:?}\n{toml}"));
    let ours = ours.to_vec();
    let theirs = peer.encode(message);
    let theirs = theirs.unwrap_or_else(|refusal| panic!("{refusal:?}\n{message:?}\n{toml}"));
    assert_eq!(hex::encode(&ours), hex::encode(&theirs), "written {message:?}\n{toml}");
    assert_eq!(spec.unpack(&theirs).as_ref(), Ok(message), "{}\n{toml}", hex::encode(&theirs));
    assert_eq!(peer.decode(&ours).values(), Some(message), "{}\n{toml}", hex::encode(&ours));
    ours
}

/// The message with one thing changed.
fn broken(bytes: &[u8], chance: &mut Chance) -> Vec<u8> {
    let (mut broken, at) = (bytes.to_vec(), chance.below(bytes.len()));
    let byte = u8::try_from(chance.below(256)).expect("a byte");
    match chance.below(6) {
        0 => broken.truncate(at),
        1 => broken[at] ^= 1 << chance.below(8),
        2 => broken[at] = byte,
        3 => broken[at] = chance.pick(b" +-_09aF"),
        4 => drop(broken.remove(at)),
        _ => broken.insert(at, byte),
    }
    broken
}
