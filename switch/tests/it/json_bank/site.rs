//! A switch in a process of its own beside a bank with a JSON API, with a cable between the two.

use loadtest::simulator::issuer::IssuerHandle;
use loadtest::simulator::json_bank::{JsonBank, JsonBankHandle, JsonBankSettings};
use rig::Proxy;
use serde_json::Value;
use tempfile::TempDir;

use super::{entry, example, keys};
use crate::api::{Api, Reply};
use crate::harness::{eventually, issuer};
use crate::program::{Running, Site};

/// The program, its banks and its folder. It does not run yet.
pub struct JsonSite {
    pub site: Site,
    pub bank: JsonBankHandle,
    /// Between the switch and the bank.
    pub cable: Proxy,
    _issuer: IssuerHandle,
    _files: TempDir,
}

impl JsonSite {
    /// A bank that listens, and a switch that gives it so long for an answer.
    pub async fn new(timeout_ms: u64, settings: JsonBankSettings) -> Self {
        let (issuer, files) = (issuer().await, TempDir::new().expect("a folder"));
        let settings = JsonBankSettings { keys: keys(), ..settings };
        let bank = JsonBank::start(settings).await.expect("a bank");
        let cable = Proxy::start(&bank.addr().to_string()).expect("a proxy");
        let url = format!("http://{}", cable.address());
        let extra = entry(files.path(), &url, timeout_ms, &example());
        let site = Site::new(issuer.addr(), &extra);
        Self { site, bank, cable, _issuer: issuer, _files: files }
    }

    /// Starts the program; comes back when it takes payments.
    pub async fn start(&self) -> Running {
        let running = self.site.start();
        self.site.bank().await;
        self.site.wait_for_lines("bank-b").await;
        // Until then, whether a bill is registered is not known.
        eventually("the back office to be open", async || {
            self.site.metrics().await.contains("cauce_backoffice_up 1").then_some(())
        })
        .await;
        running
    }

    pub fn api(&self) -> Api {
        self.site.api("isp-ve")
    }

    /// The payment as the switch tells it, once it is in a state.
    pub async fn told(&self, api: &Api, id: &str, state: &str) -> Value {
        let path = format!("/v1/payments/{id}");
        eventually(&format!("{id} to be {state}"), async || {
            let told: Reply = api.get(&path).await;
            (told.text("/state") == state).then_some(told.body)
        })
        .await
    }

    /// What the payer has lost at the bank.
    pub fn stands(&self, id: &str) -> Option<u64> {
        self.bank.debit(id).map(|debit| debit.stands_minor())
    }

    /// Lines of the log that hold all of these texts.
    pub fn logged(&self, texts: &[&str]) -> Vec<String> {
        let log = std::fs::read_to_string(self.site.log()).unwrap_or_default();
        let lines = log.lines().filter(|line| texts.iter().all(|text| line.contains(text)));
        lines.map(str::to_owned).collect()
    }

    /// What was counted of a series; 0 where there is none.
    pub async fn counted(&self, series: &str) -> u64 {
        let text = self.site.metrics().await;
        let of_series = text.lines().filter(|line| line.starts_with(series));
        of_series.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
    }
}
