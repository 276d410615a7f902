//! The words and tables of the page.

use std::fmt::{Result, Write};

use super::escape;
use crate::report::Report;
use crate::report::search::{RatePoint, SearchEnd};
use crate::report::units::{duration, grouped, percent, round_duration};

/// What was done, in a sentence.
pub(super) fn headline(out: &mut String, report: &Report) -> Result {
    let settings = &report.settings;
    match report.search.as_ref().map(|search| search.end) {
        Some(SearchEnd::Knee | SearchEnd::Ceiling) => {
            write!(out, "<h2>The run at 70 % of the greatest rate served</h2>")?;
        }
        Some(SearchEnd::FirstRate | SearchEnd::Stopped) => write!(out, "<h2>The last run</h2>")?,
        None if !report.rates.is_empty() => write!(out, "<h2>The last rate</h2>")?,
        None => {}
    }
    let rate = match settings.rate {
        0 => "as many payments as the answers allow".to_owned(),
        rate => format!("{} payments a second", grouped(rate)),
    };
    let over = match settings.entrance.as_str() {
        "http" => format!("{} connections of the JSON API", settings.connections),
        _ => format!(
            "{} ISO 8583 lines of at most {} open requests",
            settings.connections, settings.in_flight
        ),
    };
    write!(
        out,
        "<p>{rate} for {} over {over} to {}; {} arrivals, seed {}. Ended {}.</p>",
        round_duration(settings.duration_ms.saturating_mul(1000)),
        escape(&settings.target),
        if settings.pace == "poisson" { "random" } else { "even" },
        settings.seed,
        escape(&report.at)
    )
}

/// What speaks against the figures, and what the audit found.
pub(super) fn verdicts(out: &mut String, report: &Report) -> Result {
    for why in &report.invalid {
        write!(out, "<p class=\"bad\">Not to be used: {}.</p>", escape(why))?;
    }
    let Some(audit) = &report.audit else {
        return write!(out, "<p class=\"note\">No audit was made.</p>");
    };
    let class = if audit.mismatches == 0 { "good" } else { "bad" };
    write!(
        out,
        "<p class=\"{class}\">Audit: {} mismatches between {} requests, {} payments in the \
         journal, {} at the banks, {} notices.</p><ul>",
        grouped(audit.mismatches),
        grouped(audit.claims),
        grouped(audit.payments),
        grouped(audit.issuer_payments),
        grouped(audit.notices)
    )?;
    for mismatch in &audit.first {
        write!(out, "<li>{}</li>", escape(mismatch))?;
    }
    write!(out, "</ul>")
}

/// Rates, endings, latencies and answers.
pub(super) fn figures(out: &mut String, report: &Report) -> Result {
    write!(out, "<h2>Figures</h2><table>")?;
    let rates = [
        ("offered", report.offered_per_second),
        ("achieved: approved", report.achieved_per_second),
        ("answered in any way", report.answered_per_second),
    ];
    for (name, rate) in rates {
        write!(out, "<tr><th>{name}<td class=\"n\">{} / s<td>", grouped(rate))?;
    }
    endings(out, report)?;
    write!(out, "</table>")?;
    answers(out, report)?;
    latencies(out, report)
}

/// Rows of how many requests ended in which way, each with a note.
fn endings(out: &mut String, report: &Report) -> Result {
    let counts = &report.counts;
    let slow = format!(
        "later than {}, approved all the same",
        round_duration(report.settings.slow_after_ms.saturating_mul(1000))
    );
    let declined = match counts.declined_unplanned {
        0 => "as planned".to_owned(),
        count => format!("{} of them against the plan", grouped(count)),
    };
    let endings = [
        ("planned", report.planned, ""),
        ("sent", counts.sent, ""),
        ("approved", counts.approved, ""),
        ("slow", counts.slow, &slow),
        ("declined", counts.declined, &declined),
        ("unknown", counts.unknown, "the switch had no outcome from the bank in time"),
        ("no answer", counts.no_answer, "the switch said nothing before the client gave up"),
        ("line lost", counts.line_lost, "the connection fell first"),
        ("never sent", counts.unsent, "no room before the end of the run"),
    ];
    endings.into_iter().try_for_each(|(name, count, note)| {
        let note = if count == 0 { "" } else { note };
        ending(out, name, (count, report.planned), note)
    })
}

