//! As much of the Redis protocol (RESP2) as a test needs.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use crate::{Error, Result};

const ANSWER_MAX: Duration = Duration::from_secs(5);

/// What Redis answered; an error reply is an `Error` instead, unless it stands in an array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RespValue {
    /// A simple or bulk string; bytes that are no UTF-8 are replaced.
    Text(String),
    /// An integer.
    Integer(i64),
    /// Nothing there.
    Nil,
    /// Several.
    Array(Vec<RespValue>),
    /// An error of one of several.
    Error(String),
}

impl RespValue {
    /// The text, or the integer printed; of nil or an array, what `Debug` prints.
    pub fn text(&self) -> String {
        match self {
            Self::Text(text) | Self::Error(text) => text.clone(),
            Self::Integer(value) => value.to_string(),
            Self::Nil | Self::Array(_) => format!("{self:?}"),
        }
    }

    /// The integer, also where it comes as text.
    pub fn integer(&self) -> Option<i64> {
        match self {
            Self::Integer(value) => Some(*value),
            Self::Text(text) => text.parse().ok(),
            Self::Nil | Self::Array(_) | Self::Error(_) => None,
        }
    }

    /// The elements of an array; of anything else, none.
    pub fn items(&self) -> &[RespValue] {
        match self {
            Self::Array(items) => items,
            Self::Text(_) | Self::Integer(_) | Self::Nil | Self::Error(_) => &[],
        }
    }
}

/// Sends one command to 127.0.0.1 and reads its answer.
pub(crate) fn call(port: u16, words: &[&str]) -> Result<RespValue> {
    let told = |error: Error| error.within(format!("port {port}, {}", words.join(" ")));
    let answer = || -> Result<RespValue> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut stream = TcpStream::connect_timeout(&address, ANSWER_MAX)?;
        stream.set_read_timeout(Some(ANSWER_MAX))?;
        stream.set_write_timeout(Some(ANSWER_MAX))?;
        stream.write_all(&request(words))?;
        read(&mut BufReader::new(stream))
    };
    match answer().map_err(told)? {
        RespValue::Error(text) => Err(told(Error::new(text))),
        other => Ok(other),
    }
}

fn request(words: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
    }
    bytes
}

fn read(stream: &mut impl BufRead) -> Result<RespValue> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let strange = || Error::new(format!("not a reply: {line:?}"));
    let body = line.get(1..).and_then(|rest| rest.strip_suffix("\r\n")).ok_or_else(strange)?;
    let number = || body.parse::<i64>().map_err(|_| strange());
    Ok(match line.as_bytes()[0] {
        b'+' => RespValue::Text(body.to_owned()),
        b'-' => RespValue::Error(body.to_owned()),
        b':' => RespValue::Integer(number()?),
        b'$' => match usize::try_from(number()?) {
            Ok(len) => RespValue::Text(read_bulk(stream, len)?),
            Err(_) => RespValue::Nil,
        },
        b'*' => match usize::try_from(number()?) {
            Ok(len) => RespValue::Array((0..len).map(|_| read(stream)).collect::<Result<_>>()?),
            Err(_) => RespValue::Nil,
        },
        _ => return Err(strange()),
    })
}

fn read_bulk(stream: &mut impl Read, len: usize) -> Result<String> {
    let mut bytes = vec![0; len + "\r\n".len()];
    stream.read_exact(&mut bytes)?;
    bytes.truncate(len);
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_of_every_kind_are_read() {
        let check = |bytes: &str, expect: RespValue| {
            assert_eq!(read(&mut bytes.as_bytes()).unwrap(), expect, "{bytes}");
        };
        check("+PONG\r\n", RespValue::Text("PONG".into()));
        check("-ERR no\r\n", RespValue::Error("ERR no".into()));
        check(":-7\r\n", RespValue::Integer(-7));
        check("$5\r\na\r\nbc\r\n", RespValue::Text("a\r\nbc".into()));
        check("$-1\r\n", RespValue::Nil);
        check("*2\r\n:1\r\n*1\r\n$0\r\n\r\n", {
            RespValue::Array(vec![
                RespValue::Integer(1),
                RespValue::Array(vec![RespValue::Text(String::new())]),
            ])
        });
    }

    #[test]
    fn what_is_no_reply_is_an_error() {
        for bytes in ["", "+PONG", "HTTP/1.1 200\r\n", ":x\r\n", "$5\r\nab"] {
            assert!(read(&mut bytes.as_bytes()).is_err(), "{bytes:?}");
        }
    }
}
