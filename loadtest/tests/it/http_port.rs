//! The HTTP port of a switch that is still starting, and one that is no switch's.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::program::{Ended, program};
use crate::scripted;

fn load(target: std::net::SocketAddr, wait_s: &str) -> Ended {
    let target = target.to_string();
    let args = ["run", "--http", &target, "--api-key", "k", "--duration", "1", "--wait", wait_s];
    Ended::of(program(&args).output().expect("the program"))
}

/// Reads the request and, where there is one, sends an answer.
fn serve(mut stream: TcpStream, answer: Option<&[u8]>) {
    let mut request = [0; 2048];
    let Ok(1..) = stream.read(&mut request) else { return };
    match answer {
        Some(answer) => drop(stream.write_all(answer)),
        // Silence, until the client gives up and closes.
        None => drop(stream.read(&mut request)),
    }
}

#[test]
fn an_http_port_that_is_silent_or_drops_the_connection_is_tried_again() {
    let target = scripted::in_turn(|number, stream| match number {
        // Closed with the request unread, which resets the connection.
        0 => drop(stream.peek(&mut [0])),
        1 => serve(stream, Some(b"")),
        2 => serve(stream, Some(b"HTTP/1.1 200 OK\r\nContent-Le")),
        3 => serve(stream, None),
        4 => serve(stream, Some(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")),
        _ => serve(stream, Some(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n")),
    });
    load(target, "600").must_say(1, &["waiting for the switch", "was answered 401"]);
}

#[test]
fn an_http_port_that_stays_silent_is_told_once_the_wait_is_over() {
    let target = scripted::in_turn(|_, stream| serve(stream, None));
    load(target, "1").must_say(1, &["was not answered within 5s", "raise --wait"]);
}

#[test]
fn an_http_port_that_does_not_speak_http_is_told_at_once() {
    for bytes in [&b"\x00\x050810\x00"[..], b"SSH-2.0-example\r\n", b"\x15\x03\x01\x00\x02\x02\x46"]
    {
        let target = scripted::saying(bytes);
        load(target, "600").must_say(1, &["does not answer in HTTP", "without TLS?"]);
    }
}
