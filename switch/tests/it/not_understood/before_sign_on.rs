//! What peers send that have proved nothing: told, counted, and little work.

use std::io::Write;

use super::{ECHO, ECHO_BCD, Town, ascii, eventually, framed, issuer, read_frame};

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_s_messages_of_other_forms_are_looked_for_a_few_times_and_all_are_counted() {
    let issuer = issuer().await;
    let town = Town::start(issuer.addr(), "").await;
    let mut socket = town.connect();
    socket.write_all(&framed(ECHO_BCD).repeat(40)).expect("written");
    for _ in 0..16 {
        assert!(read_frame(&mut socket).expect("an answer").starts_with(b"\x08\x10"));
    }
    let of = |why: &str| {
        format!("cauce_messages_refused_total{{participant=\"unknown\",why=\"{why}\"}}")
    };
    let counted = async || {
        let (other, bad) = (of("other_format"), of("bad_content"));
        let counts = (town.metric(&other).await, town.metric(&bad).await);
        (counts == (16, 24)).then_some(())
    };
    eventually("16 of another format and 24 of none", counted).await;
    town.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_that_has_not_ended_when_its_line_does_is_told_with_what_came_of_it() {
    let issuer = issuer().await;
    let town = Town::start(issuer.addr(), "").await;
    let len = u8::try_from(ECHO.len()).expect("a short message");
    let counts_itself = [&[0, len + 2], ECHO].concat();
    let (had, stated) = (ECHO.len() + 2, ECHO.len() + 4);
    let whole = format!("a frame of {stated} bytes by its length ended after {had}");
    for (frame, closes, texts) in [
        (&counts_itself[..], true, [whole.as_str(), "count its own bytes", "closed by the peer"]),
        (&counts_itself[..], false, [whole.as_str(), "count its own bytes", "no sign-on within"]),
        (&b"\0"[..], true, ["a frame ended after 1 bytes", "", "closed by the peer"]),
    ] {
        let mut socket = town.connect();
        let peer = socket.local_addr().expect("an address");
        socket.write_all(frame).expect("written");
        if closes {
            socket.shutdown(std::net::Shutdown::Write).expect("closed");
        }
        let told = ["kind=\"unfinished_frame\"", "field=frame", "answered=false"];
        let told = [told, texts].concat().into_iter().map(str::to_owned);
        let told: Vec<String> = told.chain([format!("peer={peer}")]).collect();
        town.wait_for_log(&told).await;
    }
    town.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_comes_before_the_sign_on_is_told_and_an_answer_is_told_as_unanswered() {
    let issuer = issuer().await;
    let town = Town::start(issuer.addr(), "").await;
    let answer = ascii(b"0210", &[3, 4, 7, 11, 39], "000000000000015000112321172200004200");
    let payment = ascii(b"0200", &[3, 4, 7, 11, 49], "0000000000000150001123211722000042484");
    for (message, is_answered) in [(answer, false), (payment, true), (ECHO.to_vec(), true)] {
        let mut socket = town.connect();
        let peer = socket.local_addr().expect("an address");
        socket.write_all(&framed(&message)).expect("written");
        let told = ["not understood", "kind=\"before_sign_on\""].map(str::to_owned);
        let of_peer = [format!("peer={peer}"), format!("answered={is_answered}")];
        town.wait_for_log(&[told, of_peer].concat()).await;
        if is_answered {
            read_frame(&mut socket).expect("an answer");
        }
    }
    town.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_strangers_writes_few_log_lines() {
    let issuer = issuer().await;
    let town = Town::start(issuer.addr(), "").await;
    for _ in 0..200 {
        let mut socket = town.connect();
        socket.write_all(&framed(&[0xFF; 40])).expect("written");
    }
    let series = "cauce_messages_refused_total{participant=\"unknown\",why=\"bad_content\"}";
    // A stranger that makes room for the next one may not have been read.
    let most = async || (town.metric(series).await >= 100).then_some(());
    eventually("most frames to be counted", most).await;
    let told = town.logged(&["not understood".to_owned()]).len();
    assert!((1..=90).contains(&told), "{told} lines");
    town.running.stop().await;
}
