//! The tour: one payment of each kind through the real listeners, and what came of it.

use std::time::Duration;

use loadtest::simulator::acquirer::{Acquirer, AcquirerError, AcquirerSettings, Order};
use loadtest::simulator::merchant::HeardNotice;
use router::money::{Currency, Money};
use serde_json::json;
use tokio::time::Instant;

use super::client::{ApiAnswer, ApiClient};
use super::sandbox::{Sandbox, SandboxError};
use super::screen;
use crate::adapter::iso8583::Iso8583Participant;
use crate::app::App;

/// How long a participant may take to sign on, and a notice to come.
const PATIENCE: Duration = Duration::from_secs(10);
/// Rails that are part of the product and have no adapter yet, and pages.
const NOT_BUILT: [&str; 7] =
    ["p2c", "c2p", "card (gateway)", "psd2", "wallet", "payer pages", "console"];

/// Why a step did not go as it should.
#[derive(Debug, thiserror::Error)]
enum StepError {
    #[error(transparent)]
    Acquirer(#[from] AcquirerError),
    #[error(transparent)]
    Api(#[from] SandboxError),
    #[error("{0}")]
    Other(String),
}

type Step = Result<String, StepError>;

/// Makes the tour; true when every step went as it should.
pub(super) async fn run(app: &App, sandbox: &Sandbox) -> bool {
    let tour = match Tour::start(app, sandbox).await {
        Ok(tour) => tour,
        Err(error) => {
            let error = format!("the simulated banks could not be reached: {error}");
            screen::wrapped(&format!("✗ {error}"));
            return false;
        }
    };
    let mut went_well = true;
    let mut tell = |what: &str, step: Step| {
        went_well &= step.is_ok();
        let (mark, text) = match step {
            Ok(text) => ('✓', text),
            Err(error) => ('✗', storage::with_causes(&error).to_string()),
        };
        screen::step(mark, what, &text);
    };
    screen::line("account (ISO 8583 from bank-a to bank-b, JSON from merchants)");
    tell("approved", tour.approved().await);
    tell("declined", tour.declined().await);
    tell("duplicate", tour.duplicate().await);
    tell("silent bank", tour.given_up(15_068, "silent").await);
    tell("late answer", tour.given_up(15_069, "late").await);
    tell("JSON", tour.json().await);
    tell("JSON declined", tour.json_declined().await);
    screen::line("cash_float (ISO 8583 from agents-mx to credit-host)");
    tell("collector's cash", tour.cash().await);
    tell("same again", tour.cash_again().await);
    screen::wrapped(&format!("not built yet: {}", NOT_BUILT.join(", ")));
    went_well
}

struct Tour<'a> {
    sandbox: &'a Sandbox,
    api: ApiClient,
    bank: Acquirer,
    agents: Acquirer,
}

impl<'a> Tour<'a> {
    async fn start(app: &App, sandbox: &'a Sandbox) -> Result<Self, StepError> {
        signed_on(app).await?;
        let key = sandbox.biller("isp-ve").map_or("", |biller| &biller.api_key);
        let line = |acquirer_id| {
            Acquirer::connect(app.addresses.iso8583, AcquirerSettings::new(acquirer_id))
        };
        Ok(Self {
            sandbox,
            api: ApiClient::new(&format!("http://{}", app.addresses.http), key),
            bank: line("00000000011").await?,
            agents: line("00000000012").await?,
        })
    }

    async fn approved(&self) -> Step {
        let (_, answer) = self.bank.pay(&Order::card(money(15_000, "VES")?, "isp-ve")).await?;
        same("00", answer.response_code())?;
        let notice = self.notice(answer.folio(), "payment.approved").await?;
        let authorisation = answer.authorisation();
        Ok(format!(
            "150.00 VES → 00, folio {}, authorisation {authorisation}\n{notice}",
            answer.folio()
        ))
    }

    async fn declined(&self) -> Step {
        let (_, answer) = self.bank.pay(&Order::card(money(15_051, "VES")?, "isp-ve")).await?;
        same("51", answer.response_code())?;
        let notice = self.notice(answer.folio(), "payment.declined").await?;
        Ok(format!("150.51 VES → 51, reason {}\n{notice}", answer.fields.text(44)))
    }

    async fn duplicate(&self) -> Step {
        let order = Order::card(money(22_000, "RON")?, "issuer-ro");
        let (request, first) = self.bank.pay(&order).await?;
        let second = self.bank.repeat("0200", &request).await?;
        same(first.folio(), second.folio())?;
        same("00", second.response_code())?;
        let notice = self.notice(first.folio(), "payment.approved").await?;
        Ok(format!("220.00 RON, then 0201 → the stored answer\nfolio {}, {notice}", second.folio()))
    }

    /// A bank that is silent or late: told as unknown, then reversed until confirmed.
    async fn given_up(&self, minor: i64, how: &str) -> Step {
        let (_, answer) = self.bank.pay(&Order::card(money(minor, "ARS")?, "company-ar")).await?;
        same("68", answer.response_code())?;
        let unknown = self.notice(answer.folio(), "payment.unknown").await?;
        let reversed = self.notice(answer.folio(), "payment.reversed").await?;
        let amount = money(minor, "ARS")?;
        Ok(format!("{amount}, bank {how} → 68, folio {}\n{unknown}\n{reversed}", answer.folio()))
    }

