//! The ISO 8583 engine over many formats: the first byte chooses one, the rest is a message.
#![no_main]

use bytes::BytesMut;
use cauce_fuzz::{card_numbers, spec, states_classes};
use codecs::error::DecodeError;
use codecs::iso8583::{Content, Index, Length, Spec, Tree, Value, describe};
use libfuzzer_sys::fuzz_target;

/// A line of a description, for each bit that may announce a field or part.
const DESCRIBED_PER_BYTE: usize = 1_000;
const DESCRIBED_LEN_MIN: usize = 20_000;

fuzz_target!(|input: &[u8]| {
    let Some((choice, bytes)) = input.split_first() else { return };
    let spec = spec(*choice);
    let mut index = Index::default();
    let indexed = spec.index(bytes, &mut index);
    let described = describe(spec, &index, bytes).to_string();
    assert!(described.len() <= DESCRIBED_LEN_MIN + DESCRIBED_PER_BYTE * bytes.len());
    for number in index.fields() {
        let known = spec.field(number).is_some() || number == 65;
        assert!(known, "field {number} was read and is not defined");
        assert!(index.field(bytes, number).is_some(), "field {number} lies in the message");
    }
    match (indexed, spec.unpack(bytes)) {
        (Ok(()), Ok(tree)) => {
            shows_no_card(spec, &tree, (!states_classes(*choice)).then_some(&described));
            is_written_as_it_was_read(spec, bytes, &tree);
        }
        (Ok(()), Err(within)) => is_placed(&within, bytes),
        (Err(error), Err(_)) => is_placed(&error, bytes),
        (Err(error), Ok(_)) => panic!("taken apart, but not indexed: {error}"),
    }
});

fn is_placed(error: &DecodeError, bytes: &[u8]) {
    assert!(error.offset <= bytes.len(), "{error}");
    assert!(error.to_string().len() < 200, "an error is one short line");
}

/// What was read can be written, takes no more room, and is read as the same again.
fn is_written_as_it_was_read(spec: &Spec, bytes: &[u8], tree: &Tree) {
    let mut again = BytesMut::new();
    spec.assemble(tree, &mut again).expect("what was read can be written");
    assert!(again.len() <= bytes.len(), "{} bytes became {}", bytes.len(), again.len());
    assert_eq!(spec.unpack(&again).as_ref(), Ok(tree));
}

/// No card number is left in what may be shown.
fn shows_no_card(spec: &Spec, tree: &Tree, described: Option<&String>) {
    let masked = spec.masked(tree.clone());
    for ((name, value), (_, shown)) in tree.fields.iter().zip(&masked.fields) {
        let field = name.parse().ok().and_then(|number| spec.field(number)).expect("defined");
        // Amounts and dates may look like one.
        let is_number = matches!(field.length, Length::Fixed(_))
            && matches!(field.content, Content::Numeric | Content::SignedNumeric);
        if !is_number {
            hides_its_cards(value, shown);
            if let (Some(described), Value::Text(text)) = (described, value) {
                let shown = card_numbers(described);
                assert!(card_numbers(text).iter().all(|card| !shown.contains(card)));
            }
        }
    }
}

fn hides_its_cards(value: &Value, shown: &Value) {
    match (value, shown) {
        (Value::Text(value), Value::Text(shown)) => {
            let left = card_numbers(shown);
            assert!(card_numbers(value).iter().all(|card| !left.contains(card)), "a card is shown");
            let spelled = hex::decode(value).unwrap_or_default();
            let spells = !card_numbers(&String::from_utf8_lossy(&spelled)).is_empty();
            assert!(!spells || shown != value, "a card is shown in hexadecimal");
        }
        (Value::Parts(parts), Value::Parts(masked)) => {
            parts.iter().zip(masked).for_each(|((_, value), (_, shown))| {
                hides_its_cards(value, shown);
            });
        }
        (Value::Many(many), Value::Many(masked)) => {
            many.iter().zip(masked).for_each(|(value, shown)| hides_its_cards(value, shown));
        }
        (_, _) => panic!("the mask changed the shape of a value"),
    }
}
