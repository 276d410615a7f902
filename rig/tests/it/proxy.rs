//! A network that is cut.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rig::{Proxy, Redis, RedisOptions, RespValue};

const SILENCE: Duration = Duration::from_millis(100);

/// A Redis, a proxy in front of it, and a connection through that.
fn rigged() -> (Redis, Proxy, TcpStream) {
    let redis = Redis::start(RedisOptions::default()).unwrap();
    let proxy = Proxy::start(&redis.address()).unwrap();
    let mut stream = TcpStream::connect(proxy.address()).unwrap();
    assert_eq!(ask(&mut stream, "PING"), "+PONG\r\n");
    (redis, proxy, stream)
}

/// What comes within a while, whole replies being short; nothing where nothing comes or it is over.
fn ask(stream: &mut TcpStream, command: &str) -> String {
    let mut bytes = [0; 64];
    stream.set_read_timeout(Some(SILENCE * 10)).unwrap();
    let _ = stream.write_all(format!("{command}\r\n").as_bytes());
    let len = stream.read(&mut bytes).unwrap_or(0);
    String::from_utf8_lossy(&bytes[..len]).into_owned()
}

fn is_over(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(SILENCE * 50)).unwrap();
    match stream.read(&mut [0; 64]) {
        Ok(len) => len == 0,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

#[test]
fn a_cut_ends_connections_and_refuses_new_ones_until_healed() {
    let (_redis, proxy, mut stream) = rigged();
    proxy.cut();
    assert!(is_over(&mut stream));
    assert!(is_over(&mut TcpStream::connect(proxy.address()).unwrap()));
    proxy.heal();
    assert_eq!(ask(&mut TcpStream::connect(proxy.address()).unwrap(), "PING"), "+PONG\r\n");
}

#[test]
fn a_request_cut_off_never_reaches_the_server() {
    let (redis, proxy, mut stream) = rigged();
    proxy.cut_towards_server();
    assert_eq!(ask(&mut stream, "INCR a"), "");
    assert_eq!(redis.command(&["GET", "a"]).unwrap(), RespValue::Nil);
    proxy.heal();
    assert!(is_over(&mut stream), "a stream with a hole in it must not go on");
}

#[test]
fn an_answer_cut_off_leaves_the_work_done() {
    let (redis, proxy, mut stream) = rigged();
    proxy.cut_towards_client();
    assert_eq!(ask(&mut stream, "INCR a"), "");
    assert_eq!(redis.command(&["GET", "a"]).unwrap(), RespValue::Text("1".into()));
}

#[test]
fn a_delay_holds_back_both_ways() {
    let (_redis, proxy, mut stream) = rigged();
    proxy.delay(SILENCE);
    let start = Instant::now();
    assert_eq!(ask(&mut stream, "PING"), "+PONG\r\n");
    assert!(start.elapsed() >= SILENCE * 2);
}

#[test]
fn another_target_gets_new_connections_alone() {
    let (redis, proxy, mut old) = rigged();
    let other = Redis::start(RedisOptions::default()).unwrap();
    proxy.retarget(&other.address());
    let mut new = TcpStream::connect(proxy.address()).unwrap();
    assert_eq!(ask(&mut old, "INCR a"), ":1\r\n");
    assert_eq!(ask(&mut new, "INCRBY a 5"), ":5\r\n");
    assert_eq!(redis.command(&["GET", "a"]).unwrap(), RespValue::Text("1".into()));
    proxy.drop_connections();
    assert!(is_over(&mut old) && is_over(&mut new));
}

#[test]
fn nothing_listens_where_a_proxy_was() {
    let (_redis, proxy, mut stream) = rigged();
    let address = proxy.address();
    drop(proxy);
    assert!(is_over(&mut stream));
    let gone = rig::eventually("the port to close", Duration::from_secs(5), || {
        match TcpStream::connect(&address) {
            Err(_) => Ok(()),
            Ok(_) => Err(std::io::Error::other("it still listens").into()),
        }
    });
    gone.unwrap();
}
