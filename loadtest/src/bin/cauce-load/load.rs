//! The options every load has, and what they become.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use loadtest::drive::api::{ApiKey, rail};
use loadtest::drive::ready::{self, NotReady, WaitLimits};
use loadtest::drive::record::Second;
use loadtest::drive::{DriveSettings, Entrance, Keep, Run, drive};
use loadtest::report::machine::ProcessUse;
use loadtest::report::units::duration as shown;
use loadtest::simulator::issuer::{Issuer, IssuerHandle, IssuerSettings};
use loadtest::workload::schedule::Pace;
use loadtest::workload::{Shares, Workload};
use router::id::BillerId;
use router::money::Currency;
use tokio_util::sync::CancellationToken;

use crate::{say, usage};

/// Greatest rate, requests a second; no machine sends more.
pub const RATE_MAX: u64 = 1_000_000;
/// Longest run, seconds.
pub const SECONDS_MAX: u64 = 86_400;
/// Requests of one run; their references have eight digits for the number.
const REQUESTS_MAX: u64 = 100_000_000;
/// Random arrivals of one run; they are drawn before it begins, 8 bytes each.
const RANDOM_MAX: u64 = 20_000_000;

/// How long the switch is waited for.
const SWITCH_WAIT: Duration = Duration::from_secs(10);
/// How long its line to the hosted bank is: longer than the longest pause between its attempts, of
/// `reconnect_max_ms = 10000` and a quarter more.
const LINE_WAIT: Duration = Duration::from_secs(15);

const API: &str = "Over the JSON API";
const WORKLOAD: &str = "What is paid";
const BANK: &str = "A bank in this process";

/// Options of a load.
#[derive(Debug, Args)]
pub struct LoadArgs {
    /// ISO 8583 address of the switch; loopback only.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8583",
        value_parser = usage::target)]
    target: SocketAddr,
    /// DE32 of the sign-on and of every request: the `acquirer_id` of a
    /// participant of the switch.
    #[arg(long, value_name = "DE32", default_value = "700001")]
    acquirer_id: String,
    /// Lines to the switch, or connections of the JSON API, where each has one
    /// request open [default: 16; 64 with --http].
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    connections: Option<u32>,
    /// Requests open at most on each line.
    #[arg(long, value_name = "COUNT", default_value_t = 32,
        value_parser = clap::value_parser!(u32).range(1..=10_000))]
    in_flight: u32,
    /// Seconds until the client gives a request up; longer than the switch's
    /// own deadline.
    #[arg(long, value_name = "SECONDS", default_value_t = 60,
        value_parser = clap::value_parser!(u64).range(1..=3_600))]
    answer_deadline: u64,
    /// An approval that comes later than this is counted as slow, milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 1_000)]
    slow_ms: u64,
    /// Random arrivals instead of even ones.
    #[arg(long)]
    poisson: bool,
    /// Watch the processor time and memory of this process; may be given
    /// several times.
    #[arg(long)]
    pid: Vec<u32>,
    /// Seconds to wait for the switch, and then for its line to the hosted bank
    /// [default: 10 and 15].
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(0..=3_600))]
    wait: Option<u64>,
    /// The JSON API instead of ISO 8583.
    #[command(flatten)]
    http: HttpArgs,
    /// What is paid.
    #[command(flatten)]
    workload: WorkloadArgs,
    /// The bank in this process.
    #[command(flatten)]
    pub issuer: IssuerArgs,
}

/// Options of a load over the JSON API.
#[derive(Debug, Args)]
struct HttpArgs {
    /// Pay over the JSON API of the switch, at this address
    /// [without one: http://127.0.0.1:8080].
    #[arg(long, value_name = "URL", num_args = 0..=1, default_missing_value = "127.0.0.1:8080",
        value_parser = usage::http_target, help_heading = API,
        conflicts_with_all = ["target", "acquirer_id", "in_flight"])]
    http: Option<SocketAddr>,
    /// File with the API key of a biller, as `cauce key create` prints it; the
    /// key may be in the variable LOAD_API_KEY instead.
    #[arg(long, value_name = "FILE", help_heading = API, requires = "http")]
    api_key_file: Option<PathBuf>,
    /// The API key itself; other users of this machine may see it.
    #[arg(long, value_name = "KEY", env = "LOAD_API_KEY", hide_env_values = true,
        help_heading = API, conflicts_with = "api_key_file")]
    api_key: Option<String>,
}

