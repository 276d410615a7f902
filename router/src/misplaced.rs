//! Card numbers in texts where none belongs: in a reference, a client number, metadata.
//!
//! This is the one place that decides whether a text holds a card number. It looks at runs of
//! digits, also within words, with a blank or a hyphen allowed between two of them. A run counts
//! where it begins with an issuer prefix of a card scheme:
//!
//! | what it is | when |
//! |---|---|
//! | [`Finding::CardNumber`] | as long as that scheme's card numbers, and its check digit is right |
//! | [`Finding::Lookalike`] | 14 to 19 digits otherwise; 13 digits of Visa with a right check digit |
//!
//! A lookalike is a card number mistyped or cut short, or a reference that happens to look like
//! one. Barcodes have 13 digits, and Visa has given out no such number for decades; so 13 digits
//! are never called a card number.
//!
//! A longer run of digits is an account or a reference, whatever it holds inside. So is a run
//! within 32 or more hexadecimal digits: that is a digest.

mod account;
mod field;
mod json;

pub use account::is_account_number;
pub use field::{FreeField, Keeping, findings, kept_rrn, masked_request, refused_field};
pub use json::{find_json, masked_json};

use std::ops::Range;

use smallvec::SmallVec;

/// Fewest digits of a run that is looked at.
const LEN_MIN: usize = 13;
/// Most digits of a card number (ISO/IEC 7812-1).
const LEN_MAX: usize = 19;
/// Fewest digits of a run whose check digit is wrong and that is looked at all the same.
const LOOKALIKE_LEN_MIN: usize = 14;
/// Digits of a group that is taken for part of a number written in groups.
const GROUP_LEN_MIN: usize = 3;
/// Hexadecimal digits of the shortest digest (MD5).
const DIGEST_LEN_MIN: usize = 32;
/// Digits of a card number that may be shown.
///
/// Source: PCI DSS 3.4.1.
const SHOWN_FIRST: usize = 6;
const SHOWN_LAST: usize = 4;

/// The first four digits of a scheme's card numbers, and how many digits its numbers have.
///
/// Source: ISO/IEC 7812-2; the schemes' own ranges as of 2026: Mir, Mastercard, Diners Club, JCB,
/// American Express, Visa, Maestro and regional schemes, Discover, UnionPay, RuPay, Troy.
const SCHEMES: [(std::ops::RangeInclusive<u16>, &[usize]); 15] = [
    (2200..=2204, &[16, 17, 18, 19]),
    (2221..=2720, &[16]),
    (3000..=3059, &[14, 16, 17, 18, 19]),
    (3095..=3095, &[14, 16, 17, 18, 19]),
    (3400..=3499, &[15]),
    (3528..=3589, &[16, 17, 18, 19]),
    (3600..=3699, &[14, 16, 17, 18, 19]),
    (3700..=3799, &[15]),
    (3800..=3999, &[14, 16, 17, 18, 19]),
    (4000..=4999, &[16, 18, 19]),
    (5000..=5099, &[16, 17, 18, 19]),
    (5100..=5599, &[16]),
    (5600..=6999, &[16, 17, 18, 19]),
    (8100..=8299, &[16, 17, 18, 19]),
    (9792..=9792, &[16]),
];

/// What a text holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Finding {
    /// Digits of a card number's length and prefix whose check digit is wrong.
    Lookalike,
    /// A card number by length, prefix and check digit.
    CardNumber,
}

/// The gravest finding of a text; none where it holds nothing that looks like a card number.
pub fn find(text: &str) -> Option<Finding> {
    let mut gravest = None;
    each(text.as_bytes(), |_, finding| gravest = gravest.max(Some(finding)));
    gravest
}

/// The text with every finding masked to its first six and last four digits; none where there is
/// nothing to mask. It is as long as the text.
pub fn masked(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut masked: Option<Vec<u8>> = None;
    each(bytes, |groups, _| mask(groups, masked.get_or_insert_with(|| bytes.to_vec())));
    masked.map(|bytes| String::from_utf8(bytes).expect("invariant: ASCII replaces ASCII"))
}

/// Whether the last digit is the check digit of the others; `digits` are ASCII digits.
///
/// Source: ISO/IEC 7812-1, annex B.
pub fn has_check_digit(digits: &[u8]) -> bool {
    let doubled = |digit: u32| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let values = digits.iter().rev().map(|digit| u32::from(digit.saturating_sub(b'0')));
    let sum: u32 = values
        .enumerate()
        .map(|(at, digit)| if at.is_multiple_of(2) { digit } else { doubled(digit) })
        .sum();
    sum.is_multiple_of(10)
}

