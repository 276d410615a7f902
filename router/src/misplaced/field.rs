//! The fields of a payment whose content its sender chooses, and what happens to a card number in
//! each.
//!
//! | field (JSON) | field (ISO 8583) | with a right check digit | where it is kept and shown |
//! |---|---|---|---|
//! | – | DE48 tag 01 | refused | masked |
//! | `client` | DE48 tag 02 | refused | masked, and sealed for a later message to a bank |
//! | `operator` | DE48 tag 04 | refused | masked and sealed |
//! | `float_ref` | DE48 tag 05 | refused | masked and sealed |
//! | `bill` | DE48 tag 06 | refused | masked and sealed |
//! | `product` | DE48 tag 07 | refused | masked and sealed |
//! | `payer.account` | DE102 | refused, but for an IBAN or CLABE | masked and sealed |
//! | `payer.phone` | – | taken: telephone numbers have 13 digits and more, too | masked and sealed |
//! | `payer.doc` | – | taken: so have documents | masked and sealed |
//! | – | DE42 | refused | masked and sealed |
//! | – | DE37 | taken: so have retrieval reference numbers | masked and sealed, unless it begins with a day |
//! | – | DE41 and DE42 together | taken | DE42 masked and sealed |
//! | `reference` | – | refused | masked |
//! | `metadata` | – | refused | masked |
//!
//! Refused or taken is the configuration's word (`[card_numbers] in_free_fields`); what is kept is
//! masked in either case. Fingerprint, limits, slots and the message to the bank are made of what
//! the sender wrote. `terminal` (DE41) and `payer.bank_code` are too short for a card number. Other
//! fields and tags are not kept at all.

use smallvec::SmallVec;

use super::{
    Finding, SHOWN_FIRST, SHOWN_LAST, find, find_json, has_check_digit, has_scheme,
    is_account_number, masked, masked_json,
};
use crate::free_text::FreeText;
use crate::id::{BillNo, BillerId, ClientRef, FloatRef, OperatorId, Product};
use crate::message::PaymentRequest;
use crate::text::Text;

/// Characters of DE41 when nothing is left of it to fill.
const TERMINAL_LEN: usize = 8;

/// Characters of DE37.
const RRN_LEN: usize = 12;

/// A field whose content its sender chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FreeField {
    /// DE48 tag 01.
    Biller,
    /// `client`, DE48 tag 02.
    Client,
    /// `operator`, DE48 tag 04.
    Operator,
    /// `float_ref`, DE48 tag 05.
    FloatRef,
    /// `bill`, DE48 tag 06.
    Bill,
    /// `product`, DE48 tag 07.
    Product,
    /// `payer.account`, DE102.
    Account,
    /// `payer.phone`.
    Phone,
    /// `payer.doc`.
    Document,
    /// DE37.
    Rrn,
    /// DE42.
    Merchant,
    /// `reference`.
    Reference,
    /// `metadata`.
    Metadata,
}

/// How a field that looks like a card number is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeping {
    /// Masked; what the sender wrote is sealed beside it, for a later message to a bank.
    Sealed,
    /// Masked; no message to a bank carries it.
    Masked,
}

impl FreeField {
    /// Every field, in the order of the table above.
    pub const ALL: [Self; 13] = [
        Self::Biller,
        Self::Client,
        Self::Operator,
        Self::FloatRef,
        Self::Bill,
        Self::Product,
        Self::Account,
        Self::Phone,
        Self::Document,
        Self::Rrn,
        Self::Merchant,
        Self::Reference,
        Self::Metadata,
    ];

