//! A whole switch in this process, with a simulated issuer and merchant beside it.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use loadtest::simulator::acquirer::{Acquirer, AcquirerSettings, Order};
use loadtest::simulator::issuer::{Effect, Issuer, IssuerHandle, IssuerSettings, Profile};
use metrics_exporter_prometheus::PrometheusHandle;
use router::id::PaymentId;
use router::money::{Currency, Money};
use router::payment::{Payment, PaymentState};
use switch::app::App;
use switch::config::{self, Layers};
use switch::engine::Engine;
use tempfile::TempDir;

/// The acquirer the test banks sign on as.
pub const ACQUIRER: &str = "00000000011";
/// How long anything may take before a test gives up.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// Time limit of the simulated issuer in these tests.
pub const RESPONSE_TIMEOUT_MS: u64 = 400;

/// The rules of the tests; `@issuer@` stands for the issuer's address.
pub const CONFIG: &str = include_str!("harness.toml");

/// A whole switch, its folder and its issuer.
pub struct House {
    pub app: App,
    pub issuer: IssuerHandle,
    pub dir: TempDir,
}

impl House {
    /// A switch with the rules of `harness.toml` and `extra` configuration over them.
    pub async fn start_with(extra: &str) -> Self {
        Self::start_text(CONFIG, extra).await
    }

    /// A switch with the rules of `harness.toml` and an issuer of the test's own.
    pub async fn beside(issuer: IssuerHandle) -> Self {
        rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
        let dir = TempDir::new().expect("a folder");
        let app = start_app(dir.path(), &issuer, "").await;
        Self { app, issuer, dir }
    }

    /// A switch with other rules than those of `harness.toml`.
    pub async fn start_text(text: &str, extra: &str) -> Self {
        rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
        let dir = TempDir::new().expect("a folder");
        let issuer = issuer().await;
        let text = text.replace("@issuer@", &issuer.addr().to_string());
        let app = start_text(dir.path(), &text, extra).await;
        Self { app, issuer, dir }
    }

    /// A switch with the rules of `harness.toml`.
    pub async fn start() -> Self {
        Self::start_with("").await
    }

    /// What every part of the switch works with.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.app.engine
    }

    /// A line of bank-a that has signed on.
    pub async fn bank(&self) -> Acquirer {
        let settings = AcquirerSettings { deadline: PATIENCE, ..AcquirerSettings::new(ACQUIRER) };
        Acquirer::connect(self.app.addresses.iso8583, settings).await.expect("a line")
    }

    /// A line of bank-a with a terminal of its own.
    pub async fn terminal(&self, terminal: &str) -> Acquirer {
        let settings = AcquirerSettings {
            deadline: PATIENCE,
            terminal: terminal.to_owned(),
            ..AcquirerSettings::new(ACQUIRER)
        };
        Acquirer::connect(self.app.addresses.iso8583, settings).await.expect("a line")
    }

    /// A line that has said nothing yet.
    pub async fn stranger(&self) -> Acquirer {
        let settings = AcquirerSettings { deadline: PATIENCE, ..AcquirerSettings::new(ACQUIRER) };
        let line = Acquirer::connect_unsigned(self.app.addresses.iso8583, settings);
        line.await.expect("a line")
    }

    /// The payment of a folio.
    pub async fn payment(&self, folio: &str) -> Payment {
        let folio = folio.trim().parse().expect("a folio");
        let found = self.engine().store.payment_by_folio(folio).await.expect("the journal");
        found.expect("a payment")
    }

    /// Waits until a payment is in a state.
    pub async fn wait_for_state(&self, id: PaymentId, state: PaymentState) -> Payment {
        let store = &self.engine().store;
        eventually(&format!("{id} to be {}", state.name()), async || {
            let payment = store.payment(id).await.expect("the journal")?;
            (payment.state == state).then_some(payment)
        })
        .await
    }

    /// Stops the switch as SIGTERM would and gives what is left.
    pub async fn stop(self) -> (TempDir, IssuerHandle) {
        self.app.run_until(std::future::ready(())).await;
        (self.dir, self.issuer)
    }
}

/// A simulated issuer that is late after the switch's time limit.
pub async fn issuer() -> IssuerHandle {
    issuer_with(Profile::default()).await
}

