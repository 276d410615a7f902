//! What EMVCo demands of each object, and what the schemes add.

use router::money::Currency;

use super::{CRC, CRC_HEAD, Crc, DataObject, EmvCode, MerchantPresented, Scheme, Value};
use crate::qr::findings::Findings;
use crate::qr::tlv::{self, Object};
use crate::qr::{QrError, QrErrorKind, pix};

/// The identifier of NAPAS, whose codes are VietQR.
const NAPAS: &str = "A000000727";
const VIETNAM: (&str, &str) = ("VN", "VND");

/// Objects without which a code is none, apart from an account.
const MANDATORY: [u8; 6] = [0, 52, 53, 58, 59, 60];
/// Those that VietQR leaves out of transfers to a person's account.
const OPTIONAL_IN_VIETQR: [u8; 3] = [52, 59, 60];

/// What a value may be made of.
#[derive(Clone, Copy)]
enum Class {
    Digits,
    Letters,
    Capitals,
    Hex,
    Text,
}

/// Length and class of a value: (shortest, longest, class, what is said of anything else).
type Rule = (usize, usize, Class, &'static str);

const TEXT: &str = "is text without control characters";

fn rule_of_text(longest: usize) -> Rule {
    (1, longest, Class::Text, TEXT)
}

/// The rule of an object at the top.
fn top_rule(tag: u8) -> Rule {
    match tag {
        0 | 1 | 55 => (2, 2, Class::Digits, "is two digits"),
        52 => (4, 4, Class::Digits, "is four digits"),
        53 => (3, 3, Class::Digits, "is three digits"),
        54 | 56 => rule_of_text(13),
        57 => rule_of_text(5),
        58 => (2, 2, Class::Capitals, "is two capital letters"),
        59 => rule_of_text(25),
        60 => rule_of_text(15),
        61 => rule_of_text(10),
        CRC => (4, 4, Class::Hex, "is four hexadecimal digits"),
        _ => rule_of_text(tlv::VALUE_LEN_MAX),
    }
}

/// The rule of an object within a template.
fn inner_rule(outer: u8, tag: u8) -> Rule {
    match (outer, tag) {
        (62, 1..=8) => rule_of_text(25),
        (62, 9) => rule_of_text(3),
        (62, 10) => rule_of_text(20),
        (62, 11) => (3, 3, Class::Text, TEXT),
        (64, 0) => (2, 2, Class::Letters, "is two letters"),
        (64, 1) => rule_of_text(25),
        (64, 2) => rule_of_text(15),
        (26..=51 | 80..=99, 0) => rule_of_text(32),
        _ => rule_of_text(tlv::VALUE_LEN_MAX),
    }
}

/// Whether an object belongs to a network or a bank, which says what is in it.
fn is_of_scheme(tag: u8) -> bool {
    matches!(tag, 26..=51 | 80..=99)
}

fn is_template(tag: u8) -> bool {
    is_of_scheme(tag) || matches!(tag, 62 | 64)
}

/// Checks first and last object, and the checksum.
pub(super) fn check_frame(
    payload: &str,
    top: &[Object<'_>],
    findings: &mut Findings,
) -> Result<(), QrError> {
    let missing = |tag: u8, rule| QrError::new(QrErrorKind::Missing, format!("{tag:02}"), 0, rule);
    let first = top.first().filter(|object| object.path.tag == 0);
    let first = first.ok_or_else(|| missing(0, "must be the first object"))?;
    if first.value != "01" {
        return Err(first.error(QrErrorKind::BadContent, "is 01, the only version there is"));
    }
    let crc = top.iter().find(|object| object.path.tag == CRC);
    let crc = crc.ok_or_else(|| missing(CRC, "must be there, as the last object"))?;
    check_value(crc, top_rule(CRC), findings)?;
    if crc.value_offset + crc.value.len() != payload.len() {
        let rule = "must be the last object";
        return Err(QrError::new(QrErrorKind::Misplaced, crc.path, crc.offset, rule));
    }
    debug_assert!(payload[crc.offset..].starts_with(CRC_HEAD));
    if !Crc::of(payload).is_some_and(|crc| crc.is_ok()) {
        return Err(crc.error(QrErrorKind::BadCrc, "is not the checksum of this payload"));
    }
    Ok(())
}

/// Checks one object on its own, and what is in it.
pub(super) fn check_object(
    object: &Object<'_>,
    findings: &mut Findings,
) -> Result<DataObject, QrError> {
    let tag = object.path.tag;
    check_value(object, top_rule(tag), findings)?;
    if !is_template(tag) {
        return Ok(DataObject::text(tag, object.value));
    }
    let inner = match tlv::objects(object.value, Some(tag), object.value_offset) {
        Err(mistake) if is_of_scheme(tag) => {
            findings.allow(mistake)?;
            return Ok(DataObject::text(tag, object.value));
        }
        objects => objects?,
    };
    for part in &inner {
        check_part(part, findings)?;
    }
    check_demanded(object, &inner, findings)?;
    let inner = inner.iter().map(|part| (part.path.tag, part.value));
    Ok(DataObject::template(tag, inner))
}

/// Checks an object within a template.
fn check_part(part: &Object<'_>, findings: &mut Findings) -> Result<(), QrError> {
    let outer = part.path.outer.unwrap_or_default();
    check_value(part, inner_rule(outer, part.path.tag), findings)?;
    if outer == 62 { check_additional(part, findings) } else { Ok(()) }
}

/// Checks that a template has what it must have.
fn check_demanded(
    template: &Object<'_>,
    inner: &[Object<'_>],
    findings: &mut Findings,
) -> Result<(), QrError> {
    let tag = template.path.tag;
    let demanded: &[u8] = match tag {
        62 => &[],
        64 => &[0, 1],
        _ => &[0],
    };
    let missing = |wanted: &&u8| !inner.iter().any(|part| part.path.tag == **wanted);
    let Some(wanted) = demanded.iter().find(missing) else { return Ok(()) };
    let field = format!("{tag:02}.{wanted:02}");
    let mistake = QrError::new(QrErrorKind::Missing, field, template.value_offset, "must be there");
    if is_of_scheme(tag) { findings.allow(mistake) } else { Err(mistake) }
}

/// Consumer data asked for, and templates of payment systems, within `62`.
fn check_additional(part: &Object<'_>, findings: &mut Findings) -> Result<(), QrError> {
    match part.path.tag {
        9 => {
            let letters = part.value.as_bytes();
            let known = letters.iter().all(|letter| b"AME".contains(letter));
            let repeats = (1..letters.len()).any(|at| letters[..at].contains(&letters[at]));
            if !known || repeats {
                return Err(part.error(QrErrorKind::BadContent, "is A, M and E, each once"));
            }
        }
        50..=99 => {
            let rule = "is a template that begins with an identifier";
            let inner = tlv::objects(part.value, None, 0);
            let has_identifier = |found: Vec<Object<'_>>| found.iter().any(|o| o.path.tag == 0);
            if !inner.is_ok_and(has_identifier) {
                findings.allow(part.error(QrErrorKind::BadContent, rule))?;
            }
        }
        _ => {}
    }
    Ok(())
}

fn check_value(object: &Object<'_>, rule: Rule, findings: &mut Findings) -> Result<(), QrError> {
    let (shortest, longest, class, text) = rule;
    let length = object.value.chars().count();
    if length > longest && shortest < longest {
        let mistake = object.error(QrErrorKind::TooLong, too_long(longest));
        if is_identifier(object) {
            return Err(mistake);
        }
        findings.allow(mistake)?;
    } else if !(shortest..=longest).contains(&length) {
        return Err(object.error(QrErrorKind::BadLength, text));
    }
    if !object.value.chars().all(|character| class.has(character)) {
        return Err(object.error(QrErrorKind::BadContent, text));
    }
    Ok(())
}

/// Whether an object names the scheme around it. Nothing can be said of a code whose schemes cannot
/// be told.
fn is_identifier(object: &Object<'_>) -> bool {
    object.path.tag == 0 && object.path.outer.is_some_and(is_of_scheme)
}

fn too_long(longest: usize) -> &'static str {
    match longest {
        3 => "has at most 3 characters",
        5 => "has at most 5 characters",
        10 => "has at most 10 characters",
        13 => "has at most 13 characters",
        15 => "has at most 15 characters",
        20 => "has at most 20 characters",
        25 => "has at most 25 characters",
        32 => "has at most 32 characters",
        _ => "is too long",
    }
}

impl Class {
    fn has(self, character: char) -> bool {
        match self {
            Self::Digits => character.is_ascii_digit(),
            Self::Letters => character.is_ascii_alphabetic(),
            Self::Capitals => character.is_ascii_uppercase(),
            Self::Hex => character.is_ascii_hexdigit(),
            Self::Text => !character.is_control(),
        }
    }
}

/// Whose rules a code follows: the first network with rules of its own among its accounts.
pub(super) fn scheme(objects: &[DataObject]) -> Scheme {
    let of = |identifier: &str| {
        objects.iter().any(|object| is_account(object.tag) && object.is_of(identifier))
    };
    if of(pix::IDENTIFIER) {
        Scheme::Pix
    } else if of(NAPAS) {
        Scheme::VietQr
    } else {
        Scheme::Emvco
    }
}

/// Accounts of merchants: `02` to `25` of the networks that came first, `26` to `51` of anyone.
pub(super) fn is_account(tag: u8) -> bool {
    matches!(tag, 2..=51)
}

/// Checks that what must be there is there.
pub(super) fn check_mandatory(objects: &[DataObject], scheme: Scheme) -> Result<(), QrError> {
    let excused = |tag| scheme == Scheme::VietQr && OPTIONAL_IN_VIETQR.contains(&tag);
    for tag in MANDATORY {
        if !excused(tag) && !objects.iter().any(|object| object.tag == tag) {
            let field = format!("{tag:02}");
            return Err(QrError::new(QrErrorKind::Missing, field, 0, "must be there"));
        }
    }
    if !objects.iter().any(|object| is_account(object.tag)) {
        let rule = "must be there: an account in 02 to 51";
        return Err(QrError::new(QrErrorKind::Missing, "26", 0, rule));
    }
    Ok(())
}

/// Checks what a scheme adds to EMVCo's rules.
pub(super) fn check_scheme(
    code: &EmvCode,
    top: &[Object<'_>],
    findings: &mut Findings,
) -> Result<(), QrError> {
    match code.scheme {
        Scheme::Emvco => Ok(()),
        Scheme::Pix => pix::check(code, top, findings),
        Scheme::VietQr => check_vietqr(code.merchant(), top, findings),
    }
}

/// Source: NAPAS, VietQR format 1.0: beneficiary `01` holds bank `00` and account `01`.
fn check_vietqr(
    merchant: &MerchantPresented,
    top: &[Object<'_>],
    findings: &mut Findings,
) -> Result<(), QrError> {
    let (country, currency) = VIETNAM;
    if merchant.country != country {
        return Err(tlv::error_in(top, 58, None, QrErrorKind::BadContent, "is VN in a VietQR"));
    }
    if Currency::from_code(currency) != Some(merchant.currency) {
        return Err(tlv::error_in(top, 53, None, QrErrorKind::BadContent, "is 704 in a VietQR"));
    }
    for account in merchant.accounts.iter().filter(|account| account.is_of(NAPAS)) {
        let rule = "names the bank by six digits and the account by at most 19 characters";
        let error = |kind| tlv::error_in(top, account.tag, Some(1), kind, rule);
        match account.inner(1) {
            Some(beneficiary) if is_beneficiary(beneficiary) => {}
            // A service of the scheme that is not known here keeps its data.
            Some(_) => findings.allow(error(QrErrorKind::BadContent))?,
            None => findings.allow(error(QrErrorKind::Missing))?,
        }
    }
    Ok(())
}

fn is_beneficiary(text: &str) -> bool {
    let Ok(parts) = tlv::objects(text, None, 0) else { return false };
    let part = |tag| parts.iter().find(|part| part.path.tag == tag).map(|part| part.value);
    let is_bank = |bank: &str| bank.len() == 6 && bank.bytes().all(|byte| byte.is_ascii_digit());
    part(0).is_some_and(is_bank) && part(1).is_some_and(|account| account.len() <= 19)
}

/// The text of an object that is no template.
pub(super) fn text(objects: &[DataObject], tag: u8) -> Option<&str> {
    match &objects.iter().find(|object| object.tag == tag)?.value {
        Value::Text(text) => Some(text),
        Value::Template(_) => None,
    }
}
