use bytes::BytesMut;

use super::*;
use crate::iso8583::Packer;

#[test]
fn nothing_secret_is_printed() {
    let spec = Spec::cauce87();
    let mut out = BytesMut::new();
    let mut packer = Packer::begin(spec, *b"0200", &mut out);
    for (number, content) in [
        (2, &b"4111111111111111"[..]),
        (3, b"000000"),
        (14, b"3012"),
        (35, b"4111111111111111=3012101"),
        (52, b"\x12\x34\x56\x78\x9A\xBC\xDE\xF0"),
        (55, b"\x9F\x26\x00"),
        (64, b"\xCA\xFE\xBA\xBE\xCA\xFE\xBA\xBE"),
    ] {
        packer.put(number, content).expect("put");
    }
    packer.finish();
    let mut index = Index::default();
    spec.index(&out, &mut index).expect("indexed");
    let print = describe(spec, &index, &out).to_string();
    assert_eq!(
        print,
        "mti 0200\n  2 primary account number: 411111******1111\n  3 processing code: 000000\n \
         14 date, expiration: [4 hidden]\n 35 track 2 data: [24 hidden]\n \
         52 personal identification number data: [8 hidden]\n \
         55 integrated circuit card data: [3 hidden]\n \
         64 message authentication code: CAFEBABECAFEBABE"
    );
}
