//! Back offices of tests, and bills that are registered there.

use std::future::Future;

use router::bill::RegisteredBill;
use router::id::{BillId, BillNo, BillerId, ClientRef};
use router::money::{Currency, Money};
use router::time::Timestamp;
use storage_backoffice::bill::{BillChange, BillEntry, BillOrigin, Contact};
use storage_backoffice::{Backoffice, BackofficeLocation, BackofficeSettings};
use tempfile::TempDir;

/// A place for a back office, which goes when dropped.
pub struct Place {
    pub settings: BackofficeSettings,
    _dir: Option<TempDir>,
}

impl Place {
    pub fn files() -> Self {
        let dir = TempDir::new().unwrap();
        Self { settings: BackofficeSettings::in_folder(dir.path()), _dir: Some(dir) }
    }

    pub fn server() -> Self {
        let url = rig::shared_postgres().unwrap().fresh_database().unwrap();
        let location = BackofficeLocation::Server(url.into());
        Self { settings: BackofficeSettings::at(location), _dir: None }
    }

    pub async fn office(&self) -> Backoffice {
        Backoffice::migrate(&self.settings).await.unwrap()
    }
}

/// Runs a check on both engines.
pub fn on_both<F: Future<Output = ()>>(check: impl Fn(Place) -> F) {
    for place in [Place::files(), Place::server()] {
        block_on(check(place));
    }
}

/// Runs a check to its end.
pub fn block_on<T>(check: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(check)
}

pub fn biller() -> BillerId {
    BillerId::new("isp-ve").unwrap()
}

pub fn bill_no(text: &str) -> BillNo {
    BillNo::new(text).unwrap()
}

/// A bill of `isp-ve` for the payer `C-77`; the number makes its id.
pub fn bill(number: u32, minor: i64) -> BillEntry {
    BillEntry {
        id: BillId::from_parts(1_795_000_000_000 + i64::from(number), u128::from(number)),
        biller: biller(),
        bill_no: bill_no(&format!("F-{number}")),
        client_id: ClientRef::new("C-77").unwrap(),
        contract_no: None,
        contact: Contact::default(),
        lines: Vec::new(),
        terms: RegisteredBill {
            amount: Money::new(minor, Currency::from_code("VES").unwrap()),
            due: Vec::new(),
            allows_partial: false,
            min_minor: None,
            max_minor: None,
            must_leave_minor: None,
            expires_at: None,
            cancelled_at: None,
        },
        product: None,
        origin: BillOrigin::Api,
        metadata: None,
        version: 1,
        created_at: at(0),
        changed_at: at(0),
    }
}

pub fn at(micros: i64) -> Timestamp {
    Timestamp(1_795_000_000_000_000 + micros)
}

pub fn by(micros: i64) -> BillChange {
    BillChange { at: at(micros), actor: "key:ck_test".into(), channel: "api", detail: None }
}
