//! The options every load has, and what they become.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use loadtest::drive::record::Second;
use loadtest::drive::{DriveError, DriveSettings, Keep, Run, drive};
use loadtest::report::machine::ProcessUse;
use loadtest::simulator::issuer::{Issuer, IssuerHandle, IssuerSettings};
use loadtest::workload::schedule::Pace;
use loadtest::workload::{Shares, Workload};
use router::money::Currency;

use crate::say;

/// Options of a load.
#[derive(Debug, Args)]
pub struct LoadArgs {
    /// ISO 8583 address of the switch; loopback only.
    #[arg(long, default_value = "127.0.0.1:8583")]
    pub target: SocketAddr,
    /// DE32 of the sign-on and of every request.
    #[arg(long, default_value = "700001")]
    pub acquirer_id: String,
    /// Lines to the switch.
    #[arg(long, default_value_t = 16)]
    pub connections: u32,
    /// Requests open at most on each line.
    #[arg(long, default_value_t = 32)]
    pub in_flight: u32,
    /// Seconds until the client gives a request up; longer than the switch's own deadline.
    #[arg(long, default_value_t = 60)]
    pub answer_deadline: u64,
    /// Everything about payment number i is a function of this and of i.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Shares in per cent: `declines=5,silents=0.1,lates=0.1,duplicates=1`.
    #[arg(long, default_value = "")]
    pub shares: Shares,
    /// Random arrivals instead of even ones.
    #[arg(long)]
    pub poisson: bool,
    /// Processing code, DE3: 000000 account debit, 510000 collector cash.
    #[arg(long, default_value = "000000")]
    pub processing_code: String,
    /// Currency, ISO 4217.
    #[arg(long, default_value = "VES")]
    pub currency: String,
    /// Biller paid (DE48 tag 01); empty sends no DE48.
    #[arg(long, default_value = "isp-ve")]
    pub biller: String,
    /// First six digits of the test cards.
    #[arg(long, default_value = "400000")]
    pub bin: String,
    /// Clients that share the payments (DE48 tag 02); 0 gives each payment its own.
    #[arg(long, default_value_t = 0)]
    pub clients: u64,
    /// Least amount in major units.
    #[arg(long, default_value_t = 10)]
    pub amount_min: u64,
    /// Greatest amount in major units.
    #[arg(long, default_value_t = 500)]
    pub amount_max: u64,
    /// Watch the processor time and memory of this process; may be given several times.
    #[arg(long)]
    pub pid: Vec<u32>,
    /// Seconds to wait for the switch to take lines.
    #[arg(long, default_value_t = 10)]
    pub wait: u64,
    /// The bank in this process.
    #[command(flatten)]
    pub issuer: IssuerArgs,
}

/// Options of a bank hosted by the load itself.
#[derive(Debug, Args)]
pub struct IssuerArgs {
    /// Host a simulated issuer at this address.
    #[arg(long)]
    pub issuer_listen: Option<SocketAddr>,
    /// Participant the hosted issuer plays.
    #[arg(long, default_value = "bank-a")]
    pub issuer_participant: String,
    /// When the hosted issuer answers late payments, milliseconds.
    #[arg(long, default_value_t = 30_000)]
    pub issuer_late_ms: u64,
    /// Where the hosted issuer writes what it saw.
    #[arg(long)]
    pub issuer_truth: Option<PathBuf>,
}

impl LoadArgs {
    /// The settings of one run.
    pub fn settings(
        &self,
        rate: Option<u64>,
        duration: Duration,
        keep: Keep,
    ) -> anyhow::Result<DriveSettings> {
        let Some(currency) = Currency::from_code(&self.currency) else {
            bail!("`{}` is not a currency of ISO 4217", self.currency);
        };
        if self.bin.len() != 6 || !self.bin.bytes().all(|byte| byte.is_ascii_digit()) {
            bail!("--bin takes six digits");
        }
        if self.amount_min > self.amount_max {
            bail!("--amount-min is greater than --amount-max");
        }
        let pace = match rate {
            None => Pace::Max,
            Some(0) => bail!("a rate of nothing loads nothing"),
            Some(per_second) if self.poisson => Pace::Poisson { per_second, seed: self.seed },
            Some(per_second) => Pace::Constant { per_second },
        };
        Ok(DriveSettings {
            target: self.target,
            acquirer_id: self.acquirer_id.clone(),
            pace,
            duration,
            connections: self.connections,
            in_flight: self.in_flight,
            answer_deadline: Duration::from_secs(self.answer_deadline),
            workload: Workload {
                seed: self.seed,
                shares: self.shares,
                processing_code: self.processing_code.clone(),
                currency,
                major_min: self.amount_min,
                major_max: self.amount_max,
                biller: (!self.biller.is_empty()).then(|| self.biller.clone()),
                bin: self.bin.clone(),
                clients: self.clients,
            },
            keep,
        })
    }

    /// Starts the hosted bank, where one is wanted.
    pub async fn host_issuer(&self) -> anyhow::Result<Option<IssuerHandle>> {
        let Some(listen) = self.issuer.issuer_listen else { return Ok(None) };
        if !listen.ip().is_loopback() {
            bail!("{listen} is not a loopback address");
        }
        let settings = IssuerSettings {
            listen,
            seed: self.seed,
            truth: self.issuer.issuer_truth.clone(),
            late_after: Duration::from_millis(self.issuer.issuer_late_ms),
            ..IssuerSettings::new(&self.issuer.issuer_participant)
        };
        let issuer = Issuer::start(settings).await.context("the hosted issuer")?;
        say(&format!("issuer {} listens at {}", self.issuer.issuer_participant, issuer.addr()));
        Ok(Some(issuer))
    }

    /// Makes one run; waits for the switch to take lines, and tells each second.
    pub async fn drive(&self, settings: &DriveSettings) -> anyhow::Result<Run> {
        let give_up = tokio::time::Instant::now() + Duration::from_secs(self.wait);
        loop {
            match drive(settings.clone(), tell).await {
                Err(DriveError::Line { .. }) if tokio::time::Instant::now() < give_up => {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                result => return Ok(result?),
            }
        }
    }

    /// Looks at the watched processes, this one first.
    pub fn processes(&self) -> Vec<ProcessUse> {
        let own = std::iter::once(std::process::id());
        own.chain(self.pid.iter().copied()).filter_map(ProcessUse::of).collect()
    }
}

fn tell(second: &Second) {
    say(&format!(
        "{:>5} s  sent {:>7}  answered {:>7}  open {:>6}  p50 {:>7} µs  p99 {:>8} µs  max {:>8} µs",
        second.second + 1,
        second.sent,
        second.answered,
        second.open,
        second.p50_us,
        second.p99_us,
        second.max_us
    ));
}
