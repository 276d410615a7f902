//! HTTP/1.1 as far as the bank needs it, written by hand: a bank that misbehaves sends what no
//! library would.

use std::io;

use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A request is a small document; a longer one ends its connection.
const REQUEST_BYTES_MAX: usize = 256 << 10;

/// One request.
#[derive(Debug)]
pub(super) struct HttpRequest {
    pub method: String,
    pub path: String,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// Reads the next request; none when the client closes between two.
///
/// Errors: the connection's, or what came is no request.
pub(super) async fn read(
    stream: &mut TcpStream,
    buffer: &mut Vec<u8>,
) -> io::Result<Option<HttpRequest>> {
    let head_len = loop {
        if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if buffer.len() > REQUEST_BYTES_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    };
    let mut request = head(&buffer[..head_len]).ok_or(io::ErrorKind::InvalidData)?;
    let length =
        request.headers.get("content-length").and_then(|it| it.to_str().ok()?.parse().ok());
    let whole = head_len + length.unwrap_or(0_usize).min(REQUEST_BYTES_MAX);
    while buffer.len() < whole {
        if stream.read_buf(buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    request.body = buffer[head_len..whole].to_vec();
    buffer.drain(..whole);
    Ok(Some(request))
}

fn head(bytes: &[u8]) -> Option<HttpRequest> {
    let mut lines = std::str::from_utf8(bytes).ok()?.split("\r\n");
    let mut start = lines.next()?.split(' ');
    let (method, path) = (start.next()?.to_owned(), start.next()?.to_owned());
    let mut headers = HeaderMap::new();
    for line in lines.filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':')?;
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        headers.append(name, HeaderValue::from_str(value.trim()).ok()?);
    }
    Some(HttpRequest { method, path, headers, body: Vec::new() })
}

/// The head of an answer.
pub(super) fn answer_head(status: u16, headers: &HeaderMap, body_len: usize) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status} \r\ncontent-type: application/json\r\n").into_bytes();
    for (name, value) in headers {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(format!("content-length: {body_len}\r\n\r\n").as_bytes());
    head
}

/// Writes it all.
///
/// Errors: the connection's.
pub(super) async fn write(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await
}
