//! What peers may cost that have proved nothing, or that are slow: places, time, memory, nobody
//! else's payments.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use loadtest::simulator::acquirer::{Acquirer, AcquirerSettings, Fields};
use loadtest::simulator::issuer::Mood;
use router::payment::PaymentState;
use switch::adapter::iso8583::line::Backlog;
use switch::keys::{self, Role};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{interval, timeout};

use crate::api::{Api, card_payment};
use crate::harness::{
    ACQUIRER, CONFIG, House, PATIENCE, card_order, eventually, issuer, start_app, start_text,
};
use crate::kill::{free_ports, write_config};

/// Pause between two bytes of a slow peer: far below every deadline.
const DRIP: Duration = Duration::from_millis(20);

/// Sends the same bytes again and again; comes back when the switch has closed the connection.
async fn drip_until_closed(mut socket: TcpStream, bytes: &[u8]) {
    let mut tick = interval(DRIP);
    let mut answer = [0; 4096];
    loop {
        tokio::select! {
            _ = tick.tick() => if socket.write_all(bytes).await.is_err() { return },
            read = socket.read(&mut answer) => if !matches!(read, Ok(1..)) { return },
        }
    }
}

async fn connect(house: &House) -> TcpStream {
    TcpStream::connect(house.app.addresses.iso8583).await.expect("a connection")
}

