//! The eight character sets of EPC069-12: UTF-8 and seven parts of ISO 8859.

/// A character set, by its number in an EPC code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charset {
    /// 1: UTF-8.
    Utf8,
    /// 2: ISO 8859-1.
    Latin1,
    /// 3: ISO 8859-2.
    Latin2,
    /// 4: ISO 8859-4.
    Latin4,
    /// 5: ISO 8859-5.
    Cyrillic,
    /// 6: ISO 8859-7.
    Greek,
    /// 7: ISO 8859-10.
    Latin6,
    /// 8: ISO 8859-15.
    Latin9,
}

/// What stands in a table where the standard assigns no character.
const UNASSIGNED: char = '\u{FFFD}';

impl Charset {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 8] = [
        Self::Utf8,
        Self::Latin1,
        Self::Latin2,
        Self::Latin4,
        Self::Cyrillic,
        Self::Greek,
        Self::Latin6,
        Self::Latin9,
    ];

    /// From the digit of an EPC code, `1` to `8`.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|charset| charset.code() == code)
    }

    /// The digit of an EPC code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Utf8 => "1",
            Self::Latin1 => "2",
            Self::Latin2 => "3",
            Self::Latin4 => "4",
            Self::Cyrillic => "5",
            Self::Greek => "6",
            Self::Latin6 => "7",
            Self::Latin9 => "8",
        }
    }

    /// Bytes to text.
    ///
    /// Errors: the offset of the first byte that is no character of this set.
    pub fn decode(self, bytes: &[u8]) -> Result<String, usize> {
        if self == Self::Utf8 {
            let text = std::str::from_utf8(bytes).map_err(|error| error.valid_up_to())?;
            return Ok(text.to_owned());
        }
        let characters = bytes.iter().enumerate();
        characters.map(|(offset, byte)| self.character(*byte).ok_or(offset)).collect()
    }

    /// Text to bytes.
    ///
    /// Errors: the position of the first character this set does not have, in characters.
    pub fn encode(self, text: &str) -> Result<Vec<u8>, usize> {
        if self == Self::Utf8 {
            return Ok(text.as_bytes().to_vec());
        }
        let characters = text.chars().enumerate();
        characters.map(|(at, character)| self.byte(character).ok_or(at)).collect()
    }

    /// The upper half, from 0xA0; none where a byte is its own code point.
    fn upper_half(self) -> Option<&'static str> {
        match self {
            Self::Utf8 | Self::Latin1 => None,
            Self::Latin2 => Some(LATIN_2),
            Self::Latin4 => Some(LATIN_4),
            Self::Cyrillic => Some(CYRILLIC),
            Self::Greek => Some(GREEK),
            Self::Latin6 => Some(LATIN_6),
            Self::Latin9 => Some(LATIN_9),
        }
    }

    fn character(self, byte: u8) -> Option<char> {
        match (byte, self.upper_half()) {
            (0xA0.., Some(table)) => {
                let character = table.chars().nth(usize::from(byte) - 0xA0);
                character.filter(|character| *character != UNASSIGNED)
            }
            _ => Some(char::from(byte)),
        }
    }

    fn byte(self, character: char) -> Option<u8> {
        let code = u8::try_from(u32::from(character)).ok();
        match (code, self.upper_half()) {
            (Some(code), None) => Some(code),
            (Some(code), Some(_)) if code < 0xA0 => Some(code),
            (_, Some(table)) if character != UNASSIGNED => {
                let position = table.chars().position(|candidate| candidate == character)?;
                u8::try_from(position + 0xA0).ok()
            }
            _ => None,
        }
    }
}

// The upper halves, 0xA0 to 0xFF, made with the codecs of Python 3.

const LATIN_2: &str = "\u{A0}Ą˘Ł¤ĽŚ§¨ŠŞŤŹ\u{AD}ŽŻ°ą˛ł´ľśˇ¸šşťź˝žż\
    ŔÁÂĂÄĹĆÇČÉĘËĚÍÎĎĐŃŇÓÔŐÖ×ŘŮÚŰÜÝŢß\
    ŕáâăäĺćçčéęëěíîďđńňóôőö÷řůúűüýţ˙";
