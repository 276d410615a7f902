//! Texts that people write, in whatever language.

use std::fmt;

/// A text that people write, kept as it came.
///
/// Shape:  1..=MAX characters of Unicode. No control characters, no line breaks, no digits other than
///         0 to 9, no blanks but the space, no dashes but the hyphen, and nothing invisible but what
///         joins and colours emoji: a card number must not hide from whoever looks for one.
/// Errors: [`FreeTextError`] names the character and its position.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FreeText<const MAX: usize>(Box<str>);

/// Why a text was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FreeTextError {
    /// Nothing.
    #[error("must not be empty")]
    Empty,
    /// More characters than the field holds.
    #[error("{len} characters, at most {max} allowed")]
    TooLong {
        /// Characters given.
        len: usize,
        /// Characters allowed.
        max: usize,
    },
    /// A character that may not stand there.
    #[error("character U+{code:04X} at position {at} is not allowed", code = u32::from(*character))]
    NotAllowed {
        /// The character.
        character: char,
        /// Its position in characters, from 0.
        at: usize,
    },
}

impl<const MAX: usize> FreeText<MAX> {
    /// Takes a text as it is, spaces included.
    pub fn new(text: &str) -> Result<Self, FreeTextError> {
        let mut before = ' ';
        for (at, character) in text.chars().enumerate() {
            if !is_allowed(character, before) {
                return Err(FreeTextError::NotAllowed { character, at });
            }
            before = character;
        }
        match text.chars().count() {
            0 => Err(FreeTextError::Empty),
            len if len > MAX => Err(FreeTextError::TooLong { len, max: MAX }),
            _ => Ok(Self(text.into())),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Joins emoji to one.
const ZERO_WIDTH_JOINER: char = '\u{200D}';
/// Has the character before it shown as an emoji.
const EMOJI_STYLE: char = '\u{FE0F}';

fn is_allowed(character: char, before: char) -> bool {
    match character {
        ' '..='~' => true,
        ZERO_WIDTH_JOINER | EMOJI_STYLE => !before.is_ascii(),
        _ => {
            let hides = character.is_control() || character.is_numeric();
            !(hides || character.is_whitespace() || is_dash(character) || is_invisible(character))
        }
    }
}

/// Source: Unicode 16, general category Pd, and the minus sign.
fn is_dash(character: char) -> bool {
    matches!(
        character,
        '\u{058A}' | '\u{05BE}' | '\u{1400}' | '\u{1806}' | '\u{2010}'
            ..='\u{2015}'
                | '\u{2212}'
                | '\u{2E17}'
                | '\u{2E1A}'
                | '\u{2E3A}'
                | '\u{2E3B}'
                | '\u{2E40}'
                | '\u{2E5D}'
                | '\u{301C}'
                | '\u{3030}'
                | '\u{30A0}'
                | '\u{FE31}'
                | '\u{FE32}'
                | '\u{FE58}'
                | '\u{FE63}'
                | '\u{FF0D}'
                | '\u{10D6E}'
                | '\u{10EAD}'
    )
}

/// Characters without a glyph of their own, and those that turn the direction of others.
///
/// Source: Unicode 16, general categories Cf, Zl and Zp, and the property Default_Ignorable_Code_Point.
fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{00AD}'
        | '\u{0600}'..='\u{0605}' | '\u{061C}' | '\u{06DD}' | '\u{070F}' | '\u{180E}'
        | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
        | '\u{FEFF}' | '\u{FFF0}'..='\u{FFFB}' | '\u{034F}' | '\u{115F}' | '\u{1160}' | '\u{17B4}'
        | '\u{17B5}' | '\u{180B}'..='\u{180F}' | '\u{2800}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}'
        | '\u{FFA0}'
        | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}

impl<const MAX: usize> fmt::Display for FreeText<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl<const MAX: usize> fmt::Debug for FreeText<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(text: &str) -> Result<String, FreeTextError> {
        FreeText::<12>::new(text).map(|text| text.as_str().to_owned())
    }

    #[test]
    fn people_may_write_their_languages_and_emoji() {
        let family = "\u{1F469}\u{200D}\u{1F467}";
        for text in [
            "Iași, str. 5",
            "José Núñez",
            "Città è 1",
            "Ünïcodé",
            "会社",
            family,
            "a~ !",
            "\u{2708}\u{FE0F}",
        ] {
            assert_eq!(taken(text).as_deref(), Ok(text));
        }
    }

    #[test]
    fn a_length_is_counted_in_characters() {
        assert_eq!(taken(&"ñ".repeat(12)), Ok("ñ".repeat(12)));
        assert_eq!(taken(&"ñ".repeat(13)), Err(FreeTextError::TooLong { len: 13, max: 12 }));
        assert_eq!(taken(""), Err(FreeTextError::Empty));
    }

    #[test]
    fn what_cannot_be_seen_or_hides_digits_is_refused_with_its_place() {
        let refused = [
            ('\n', "line break"),
            ('\u{0}', "zero"),
            ('\u{85}', "next line"),
            ('\u{7F}', "delete"),
            ('\u{2028}', "line separator"),
            ('\u{202E}', "right-to-left override"),
            ('\u{200B}', "zero-width space"),
            ('\u{200D}', "joiner behind a digit"),
            ('\u{AD}', "soft hyphen"),
            ('\u{FEFF}', "byte order mark"),
            ('\u{FF14}', "full-width digit"),
            ('\u{0664}', "Arabic-Indic digit"),
            ('\u{A0}', "no-break space"),
            ('\u{3000}', "ideographic space"),
            ('\u{2011}', "no-break hyphen"),
            ('\u{2013}', "en dash"),
            ('\u{FE0F}', "emoji style behind a digit"),
            ('\u{2800}', "blank Braille"),
            ('\u{3164}', "Hangul filler"),
        ];
        for (character, name) in refused {
            let expect = Err(FreeTextError::NotAllowed { character, at: 2 });
            assert_eq!(taken(&format!("a4{character}0")), expect, "{name}");
        }
        let told = taken("a\u{202E}").unwrap_err().to_string();
        assert_eq!(told, "character U+202E at position 1 is not allowed");
    }
}
