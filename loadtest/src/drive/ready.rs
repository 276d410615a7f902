//! Waiting until a load can begin: the switch takes payments, and has its line to the bank that this
//! process hosts.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::{DriveError, DriveSettings, Entrance, api, checked, sign_on};
use crate::simulator::issuer::IssuerHandle;

/// Pause between attempts to reach the switch.
const TRY_EVERY: Duration = Duration::from_millis(100);

/// Why a load cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum NotReady {
    /// The switch does not take payments.
    #[error(transparent)]
    Switch(#[from] DriveError),
    /// The switch has no line to the hosted bank.
    #[error(
        "the switch has no line to the bank hosted at {bank} after {waited:?}: {why}; one of its \
         participants needs `connect = \"{bank}\"`"
    )]
    NoLineToBank {
        /// Where the bank listens.
        bank: SocketAddr,
        /// How long it was waited for.
        waited: Duration,
        /// What came, if anything.
        why: String,
    },
    /// The waiting was stopped.
    #[error("stopped before the load began")]
    Stopped,
}

/// How long a load waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaitLimits {
    /// For the switch to take payments.
    pub switch: Duration,
    /// After that, for its line to the hosted bank.
    pub line: Duration,
}

/// Waits until the switch takes payments and, where a bank is hosted here, has signed on to it.
/// `tell` hears what is waited for, once each.
///
/// Errors: [`NotReady`] once the time is over; at once where waiting cannot help.
pub async fn wait(
    settings: &DriveSettings,
    bank: Option<&IssuerHandle>,
    limits: WaitLimits,
    stop: &CancellationToken,
    mut tell: impl FnMut(&str),
) -> Result<(), NotReady> {
    let settings = checked(settings.clone())?;
    stoppable(stop, reach(&settings, Instant::now() + limits.switch, &mut tell)).await?;
    let Some(bank) = bank else { return Ok(()) };
    let give_up = Instant::now() + limits.line;
    let signed_on = async {
        // Told only where it takes a moment.
        let soon = (Instant::now() + TRY_EVERY * 3).min(give_up);
        if timeout_at(soon, bank.signed_on()).await.is_ok() {
            return Ok(());
        }
        tell(&format!("waiting for the switch's line to the bank at {}", bank.addr()));
        match timeout_at(give_up, bank.signed_on()).await {
            Ok(()) => Ok(()),
            Err(_) => Err(no_line(bank, limits.line)),
        }
    };
    stoppable(stop, signed_on).await
}

async fn stoppable(
    stop: &CancellationToken,
    waiting: impl Future<Output = Result<(), NotReady>>,
) -> Result<(), NotReady> {
    stop.run_until_cancelled(waiting).await.unwrap_or(Err(NotReady::Stopped))
}

/// Tries until the switch takes a sign-on, or a first request over HTTP.
async fn reach(
    settings: &DriveSettings,
    give_up: Instant,
    tell: &mut impl FnMut(&str),
) -> Result<(), NotReady> {
    let mut is_told = false;
    loop {
        let error = match reach_once(settings).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        if error.is_final() || Instant::now() >= give_up {
            return Err(error.into());
        }
        if !is_told {
            tell(&format!("waiting for the switch at {}", settings.target));
            is_told = true;
        }
        tokio::time::sleep(TRY_EVERY).await;
    }
}

async fn reach_once(settings: &DriveSettings) -> Result<(), DriveError> {
    let target = settings.target;
    match &settings.entrance {
        Entrance::Iso8583 { acquirer_id } => {
            let signed_on = sign_on::open(target, acquirer_id).await;
            signed_on.map(drop).map_err(|source| DriveError::Line { line: 0, target, source })
        }
        Entrance::Http { .. } => api::probe(settings).await,
    }
}

fn no_line(bank: &IssuerHandle, waited: Duration) -> NotReady {
    let counts = bank.counts();
    let why = match (counts.lines, counts.not_understood) {
        (0, _) => "nothing has connected there".to_owned(),
        (lines, 0) => format!("{lines} connections, and no sign-on"),
        (lines, messages) => format!(
            "{lines} connections, and {messages} messages that are not of the profile cauce-87"
        ),
    };
    NotReady::NoLineToBank { bank: bank.addr(), waited, why }
}