const LATIN_4: &str = "\u{A0}ĄĸŖ¤ĨĻ§¨ŠĒĢŦ\u{AD}Ž¯°ą˛ŗ´ĩļˇ¸šēģŧŊžŋ\
    ĀÁÂÃÄÅÆĮČÉĘËĖÍÎĪĐŅŌĶÔÕÖ×ØŲÚÛÜŨŪß\
    āáâãäåæįčéęëėíîīđņōķôõö÷øųúûüũū˙";
const CYRILLIC: &str = "\u{A0}ЁЂЃЄЅІЇЈЉЊЋЌ\u{AD}ЎЏАБВГДЕЖЗИЙКЛМНОП\
    РСТУФХЦЧШЩЪЫЬЭЮЯабвгдежзийклмноп\
    рстуфхцчшщъыьэюя№ёђѓєѕіїјљњћќ§ўџ";
const GREEK: &str = "\u{A0}\u{2018}\u{2019}£€₯¦§¨©ͺ«¬\u{AD}\u{FFFD}\u{2015}°±²³΄΅Ά·ΈΉΊ»Ό½ΎΏ\
    ΐΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡ\u{FFFD}ΣΤΥΦΧΨΩΪΫάέήί\
    ΰαβγδεζηθικλμνξοπρςστυφχψωϊϋόύώ\u{FFFD}";
const LATIN_6: &str = "\u{A0}ĄĒĢĪĨĶ§ĻĐŠŦŽ\u{AD}ŪŊ°ąēģīĩķ·ļđšŧž\u{2015}ūŋ\
    ĀÁÂÃÄÅÆĮČÉĘËĖÍÎÏÐŅŌÓÔÕÖŨØŲÚÛÜÝÞß\
    āáâãäåæįčéęëėíîïðņōóôõöũøųúûüýþĸ";
const LATIN_9: &str = "\u{A0}¡¢£€¥Š§š©ª«¬\u{AD}®¯°±²³Žµ¶·ž¹º»ŒœŸ¿\
    ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖ×ØÙÚÛÜÝÞß\
    àáâãäåæçèéêëìíîïðñòóôõö÷øùúûüýþÿ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_set_reads_and_writes_all_its_bytes() {
        for charset in Charset::ALL {
            let bytes: Vec<u8> = match charset {
                Charset::Utf8 => (0..=0x7F).collect(),
                _ => (0..=0xFF).filter(|byte| charset.character(*byte).is_some()).collect(),
            };
            let text = charset.decode(&bytes).expect("characters");
            assert_eq!(charset.encode(&text), Ok(bytes), "{charset:?}");
            assert!(charset.upper_half().is_none_or(|table| table.chars().count() == 96));
        }
    }

    #[test]
    fn letters_are_those_of_the_standards() {
        // From `python3 -c "print(b'…'.decode('iso8859_…'))"`.
        let read = |charset: Charset, bytes: &[u8]| charset.decode(bytes);
        assert_eq!(read(Charset::Latin1, b"Fran\xE7ois"), Ok("François".to_owned()));
        assert_eq!(read(Charset::Latin2, b"\xA3\xF3d\xBC"), Ok("Łódź".to_owned()));
        assert_eq!(read(Charset::Latin4, b"R\xEFga"), Ok("Rīga".to_owned()));
        assert_eq!(read(Charset::Cyrillic, b"\xC1\xDE\xE4\xD8\xEF"), Ok("София".to_owned()));
        assert_eq!(read(Charset::Greek, b"\xC1\xE8\xDE\xED\xE1"), Ok("Αθήνα".to_owned()));
        assert_eq!(read(Charset::Latin6, b"V\xE4\xBAa"), Ok("Väša".to_owned()));
        assert_eq!(read(Charset::Latin9, b"5 \xA4"), Ok("5 €".to_owned()));
        assert_eq!(read(Charset::Greek, b"a\xD2"), Err(1));
        assert_eq!(Charset::Latin1.encode("a€"), Err(1));
    }
}
