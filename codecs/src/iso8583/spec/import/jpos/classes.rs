//! What jPOS calls the ways to write a field, in our terms.
//!
//! Source: what each class of jPOS 2.1.9 writes for a given content, observed; the table is ours.

/// The way a class writes a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Written {
    /// As in a specification.
    pub(super) encoding: &'static str,
    /// The length in front: its encoding, its digits or bytes, and what it counts.
    pub(super) prefix: Option<(&'static str, u8, &'static str)>,
    pub(super) odd: Odd,
    pub(super) pad: Option<&'static str>,
}

/// Where an odd number of digits is filled up, unless the field's `pad` says in front.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Odd {
    /// There are no half bytes.
    Never,
    /// Behind, with a zero.
    Zero,
    /// Behind, with an F.
    F,
    /// Behind with an F, and A to F are the digits they are.
    Hex,
}

/// What a class is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// A field.
    Field(Written),
    /// A bitmap, written so.
    Bitmap(&'static str),
    /// A binary bitmap of eight bytes in a field, all of whose bits announce parts.
    Bitmap64,
    /// A field in a composite of tags.
    Tagged(TaggedClass),
    /// It holds a place and writes nothing.
    Nothing,
    /// Known, but a specification of ours cannot say it.
    Inexpressible(&'static str),
}

/// How a class writes a tag, its length and its value, all in ASCII.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TaggedClass {
    /// Characters of the tag; none where `token` has as many.
    pub(super) tag_len: Option<u8>,
    /// Digits of the length.
    pub(super) digits: u8,
    /// Whether the value is bytes.
    pub(super) is_bytes: bool,
}

const TAGGED: &str = "it writes a tag or number in front of its content";
const FILLED: &str = "it writes more bytes than its length says";
const BYTES: &str = "its length counts bytes, so what fills up an odd number of digits is not told";
const TRANSLATED: &str = "it sends bytes through a code page";
const REST: &str = "it takes whatever is left of its field";

/// The class of a name such as `org.jpos.iso.IFA_LLNUM`; none where it is not known.
pub(super) fn class(name: &str) -> Option<Class> {
    if let Some(name) = name.strip_prefix("org.jpos.tlv.packager.") {
        return of_tlv(name);
    }
    if let Some(name) = name.strip_prefix("org.jpos.iso.packager.") {
        return (name == "Base1_BITMAP126").then_some(Class::Bitmap64);
    }
    let name = name.strip_prefix("org.jpos.iso.")?;
    special(name).or_else(|| fixed(name).or_else(|| variable(name)).map(Class::Field))
}

/// The classes of the package for sequences of tags.
fn of_tlv(name: &str) -> Option<Class> {
    match name {
        "IF_FCHAR" | "IF_FBINARY" | "IF_FSTCHAR" | "IF_FSTBINARY" => {
            Some(Class::Inexpressible(REST))
        }
        "IFTB_LLBINARY" => Some(Class::Inexpressible(TAGGED)),
        "IFB_LHBINARY" => {
            let prefix = Some(("binary", 1, "units"));
            Some(Class::Field(Written { encoding: "raw", prefix, odd: Odd::Never, pad: None }))
        }
        _ => {
            let (digits, is_bytes) = lengthened(name.strip_prefix("IFTA_")?)?;
            Some(Class::Tagged(TaggedClass { tag_len: None, digits, is_bytes }))
        }
    }
}

fn special(name: &str) -> Option<Class> {
    Some(match name {
        "IFA_BITMAP" => Class::Bitmap("hex"),
        "IFB_BITMAP" => Class::Bitmap("binary"),
        "IFE_BITMAP" => Class::Bitmap("ebcdic_hex"),
        "IF_NOP" | "IF_UNUSED" => Class::Nothing,
        "IFA_FLLCHAR" | "IFA_FLLNUM" | "IFB_LLHFBINARY" => Class::Inexpressible(FILLED),
        "IFEB_LLNUM" | "IFEB_LLLNUM" => Class::Inexpressible(BYTES),
        "IFE_LLLEBINARY" => Class::Inexpressible(TRANSLATED),
        "IFELPE_LLLCHAR" | "IFEMC_LLCHAR" | "IFEMC_LLLCHAR" | "IFEPE_LLBINARY" | "IFEPE_LLCHAR"
        | "IFEPE_LLLCHAR" | "IFEP_LLCHAR" | "IFEP_LLLBINARY" | "IFEP_LLLCHAR" | "IFIPM_LLLCHAR"
        | "IFMC_LLBINARY" | "IFMC_LLCHAR" | "IFMC_LLLBINARY" | "IFMC_LLLCHAR" | "IF_TCHAR" => {
            Class::Inexpressible(TAGGED)
        }
        _ => Class::Tagged(tagged(name)?),
    })
}

