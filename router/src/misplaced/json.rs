//! Findings in JSON that is kept as it came.

use super::{Finding, find, masked};

/// The gravest finding of JSON, in values and names.
///
/// Shape: `json` is valid JSON. Numbers with a fraction or an exponent are none.
pub fn find_json(json: &str) -> Option<Finding> {
    find(json)?;
    tokens(json).filter(|token| !is_measure(token)).filter_map(find).max()
}

/// The JSON with every finding masked; none where there is nothing to mask.
///
/// Shape: as for [`find_json`]. A whole number that is masked becomes a text, because JSON has no
///        masked numbers.
pub fn masked_json(json: &str) -> Option<String> {
    find_json(json)?;
    let mut out = String::with_capacity(json.len() + 2);
    for token in tokens(json) {
        match masked(token).filter(|_| !is_measure(token)) {
            Some(masked) if token.starts_with('"') => out.push_str(&masked),
            Some(masked) => {
                out.push('"');
                out.push_str(&masked);
                out.push('"');
            }
            None => out.push_str(token),
        }
    }
    Some(out)
}

/// Its texts, numbers and other characters, one after another.
fn tokens(json: &str) -> impl Iterator<Item = &str> {
    let mut rest = json;
    std::iter::from_fn(move || {
        let len = token_len(rest)?;
        let (token, after) = rest.split_at(len);
        rest = after;
        Some(token)
    })
}

/// Whether a token is a number with a fraction or an exponent.
fn is_measure(token: &str) -> bool {
    !token.starts_with('"') && token.contains(['.', 'e', 'E'])
}

/// The length of the text, number, or other character that JSON begins with; none at its end.
fn token_len(json: &str) -> Option<usize> {
    let bytes = json.as_bytes();
    let is_number =
        |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E');
    Some(match bytes.first()? {
        b'"' => text_len(bytes),
        b'-' | b'0'..=b'9' => bytes.iter().take_while(|byte| is_number(byte)).count(),
        _ => json.chars().next().map_or(1, char::len_utf8),
    })
}

/// The length of a JSON text with both its quotes.
fn text_len(bytes: &[u8]) -> usize {
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_stays_json_where_a_number_is_masked() {
        let check = |json: &str, expect: Option<&str>| {
            assert_eq!(masked_json(json).as_deref(), expect, "{json}");
            assert_eq!(find_json(json).is_some(), expect.is_some(), "{json}");
        };
        check(r#"{"a":1}"#, None);
        check(r#"{"a":"4111111111111111"}"#, Some(r#"{"a":"411111******1111"}"#));
        check(r#"{"a":4111111111111111}"#, Some(r#"{"a":"411111******1111"}"#));
        check(r#"{"4111 1111 1111 1111":[1]}"#, Some(r#"{"4111 11** **** 1111":[1]}"#));
        check(r#"{"a":"\"4111111111111111\\"}"#, Some(r#"{"a":"\"411111******1111\\"}"#));
        check(r#"{"latitude":4.4111111111111111,"large":4111111111111111e3}"#, None);
        check(
            r#"{"a":4.4111111111111111,"b":"4111111111111111"}"#,
            Some(r#"{"a":4.4111111111111111,"b":"411111******1111"}"#),
        );
        check(r#"{"ñ":[4111111111111112,"4"]}"#, Some(r#"{"ñ":["411111******1112","4"]}"#));
        // Two numbers of a list are not one number in groups.
        check(r#"[41111111,11111111]"#, None);
    }
}
