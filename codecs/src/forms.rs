//! Forms of identifiers that several standards share: of banks (BIC), of accounts (IBAN), of
//! references (RF).

/// Whether a text has the form of a bank identifier code: bank, country, place, perhaps a branch.
///
/// Source: ISO 9362:2022; the pattern of `BICFIDec2014Identifier`.
pub(crate) fn is_bic(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_sign = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    matches!(bytes.len(), 8 | 11)
        && bytes.iter().all(is_sign)
        && bytes[4..6].iter().all(u8::is_ascii_uppercase)
}

/// Whether a text is an account number: its form, and its check digits.
pub(crate) fn is_iban(text: &str) -> bool {
    has_iban_form(text) && has_right_check_digits(text)
}

/// Whether an account number or reference of capitals and digits has the right check digits.
///
/// Shape:  two letters, two check digits, then letters or digits; the first four count last.
/// Source: ISO 13616 and ISO 11649, over ISO 7064.
pub(crate) fn has_right_check_digits(text: &str) -> bool {
    let Some((head, body)) = text.split_at_checked(4) else { return false };
    let rest = body.chars().chain(head.chars()).try_fold(0_u32, |rest, character| {
        let value = character.to_digit(36).filter(|_| !character.is_ascii_lowercase())?;
        let shift = if value < 10 { 10 } else { 100 };
        Some((rest * shift + value) % 97)
    });
    rest == Some(1)
}

/// Whether a text has the form of an IBAN: country, digits, and the length its country has.
pub(crate) fn has_iban_form(text: &str) -> bool {
    let bytes = text.as_bytes();
    let [c1, c2, d1, d2, rest @ ..] = bytes else { return false };
    let is_body = |byte: &u8| byte.is_ascii_digit() || byte.is_ascii_uppercase();
    let length = LENGTHS.iter().find(|(country, _)| text.starts_with(country));
    [c1, c2].iter().all(|byte| byte.is_ascii_uppercase())
        && [d1, d2].iter().all(|byte| byte.is_ascii_digit())
        && rest.iter().all(is_body)
        && match length {
            Some((_, length)) => bytes.len() == *length,
            None => (15..=34).contains(&bytes.len()),
        }
}

/// Lengths of account numbers in the SEPA area, from the IBAN registry of SWIFT.
const LENGTHS: [(&str, usize); 41] = [
    ("AD", 24),
    ("AL", 28),
    ("AT", 20),
    ("BE", 16),
    ("BG", 22),
    ("CH", 21),
    ("CY", 28),
    ("CZ", 24),
    ("DE", 22),
    ("DK", 18),
    ("EE", 20),
    ("ES", 24),
    ("FI", 18),
    ("FR", 27),
    ("GB", 22),
    ("GI", 23),
    ("GR", 27),
    ("HR", 21),
    ("HU", 28),
    ("IE", 22),
    ("IS", 26),
    ("IT", 27),
    ("LI", 21),
    ("LT", 20),
    ("LU", 20),
    ("LV", 21),
    ("MC", 27),
    ("MD", 24),
    ("ME", 22),
    ("MK", 19),
    ("MT", 31),
    ("NL", 18),
    ("NO", 15),
    ("PL", 28),
    ("PT", 25),
    ("RO", 24),
    ("RS", 22),
    ("SE", 24),
    ("SI", 19),
    ("SK", 24),
    ("SM", 27),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_digits_are_those_of_the_registry() {
        // Examples of the IBAN registry, and of EPC069-12 and ISO 11649.
        for right in [
            "DE89370400440532013000",
            "FR1420041010050500013M02606",
            "NO9386011117947",
            "MT84MALT011000012345MTLCAST001S",
            "BE72000000001616",
        ] {
            assert!(is_iban(right), "{right}");
        }
        assert!(has_right_check_digits("RF18539007547034"));
        for wrong in ["DE88370400440532013000", "de89370400440532013000", "DE", "DE89é", ""] {
            assert!(!has_right_check_digits(wrong), "{wrong}");
        }
        assert!(!has_iban_form("DE8937040044053201300"));
        assert!(!has_iban_form("DE89 3704 0044 0532 0130 00"));
        assert!(!is_iban("DE88370400440532013000"), "wrong check digits");
    }

    #[test]
    fn banks_have_eight_or_eleven_capitals_and_digits_with_a_country_among_them() {
        for right in ["AAAAGB2L", "1AA1GB2LXXX", "1234RO22"] {
            assert!(is_bic(right), "{right}");
        }
        for wrong in ["", "AAAAGB2LXX", "AAAA1B2L", "aaaagb2l", "AAAAGB2", "AAAAGBÁL", "AAAAÁ2L"]
        {
            assert!(!is_bic(wrong), "{wrong}");
        }
    }
}