/// Names of tagged fields are a family, as many `T` as the tag has characters, as many `L` as the
/// length has digits, and what the value is.
fn tagged(name: &str) -> Option<TaggedClass> {
    let rest = name.strip_prefix("IFA_")?;
    let length = rest.trim_start_matches('T');
    let tag_len =
        u8::try_from(rest.len() - length.len()).ok().filter(|len| (2..=3).contains(len))?;
    let (digits, is_bytes) = lengthened(length)?;
    Some(TaggedClass { tag_len: Some(tag_len), digits, is_bytes })
}

/// The digits of a length, as many as there are `L`, and whether it counts bytes that are no text.
fn lengthened(name: &str) -> Option<(u8, bool)> {
    let kind = name.trim_start_matches('L');
    let digits = u8::try_from(name.len() - kind.len()).ok();
    let digits = digits.filter(|digits| (1..=4).contains(digits))?;
    match kind {
        "CHAR" | "NUM" => Some((digits, false)),
        "BINARY" => Some((digits, true)),
        _ => None,
    }
}

fn fixed(name: &str) -> Option<Written> {
    let of = |encoding, odd, pad| Some(Written { encoding, prefix: None, odd, pad });
    const ZEROS: Option<&str> = Some("left0");
    const SPACES: Option<&str> = Some("right_space");
    match name {
        "IFA_NUMERIC" | "IFA_AMOUNT2003" => of("ascii", Odd::Never, ZEROS),
        "IF_CHAR" | "IFMC_TCC" => of("ascii", Odd::Never, SPACES),
        "IFA_AMOUNT" => of("ascii", Odd::Never, None),
        "IFE_NUMERIC" | "IFE_SIGNED_NUMERIC" => of("ebcdic", Odd::Never, ZEROS),
        "IFE_CHAR" | "IF_ECHAR" | "IFEMC_TCC" => of("ebcdic", Odd::Never, SPACES),
        "IFE_AMOUNT" => of("ebcdic", Odd::Never, None),
        "IFB_NUMERIC" | "IFB_AMOUNT2003" => of("bcd", Odd::Zero, ZEROS),
        "IFB_FNUMERIC" => of("bcd", Odd::F, ZEROS),
        "IFB_HEX" => of("bcd", Odd::Hex, ZEROS),
        "IFB_AMOUNT" => of("signed_bcd", Odd::Zero, None),
        "IFB_BINARY" => of("raw", Odd::Never, None),
        "IFA_BINARY" => of("hex", Odd::Never, None),
        "IFE_BINARY" => of("ebcdic_hex", Odd::Never, None),
        _ => None,
    }
}

