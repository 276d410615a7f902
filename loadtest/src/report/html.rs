//! The report as one HTML file: tables and inline SVG, no script, nothing fetched.

use std::fmt::Write;

use super::{Quantiles, Report};

const WIDTH: u64 = 720;
const HEIGHT: u64 = 220;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;\
padding:0 1rem;color:#1b1f24;background:#fff}table{border-collapse:collapse;margin:.5rem 0 1.5rem}\
th,td{text-align:left;padding:.25rem .9rem .25rem 0;border-bottom:1px solid #d0d7de;\
font-variant-numeric:tabular-nums}svg{width:100%;height:auto;background:#f6f8fa}\
.bad{color:#a40e26}.good{color:#116329}figcaption{color:#57606a;font-size:13px}";

/// The page of a report.
pub fn page(report: &Report) -> String {
    let mut page = String::new();
    let written = write_page(&mut page, report);
    written.expect("invariant: memory takes what is written");
    page
}

fn write_page(out: &mut String, report: &Report) -> std::fmt::Result {
    let settings = &report.settings;
    write!(
        out,
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <title>cauce-load {}</title><style>{STYLE}</style><h1>Load report</h1>\
         <p>{} · {} · {} requests a second for {} ms · {} lines of {} · seed {}</p>",
        escape(&report.at),
        escape(&report.at),
        escape(&settings.target),
        if settings.rate == 0 { "as many".to_owned() } else { settings.rate.to_string() },
        settings.duration_ms,
        settings.connections,
        settings.in_flight,
        settings.seed,
    )?;
    verdicts(out, report)?;
    figures(out, report)?;
    let rates = [
        ("sent", "#0969da", report.seconds.iter().map(|second| second.sent).collect()),
        ("answered", "#116329", report.seconds.iter().map(|second| second.answered).collect()),
    ];
    lines_over_time(out, "Requests a second", &rates)?;
    let latencies = [
        ("p50", "#0969da", report.seconds.iter().map(|second| second.p50_us).collect()),
        ("p99", "#a40e26", report.seconds.iter().map(|second| second.p99_us).collect()),
    ];
    lines_over_time(out, "Latency from the planned instant, µs, each second", &latencies)?;
    spectrum(out, report)?;
    environment(out, report)
}

fn verdicts(out: &mut String, report: &Report) -> std::fmt::Result {
    for why in &report.invalid {
        write!(out, "<p class=\"bad\">Not to be used: {}</p>", escape(why))?;
    }
    let Some(audit) = &report.audit else {
        return write!(out, "<p>No audit was made.</p>");
    };
    let class = if audit.mismatches == 0 { "good" } else { "bad" };
    write!(
        out,
        "<p class=\"{class}\">Audit: {} mismatches between {} requests, {} payments in the \
         journal, {} at the issuers, {} notices.</p><ul>",
        audit.mismatches, audit.claims, audit.payments, audit.issuer_payments, audit.notices
    )?;
    for mismatch in &audit.first {
        write!(out, "<li>{}</li>", escape(mismatch))?;
    }
    write!(out, "</ul>")
}

fn figures(out: &mut String, report: &Report) -> std::fmt::Result {
    let counts = &report.counts;
    write!(
        out,
        "<h2>Figures</h2><table><tr><th>offered / s<th>achieved / s<th>sent<th>approved\
         <th>declined<th>unknown<th>no answer<th>line lost<th>unsent<tr><td>{}<td>{}<td>{}<td>{}\
         <td>{}<td>{}<td>{}<td>{}<td>{}</table>",
        report.offered_per_second,
        report.achieved_per_second,
        counts.sent,
        counts.approved,
        counts.declined,
        counts.unknown,
        counts.no_answer,
        counts.line_lost,
        counts.unsent
    )?;
    write!(out, "<table><tr><th>µs")?;
    for (name, _) in report.latency.named() {
        write!(out, "<th>{name}")?;
    }
    quantile_row(out, "from planned", &report.latency)?;
    quantile_row(out, "from sending", &report.uncorrected)?;
    quantile_row(out, "sent late by", &report.lag)?;
    write!(out, "</table>")?;
    if !report.by_code.is_empty() {
        write!(out, "<table><tr><th>response code<th>answers")?;
        for (code, count) in &report.by_code {
            write!(out, "<tr><td>{}<td>{count}", escape(code))?;
        }
        write!(out, "</table>")?;
    }
    Ok(())
}

fn quantile_row(out: &mut String, name: &str, quantiles: &Quantiles) -> std::fmt::Result {
    write!(out, "<tr><td>{name}")?;
    quantiles.named().into_iter().try_for_each(|(_, value)| write!(out, "<td>{value}"))
}

fn lines_over_time(
    out: &mut String,
    caption: &str,
    series: &[(&str, &str, Vec<u64>)],
) -> std::fmt::Result {
    let highest = series.iter().flat_map(|(_, _, values)| values).copied().max().unwrap_or(0);
    begin_figure(out, caption)?;
    for (number, (name, colour, values)) in (1_u64..).zip(series) {
        let points = (0_u64..).zip(values).map(|(at, value)| {
            let last = u64::try_from(values.len()).unwrap_or(u64::MAX).saturating_sub(1);
            (at * WIDTH / last.max(1), HEIGHT - value * HEIGHT / highest.max(1))
        });
        polyline(out, colour, points)?;
        write!(out, "<text x=\"8\" y=\"{}\" fill=\"{colour}\">{name}</text>", number * 18)?;
    }
    write!(out, "</svg><figcaption>{caption}; highest {highest}</figcaption></figure>")
}

fn spectrum(out: &mut String, report: &Report) -> std::fmt::Result {
    let top = log2_256(report.latency.max_us.max(report.uncorrected.max_us));
    let caption = "Latency spectrum, µs, logarithmic";
    begin_figure(out, caption)?;
    let series = [
        ("from planned", "#a40e26", report.latency.named()),
        ("from sending", "#0969da", report.uncorrected.named()),
    ];
    for (number, (name, colour, values)) in (1_u64..).zip(series) {
        let steps = u64::try_from(values.len()).unwrap_or(u64::MAX) - 1;
        let points = (0_u64..).zip(values).map(|(at, (_, value))| {
            (at * WIDTH / steps, HEIGHT - log2_256(value) * HEIGHT / top.max(1))
        });
        polyline(out, colour, points)?;
        write!(out, "<text x=\"8\" y=\"{}\" fill=\"{colour}\">{name}</text>", number * 18)?;
        for (at, (quantile, _)) in (0_u64..).zip(values).filter(|_| number == 1) {
            let (x, y) = (at * (WIDTH - 50) / steps, HEIGHT - 4);
            write!(out, "<text x=\"{x}\" y=\"{y}\" font-size=\"11\">{quantile}</text>")?;
        }
    }
    write!(out, "</svg><figcaption>{caption}</figcaption></figure>")
}

fn begin_figure(out: &mut String, caption: &str) -> std::fmt::Result {
    write!(
        out,
        "<h2>{caption}</h2><figure><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         aria-label=\"{caption}\">"
    )
}

fn polyline(
    out: &mut String,
    colour: &str,
    points: impl Iterator<Item = (u64, u64)>,
) -> std::fmt::Result {
    write!(out, "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" points=\"")?;
    for (x, y) in points {
        write!(out, "{x},{y} ")?;
    }
    write!(out, "\"/>")
}

fn environment(out: &mut String, report: &Report) -> std::fmt::Result {
    let machine = &report.machine;
    write!(
        out,
        "<h2>Machine</h2><p>{} · {} cores · Linux {}",
        escape(&machine.cpu),
        machine.cores,
        escape(&machine.kernel)
    )?;
    if let Some(probe) = &machine.fdatasync {
        write!(out, " · fdatasync {} µs p50, {} µs p99", probe.p50_us, probe.p99_us)?;
    }
    write!(out, "</p><table><tr><th>process<th>processor ms<th>µs / 1,000 payments<th>peak KiB")?;
    for process in &report.processes {
        write!(
            out,
            "<tr><td>{}<td>{}<td>{}<td>{}",
            escape(&process.name),
            process.cpu_ms,
            report.cpu_us_per_thousand(process),
            process.peak_rss_kib
        )?;
    }
    write!(out, "</table></html>")
}

/// Logarithm to base 2 in units of 1/256, straight between powers; 0 for 0.
fn log2_256(value: u64) -> u64 {
    let Some(power) = value.checked_ilog2() else { return 0 };
    let fraction = (u128::from(value) << 8 >> power) - 256;
    u64::from(power) * 256 + u64::try_from(fraction).unwrap_or(0)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::AuditSummary;
    use crate::drive::record::Second;

    #[test]
    fn the_logarithm_is_exact_at_powers_and_grows_between() {
        assert_eq!([0, 1, 2, 1024].map(log2_256), [0, 0, 256, 2560]);
        assert!((1..100_000).all(|value| log2_256(value) <= log2_256(value + 1)));
    }

    #[test]
    fn the_page_stands_alone_and_names_each_mismatch() {
        let first = vec!["folio <1> differs".to_owned()];
        let audit = Some(AuditSummary { mismatches: 1, first, ..AuditSummary::default() });
        let seconds = vec![Second { sent: 7, ..Second::default() }; 3];
        let page = page(&Report { audit, seconds, ..Report::default() });
        assert!(page.contains("folio &lt;1&gt; differs"));
        assert!(page.contains("<polyline"));
        for fetched in ["http://", "https://", "<script", "src=", "@import", "<link"] {
            assert!(!page.contains(fetched), "{fetched}");
        }
    }
}
