//! The start of an element: its name, attributes and namespace.

use smallvec::SmallVec;

use super::pairs::{Pair, Pairs};
use super::{Attribute, Open, Step, Walker};
use crate::iso20022::error::{XmlError, XmlErrorKind};
use crate::iso20022::escape;
use crate::iso20022::name::Name;

impl<'a> Walker<'a> {
    /// Takes the start tag in hand, whose qualified name has `name_len` bytes.
    pub(super) fn enter(&mut self, name_len: usize) -> Result<Step<'a>, XmlError> {
        self.check_counts()?;
        let (from, to) = (self.from + 1, self.position());
        let (Some(tag), Some(qualified)) =
            (self.text.get(from..to), self.text.get(from..from + name_len))
        else {
            return Err(self.error(XmlErrorKind::Malformed));
        };
        let (prefix, local) = self.split(qualified)?;
        // A known name needs no look at its letters, nor does a prefix: it must have been bound.
        let name = Name::of(local);
        if name.is_none() && !is_name(local) {
            return Err(self.error(XmlErrorKind::Malformed));
        }
        self.open.push(Open { qualified, local });
        self.elements += 1;
        self.leaf = Some("".into());
        self.may_enclose = name.is_none();
        self.content_from = to;
        self.attributes.clear();
        // `>` or `/>` is all that follows the name of most elements.
        if tag.len() > name_len + 2 {
            self.take_attributes(tag, name_len)?;
        }
        match self.bindings.find(prefix) {
            Some(space) => Ok(Step::Open { local, name, space }),
            None => Err(self.error(XmlErrorKind::UnboundPrefix)),
        }
    }

    fn check_counts(&self) -> Result<(), XmlError> {
        let is_second_root = self.open.is_empty() && self.elements > 0;
        match () {
            () if is_second_root => Err(self.error(XmlErrorKind::Malformed)),
            () if self.open.len() >= self.limits.depth_max => {
                Err(self.error(XmlErrorKind::TooDeep))
            }
            () if self.elements >= self.limits.elements_max => {
                Err(self.error(XmlErrorKind::TooManyElements))
            }
            () => Ok(()),
        }
    }

    /// Prefix and local name.
    fn split(&self, qualified: &'a str) -> Result<(&'a str, &'a str), XmlError> {
        if qualified.len() > self.limits.name_len_max {
            return Err(self.error(XmlErrorKind::NameTooLong));
        }
        match qualified.bytes().position(|byte| byte == b':') {
            Some(0) => Err(self.error(XmlErrorKind::Malformed)),
            Some(at) => Ok((&qualified[..at], &qualified[at + 1..])),
            None => Ok(("", qualified)),
        }
    }

    fn take_attributes(&mut self, tag: &'a str, name_len: usize) -> Result<(), XmlError> {
        let end = if tag.ends_with("/>") { tag.len() - 2 } else { tag.len() - 1 };
        let mut names: SmallVec<[&'a str; 4]> = SmallVec::new();
        for pair in Pairs::of(&tag[name_len..end]) {
            let (name, raw) = pair.map_err(|kind| self.error(kind))?;
            if names.len() >= self.limits.attributes_max {
                return Err(self.error(XmlErrorKind::TooManyAttributes));
            }
            if names.contains(&name) {
                return Err(self.error(XmlErrorKind::DuplicateAttribute));
            }
            names.push(name);
            self.take_attribute((name, raw))?;
        }
        self.check_prefixes()
    }

    fn take_attribute(&mut self, (name, raw): Pair<'a>) -> Result<(), XmlError> {
        let (prefix, local) = self.split(name)?;
        if !is_name(local) || !(prefix.is_empty() || is_name(prefix)) {
            return Err(self.error(XmlErrorKind::Malformed));
        }
        if raw.len() > self.limits.text_len_max {
            return Err(self.error(XmlErrorKind::TextTooLong));
        }
        let value = escape::attribute_value(raw).map_err(|kind| self.error(kind))?;
        let bound = match (prefix, local) {
            ("", "xmlns") => "",
            ("xmlns", prefix) => prefix,
            _ => {
                self.attributes.push(Attribute { name, value });
                return Ok(());
            }
        };
        if self.bindings.len() >= self.limits.bindings_max {
            return Err(self.error(XmlErrorKind::TooManyNamespaces));
        }
        self.bindings.bind(bound, value, self.open.len()).map_err(|kind| self.error(kind))
    }

    /// An attribute may stand before the binding of its prefix, so they are checked at the end:
    /// every prefix is bound, and no two of them make two names one.
    ///
    /// Source: Namespaces in XML 1.0, 5 and 6.3.
    fn check_prefixes(&self) -> Result<(), XmlError> {
        for (at, attribute) in self.attributes.iter().enumerate() {
            let Some((prefix, local)) = attribute.name.split_once(':') else { continue };
            let Some(namespace) = self.bindings.id(prefix) else {
                return Err(self.error(XmlErrorKind::UnboundPrefix));
            };
            let is_same = |other: &Attribute<'_>| {
                let (prefix, other) = other.name.split_once(':').unwrap_or_default();
                other == local && self.bindings.id(prefix) == Some(namespace)
            };
            if self.attributes[..at].iter().any(is_same) {
                return Err(self.error(XmlErrorKind::DuplicateAttribute));
            }
        }
        Ok(())
    }
}

/// Whether a name could be one, as far as ASCII goes; the letters of other scripts all pass.
///
/// Source: XML 1.0, production 5, and Namespaces in XML 1.0, production 4 (no colon).
fn is_name(name: &str) -> bool {
    let is_start = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80;
    let is_part = |byte: u8| is_start(byte) || byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
    name.as_bytes().first().copied().is_some_and(is_start) && name.bytes().all(is_part)
}