/// One whose lines also misbehave.
pub async fn issuer_with(profile: Profile) -> IssuerHandle {
    let late_after = Duration::from_millis(RESPONSE_TIMEOUT_MS + 300);
    let settings = IssuerSettings { late_after, profile, ..IssuerSettings::new("bank-b") };
    Issuer::start(settings).await.expect("an issuer")
}

/// A switch on a folder, with an issuer that has signed on.
pub async fn start_app(dir: &Path, issuer: &IssuerHandle, extra: &str) -> App {
    start_text(dir, &CONFIG.replace("@issuer@", &issuer.addr().to_string()), extra).await
}

/// A switch on a folder with these rules, once everybody it calls has signed on.
pub async fn start_text(dir: &Path, text: &str, extra: &str) -> App {
    let layers = Layers::compiled_in()
        .with_text("harness.toml", text)
        .and_then(|layers| layers.with_text("extra.toml", extra))
        .and_then(|layers| layers.with_set(&format!("data.dir={}", dir.display())));
    let config = layers.and_then(|layers| config::load(&layers)).unwrap_or_else(|mistakes| {
        let told: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
        panic!("{}", told.join("\n"));
    });
    recorded();
    let app = App::start(config).await.expect("a switch");
    let engine = &app.engine;
    eventually("the issuer to be signed on", async || {
        let reachable = |participant: &Arc<switch::adapter::iso8583::Iso8583Participant>| {
            participant.config.reach.is_none() || participant.is_signed_on()
        };
        engine.participants().iso8583().all(reachable).then_some(())
    })
    .await;
    if engine.backoffice.is_configured() {
        // Until then, whether a bill is registered is not known.
        eventually("the back office to be open, or to say why not", async || {
            let health = engine.backoffice.health(&engine.store)?;
            let is_opening = |why: &str| why.ends_with("it is being opened");
            (!health.failure.as_deref().is_some_and(is_opening)).then_some(())
        })
        .await;
    }
    app
}

/// What all switches of this process have counted so far, as text for Prometheus. The first recorder
/// of a process stays, so it must be there before the first switch.
pub fn recorded() -> String {
    static RECORDED: OnceLock<PrometheusHandle> = OnceLock::new();
    RECORDED.get_or_init(|| switch::metrics::install().expect("a recorder")).render()
}

/// How much all switches of this process have counted of the series whose line begins so.
pub fn counted(series: &str) -> u64 {
    let text = recorded();
    let of_series = text.lines().filter(|line| line.starts_with(series));
    of_series.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

/// Looks again and again until there is something, and fails after [`PATIENCE`].
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let mut tick = tokio::time::interval(Duration::from_millis(2));
    let looking = async {
        loop {
            tick.tick().await;
            if let Some(found) = look().await {
                return found;
            }
        }
    };
    let found = tokio::time::timeout(PATIENCE, looking).await;
    found.unwrap_or_else(|_| panic!("waited {PATIENCE:?} in vain for {what}"))
}

/// An amount.
pub fn money(minor: i64, code: &str) -> Money {
    Money::new(minor, Currency::from_code(code).expect("a currency"))
}

/// A debit of a test card for `isp-ve`.
pub fn card_order(minor: i64) -> Order {
    Order::card(money(minor, "VES"), "isp-ve")
}

/// A collector's cash payment for `lender-mx`.
pub fn cash_order(client: &str, minor: i64, debt_minor: i64) -> Order {
    let card = Order::card(money(minor, "MXN"), "lender-mx");
    let tags = [
        ("01", "lender-mx".to_owned()),
        ("02", client.to_owned()),
        ("04", "OPER01".to_owned()),
        ("05", "58341122".to_owned()),
        ("07", "credimax".to_owned()),
        ("09", debt_minor.to_string()),
    ];
    Order {
        processing_code: "510000",
        extra: card.extra.clone().without(2).without(14),
        private: tags.to_vec(),
        ..card
    }
}

/// How often the issuer took money for a payment and did not give it back.
pub fn net_debits(effect: &Effect) -> i64 {
    i64::from(effect.debits) - i64::from(effect.reversals.min(effect.debits))
}
