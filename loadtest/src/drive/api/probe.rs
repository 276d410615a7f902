//! A first request to the JSON API, which changes nothing.

use std::io;
use std::net::SocketAddr;

use http_body_util::Full;
use hyper::Request;
use hyper::header::{AUTHORIZATION, HOST};

use super::ApiKey;
use super::connection::{BODY_BYTES_MAX, Connection, ConnectionError, OPEN_DEADLINE};
use crate::drive::{DriveError, DriveSettings, Entrance};
use crate::tasks::Tasks;

/// Why the JSON API did not take a first request.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// There is nobody to connect to.
    #[error("nothing takes connections there")]
    Connect(#[source] io::Error),
    /// The connection fell before the answer.
    #[error("the connection fell before a first request (GET /v1/payments) was answered")]
    Reset(#[source] io::Error),
    /// The server closed the connection before the answer.
    #[error("the connection was closed before a first request (GET /v1/payments) was answered")]
    Closed,
    /// The connection was taken, and nothing came back: a switch that reads its journal binds its
    /// address first.
    #[error("a first request (GET /v1/payments) was not answered within {OPEN_DEADLINE:?}")]
    Silent,
    /// What came back is not HTTP.
    #[error("what listens there does not answer in HTTP")]
    NotHttp,
    /// What came back is no answer of the API.
    #[error(
        "the answer to a first request (GET /v1/payments) is longer than {BODY_BYTES_MAX} bytes"
    )]
    TooLong,
    /// The key, or the request, was refused.
    #[error("a first request (GET /v1/payments) was answered {status}{said}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// Code and text of the problem, after a colon; empty without one.
        said: String,
    },
}

impl ApiError {
    /// Whether trying again cannot help.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Connect(_) | Self::Reset(_) | Self::Closed | Self::Silent => false,
            Self::NotHttp | Self::TooLong => true,
            Self::Refused { status, .. } => (400..500).contains(status) && *status != 429,
        }
    }
}

impl From<ConnectionError> for ApiError {
    fn from(error: ConnectionError) -> Self {
        match error {
            ConnectionError::Connect(error) => Self::Connect(error),
            ConnectionError::Reset(error) => Self::Reset(error),
            ConnectionError::Closed => Self::Closed,
            ConnectionError::NotHttp => Self::NotHttp,
            ConnectionError::TooLong => Self::TooLong,
        }
    }
}

/// Asks the API for something that changes nothing: whether it is there and takes the key.
///
/// Errors: [`DriveError::Api`]. Cancel-safe.
pub(in crate::drive) async fn probe(settings: &DriveSettings) -> Result<(), DriveError> {
    let Entrance::Http { api_key } = &settings.entrance else { return Ok(()) };
    let target = settings.target;
    let asked = ask_once(target, api_key).await;
    asked.map_err(|source| DriveError::Api { target, source })
}

async fn ask_once(target: SocketAddr, api_key: &ApiKey) -> Result<(), ApiError> {
    let tasks = Tasks::new();
    let mut connection = Connection::open(target, &tasks.spawner()).await?;
    let request = Request::builder()
        .uri("/v1/payments?limit=1")
        .header(HOST, target.to_string())
        .header(AUTHORIZATION, &api_key.0)
        .body(Full::default())
        .expect("invariant: a request of constant parts is well formed");
    let answered = tokio::time::timeout(OPEN_DEADLINE, connection.exchange(request)).await;
    let answer = answered.map_err(|_| ApiError::Silent)??;
    match answer.status {
        200 => Ok(()),
        status => Err(ApiError::Refused { status, said: answer.said() }),
    }
}