    /// Its path in a JSON body; empty where the API has no such field.
    pub fn json_path(self) -> &'static str {
        match self {
            Self::Biller | Self::Rrn | Self::Merchant => "",
            Self::Client => "client",
            Self::Operator => "operator",
            Self::FloatRef => "float_ref",
            Self::Bill => "bill",
            Self::Product => "product",
            Self::Account => "payer.account",
            Self::Phone => "payer.phone",
            Self::Document => "payer.doc",
            Self::Reference => "reference",
            Self::Metadata => "metadata",
        }
    }

    /// Its data element, and what is wrong with it when it holds a card number; 0 where a line
    /// has no such field.
    pub fn data_element(self) -> (u8, &'static str) {
        match self {
            Self::Biller => (48, "tag 01 holds a card number"),
            Self::Client => (48, "tag 02 holds a card number"),
            Self::Operator => (48, "tag 04 holds a card number"),
            Self::FloatRef => (48, "tag 05 holds a card number"),
            Self::Bill => (48, "tag 06 holds a card number"),
            Self::Product => (48, "tag 07 holds a card number"),
            Self::Account => (102, "holds a card number"),
            Self::Rrn => (37, "holds a card number"),
            Self::Merchant => (42, "holds a card number"),
            Self::Phone | Self::Document | Self::Reference | Self::Metadata => {
                (0, "holds a card number")
            }
        }
    }

    /// How it is kept where it looks like a card number.
    pub fn keeping(self) -> Keeping {
        match self {
            Self::Biller | Self::Reference | Self::Metadata => Keeping::Masked,
            Self::Client
            | Self::Operator
            | Self::FloatRef
            | Self::Bill
            | Self::Product
            | Self::Account
            | Self::Phone
            | Self::Document
            | Self::Rrn
            | Self::Merchant => Keeping::Sealed,
        }
    }

    /// Whether a card number in it may be refused; see the table above.
    fn is_refused(self) -> bool {
        !matches!(self, Self::Phone | Self::Document | Self::Rrn)
    }

    /// Its content in a request.
    pub fn of(self, request: &PaymentRequest) -> Option<&str> {
        let payer = &request.payer;
        match self {
            Self::Biller => request.biller.as_ref().map(BillerId::as_str),
            Self::Client => request.client.as_ref().map(ClientRef::as_str),
            Self::Operator => request.operator.as_ref().map(OperatorId::as_str),
            Self::FloatRef => request.float_ref.as_ref().map(FloatRef::as_str),
            Self::Bill => request.bill.as_ref().map(BillNo::as_str),
            Self::Product => request.product.as_ref().map(Product::as_str),
            Self::Account => payer.account.as_ref().map(Text::as_str),
            Self::Phone => payer.phone.as_ref().map(Text::as_str),
            Self::Document => payer.document.as_ref().map(Text::as_str),
            Self::Rrn => Some(request.trace.rrn.as_str()),
            Self::Merchant => Some(request.trace.merchant.as_str()),
            Self::Reference => request.reference.as_ref().map(FreeText::as_str),
            Self::Metadata => request.metadata.as_deref(),
        }
    }

    /// Puts a content into a request; one that does not fit the field changes nothing.
    pub fn put(self, text: &str, request: &mut PaymentRequest) {
        let payer = &mut request.payer;
        match self {
            Self::Biller => set(BillerId::new(text).ok(), &mut request.biller),
            Self::Client => set(ClientRef::new(text).ok(), &mut request.client),
            Self::Operator => set(OperatorId::new(text).ok(), &mut request.operator),
            Self::FloatRef => set(FloatRef::new(text).ok(), &mut request.float_ref),
            Self::Bill => set(BillNo::new(text).ok(), &mut request.bill),
            Self::Product => set(Product::new(text).ok(), &mut request.product),
            Self::Account => set(Text::new(text).ok(), &mut payer.account),
            Self::Phone => set(Text::new(text).ok(), &mut payer.phone),
            Self::Document => set(Text::new(text).ok(), &mut payer.document),
            Self::Rrn => request.trace.rrn = Text::new(text).unwrap_or(request.trace.rrn),
            Self::Merchant => {
                request.trace.merchant = Text::new(text).unwrap_or(request.trace.merchant);
            }
            Self::Reference => set(FreeText::new(text).ok(), &mut request.reference),
            Self::Metadata => request.metadata = Some(text.into()),
        }
    }

    fn finding(self, request: &PaymentRequest) -> Option<Finding> {
        let text = self.of(request)?;
        let found = if self == Self::Metadata { find_json(text) } else { find(text) };
        match (self, found) {
            (Self::Account, Some(_)) if is_account_number(text) => None,
            (Self::Rrn, _) => masked_rrn(text).map(|_| Finding::Lookalike),
            (Self::Merchant, None) => with_terminal(request).map(|_| Finding::Lookalike),
            (_, finding) => finding,
        }
    }

    fn masked(self, request: &PaymentRequest) -> Option<String> {
        let text = self.of(request)?;
        match self {
            Self::Metadata => masked_json(text),
            Self::Rrn => masked_rrn(text),
            Self::Merchant => masked(text).or_else(|| with_terminal(request)),
            Self::Biller
            | Self::Client
            | Self::Operator
            | Self::FloatRef
            | Self::Bill
            | Self::Product
            | Self::Account
            | Self::Phone
            | Self::Document
            | Self::Reference => masked(text),
        }
    }
}

fn set<T>(value: Option<T>, field: &mut Option<T>) {
    if value.is_some() {
        *field = value;
    }
}

/// DE42 masked, where it goes on with the digits that DE41 begins; DE41 names payments and stays.
fn with_terminal(request: &PaymentRequest) -> Option<String> {
    let (terminal, merchant) = (request.trace.terminal.as_str(), request.trace.merchant.as_str());
    let is_split = terminal.len() == TERMINAL_LEN
        && terminal.ends_with(|last: char| last.is_ascii_digit())
        && merchant.starts_with(|first: char| first.is_ascii_digit());
    if !is_split {
        return None;
    }
    let masked = masked(&[terminal, merchant].concat())?;
    Some(masked[terminal.len()..].to_owned()).filter(|masked| masked != merchant)
}

