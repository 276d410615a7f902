//! Pix codes of Brazil (BR Code): a merchant code that names a Pix key or a location.
//!
//! Source: Banco Central do Brasil, Manual do BR Code 2.0 and Manual de Padrões para Iniciação do
//! Pix 2.9. A transaction reference is letters and digits there, but the manual's own example
//! carries a hyphen: it is read, never written. Every code has a reference, `***` where there is
//! none. What a dynamic code has besides `***` says nothing, for the reference is the charge's.

use router::money::{Currency, Money};

use super::emv::{DataObject, EmvCode, Initiation, MerchantPresented, Scheme};
use super::findings::Findings;
use super::tlv::{self, Object};
use super::{QrError, QrErrorKind};

/// The identifier of Pix, which is not case-sensitive.
pub const IDENTIFIER: &str = "br.gov.bcb.pix";
/// What stands for "no reference".
pub const NO_REFERENCE: &str = "***";

const ACCOUNT: u8 = 26;
const KEY: u8 = 1;
const DESCRIPTION: u8 = 2;
const WITHDRAWAL_BANK: u8 = 3;
const LOCATION: u8 = 25;
const REFERENCE: u8 = 5;
const TARGET_LEN_MAX: usize = 77;
/// "Outros": what codes of payers without a merchant category carry.
const NO_CATEGORY: &str = "0000";

/// A Pix code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PixCode {
    /// Who is paid, or where to ask.
    pub target: PixTarget,
    /// Amount in BRL; none when the payer states it, or the location does.
    pub amount: Option<Money>,
    /// The receiver's name, at most 25 characters.
    pub name: String,
    /// The receiver's city, at most 15 characters.
    pub city: String,
    /// At most 10 characters.
    pub postal_code: Option<String>,
    /// The receiver's reference (txid), at most 25 letters and digits; none for `***`, and none in
    /// a dynamic code.
    pub reference: Option<String>,
}

/// Where a Pix code leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PixTarget {
    /// Static: a key of the directory.
    Key {
        /// The key.
        key: String,
        /// A text for the payer.
        description: Option<String>,
    },
    /// Dynamic: a location, without `https://`, that answers with a signed charge.
    Location(String),
    /// A recurrence alone: its location stands in a template of its own, `80` to `99`.
    Recurrence(String),
}

/// The kinds of Pix keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PixKeyKind {
    /// A random key: a UUID.
    Random,
    /// `+` with country code and number.
    Phone,
    /// An e-mail address.
    Email,
    /// CPF, eleven digits, or CNPJ, twelve letters or digits and two digits.
    TaxId,
}

impl PixKeyKind {
    /// The kind of a key, by its form; none when it has none of the forms.
    pub fn of(key: &str) -> Option<Self> {
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if is_uuid(key) {
            return Some(Self::Random);
        }
        if let Some(number) = key.strip_prefix('+') {
            return (digits(number) && (4..=15).contains(&number.len())).then_some(Self::Phone);
        }
        if let Some((user, host)) = key.split_once('@') {
            let is_sound = !user.is_empty() && host.contains('.') && is_target(key);
            return is_sound.then_some(Self::Email);
        }
        let is_cnpj = |key: &str| {
            let (body, check) = (key.get(..12), key.get(12..));
            let is_body = |body: &str| {
                body.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())
            };
            key.len() == 14 && body.is_some_and(is_body) && check.is_some_and(digits)
        };
        ((key.len() == 11 && digits(key)) || is_cnpj(key)).then_some(Self::TaxId)
    }
}

fn is_uuid(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12])
        && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

