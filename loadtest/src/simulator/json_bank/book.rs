//! What the bank has debited, and what it answers.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use router::time::Timestamp;
use serde_json::{Value, json};

use crate::clock;
use crate::conduct::mix;
use crate::simulator::issuer::Verdict;

/// What the bank did under one reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JsonDebit {
    /// The amount asked for, in minor units.
    pub minor: u64,
    /// What became of it.
    pub state: DebitState,
    /// What was given back, in minor units.
    pub given_back_minor: u64,
}

/// What became of a request to pay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DebitState {
    /// Debited.
    Approved,
    /// Declined with this code; nothing was debited.
    Declined([u8; 2]),
    /// It waits for the payer's one-time key.
    Awaiting,
    /// It waits for the payer to pay at the bank's page.
    AwaitingAtPage,
}

impl JsonDebit {
    /// What the payer has lost, in minor units.
    pub fn stands_minor(&self) -> u64 {
        match self.state {
            DebitState::Approved => self.minor - self.given_back_minor,
            DebitState::Declined(_) | DebitState::Awaiting | DebitState::AwaitingAtPage => 0,
        }
    }
}

/// An answer of the bank, before anything goes wrong with it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct BankAnswer {
    pub status: u16,
    pub body: Value,
    /// Response code for the log.
    pub code: [u8; 2],
}

