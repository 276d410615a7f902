//! Bad bytes get a specific answer or a closed line; nothing is lost and the next message works.

use std::time::Duration;

use crate::harness::{House, card_order};

/// A framed message of hexadecimal digits.
fn framed(text: &[u8]) -> Vec<u8> {
    let len = u16::try_from(text.len()).expect("a short message");
    [&len.to_be_bytes()[..], text].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_messages_are_answered_with_field_and_offset_and_the_line_lives() {
    let house = House::start().await;
    let bank = house.bank().await;
    let good = bank.payment(&card_order(15_000));
    // (what, field to spoil, value, DE39, start of DE44)
    let cases: [(&str, u8, &str, &str, &str); 8] = [
        ("letters in the amount", 4, "00000001500x", "30", "6006 DE4 "),
        ("an unknown currency", 49, "000", "12", "2005 DE49 "),
        ("a currency of no amounts", 49, "999", "12", "2005 DE49 "),
        ("a thirteenth month", 7, "1399000000", "30", "6006 DE7 "),
        ("a 30 February", 13, "0230", "30", "6006 DE13 "),
        ("an amount of nothing", 4, "000000000000", "13", "2003 DE4 "),
        ("a tag that ends early", 48, "0199isp", "30", "6006 DE48 "),
        ("a service that is not served", 3, "360000", "58", "2010 DE3 "),
    ];
    for (what, field, value, code, place) in cases {
        let request = bank.traced(good.clone()).with(field, value);
        let answer = bank.request("0200", &request).await.expect(what);
        assert_eq!(answer.response_code(), code, "{what}");
        assert!(answer.fields.text(44).starts_with(place), "{what}: {}", answer.fields.text(44));
    }
    let nobody = bank.traced(good.clone()).without(2);
    let answer = bank.request("0200", &nobody).await.expect("an answer");
    assert_eq!((answer.response_code(), answer.fields.text(44)), ("30", "6006 DE2 @0"));
    let answer = bank.request("0500", &bank.traced(good.clone()).without(48)).await;
    assert_eq!(answer.expect("an answer").response_code(), "58");
    let (_, answer) = bank.pay(&card_order(15_000)).await.expect("an answer");
    assert_eq!(answer.response_code(), "00");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_message_type_is_counted_and_the_line_lives() {
    let house = House::start().await;
    let bank = house.bank().await;
    bank.send_raw(framed(b"XYZ!")).await.expect("a line");
    bank.send_raw(framed(b"")).await.expect("a keep-alive");
    bank.send_raw(framed(&[0xFF; 40])).await.expect("a line");
    let (_, answer) = bank.pay(&card_order(15_000)).await.expect("an answer");
    assert_eq!(answer.response_code(), "00");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_over_the_ceiling_closes_its_line_and_no_other() {
    let house = House::start().await;
    let (bank, other) = (house.bank().await, house.bank().await);
    bank.send_raw([0xFF, 0xFF, b'0', b'2']).await.expect("a line");
    assert!(bank.closed().await);
    let (_, answer) = other.pay(&card_order(15_000)).await.expect("an answer");
    assert_eq!(answer.response_code(), "00");
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_frame_that_never_ends_closes_its_line() {
    let house = House::start_with("[iso8583]\npartial_frame_timeout_ms = 100\n").await;
    let bank = house.bank().await;
    bank.send_raw(framed(b"0200")[..3].to_vec()).await.expect("a line");
    assert!(bank.closed().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_may_come_byte_by_byte() {
    let house = House::start().await;
    let bank = house.bank().await;
    let mut tick = tokio::time::interval(Duration::from_millis(1));
    // An echo: 0800 with DE7, DE11, DE32, DE70; bitmap from the fields' numbers.
    let mut echo = b"0800".to_vec();
    let bits: u128 = [7, 11, 32, 70].iter().fold(1 << 127, |bits, field| bits | 1 << (128 - field));
    echo.extend_from_slice(&bits.to_be_bytes());
    echo.extend_from_slice(b"1123211722777777110000000001130");
    echo.truncate(echo.len() - 3);
    echo.extend_from_slice(b"1301");
    for byte in framed(&echo) {
        tick.tick().await;
        bank.send_raw([byte]).await.expect("a line");
    }
    let answer = bank.unmatched().await.expect("an answer");
    assert_eq!((answer.mti.as_str(), answer.response_code()), ("0810", "00"));
}

#[tokio::test(flavor = "multi_thread")]
async fn random_bytes_never_take_the_switch_down() {
    use rand::rngs::StdRng;
    use rand::{Rng, RngExt, SeedableRng};
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let house = House::start().await;
    for _ in 0..200 {
        let line = house.stranger().await;
        let mut bytes = vec![0; random.random_range(1..400)];
        random.fill_bytes(&mut bytes);
        let len = u16::try_from(bytes.len()).expect("a short message");
        // Half of them in a frame of the right length, so that the decoder sees them.
        if random.random_bool(0.5) {
            bytes.splice(0..0, len.to_be_bytes());
        }
        line.send_raw(bytes).await.ok();
    }
    let (_, answer) = house.bank().await.pay(&card_order(15_000)).await.expect("an answer");
    assert_eq!(answer.response_code(), "00");
}