/// A retrieval reference number masked, where it is a card number of 12 digits by prefix and check
/// digit. One that begins with a day and hour (YDDDhh), as they are made, is none.
fn masked_rrn(rrn: &str) -> Option<String> {
    let digits = rrn.as_bytes();
    let is_whole = digits.len() == RRN_LEN && digits.iter().all(u8::is_ascii_digit);
    let number = |from: usize, to: usize| rrn.get(from..to)?.parse::<u16>().ok();
    let is_day = number(1, 4).is_some_and(|day| (1..=366).contains(&day));
    let is_hour = number(4, 6).is_some_and(|hour| hour < 24);
    let is_card = is_whole && !(is_day && is_hour) && has_scheme(digits) && has_check_digit(digits);
    let hidden = SHOWN_FIRST..RRN_LEN - SHOWN_LAST;
    is_card.then(|| [&rrn[..hidden.start], "**", &rrn[hidden.end..]].concat())
}

/// A retrieval reference number (DE37) as it is kept, where that differs from what the sender wrote:
/// whoever looks a payment up by it looks for both.
pub fn kept_rrn(rrn: &Text<12>) -> Option<Text<12>> {
    Text::new(&masked_rrn(rrn.as_str())?).ok()
}

/// The first field that is to be refused because it holds a card number.
pub fn refused_field(request: &PaymentRequest) -> Option<FreeField> {
    let is_refused = |field: &FreeField| {
        field.is_refused() && field.finding(request) == Some(Finding::CardNumber)
    };
    FreeField::ALL.into_iter().find(is_refused)
}

/// The fields that may not be kept as they are.
pub fn findings(request: &PaymentRequest) -> SmallVec<[FreeField; 4]> {
    FreeField::ALL.into_iter().filter(|field| field.finding(request).is_some()).collect()
}

/// The request with these fields masked.
pub fn masked_request(request: &PaymentRequest, fields: &[FreeField]) -> PaymentRequest {
    let mut kept = request.clone();
    for field in fields {
        if let Some(masked) = field.masked(request) {
            field.put(&masked, &mut kept);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    const NUMBER: &str = "4111111111111111";

    fn with(field: FreeField, text: &str) -> PaymentRequest {
        let mut request = testing::request(10_000);
        field.put(text, &mut request);
        request
    }

    #[test]
    fn a_card_number_is_found_and_masked_in_every_field_with_room_for_one() {
        for field in FreeField::ALL {
            let text = match field {
                FreeField::Metadata => format!("{{\"n\":{NUMBER}}}"),
                FreeField::Rrn => "400000000002".to_owned(),
                FreeField::Merchant | FreeField::Phone => "378282246310005".to_owned(),
                _ => NUMBER.to_owned(),
            };
            let request = with(field, &text);
            assert_eq!(field.of(&request), Some(&*text), "{field:?} takes it");
            assert_eq!(findings(&request).as_slice(), [field]);
            let kept = masked_request(&request, &[field]);
            assert!(findings(&kept).is_empty(), "{kept:?}");
            let is_refused = refused_field(&request) == Some(field);
            assert_eq!(is_refused, field.is_refused(), "{field:?}");
        }
    }

    #[test]
    fn a_reference_number_is_kept_masked_where_it_is_a_card_number_alone() {
        let kept = |rrn: &str| kept_rrn(&Text::new(rrn).unwrap()).map(|kept| kept.to_string());
        assert_eq!(kept("400000000002"), Some("400000**0002".to_owned()));
        // Another check digit; and day 123, 10 o'clock.
        assert_eq!((kept("400000000003"), kept("412310000002")), (None, None));
    }

    #[test]
    fn a_wrong_check_digit_is_kept_masked_and_never_refused() {
        let request = with(FreeField::Client, "4111111111111112");
        assert_eq!(refused_field(&request), None);
        assert_eq!(findings(&request).as_slice(), [FreeField::Client]);
    }

    #[test]
    fn an_account_with_check_digits_of_its_own_is_no_card_number() {
        // A CLABE of a bank whose number begins with 646, and an IBAN with 14 digits at its end.
        for account in ["646180157000000004", "GB29NWBK60161331926819"] {
            assert!(is_account_number(account), "{account}");
            assert!(findings(&with(FreeField::Account, account)).is_empty(), "{account}");
        }
    }

    #[test]
    fn a_retrieval_reference_number_that_begins_with_a_day_is_no_card_number() {
        let check = |rrn: &str, expect: Option<&str>| {
            assert_eq!(masked_rrn(rrn).as_deref(), expect, "{rrn}");
        };
        check("400000000002", Some("400000**0002"));
        check("400000000003", None);
        // Day 334 of a year that ends in 6, at 12 h, with a right check digit.
        check("633412000000", None);
        check("A00000000002", None);
        assert!(has_check_digit(b"633412000000"));
    }

    #[test]
    fn a_number_that_runs_from_the_terminal_into_the_merchant_is_masked_in_the_latter() {
        let mut request = with(FreeField::Merchant, "11111111");
        request.trace.terminal = Text::new("41111111").unwrap();
        assert_eq!(refused_field(&request), None);
        let kept = masked_request(&request, &findings(&request));
        assert_eq!(kept.trace.merchant.as_str(), "****1111");
        assert_eq!(kept.trace.terminal, request.trace.terminal);
    }
}
