//! `cauce journal balances`: every account and what it has.

use std::io::{self, Write};

use router::ledger::{AccountBalance, Ledger};
use serde::Serialize;

use super::TableFormat;

/// One account as outsiders read it.
#[derive(Debug, Serialize)]
struct Row {
    account: String,
    currency: &'static str,
    /// Credits less debits.
    balance_minor: i128,
}

impl Row {
    fn of(balance: &AccountBalance) -> Self {
        let AccountBalance { account, currency, balance_minor } = *balance;
        Self { account: account.to_string(), currency: currency.code(), balance_minor }
    }
}

/// Writes the balances of all accounts, by name and currency.
pub(super) fn write(ledger: &Ledger, format: TableFormat, out: &mut impl Write) -> io::Result<()> {
    let rows: Vec<Row> = ledger.accounts().iter().map(Row::of).collect();
    match format {
        TableFormat::Text => write_text(&rows, out)?,
        TableFormat::Json => {
            for row in &rows {
                serde_json::to_writer(&mut *out, row).map_err(io::Error::from)?;
                out.write_all(b"\n")?;
            }
        }
        TableFormat::Csv => {
            writeln!(out, "account,currency,balance_minor")?;
            for Row { account, currency, balance_minor } in &rows {
                writeln!(out, "{},{currency},{balance_minor}", quoted(account))?;
            }
        }
    }
    out.flush()
}

fn write_text(rows: &[Row], out: &mut impl Write) -> io::Result<()> {
    let heading = ["account", "balance in minor units"];
    let names = rows.iter().map(|row| row.account.len()).chain([heading[0].len()]);
    let name_len = names.max().unwrap_or(0);
    let amounts = rows.iter().map(|row| row.balance_minor.to_string().len());
    let amount_len = amounts.chain([heading[1].len()]).max().unwrap_or(0);
    writeln!(out, "{:name_len$}  currency  {:>amount_len$}", heading[0], heading[1])?;
    for Row { account, currency, balance_minor } in rows {
        writeln!(out, "{account:name_len$}  {currency:8}  {balance_minor:>amount_len$}")?;
    }
    Ok(())
}

/// Owners of accounts are printable ASCII, so a comma or quote may be in a name.
fn quoted(field: &str) -> String {
    match field.contains([',', '"']) {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        false => field.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use router::id::FloatRef;
    use router::money::{Currency, Money};
    use router::posting::top_up;

    use super::*;

    fn written(format: TableFormat) -> String {
        let mut ledger = Ledger::default();
        for (float, minor, currency) in [("7", 50_000, "MXN"), ("a,b", 1, "USD")] {
            let amount = Money::new(minor, Currency::from_code(currency).unwrap());
            ledger.post(&top_up(&FloatRef::new(float).unwrap(), amount).unwrap());
        }
        let mut out = Vec::new();
        write(&ledger, format, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_account_is_a_line_in_each_form() {
        assert_eq!(
            written(TableFormat::Text),
            "account      currency  balance in minor units\n\
             float:7      MXN                        50000\n\
             float:a,b    USD                            1\n\
             funding:7    MXN                       -50000\n\
             funding:a,b  USD                           -1\n"
        );
        assert!(written(TableFormat::Json).starts_with(
            "{\"account\":\"float:7\",\"currency\":\"MXN\",\"balance_minor\":50000}\n"
        ));
        let csv = written(TableFormat::Csv);
        let lines: Vec<&str> = csv.lines().collect();
        assert_eq!(lines[..2], ["account,currency,balance_minor", "float:7,MXN,50000"]);
        assert_eq!(lines[4], "\"funding:a,b\",USD,-1");
    }
}
