//! Whether an answer agrees with the request that it answers.
//!
//! A bank repeats in its answer what it carried out. An answer that names another amount, currency,
//! card, account, acquirer or terminal tells of something that was not asked; what became of the
//! request is not known then, whatever the response code says.

use super::{Wire, read};
use crate::iso8583::index::Index;

/// How a data element of an answer is held against the request's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    /// Digit by digit.
    Digits,
    /// As a number: widths and leading zeros do not matter.
    Number,
    /// As a text: what pads it at its end does not matter, and a blank one says nothing.
    Text,
    /// As a card number, which may be masked with zeros or cut ([`is_same_card`]).
    Card,
    /// As an account, which may be masked with `*` or `X`.
    Account,
    /// STAN, date and time of the original; zeros say nothing.
    Original,
    /// The actual amount of replacement amounts: what stands. Zeros say that nothing does.
    Replacement,
}

/// Data elements that are repeated. DE7 and DE11 are what matches an answer to its request. DE37 is
/// not among them, since a participant may give its own reference there.
const REPEATED: [(u8, Comparison); 10] = [
    (2, Comparison::Card),
    (3, Comparison::Digits),
    (4, Comparison::Number),
    (32, Comparison::Number),
    (41, Comparison::Text),
    (42, Comparison::Text),
    (49, Comparison::Number),
    (90, Comparison::Original),
    (95, Comparison::Replacement),
    (102, Comparison::Account),
];

/// The first data element in which an answer disagrees with its request; none where it agrees.
///
/// Shape:  both are messages of the profile; `wire` was read from `answer`. An element that one of
///         them does not have is not compared.
/// Errors: 0 where the request cannot be read: then nothing is known to agree.
/// Source: ISO 8583:1987, 4.2: mandatory echo of these elements in responses.
pub fn contradiction(request: &[u8], wire: &Wire, answer: &[u8]) -> Option<u8> {
    let Ok(asked) = read(request) else { return Some(0) };
    let disagrees = |(field, comparison): &(u8, Comparison)| {
        let values = value(&asked.index, request, *field).zip(value(&wire.index, answer, *field));
        values.is_some_and(|(asked, said)| !comparison.agrees(asked, said))
    };
    REPEATED.iter().find(|repeated| disagrees(repeated)).map(|(field, _)| *field)
}

fn value<'a>(index: &Index, bytes: &'a [u8], field: u8) -> Option<&'a [u8]> {
    index.field(bytes, field).filter(|content| !content.is_empty())
}

impl Comparison {
    fn agrees(self, asked: &[u8], said: &[u8]) -> bool {
        match self {
            Self::Digits => asked == said,
            Self::Number => without_zeros(asked) == without_zeros(said),
            Self::Text => {
                let said = said.trim_ascii_end();
                said.is_empty() || asked.trim_ascii_end() == said
            }
            Self::Card => is_same_card(asked, said),
            Self::Replacement => asked.get(..12) == said.get(..12),
            Self::Account => is_same_account(asked.trim_ascii(), said.trim_ascii()),
            Self::Original => [4..10, 10..20].into_iter().all(|part| {
                let (asked, said) = (asked.get(part.clone()), said.get(part));
                asked == said || said.is_some_and(|said| without_zeros(said).is_empty())
            }),
        }
    }
}

/// A card number is the same where it is repeated whole, with zeros before it, cut to its first six
/// and last four digits or to at least its last four, or with zeros in place of what is between
/// those. All zeros say nothing.
fn is_same_card(asked: &[u8], said: &[u8]) -> bool {
    const FIRST: usize = 6;
    const LAST: usize = 4;
    let is_zero = |digits: &[u8]| without_zeros(digits).is_empty();
    if is_zero(said) || without_zeros(asked) == without_zeros(said) {
        return true;
    }
    let (Some(first), Some(last)) = (asked.get(..FIRST), asked.last_chunk::<LAST>()) else {
        return false;
    };
    let has_both_ends = said.starts_with(first) && said.ends_with(last);
    let between = said.get(FIRST..said.len().saturating_sub(LAST)).unwrap_or_default();
    let is_masked = has_both_ends
        && is_zero(between)
        && (said.len() == FIRST + LAST || said.len() == asked.len());
    let is_end = (LAST..asked.len()).contains(&said.len()) && asked.ends_with(said);
    is_masked || is_end
}

fn is_same_account(asked: &[u8], said: &[u8]) -> bool {
    let is_hidden = |byte: &u8| matches!(byte, b'*' | b'X' | b'x');
    let are_digits = [asked, said].into_iter().flatten().all(u8::is_ascii_digit);
    let is_masked = asked.len() == said.len()
        && asked.iter().zip(said).all(|(asked, said)| asked == said || is_hidden(said));
    said.is_empty() || is_masked || are_digits && without_zeros(asked) == without_zeros(said)
}

/// A number's digits without the zeros before it.
fn without_zeros(digits: &[u8]) -> &[u8] {
    let from = digits.iter().position(|digit| *digit != b'0').unwrap_or(digits.len());
    &digits[from..]
}

#[cfg(test)]
mod tests;
