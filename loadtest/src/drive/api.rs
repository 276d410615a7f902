//! Load over the JSON API: each connection asks for one payment at a time, takes the next one that is
//! due, and measures it from its planned instant.

mod answer;
mod connection;
mod probe;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request};
use router::message::Rail;
use tokio_util::sync::CancellationToken;

use super::record::{AnswerElements, Ending};
use super::shared::{Shared, rrn};
use super::window::Open;
use crate::tasks::Spawner;
use crate::workload::{Workload, check_digit};
use answer::Answer;
use connection::{Connection, ConnectionError};
pub use probe::ApiError;
pub(super) use probe::probe;

/// Pause between attempts to open a connection anew.
const REOPEN_EVERY: Duration = Duration::from_millis(50);
/// A connection without work looks this often whether the run is over.
const IDLE: Duration = Duration::from_millis(50);

/// The API key of a biller. Its Debug hides it.
#[derive(Clone)]
pub struct ApiKey(HeaderValue);

impl ApiKey {
    /// A key as `cauce key create` prints it; none for a text that no header can carry.
    pub fn new(key: &str) -> Option<Self> {
        let key = key.trim();
        let mut value = HeaderValue::from_str(&format!("Bearer {key}")).ok()?;
        value.set_sensitive(true);
        (!key.is_empty()).then_some(Self(value))
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(…)")
    }
}

/// The `Idempotency-Key` of payment `index` in a run.
pub(crate) fn idempotency_key(run_id: u64, index: u64) -> String {
    format!("load-{run_id:016x}-{index}")
}

/// The rail of a processing code (DE3): `00…` account, `51…` cash_float; none for any other.
pub fn rail(processing_code: &str) -> Option<Rail> {
    match processing_code.get(..2) {
        Some("00") => Some(Rail::Account),
        Some("51") => Some(Rail::CashFloat),
        _ => None,
    }
}

/// One connection.
pub(super) struct Client {
    shared: Arc<Shared>,
    api_key: ApiKey,
    host: HeaderValue,
    tasks: Spawner,
    connection: Option<Connection>,
    /// Connections opened so far.
    opened: u64,
}

impl Client {
    /// A connection that is not open yet.
    pub(super) fn new(shared: Arc<Shared>, api_key: &ApiKey, tasks: Spawner) -> Self {
        let host = HeaderValue::from_str(&shared.settings.target.to_string());
        Self {
            host: host.expect("invariant: an address is ASCII"),
            api_key: api_key.clone(),
            shared,
            tasks,
            connection: None,
            opened: 0,
        }
    }

    /// Asks and hears until the run is over; opens the connection anew when it falls.
    pub(super) async fn run(mut self, token: CancellationToken) {
        token.run_until_cancelled(self.serve()).await;
        self.shared.line_ends();
    }

    async fn serve(&mut self) {
        let shared = Arc::clone(&self.shared);
        while !shared.is_over() {
            if !self.is_open().await {
                tokio::time::sleep(REOPEN_EVERY).await;
                continue;
            }
            match shared.take_due(shared.now_ns()) {
                Some((index, planned_ns)) => self.pay(index, planned_ns).await,
                None => {
                    let woken = shared.wakers[0].notified();
                    tokio::time::timeout(IDLE, woken).await.ok();
                }
            }
        }
    }

    /// Whether there is a connection to ask over; opens one where there is none.
    async fn is_open(&mut self) -> bool {
        let is_usable = match &mut self.connection {
            Some(connection) => connection.is_usable().await,
            None => false,
        };
        if !is_usable {
            self.connection = Connection::open(self.shared.settings.target, &self.tasks).await.ok();
            let is_again = self.opened > 0 && self.connection.is_some();
            self.shared.recorder().counts.reconnects += u64::from(is_again);
            self.opened += u64::from(self.connection.is_some());
        }
        self.connection.is_some()
    }

    async fn pay(&mut self, index: u64, planned_ns: u64) {
        let shared = Arc::clone(&self.shared);
        let sent_ns = shared.now_ns();
        shared.recorder().counts.sent += 1;
        let open =
            Open { index, stan: 0, planned_ns, sent_ns, transmitted_at: [b'0'; 10], first: None };
        let heard = self.ask(index).await;
        let planned = shared.settings.workload.verdict(index);
        let now_ns = shared.now_ns();
        match heard {
            Ok(heard) => shared.recorder().answered(&open, heard, planned, now_ns),
            Err(ending) => shared.recorder().abandoned(&open, ending, planned, now_ns),
        }
        if let Ok(first) = heard
            && shared.settings.workload.payment(index).is_repeated
        {
            self.repeat(index, first).await;
        }
    }

