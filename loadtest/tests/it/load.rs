//! The load generator straight against a simulated issuer.

use std::time::Duration;

use loadtest::drive::record::Meaning;
use loadtest::drive::{DriveError, DriveSettings, Entrance, Keep, Run, drive};
use loadtest::simulator::issuer::{Issuer, IssuerHandle, IssuerSettings, Verdict};
use loadtest::workload::Workload;
use loadtest::workload::schedule::Pace;
use router::money::Currency;
use tokio_util::sync::CancellationToken;

fn workload(shares: &str) -> Workload {
    Workload {
        seed: 3,
        shares: shares.parse().unwrap(),
        processing_code: "000000".to_owned(),
        currency: Currency::from_code("MXN").unwrap(),
        major_min: 10,
        major_max: 500,
        biller: Some("isp-ve".to_owned()),
        bin: "400000".to_owned(),
        clients: 0,
    }
}

async fn load(pace: Pace, shares: &str) -> (IssuerHandle, Run) {
    let late_after = Duration::from_millis(40);
    let issuer =
        Issuer::start(IssuerSettings { late_after, ..IssuerSettings::new("bank-a") }).await;
    let issuer = issuer.unwrap();
    let settings = DriveSettings {
        target: issuer.addr(),
        entrance: Entrance::Iso8583 { acquirer_id: "700001".to_owned() },
        slow_after: Duration::from_millis(20),
        pace,
        duration: Duration::from_millis(400),
        connections: 4,
        in_flight: 32,
        answer_deadline: Duration::from_millis(300),
        workload: workload(shares),
        keep: Keep::Answers,
    };
    let run = drive(settings, &CancellationToken::new(), |_| {}).await.unwrap();
    (issuer, run)
}

#[tokio::test]
async fn every_planned_request_is_sent_once_and_accounted_for() {
    let pace = Pace::Constant { per_second: 2_000 };
    let (issuer, run) = load(pace, "declines=20,silents=2,lates=2,duplicates=5").await;
    let counts = run.recorder.counts;
    assert_eq!(run.planned, 800);
    assert_eq!(counts.sent + counts.unsent, 800);
    let ended = counts.approved + counts.declined + counts.no_answer;
    assert_eq!((ended, counts.unknown, counts.line_lost), (counts.sent, 0, 0));
    assert_eq!((counts.repeats_differ, counts.repeats_lost, counts.unmatched), (0, 0, 0));
    assert_eq!(run.recorder.from_planned.len(), 800);
    assert_eq!(issuer.truth().len() as u64, counts.sent);
    for answer in run.answers() {
        let verdict = workload("declines=20,silents=2,lates=2").verdict(answer.index.into());
        let expected = match verdict {
            Verdict::Approve | Verdict::Late => Some(Meaning::Approved),
            Verdict::Decline(code) => {
                assert_eq!(answer.response_code, code);
                Some(Meaning::Declined)
            }
            Verdict::Silent => None,
        };
        let heard = (answer.folio != 0).then(|| Meaning::of(answer.response_code));
        assert_eq!(heard, expected, "payment {}", answer.index);
        assert!(heard.is_none() || answer.folio == run.rrn(answer.index.into()));
    }
    assert!(counts.repeats > 0 && counts.no_answer > 0);
}

#[tokio::test]
async fn a_closed_loop_keeps_its_windows_full_and_leaves_nothing_open() {
    let (issuer, run) = load(Pace::Max, "").await;
    let counts = run.recorder.counts;
    assert_eq!((counts.approved, counts.unsent), (counts.sent, 0));
    assert_eq!(issuer.truth().len() as u64, counts.sent);
    assert!(counts.sent > 128, "{} sent", counts.sent);
}

#[tokio::test]
async fn poisson_requests_are_all_sent() {
    let (_issuer, run) = load(Pace::Poisson { per_second: 1_000, seed: 5 }, "").await;
    assert_eq!(run.recorder.counts.approved + run.recorder.counts.unsent, 400);
}

#[tokio::test]
async fn nothing_but_this_machine_is_loaded() {
    let settings = DriveSettings {
        target: ([192, 0, 2, 1], 8583).into(),
        entrance: Entrance::Iso8583 { acquirer_id: "700001".to_owned() },
        slow_after: Duration::from_millis(20),
        pace: Pace::Max,
        duration: Duration::from_secs(1),
        connections: 1,
        in_flight: 1,
        answer_deadline: Duration::from_secs(1),
        workload: workload(""),
        keep: Keep::Figures,
    };
    assert!(matches!(
        drive(settings, &CancellationToken::new(), |_| {}).await,
        Err(DriveError::NotLoopback(_))
    ));
}
