//! Bytes to messages and back: frames, index, canonical message, answer, JSON.

use std::hint::black_box;

use benches::messages::{self, CARD_FIELDS, HEX_BITMAP, JSON};
use bytes::BytesMut;
use codecs::api::parse_payment;
use codecs::frame::{FrameSpec, Framer};
use codecs::iso8583::cauce87::{self, WireAnswer};
use codecs::iso8583::{Index, Spec};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use router::id::{BillerId, Folio};
use router::message::api_key_of;
use router::text::Text;
use tokio_util::codec::Decoder;

fn frames(c: &mut Criterion) {
    let mut framer = Framer::new(FrameSpec::BINARY2).expect("a framing");
    let mut stream = BytesMut::new();
    framer.encode(None, &messages::packed(&CARD_FIELDS), &mut stream).expect("it fits");
    c.bench_function("codecs/frame/decode one 0200", |b| {
        let received = || BytesMut::from(&stream[..]);
        let decode = |received: &mut BytesMut| {
            framer.decode(received).expect("a whole frame").expect("a whole frame")
        };
        b.iter_batched_ref(received, decode, BatchSize::SmallInput);
    });
}

fn index(c: &mut Criterion) {
    let mut find = |name: &str, spec: &Spec, message: &[u8]| {
        c.bench_function(&format!("codecs/index/{name}"), |b| {
            let mut index = Index::default();
            b.iter(|| {
                spec.index(black_box(message), &mut index).expect("well formed");
                black_box(&index);
            });
        });
    };
    find("120 bytes, 11 fields, cauce-87", Spec::cauce87(), &messages::packed(&CARD_FIELDS));
    find("120 bytes, 11 fields, hex bitmap", &messages::hex_bitmap_spec(), HEX_BITMAP);
    let spec = Spec::builtin("iso87-bcd").expect("compiled in");
    let packed = messages::packed_digits(&spec);
    find(&format!("{} bytes, 65 fields, BCD", packed.len()), &spec, &packed);
}

fn to_message(c: &mut Criterion) {
    let message = messages::packed(&CARD_FIELDS);
    let originator = messages::acquirer();
    c.bench_function("codecs/read and to_message", |b| {
        b.iter(|| {
            let bytes = black_box(&message[..]);
            let wire = cauce87::read(bytes).expect("well formed");
            cauce87::to_message(&wire, bytes, originator).expect("a payment")
        });
    });
}

fn writing(c: &mut Criterion) {
    let message = messages::packed(&CARD_FIELDS);
    let wire = cauce87::read(&message).expect("well formed");
    let approved = WireAnswer {
        de39: *b"00",
        folio: Folio::new(123_456),
        authorisation: Text::new("654321").ok(),
        ..WireAnswer::default()
    };
    let mut out = BytesMut::with_capacity(4096);
    c.bench_function("codecs/answer 0210", |b| {
        b.iter(|| {
            out.clear();
            cauce87::answer(&wire.index, &message, black_box(&approved), &mut out).expect("fits");
            black_box(&out);
        });
    });
    c.bench_function("codecs/pack 0200 of 11 fields", |b| {
        b.iter(|| {
            out.clear();
            messages::pack(black_box(&CARD_FIELDS), &mut out);
            black_box(&out);
        });
    });
}

fn json(c: &mut Criterion) {
    let biller = BillerId::new("isp-ve").expect("an id");
    c.bench_function("codecs/JSON body to request", |b| {
        b.iter(|| {
            let body = parse_payment(black_box(JSON)).expect("well formed");
            body.to_request(biller, api_key_of(&biller, "order-77")).expect("it makes sense")
        });
    });
}

criterion_group!(codecs, frames, index, to_message, writing, json);
criterion_main!(codecs);