/// Digits that follow each other without a gap.
type Group = Range<usize>;

/// Calls `found` with the groups of digits of each finding, in the order of the text.
fn each(text: &[u8], mut found: impl FnMut(&[Group], Finding)) {
    // Nearly every text ends here.
    if text.len() < LEN_MIN || text.iter().filter(|byte| byte.is_ascii_digit()).count() < LEN_MIN {
        return;
    }
    let mut at = 0;
    while at < text.len() {
        if !text[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let groups = run_at(text, at);
        at = groups.last().map_or(text.len(), |group| group.end);
        in_run(text, &groups, &mut found);
    }
}

/// The groups of the run of digits that begins at `start`.
fn run_at(text: &[u8], start: usize) -> SmallVec<[Group; 8]> {
    let is_digit = |at: usize| text.get(at).is_some_and(u8::is_ascii_digit);
    let mut groups = SmallVec::new();
    let mut from = start;
    loop {
        let end = (from..text.len()).find(|at| !is_digit(*at)).unwrap_or(text.len());
        groups.push(from..end);
        if !(matches!(text.get(end), Some(b' ' | b'-')) && is_digit(end + 1)) {
            return groups;
        }
        from = end + 1;
    }
}

/// Looks at a run as a whole, at each of its groups, and at neighbouring groups together.
fn in_run(text: &[u8], groups: &[Group], found: &mut impl FnMut(&[Group], Finding)) {
    for first in 0..groups.len() {
        let mut len = 0;
        for last in first..groups.len() {
            len += groups[last].len();
            if len > LEN_MAX {
                break;
            }
            let part = &groups[first..=last];
            let finding = (len >= LEN_MIN).then(|| finding_of(text, part)).flatten();
            let Some(finding) = finding else { continue };
            let is_whole = part.len() == groups.len() || part.len() == 1;
            let is_grouped =
                part[..part.len() - 1].iter().all(|group| group.len() >= GROUP_LEN_MIN);
            if is_whole || (is_grouped && finding == Finding::CardNumber) {
                found(part, finding);
            }
        }
    }
}

/// What the digits of neighbouring groups, 13 to 19 in all, are.
fn finding_of(text: &[u8], groups: &[Group]) -> Option<Finding> {
    let mut digits: SmallVec<[u8; LEN_MAX]> = SmallVec::new();
    groups.iter().for_each(|group| digits.extend_from_slice(&text[group.clone()]));
    let lens = scheme_lens(&digits)?;
    if is_in_digest(text, groups) {
        return None;
    }
    let is_right = has_check_digit(&digits);
    let is_old_visa = digits.len() == LEN_MIN && digits[0] == b'4' && is_right;
    match is_right && lens.contains(&digits.len()) {
        true => Some(Finding::CardNumber),
        false if digits.len() >= LOOKALIKE_LEN_MIN || is_old_visa => Some(Finding::Lookalike),
        false => None,
    }
}

/// How many digits card numbers have whose first ones these are; none where no scheme's begin so.
fn scheme_lens(digits: &[u8]) -> Option<&'static [usize]> {
    let digit = |prefix: u16, digit: &u8| prefix * 10 + u16::from(digit - b'0');
    let prefix = digits.get(..4)?.iter().fold(0, digit);
    SCHEMES.iter().find(|(prefixes, _)| prefixes.contains(&prefix)).map(|(_, lens)| *lens)
}

fn has_scheme(digits: &[u8]) -> bool {
    scheme_lens(digits).is_some()
}

fn is_in_digest(text: &[u8], groups: &[Group]) -> bool {
    let [group] = groups else { return false };
    let is_other = |byte: &u8| !byte.is_ascii_hexdigit();
    let start = text[..group.start].iter().rposition(is_other).map_or(0, |at| at + 1);
    let end = text[group.end..].iter().position(is_other).map_or(text.len(), |at| group.end + at);
    end - start >= DIGEST_LEN_MIN
}

/// Hides the digits of a finding between the first six and the last four.
fn mask(groups: &[Group], text: &mut [u8]) {
    let len: usize = groups.iter().map(Range::len).sum();
    for place in groups.iter().cloned().flatten().take(len - SHOWN_LAST).skip(SHOWN_FIRST) {
        text[place] = b'*';
    }
}

#[cfg(test)]
mod tests;
