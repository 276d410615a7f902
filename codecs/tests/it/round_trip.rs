//! What is packed is read again.

use bytes::BytesMut;
use codecs::iso8583::{Content, Index, Length, Packer, Spec};
use proptest::prelude::*;

/// A content that a field may have.
fn content(number: u8) -> BoxedStrategy<(u8, Vec<u8>)> {
    let field = Spec::cauce87().field(number).expect("defined");
    let (least, most) = match field.length {
        Length::Fixed(length) => (usize::from(length), usize::from(length)),
        Length::Variable(prefix) => (0, usize::try_from(prefix.max).expect("small").min(60)),
    };
    let text = |class: &str| {
        let pattern = format!("{class}{{{least},{most}}}");
        prop::string::string_regex(&pattern).expect("a pattern").prop_map(String::into_bytes)
    };
    let bytes = match field.content {
        Content::Numeric => text("[0-9]").boxed(),
        Content::Alpha => text("[A-Za-z ]").boxed(),
        Content::AlphaNumeric => text("[A-Za-z0-9 ]").boxed(),
        Content::Text => text("[ -~]").boxed(),
        Content::Track => text("[0-9=]").boxed(),
        Content::Binary | Content::Any => prop::collection::vec(any::<u8>(), least..=most).boxed(),
        Content::SignedNumeric => {
            prop::string::string_regex(&format!("[CD][0-9]{{{0},{0}}}", least - 1))
                .expect("a pattern")
                .prop_map(String::into_bytes)
                .boxed()
        }
    };
    bytes.prop_map(move |bytes| (number, bytes)).boxed()
}

fn fields() -> impl Strategy<Value = Vec<(u8, Vec<u8>)>> {
    prop::collection::btree_set(2..=128_u8, 0..30)
        .prop_flat_map(|numbers| numbers.into_iter().map(content).collect::<Vec<_>>())
}

proptest! {
    #[test]
    fn a_message_packed_is_read_field_by_field(mti in "0[1-8][0-4][0-5]", fields in fields()) {
        let spec = Spec::cauce87();
        let mut out = BytesMut::new();
        let mti: [u8; 4] = mti.as_bytes().try_into().expect("four digits");
        let mut packer = Packer::begin(spec, mti, &mut out);
        for (number, content) in &fields {
            packer.put(*number, content).expect("put");
        }
        packer.finish();
        let mut index = Index::default();
        spec.index(&out, &mut index).expect("indexed");
        let read: Vec<_> = index
            .fields()
            .map(|number| (number, index.field(&out, number).expect("there").to_vec()))
            .collect();
        prop_assert_eq!(index.mti(), mti);
        prop_assert_eq!(read, fields);
    }
}