/// Names of variable fields are a family, `F` where odd digits of BCD are filled up with it, as many
/// `L` as the length has digits, and what follows.
fn variable(name: &str) -> Option<Written> {
    let (family, rest) = name.split_once('_')?;
    let (odd, rest) = match rest.strip_prefix('F') {
        Some(rest) if family == "IFB" && rest.ends_with("LNUM") => (Odd::F, rest),
        Some(_) => return None,
        None => (Odd::Zero, rest),
    };
    let kind = rest.trim_start_matches('L');
    let digits = u8::try_from(rest.len() - kind.len()).ok()?;
    if !(1..=6).contains(&digits) {
        return None;
    }
    // Two letters are one byte there.
    let is_too_short = digits < 2 && kind.starts_with('H') && kind != "HEX";
    let bytes = digits.saturating_sub(1).max(1);
    if is_too_short {
        return None;
    }
    let units = |encoding| (encoding, digits, "units");
    let binary = ("binary", bytes, "units");
    let (encoding, prefix, odd) = match (family, kind) {
        ("IFA", "NUM" | "CHAR") => ("ascii", units("ascii"), Odd::Never),
        ("IFA", "BINARY") => ("raw", units("ascii"), Odd::Never),
        ("IFA", "ABINARY") => ("hex", units("ascii"), Odd::Never),
        ("IFA", "BNUM") => ("bcd", ("ascii", digits, "nibbles"), Odd::Zero),
        ("IFB", "NUM") => ("bcd", units("bcd"), odd),
        ("IFB", "CHAR") => ("ascii", units("bcd"), Odd::Never),
        ("IFB", "BINARY") => ("raw", units("bcd"), Odd::Never),
        ("IFB", "HEX") => ("raw", ("bcd", digits, "nibbles"), Odd::Never),
        ("IFB", "HNUM") => ("bcd", binary, Odd::Zero),
        ("IFB", "HCHAR") => ("ascii", binary, Odd::Never),
        ("IFB", "HECHAR") => ("ebcdic", binary, Odd::Never),
        ("IFB", "HBINARY") => ("raw", binary, Odd::Never),
        ("IFE", "NUM" | "CHAR") => ("ebcdic", units("ebcdic"), Odd::Never),
        ("IFE", "BINARY") => ("raw", units("ebcdic"), Odd::Never),
        ("IFEA", "CHAR") => ("ascii", units("ebcdic"), Odd::Never),
        ("IFAE", "CHAR") => ("ebcdic", units("ascii"), Odd::Never),
        _ => return None,
    };
    Some(Written { encoding, prefix: Some(prefix), odd, pad: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_known_by_its_full_name_only() {
        assert!(class("org.jpos.iso.IFA_LLNUM").is_some());
        for name in ["IFA_LLNUM", "com.acme.IFA_LLNUM", "org.jpos.iso.IFX_LLNUM", "org.jpos.iso."] {
            assert_eq!(class(name), None, "{name}");
        }
        // Each is in one package only, or nowhere.
        for name in [
            "iso.packager.IF_CHAR",
            "iso.packager.IFTA_LLCHAR",
            "tlv.packager.IFA_LLNUM",
            "tlv.packager.IFA_TTLLCHAR",
            "tlv.packager.Base1_BITMAP126",
            "iso.Base1_BITMAP126",
            "iso.IF_FCHAR",
            "iso.IFTA_LLCHAR",
            "iso.IFTB_LLBINARY",
            "iso.IFB_LHBINARY",
            "iso.IFE_FLLCHAR",
            "iso.IFB_FLLHEX",
            "iso.IFB_FLLCHAR",
            "iso.IFA_FLLLCHAR",
        ] {
            assert_eq!(class(&format!("org.jpos.{name}")), None, "{name}");
        }
        for name in ["iso.packager.Base1_BITMAP126", "tlv.packager.IFB_LHBINARY", "iso.IFB_FLLNUM"]
        {
            assert!(class(&format!("org.jpos.{name}")).is_some(), "{name}");
        }
    }

    #[test]
    fn tags_and_lengths_follow_the_letters_of_the_name() {
        let tagged = |name: &str| match class(&format!("org.jpos.{name}")) {
            Some(Class::Tagged(TaggedClass { tag_len, digits, is_bytes })) => {
                Some((tag_len, digits, is_bytes))
            }
            _ => None,
        };
        assert_eq!(tagged("iso.IFA_TTLCHAR"), Some((Some(2), 1, false)));
        assert_eq!(tagged("iso.IFA_TTLLBINARY"), Some((Some(2), 2, true)));
        assert_eq!(tagged("iso.IFA_TTTLLLCHAR"), Some((Some(3), 3, false)));
        assert_eq!(tagged("tlv.packager.IFTA_LLLNUM"), Some((None, 3, false)));
        for name in ["IFA_TLLCHAR", "IFA_TTCHAR", "IFA_TTLLLLLCHAR", "IFA_TTTTLLCHAR", "IFA_TTLLX"]
        {
            assert_eq!(tagged(&format!("iso.{name}")), None, "{name}");
        }
    }

    #[test]
    fn lengths_in_front_follow_the_letters_of_the_name() {
        let prefix = |name: &str| match class(&format!("org.jpos.iso.{name}")) {
            Some(Class::Field(written)) => written.prefix,
            other => panic!("{name}: {other:?}"),
        };
        assert_eq!(prefix("IFA_LCHAR"), Some(("ascii", 1, "units")));
        assert_eq!(prefix("IFA_LLLLLLCHAR"), Some(("ascii", 6, "units")));
        assert_eq!(prefix("IFB_LLLNUM"), Some(("bcd", 3, "units")));
        assert_eq!(prefix("IFB_FLLNUM"), Some(("bcd", 2, "units")));
        assert_eq!(prefix("IFB_LLHBINARY"), Some(("binary", 1, "units")));
        assert_eq!(prefix("IFB_LLLHCHAR"), Some(("binary", 2, "units")));
        assert_eq!(prefix("IFB_LLHEX"), Some(("bcd", 2, "nibbles")));
        assert_eq!(prefix("IFE_LLCHAR"), Some(("ebcdic", 2, "units")));
        assert_eq!(prefix("IFEA_LLCHAR"), Some(("ebcdic", 2, "units")));
        assert_eq!(prefix("IF_CHAR"), None);
    }
}
