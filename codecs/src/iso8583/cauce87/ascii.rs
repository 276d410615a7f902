//! Texts for people, in the characters a terminal can print.

use bytes::{BufMut, BytesMut};

/// Appends a text in printable ASCII, cut to `len_max` bytes: letters lose their accents, opening
/// marks are dropped, what has no likeness becomes `?`.
pub(super) fn put(text: &str, len_max: usize, out: &mut BytesMut) {
    let end = out.len() + len_max;
    for character in text.chars() {
        let plain = plain(character);
        if out.len() + plain.len() > end {
            return;
        }
        out.put_slice(plain.as_bytes());
    }
}

fn plain(character: char) -> &'static str {
    const PRINTABLE: &str = " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`\
                             abcdefghijklmnopqrstuvwxyz{|}~";
    match character {
        ' '..='~' => {
            let at = u32::from(character) - u32::from(' ');
            let at = usize::try_from(at).expect("invariant: below 95");
            &PRINTABLE[at..=at]
        }
        'á' | 'à' | 'â' | 'ã' | 'ä' | 'å' | 'ă' => "a",
        'Á' | 'À' | 'Â' | 'Ã' | 'Ä' | 'Å' | 'Ă' => "A",
        'é' | 'è' | 'ê' | 'ë' => "e",
        'É' | 'È' | 'Ê' | 'Ë' => "E",
        'í' | 'ì' | 'î' | 'ï' => "i",
        'Í' | 'Ì' | 'Î' | 'Ï' => "I",
        'ó' | 'ò' | 'ô' | 'õ' | 'ö' => "o",
        'Ó' | 'Ò' | 'Ô' | 'Õ' | 'Ö' => "O",
        'ú' | 'ù' | 'û' | 'ü' => "u",
        'Ú' | 'Ù' | 'Û' | 'Ü' => "U",
        'ç' => "c",
        'Ç' => "C",
        'ñ' => "n",
        'Ñ' => "N",
        'ș' | 'ş' => "s",
        'Ș' | 'Ş' => "S",
        'ț' | 'ţ' => "t",
        'Ț' | 'Ţ' => "T",
        '–' | '—' => "-",
        '’' | '‘' => "'",
        '“' | '”' | '„' | '«' | '»' => "\"",
        '…' => "...",
        '¿' | '¡' => "",
        _ => "?",
    }
}

#[cfg(test)]
mod tests {
    use router::reason::{Language, Reason};

    use super::*;

    fn check(text: &str, expect: &str) {
        let mut out = BytesMut::new();
        put(text, 99, &mut out);
        assert_eq!(std::str::from_utf8(&out), Ok(expect));
    }

    #[test]
    fn accents_go_and_letters_stay() {
        check(
            "¿Ya está? Año – così, tranzacție reușită…",
            "Ya esta? Ano - cosi, tranzactie reusita...",
        );
        check("100 € ~", "100 ? ~");
    }

    #[test]
    fn a_long_text_is_cut() {
        let mut out = BytesMut::from(&b"kept"[..]);
        put("abcd…", 5, &mut out);
        assert_eq!(&out[..], b"keptabcd");
    }

    #[test]
    fn every_text_of_the_catalogue_can_be_printed() {
        let languages = [Language::Es, Language::Ro, Language::It, Language::En, Language::Pt];
        for (reason, language) in Reason::ALL.into_iter().flat_map(|r| languages.map(|l| (r, l))) {
            let mut out = BytesMut::new();
            put(reason.info().text(language), 99, &mut out);
            assert!(!out.is_empty() && !out.contains(&b'?'), "{reason:?} {language:?}");
        }
    }
}