/// What a key or location may be made of: printable, without spaces.
fn is_target(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_location(text: &str) -> bool {
    let has_host = text.split_once('/').is_some_and(|(host, _)| host.contains('.'));
    is_target(text) && has_host && !text.contains("://")
}

impl PixTarget {
    fn is_dynamic(&self) -> bool {
        match self {
            Self::Key { .. } => false,
            Self::Location(_) | Self::Recurrence(_) => true,
        }
    }
}

impl PixCode {
    /// Reads a Pix payload.
    ///
    /// Errors: those of [`EmvCode::parse`]; `Missing` at `26.00` for a code without Pix.
    pub fn parse(payload: &str) -> Result<Self, QrError> {
        Self::from_emv(&EmvCode::parse(payload)?)
    }

    /// The Pix part of a merchant code.
    ///
    /// Errors: `Missing` at `26.00` for a code without Pix.
    pub fn from_emv(code: &EmvCode) -> Result<Self, QrError> {
        let merchant = code.merchant();
        let account = merchant.accounts.iter().find(|account| account.is_of(IDENTIFIER));
        let target = account.and_then(|account| target(account, merchant)).ok_or_else(|| {
            let rule = "must be there: br.gov.bcb.pix in one of 26 to 51";
            QrError::new(QrErrorKind::Missing, "26.00", 0, rule)
        })?;
        let reference = code.text_in(62, REFERENCE).filter(|text| *text != NO_REFERENCE);
        let reference = reference.filter(|_| !target.is_dynamic());
        Ok(Self {
            target,
            amount: merchant.amount,
            name: merchant.name.clone().unwrap_or_default(),
            city: merchant.city.clone().unwrap_or_default(),
            postal_code: merchant.postal_code.clone(),
            reference: reference.map(str::to_owned),
        })
    }

    /// Whether the amount and the account come from a location.
    pub fn is_dynamic(&self) -> bool {
        self.target.is_dynamic()
    }

    /// Builds the code.
    ///
    /// Errors: the field that breaks a rule.
    pub fn build(&self) -> Result<EmvCode, QrError> {
        let bad = |field, rule| Err(QrError::new(QrErrorKind::BadContent, field, 0, rule));
        if let PixTarget::Key { key, .. } = &self.target
            && PixKeyKind::of(key).is_none()
        {
            return bad("26.01", "is a UUID, +phone, e-mail address, CPF or CNPJ");
        }
        let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if self.reference.as_deref().is_some_and(|reference| !is_plain(reference)) {
            return bad("62.05", "is letters and digits");
        }
        if self.is_dynamic() && self.reference.is_some() {
            return bad("62.05", "is *** in a dynamic code");
        }
        self.to_merchant().build()
    }

    fn to_merchant(&self) -> MerchantPresented {
        let pix = |inner: &[(u8, Option<&str>)], tag| {
            let inner = inner.iter().filter_map(|(tag, text)| Some((*tag, (*text)?)));
            DataObject::template(tag, [(0, IDENTIFIER)].into_iter().chain(inner))
        };
        let (account, other) = match &self.target {
            PixTarget::Key { key, description } => {
                let inner = [(KEY, Some(key.as_str())), (DESCRIPTION, description.as_deref())];
                (pix(&inner, ACCOUNT), None)
            }
            PixTarget::Location(url) => (pix(&[(LOCATION, Some(url))], ACCOUNT), None),
            PixTarget::Recurrence(url) => {
                (pix(&[], ACCOUNT), Some(pix(&[(LOCATION, Some(url))], 80)))
            }
        };
        let reference = self.reference.clone().unwrap_or_else(|| NO_REFERENCE.to_owned());
        MerchantPresented {
            // A dynamic charge is paid once; a static key may be paid again.
            initiation: matches!(self.target, PixTarget::Location(_))
                .then_some(Initiation::Dynamic),
            accounts: vec![account],
            category_code: Some(NO_CATEGORY.to_owned()),
            currency: brazilian_real(),
            amount: self.amount,
            tip: None,
            country: "BR".to_owned(),
            name: Some(self.name.clone()),
            city: Some(self.city.clone()),
            postal_code: self.postal_code.clone(),
            additional: vec![(REFERENCE, reference)],
            language: None,
            others: other.into_iter().collect(),
        }
    }
}

fn brazilian_real() -> Currency {
    Currency::from_code("BRL").expect("invariant: BRL is a currency of ISO 4217")
}

fn target(account: &DataObject, merchant: &MerchantPresented) -> Option<PixTarget> {
    if let Some(key) = account.inner(KEY) {
        let description = account.inner(DESCRIPTION).map(str::to_owned);
        return Some(PixTarget::Key { key: key.to_owned(), description });
    }
    if let Some(url) = account.inner(LOCATION) {
        return Some(PixTarget::Location(url.to_owned()));
    }
    let recurrence = merchant.others.iter().filter(|other| other.is_of(IDENTIFIER));
    let url = recurrence.filter_map(|other| other.inner(LOCATION)).next()?;
    Some(PixTarget::Recurrence(url.to_owned()))
}

/// Checks what Pix adds to EMVCo's rules.
pub(super) fn check(
    code: &EmvCode,
    top: &[Object<'_>],
    findings: &mut Findings,
) -> Result<(), QrError> {
    debug_assert_eq!(code.scheme(), Scheme::Pix);
    let merchant = code.merchant();
    let bad = |tag, inner, rule| Err(tlv::error_in(top, tag, inner, QrErrorKind::BadContent, rule));
    if merchant.country != "BR" {
        return bad(58, None, "is BR in a Pix code");
    }
    if merchant.currency != brazilian_real() {
        return bad(53, None, "is 986 in a Pix code");
    }
    let mut accounts = merchant.accounts.iter().filter(|account| account.is_of(IDENTIFIER));
    if let (Some(account), None) = (accounts.next(), accounts.next()) {
        check_account(account, merchant, top, findings)?;
    } else {
        let rule = "stands once in a Pix code";
        return Err(tlv::error_in(top, ACCOUNT, Some(0), QrErrorKind::Duplicate, rule));
    }
    check_reference(code.text_in(62, REFERENCE), top)
}

/// Its length is EMVCo's to bound.
fn check_reference(reference: Option<&str>, top: &[Object<'_>]) -> Result<(), QrError> {
    let error = |kind, rule| Err(tlv::error_in(top, 62, Some(REFERENCE), kind, rule));
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    match reference {
        None => error(QrErrorKind::Missing, "must be there: *** for no reference"),
        Some(text) if text == NO_REFERENCE || text.bytes().all(is_plain) => Ok(()),
        Some(_) => error(QrErrorKind::BadContent, "is *** or at most 25 letters and digits"),
    }
}

fn check_account(
    account: &DataObject,
    merchant: &MerchantPresented,
    top: &[Object<'_>],
    findings: &mut Findings,
) -> Result<(), QrError> {
    let error = |inner, kind, rule| Err(tlv::error_in(top, account.tag, Some(inner), kind, rule));
    if account.inner(KEY).is_some() && account.inner(LOCATION).is_some() {
        return error(LOCATION, QrErrorKind::Conflict, "does not go with a key in 01");
    }
    let locations = merchant.others.iter().filter(|other| other.is_of(IDENTIFIER));
    for part in std::iter::once(account).chain(locations) {
        for target in [KEY, LOCATION] {
            if part.inner(target).is_some_and(|text| text.len() > TARGET_LEN_MAX) {
                let (kind, rule) = (QrErrorKind::TooLong, "has at most 77 characters");
                findings.allow(tlv::error_in(top, part.tag, Some(target), kind, rule))?;
            }
        }
        if part.inner(LOCATION).is_some_and(|url| !is_location(url)) {
            let rule = "is a host and path, without https://";
            return Err(tlv::error_in(
                top,
                part.tag,
                Some(LOCATION),
                QrErrorKind::BadContent,
                rule,
            ));
        }
    }
    if account.inner(KEY).is_some_and(|key| !is_target(key)) {
        return error(KEY, QrErrorKind::BadContent, "is a key, without spaces");
    }
    let is_bank = |bank: &str| bank.len() == 8 && bank.bytes().all(|byte| byte.is_ascii_digit());
    if account.inner(WITHDRAWAL_BANK).is_some_and(|bank| !is_bank(bank)) {
        return error(WITHDRAWAL_BANK, QrErrorKind::BadContent, "is eight digits");
    }
    match target(account, merchant) {
        Some(_) => Ok(()),
        None => error(KEY, QrErrorKind::Missing, "must be there, or a location in 25"),
    }
}

#[cfg(test)]
mod tests;
