//! Files of bills: what is taken of each row, whatever the format, and what a later file replaces.

use std::fmt::Write as _;

use http::Method;
use serde_json::{Value, json};

use super::{bill, house, ves};
use crate::api::{Api, Reply, card_payment};
use crate::harness::{House, eventually, start_app};

const SHEET: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

async fn sent(api: &Api, path: &str, media_type: &str, file: &[u8]) -> Reply {
    api.send(Method::POST, path, &[("content-type", media_type)], file).await
}

/// The file once all of its rows were taken, with its first rows.
async fn done(api: &Api, accepted: &Reply) -> Value {
    assert_eq!(accepted.status, 202, "{accepted:?}");
    let path = format!("/v1/batches/{}?limit=200", accepted.text("/id"));
    eventually("the file to be taken", async || {
        let shown = api.get(&path).await;
        assert_eq!(shown.status, 200, "{shown:?}");
        (shown.text("/state") == "done").then_some(shown.body)
    })
    .await
}

/// What became of a row: its number, code, field and column.
type RowResult<'a> = (u64, Option<&'a str>, Option<&'a str>, Option<u64>);

fn results(batch: &Value) -> Vec<RowResult<'_>> {
    let rows = batch["results"].as_array().expect("a list").iter();
    rows.map(|row| {
        (
            row["row"].as_u64().expect("a number"),
            row["code"].as_str(),
            row["field"].as_str(),
            row["column"].as_u64(),
        )
    })
    .collect()
}

async fn bill_of(api: &Api, batch: &Value, at: usize) -> Value {
    let id = batch["results"][at]["bill"].as_str().expect("a bill");
    api.get(&format!("/v1/bills/{id}")).await.body
}

