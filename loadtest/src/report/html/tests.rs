use super::*;
use crate::audit::AuditSummary;
use crate::drive::record::{Counts, Second};
use crate::report::search::{Objective, RatePoint, Search, SearchEnd, SearchLimit};

fn seconds(count: u64) -> Vec<Second> {
    let second = |second| Second {
        second,
        sent: 7,
        approved: 5,
        p50_us: 900,
        p99_us: 20_000,
        ..Second::default()
    };
    (0..count).map(second).collect()
}

fn report() -> Report {
    let mut report = Report { seconds: seconds(4), planned: 28, ..Report::default() };
    report.settings.duration_ms = 3_000;
    report.latency.p99_us = 20_000;
    report
}

#[test]
fn the_page_stands_alone_and_names_each_mismatch() {
    let first = vec!["folio <1> differs".to_owned()];
    let audit = Some(AuditSummary { mismatches: 1, first, ..AuditSummary::default() });
    let page = page(&Report { audit, ..report() });
    assert!(page.contains("folio &lt;1&gt; differs"));
    assert!(page.contains("<svg"));
    for fetched in ["http://", "https://", "<script", "src=", "@import", "<link"] {
        assert!(!page.contains(fetched), "{fetched}");
    }
}

#[test]
fn each_chart_has_axes_with_units_and_ticks() {
    let page = page(&report());
    for text in [
        ">requests a second</text>",
        ">seconds from the start</text>",
        ">latency from the planned instant, logarithmic</text>",
        ">percentile of the requests</text>",
        ">1 ms</text>",
        ">p99</text>",
        ">3</text>",
    ] {
        assert!(page.contains(text), "{text}");
    }
}

#[test]
fn each_chart_is_drawn_for_wide_and_for_narrow_screens() {
    let page = page(&report());
    let count = |text: &str| page.matches(text).count();
    assert_eq!((count("class=\"wide\""), count("class=\"narrow\"")), (3, 3));
    assert!(page.contains("width=device-width") && page.contains("@media(max-width:600px)"));
}

fn points() -> Vec<RatePoint> {
    let point = |rate, p99_us, why_not: &[&str]| RatePoint {
        rate,
        approved_per_second: rate,
        p50_us: 400,
        p99_us,
        why_not: why_not.iter().map(|why| (*why).to_owned()).collect(),
        ..RatePoint::default()
    };
    vec![point(1_400, 9_000, &[]), point(1_000, 800, &[]), point(1_960, 90_000, &["p99 90.0 ms"])]
}

#[test]
fn several_rates_are_shown_as_a_curve_without_an_objective() {
    let page = page(&Report { rates: points(), ..report() });
    for text in ["<h1>Load report</h1>", "Latency over the rate", "<h2>The last rate</h2>"] {
        assert!(page.contains(text), "{text}");
    }
    assert!(!page.contains("class=\"level\""));
}

#[test]
fn a_search_is_shown_as_a_curve_over_rates() {
    let search = Search {
        objective: Objective { p99_us: 20_000 },
        from: 1_000,
        to: 5_000,
        limit: SearchLimit::Option,
        end: SearchEnd::Knee,
        knee_per_second: Some(1_400),
        tried: points(),
    };
    let page = page(&Report { search: Some(search), ..report() });
    for text in [
        "<h1>Capacity report</h1>",
        "The knee lies at 1,400 requests a second",
        ">payments offered a second</text>",
        "Latency over the rate",
        "Throughput over the rate",
        "class=\"level\"",
        "not served: p99 90.0 ms",
    ] {
        assert!(page.contains(text), "{text}");
    }
}

#[test]
fn rates_without_an_objective_are_said_to_be_as_planned_or_not() {
    let page = page(&Report { rates: points(), ..report() });
    let count = points().len();
    for text in [
        &format!("<p class=\"lead\">{count} rates were held one after the other: at "),
        "<th>as planned",
        "not as planned: p99 90.0 ms",
    ] {
        assert!(page.contains(text), "{text}");
    }
    assert!(!page.contains("<th>served"));
}

#[test]
fn declines_are_named_and_are_no_achievement() {
    let counts = Counts { sent: 28, declined: 28, declined_unplanned: 28, ..Counts::default() };
    let answers = vec![crate::report::AnswerCount {
        meaning: "declined".to_owned(),
        response_code: "91".to_owned(),
        reason_no: Some("6001".to_owned()),
        reason: "issuer_unavailable".to_owned(),
        text: "Bank offline".to_owned(),
        count: 28,
        ..crate::report::AnswerCount::default()
    }];
    let page = page(&Report { counts, answers, ..report() });
    assert!(page.contains("DE39 91, 6001 issuer_unavailable"));
    assert!(page.contains("achieved: approved<td class=\"n\">0 / s"));
    assert!(page.contains("28 of them against the plan"));
}

#[test]
fn a_long_run_is_drawn_with_few_points() {
    let mut long = report();
    long.seconds = seconds(86_400);
    long.settings.duration_ms = 86_400_000;
    let length = page(&long).len();
    assert!(length < 100_000, "{length} bytes");
}