/// What the payments are made of.
#[derive(Debug, Args)]
struct WorkloadArgs {
    /// Everything about payment number i is a function of this and of i.
    #[arg(long, default_value_t = 1, help_heading = WORKLOAD)]
    seed: u64,
    /// Shares in per cent that the simulated bank declines, never answers, or
    /// answers late, and that the client asks for twice:
    /// `declines=5,silents=0.1,lates=0.1,duplicates=1`.
    #[arg(long, default_value = "", hide_default_value = true, help_heading = WORKLOAD)]
    shares: Shares,
    /// Processing code, DE3: 000000 account debit, 510000 collector cash.
    #[arg(long, value_name = "DE3", default_value = "000000", help_heading = WORKLOAD)]
    processing_code: String,
    /// Currency, ISO 4217.
    #[arg(long, default_value = "VES", help_heading = WORKLOAD)]
    currency: String,
    /// Biller paid (DE48 tag 01; empty sends no DE48); over HTTP the owner of
    /// the API key.
    #[arg(long, default_value = "isp-ve", help_heading = WORKLOAD)]
    biller: String,
    /// First six digits of the test cards.
    #[arg(long, value_name = "DIGITS", default_value = "400000", help_heading = WORKLOAD)]
    bin: String,
    /// Clients that share the payments (DE48 tag 02); 0 gives each payment its
    /// own.
    #[arg(long, value_name = "COUNT", default_value_t = 0, help_heading = WORKLOAD)]
    clients: u64,
    /// Least amount in major units.
    #[arg(long, value_name = "AMOUNT", default_value_t = 10, help_heading = WORKLOAD,
        value_parser = clap::value_parser!(u64).range(1..=9_999_999_999))]
    amount_min: u64,
    /// Greatest amount in major units.
    #[arg(long, value_name = "AMOUNT", default_value_t = 500, help_heading = WORKLOAD,
        value_parser = clap::value_parser!(u64).range(1..=9_999_999_999))]
    amount_max: u64,
}

/// Options of a bank hosted by the load itself.
#[derive(Debug, Args)]
pub struct IssuerArgs {
    /// Host a simulated issuer at this address: `connect` of a participant of
    /// the switch. The load begins once the switch has signed on there.
    #[arg(long, value_name = "ADDRESS", value_parser = usage::loopback, help_heading = BANK)]
    issuer_listen: Option<SocketAddr>,
    /// Participant the hosted issuer plays.
    #[arg(long, value_name = "ID", default_value = "bank-a", help_heading = BANK)]
    pub issuer_participant: String,
    /// When the hosted issuer answers late payments, milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 30_000, help_heading = BANK)]
    issuer_late_ms: u64,
    /// Where the hosted issuer writes what it saw.
    #[arg(long, value_name = "FILE", help_heading = BANK)]
    issuer_truth: Option<PathBuf>,
}

impl LoadArgs {
    /// Whether a bank is hosted in this process.
    pub fn hosts_issuer(&self) -> bool {
        self.issuer.issuer_listen.is_some()
    }

    /// The settings of one run.
    ///
    /// Errors: a wrong command line.
    pub fn settings(
        &self,
        rate: Option<u64>,
        duration: Duration,
        keep: Keep,
    ) -> anyhow::Result<DriveSettings> {
        let entrance = self.entrance()?;
        let requests = rate.unwrap_or(0).saturating_mul(duration.as_secs());
        let most = self.requests_max();
        if requests > most {
            return Err(usage::wrong(format!("{requests} requests in one run; at most {most}")));
        }
        if self.poisson && rate.is_none() {
            return Err(usage::wrong("--poisson needs a rate; `max` has no arrivals of its own"));
        }
        let missing = self.pid.iter().find(|pid| ProcessUse::of(**pid).is_none());
        if let Some(pid) = missing {
            return Err(usage::wrong(format!("--pid {pid}: there is no such process")));
        }
        let seed = self.workload.seed;
        let pace = match rate {
            None => Pace::Max,
            Some(per_second) if self.poisson => Pace::Poisson { per_second, seed },
            Some(per_second) => Pace::Constant { per_second },
        };
        let is_http = matches!(entrance, Entrance::Http { .. });
        let target = self.http.http.unwrap_or(self.target);
        if self.issuer.issuer_listen == Some(target) {
            return Err(usage::wrong("--issuer-listen is the address of the switch itself"));
        }
        Ok(DriveSettings {
            target,
            entrance,
            pace,
            duration,
            connections: self.connections.unwrap_or(if is_http { 64 } else { 16 }),
            in_flight: self.in_flight,
            slow_after: Duration::from_millis(self.slow_ms),
            answer_deadline: Duration::from_secs(self.answer_deadline),
            workload: self.workload.checked(is_http)?,
            keep,
        })
    }

    /// Requests that one run may have.
    pub fn requests_max(&self) -> u64 {
        if self.poisson { RANDOM_MAX } else { REQUESTS_MAX }
    }

    fn entrance(&self) -> anyhow::Result<Entrance> {
        if self.http.http.is_some() {
            return Ok(Entrance::Http { api_key: self.http.api_key()? });
        }
        let acquirer_id = self.acquirer_id.clone();
        let is_digits = acquirer_id.bytes().all(|byte| byte.is_ascii_digit());
        match is_digits && (1..=11).contains(&acquirer_id.len()) {
            true => Ok(Entrance::Iso8583 { acquirer_id }),
            false => Err(usage::wrong("--acquirer-id takes 1 to 11 digits (DE32)")),
        }
    }

