//! A simulated acquirer: one line to the switch (or straight to a simulated issuer), with answers
//! matched to requests by STAN and type.

mod fields;
mod session;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;

pub use fields::{Fields, Order, TEST_CARD, numeric, private_data};

use crate::clock;
use crate::refusal::refusal;
use crate::tasks::Tasks;
use crate::wire::{self, WireError};
use session::Session;

/// What an acquirer's line needs.
#[derive(Debug, Clone)]
pub struct AcquirerSettings {
    /// DE32, at most 11 digits.
    pub acquirer_id: String,
    /// DE41, 8 characters.
    pub terminal: String,
    /// DE42, 15 characters.
    pub merchant: String,
    /// How long a request waits for its answer.
    pub deadline: Duration,
}

impl AcquirerSettings {
    /// A line with a terminal of its own that waits 10 s.
    pub fn new(acquirer_id: &str) -> Self {
        Self {
            acquirer_id: acquirer_id.to_owned(),
            terminal: "TERM0001".to_owned(),
            merchant: "DESPACHO0000001".to_owned(),
            deadline: Duration::from_secs(10),
        }
    }
}

/// Why an exchange gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum AcquirerError {
    /// The line could not be opened or fell.
    #[error("the line could not be opened or fell")]
    Line(#[from] io::Error),
    /// The peer closed the line.
    #[error("the peer closed the line")]
    Closed,
    /// No answer came in time.
    #[error("no answer to STAN {stan} within {waited:?}")]
    NoAnswer {
        /// STAN of the request.
        stan: String,
        /// How long it was waited for.
        waited: Duration,
    },
    /// The request could not be written.
    #[error("the request does not fit the wire")]
    Request(#[from] WireError),
    /// The sign-on was refused.
    #[error("the sign-on was refused: {why}")]
    SignOnRefused {
        /// DE39 of the 0810.
        code: String,
        /// What the 0810 says, in words.
        why: String,
    },
}

/// A message that came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Message type.
    pub mti: String,
    /// Its fields.
    pub fields: Fields,
}

impl Answer {
    /// DE39; empty when absent.
    pub fn response_code(&self) -> &str {
        self.fields.text(39)
    }

    /// DE37: the folio in an answer of the switch; empty when absent.
    pub fn folio(&self) -> &str {
        self.fields.text(37)
    }

    /// DE38; empty when absent.
    pub fn authorisation(&self) -> &str {
        self.fields.text(38)
    }

    /// Whether it says yes.
    pub fn is_approved(&self) -> bool {
        self.response_code() == "00"
    }
}

/// One line of an acquirer; it is closed when dropped.
#[derive(Debug)]
pub struct Acquirer {
    settings: AcquirerSettings,
    session: Arc<Session>,
    next_stan: AtomicU32,
    _tasks: Tasks,
}

impl Acquirer {
    /// Opens a line and signs on.
    ///
    /// Errors: [`AcquirerError`], `SignOnRefused` among them.
    pub async fn connect(
        addr: SocketAddr,
        settings: AcquirerSettings,
    ) -> Result<Self, AcquirerError> {
        let acquirer = Self::connect_unsigned(addr, settings).await?;
        acquirer.sign_on().await?;
        Ok(acquirer)
    }

    /// Opens a line under TLS and signs on.
    ///
    /// Errors: [`AcquirerError`], `SignOnRefused` among them.
    pub async fn connect_tls(
        addr: SocketAddr,
        settings: AcquirerSettings,
        server_name: ServerName<'static>,
        config: Arc<ClientConfig>,
    ) -> Result<Self, AcquirerError> {
        let stream = TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        let stream = TlsConnector::from(config).connect(server_name, stream).await?;
        let acquirer = Self::over(stream, settings);
        acquirer.sign_on().await?;
        Ok(acquirer)
    }

    /// Opens a line and says nothing yet.
    ///
    /// Errors: `Line`.
    pub async fn connect_unsigned(
        addr: SocketAddr,
        settings: AcquirerSettings,
    ) -> Result<Self, AcquirerError> {
        let stream = TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        Ok(Self::over(stream, settings))
    }

    fn over<S>(stream: S, settings: AcquirerSettings) -> Self
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + 'static,
    {
        let tasks = Tasks::new();
        let session = Session::start(stream, &tasks);
        Self { settings, session, next_stan: AtomicU32::new(1), _tasks: tasks }
    }

    /// Sends an 0200 for the order and waits for its answer. Gives the request too, for a repeat,
    /// a reversal or an inquiry.
    ///
    /// Errors: [`AcquirerError`].
    pub async fn pay(&self, order: &Order) -> Result<(Fields, Answer), AcquirerError> {
        let request = self.payment(order);
        let answer = self.request("0200", &request).await?;
        Ok((request, answer))
    }

    /// The fields of an 0200 for the order, with a fresh STAN and time.
    pub fn payment(&self, order: &Order) -> Fields {
        let own = self.traced(order.fields());
        order.extra.iter().fold(own, |fields, (number, value)| fields.with(number, value))
    }

    /// The fields of a reversal (0400, 0420) of a request sent before: DE90 names it.
    pub fn reversal_of(&self, request: &Fields) -> Fields {
        let kept = [3, 4, 18, 22, 25, 28, 37, 41, 42, 48, 49];
        self.follow_up(request, &kept)
    }

    /// The fields of an inquiry (0200, DE3 320000) about a request sent before.
    pub fn inquiry_about(&self, request: &Fields) -> Fields {
        self.follow_up(request, &[4, 37, 41, 42, 49]).with(3, "320000")
    }

