//! Why a line ended.

use std::time::Duration;

use codecs::frame::FrameError;

/// Why a line ended.
#[derive(Debug, thiserror::Error)]
pub enum Closed {
    /// The peer closed it.
    #[error("closed by the peer")]
    ByPeer,
    /// The switch is stopping.
    #[error("the switch is stopping")]
    Stopping,
    /// What is configured for its participant has changed.
    #[error("its participant's configuration is in force no more")]
    Retired,
    /// The peer does not take what we write.
    #[error("what we write is not taken")]
    NotReading,
    /// Nothing came for too long.
    #[error("no byte for {} s", .0.as_secs())]
    Idle(Duration),
    /// A frame began and never ended.
    #[error("a frame that began did not end within {} s", .0.as_secs())]
    HalfFrame(Duration),
    /// The peer did not sign on in time.
    #[error("no sign-on within {} s", .0.as_secs())]
    NoSignOn(Duration),
    /// It had not signed on, and another connection needed its place.
    #[error("its place was needed for another connection")]
    Displaced,
    /// The bytes are no frames, or a frame is too long.
    #[error("bad frame")]
    Frame(#[from] FrameError),
    /// Reading failed.
    #[error("cannot read")]
    Read(#[from] std::io::Error),
}

impl Closed {
    /// The name used in metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::ByPeer => "by_peer",
            Self::Stopping => "stopping",
            Self::Retired => "retired",
            Self::NotReading => "not_reading",
            Self::Idle(_) => "idle",
            Self::HalfFrame(_) => "half_frame",
            Self::NoSignOn(_) => "no_sign_on",
            Self::Displaced => "displaced",
            Self::Frame(_) => "bad_frame",
            Self::Read(_) => "read_error",
        }
    }
}
