use std::path::Path;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::adapter::iso8583::tls;
use crate::outbound::tls_of_machine;
use crate::supervise::Supervisor;

/// Long enough for a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(20);
/// For what is to be given up.
const SHORT: Duration = Duration::from_millis(300);
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";

fn client(in_flight_max: usize, tls: ClientConfig) -> (HttpClient, Supervisor) {
    let settings = ClientSettings {
        reach: AddressRule::Anywhere,
        names: NamePlaces::Participants,
        connect_timeout: PATIENCE,
        in_flight_max,
        idle_per_host_max: in_flight_max,
        answer_bytes_max: 64,
        headers: HeaderMap::from_iter([(
            http::header::AUTHORIZATION,
            HeaderValue::from_static("Bearer fictional"),
        )]),
        tls,
    };
    let supervisor = Supervisor::new();
    let sockets = Sockets::for_requests(in_flight_max);
    (HttpClient::new(settings, supervisor.tasks(), sockets), supervisor)
}

fn plain(in_flight_max: usize) -> (HttpClient, Supervisor) {
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    client(in_flight_max, tls_of_machine())
}

async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/payments", listener.local_addr().unwrap());
    (listener, url)
}

fn post(url: &str) -> Request<Bytes> {
    Request::post(url).body(Bytes::from_static(b"{\"amount\":1}")).unwrap()
}

/// Reads one request, which ends with its body.
async fn read_request(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    while !read.ends_with(b"}") {
        assert_ne!(stream.read_buf(&mut read).await.unwrap(), 0, "the request ends early");
    }
    String::from_utf8(read).unwrap()
}

#[derive(Debug, PartialEq, Eq)]
enum Came {
    Status(u16),
    NotSent(NotSentCause),
    MaybeSent(MaybeSentCause),
}

async fn ask(client: &HttpClient, url: &str, within: Duration) -> Came {
    match client.ask(post(url), Instant::now() + within).await {
        Ok(answer) => Came::Status(answer.status().as_u16()),
        Err(HttpError::NotSent { cause, .. }) => Came::NotSent(cause),
        Err(HttpError::MaybeSent { cause, .. }) => Came::MaybeSent(cause),
    }
}

/// What comes of one request to a server that writes this when it has read it, and then closes.
async fn answered(bytes: &'static [u8]) -> Came {
    let ((client, _tasks), (listener, url)) = (plain(1), listener().await);
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_request(&mut stream).await;
        stream.write_all(bytes).await.ok();
    };
    tokio::join!(ask(&client, &url, PATIENCE), server).0
}

#[tokio::test]
async fn a_connection_that_is_refused_leaves_nothing_sent() {
    let ((client, _tasks), (gone, url)) = (plain(1), listener().await);
    drop(gone);
    assert_eq!(ask(&client, &url, PATIENCE).await, Came::NotSent(NotSentCause::Connect));
}

#[tokio::test]
async fn a_handshake_that_fails_or_never_ends_leaves_nothing_sent() {
    let ((client, _tasks), (listener, url)) = (plain(1), listener().await);
    let url = url.replace("http:", "https:");
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"220 this is no TLS\r\n").await.unwrap();
        let (silent, _) = listener.accept().await.unwrap();
        silent
    };
    let asked = async {
        let failed = ask(&client, &url, PATIENCE).await;
        (failed, ask(&client, &url, SHORT).await)
    };
    let (failed, silent) = tokio::join!(asked, server).0;
    assert_eq!(failed, Came::NotSent(NotSentCause::Connect));
    assert_eq!(silent, Came::NotSent(NotSentCause::Timeout));
}

#[tokio::test]
async fn what_was_written_may_have_arrived_whatever_becomes_of_the_answer() {
    assert_eq!(answered(ANSWER).await, Came::Status(200));
    assert_eq!(answered(b"").await, Came::MaybeSent(MaybeSentCause::Broken), "closed");
    assert_eq!(answered(b"garbage\r\n\r\n").await, Came::MaybeSent(MaybeSentCause::Broken));
    let cut = b"HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n{";
    assert_eq!(answered(cut).await, Came::MaybeSent(MaybeSentCause::Broken), "cut in its body");
    let redirect =
        b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(answered(redirect).await, Came::Status(302), "redirects are answers");
}