    /// Repeats a request word for word as 0201 (or 0421, 0401).
    ///
    /// Errors: [`AcquirerError`].
    pub async fn repeat(&self, mti: &str, request: &Fields) -> Result<Answer, AcquirerError> {
        let repeat_mti = format!("{}1", &mti[..3]);
        self.request(&repeat_mti, request).await
    }

    /// Signs on (0800, DE70 001).
    ///
    /// Errors: `SignOnRefused` when the answer is not 00, or any [`AcquirerError`].
    pub async fn sign_on(&self) -> Result<Answer, AcquirerError> {
        let answer = self.network("001").await?;
        match answer.is_approved() {
            true => Ok(answer),
            false => Err(AcquirerError::SignOnRefused {
                code: answer.response_code().to_owned(),
                why: refusal(answer.fields.get(39), answer.fields.get(44)),
            }),
        }
    }

    /// Signs off (0800, DE70 002).
    ///
    /// Errors: [`AcquirerError`].
    pub async fn sign_off(&self) -> Result<Answer, AcquirerError> {
        self.network("002").await
    }

    /// Asks whether the line lives (0800, DE70 301).
    ///
    /// Errors: [`AcquirerError`].
    pub async fn echo(&self) -> Result<Answer, AcquirerError> {
        self.network("301").await
    }

    /// Sends an 0800 with this DE70.
    ///
    /// Errors: [`AcquirerError`].
    pub async fn network(&self, code: &str) -> Result<Answer, AcquirerError> {
        let fields = self.traced(Fields::new().with(70, code));
        let kept = [7, 11, 32, 70];
        let fields = fields.iter().filter(|(field, _)| kept.contains(field));
        let fields = fields.fold(Fields::new(), |all, (field, value)| all.with(field, value));
        self.request("0800", &fields).await
    }

    /// Sends any request and waits for the answer of its type and STAN.
    ///
    /// Errors: [`AcquirerError`]. Cancel-safe: an answer that comes later goes to
    /// [`Acquirer::unmatched`].
    pub async fn request(&self, mti: &str, fields: &Fields) -> Result<Answer, AcquirerError> {
        let mti = mti_of(mti);
        let mut frame = Vec::new();
        wire::encode(&mut frame, mti, fields.iter())?;
        let stan = fields.text(11).to_owned();
        let waiting = self.session.expect(wire::answer_mti(mti), &stan);
        self.session.send(frame).await?;
        match tokio::time::timeout(self.settings.deadline, waiting).await {
            Ok(answer) => answer.ok_or(AcquirerError::Closed),
            Err(_) => Err(AcquirerError::NoAnswer { stan, waited: self.settings.deadline }),
        }
    }

    /// Sends a message and does not wait; its answer goes to [`Acquirer::unmatched`].
    ///
    /// Errors: `Request`, `Closed`.
    pub async fn send(&self, mti: &str, fields: &Fields) -> Result<(), AcquirerError> {
        let mut frame = Vec::new();
        wire::encode(&mut frame, mti_of(mti), fields.iter())?;
        self.session.send(frame).await
    }

    /// Sends bytes as they are, length prefix and all.
    ///
    /// Errors: `Closed`.
    pub async fn send_raw(&self, bytes: impl Into<Vec<u8>>) -> Result<(), AcquirerError> {
        self.session.send(bytes.into()).await
    }

    /// The next message nobody waits for: a late or second answer, an answer to raw bytes, or a
    /// request of the peer's.
    ///
    /// Errors: `NoAnswer` when none comes within the deadline, `Closed`.
    pub async fn unmatched(&self) -> Result<Answer, AcquirerError> {
        let waited = self.settings.deadline;
        match tokio::time::timeout(waited, self.session.unmatched()).await {
            Ok(answer) => answer.ok_or(AcquirerError::Closed),
            Err(_) => Err(AcquirerError::NoAnswer { stan: String::new(), waited }),
        }
    }

    /// Waits until the peer closes the line; false if it has not by the deadline.
    pub async fn closed(&self) -> bool {
        tokio::time::timeout(self.settings.deadline, self.session.closed()).await.is_ok()
    }

    /// The next STAN: 000001 to 999999 and around again.
    pub fn next_stan(&self) -> String {
        let stan = self.next_stan.fetch_add(1, Ordering::Relaxed) % 1_000_000;
        format!("{stan:06}")
    }

    /// Adds what the line adds to each request: DE7, DE11, DE12, DE13, DE32, DE41, DE42.
    pub fn traced(&self, fields: Fields) -> Fields {
        let at = clock::transmitted_at(clock::now());
        fields
            .with(7, at)
            .with(11, self.next_stan())
            .with(12, &at[4..])
            .with(13, &at[..4])
            .with(32, self.settings.acquirer_id.as_str())
            .with(41, self.settings.terminal.as_str())
            .with(42, self.settings.merchant.as_str())
    }

    fn follow_up(&self, request: &Fields, kept: &[u8]) -> Fields {
        let fields = request.iter().filter(|(field, _)| kept.contains(field));
        let copied = fields.fold(Fields::new(), |all, (field, value)| all.with(field, value));
        let original = format!(
            "0200{}{}{:0>11}{:011}",
            request.text(11),
            request.text(7),
            request.text(32),
            0
        );
        let traced = self.traced(copied).with(90, original);
        [41, 42].into_iter().fold(traced, |fields, field| match request.get(field) {
            Some(value) => fields.with(field, value),
            None => fields,
        })
    }
}

/// The type as bytes; a text of another length becomes a type nobody knows.
fn mti_of(text: &str) -> [u8; 4] {
    text.as_bytes().try_into().unwrap_or(*b"0000")
}

/// Queue of messages nobody waits for; more than this are dropped, the newest first.
type Unmatched = mpsc::Receiver<Answer>;
