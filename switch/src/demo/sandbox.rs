//! What surrounds the switch in the demonstration: simulated issuers and merchants, the billers'
//! keys and endpoints.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use loadtest::simulator::issuer::{Issuer, IssuerHandle, IssuerSettings};
use loadtest::simulator::merchant::{
    BillerEndpoint, Merchant, MerchantError, MerchantHandle, MerchantSettings, Script,
};
use serde_json::json;

use super::client::ApiClient;
use super::told;
use crate::app::App;
use crate::keys::{self, Role};

/// File of what the simulated issuers saw, in the data folder.
pub(super) const ISSUER_LOG: &str = "issuer.jsonl";
/// File of what the simulated merchants heard, in the data folder.
pub(super) const MERCHANT_LOG: &str = "merchant.jsonl";
/// Longer than the participants' time limit in demo.toml.
const LATE_AFTER: Duration = Duration::from_millis(1500);
/// The simulated issuers, by the participant each plays.
const ISSUERS: [&str; 2] = ["bank-b", "credit-host"];

/// The billers: id, the business it stands for, currency.
pub(super) const BILLERS: [(&str, &str, &str); 5] = [
    ("isp-ve", "LINK 2", "VES"),
    ("issuer-ro", "Unifiedpost", "RON"),
    ("company-ar", "PagoMisCuentas", "ARS"),
    ("lender-mx", "aKPago", "MXN"),
    ("creditor-it", "SinerPay", "EUR"),
];

/// Why the sandbox failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum SandboxError {
    /// A file or socket failed.
    #[error("a file or socket failed")]
    Io(#[from] io::Error),
    /// The simulated merchant did not start.
    #[error("the simulated merchant did not start")]
    Merchant(#[from] MerchantError),
    /// A request to the switch's API could not be made.
    #[error("a request to the API could not be made")]
    Request(#[from] http::Error),
    /// The switch's API did not answer.
    #[error("the API did not answer")]
    Client(#[from] hyper_util::client::legacy::Error),
    /// The switch's API's answer could not be read.
    #[error("the answer of the API could not be read")]
    Body(#[from] hyper::Error),
    /// The switch's API refused something the demonstration needs.
    #[error("the API refused {what} with {status}")]
    Refused {
        /// What was asked.
        what: &'static str,
        /// HTTP status.
        status: http::StatusCode,
    },
    /// A signing secret cannot be read.
    #[error("a signing secret cannot be read")]
    Secret(#[from] loadtest::simulator::merchant::signature::SignatureError),
}

/// One biller of the demonstration.
#[derive(Debug, Clone)]
pub(super) struct DemoBiller {
    pub(super) id: &'static str,
    pub(super) profile: &'static str,
    pub(super) currency: &'static str,
    pub(super) api_key: String,
    pub(super) webhook_secret: String,
}

/// What surrounds the switch.
pub(super) struct Sandbox {
    issuers: Vec<IssuerHandle>,
    pub(super) merchant: MerchantHandle,
    pub(super) billers: Vec<DemoBiller>,
}

impl Sandbox {
    /// Starts simulated issuers and merchants that write their logs into the data folder; those
    /// of an earlier demonstration in that folder come back at their old address.
    pub(super) async fn start(dir: &Path) -> Result<Self, SandboxError> {
        let mut issuers = Vec::new();
        for participant in ISSUERS {
            let settings = IssuerSettings {
                truth: Some(dir.join(ISSUER_LOG)),
                late_after: LATE_AFTER,
                ..IssuerSettings::new(participant)
            };
            issuers.push(Issuer::start(settings).await?);
        }
        let earlier = told::read(dir);
        let known = earlier.as_ref().map_or(&[][..], |earlier| &earlier.billers);
        let free = SocketAddr::from(([127, 0, 0, 1], 0));
        let settings = MerchantSettings {
            listen: earlier.as_ref().and_then(|earlier| earlier.merchant).unwrap_or(free),
            log: Some(dir.join(MERCHANT_LOG)),
            billers: BILLERS.iter().map(|(id, _, _)| endpoint(id, known)).collect(),
        };
        let merchant = Merchant::start(settings).await?;
        let billers = earlier.map(|earlier| earlier.billers).unwrap_or_default();
        Ok(Self { issuers, merchant, billers })
    }

    /// The demonstration's configuration with the issuers' addresses in it.
    pub(super) fn with_addresses(&self, config: &str) -> String {
        let mut text = config.to_owned();
        for (participant, issuer) in ISSUERS.iter().zip(&self.issuers) {
            let from = format!("id = \"{participant}\"");
            if let Some(at) = text.find(&from) {
                let rest = text.split_off(at);
                let address = format!("connect = \"{}\"", issuer.addr());
                text.push_str(&rest.replacen("connect = \"127.0.0.1:1\"", &address, 1));
            }
        }
        text
    }

    /// Gives each biller an API key and, through the API, an endpoint at the simulated merchant.
    pub(super) async fn open_endpoints(
        &mut self,
        app: &App,
        dir: &Path,
    ) -> Result<(), SandboxError> {
        if !self.billers.is_empty() {
            return Ok(());
        }
        for (id, profile, currency) in BILLERS {
            let api_key = keys::create(dir, Role::Biller, id)?;
            let client = ApiClient::new(&format!("http://{}", app.addresses.http), &api_key);
            let url = self.merchant.url(&format!("/{id}"));
            let reply = client.post("/v1/endpoints", None, &json!({ "url": url })).await?;
            if !reply.status.is_success() {
                let (what, status) = ("an endpoint", reply.status);
                return Err(SandboxError::Refused { what, status });
            }
            let webhook_secret = reply.text("secret").to_owned();
            self.merchant.set_secret(&format!("/{id}"), &webhook_secret)?;
            self.billers.push(DemoBiller { id, profile, currency, api_key, webhook_secret });
        }
        Ok(())
    }

    /// The biller of an id.
    pub(super) fn biller(&self, id: &str) -> Option<&DemoBiller> {
        self.billers.iter().find(|biller| biller.id == id)
    }

    /// Stops the simulators; their logs are complete then.
    pub(super) async fn stop(self) {
        for issuer in self.issuers {
            if let Err(error) = issuer.stop().await {
                tracing::warn!(%error, "the log of a simulated issuer is not complete");
            }
        }
        if let Err(error) = self.merchant.stop().await {
            tracing::warn!(%error, "the log of the simulated merchant is not complete");
        }
    }
}

/// A biller's address; its secret is one that nobody knows until the switch has given one.
fn endpoint(id: &str, known: &[DemoBiller]) -> BillerEndpoint {
    let given = known.iter().find(|biller| biller.id == id);
    let secret = given.map(|biller| biller.webhook_secret.clone());
    let secret =
        secret.unwrap_or_else(|| format!("whsec_{}", STANDARD.encode(rand::random::<[u8; 32]>())));
    BillerEndpoint { path: format!("/{id}"), secret, script: Script::Accept }
}
