//! Taking the next connection from the kernel.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};

/// Pause after a connection could not be accepted: without a file descriptor for it, asking again
/// at once would only spin.
const PAUSE: Duration = Duration::from_millis(20);
/// Failures between two lines in the log: one a second.
const FAILURES_PER_LINE: u32 = 50;

/// Waits for the next connection of a listener, however long there is no descriptor for it.
/// Cancel-safe.
pub async fn accept(listener: &TcpListener, what: &'static str) -> (TcpStream, SocketAddr) {
    let mut failures = 0_u32;
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => {
                metrics::counter!("cauce_accept_failures_total").increment(1);
                if failures.is_multiple_of(FAILURES_PER_LINE) {
                    tracing::warn!(what, %error, "a connection could not be accepted");
                }
                failures = failures.wrapping_add(1);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}