/// One row: a count with its share of what was planned, and a note where there is one.
fn ending(out: &mut String, name: &str, (count, planned): (u64, u64), note: &str) -> Result {
    write!(out, "<tr><th>{name}")?;
    if !note.is_empty() {
        write!(out, "<br><span class=\"note\">{}</span>", escape(note))?;
    }
    write!(out, "<td class=\"n\">{}<td class=\"n\">", grouped(count))?;
    if count > 0 && count != planned {
        write!(out, "{}", percent(count, planned))?;
    }
    Ok(())
}

fn answers(out: &mut String, report: &Report) -> Result {
    if report.answers.is_empty() {
        return Ok(());
    }
    write!(
        out,
        "<h2>Answers other than approvals</h2><table><tr><th class=\"n\">answers<th>codes"
    )?;
    for answer in &report.answers {
        write!(
            out,
            "<tr><td class=\"n\">{}<td>{}<br><span class=\"note\">{}</span>",
            grouped(answer.count),
            escape(&answer.codes()),
            escape(&answer.text)
        )?;
    }
    write!(out, "</table>")
}

fn latencies(out: &mut String, report: &Report) -> Result {
    write!(
        out,
        "<h2>Latency</h2><table><tr><th><th class=\"n\">from the planned instant\
         <th class=\"n\">from the sending<th class=\"n\">sent late by"
    )?;
    let columns = [report.latency.named(), report.uncorrected.named(), report.lag.named()];
    for (at, (name, _)) in columns[0].iter().enumerate() {
        write!(out, "<tr><th>{name}")?;
        for column in columns {
            write!(out, "<td class=\"n\">{}", duration(column[at].1))?;
        }
    }
    write!(out, "</table>")
}

/// Every rate, in the order given; `served` is the word for one that counts.
pub(super) fn rates(out: &mut String, rates: &[&RatePoint], served: &str) -> Result {
    write!(
        out,
        "<h2>Rates tried</h2><table><tr><th class=\"n\">offered / s\
         <th class=\"n\">approved / s<th class=\"n\">median<th class=\"n\">p99<th>{served}"
    )?;
    for point in rates {
        let word = match point.is_served() {
            true => "<span class=\"good\">yes</span>",
            false => "<span class=\"bad\">no</span>",
        };
        write!(
            out,
            "<tr><td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{}<td>{word}",
            grouped(point.rate),
            grouped(point.approved_per_second),
            duration(point.p50_us),
            duration(point.p99_us)
        )?;
        if !point.is_served() {
            let why = escape(&point.why_not.join("; "));
            write!(out, "<tr class=\"why\"><td colspan=\"5\" class=\"bad\">not {served}: {why}")?;
        }
    }
    write!(out, "</table>")
}

/// The machine, and what the run cost it.
pub(super) fn environment(out: &mut String, report: &Report) -> Result {
    let machine = &report.machine;
    write!(
        out,
        "<h2>Machine</h2><p>{} · {} cores · Linux {}",
        escape(&machine.cpu),
        machine.cores,
        escape(&machine.kernel)
    )?;
    if let Some(probe) = &machine.fdatasync {
        write!(out, " · fdatasync {} p50, {} p99", duration(probe.p50_us), duration(probe.p99_us))?;
    }
    write!(
        out,
        "</p><div class=\"scroll\"><table><tr><th>process<th class=\"n\">processor time\
         <th class=\"n\">a payment<th class=\"n\">peak memory"
    )?;
    for process in &report.processes {
        write!(
            out,
            "<tr><td>{}<td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{} MiB",
            escape(&process.name),
            duration(process.cpu_ms.saturating_mul(1000)),
            duration(report.cpu_us_a_payment(process)),
            grouped(process.peak_rss_kib / 1024)
        )?;
    }
    write!(out, "</table></div>")
}
