use router::bill::DueAmount;
use router::reason::Reason;
use router::time::{Date, Timestamp};

use super::{BillDraft, parse_bill, parse_bill_patch};

const WHOLE: &str = r#"{"bill_no":"F-1","client_id":"C-77","contract_no":"K-9",
    "client":{"name":"Ana Pérez","phone":"584120000000","language":"es"},
    "lines":[{"text":"Internet","amount":{"currency":"VES","minor":90000}},
             {"text":"Router","amount":{"currency":"VES","minor":10000}}],
    "amount":{"currency":"VES","minor":100000},
    "due":[{"date":"2026-12-10","amount":{"currency":"VES","minor":100000}},
           {"date":"2026-12-20","amount":{"currency":"VES","minor":110000}}],
    "allow_partial":true,"min":{"currency":"VES","minor":1000},
    "max":{"currency":"VES","minor":50000},"must_leave":{"currency":"VES","minor":100},
    "product":"internet","expires_at":"2026-12-31T00:00:00Z","origin":"online",
    "elements":[],"metadata":{"b":1,"a":2}}"#;

fn read_time(text: &str) -> Option<Timestamp> {
    (text == "2026-12-31T00:00:00Z").then_some(Timestamp(1_798_675_200_000_000))
}

fn draft(body: &str) -> Result<BillDraft, (String, Reason)> {
    let draft = parse_bill(body.as_bytes()).and_then(|body| body.checked(read_time));
    draft.map_err(|error| (error.field, error.reason))
}

fn amended(patch: &str) -> Result<BillDraft, (String, Reason)> {
    let before = draft(WHOLE).expect("a bill");
    let patch = parse_bill_patch(patch.as_bytes());
    let next = patch.and_then(|patch| patch.amended(before, read_time));
    next.map_err(|error| (error.field, error.reason))
}

#[test]
fn a_bill_has_everything_that_its_body_says() {
    let bill = draft(WHOLE).expect("a bill");
    assert_eq!((bill.bill_no.as_str(), bill.client_id.as_str()), ("F-1", "C-77"));
    assert_eq!(bill.contact.name.as_deref(), Some("Ana Pérez"));
    assert_eq!(bill.lines.iter().map(|line| line.minor).collect::<Vec<_>>(), [90_000, 10_000]);
    let due = |year, month, day, minor| DueAmount {
        date: Date::from_year_month_day(year, month, day),
        minor,
    };
    assert_eq!(bill.terms.due, [due(2026, 12, 10, 100_000), due(2026, 12, 20, 110_000)]);
    assert_eq!((bill.terms.min_minor, bill.terms.max_minor), (Some(1_000), Some(50_000)));
    assert_eq!(bill.terms.must_leave_minor, Some(100));
    assert!(bill.is_online && bill.terms.allows_partial);
    assert_eq!(bill.metadata.as_deref(), Some(r#"{"a":2,"b":1}"#));
}

#[test]
fn a_bill_that_makes_no_sense_names_its_field() {
    let check = |from: &str, to: &str, field: &str, reason| {
        assert!(WHOLE.contains(from), "{from}");
        let refused = draft(&WHOLE.replacen(from, to, 1)).expect_err("a refusal");
        assert_eq!(refused, (field.to_owned(), reason), "{to}");
    };
    let format = Reason::FormatError;
    check("\"F-1\"", "\"\"", "bill_no", format);
    check("\"C-77\"", "\"ñ\"", "client_id", format);
    check("\"minor\":90000", "\"minor\":90001", "lines", Reason::AmountInvalid);
    check(
        "\"currency\":\"VES\",\"minor\":90000",
        "\"currency\":\"MXN\",\"minor\":90000",
        "lines.amount.currency",
        Reason::CurrencyNotAllowed,
    );
    check("2026-12-20", "2026-12-10", "due.date", format);
    check("2026-12-20", "2026-02-30", "due.date", format);
    check("\"minor\":110000", "\"minor\":0", "due.amount.minor", Reason::AmountInvalid);
    check("\"allow_partial\":true", "\"allow_partial\":false", "allow_partial", format);
    check("\"minor\":50000}", "\"minor\":999}", "max", Reason::AmountInvalid);
    check("\"minor\":100},", "\"minor\":100000},", "must_leave", Reason::AmountInvalid);
    check("2026-12-31T00:00:00Z", "tomorrow", "expires_at", format);
    check("\"online\"", "\"paper\"", "origin", format);
    check("\"elements\":[]", "\"elements\":[\"link\"]", "elements", Reason::ServiceNotEnabled);
    check("\"es\"", "\"spanish\"", "client.language", format);
    check("{\"b\":1,\"a\":2}", "[1]", "metadata", format);
    check("\"product\"", "\"produce\"", "produce", format);
}

#[test]
fn a_change_keeps_what_it_does_not_name_and_null_takes_away() {
    let before = draft(WHOLE).expect("a bill");
    assert_eq!(amended(r#"{"version":1}"#), Ok(before.clone()));
    let changed = amended(
        r#"{"version":1,"client_id":"C-78","contract_no":null,"client":null,"lines":null,
            "amount":{"currency":"VES","minor":70000},"due":null,"min":null,"max":null,
            "must_leave":null,"expires_at":null,"product":null,"metadata":null,
            "allow_partial":false}"#,
    );
    let changed = changed.expect("a bill");
    assert_eq!(changed.bill_no, before.bill_no);
    assert_eq!((changed.client_id.as_str(), changed.terms.amount.minor), ("C-78", 70_000));
    let terms = &changed.terms;
    assert_eq!((terms.min_minor, terms.max_minor, terms.must_leave_minor), (None, None, None));
    assert!(changed.lines.is_empty() && terms.due.is_empty() && !terms.allows_partial);
    assert_eq!((&changed.contract_no, &changed.metadata), (&None, &None));
}

#[test]
fn a_change_is_held_against_what_it_leaves() {
    let refused = amended(r#"{"version":1,"amount":{"currency":"VES","minor":70000}}"#);
    assert_eq!(refused, Err(("lines".to_owned(), Reason::AmountInvalid)));
    let refused = amended(r#"{"version":1,"amount":{"currency":"MXN","minor":100000}}"#);
    assert_eq!(refused, Err(("amount.currency".to_owned(), Reason::CurrencyNotAllowed)));
    let refused = amended(r#"{"version":1,"bill_no":"F-2"}"#);
    assert_eq!(refused, Err(("bill_no".to_owned(), Reason::FormatError)));
    let refused = amended(r#"{"client_id":"C-1"}"#);
    assert_eq!(refused, Err(("version".to_owned(), Reason::FormatError)));
}
