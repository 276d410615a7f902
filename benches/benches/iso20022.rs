//! ISO 20022: bytes to the canonical message, beside what the XML reader alone costs.

use std::hint::black_box;

use codecs::iso20022::{Family, read};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use quick_xml::NsReader;
use quick_xml::Reader;
use quick_xml::events::Event;

const PAYMENT: &str = include_str!("../../codecs/testdata/iso20022/vectors/mx-fednow-pacs008.xml");
const REQUEST_TO_PAY: &str = include_str!("../../codecs/testdata/iso20022/vectors/rtp-pain013.xml");
const NOTIFICATION: &str =
    include_str!("../../codecs/testdata/iso20022/vectors/genkgo-camt054-v8.xml");

/// The tags alone, names not even looked at.
fn tags(xml: &str) -> usize {
    let mut reader = Reader::from_str(xml);
    let mut tags = 0;
    loop {
        match reader.read_event().expect("well-formed") {
            Event::Start(tag) => tags += black_box(&tag).len().min(1),
            Event::Eof => return tags,
            _ => {}
        }
    }
}

/// The tags with their namespaces.
fn resolved_tags(xml: &str) -> usize {
    let mut reader = NsReader::from_str(xml);
    let mut tags = 0;
    loop {
        match reader.read_resolved_event().expect("well-formed") {
            (namespace, Event::Start(tag)) => {
                black_box(&namespace);
                tags += black_box(&tag).len().min(1);
            }
            (_, Event::Eof) => return tags,
            _ => {}
        }
    }
}

fn reading(c: &mut Criterion) {
    for (name, xml, family) in [
        ("pacs.008 of 1.5 KB", PAYMENT, Family::CreditTransfer),
        ("pain.013 of 5.4 KB", REQUEST_TO_PAY, Family::RequestToPay),
        ("camt.054 of 11.5 KB", NOTIFICATION, Family::Notification),
    ] {
        assert_eq!(read(xml.as_bytes()).expect("a message").message.family, family);
        assert_eq!(tags(xml), resolved_tags(xml));
        let mut group = c.benchmark_group(format!("iso20022/{name}"));
        group.throughput(Throughput::Bytes(xml.len().try_into().expect("fits")));
        group.bench_function("to the canonical message", |b| {
            b.iter(|| read(black_box(xml.as_bytes())).expect("a message"));
        });
        group.bench_function("quick-xml Reader alone", |b| b.iter(|| tags(black_box(xml))));
        group.bench_function("quick-xml NsReader alone", |b| {
            b.iter(|| resolved_tags(black_box(xml)));
        });
        group.finish();
    }
}

criterion_group!(iso20022, reading);
criterion_main!(iso20022);
