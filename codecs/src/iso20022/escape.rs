//! References and characters of XML 1.0, both ways.

use std::borrow::Cow;

use super::error::XmlErrorKind;

/// Whether XML 1.0 allows a character.
///
/// Source: XML 1.0, production 2.
pub(super) fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

/// The offset of the first character that XML 1.0 does not allow.
///
/// The bytes are scanned first without branches, because there is none in almost every message.
pub(super) fn bad_char(text: &str) -> Option<usize> {
    let suspect = |byte: u8| (byte < 0x20 && !matches!(byte, 9 | 10 | 13)) || byte == 0xEF;
    let found = text.bytes().fold(false, |found, byte| found | suspect(byte));
    let bad = |(at, c)| (!is_xml_char(c)).then_some(at);
    if found { text.char_indices().find_map(bad) } else { None }
}

/// What a reference stands for, without `&` and `;`: one of the five predefined entities or the
/// number of a character that XML allows.
pub(super) fn resolve(reference: &str) -> Result<char, XmlErrorKind> {
    let Some(number) = reference.strip_prefix('#') else {
        return match reference {
            "amp" => Ok('&'),
            "lt" => Ok('<'),
            "gt" => Ok('>'),
            "quot" => Ok('"'),
            "apos" => Ok('\''),
            _ => Err(XmlErrorKind::Entity),
        };
    };
    let (digits, radix) = match number.strip_prefix('x') {
        Some(digits) => (digits, 16),
        None => (number, 10),
    };
    // `from_str_radix` would take a sign.
    if digits.is_empty() || !digits.bytes().all(|byte| char::from(byte).is_digit(radix)) {
        return Err(XmlErrorKind::Malformed);
    }
    let code = u32::from_str_radix(digits, radix).ok().and_then(char::from_u32);
    code.filter(|c| is_xml_char(*c)).ok_or(XmlErrorKind::BadCharacter)
}

/// The value of an attribute: references resolved, white space made spaces.
///
/// Source: XML 1.0, 3.3.3.
pub(super) fn attribute_value(raw: &str) -> Result<Cow<'_, str>, XmlErrorKind> {
    if raw.contains('<') {
        return Err(XmlErrorKind::Malformed);
    }
    if !raw.bytes().any(|byte| matches!(byte, b'&' | b'\t' | b'\n' | b'\r')) {
        return Ok(Cow::Borrowed(raw));
    }
    let mut value = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find(['&', '\t', '\n', '\r']) {
        value.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(after) = rest.strip_prefix('&') {
            let (reference, after) = after.split_once(';').ok_or(XmlErrorKind::Malformed)?;
            value.push(resolve(reference)?);
            rest = after;
        } else {
            value.push(' ');
            rest = rest.strip_prefix("\r\n").unwrap_or(&rest[1..]);
        }
    }
    value.push_str(rest);
    Ok(Cow::Owned(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_predefined_entities_and_legal_numbers_are_resolved() {
        assert_eq!(resolve("amp"), Ok('&'));
        assert_eq!(resolve("#45"), Ok('-'));
        assert_eq!(resolve("#x20AC"), Ok('€'));
        assert_eq!(resolve("nbsp"), Err(XmlErrorKind::Entity));
        for illegal in ["#0", "#x1F", "#xD800", "#xFFFE", "#x110000", "#99999999999"] {
            assert_eq!(resolve(illegal), Err(XmlErrorKind::BadCharacter), "{illegal}");
        }
        for malformed in ["#", "#x", "#-45", "#+45", "#4z"] {
            assert_eq!(resolve(malformed), Err(XmlErrorKind::Malformed), "{malformed}");
        }
    }

    #[test]
    fn an_attribute_s_white_space_becomes_spaces_unless_it_is_referenced() {
        assert_eq!(attribute_value("a\r\nb\tc&#10;d"), Ok("a b c\nd".into()));
        assert_eq!(attribute_value("a&b"), Err(XmlErrorKind::Malformed));
        assert_eq!(attribute_value("a<b"), Err(XmlErrorKind::Malformed));
    }

    #[test]
    fn the_first_forbidden_character_is_found() {
        assert_eq!(bad_char("tab\tline\r\nümlaut \u{FFFD}"), None);
        assert_eq!(bad_char("ab\u{1}"), Some(2));
        assert_eq!(bad_char("ü\u{FFFF}"), Some(2));
    }
}