#[tokio::test(flavor = "multi_thread")]
async fn no_byte_moves_the_deadline_of_a_sign_on_or_of_a_frame() {
    let house =
        House::start_with("[iso8583]\nsign_on_timeout_ms = 500\npartial_frame_timeout_ms = 500\n")
            .await;
    let echo = b"\0\x30".iter().chain(b"0800\x82\x20\0\0\0\0\0\0\x04\0\0\0\0\0\0\0");
    let echo: Vec<u8> = echo.chain(b"1130120000000001301").copied().collect();
    let echo = [&[0, u8::try_from(echo.len() - 2).expect("short")], &echo[2..]].concat();
    let slow: [(&str, &[u8], &[u8]); 4] = [
        ("half a frame", b"\x0f\xff", b"0"),
        ("zero frames", b"", b"\0\0"),
        ("refused echoes", b"", &echo),
        ("frames of nothing that is known", b"", b"\0\x04abcd"),
    ];
    for (what, first, drip) in slow {
        let mut socket = connect(&house).await;
        socket.write_all(first).await.expect("written");
        let closed = timeout(PATIENCE, drip_until_closed(socket, drip)).await;
        assert!(closed.is_ok(), "{what}: the line lives on");
    }
    let bank = house.bank().await;
    bank.send_raw(*b"\x0f\xff").await.expect("sent");
    let mut tick = interval(DRIP);
    let dripping = async {
        while bank.send_raw(*b"0").await.is_ok() {
            tick.tick().await;
        }
    };
    let ended = timeout(PATIENCE, async {
        tokio::select! {
            () = dripping => true,
            closed = bank.closed() => closed,
        }
    });
    assert_eq!(ended.await, Ok(true), "half a frame on a line that signed on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_unsigned_lines_keeps_no_participant_out_and_ends_none_of_its_lines() {
    let house =
        House::start_with("[iso8583]\nunsigned_max = 8\nunsigned_per_address_max = 4\n").await;
    let standing = house.bank().await;
    let mut strangers = Vec::new();
    for _ in 0..200 {
        let mut socket = connect(&house).await;
        // The switch may have closed it already.
        socket.write_all(b"\x0f\xff").await.ok();
        strangers.push(socket);
    }
    let newcomer = house.bank().await;
    for line in [&standing, &newcomer] {
        let (_, answer) = line.pay(&card_order(15_000)).await.expect("an answer");
        assert_eq!(answer.response_code(), "00");
    }
    let mut oldest = strangers.swap_remove(0);
    let closed = timeout(PATIENCE, oldest.read(&mut [0; 1])).await.expect("closed in time");
    assert!(matches!(closed, Ok(0) | Err(_)), "the oldest stranger made room");
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_make_room_for_requests() {
    let house = House::start_with("[http]\nconnections_max = 8\n").await;
    let api = Api::of(&house, "isp-ve");
    let mut idle = Vec::new();
    for _ in 0..100 {
        idle.push(TcpStream::connect(house.app.addresses.http).await.expect("a connection"));
    }
    for number in 0..3 {
        let order = card_payment(15_000, &format!("B-{number}"));
        let reply = api.pay(&format!("order-{number}"), &order).await;
        assert_eq!(reply.status, 201, "{}", reply.body);
    }
    drop(idle);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_without_a_key_that_are_not_whole_make_room_for_others() {
    let house = House::start_with("[http]\nconnections_max = 4\n").await;
    let api = Api::of(&house, "isp-ve");
    let mut strangers = Vec::new();
    for _ in 0..8 {
        let mut socket = TcpStream::connect(house.app.addresses.http).await.expect("a connection");
        let head = b"GET /openapi.json HTTP/1.1\r\nhost: a\r\ncontent-length: ";
        socket.write_all(head).await.ok();
        strangers.push(socket);
    }
    let reply = api.pay("order-1", &card_payment(15_000, "B-1")).await;
    assert_eq!(reply.status, 201, "{}", reply.body);
    let mut oldest = strangers.swap_remove(0);
    let closed = timeout(PATIENCE, oldest.read(&mut [0; 1])).await.expect("closed in time");
    assert!(matches!(closed, Ok(0) | Err(_)), "the oldest stranger made room, without an answer");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_participant_that_reads_nothing_is_given_up_and_delays_nobody() {
    let house = House::start_with(
        "[iso8583]\nwrite_timeout_ms = 500\nqueued_bytes_max = 65536\nin_flight_max = 64\n",
    )
    .await;
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a small buffer");
    let mut socket = socket.connect(house.app.addresses.iso8583).await.expect("a connection");
    let other = house.bank().await;
    let frames = raw_frames(&other);
    socket.write_all(&frames.sign_on).await.expect("written");
    let flood = frames.echo.repeat(200);
    let flooding = timeout(PATIENCE, async { while socket.write_all(&flood).await.is_ok() {} });
    let paying = async {
        for _ in 0..5 {
            let (_, answer) = other.pay(&card_order(15_000)).await.expect("an answer");
            assert_eq!(answer.response_code(), "00");
        }
    };
    let (flooded, ()) = futures_util::future::join(flooding, paying).await;
    flooded.expect("a peer that reads nothing is given up");
    let backlog = Backlog::new(64, 65_536);
    assert!(backlog.frames_max <= 192 && backlog.bytes_max == 65_536, "{backlog:?}");
}

/// Messages of bank-a as bytes of a line.
struct RawFrames {
    sign_on: Vec<u8>,
    echo: Vec<u8>,
}

fn raw_frames(bank: &Acquirer) -> RawFrames {
    let frame = |code: &str| {
        let traced = bank.traced(Fields::new());
        let (at, stan) = (traced.text(7), traced.text(11));
        let mut body = b"0800\x82\x20\0\x01\0\0\0\0\x04\0\0\0\0\0\0\0".to_vec();
        body.extend_from_slice(format!("{at}{stan}11{ACQUIRER}{code}").as_bytes());
        let len = u16::try_from(body.len()).expect("a short message");
        [&len.to_be_bytes()[..], &body].concat()
    };
    RawFrames { sign_on: frame("001"), echo: frame("301") }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bank_that_confirms_no_reversal_is_asked_nothing_new_until_it_does() {
    let (dir, issuer) = (TempDir::new().expect("a folder"), issuer().await);
    let text = CONFIG
        .replace("@issuer@", &issuer.addr().to_string())
        .replace("response_timeout_ms = 400", "response_timeout_ms = 400\nreversals_owed_max = 2");
    let house = House { app: start_text(dir.path(), &text, "").await, issuer, dir };
    let (bank, api) = (house.bank().await, Api::of(&house, "isp-ve"));
    house.issuer.set_mood(Mood::Deaf);
    let mut silent = Vec::new();
    for _ in 0..2 {
        let (_, answer) = bank.pay(&card_order(15_000)).await.expect("an answer");
        assert_eq!(answer.response_code(), "68");
        silent.push(house.payment(answer.folio()).await.id);
    }
    let asked = house.issuer.counts().payments;
    let (_, answer) = bank.pay(&card_order(15_000)).await.expect("an answer");
    assert_eq!((answer.response_code(), answer.fields.text(44)), ("91", "6010"));
    let order = card_payment(15_000, "B-1");
    let refused = api.pay("order-1", &order).await;
    assert_eq!((refused.status, refused.text("/code")), (503, "reversals_pending"));
    assert_eq!(house.issuer.counts().payments, asked, "nothing new was sent");
    house.issuer.set_mood(Mood::Working);
    for id in silent {
        house.wait_for_state(id, PaymentState::Reversed).await;
    }
    let paid = eventually("the bank to be asked again, under the same key", async || {
        let reply = api.pay("order-1", &order).await;
        (reply.status == 201).then_some(reply)
    });
    assert_eq!(paid.await.text("/state"), "approved");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_calls_as_a_bank_that_we_dial_is_not_that_bank() {
    let (dir, issuer) = (TempDir::new().expect("a folder"), issuer().await);
    let dialled = |id: &str, acquirer: &str, more: &str| {
        let address = issuer.addr();
        format!(
            "[[participants]]\nid = \"{id}\"\nacquirer_id = \"{acquirer}\"\n\
             connect = \"{address}\"\n{more}\n"
        )
    };
    let extra = dialled("bank-d", "00000000014", "")
        + &dialled("bank-e", "00000000016", "dangerous_unpinned = true");
    let app = start_app(dir.path(), &issuer, &extra).await;
    let call = async |acquirer: &str| {
        let settings = AcquirerSettings { deadline: PATIENCE, ..AcquirerSettings::new(acquirer) };
        Acquirer::connect(app.addresses.iso8583, settings).await
    };
    assert!(call("00000000014").await.is_err(), "it would be sent that bank's payments");
    assert!(call("00000000016").await.is_ok(), "where the configuration says that it may");
    assert!(call(ACQUIRER).await.is_ok());
    app.run_until(std::future::ready(())).await;
}

/// A switch in a process of its own, ended with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_beyond_the_soft_limit_of_files_end_no_process() {
    let (dir, issuer) = (TempDir::new().expect("a folder"), issuer().await);
    let ports = free_ports();
    let config = write_config(dir.path(), &issuer, ports);
    // Time enough for the bank's answer on a machine that is busy.
    let text = std::fs::read_to_string(&config).expect("a file");
    let patient = text.replace("response_timeout_ms = 400", "response_timeout_ms = 15000");
    std::fs::write(&config, patient).expect("a file");
    let key = keys::create(dir.path(), Role::Biller, "isp-ve").expect("a key");
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -Sn 256; exec \"$0\" serve --config \"$1\""]);
    command.arg(env!("CARGO_BIN_EXE_cauce")).arg(&config);
    command.stdout(Stdio::null()).stderr(Stdio::inherit());
    let mut process = Process(command.spawn().expect("the program"));
    let settings = || AcquirerSettings { deadline: PATIENCE, ..AcquirerSettings::new(ACQUIRER) };
    let bank = eventually("the switch to be up", async || {
        Acquirer::connect(ports.iso8583, settings()).await.ok()
    })
    .await;
    let mut idle = Vec::new();
    for address in
        std::iter::repeat_n(ports.http, 300).chain(std::iter::repeat_n(ports.iso8583, 300))
    {
        idle.push(TcpStream::connect(address).await.expect("a connection"));
    }
    let api = Api::at(ports.http, &key);
    let reply = api.pay("order-1", &card_payment(15_000, "B-1")).await;
    assert_eq!(reply.status, 201, "{}", reply.body);
    let (_, answer) = bank.pay(&card_order(15_000)).await.expect("an answer");
    assert_eq!(answer.response_code(), "00");
    assert!(process.0.try_wait().expect("a process").is_none(), "the process lives");
}
