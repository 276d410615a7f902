//! Opening a line to the switch: connecting and signing on, and what keeps it from that.

use std::io;
use std::time::Duration;

use router::reason::{Language, Reason};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::clock;
use crate::simulator::acquirer::Fields;
use crate::wire::{self, Index};

/// How long a line may take to open and sign on.
pub const OPEN_DEADLINE: Duration = Duration::from_secs(5);

/// Why a line has not signed on.
#[derive(Debug, thiserror::Error)]
pub enum SignOnError {
    /// There is nobody to connect to.
    #[error("nothing takes connections there")]
    Connect(#[source] io::Error),
    /// The connection ended before the sign-on was answered.
    #[error("the connection was closed before the sign-on was answered; {PROFILE}")]
    Closed,
    /// The sign-on was not answered.
    #[error("the sign-on was not answered within {OPEN_DEADLINE:?}; {PROFILE}")]
    Silent,
    /// What came back is not ISO 8583 of the profile.
    #[error("what came back is no answer to a sign-on ({shown}); {PROFILE}")]
    Unreadable {
        /// The first bytes, printable ones as they are.
        shown: String,
    },
    /// The sign-on was refused.
    #[error("the sign-on of acquirer {acquirer_id} (DE32) was refused: {why}")]
    Refused {
        /// DE32 of the sign-on.
        acquirer_id: String,
        /// What the answer says, in words.
        why: String,
    },
}

/// What the harness speaks, for those who have to compare it with the switch's side.
const PROFILE: &str =
    "the harness speaks cauce-87 without TLS: 2-byte length, ASCII fields, binary bitmap";

impl SignOnError {
    /// Whether trying again cannot help.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Refused { .. } | Self::Unreadable { .. } => true,
            Self::Connect(_) | Self::Closed | Self::Silent => false,
        }
    }
}

/// Opens a line and signs on.
///
/// Errors: [`SignOnError`]. Cancel-safe: the line closes.
pub async fn open(
    target: std::net::SocketAddr,
    acquirer_id: &str,
) -> Result<TcpStream, SignOnError> {
    let opening = sign_on(target, acquirer_id);
    tokio::time::timeout(OPEN_DEADLINE, opening).await.unwrap_or(Err(SignOnError::Silent))
}

async fn sign_on(
    target: std::net::SocketAddr,
    acquirer_id: &str,
) -> Result<TcpStream, SignOnError> {
    let mut stream = TcpStream::connect(target).await.map_err(SignOnError::Connect)?;
    let answer = ask(&mut stream, acquirer_id).await.map_err(|_| SignOnError::Closed)?;
    let mut index = Index::new();
    let is_answer = wire::mti(&answer) == Some(*b"0810") && index.read(&answer).is_ok();
    if !is_answer {
        return Err(SignOnError::Unreadable { shown: shown(&answer) });
    }
    match index.value(&answer, 39) {
        Some(b"00") => Ok(stream),
        code => Err(SignOnError::Refused {
            acquirer_id: acquirer_id.to_owned(),
            why: refusal(code, index.value(&answer, 44)),
        }),
    }
}

/// Sends a sign-on and gives the message that comes back, or as much of it as has come when the
/// peer closes or what it sends cannot be a frame.
async fn ask(stream: &mut TcpStream, acquirer_id: &str) -> io::Result<Vec<u8>> {
    stream.set_nodelay(true)?;
    let request = Fields::new()
        .with(7, clock::transmitted_at(clock::now()))
        .with(11, "000000")
        .with(32, acquirer_id)
        .with(70, "001");
    let mut frame = Vec::new();
    wire::encode(&mut frame, *b"0800", request.iter()).map_err(io::Error::other)?;
    stream.write_all(&frame).await?;
    let mut prefix = [0; wire::PREFIX_LEN];
    stream.read_exact(&mut prefix).await?;
    if prefix.is_ascii() && prefix.iter().all(u8::is_ascii_alphanumeric) {
        // Text, and no length of a short message: the rest may never come.
        let mut answer = prefix.to_vec();
        stream.read_buf(&mut answer).await?;
        return Ok(answer);
    }
    let mut answer = vec![0; usize::from(u16::from_be_bytes(prefix))];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}

/// What an answer other than 00 says: its response code, and its reason by the catalogue.
pub fn refusal(code: Option<&[u8]>, additional_data: Option<&[u8]>) -> String {
    let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
    let code = code.map_or_else(|| "no DE39".to_owned(), |code| format!("DE39 {}", text(code)));
    let Some(additional_data) = additional_data.map(text) else { return code };
    let reason = additional_data.get(..4).and_then(Reason::from_no);
    match reason.map(Reason::info) {
        Some(info) => {
            format!("{code}, {additional_data} {}: {}", info.code, info.text(Language::En))
        }
        None => format!("{code}, {additional_data}"),
    }
}

/// The first bytes of something unexpected.
fn shown(bytes: &[u8]) -> String {
    let first = bytes.get(..24).unwrap_or(bytes);
    format!("\"{}\"", first.escape_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_with_its_reason() {
        let check = |code: Option<&str>, de44: Option<&str>, expect: &str| {
            let told = refusal(code.map(str::as_bytes), de44.map(str::as_bytes));
            assert_eq!(told, expect);
        };
        check(Some("63"), Some("5001"), "DE39 63, 5001 operator_unauthorised: User not authorised");
        let field = "DE39 30, 6006 DE32 @37 format_error: Format error";
        check(Some("30"), Some("6006 DE32 @37"), field);
        check(Some("05"), None, "DE39 05");
        check(Some("05"), Some("CALL"), "DE39 05, CALL");
        check(None, None, "no DE39");
    }
}