#[tokio::test]
async fn an_answer_over_the_ceiling_is_broken_off() {
    let long = b"HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n\
                 0123456789012345678901234567890123456789012345678901234567890123456789";
    assert_eq!(answered(long).await, Came::MaybeSent(MaybeSentCause::TooLong));
    let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\
                    41\r\n01234567890123456789012345678901234567890123456789012345678901234\r\n";
    assert_eq!(answered(chunked).await, Came::MaybeSent(MaybeSentCause::TooLong));
}

#[tokio::test]
async fn the_deadline_is_over_the_body_too() {
    let ((client, _tasks), (listener, url)) = (plain(1), listener().await);
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{").await.unwrap();
        stream
    };
    let (came, _stream) = tokio::join!(ask(&client, &url, SHORT), server);
    assert_eq!(came, Came::MaybeSent(MaybeSentCause::Timeout));
}

#[tokio::test]
async fn a_kept_connection_that_ends_under_a_request_is_not_asked_again() {
    let ((client, _tasks), (listener, url)) = (plain(1), listener().await);
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let first = read_request(&mut stream).await;
        stream.write_all(ANSWER).await.unwrap();
        read_request(&mut stream).await;
        drop(stream);
        first
    };
    let asked = async {
        let first = ask(&client, &url, PATIENCE).await;
        (first, ask(&client, &url, PATIENCE).await)
    };
    let (came, first) = tokio::join!(asked, server);
    assert_eq!(came, (Came::Status(200), Came::MaybeSent(MaybeSentCause::Broken)));
    let again = futures_util::FutureExt::now_or_never(listener.accept());
    assert!(again.is_none(), "the request was sent twice");
    assert!(first.to_ascii_lowercase().contains("authorization: bearer fictional"), "{first}");
}

#[tokio::test]
async fn a_request_beyond_the_ceiling_waits_and_never_leaves() {
    let ((client, _tasks), (listener, url)) = (plain(1), listener().await);
    let holder = ask(&client, &url, PATIENCE);
    let others = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_request(&mut stream).await;
        let second = ask(&client, &url, SHORT).await;
        stream.write_all(ANSWER).await.unwrap();
        second
    };
    let (first, second) = tokio::join!(holder, others);
    assert_eq!((first, second), (Came::Status(200), Came::NotSent(NotSentCause::NoPlace)));
}

#[tokio::test]
async fn a_bank_of_a_private_authority_is_shown_our_certificate() {
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    let folder = tempfile::tempdir().unwrap();
    let files = certificates(folder.path());
    let served = crate::config::TlsServerFiles {
        certificate: files.certificate.clone(),
        key: files.key.clone(),
        client_ca: Some(files.certificate.clone()),
    };
    let acceptor = tls::ListenerTls::read(&served).unwrap().acceptor();
    let (listener, url) = listener().await;
    let url = url.replace("http://127.0.0.1", "https://localhost");
    let server = async {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = acceptor.accept(stream).await.unwrap();
        let is_known = tls::peer_fingerprint(stream.get_ref().1).is_some();
        let mut read = Vec::new();
        while !read.ends_with(b"}") {
            stream.read_buf(&mut read).await.unwrap();
        }
        stream.write_all(ANSWER).await.unwrap();
        is_known
    };
    let identity = (files.certificate.clone(), files.key.clone());
    let shown = tls::client_config(&files.certificate, Some(&identity)).unwrap();
    let (client, _tasks) = client(1, shown);
    let came = tokio::join!(ask(&client, &url, PATIENCE), server);
    assert_eq!(came, (Came::Status(200), true));
}

struct Files {
    certificate: std::path::PathBuf,
    key: std::path::PathBuf,
}

/// One certificate for both ends, which is its own authority.
fn certificates(folder: &Path) -> Files {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (folder.join("own.pem"), folder.join("own.key"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    Files { certificate, key }
}
