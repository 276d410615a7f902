//! Opening a line to the switch: connecting and signing on, and what keeps it from that.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::clock;
use crate::refusal::refusal;
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

/// The first bytes of something unexpected.
fn shown(bytes: &[u8]) -> String {
    let first = bytes.get(..24).unwrap_or(bytes);
    format!("\"{}\"", first.escape_ascii())
}