#[tokio::test(flavor = "multi_thread")]
async fn p_16_rows_are_accepted_or_rejected_with_reasons_and_a_later_file_replaces_what_is_unpaid()
{
    let house = house().await;
    let api = Api::of(&house, "isp-ve");
    let mut named = bill("F-3", 7_000);
    named["client"] = json!({"name": "=HYPERLINK(\"http://127.0.0.1\")"});
    let file = [
        bill("F-1", 15_000).to_string(),
        r#"{"bill_no":"F-2","client_id":"C-77","amount":{"currency":"VES","minor":0}}"#.to_owned(),
        String::new(),
        named.to_string(),
        r#"{"bill_no":"F-4","client_id":"C-77","colour":1}"#.to_owned(),
        "no JSON".to_owned(),
    ];
    let accepted =
        sent(&api, "/v1/bills:batch", "application/jsonl", file.join("\n").as_bytes()).await;
    assert!(accepted.text("/id").starts_with("bat_"), "{accepted:?}");
    let batch = done(&api, &accepted).await;
    assert_eq!(
        (&batch["rows"], &batch["accepted"], &batch["rejected"]),
        (&json!(5), &json!(2), &json!(3))
    );
    let told = results(&batch);
    assert_eq!(told[0], (1, None, None, None));
    assert_eq!(
        (told[1].0, told[1].1, told[1].2),
        (2, Some("amount_invalid"), Some("amount.minor"))
    );
    assert_eq!(told[2], (4, None, None, None));
    assert_eq!((told[3].0, told[3].1, told[3].2), (5, Some("format_error"), Some("colour")));
    assert!(told[3].3.is_some_and(|column| column > 30), "{batch}");
    assert_eq!((told[4].0, told[4].1), (6, Some("format_error")));
    let shown = bill_of(&api, &batch, 2).await;
    assert_eq!(shown["client"], named["client"], "JSON is run by no spreadsheet program");
    let paid = api.pay("k-1", &card_payment(15_000, "F-1")).await;
    assert_eq!(paid.status, 201, "{paid:?}");
    let cancelled = api.post("/v1/bills", &bill("F-5", 1_000)).await.text("/id").to_owned();
    api.post(&format!("/v1/bills/{cancelled}/cancel"), &json!({})).await;
    let later = ["F-1", "F-3", "F-5", "F-6", "F-6"].map(|number| bill(number, 9_000).to_string());
    let later =
        sent(&api, "/v1/bills:batch", "application/jsonl", later.join("\n").as_bytes()).await;
    let batch = done(&api, &later).await;
    let expected = [
        (1, Some("bill_already_paid"), None, None),
        (2, None, None, None),
        (3, Some("bill_cancelled"), None, None),
        (4, None, None, None),
        (5, None, None, None),
    ];
    assert_eq!(results(&batch), expected);
    let untouched = bill_of(&api, &batch, 0).await;
    assert_eq!((&untouched["amount"], &untouched["version"]), (&ves(15_000), &json!(1)));
    let replaced = bill_of(&api, &batch, 1).await;
    assert_eq!((&replaced["amount"], &replaced["version"]), (&ves(9_000), &json!(2)));
    let twice = bill_of(&api, &batch, 4).await;
    assert_eq!((&twice["version"], &batch["results"][3]["bill"]), (&json!(1), &twice["id"]));
    let id = replaced["id"].as_str().expect("an id");
    let events = super::events_of(&api, id).await;
    assert_eq!(events[1]["channel"], json!("file"));
    assert_eq!(events[1]["detail"].as_str(), Some(later.text("/id")));
    let other = Api::of(&house, "lender-mx");
    assert_eq!(other.get(&format!("/v1/batches/{}", later.text("/id"))).await.status, 404);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn csv_is_read_by_its_header_row_and_broken_rows_are_told_by_line_and_column() {
    let house = house().await;
    let api = Api::of(&house, "isp-ve");
    let file = "bill_no,client_id,amount,currency,due1_date,line1\n\
        F-1,C-1,150.00,VES,2999-12-10,Internet\n\
        F-2,C-1,abc,VES,2999-12-10,Internet\n\
        F-3,C-1,10.00,VES,2999-02-30,Internet\n\
        ,C-1,10.00,VES,,\n\
        F-5,C-1,10.00,XXQ,,\n\
        F-6,C-1,20.00,VES,,'=1+1\n";
    let batch = done(&api, &sent(&api, "/v1/bills:batch", "text/csv", file.as_bytes()).await).await;
    let expected = [
        (2, None, None, None),
        (3, Some("bad_amount"), Some("amount"), Some(3)),
        (4, Some("bad_date"), Some("due1_date"), Some(5)),
        (5, Some("missing"), Some("bill_no"), Some(1)),
        (6, Some("bad_currency"), Some("currency"), Some(4)),
        (7, None, None, None),
    ];
    assert_eq!(results(&batch), expected, "{batch}");
    let first = bill_of(&api, &batch, 0).await;
    assert_eq!((&first["amount"], &first["lines"][0]["amount"]), (&ves(15_000), &ves(15_000)));
    let formula = bill_of(&api, &batch, 5).await;
    assert_eq!(formula["lines"][0]["text"], json!("=1+1"), "as it was before it was made harmless");
    let no_header = sent(&api, "/v1/bills:batch", "text/csv", b"F-1,C-1,150.00\n").await;
    let batch = done(&api, &no_header).await;
    assert_eq!((&batch["code"], &batch["rows"]), (&json!("header_invalid"), &json!(0)));
    house.stop().await;
}

/// A row of the layout bills-ar-fixed.
fn fixed(number: &str, minor: u64) -> String {
    format!(
        "1{number:<20}{:<14}{minor:012}{:<8}{:<12}{:<8}{:<12}{:<8}{:<12}N{:<32}",
        "C-1", "", "", "", "", "", "", "Luz"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_whose_control_totals_differ_is_refused_whole() {
    let house = house().await;
    let api = Api::of(&house, "isp-ve");
    let path = "/v1/bills:batch?layout=bills-ar-fixed";
    let file = |sum: u64| {
        let rows = [fixed("F-1", 15_000), fixed("F-2", 20_000)];
        let header = format!("{:<140}", "0");
        let trailer = format!("{:<140}", format!("9{:08}{sum:015}", 2));
        format!("{header}\r\n{}\r\n{}\r\n{trailer}\r\n", rows[0], rows[1])
    };
    let wrong = done(&api, &sent(&api, path, "text/plain", file(35_001).as_bytes()).await).await;
    let refused = (&wrong["code"], &wrong["rows"], &wrong["results"]);
    assert_eq!(refused, (&json!("control_totals_differ"), &json!(0), &json!([])), "{wrong}");
    let none = api.get("/v1/bills").await;
    assert_eq!(none.body["data"], json!([]));
    let right = done(&api, &sent(&api, path, "text/plain", file(35_000).as_bytes()).await).await;
    assert_eq!((&right["accepted"], &right["rejected"]), (&json!(2), &json!(0)), "{right}");
    let shown = bill_of(&api, &right, 1).await;
    let pesos = json!({"currency": "ARS", "minor": 20_000});
    assert_eq!((&shown["bill_no"], &shown["amount"]), (&json!("F-2"), &pesos));
    for (path, media_type, field) in [
        ("/v1/bills:batch", "text/plain", "layout"),
        ("/v1/bills:batch?layout=none", "text/csv", "layout"),
        ("/v1/bills:batch?layout=bills-xlsx", "text/csv", "layout"),
    ] {
        let refused = sent(&api, path, media_type, b"x").await;
        assert_eq!((refused.status, refused.text("/field")), (400, field), "{refused:?}");
    }
    assert_eq!(sent(&api, "/v1/bills:batch", "text/html", b"x").await.status, 415);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workbook_is_read_by_the_header_row_of_its_first_sheet() {
    let house = house().await;
    let api = Api::of(&house, "isp-ve");
    let mut workbook = rust_xlsxwriter::Workbook::new();
    let sheet = workbook.add_worksheet();
    for (column, name) in (0..).zip(["bill_no", "client_id", "amount", "line1"]) {
        sheet.write_string(0, column, name).expect("a cell");
    }
    for (row, (number, amount)) in (1..).zip([("F-1", 150.0), ("F-2", -1.0)]) {
        sheet.write_string(row, 0, number).expect("a cell");
        sheet.write_string(row, 1, "C-1").expect("a cell");
        sheet.write_number(row, 2, amount).expect("a cell");
        sheet.write_string(row, 3, "Internet").expect("a cell");
    }
    let file = workbook.save_to_buffer().expect("a workbook");
    let batch = done(&api, &sent(&api, "/v1/bills:batch", SHEET, &file).await).await;
    assert_eq!((&batch["accepted"], &batch["rejected"]), (&json!(1), &json!(1)), "{batch}");
    assert_eq!(bill_of(&api, &batch, 0).await["amount"], ves(15_000));
    assert_eq!(results(&batch)[1], (3, Some("bad_amount"), Some("amount"), Some(3)));
    let broken = sent(&api, "/v1/bills:batch", SHEET, b"PK no workbook").await;
    assert_eq!(done(&api, &broken).await["code"], json!("file_unreadable"));
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_a_stop_interrupts_is_taken_on_and_no_row_twice() {
    let house = house().await;
    let api = Api::of(&house, "isp-ve");
    let mut file = String::new();
    for number in 1..=3_000 {
        writeln!(file, "{}", bill(&format!("F-{number}"), 1_000)).expect("text");
    }
    let accepted = sent(&api, "/v1/bills:batch", "application/jsonl", file.as_bytes()).await;
    assert_eq!(accepted.status, 202, "{accepted:?}");
    let (dir, issuer) = house.stop().await;
    let app = start_app(dir.path(), &issuer, "").await;
    let house = House { app, issuer, dir };
    let api = Api::of(&house, "isp-ve");
    let batch = done(&api, &accepted).await;
    assert_eq!((&batch["accepted"], &batch["rejected"]), (&json!(3_000), &json!(0)), "{batch}");
    let (mut rows, mut cursor) = (0, String::new());
    loop {
        let path = format!("/v1/batches/{}?limit=200{cursor}", accepted.text("/id"));
        let page = api.get(&path).await;
        rows += page.body["results"].as_array().expect("a list").len();
        match page.text("/next_cursor") {
            "" => break,
            next => cursor = format!("&cursor={next}"),
        }
    }
    assert_eq!(rows, 3_000);
    let left = std::fs::read_dir(house.dir.path().join("batches")).expect("a folder").count();
    assert_eq!(left, 0, "the file is removed");
    house.stop().await;
}
