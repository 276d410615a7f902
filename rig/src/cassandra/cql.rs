//! As much of CQL's native protocol (v4) as it takes to see that a server answers.
//!
//! ```text
//! frame = version u8 · flags u8 · stream u16 · opcode u8 · length u32 · body     (big-endian)
//! ```

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::wait::holds;
use crate::{Error, Result};

const CONNECT_MAX: Duration = Duration::from_secs(2);
/// Longer than the server itself takes for a write or a change of schema.
const ANSWER_MAX: Duration = Duration::from_secs(15);
const REQUEST: u8 = 0x04;
const RESPONSE: u8 = 0x84;
const CONSISTENCY_ALL: u16 = 0x0005;
const BODY_MAX: u32 = 1 << 20;

const ERROR: u8 = 0x00;
const STARTUP: u8 = 0x01;
const READY: u8 = 0x02;
const OPTIONS: u8 = 0x05;
const SUPPORTED: u8 = 0x06;
const QUERY: u8 = 0x07;
const RESULT: u8 = 0x08;

/// Succeeds where a server answers the question what it supports.
pub(super) fn options(address: &str, port: u16) -> Result<()> {
    ask(&mut connect(address, port)?, OPTIONS, &[], SUPPORTED)
}

/// Executes one statement at consistency ALL.
pub(super) fn execute(address: &str, port: u16, statement: &str) -> Result<()> {
    let mut stream = connect(address, port)?;
    ask(&mut stream, STARTUP, &startup(), READY)?;
    let executed = ask(&mut stream, QUERY, &query(statement), RESULT);
    executed.map_err(|error| error.within(format!("{address}:{port}, {statement}")))
}

fn connect(address: &str, port: u16) -> Result<TcpStream> {
    let told = |error: &dyn std::fmt::Display| Error::new(format!("{address}:{port}: {error}"));
    let ip = address.parse().map_err(|error| told(&error))?;
    let stream = TcpStream::connect_timeout(&SocketAddr::new(ip, port), CONNECT_MAX);
    let stream = stream.map_err(|error| told(&error))?;
    stream.set_read_timeout(Some(ANSWER_MAX))?;
    Ok(stream)
}

fn ask(stream: &mut TcpStream, opcode: u8, body: &[u8], expected: u8) -> Result<()> {
    stream.write_all(&frame(opcode, body))?;
    let (answered, body) = read_frame(stream)?;
    holds(answered == expected, || match answered {
        // An i32 code and a string with its length as u16 come first.
        ERROR => String::from_utf8_lossy(body.get(6..).unwrap_or_default()).into_owned(),
        other => format!("opcode {other:#04x} came for {expected:#04x}"),
    })
}

fn frame(opcode: u8, body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(body.len()).expect("invariant: a statement is short");
    let mut bytes = vec![REQUEST, 0, 0, 0, opcode];
    bytes.extend_from_slice(&len.to_be_bytes());
    bytes.extend_from_slice(body);
    bytes
}

fn read_frame(stream: &mut impl Read) -> Result<(u8, Vec<u8>)> {
    let mut header = [0; 9];
    stream.read_exact(&mut header)?;
    let [version, _, _, _, opcode, length @ ..] = header;
    let len = u32::from_be_bytes(length);
    holds(version == RESPONSE && len <= BODY_MAX, || format!("not CQL v4: {header:02x?}"))?;
    let mut body = vec![0; usize::try_from(len).expect("invariant: at most BODY_MAX")];
    stream.read_exact(&mut body)?;
    Ok((opcode, body))
}

/// A map of one pair of strings.
fn startup() -> Vec<u8> {
    let mut body = 1_u16.to_be_bytes().to_vec();
    for word in ["CQL_VERSION", "3.0.0"] {
        let len = u16::try_from(word.len()).expect("invariant: a short word");
        body.extend_from_slice(&len.to_be_bytes());
        body.extend_from_slice(word.as_bytes());
    }
    body
}

/// The text with its length as i32, a consistency, and no flags.
fn query(statement: &str) -> Vec<u8> {
    let len = i32::try_from(statement.len()).expect("invariant: a statement is short");
    let mut body = len.to_be_bytes().to_vec();
    body.extend_from_slice(statement.as_bytes());
    body.extend_from_slice(&CONSISTENCY_ALL.to_be_bytes());
    body.push(0);
    body
}