    async fn json(&self) -> Step {
        let body = payment_body(33);
        let first = self.api.post("/v1/payments", Some("tour-json-1"), &body).await?;
        same("approved", state(&first))?;
        let again = self.api.post("/v1/payments", Some("tour-json-1"), &body).await?;
        same(first.text("id"), again.text("id"))?;
        same("true", &again.is_replay.to_string())?;
        let read = self.api.get(&format!("/v1/payments/{}", first.text("id"))).await?;
        same("approved", state(&read))?;
        let fee = &first.body["fees"][0]["amount"]["minor"];
        let notice = self.notice(first.text("folio"), "payment.approved").await?;
        let status = first.status.as_u16();
        Ok(format!("0.33 VES → {status}, commission 0.0{fee}; same key again → replay\n{notice}"))
    }

    async fn json_declined(&self) -> Step {
        let reply =
            self.api.post("/v1/payments", Some("tour-json-2"), &payment_body(1_054)).await?;
        same("card_expired", reply.text("code"))?;
        let notice = self.notice(reply.text("folio"), "payment.declined").await?;
        let (status, no) = (reply.status.as_u16(), reply.text("no"));
        Ok(format!("10.54 VES → {status} card_expired ({no})\n{notice}"))
    }

    async fn cash(&self) -> Step {
        let (_, answer) = self.agents.pay(&cash_order(50_000)?).await?;
        same("00", answer.response_code())?;
        let notice = self.notice(answer.folio(), "payment.approved").await?;
        Ok(format!("500.00 MXN + 12.00 commission → 00, folio {}\n{notice}", answer.folio()))
    }

    async fn cash_again(&self) -> Step {
        let (_, answer) = self.agents.pay(&cash_order(50_000)?).await?;
        same("94", answer.response_code())?;
        Ok(format!(
            "→ 94, reason {}: {}",
            answer.fields.text(44),
            private_text(answer.fields.text(48))
        ))
    }

    /// Waits for the merchant to hear of a payment.
    async fn notice(&self, folio: &str, kind: &str) -> Result<String, StepError> {
        let since = Instant::now();
        let heard = |all: &[HeardNotice]| {
            all.iter().any(|notice| notice.kind == kind && notice.folio.as_deref() == Some(folio))
        };
        let waited = self.sandbox.merchant.wait_for(heard, PATIENCE).await;
        waited
            .map_err(|error| StepError::Other(format!("no notice {kind} of {folio}: {error}")))?;
        Ok(format!("notice {kind} after {} ms", since.elapsed().as_millis()))
    }
}

/// Waits until the simulated banks have signed on.
async fn signed_on(app: &App) -> Result<(), StepError> {
    let deadline = Instant::now() + PATIENCE;
    let mut look = tokio::time::interval(Duration::from_millis(5));
    let is_ready = |participant: &std::sync::Arc<Iso8583Participant>| {
        participant.config.reach.is_none() || participant.is_signed_on()
    };
    while !app.engine.participants().iso8583().all(is_ready) {
        if deadline < Instant::now() {
            return Err(StepError::Other("no sign-on in time".to_owned()));
        }
        look.tick().await;
    }
    Ok(())
}

fn money(minor: i64, code: &str) -> Result<Money, StepError> {
    let currency = Currency::from_code(code);
    let currency = currency.ok_or_else(|| StepError::Other(format!("no currency {code}")))?;
    Ok(Money::new(minor, currency))
}

fn cash_order(minor: i64) -> Result<Order, StepError> {
    let card = Order::card(money(minor, "MXN")?, "lender-mx");
    let private = [
        ("01", "lender-mx"),
        ("02", "0000123456781234"),
        ("04", "OPER01"),
        ("05", "58341122"),
        ("07", "credimax"),
        ("09", "90000"),
    ];
    Ok(Order {
        processing_code: "510000",
        extra: card.extra.without(2).without(14),
        private: private.map(|(tag, value)| (tag, value.to_owned())).to_vec(),
        ..card
    })
}

fn payment_body(minor: i64) -> serde_json::Value {
    json!({
        "rail": "account",
        "amount": { "currency": "VES", "minor": minor },
        "payer": { "doc": "V12345678", "phone": "584120000000", "account": "01020000000000000001" },
        "reference": "order 1",
    })
}

fn state(reply: &ApiAnswer) -> &str {
    reply.text("state")
}

/// The text for people in DE48 tag 12.
fn private_text(private_data: &str) -> &str {
    let mut rest = private_data;
    while let (Some(tag), Some(len)) = (rest.get(..2), rest.get(2..4)) {
        let end = 4 + len.parse::<usize>().unwrap_or(0);
        if tag == "12" {
            return rest.get(4..end).unwrap_or("");
        }
        rest = rest.get(end..).unwrap_or("");
    }
    ""
}

fn same(wanted: &str, got: &str) -> Result<(), StepError> {
    if wanted == got {
        return Ok(());
    }
    Err(StepError::Other(format!("`{wanted}` was expected, `{got}` came")))
}
