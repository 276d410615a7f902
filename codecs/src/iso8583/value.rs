//! A message as a tree of texts, for tools: what `cauce codec` prints and reads.

use std::fmt;

use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

mod fields;

/// The value of a field, part or tag.
///
/// Shape: text as it is on the wire, padding kept, each ISO 8859-1 byte a character; bytes in
///        upper-case hexadecimal. Parts and tags keep their order; JSON gathers a repeated tag at
///        its first place, and `order` lists all tags where others stand between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A text, or bytes in hexadecimal.
    Text(String),
    /// Parts by number, tags by name, in the order of the wire; a tag may be there more than once.
    Parts(Vec<(String, Value)>),
    /// The values of a tag that is there more than once: how JSON, whose names are unique, has it.
    Many(Vec<Value>),
}

/// A whole message.
///
/// Shape: as JSON `{"mti":"0200","header":"6000030000","fields":{"2":"…","55":{"9F26":"…"}}}`;
///        the header in hexadecimal, absent where the format has none; `bits` and `masked` are there
///        only where they say something.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tree {
    /// Four digits.
    pub mti: String,
    /// What stands in front of the MTI, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// The bits that announce a bitmap, 1 or 65, and are set although no field of it follows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bits: Vec<u8>,
    /// The fields in which something is masked. Without the list it is those that the format hides;
    /// with it, a text of another field that looks masked came so from its sender.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub masked: Option<Vec<String>>,
    /// The fields by number, ascending.
    #[serde(with = "fields")]
    pub fields: Vec<(String, Value)>,
}

/// Nesting of values read; formats nest less.
const DEPTH_MAX: usize = 16;

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Parts(parts) => fields::serialize(parts, serializer),
            Self::Many(many) => {
                let mut list = serializer.serialize_seq(Some(many.len()))?;
                many.iter().try_for_each(|value| list.serialize_element(value))?;
                list.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = deserializer.deserialize_any(ValueVisitor)?;
        if value.depth() > DEPTH_MAX {
            return Err(D::Error::custom("values nest too deep"));
        }
        Ok(value)
    }
}

impl Value {
    fn depth(&self) -> usize {
        let deepest = |values: &mut dyn Iterator<Item = &Self>| {
            values.map(Self::depth).max().unwrap_or_default()
        };
        1 + match self {
            Self::Text(_) => 0,
            Self::Parts(parts) => deepest(&mut parts.iter().map(|(_, value)| value)),
            Self::Many(many) => deepest(&mut many.iter()),
        }
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, an object of parts, or a list of them")
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::Text(text))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Value, A::Error> {
        fields::collect(map).map(Value::Parts)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut many = Vec::new();
        while let Some(value) = list.next_element()? {
            many.push(value);
        }
        Ok(Value::Many(many))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_keep_their_order_in_json() {
        let json = r#"{"mti":"0200","fields":{"2":"4111","55":{"9F26":"00","82":"3900"},"48":{"A1":["x","y"]}}}"#;
        let tree: Tree = serde_json::from_str(json).expect("a message");
        assert_eq!(serde_json::to_string(&tree).expect("JSON"), json);
    }

    #[test]
    fn what_is_no_message_is_refused() {
        let problem =
            |json: &str| serde_json::from_str::<Tree>(json).expect_err("refused").to_string();
        assert!(problem(r#"{"mti":"0200","fields":{"2":"1","2":"2"}}"#).contains("given twice"));
        assert!(problem(r#"{"mti":"0200","fields":[]}"#).contains("an object is needed"));
        assert!(problem(r#"{"mti":"0200","fields":{},"x":1}"#).contains("unknown field"));
        assert!(problem(r#"{"mti":"0200","fields":{"2":1}}"#).contains("a text"));
        let deep = format!("{}{}", "{\"1\":".repeat(40), "\"x\"".to_owned() + &"}".repeat(40));
        assert!(problem(&format!(r#"{{"mti":"0200","fields":{deep}}}"#)).contains("too deep"));
    }

    #[test]
    fn a_tag_that_comes_again_is_a_list_in_json() {
        let text = |text: &str| Value::Text(text.to_owned());
        let tags = [("A1", "1"), ("B2", "2"), ("A1", "3")];
        let parts = tags.map(|(tag, value)| (tag.to_owned(), text(value))).to_vec();
        let json = serde_json::to_string(&Value::Parts(parts)).expect("JSON");
        assert_eq!(json, r#"{"A1":["1","3"],"B2":"2","order":["A1","B2","A1"]}"#);
    }

    #[test]
    fn a_tag_that_comes_again_keeps_its_place_by_the_order() {
        let json = r#"{"mti":"0200","fields":{"55":{"DF01":["AA","BB"],"9F1A":"0484","order":["DF01","9F1A","DF01"]}}}"#;
        let tree: Tree = serde_json::from_str(json).expect("a message");
        let Value::Parts(tags) = &tree.fields[0].1 else { panic!("tags") };
        let tags: Vec<_> = tags.iter().map(|(tag, value)| (tag.as_str(), value.clone())).collect();
        let text = |text: &str| Value::Text(text.to_owned());
        assert_eq!(tags, [("DF01", text("AA")), ("9F1A", text("0484")), ("DF01", text("BB"))]);
        assert_eq!(serde_json::to_string(&tree).expect("JSON"), json);
        // Values that follow each other need no order.
        let json = r#"{"DF01":["AA","BB"],"9F1A":"0484"}"#;
        let value: Value = serde_json::from_str(json).expect("tags");
        assert_eq!(serde_json::to_string(&value).expect("JSON"), json);
    }

    #[test]
    fn an_order_that_does_not_name_every_value_is_refused() {
        for order in [
            r#"["A1"]"#,
            r#"["A1","A1","B2"]"#,
            r#"["A1","B2","B2"]"#,
            r#"["A1",["B2"]]"#,
            r#""A1""#,
        ] {
            let json = format!(r#"{{"A1":["1","2"],"B2":"3","order":{order}}}"#);
            let refused = serde_json::from_str::<Value>(&json).is_err();
            assert_eq!(refused, order != r#"["A1","A1","B2"]"#, "{order}");
        }
        assert!(serde_json::from_str::<Value>(r#"{"A1":[],"B2":"3","order":["B2"]}"#).is_err());
    }
}
