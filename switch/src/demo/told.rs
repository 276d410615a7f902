//! What the demonstration tells: `demo.json` for programs, lines for people.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::TourOutcome;
use super::sandbox::{BILLERS, DemoBiller, ISSUER_LOG, MERCHANT_LOG, Sandbox};
use super::screen;
use crate::app::App;

/// The file for programs, in the data folder.
pub(super) const FILE_NAME: &str = "demo.json";

/// What a later demonstration in the same folder needs of an earlier one.
pub(super) struct Earlier {
    pub(super) billers: Vec<DemoBiller>,
    pub(super) merchant: Option<SocketAddr>,
}

/// Writes `demo.json`.
pub(super) fn write(dir: &Path, app: &App, sandbox: &Sandbox) -> io::Result<()> {
    let http = format!("http://{}", app.addresses.http);
    let billers: Vec<Value> = sandbox
        .billers
        .iter()
        .map(|biller| {
            json!({
                "id": biller.id,
                "profile": biller.profile,
                "api_key": biller.api_key,
                "currency": biller.currency,
                "webhook_secret": biller.webhook_secret,
            })
        })
        .collect();
    let text = json!({
        "http": http,
        "iso8583": app.addresses.iso8583.to_string(),
        "admin": format!("http://{}", app.addresses.admin),
        "participants": participants(app),
        "billers": billers,
        "operators": [{
            "id": "OPER01",
            "despacho": "DESPACHO0000001",
            "terminal": "TERM0001",
            "pin_or_password": null,
            "float_ref": "58341122",
        }],
        "console": { "url": null, "users": [] },
        "sandbox": {
            "issuer_log": ISSUER_LOG,
            "merchant_log": MERCHANT_LOG,
            "merchant": sandbox.merchant.addr().to_string(),
        },
    });
    std::fs::write(dir.join(FILE_NAME), format!("{text:#}\n"))
}

/// Reads what an earlier demonstration wrote; none when there is nothing of use.
pub(super) fn read(dir: &Path) -> Option<Earlier> {
    let text = std::fs::read_to_string(dir.join(FILE_NAME)).ok()?;
    let told: Value = serde_json::from_str(&text).ok()?;
    let merchant = told["sandbox"]["merchant"].as_str().and_then(|text| text.parse().ok());
    let known = told["billers"].as_array()?;
    let billers = known.iter().filter_map(|biller| {
        let (id, profile, currency) =
            *BILLERS.iter().find(|(id, _, _)| biller["id"].as_str() == Some(id))?;
        let api_key = biller["api_key"].as_str()?.to_owned();
        let webhook_secret = biller["webhook_secret"].as_str()?.to_owned();
        Some(DemoBiller { id, profile, currency, api_key, webhook_secret })
    });
    Some(Earlier { billers: billers.collect(), merchant })
}

fn participants(app: &App) -> Vec<Value> {
    let policy = app.engine.policy();
    let participants = app.engine.participants();
    let mut all: Vec<_> = participants.iter().collect();
    all.sort_by_key(|participant| participant.id());
    let of = |participant: &&crate::participant::ParticipantAdapter| {
        let id = participant.id();
        let routes = policy.routes.iter().filter(|route| route.to.contains(&id));
        let rails: Vec<&str> =
            routes.flat_map(|route| &route.rails).map(|rail| rail.name()).collect();
        let mut told = json!({ "id": id.as_str(), "kind": participant.kind(), "rails": rails });
        let lines = participants.iso8583_by_id(id);
        if let Some(acquirer_id) = lines.and_then(|lines| lines.config.acquirer_id) {
            told["acquirer_id"] = acquirer_id.as_str().into();
        }
        told
    };
    all.iter().map(of).collect()
}

/// Says that an earlier demonstration is continued.
pub(super) fn continued(dir: &Path) -> TourOutcome {
    let dir = dir.display();
    screen::wrapped(&format!("Continuing the demonstration in {dir}; the tour was made before."));
    TourOutcome::Whole { went_well: true }
}

/// Says where everything is: addresses that answer, files that are there.
pub(super) fn addresses(dir: &Path, app: &App) {
    let (http, admin) = (app.addresses.http, app.addresses.admin);
    screen::line("");
    screen::entry("JSON API", &format!("http://{http}/openapi.json describes it"));
    screen::entry("ISO 8583", &format!("{} (profile cauce-87)", app.addresses.iso8583));
    screen::entry("health", &format!("http://{admin}/healthz and http://{admin}/readyz"));
    screen::entry("metrics", &format!("http://{admin}/metrics"));
    screen::entry("keys, secrets", &dir.join(FILE_NAME).display().to_string());
    screen::entry("notices heard", &dir.join(MERCHANT_LOG).display().to_string());
    screen::entry("what banks saw", &dir.join(ISSUER_LOG).display().to_string());
}

/// Says that the switch stops, and how long that takes at most.
pub(super) fn draining(longest: Duration) {
    let longest = longest.as_secs();
    screen::wrapped(&format!(
        "\nDraining: nothing new is taken, and payments under way are finished; {longest} s at most."
    ));
}