/// A request of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BankApiRequest<'a> {
    Payment,
    Confirm(&'a str),
    Inquiry(&'a str),
    Reversal(&'a str),
    Refund(&'a str),
}

impl<'a> BankApiRequest<'a> {
    /// What a method and a path ask for.
    pub(super) fn of(method: &str, path: &'a str) -> Option<Self> {
        let rest = path.strip_prefix("/v1/payments")?;
        let mut parts = rest.split('/').skip(1);
        match (method, parts.next(), parts.next(), parts.next()) {
            ("POST", None, None, None) => Some(Self::Payment),
            ("GET", Some(order), None, None) => Some(Self::Inquiry(order)),
            ("POST", Some(order), Some("confirm"), None) => Some(Self::Confirm(order)),
            ("POST", Some(order), Some("reversal"), None) => Some(Self::Reversal(order)),
            ("POST", Some(order), Some("refunds"), None) => Some(Self::Refund(order)),
            _ => None,
        }
    }
}

/// A one-time key that is wrong.
const WRONG_KEY: &str = "000000";
const APPROVED: [u8; 2] = *b"00";
/// Cents of an amount whose payer must confirm soon.
const SHORT_WAIT_CENTS: u64 = 70;
/// Cents of an amount whose payer must soon pay at the bank's page.
const PAGE_CENTS: u64 = 71;
const NOT_FOUND: [u8; 2] = *b"25";
const FORMAT: [u8; 2] = *b"30";

/// All debits.
#[derive(Debug)]
pub(super) struct JsonBook {
    seed: u64,
    short_wait: Duration,
    debits: Mutex<HashMap<String, Debit>>,
}

#[derive(Debug, Clone)]
struct Debit {
    told: JsonDebit,
    amount: Value,
    /// Until when it waits for its payer, where the bank says so.
    waits_until: Option<Timestamp>,
    /// Ids of the refunds that were carried out.
    refunds: Vec<String>,
}

/// A digest of seed and reference.
pub(super) fn digest(seed: u64, order: &str) -> u64 {
    order.bytes().fold(mix(seed), |digest, byte| mix(digest ^ u64::from(byte)))
}

impl JsonBook {
    pub(super) fn new(seed: u64, short_wait: Duration) -> Self {
        Self { seed, short_wait, debits: Mutex::default() }
    }

    pub(super) fn debit(&self, order: &str) -> Option<JsonDebit> {
        let debits = self.debits.lock().unwrap_or_else(PoisonError::into_inner);
        debits.get(order).map(|debit| debit.told)
    }

    pub(super) fn debits(&self) -> Vec<(String, JsonDebit)> {
        let debits = self.debits.lock().unwrap_or_else(PoisonError::into_inner);
        debits.iter().map(|(order, debit)| (order.clone(), debit.told)).collect()
    }

    pub(super) fn paid_at_page(&self, order: &str) -> bool {
        let mut debits = self.debits.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = |debit: &&mut Debit| debit.told.state == DebitState::AwaitingAtPage;
        let debit = debits.get_mut(order).filter(waits);
        debit.map(|debit| debit.told.state = DebitState::Approved).is_some()
    }

    /// Carries out a request; a repeat of one that was carried out changes nothing.
    pub(super) fn answer(
        &self,
        asked: BankApiRequest<'_>,
        request_id: &str,
        body: &Value,
    ) -> BankAnswer {
        let mut debits = self.debits.lock().unwrap_or_else(PoisonError::into_inner);
        match asked {
            BankApiRequest::Payment => self.pay(&mut debits, body),
            BankApiRequest::Confirm(order) => match debits.get_mut(order) {
                Some(debit) => {
                    confirm(debit, body);
                    self.told(order, debit, 200)
                }
                None => no_such(order),
            },
            BankApiRequest::Inquiry(order) => match debits.get(order) {
                Some(debit) => self.told(order, debit, 200),
                None => no_such(order),
            },
            BankApiRequest::Reversal(order) => match debits.get_mut(order) {
                Some(debit) => reverse(order, debit, body),
                None => no_such(order),
            },
            BankApiRequest::Refund(order) => match debits.get_mut(order) {
                Some(debit) => refund(order, debit, request_id, body),
                None => no_such(order),
            },
        }
    }

    fn pay(&self, debits: &mut HashMap<String, Debit>, body: &Value) -> BankAnswer {
        let (order, amount) = (body["order"].as_str(), &body["amount"]);
        let Some((order, minor)) = order.zip(minor_of(&amount["value"])) else {
            let body =
                json!({ "error": { "code": "30", "message": "order or amount is missing" } });
            return BankAnswer { status: 400, body, code: FORMAT };
        };
        let key = body["payer"]["one_time_key"].as_str();
        let debit = debits.entry(order.to_owned()).or_insert_with(|| {
            let state = match Verdict::of(minor) {
                _ if minor % 100 == PAGE_CENTS => DebitState::AwaitingAtPage,
                Verdict::Decline(code) => DebitState::Declined(code),
                _ if body["rail"] == "c2p" && key.is_none() => DebitState::Awaiting,
                Verdict::Approve | Verdict::Silent | Verdict::Late => DebitState::Approved,
            };
            let told = JsonDebit { minor, state, given_back_minor: 0 };
            let waits_until = [SHORT_WAIT_CENTS, PAGE_CENTS].contains(&(minor % 100)).then(|| {
                let micros = i64::try_from(self.short_wait.as_micros()).unwrap_or(i64::MAX);
                clock::now().plus_micros(micros)
            });
            Debit { told, amount: amount.clone(), waits_until, refunds: Vec::new() }
        });
        self.told(order, debit, 201)
    }

    fn told(&self, order: &str, debit: &Debit, status: u16) -> BankAnswer {
        let number = digest(self.seed, order);
        let mut body = json!({
            "id": format!("B{:012}", number % 1_000_000_000_000),
            "order": order,
            "amount": debit.amount,
        });
        let (status, code, state) = match debit.told.state {
            DebitState::Approved => {
                body["authorization"] = format!("{:06}", number % 1_000_000).into();
                (status, APPROVED, "APPROVED")
            }
            DebitState::Declined(code) => {
                let text = String::from_utf8_lossy(&code).into_owned();
                body["error"] = json!({ "code": text, "message": "declined" });
                (422, code, "DECLINED")
            }
            DebitState::Awaiting => {
                if let Some(until) = debit.waits_until {
                    body["next"] = json!({ "expires_at": until.to_string() });
                }
                (202, *b"09", "OTP_REQUIRED")
            }
            DebitState::AwaitingAtPage => {
                let until = debit.waits_until.map(|until| until.to_string());
                let url = format!("https://bank.example/pay/{order}");
                body["next"] = json!({ "url": url, "expires_at": until });
                (202, *b"09", "REDIRECT")
            }
        };
        body["status"] = state.into();
        BankAnswer { status, body, code }
    }
}

fn confirm(debit: &mut Debit, body: &Value) {
    if debit.told.state != DebitState::Awaiting {
        return;
    }
    debit.told.state = match body["one_time_key"].as_str() {
        Some(key) if key != WRONG_KEY => DebitState::Approved,
        Some(_) | None => DebitState::Declined(*b"55"),
    };
}

/// Leaves what is to stand of a payment: told again, it changes nothing.
fn reverse(order: &str, debit: &mut Debit, body: &Value) -> BankAnswer {
    let stands = minor_of(&body["stands"]).unwrap_or(0).min(debit.told.minor);
    if matches!(debit.told.state, DebitState::Awaiting | DebitState::AwaitingAtPage) {
        // Nobody can confirm it any more.
        debit.told.state = DebitState::Declined(*b"05");
    }
    let given_back = debit.told.minor - stands;
    debit.told.given_back_minor = debit.told.given_back_minor.max(given_back);
    let body = json!({ "status": "REVERSED", "order": order, "amount": debit.amount });
    BankAnswer { status: 200, body, code: APPROVED }
}

/// Gives a part back, once for each id.
fn refund(order: &str, debit: &mut Debit, request_id: &str, body: &Value) -> BankAnswer {
    let minor = minor_of(&body["amount"]["value"]).unwrap_or(debit.told.minor);
    let is_new = !debit.refunds.iter().any(|id| id == request_id);
    if is_new && minor > debit.told.stands_minor() {
        let error = json!({ "code": "61", "message": "more than stands" });
        let body = json!({ "status": "DECLINED", "order": order, "error": error });
        return BankAnswer { status: 422, body, code: *b"61" };
    }
    if is_new {
        debit.told.given_back_minor += minor;
        debit.refunds.push(request_id.to_owned());
    }
    let body = json!({ "status": "REFUNDED", "order": order, "amount": body["amount"] });
    BankAnswer { status: 200, body, code: APPROVED }
}

fn no_such(order: &str) -> BankAnswer {
    let body = json!({ "order": order, "error": { "code": "25", "message": "no such payment" } });
    BankAnswer { status: 404, body, code: NOT_FOUND }
}

/// The minor units of a decimal that is written with all its places.
pub(super) fn minor_of(decimal: &Value) -> Option<u64> {
    decimal.as_str()?.replacen('.', "", 1).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(value: &str) -> Value {
        json!({ "order": "pay_1", "rail": "account", "amount": { "value": value, "currency": "VES" } })
    }

    #[test]
    fn a_payment_is_debited_once_and_given_back_once() {
        let book = JsonBook::new(1, Duration::ZERO);
        let first = book.answer(BankApiRequest::Payment, "pay_1", &order("12.50"));
        assert_eq!((first.status, &first.body["status"]), (201, &json!("APPROVED")));
        assert_eq!(book.answer(BankApiRequest::Payment, "pay_1", &order("12.50")), first);
        let part = json!({ "amount": { "value": "2.50", "currency": "VES" } });
        for _ in 0..2 {
            assert_eq!(book.answer(BankApiRequest::Refund("pay_1"), "r-1", &part).status, 200);
        }
        let stands = || book.debit("pay_1").map(|debit| debit.stands_minor());
        assert_eq!(stands(), Some(1_000));
        assert_eq!(
            book.answer(BankApiRequest::Refund("pay_1"), "r-2", &order("12.50")).status,
            422
        );
        for (left, minor) in [("5.00", 500), ("8.00", 500), ("0.00", 0)] {
            let told =
                book.answer(BankApiRequest::Reversal("pay_1"), "", &json!({ "stands": left }));
            assert_eq!((told.status, stands()), (200, Some(minor)), "{left}");
        }
        assert_eq!(book.answer(BankApiRequest::Reversal("pay_2"), "", &part).status, 404);
    }

    #[test]
    fn an_amount_says_what_is_answered_and_a_one_time_key_ends_the_waiting() {
        let book = JsonBook::new(1, Duration::ZERO);
        let declined = book.answer(BankApiRequest::Payment, "pay_1", &order("12.51"));
        assert_eq!((declined.status, &declined.body["error"]["code"]), (422, &json!("51")));
        let mut waits = order("10.00");
        (waits["order"], waits["rail"]) = ("pay_2".into(), "c2p".into());
        assert_eq!(
            book.answer(BankApiRequest::Payment, "pay_2", &waits).body["status"],
            "OTP_REQUIRED"
        );
        let key = json!({ "one_time_key": "123456" });
        assert_eq!(
            book.answer(BankApiRequest::Confirm("pay_2"), "c", &key).body["status"],
            "APPROVED"
        );
        assert_eq!(
            BankApiRequest::of("GET", "/v1/payments/pay_2"),
            Some(BankApiRequest::Inquiry("pay_2"))
        );
        assert_eq!(BankApiRequest::of("GET", "/v1/payments/pay_2/refunds"), None);
    }
}
