//! The admin port, as probes, operators and strangers meet it.

use std::net::SocketAddr;
use std::time::Duration;

use switch::app::Ended;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{House, PATIENCE};

/// What comes back for a request as it stands, until the port closes the connection.
pub async fn answer(admin: SocketAddr, request: &str) -> String {
    let mut socket = TcpStream::connect(admin).await.expect("a connection");
    socket.write_all(request.as_bytes()).await.expect("written");
    rest(&mut socket).await
}

/// Everything until the end of a connection.
async fn rest(socket: &mut TcpStream) -> String {
    let mut rest = Vec::new();
    let read = tokio::time::timeout(PATIENCE, socket.read_to_end(&mut rest)).await;
    // A reset is an end, too.
    read.expect("closed in time").ok();
    String::from_utf8(rest).expect("text")
}

/// The status of a request with these headers.
pub async fn status(admin: SocketAddr, line: &str, headers: &str) -> u16 {
    let request = format!("{line} HTTP/1.1\r\nConnection: close\r\n{headers}\r\n");
    let answer = answer(admin, &request).await;
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    status.unwrap_or_else(|| panic!("no status: {answer}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_port_answers_its_own_names_and_no_web_page() {
    let house = House::start_with("[admin]\nhosts = [\"cauce.ops.example\"]\n").await;
    let admin = house.app.addresses.admin;
    for path in ["/healthz", "/readyz", "/metrics"] {
        let get = format!("GET {path}");
        for host in [format!("Host: {admin}\r\n"), "Host: cauce.ops.example:9090\r\n".to_owned()] {
            assert_eq!(status(admin, &get, &host).await, 200, "{path} {host}");
        }
        assert_eq!(status(admin, &get, "Host: evil.example\r\n").await, 421, "{path}");
        assert_eq!(status(admin, &get, "").await, 421, "{path}");
        let page = format!("Host: {admin}\r\nOrigin: http://{admin}\r\n");
        assert_eq!(status(admin, &get, &page).await, 403, "{path}");
    }
    assert_eq!(status(admin, "HEAD /healthz", &format!("Host: {admin}\r\n")).await, 200);
    let lost = format!("GET /health HTTP/1.1\r\nConnection: close\r\nHost: {admin}\r\n\r\n");
    let told = answer(admin, &lost).await;
    assert!(told.contains(" 404 ") && told.contains("/healthz /readyz /metrics"), "{told}");
    let old = answer(admin, "GET /healthz HTTP/1.0\r\n\r\n").await;
    assert!(old.contains(" 200 ") && old.ends_with("ok\n"), "{old}");
}

#[tokio::test(flavor = "multi_thread")]
async fn draining_needs_the_token_of_the_data_folder() {
    let house = House::start().await;
    let admin = house.app.addresses.admin;
    let token = std::fs::read_to_string(house.dir.path().join("drain-token")).expect("a token");
    let host = format!("Host: {admin}\r\n");
    let shown = |token: &str| format!("{host}Authorization: Bearer {}\r\n", token.trim());
    for (headers, expected) in [
        (host.clone(), 401),
        (shown("guess"), 401),
        (format!("{}Origin: null\r\n", shown(&token)), 403),
        (shown(&token).replace(&host, "Host: evil.example\r\n"), 421),
    ] {
        assert_eq!(status(admin, "POST /drain", &headers).await, expected, "{headers}");
    }
    assert_eq!(status(admin, "GET /readyz", &host).await, 200, "nothing has drained it");
    assert_eq!(status(admin, "POST /drain", &shown(&token)).await, 202);
    let ended = tokio::time::timeout(PATIENCE, house.app.run_until(std::future::pending())).await;
    assert_eq!(ended.expect("an end"), Ended::Drained);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_connection_that_sends_no_whole_request_is_closed() {
    let house = House::start_with("[admin]\nheader_timeout_ms = 200\n").await;
    let admin = house.app.addresses.admin;
    let mut silent = TcpStream::connect(admin).await.expect("a connection");
    assert_eq!(rest(&mut silent).await, "");
    let mut half = TcpStream::connect(admin).await.expect("a connection");
    half.write_all(b"GET /m").await.expect("written");
    assert_eq!(rest(&mut half).await, "");
    // One that was answered, and then asks nothing more.
    let mut idle = TcpStream::connect(admin).await.expect("a connection");
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {admin}\r\n\r\n");
    idle.write_all(request.as_bytes()).await.expect("written");
    let answered = rest(&mut idle).await;
    assert!(answered.starts_with("HTTP/1.1 200"), "{answered}");
    // And one that sends a byte now and then, for longer than the deadline.
    let mut slow = TcpStream::connect(admin).await.expect("a connection");
    let mut tick = tokio::time::interval(Duration::from_millis(40));
    let ended = async {
        while slow.write_all(b"G").await.is_ok() {
            tick.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, ended).await.expect("closed in time");
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_that_hold_admin_connections_keep_no_probe_out() {
    let house =
        House::start_with("[admin]\nconnections_max = 4\nheader_timeout_ms = 60000\n").await;
    let admin = house.app.addresses.admin;
    let mut held = Vec::new();
    for _ in 0..12 {
        held.push(TcpStream::connect(admin).await.expect("a connection"));
    }
    let host = format!("Host: {admin}\r\n");
    for _ in 0..3 {
        assert_eq!(status(admin, "GET /healthz", &host).await, 200);
    }
    // The oldest made room.
    assert_eq!(rest(&mut held[0]).await, "");
}
