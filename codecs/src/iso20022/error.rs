//! What is wrong with a message: what, in which element, at which byte. Never what stood there.

use std::fmt;

/// The kinds of refusals; the names are those of the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum XmlErrorKind {
    /// The message is longer than its family may be.
    TooLarge,
    /// Not UTF-8, or declared as something else.
    Encoding,
    /// A character that XML 1.0 does not allow, written out or as a numeric reference.
    BadCharacter,
    /// Not well-formed: cut short, tags that do not match, text outside the root and the like.
    Malformed,
    /// A document type declaration.
    Doctype,
    /// A reference to an entity other than the five predefined ones.
    Entity,
    /// A processing instruction, or an XML declaration that is not the very first thing.
    ProcessingInstruction,
    /// Elements nested too deep.
    TooDeep,
    /// Too many elements.
    TooManyElements,
    /// Too many attributes on one element.
    TooManyAttributes,
    /// An attribute given twice.
    DuplicateAttribute,
    /// Too many namespace bindings in force.
    TooManyNamespaces,
    /// A prefix that no namespace is bound to.
    UnboundPrefix,
    /// A binding that XML keeps for itself: of the prefixes `xml` and `xmlns`, or to their
    /// namespaces.
    ReservedPrefix,
    /// The name of an element or attribute is too long.
    NameTooLong,
    /// The content of one leaf is too long.
    TextTooLong,
    /// The paths of all leaves are longer together than the whole of them may be shown.
    PathsTooLong,
    /// No ISO 20022 message was recognised, by namespace or by business header.
    UnknownMessage,
    /// A bank identifier code that is none.
    BadIdentifier,
    /// The currency is not one of the usage guideline that is applied.
    CurrencyNotAllowed,
    /// Something else that the usage guideline forbids, or demands and does not find.
    GuidelineBroken,
}

impl XmlErrorKind {
    /// The name used in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::Encoding => "encoding",
            Self::BadCharacter => "bad_character",
            Self::Malformed => "malformed",
            Self::Doctype => "doctype",
            Self::Entity => "entity",
            Self::ProcessingInstruction => "processing_instruction",
            Self::TooDeep => "too_deep",
            Self::TooManyElements => "too_many_elements",
            Self::TooManyAttributes => "too_many_attributes",
            Self::DuplicateAttribute => "duplicate_attribute",
            Self::TooManyNamespaces => "too_many_namespaces",
            Self::UnboundPrefix => "unbound_prefix",
            Self::ReservedPrefix => "reserved_prefix",
            Self::NameTooLong => "name_too_long",
            Self::TextTooLong => "text_too_long",
            Self::PathsTooLong => "paths_too_long",
            Self::UnknownMessage => "unknown_message",
            Self::BadIdentifier => "bad_identifier",
            Self::CurrencyNotAllowed => "currency_not_allowed",
            Self::GuidelineBroken => "guideline_broken",
        }
    }

    fn detail(self) -> &'static str {
        match self {
            Self::TooLarge => "message is too long",
            Self::Encoding => "not UTF-8",
            Self::BadCharacter => "character is not allowed in XML",
            Self::Malformed => "not well-formed XML",
            Self::Doctype => "document type declarations are refused",
            Self::Entity => "entities are refused",
            Self::ProcessingInstruction => "processing instructions are refused",
            Self::TooDeep => "elements are nested too deep",
            Self::TooManyElements => "too many elements",
            Self::TooManyAttributes => "too many attributes",
            Self::DuplicateAttribute => "attribute is given twice",
            Self::TooManyNamespaces => "too many namespaces",
            Self::UnboundPrefix => "prefix has no namespace",
            Self::ReservedPrefix => "prefix or namespace is reserved",
            Self::NameTooLong => "name is too long",
            Self::TextTooLong => "text is too long",
            Self::PathsTooLong => "paths of all leaves are too long together",
            Self::UnknownMessage => "not a known message",
            Self::BadIdentifier => "not a bank identifier code",
            Self::CurrencyNotAllowed => "currency is not one of the usage guideline",
            Self::GuidelineBroken => "usage guideline is not kept",
        }
    }
}

/// Why a message was refused.
///
/// Shape: `path` names the innermost element that was open, `/` before the root; a name that is
///        not of letters, and so none of the standard's, is shown as `?`.
/// Units: `offset` in bytes from the start of the message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct XmlError {
    /// What is wrong.
    pub kind: XmlErrorKind,
    /// Where: element path.
    pub path: Box<str>,
    /// Where: byte offset.
    pub offset: usize,
}

impl fmt::Display for XmlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {} at offset {}", self.kind.detail(), self.path, self.offset)
    }
}

/// Longest name that is repeated in a path.
const SHOWN_LEN_MAX: usize = 40;

/// The path of the open elements, outermost first.
///
/// A name is shown when it could be one of the standard's: letters, or digits after a dot as in
/// `admi.002.001.01`. Anything else is the sender's invention and might hold anything.
pub(super) fn path<'n>(names: impl Iterator<Item = &'n str>) -> Box<str> {
    let mut path = String::new();
    for name in names {
        path.push('/');
        path.push_str(if is_plain(name) { name } else { "?" });
    }
    if path.is_empty() {
        path.push('/');
    }
    path.into()
}

fn is_plain(name: &str) -> bool {
    let letters = |part: &str| part.bytes().all(|byte| byte.is_ascii_alphabetic());
    let digits = |part: &str| part.len() <= 3 && part.bytes().all(|byte| byte.is_ascii_digit());
    let (first, rest) = name.split_once('.').unwrap_or((name, ""));
    // Names such as `IntrmyAgt1` end in one digit.
    let first = first.strip_suffix(|last: char| last.is_ascii_digit()).unwrap_or(first);
    name.len() <= SHOWN_LEN_MAX && letters(first) && rest.split('.').all(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_shows_names_of_the_standard_and_hides_inventions() {
        let shown = |names: &[&str]| path(names.iter().copied()).into_string();
        assert_eq!(shown(&["Document", "admi.002.001.01", "Rsn"]), "/Document/admi.002.001.01/Rsn");
        assert_eq!(shown(&["Document", "IntrmyAgt1"]), "/Document/IntrmyAgt1");
        assert_eq!(shown(&["Document", "_4111111111111111"]), "/Document/?");
        assert_eq!(shown(&["a.4111.1111"]), "/?");
        assert_eq!(shown(&[]), "/");
    }
}