    /// Asks for the same payment again, with its key.
    async fn repeat(&mut self, index: u64, first: AnswerElements) {
        let again = if self.is_open().await { self.ask(index).await } else { return };
        let counts = &mut self.shared.recorder().counts;
        match again {
            Ok(again) => {
                counts.repeats += 1;
                let same = (first.response_code, first.folio) == (again.response_code, again.folio);
                counts.repeats_differ += u64::from(!same);
            }
            Err(_) => counts.repeats_lost += 1,
        }
    }

    /// Asks for a payment, once more with the same key where the connection fell: the server may
    /// have closed it for being idle as the request left.
    async fn ask(&mut self, index: u64) -> Result<AnswerElements, Ending> {
        let deadline = self.shared.settings.answer_deadline;
        let asking = async {
            match self.ask_over_connection(index).await {
                Ok(answer) => Ok(answer),
                Err(_) if self.is_open().await => self.ask_over_connection(index).await,
                Err(error) => Err(error),
            }
        };
        let asked = tokio::time::timeout(deadline, asking).await;
        match asked {
            Ok(Ok(answer)) => {
                if let Some(biller) = &answer.biller {
                    self.shared.biller.get_or_init(|| biller.clone());
                }
                Ok(answer.heard())
            }
            Ok(Err(_)) => {
                self.connection = None;
                Err(Ending::LineLost)
            }
            Err(_) => {
                // The answer, should it come, belongs to nothing any more.
                self.connection = None;
                Err(Ending::NoAnswer)
            }
        }
    }

    async fn ask_over_connection(&mut self, index: u64) -> Result<Answer, ConnectionError> {
        let request = self.request(index);
        let connection = self.connection.as_mut().ok_or(ConnectionError::Closed)?;
        connection.exchange(request).await
    }

    fn request(&self, index: u64) -> Request<Full<Bytes>> {
        let shared = &self.shared;
        let reference = rrn(shared.run_number(), index);
        let body = body(&shared.settings.workload, index, reference);
        Request::builder()
            .method(Method::POST)
            .uri("/v1/payments")
            .header(HOST, &self.host)
            .header(AUTHORIZATION, &self.api_key.0)
            .header(CONTENT_TYPE, "application/json")
            .header("idempotency-key", idempotency_key(shared.run_id, index))
            .body(Full::new(Bytes::from(body)))
            .expect("invariant: a request of constant parts is well formed")
    }
}

/// The body of payment `index`.
fn body(workload: &Workload, index: u64, reference: u64) -> String {
    let payment = workload.payment(index);
    let rail = rail(&workload.processing_code).unwrap_or(Rail::Account);
    let payer = match rail.debits_named_payer() {
        true => {
            let digits = format!("{}{:09}", workload.bin, payment.card);
            let check = char::from(check_digit(digits.as_bytes()));
            format!(r#""payer":{{"card":{{"number":"{digits}{check}","expiry":"3012"}}}},"#)
        }
        false => String::new(),
    };
    format!(
        concat!(
            r#"{{"rail":"{}","amount":{{"currency":"{}","minor":{}}},{}"#,
            r#""client":"{:012}","reference":"{:012}"}}"#
        ),
        rail.name(),
        workload.currency.code(),
        payment.amount_minor,
        payer,
        payment.client,
        reference,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use router::money::Currency;

    #[test]
    fn a_body_is_json_with_a_test_card() {
        let workload = Workload {
            seed: 7,
            shares: Default::default(),
            processing_code: "000000".to_owned(),
            currency: Currency::from_code("VES").unwrap(),
            major_min: 10,
            major_max: 10,
            biller: None,
            bin: "400000".to_owned(),
            clients: 0,
        };
        let body: serde_json::Value =
            serde_json::from_str(&body(&workload, 3, 123_400_000_003)).unwrap();
        assert_eq!(body["rail"], "account");
        assert_eq!(body["amount"], serde_json::json!({"currency": "VES", "minor": 1_000}));
        assert_eq!(body["client"], "000000000003");
        assert_eq!(body["reference"], "123400000003");
        let card = body["payer"]["card"]["number"].as_str().unwrap();
        let (digits, check) = card.as_bytes().split_at(15);
        assert!(card.starts_with("400000") && check == [check_digit(digits)], "16 digits, Luhn");
    }

    #[test]
    fn a_key_is_not_shown() {
        let key = ApiKey::new("  sk_test_1 \n").unwrap();
        assert_eq!(key.0, "Bearer sk_test_1");
        assert!(!format!("{key:?} {:?}", key.0).contains("sk_test"));
        assert!(ApiKey::new("").is_none() && ApiKey::new("a\nb").is_none());
    }
}
