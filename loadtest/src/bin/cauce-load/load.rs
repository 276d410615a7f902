//! The options every load has, and what they become.

mod http;
mod workload;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use loadtest::drive::ready::{self, NotReady, WaitLimits};
use loadtest::drive::record::Second;
use loadtest::drive::{DriveSettings, Entrance, Keep, Run, drive};
use loadtest::report::machine::ProcessUse;
use loadtest::report::search::SearchLimit;
use loadtest::report::units::duration as shown;
use loadtest::simulator::issuer::{Issuer, IssuerHandle, IssuerSettings};
use loadtest::workload::schedule::{Pace, RANDOM_ARRIVALS_MAX, RATE_MAX, REQUESTS_MAX};
use tokio_util::sync::CancellationToken;

use crate::{say, usage};
use http::HttpArgs;
use workload::WorkloadArgs;

/// Longest run, seconds.
pub const SECONDS_MAX: u64 = 86_400;

/// How long the switch is waited for.
const SWITCH_WAIT: Duration = Duration::from_secs(10);
/// How long its line to the hosted bank is: longer than the longest pause between its attempts, of
/// `reconnect_max_ms = 10000` and a quarter more.
const LINE_WAIT: Duration = Duration::from_secs(15);

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
    /// Where the hosted issuer writes what it saw, for later. The audit of this
    /// run knows it without the file.
    #[arg(long, value_name = "FILE", help_heading = BANK)]
    pub issuer_truth: Option<PathBuf>,
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
    fn requests_max(&self) -> u64 {
        if self.poisson { RANDOM_ARRIVALS_MAX } else { REQUESTS_MAX }
    }

    /// The greatest rate of a search up to `to` that holds each rate for `hold` seconds (at least
    /// 1), and what limits it: the harness's own limits come before `to`.
    pub fn search_limit(&self, to: u64, hold: u64) -> (u64, SearchLimit) {
        let by_requests = self.requests_max() / hold;
        let limit = match (by_requests < to, self.poisson) {
            (true, true) => SearchLimit::RandomArrivals,
            (true, false) => SearchLimit::Requests,
            (false, _) if to >= RATE_MAX => SearchLimit::Harness,
            (false, _) => SearchLimit::Option,
        };
        (to.min(by_requests), limit)
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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        load: LoadArgs,
    }

    #[test]
    fn the_greatest_rate_of_a_search_keeps_within_the_limits_of_a_run() {
        let check = |options: &[&str], to, hold, expect| {
            let cli = Cli::try_parse_from([&["load"], options].concat());
            assert_eq!(cli.unwrap().load.search_limit(to, hold), expect);
        };
        check(&[], 500_000, 30, (500_000, SearchLimit::Option));
        check(&[], 1_000_000, 30, (1_000_000, SearchLimit::Harness));
        check(&[], 500_000, 1_000, (100_000, SearchLimit::Requests));
        check(&["--poisson"], 500_000, 100, (200_000, SearchLimit::RandomArrivals));
        check(&["--poisson"], 200_000, 100, (200_000, SearchLimit::Option));
    }
}
