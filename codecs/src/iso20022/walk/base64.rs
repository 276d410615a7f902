//! Binary content: enclosed documents, signatures, certificates.

/// Whether bytes are all letters of base64, or white space between them.
///
/// Source: XML Schema part 2, 3.2.16; RFC 4648, section 4.
pub(super) fn has_its_letters(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| is_space(*byte) || is_digit(*byte) || *byte == b'=')
}

/// Whether bytes are base64 from beginning to end: letters in groups of four, of which the last may
/// be filled up with one or two `=`.
pub(super) fn is_whole(bytes: &[u8]) -> bool {
    let (mut digits, mut fill) = (0_usize, 0_usize);
    for byte in bytes.iter().filter(|byte| !is_space(**byte)) {
        match byte {
            b'=' => fill += 1,
            digit if is_digit(*digit) && fill == 0 => digits += 1,
            _ => return false,
        }
    }
    fill <= 2 && (digits + fill).is_multiple_of(4)
}

fn is_digit(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/')
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_ends_in_whole_groups() {
        // RFC 4648, section 10.
        for whole in ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9v\r\n YmFy\n", "Zg=\n="] {
            assert!(is_whole(whole.as_bytes()), "{whole}");
            assert!(has_its_letters(whole.as_bytes()), "{whole}");
        }
        for broken in [
            "Z", "Zg", "Zg=", "Z===", "=Zg=", "Zg==Zg==", "Zm8=x", "Zm-v", "Zm9vé", "Zm9v.", "====",
        ] {
            assert!(!is_whole(broken.as_bytes()), "{broken}");
        }
        assert!(!has_its_letters(b"Zm9v."));
    }
}
