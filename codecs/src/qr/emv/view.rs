//! From checked objects to what they mean: currency, amounts, tip.

use router::money::{Currency, Money};

use super::rules::{check_mandatory, is_account, text};
use super::{DataObject, Initiation, LanguageTemplate, MerchantPresented, Scheme, Tip, Value};
use crate::decimal::{self, Grammar};
use crate::qr::tlv::{self, Object};
use crate::qr::{QrError, QrErrorKind};

/// Reads the objects of a code, and checks the rules that tie them together.
pub(super) fn merchant(
    objects: &[DataObject],
    top: &[Object<'_>],
    scheme: Scheme,
) -> Result<MerchantPresented, QrError> {
    check_mandatory(objects, scheme)?;
    let reader = Reader { objects, top };
    let currency = reader.currency()?;
    let owned = |tag| text(objects, tag).map(str::to_owned);
    let having = |wanted: fn(u8) -> bool| {
        objects.iter().filter(|object| wanted(object.tag)).cloned().collect()
    };
    Ok(MerchantPresented {
        initiation: reader.initiation()?,
        accounts: having(is_account),
        category_code: owned(52),
        currency,
        amount: reader.amount(currency, scheme)?,
        tip: reader.tip(currency)?,
        country: owned(58).unwrap_or_default(),
        name: owned(59),
        city: owned(60),
        postal_code: owned(61),
        additional: reader.additional(),
        language: reader.language(),
        others: having(|tag| tag >= 65),
    })
}

struct Reader<'a> {
    objects: &'a [DataObject],
    top: &'a [Object<'a>],
}

impl Reader<'_> {
    fn error(&self, tag: u8, kind: QrErrorKind, rule: &'static str) -> QrError {
        tlv::error_in(self.top, tag, None, kind, rule)
    }

    fn bad(&self, tag: u8, rule: &'static str) -> QrError {
        self.error(tag, QrErrorKind::BadContent, rule)
    }

    fn currency(&self) -> Result<Currency, QrError> {
        let numeric = text(self.objects, 53).and_then(|digits| digits.parse().ok());
        let currency = numeric.and_then(Currency::from_numeric);
        currency.ok_or_else(|| self.bad(53, "is a currency of ISO 4217"))
    }

    fn initiation(&self) -> Result<Option<Initiation>, QrError> {
        match text(self.objects, 1) {
            None => Ok(None),
            Some("11") => Ok(Some(Initiation::Static)),
            Some("12") => Ok(Some(Initiation::Dynamic)),
            Some(_) => Err(self.bad(1, "is 11 or 12")),
        }
    }

    /// Pix takes zero for "the payer states it"; EMVCo forbids it.
    fn amount(&self, currency: Currency, scheme: Scheme) -> Result<Option<Money>, QrError> {
        let amount = self.money(54, currency)?;
        match amount {
            Some(Money { minor: 0, .. }) if scheme == Scheme::Pix => Ok(None),
            Some(Money { minor: 0, .. }) => Err(self.bad(54, "is more than zero")),
            amount => Ok(amount),
        }
    }

    fn money(&self, tag: u8, currency: Currency) -> Result<Option<Money>, QrError> {
        let Some(text) = text(self.objects, tag) else { return Ok(None) };
        let minor = decimal::read(text, Grammar::Mark('.'), currency.exponent());
        let rule = "is digits with at most a point and the decimals of its currency";
        Ok(Some(Money::new(minor.ok_or_else(|| self.bad(tag, rule))?, currency)))
    }

    fn tip(&self, currency: Currency) -> Result<Option<Tip>, QrError> {
        let fixed = self.money(56, currency)?;
        let share = self.share()?;
        let indicator = text(self.objects, 55);
        let (tip, wanted) = match indicator {
            None => (None, None),
            Some("01") => (Some(Tip::Asked), None),
            Some("02") => {
                let fixed = fixed.filter(|fixed| fixed.minor > 0);
                let rule = "must be there and more than zero when 55 is 02";
                let missing = || self.error(56, QrErrorKind::Missing, rule);
                (Some(Tip::Fixed(fixed.ok_or_else(missing)?)), Some(56))
            }
            Some("03") => {
                let missing =
                    || self.error(57, QrErrorKind::Missing, "must be there when 55 is 03");
                (Some(Tip::Share { basis_points: share.ok_or_else(missing)? }), Some(57))
            }
            Some(_) => return Err(self.bad(55, "is 01, 02 or 03")),
        };
        for tag in [56, 57] {
            if text(self.objects, tag).is_some() && wanted != Some(tag) {
                return Err(self.error(tag, QrErrorKind::Conflict, "does not go with field 55"));
            }
        }
        Ok(tip)
    }

    /// `57`: 00.01 to 99.99 per cent.
    fn share(&self) -> Result<Option<u16>, QrError> {
        let Some(text) = text(self.objects, 57) else { return Ok(None) };
        let share =
            decimal::read(text, Grammar::Mark('.'), 2).and_then(|share| u16::try_from(share).ok());
        let share = share.filter(|share| (1..=9999).contains(share));
        share.map(Some).ok_or_else(|| self.bad(57, "is 00.01 to 99.99"))
    }

    fn inner(&self, tag: u8) -> Option<&[(u8, String)]> {
        match &self.objects.iter().find(|object| object.tag == tag)?.value {
            Value::Template(inner) => Some(inner),
            Value::Text(_) => None,
        }
    }

    fn additional(&self) -> Vec<(u8, String)> {
        self.inner(62).unwrap_or_default().to_vec()
    }

    fn language(&self) -> Option<LanguageTemplate> {
        let inner = self.inner(64)?;
        let text = |tag| inner.iter().find(|(other, _)| *other == tag).map(|(_, text)| text);
        Some(LanguageTemplate {
            language: text(0)?.clone(),
            name: text(1)?.clone(),
            city: text(2).cloned(),
        })
    }
}
