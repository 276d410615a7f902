//! Accounts whose own check digits say what they are.

/// Whether a text is an IBAN or a CLABE by its check digits, and so no card number.
///
/// Source: ISO 13616-1 (IBAN, remainder 1 of 97); Banco de México, Circular 14/2017 (CLABE,
/// weights 3, 7, 1).
pub fn is_account_number(text: &str) -> bool {
    is_iban(text.as_bytes()) || is_clabe(text.as_bytes())
}

/// Two letters, two check digits, 11 to 30 letters and digits.
fn is_iban(text: &[u8]) -> bool {
    let is_formed = (15..=34).contains(&text.len())
        && text[..2].iter().all(u8::is_ascii_alphabetic)
        && text[2..4].iter().all(u8::is_ascii_digit)
        && text[4..].iter().all(u8::is_ascii_alphanumeric);
    let remainder = |rest: u32, byte: &u8| match char::from(*byte).to_digit(36) {
        Some(value @ 0..10) => (rest * 10 + value) % 97,
        Some(value) => (rest * 100 + value) % 97,
        None => 0,
    };
    is_formed && text[4..].iter().chain(&text[..4]).fold(0, remainder) == 1
}

/// Eighteen digits, of which the last is the check digit.
fn is_clabe(text: &[u8]) -> bool {
    if text.len() != 18 || !text.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let value = |digit: &u8| u32::from(digit - b'0');
    let weighted = text[..17].iter().zip([3, 7, 1].into_iter().cycle());
    let sum: u32 = weighted.map(|(digit, weight)| value(digit) * weight % 10).sum();
    (10 - sum % 10) % 10 == value(&text[17])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Source: the IBAN registry's examples; Banxico's example of a CLABE.
    #[test]
    fn accounts_are_known_by_their_check_digits() {
        let check =
            |text: &str, expect: bool| assert_eq!(is_account_number(text), expect, "{text}");
        check("GB29NWBK60161331926819", true);
        check("NO9386011117947", true);
        check("GB29NWBK60161331926818", false);
        check("032180000118359719", true);
        check("032180000118359718", false);
        check("4111111111111111", false);
        check("", false);
    }
}
