//! `cauce cluster`: what the nodes share, as an operator sees it.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Subcommand, ValueEnum};
use serde::Serialize;
use storage_cluster::status::{self, LaneStatus, NodeStatus, Status};
use storage_cql::control::AgreedState;

use super::schema::with_servers;
use crate::cluster::cql_settings;
use crate::config::ScyllaConfig;
use crate::configured::{Configured, configuration, told_mistakes};

/// What to know of the cluster.
#[derive(Debug, Subcommand)]
pub(super) enum ClusterCommand {
    /// Show the gate, the nodes and the lanes; exit 1 if something is not well
    Status {
        #[command(flatten)]
        configured: Configured,
        /// Form of the output
        #[arg(long, value_enum, default_value = "text")]
        format: Form,
        /// How long to watch for signs of life, in milliseconds
        #[arg(long, value_name = "MS", default_value_t = 2000)]
        watch_ms: u64,
    },
}

/// Form of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    /// For people
    Text,
    /// One JSON object
    Json,
}

pub(super) fn main(command: &ClusterCommand) -> ExitCode {
    let ClusterCommand::Status { configured, format, watch_ms } = command;
    let watched = Duration::from_millis(*watch_ms);
    let tolerance = match configuration(configured) {
        Ok(config) => config.service.clock.tolerance,
        Err(mistakes) => return told_mistakes(&mistakes),
    };
    with_servers(configured, |config| told(config, *format, (watched, tolerance)))
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "this is a program's own output")]
fn told(config: &ScyllaConfig, form: Form, (watched, tolerance): (Duration, Duration)) -> ExitCode {
    let status = match status::look(&cql_settings(config), watched, std::thread::sleep) {
        Ok(status) => status,
        Err(error) => {
            eprintln!("the cluster cannot be looked at: {}", storage::with_causes(&error));
            return ExitCode::FAILURE;
        }
    };
    let shown = ClusterReport::of(&status, tolerance);
    match form {
        Form::Text => print!("{}", shown.text()),
        Form::Json => match serde_json::to_string(&shown) {
            Ok(json) => println!("{json}"),
            Err(error) => eprintln!("{error}"),
        },
    }
    if shown.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The status as it is printed.
#[derive(Debug, Serialize)]
struct ClusterReport {
    gate: Option<Gate>,
    nodes: Vec<Node>,
    lanes: Vec<ReportedLane>,
    problems: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Gate {
    epoch: u64,
    state: &'static str,
    pin: String,
    changed_by: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    progress: String,
}

#[derive(Debug, Serialize)]
struct Node {
    name: String,
    is_alive: bool,
    address: String,
    version: String,
    served_under_epoch: Option<u64>,
    beat: u64,
    rules_version: String,
    /// How far the clock of Redis is ahead of the node's, in milliseconds.
    redis_clock_ahead_ms: Option<i64>,
    #[serde(skip_serializing_if = "String::is_empty")]
    note: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    twin: Option<String>,
}

#[derive(Debug, Serialize)]
struct ReportedLane {
    lane: u16,
    home: String,
    owner: String,
    epoch: u64,
    guard_epoch: u64,
    records: u64,
    lag: u64,
}

impl ClusterReport {
    fn of(status: &Status, tolerance: Duration) -> Self {
        let gate = status.gate.as_ref().map(|row| Gate {
            epoch: row.epoch.0,
            state: match row.state {
                AgreedState::Open => "open",
                AgreedState::Rebuilding => "rebuilding",
            },
            pin: row.pin.to_string(),
            changed_by: row.changed_by.to_string(),
            progress: row.progress.to_string(),
        });
        let nodes: Vec<Node> = status.nodes.iter().map(node).collect();
        let lanes: Vec<ReportedLane> = status.lanes.iter().map(lane).collect();
        let mut problems = problems(gate.as_ref(), &nodes, status);
        problems.extend(clocks(&nodes, tolerance));
        Self { gate, nodes, lanes, problems }
    }

    fn text(&self) -> String {
        let mut out = String::new();
        match &self.gate {
            Some(gate) => {
                let Gate { epoch, state, pin, changed_by, progress } = gate;
                let _ =
                    writeln!(out, "gate   epoch {epoch} {state}, begun by {changed_by} {progress}");
                for shard in pin.split(';').filter(|shard| !shard.is_empty()) {
                    let _ = writeln!(out, "       pinned {shard}");
                }
            }
            None => out.push_str("gate   none yet: no node has started\n"),
        }
        let _ = writeln!(
            out,
            "\n{:<20} {:<6} {:<8} {:<22} {:<10} note",
            "node", "alive", "served", "address", "version"
        );
        for Node { name, is_alive, address, version, served_under_epoch, note, .. } in &self.nodes {
            let served = served_under_epoch.map_or("-".to_owned(), |epoch| epoch.to_string());
            let alive = if *is_alive { "yes" } else { "NO" };
            let _ = writeln!(
                out,
                "{name:<20} {alive:<6} {served:<8} {address:<22} {version:<10} {note}"
            );
        }
        let _ = writeln!(
            out,
            "\n{:<6} {:<20} {:<32} {:>6} {:>6} {:>12} {:>8}",
            "lane", "home", "owner", "epoch", "guard", "records", "lag"
        );
        for ReportedLane { lane, home, owner, epoch, guard_epoch, records, lag } in &self.lanes {
            let _ = writeln!(
                out,
                "{lane:<6} {home:<20} {owner:<32} {epoch:>6} {guard_epoch:>6} {records:>12} {lag:>8}"
            );
        }
        for problem in &self.problems {
            let _ = writeln!(out, "\nproblem: {problem}");
        }
        out
    }
}

fn node(NodeStatus { row, lives, twin }: &NodeStatus) -> Node {
    Node {
        name: row.name.to_string(),
        is_alive: *lives,
        address: row.address.to_string(),
        version: row.version.to_string(),
        served_under_epoch: row.gate_epoch.map(|epoch| epoch.0),
        beat: row.beat,
        rules_version: format!("{:016x}", row.config_version),
        redis_clock_ahead_ms: row.redis_clock_ahead_ms,
        note: row.status.to_string(),
        twin: twin.as_deref().map(str::to_owned),
    }
}

fn lane(LaneStatus { row, records, lag }: &LaneStatus) -> ReportedLane {
    ReportedLane {
        lane: row.lane.0,
        home: row.home.to_string(),
        owner: row.owner.to_string(),
        epoch: row.epoch,
        guard_epoch: row.guard_epoch.0,
        records: *records,
        lag: *lag,
    }
}

/// Nodes whose clock is not that of Redis; or Redis itself, where it differs from all of them.
fn clocks(nodes: &[Node], tolerance: Duration) -> Vec<String> {
    let living: Vec<&Node> = nodes.iter().filter(|node| node.is_alive).collect();
    let is_off = |node: &&&Node| {
        let ahead = node.redis_clock_ahead_ms.unwrap_or_default().unsigned_abs();
        u128::from(ahead) > tolerance.as_millis()
    };
    let off: Vec<&&Node> = living.iter().filter(is_off).collect();
    let told = |node: &&&Node| {
        let ahead_ms = node.redis_clock_ahead_ms.unwrap_or_default();
        let side = if ahead_ms < 0 { "ahead of" } else { "behind" };
        let seconds = ahead_ms.unsigned_abs() / 1_000;
        format!("the clock of {} is {seconds} s {side} that of Redis", node.name)
    };
    let mut told: Vec<String> = off.iter().map(told).collect();
    if off.len() > 1 && off.len() == living.len() {
        told.push(
            "no node agrees with the clock of Redis: set the clock of its machine".to_owned(),
        );
    }
    told
}

/// What an operator should look at.
fn problems(gate: Option<&Gate>, nodes: &[Node], status: &Status) -> Vec<String> {
    let mut problems = Vec::new();
    match gate {
        None => problems.push("no gate: no node has started yet".to_owned()),
        Some(gate) if gate.state != "open" => problems.push(format!(
            "the gate is being rebuilt by {}: new payments are declined (6009)",
            gate.changed_by
        )),
        Some(gate) => {
            let unserved =
                |node: &&Node| node.is_alive && node.served_under_epoch != Some(gate.epoch);
            for node in nodes.iter().filter(unserved) {
                problems.push(format!("{} lives and is not served by the gate", node.name));
            }
        }
    }
    for node in nodes {
        if let Some(twin) = &node.twin {
            problems.push(format!(
                "another process uses the name {}: one is at {}, the other at {twin}",
                node.name, node.address
            ));
        }
    }
    let lives = |name: &str| nodes.iter().any(|node| node.is_alive && node.name == name);
    let mut living = nodes.iter().filter(|node| node.is_alive);
    if let Some(first) = living.next() {
        for other in living.filter(|node| node.rules_version != first.rules_version) {
            problems.push(format!(
                "{} and {} work by different rules: {} and {}",
                first.name, other.name, first.rules_version, other.rules_version
            ));
        }
    }
    for LaneStatus { row, .. } in &status.lanes {
        let is_owned = status.nodes.iter().any(|node| {
            node.lives
                && node.row.name == row.owner.node
                && node.row.incarnation == row.owner.incarnation
        });
        if !is_owned {
            problems.push(format!("lane {}: its owner {} is silent", row.lane, row.owner));
        } else if row.owner.node != row.home && lives(&row.home) {
            // Of a node that is gone for good, or of an import, that is as it should be.
            problems
                .push(format!("lane {} of {} is held by {}", row.lane, row.home, row.owner.node));
        }
    }
    problems
}
