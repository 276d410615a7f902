//! `cauce demo bank`: one payment, over a line of its own, to a demonstration that runs.

use std::net::SocketAddr;
use std::process::ExitCode;

use loadtest::simulator::acquirer::{Acquirer, AcquirerError, AcquirerSettings, Order};
use router::money::{Currency, Money};

use super::screen;
use crate::process::StopSignals;

/// DE32 of the demonstration's bank-a.
const ACQUIRER_ID: &str = "00000000011";
/// The biller that is paid.
const BILLER: &str = "isp-ve";
/// Its last digits have the simulated issuer approve.
const AMOUNT_MINOR: i64 = 12_300;

/// Pays once and prints both messages; 0 after an approval.
#[expect(clippy::print_stderr, reason = "this is a program's own output")]
pub(super) async fn pay(address: SocketAddr, stop: &mut StopSignals) -> ExitCode {
    if !address.ip().is_loopback() {
        eprintln!("{address} is not on this machine: the demonstration's bank calls nobody else");
        return ExitCode::FAILURE;
    }
    let paid = tokio::select! {
        paid = paid(address) => paid,
        () = stop.asked() => return ExitCode::FAILURE,
    };
    match paid {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{address}: {}", storage::with_causes(&error));
            eprintln!("Is a demonstration running there? `cauce demo` prints its addresses.");
            ExitCode::FAILURE
        }
    }
}

async fn paid(address: SocketAddr) -> Result<bool, AcquirerError> {
    let line = Acquirer::connect(address, AcquirerSettings::new(ACQUIRER_ID)).await?;
    screen::line(&format!("0800/0810  bank-a has signed on, DE32 {ACQUIRER_ID}"));
    let amount = Money::new(AMOUNT_MINOR, currency());
    let (request, answer) = line.pay(&Order::card(amount, BILLER)).await?;
    screen::line(&format!("0200       DE11 {}, {amount} for {BILLER}", request.text(11)));
    let code = answer.response_code();
    let text = match answer.is_approved() {
        true => format!("approved, folio {}, DE38 {}", answer.folio(), answer.authorisation()),
        false => format!("reason {}", answer.fields.text(44)),
    };
    screen::line(&format!("{}       DE39 {code}: {text}", answer.mti));
    Ok(answer.is_approved())
}

fn currency() -> Currency {
    Currency::from_code("VES").expect("invariant: VES is a currency")
}
