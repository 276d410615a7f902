//! Texts and JSON bodies with placeholders in them.
//!
//! `{name}` stands for a value, `{{` and `}}` for a brace. In a body a text that is `{name?}` alone is
//! left out with its member where there is no such value, and one that is `{name:number}` alone is
//! written as a number.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::placeholder::{NoPlaceholder, Placeholder};
use super::values::{BankValues, MissingValue};

/// A text with placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TextTemplate {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    Value(Placeholder),
}

/// A JSON body with placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum BodyTemplate {
    Object(Vec<(String, BodyTemplate)>),
    List(Vec<BodyTemplate>),
    Text(TextTemplate),
    /// A text that may be left out.
    Optional(Placeholder),
    Number(Placeholder),
    /// JSON that stands as it is.
    Fixed(String),
}

/// How the values of a text are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Escape {
    /// As they are.
    None,
    /// As one segment of a path (RFC 3986): all but letters, digits and `-._~` as `%XX`.
    Path,
}

impl TextTemplate {
    /// Errors: what is wrong with the text.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (mut parts, mut literal) = (Vec::new(), String::new());
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            literal.push_str(&rest[..at]);
            let brace = &rest[at..=at];
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix(brace) {
                literal.push_str(brace);
                rest = after;
                continue;
            }
            let end = rest.find('}').filter(|_| brace == "{");
            let end = end.ok_or("has a brace without its pair; {{ and }} stand for braces")?;
            let value = read(&rest[..end])?;
            if !literal.is_empty() {
                parts.push(Part::Literal(std::mem::take(&mut literal)));
            }
            parts.push(Part::Value(value));
            rest = &rest[end + 1..];
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        Ok(Self { parts })
    }

    /// Its values.
    pub(super) fn values(&self) -> impl Iterator<Item = &Placeholder> {
        self.parts.iter().filter_map(|part| match part {
            Part::Value(value) => Some(value),
            Part::Literal(_) => None,
        })
    }

    /// What stands in it besides values.
    pub(super) fn literals(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Literal(literal) => Some(literal.as_str()),
            Part::Value(_) => None,
        })
    }

    /// Errors: [`MissingValue`].
    pub(super) fn write(
        &self,
        values: &BankValues<'_>,
        constants: &BTreeMap<String, String>,
        escape: Escape,
    ) -> Result<String, MissingValue> {
        let mut written = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(literal) => written.push_str(literal),
                Part::Value(placeholder) => {
                    let value = values.need(placeholder, constants)?;
                    match escape {
                        Escape::None => written.push_str(&value),
                        Escape::Path => push_escaped(&mut written, &value),
                    }
                }
            }
        }
        Ok(written)
    }
}

fn push_escaped(written: &mut String, value: &str) {
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                written.push(char::from(byte));
            }
            byte => {
                write!(written, "%{byte:02X}").expect("invariant: a text takes what is written")
            }
        }
    }
}

impl BodyTemplate {
    /// Errors: what is wrong, with the key it stands at.
    pub(super) fn parse(value: &toml::Value, key: &str) -> Result<Self, (String, String)> {
        let wrong = |problem: String| (key.to_owned(), problem);
        match value {
            toml::Value::Table(table) => {
                let member = |(name, value): (&String, &toml::Value)| {
                    Self::parse(value, &format!("{key}.{name}")).map(|it| (name.clone(), it))
                };
                table.iter().map(member).collect::<Result<_, _>>().map(Self::Object)
            }
            toml::Value::Array(values) => {
                let element = |(at, value)| Self::parse(value, &format!("{key}[{at}]"));
                values.iter().enumerate().map(element).collect::<Result<_, _>>().map(Self::List)
            }
            toml::Value::String(text) => text_or_number(text).map_err(wrong),
            toml::Value::Integer(number) => Ok(Self::Fixed(number.to_string())),
            toml::Value::Boolean(flag) => Ok(Self::Fixed(flag.to_string())),
            toml::Value::Float(_) | toml::Value::Datetime(_) => {
                Err(wrong("is neither text, whole number, true, false, list nor table".to_owned()))
            }
        }
    }

    /// Its values.
    pub(super) fn values(&self) -> Vec<&Placeholder> {
        match self {
            Self::Object(members) => members.iter().flat_map(|(_, it)| it.values()).collect(),
            Self::List(elements) => elements.iter().flat_map(Self::values).collect(),
            Self::Text(text) => text.values().collect(),
            Self::Optional(value) | Self::Number(value) => vec![value],
            Self::Fixed(_) => Vec::new(),
        }
    }

    /// The JSON of the body.
    ///
    /// Errors: [`MissingValue`].
    pub(super) fn write(
        &self,
        values: &BankValues<'_>,
        constants: &BTreeMap<String, String>,
        json: &mut String,
    ) -> Result<(), MissingValue> {
        match self {
            Self::Object(members) => {
                let there = members.iter().filter(|(_, it)| !it.is_left_out(values, constants));
                json.push('{');
                for (at, (name, member)) in there.enumerate() {
                    json.push_str(if at > 0 { "," } else { "" });
                    push_text(json, name);
                    json.push(':');
                    member.write(values, constants, json)?;
                }
                json.push('}');
            }
            Self::List(elements) => {
                let there = elements.iter().filter(|it| !it.is_left_out(values, constants));
                json.push('[');
                for (at, element) in there.enumerate() {
                    json.push_str(if at > 0 { "," } else { "" });
                    element.write(values, constants, json)?;
                }
                json.push(']');
            }
            Self::Text(text) => push_text(json, &text.write(values, constants, Escape::None)?),
            Self::Optional(value) => push_text(json, &values.need(value, constants)?),
            Self::Number(value) => json.push_str(&values.need(value, constants)?),
            Self::Fixed(fixed) => json.push_str(fixed),
        }
        Ok(())
    }

    fn is_left_out(&self, values: &BankValues<'_>, constants: &BTreeMap<String, String>) -> bool {
        let Self::Optional(placeholder) = self else { return false };
        values.of(placeholder, constants).is_none()
    }
}

fn text_or_number(text: &str) -> Result<BodyTemplate, String> {
    let inner = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    let alone = inner.filter(|inner| !inner.contains(['{', '}']));
    if let Some(name) = alone.and_then(|inner| inner.strip_suffix('?')) {
        return read(name).map(BodyTemplate::Optional);
    }
    if let Some(name) = alone.and_then(|inner| inner.strip_suffix(":number")) {
        let value = read(name)?;
        return match value.is_number() {
            true => Ok(BodyTemplate::Number(value)),
            false => Err(format!("`{value}` is not always a number")),
        };
    }
    TextTemplate::parse(text).map(BodyTemplate::Text)
}

fn read(name: &str) -> Result<Placeholder, String> {
    name.parse().map_err(|error: NoPlaceholder| error.to_string())
}

fn push_text(json: &mut String, text: &str) {
    json.push_str(&serde_json::Value::from(text).to_string());
}
