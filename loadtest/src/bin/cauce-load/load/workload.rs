//! The options of what is paid.

use clap::Args;
use loadtest::drive::api::rail;
use loadtest::workload::{Shares, Workload};
use router::id::BillerId;
use router::money::Currency;

use crate::usage;

const WORKLOAD: &str = "What is paid";

/// What the payments are made of.
#[derive(Debug, Args)]
pub(super) struct WorkloadArgs {
    /// Everything about payment number i is a function of this and of i.
    #[arg(long, default_value_t = 1, help_heading = WORKLOAD)]
    pub(super) seed: u64,
    /// Shares in per cent that the simulated bank declines, never answers, or
    /// answers late, and that the client asks for twice:
    /// `declines=5,silents=0.1,lates=0.1,duplicates=1`.
    #[arg(long, default_value = "", hide_default_value = true, help_heading = WORKLOAD)]
    shares: Shares,
    /// Processing code, DE3: 000000 account debit, 510000 collector cash.
    #[arg(long, value_name = "DE3", default_value = "000000", help_heading = WORKLOAD)]
    processing_code: String,
    /// Currency, ISO 4217.
    #[arg(long, default_value = "VES", help_heading = WORKLOAD)]
    currency: String,
    /// Biller paid (DE48 tag 01; empty sends no DE48); over HTTP the owner of
    /// the API key.
    #[arg(long, default_value = "isp-ve", help_heading = WORKLOAD)]
    biller: String,
    /// First six digits of the test cards.
    #[arg(long, value_name = "DIGITS", default_value = "400000", help_heading = WORKLOAD)]
    bin: String,
    /// Clients that share the payments (DE48 tag 02); 0 gives each payment its
    /// own.
    #[arg(long, value_name = "COUNT", default_value_t = 0, help_heading = WORKLOAD)]
    clients: u64,
    /// Least amount in major units.
    #[arg(long, value_name = "AMOUNT", default_value_t = 10, help_heading = WORKLOAD,
        value_parser = clap::value_parser!(u64).range(1..=9_999_999_999))]
    amount_min: u64,
    /// Greatest amount in major units.
    #[arg(long, value_name = "AMOUNT", default_value_t = 500, help_heading = WORKLOAD,
        value_parser = clap::value_parser!(u64).range(1..=9_999_999_999))]
    amount_max: u64,
}

impl WorkloadArgs {
    /// What is asked, once every option of it makes sense.
    ///
    /// Errors: a wrong command line.
    pub(super) fn checked(&self, is_http: bool) -> anyhow::Result<Workload> {
        let Some(currency) = Currency::from_code(&self.currency) else {
            let code = &self.currency;
            return Err(usage::wrong(format!("`{code}` is not a currency of ISO 4217")));
        };
        let is_digits = |text: &str| text.len() == 6 && text.bytes().all(|b| b.is_ascii_digit());
        if !is_digits(&self.bin) {
            return Err(usage::wrong("--bin takes six digits"));
        }
        if !is_digits(&self.processing_code) {
            return Err(usage::wrong("--processing-code takes six digits (DE3)"));
        }
        if is_http && rail(&self.processing_code).is_none() {
            return Err(usage::wrong("over HTTP --processing-code begins with 00 or 51"));
        }
        if self.amount_min > self.amount_max {
            return Err(usage::wrong("--amount-min is greater than --amount-max"));
        }
        if !self.biller.is_empty() && BillerId::new(&self.biller).is_err() {
            return Err(usage::wrong("--biller takes 1 to 24 characters of an id"));
        }
        Ok(Workload {
            seed: self.seed,
            shares: self.shares,
            processing_code: self.processing_code.clone(),
            currency,
            major_min: self.amount_min,
            major_max: self.amount_max,
            biller: (!self.biller.is_empty()).then(|| self.biller.clone()),
            bin: self.bin.clone(),
            clients: self.clients,
        })
    }
}
