//! From what a code shall say to its payload. The reader's rules are the builder's rules.

use super::rules::is_account;
use super::{CRC_HEAD, DataObject, EmvCode, MerchantPresented, Path, Tip, Value, crc16, tlv};
use crate::decimal;
use crate::qr::{QrError, QrErrorKind};

impl MerchantPresented {
    /// Builds the payload, tags in ascending order but the checksum, which comes last.
    ///
    /// Errors: the field that breaks a rule; offsets are those of the payload it would have been.
    pub fn build(&self) -> Result<EmvCode, QrError> {
        self.check_places()?;
        EmvCode::parse(&payload(&self.to_objects())?)
    }

    /// What the objects alone could not show: another currency, an account among the others.
    fn check_places(&self) -> Result<(), QrError> {
        let fee = match self.tip {
            Some(Tip::Fixed(fee)) => Some(fee),
            Some(Tip::Asked | Tip::Share { .. }) | None => None,
        };
        for (field, money) in [("54", self.amount), ("56", fee)] {
            if money.is_some_and(|money| money.currency != self.currency) {
                return Err(QrError::new(
                    QrErrorKind::Conflict,
                    field,
                    0,
                    "is in the currency of 53",
                ));
            }
            if money.is_some_and(|money| money.minor <= 0) {
                return Err(QrError::new(QrErrorKind::BadContent, field, 0, "is more than zero"));
            }
        }
        let misplaced = |objects: &[DataObject], has_place: fn(u8) -> bool| {
            objects.iter().find(|object| !has_place(object.tag)).map(|object| object.tag)
        };
        let account = misplaced(&self.accounts, is_account);
        let other = misplaced(&self.others, |tag| (65..=99).contains(&tag));
        match account.or(other) {
            None => Ok(()),
            Some(tag) => {
                let field = format!("{tag:02}");
                Err(QrError::new(QrErrorKind::Misplaced, field, 0, "has its place elsewhere"))
            }
        }
    }

    fn to_objects(&self) -> Vec<DataObject> {
        let numeric = format!("{:03}", self.currency.numeric());
        let money = |minor: i64| decimal::write(minor, '.', self.currency.exponent());
        let (indicator, fixed, share) = match self.tip {
            None => (None, None, None),
            Some(Tip::Asked) => (Some("01"), None, None),
            Some(Tip::Fixed(fee)) => (Some("02"), Some(money(fee.minor)), None),
            Some(Tip::Share { basis_points }) => {
                (Some("03"), None, Some(decimal::write(basis_points.into(), '.', 2)))
            }
        };
        let texts = [
            (0, Some("01".to_owned())),
            (1, self.initiation.map(|initiation| initiation.code().to_owned())),
            (52, self.category_code.clone()),
            (53, Some(numeric)),
            (54, self.amount.map(|amount| money(amount.minor))),
            (55, indicator.map(str::to_owned)),
            (56, fixed),
            (57, share),
            (58, Some(self.country.clone())),
            (59, self.name.clone()),
            (60, self.city.clone()),
            (61, self.postal_code.clone()),
        ];
        let texts = texts.into_iter().filter_map(|(tag, text)| Some(DataObject::text(tag, text?)));
        let mut objects: Vec<DataObject> = texts.collect();
        objects.extend(self.accounts.iter().chain(&self.others).cloned());
        objects.extend(self.templates());
        objects.sort_by_key(|object| object.tag);
        objects
    }

    fn templates(&self) -> impl Iterator<Item = DataObject> {
        let additional = (!self.additional.is_empty())
            .then(|| DataObject { tag: 62, value: Value::Template(self.additional.clone()) });
        let language = self.language.as_ref().map(|language| {
            let inner = [
                (0, Some(language.language.as_str())),
                (1, Some(language.name.as_str())),
                (2, language.city.as_deref()),
            ];
            DataObject::template(64, inner.into_iter().filter_map(|(tag, text)| Some((tag, text?))))
        });
        additional.into_iter().chain(language)
    }
}

/// Writes objects in the order given, a checksum among them anew at the end.
pub(super) fn payload(objects: &[DataObject]) -> Result<String, QrError> {
    let mut out = String::new();
    for object in objects.iter().filter(|object| object.tag != super::CRC) {
        let path = Path { outer: None, tag: object.tag };
        match &object.value {
            Value::Text(text) => tlv::write(path, text, &mut out)?,
            Value::Template(inner) => tlv::write(path, &template(object.tag, inner)?, &mut out)?,
        }
    }
    out.push_str(CRC_HEAD);
    out.push_str(&format!("{:04X}", crc16(out.as_bytes())));
    Ok(out)
}

fn template(outer: u8, inner: &[(u8, String)]) -> Result<String, QrError> {
    let mut out = String::new();
    for (tag, text) in inner {
        tlv::write(Path { outer: Some(outer), tag: *tag }, text, &mut out)?;
    }
    Ok(out)
}