    /// Starts the hosted bank, where one is wanted.
    ///
    /// Errors: an address that is taken, a file that cannot be written.
    pub async fn host_issuer(&self) -> anyhow::Result<Option<IssuerHandle>> {
        let Some(listen) = self.issuer.issuer_listen else { return Ok(None) };
        self.issuer.issuer_truth.iter().try_for_each(|path| usage::writable(path))?;
        let settings = IssuerSettings {
            listen,
            seed: self.workload.seed,
            truth: self.issuer.issuer_truth.clone(),
            late_after: Duration::from_millis(self.issuer.issuer_late_ms),
            ..IssuerSettings::new(&self.issuer.issuer_participant)
        };
        let issuer = Issuer::start(settings).await.with_context(|| {
            format!("the hosted bank cannot listen at {listen}; see --issuer-listen")
        })?;
        say(&format!("bank {} listens at {}", self.issuer.issuer_participant, issuer.addr()));
        Ok(Some(issuer))
    }

    /// Waits until the switch takes payments and has its line to the hosted bank; false when the
    /// waiting was stopped.
    ///
    /// Errors: the switch, or its line, is not there in time, or refuses the load.
    pub async fn is_ready(
        &self,
        settings: &DriveSettings,
        issuer: Option<&IssuerHandle>,
        stop: &CancellationToken,
    ) -> anyhow::Result<bool> {
        let limits = match self.wait.map(Duration::from_secs) {
            Some(wait) => WaitLimits { switch: wait, line: wait },
            None => WaitLimits { switch: SWITCH_WAIT, line: LINE_WAIT },
        };
        match ready::wait(settings, issuer, limits, stop, say).await {
            Ok(()) => Ok(true),
            Err(NotReady::Stopped) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes one run, and tells each second.
    ///
    /// Errors: the switch no longer takes lines.
    pub async fn drive(
        &self,
        settings: &DriveSettings,
        stop: &CancellationToken,
    ) -> anyhow::Result<Run> {
        let give_up = tokio::time::Instant::now() + SWITCH_WAIT;
        loop {
            match drive(settings.clone(), stop, tell).await {
                Err(error) if !error.is_final() && tokio::time::Instant::now() < give_up => {
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

impl HttpArgs {
    fn api_key(&self) -> anyhow::Result<ApiKey> {
        let text = match (&self.api_key_file, &self.api_key) {
            (Some(path), _) => std::fs::read_to_string(path)
                .map_err(|error| usage::wrong(format!("{}: {error}", path.display())))?,
            (None, Some(key)) => key.clone(),
            (None, None) => {
                return Err(usage::wrong(
                    "--http needs an API key: --api-key-file, or LOAD_API_KEY; \
                     `cauce key create --role biller --owner ID` makes one",
                ));
            }
        };
        ApiKey::new(&text)
            .ok_or_else(|| usage::wrong("the API key is empty or not one line of text"))
    }
}

impl WorkloadArgs {
    fn checked(&self, is_http: bool) -> anyhow::Result<Workload> {
        let Some(currency) = Currency::from_code(&self.currency) else {
            let code = &self.currency;
            return Err(usage::wrong(format!("`{code}` is not a currency of ISO 4217")));
        };
        let is_digits = |text: &str| text.len() == 6 && text.bytes().all(|b| b.is_ascii_digit());
        if !is_digits(&self.bin) {
            return Err(usage::wrong("--bin takes six digits"));
        }
        if !is_digits(&self.processing_code) {
            return Err(usage::wrong("--processing-code takes six digits (DE3)"));
        }
        if is_http && rail(&self.processing_code).is_none() {
            return Err(usage::wrong("over HTTP --processing-code begins with 00 or 51"));
        }
        if self.amount_min > self.amount_max {
            return Err(usage::wrong("--amount-min is greater than --amount-max"));
        }
        if !self.biller.is_empty() && BillerId::new(&self.biller).is_err() {
            return Err(usage::wrong("--biller takes 1 to 24 characters of an id"));
        }
        Ok(Workload {
            seed: self.seed,
            shares: self.shares,
            processing_code: self.processing_code.clone(),
            currency,
            major_min: self.amount_min,
            major_max: self.amount_max,
            biller: (!self.biller.is_empty()).then(|| self.biller.clone()),
            bin: self.bin.clone(),
            clients: self.clients,
        })
    }
}

fn tell(second: &Second) {
    let latency = |us| if second.answered == 0 { "-".to_owned() } else { shown(us) };
    say(&format!(
        "{:>5} s  sent {:>6}  approved {:>6}  open {:>5}  p50 {:>7}  p99 {:>7}",
        second.second + 1,
        second.sent,
        second.approved,
        second.open,
        latency(second.p50_us),
        latency(second.p99_us)
    ));
}
