//! Message types that are not served: which of them are answered.

use std::io::Write;

use super::{ECHO, SIGN_ON, Town, framed, holds, read_frame};
use crate::harness::{eventually, issuer};

#[tokio::test(flavor = "multi_thread")]
async fn a_message_type_whose_third_digit_is_odd_is_told_and_needs_no_answer() {
    let issuer = issuer().await;
    let town = Town::start(issuer.addr(), "").await;
    let message = |mti: &[u8]| framed(&[mti, &ECHO[4..]].concat());
    for (participant, sign_on) in [("unknown", None), ("bank-a", Some(framed(SIGN_ON)))] {
        let mut socket = town.connect();
        if let Some(sign_on) = sign_on {
            socket.write_all(&sign_on).expect("written");
            assert!(read_frame(&mut socket).expect("an answer").starts_with(b"0810"));
        }
        // Acknowledgements of an instruction, and functions that the standard reserves.
        for mti in [b"0277", b"0270", b"0299", b"9999"] {
            socket.write_all(&message(mti)).expect("written");
        }
        let requests: [(&[u8], &[u8]); 8] = [
            (b"0100", b"0110"),
            (b"0300", b"0310"),
            (b"0500", b"0510"),
            (b"0600", b"0610"),
            (b"0120", b"0130"),
            (b"0900", b"0910"),
            (b"1200", b"1210"),
            (b"9960", b"9970"),
        ];
        for (mti, expect) in requests {
            socket.write_all(&message(mti)).expect("written");
            let answer = read_frame(&mut socket).expect("an answer");
            let text = answer.escape_ascii();
            assert!(answer.starts_with(expect) && holds(&answer, b"000042"), "{expect:?}: {text}");
        }
        let series = format!(
            "cauce_messages_refused_total{{participant=\"{participant}\",\
             why=\"unknown_message_type\"}}"
        );
        let are_counted = async || (town.metric(&series).await == 7).then_some(());
        eventually("all seven to be counted", are_counted).await;
    }
    town.running.stop().await;
}
