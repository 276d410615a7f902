//! A request's body with one deadline for all of it: a client that sends a byte now and then does
//! not move it.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Sleep, sleep};

/// The time for a body was over before it was whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body did not come in time")]
pub(super) struct BodyTimeout;

/// A body that fails when it is not whole in time.
#[derive(Debug)]
pub(super) struct TimedBody<B = Incoming> {
    body: B,
    limit: Duration,
    /// Starts when the body is first asked for.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl<B> TimedBody<B> {
    /// A body that may take so long, counted from the moment somebody wants it.
    pub(super) fn new(body: B, limit: Duration) -> Self {
        Self { body, limit, deadline: None }
    }
}

type BoxedError = Box<dyn std::error::Error + Send + Sync>;

impl<B: Body<Data = Bytes, Error: Into<BoxedError>> + Unpin> Body for TimedBody<B> {
    type Data = Bytes;
    type Error = BoxedError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxedError>>> {
        let mut next = self.body.frame();
        if let Poll::Ready(frame) = Pin::new(&mut next).poll(context) {
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let limit = self.limit;
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(sleep(limit)));
        deadline.as_mut().poll(context).map(|()| Some(Err(BodyTimeout.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use http_body_util::StreamBody;

    use super::*;

    #[tokio::test]
    async fn a_body_that_drips_is_given_up_though_each_byte_comes_soon() {
        let dripping = stream::unfold((), |()| async {
            tokio::task::yield_now().await;
            let frame = Frame::data(Bytes::from_static(b" "));
            Some((Ok::<_, std::convert::Infallible>(frame), ()))
        });
        let body = StreamBody::new(Box::pin(dripping));
        let error = TimedBody::new(body, Duration::from_millis(20)).collect().await.unwrap_err();
        assert!(error.is::<BodyTimeout>());
    }

    #[tokio::test]
    async fn a_body_that_comes_in_time_is_whole() {
        let body = http_body_util::Full::new(Bytes::from_static(b"{}"));
        let whole = TimedBody::new(body, Duration::from_secs(9)).collect().await.unwrap();
        assert_eq!(whole.to_bytes(), "{}");
    }
}
