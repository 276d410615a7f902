//! The end audit: waits until nothing is open, then everything must agree.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::cluster::books::{Books, first_seen};
use crate::cluster::load::BankRecords;
use crate::cluster::node::pause;
use crate::cluster::town::Town;

/// Complaints shown with their records.
const SHOWN_MAX: usize = 5;
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// How long things may take to come to rest.
pub struct Quiet {
    pub patience: Duration,
}

/// Waits until everything agrees. Gives what was laid side by side.
///
/// # Panics
/// Where something is wrong that no time mends, or that time has not mended; with the records.
pub async fn settled(town: &Arc<Town>, heard: &Arc<BankRecords>, quiet: Quiet) -> Books {
    let verified = town.cauce(&["journal", "verify"]).await;
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    let claims = heard.claims.lock().clone();
    let began = Instant::now();
    let books = loop {
        let read = Books::read(town).await;
        let (complaints, may_settle, books) = match read {
            Ok(books) => {
                let (complaints, may_settle) = books.mismatches(&books.evidence(town, &claims));
                (complaints, may_settle, Some(books))
            }
            Err(error) => (vec![error], true, None),
        };
        match (complaints.is_empty(), books) {
            (true, Some(books)) => break books,
            (false, books) if !may_settle || began.elapsed() > quiet.patience => {
                fail(books.as_ref(), &complaints)
            }
            _ => pause(LOOK_AGAIN).await,
        }
    };
    let wrong = heard.wrong.lock().clone();
    if !wrong.is_empty() {
        fail(Some(&books), &wrong);
    }
    let log = town.bank_log().await;
    let overruns = books.overruns(&first_seen(&log));
    if !overruns.is_empty() {
        fail(Some(&books), &overruns);
    }
    books
}

fn fail(books: Option<&Books>, complaints: &[String]) -> ! {
    for complaint in complaints.iter().take(SHOWN_MAX) {
        println!("WRONG: {complaint}");
        for record in books.map(|books| books.records_about(complaint)).unwrap_or_default() {
            println!("    {record}");
        }
    }
    panic!("{} complaints, the first: {}", complaints.len(), complaints[0]);
}
