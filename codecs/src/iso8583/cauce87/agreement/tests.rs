use bytes::BytesMut;

use super::*;
use crate::iso8583::pack::Packer;
use crate::iso8583::spec::Spec;

const CARD: &str = "4000001234567899";
const ACCOUNT: &str = "002010077777777771";
const ORIGINAL: &str = "020000004111232117220000012345600000000000";

const ASKED: [(u8, &str); 13] = [
    (2, CARD),
    (3, "000000"),
    (4, "000000010000"),
    (7, "1123211722"),
    (11, "000042"),
    (32, "00000000042"),
    (37, "000000000077"),
    (41, "TERM01  "),
    (42, "SHOP           "),
    (48, "0106shop-1"),
    (49, "484"),
    (90, ORIGINAL),
    (102, ACCOUNT),
];

fn pack(mti: &[u8; 4], fields: &[(u8, &str)]) -> BytesMut {
    let mut out = BytesMut::new();
    let mut packer = Packer::begin(Spec::cauce87(), *mti, &mut out);
    for (number, content) in fields {
        packer.put(*number, content.as_bytes()).expect("put");
    }
    packer.finish();
    out
}

/// What is found wrong with an answer that repeats everything but has this in one field.
fn found(field: u8, content: &str) -> Option<u8> {
    let mut said: Vec<(u8, &str)> = ASKED.iter().filter(|(n, _)| *n != field).copied().collect();
    said.push((field, content));
    said.push((39, "00"));
    said.sort_unstable();
    let (request, answer) = (pack(b"0200", &ASKED), pack(b"0210", &said));
    contradiction(&request, &read(&answer).expect("well formed"), &answer)
}

fn agrees(field: u8, contents: &[&str]) {
    contents.iter().for_each(|content| assert_eq!(found(field, content), None, "{content}"));
}

fn disagrees(field: u8, contents: &[&str]) {
    contents.iter().for_each(|content| assert_eq!(found(field, content), Some(field), "{content}"));
}

#[test]
fn an_answer_that_repeats_its_request_agrees_and_so_does_one_that_repeats_nothing() {
    agrees(48, &["0106shop-1", "1104ABCD"]);
    let (request, answer) = (pack(b"0200", &ASKED), pack(b"0210", &[(11, "000042"), (39, "00")]));
    assert_eq!(contradiction(&request, &read(&answer).expect("well formed"), &answer), None);
    // What the request does not have is nothing to repeat.
    let more = pack(b"0210", &[(2, CARD), (4, "000000000001"), (11, "000042"), (39, "00")]);
    let bare = pack(b"0200", &[(11, "000042")]);
    assert_eq!(contradiction(&bare, &read(&more).expect("well formed"), &more), None);
}

#[test]
fn another_amount_currency_or_processing_code_contradicts() {
    disagrees(4, &["000000005000", "000000010001", "000000000000", "000001000000"]);
    disagrees(49, &["840", "048"]);
    disagrees(3, &["510000", "200000", "001000"]);
}

#[test]
fn another_acquirer_terminal_or_merchant_contradicts_and_padding_does_not() {
    agrees(32, &["42", "00042"]);
    disagrees(32, &["00000000043", "420"]);
    agrees(41, &["TERM01  ", "        "]);
    disagrees(41, &["TERM02  ", "TERM0100"]);
    agrees(42, &["SHOP           ", "               "]);
    disagrees(42, &["SHOP2          "]);
}

#[test]
fn a_card_number_may_be_masked_or_cut_and_must_not_be_another() {
    agrees(2, &[CARD, "0004000001234567899", "4000000000007899", "4000007899", "7899"]);
    agrees(2, &["567899", "0000000000000000", ""]);
    disagrees(2, &["4999999999999999", "4000001234567890", "4000009999997899", "7890", "899"]);
    disagrees(2, &["4000001234567", "40000012345678990", "5000000000007899", "4000000000007890"]);
}

#[test]
fn an_account_may_be_masked_and_must_not_be_another() {
    agrees(102, &[ACCOUNT, "2010077777777771", "**************7771", "XXXXXXXXXXXXXX7771", " "]);
    disagrees(102, &["002010077777777772", "**************7772", "*7771", "7771"]);
}

#[test]
fn a_reversal_s_answer_names_the_original_or_nothing() {
    agrees(90, &[ORIGINAL, &"0".repeat(42), "020000004100000000000000000000000000000000"]);
    disagrees(90, &["020000004211232117220000012345600000000000"]);
    disagrees(90, &["020000004111232117230000012345600000000000"]);
}

#[test]
fn a_reference_of_its_own_contradicts_nothing() {
    agrees(37, &["999999999999", "A1B2C3D4E5F6"]);
}
