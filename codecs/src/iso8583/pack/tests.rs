use super::*;

#[test]
fn a_message_is_written_as_the_standard_lays_it_out() {
    // The echo of ISO 8583:1987: bits 1, 7, 11 and 70; laid out by hand.
    let mut out = BytesMut::from(&b"before"[..]);
    let mut packer = Packer::begin(Spec::cauce87(), *b"0800", &mut out);
    packer.put(7, b"1123211722").expect("put");
    packer.put_number(11, 42).expect("put");
    packer.put(70, b"301").expect("put");
    packer.finish();
    let expect = b"before0800\x82\x20\x00\x00\x00\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x001123211722000042301";
    assert_eq!(out.as_ref(), expect);
}

#[test]
fn a_packer_dropped_unfinished_takes_back_what_it_wrote() {
    let mut out = BytesMut::from(&b"before"[..]);
    let mut packer = Packer::begin(Spec::cauce87(), *b"0800", &mut out);
    packer.put_number(11, 42).expect("put");
    drop(packer);
    assert_eq!(&out[..], b"before");
}

fn check(put: impl FnOnce(&mut Packer<'_>) -> Result<(), PackError>, expect: PackError) {
    let mut out = BytesMut::new();
    let mut packer = Packer::begin(Spec::cauce87(), *b"0200", &mut out);
    packer.put(3, b"000000").expect("put");
    assert_eq!(put(&mut packer), Err(expect));
    packer.finish();
    assert_eq!(&out[..], b"0200\x20\x00\x00\x00\x00\x00\x00\x00000000", "nothing is left of it");
}

#[test]
fn what_does_not_fit_is_refused_with_the_field() {
    let length = |field, have, allowed| PackError::Length { field, have, allowed };
    check(|packer| packer.put(4, b"100"), length(4, 3, 12));
    check(|packer| packer.put(35, &[b'1'; 38]), length(35, 38, 37));
    check(|packer| packer.put_number(11, 1_000_000), length(11, 7, 6));
    check(|packer| packer.put_padded(41, b"TERM00001"), length(41, 9, 8));
    check(|packer| packer.put(4, b"00000000x000"), PackError::Content { field: 4, at: 8 });
    check(|packer| packer.put_padded(41, b"TERM\n"), PackError::Content { field: 41, at: 4 });
    check(|packer| packer.put(3, b"000000"), PackError::OutOfOrder { field: 3, after: 3 });
    check(|packer| packer.put(129, b""), PackError::UndefinedField { field: 129 });
    let long = |out: &mut BytesMut| {
        out.put_bytes(b'a', 1000);
        Ok(())
    };
    check(|packer| packer.put_with(48, long), length(48, 1000, 999));
}

#[test]
fn a_composed_field_gets_its_length_and_vanishes_when_empty() {
    let mut out = BytesMut::new();
    let mut packer = Packer::begin(Spec::cauce87(), *b"0200", &mut out);
    packer.put_with(46, |_| Ok(())).expect("put");
    packer
        .put_with(48, |out| {
            out.put_slice(b"0203abc");
            Ok(())
        })
        .expect("put");
    packer.finish();
    assert_eq!(&out[..], b"0200\x00\x00\x00\x00\x00\x01\x00\x000070203abc");
}
