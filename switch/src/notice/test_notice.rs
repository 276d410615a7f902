//! Test notices: one goes to an endpoint at once, when its biller asks; the answer tells what came of it.
//! It is signed as all are, but not tried again, and it stands in no log of notices.

use std::time::Duration;

use codecs::api::TestNoticeBody;
use router::endpoint::Endpoint;
use router::id::NoticeId;
use tokio::time::{Instant, timeout};

use super::attempt::Target;
use super::client::{Answer, NoEndpointAnswer};
use super::lanes::{DeliveryOverdue, Pace};
use super::{EndpointError, Notices};
use crate::clock;

/// What came of a test notice.
#[derive(Debug)]
pub struct Tested {
    /// Its `webhook-id`.
    pub id: NoticeId,
    /// HTTP status of the answer, or why there was none.
    pub result: Result<u16, &'static str>,
    /// From asking for a place among the biller's deliveries to the answer.
    pub took: Duration,
}

impl Notices {
    /// Sends a test notice. It goes in a pause too: its biller has asked for it.
    ///
    /// Errors: [`EndpointError::Unusable`]. Cancel-safe as far as the endpoint may have seen the
    /// notice.
    pub async fn test(&self, endpoint: &Endpoint) -> Result<Tested, EndpointError> {
        let target = Target::of(self, endpoint).ok_or(EndpointError::Unusable)?;
        let (at, started) = (clock::now(), Instant::now());
        let id = NoticeId::from_parts(at.millis(), rand::random());
        let body = TestNoticeBody::new(id, at, endpoint.id).to_json();
        let pace = Pace::new(1);
        let work = self.poster.post(target.envelope(id, at, body));
        let placed = self.lanes.with_place(&target.share, &pace, work);
        // As long for the place as for the answer, at most.
        let answer = match timeout(self.config.timeout.saturating_mul(2), placed).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(DeliveryOverdue)) | Err(_) => Err(NoEndpointAnswer::Overdue),
        };
        let result = answer.map(|Answer { status, .. }| status).map_err(NoEndpointAnswer::name);
        tracing::info!(endpoint = %endpoint.id, notice_id = %id, ?result, "test notice sent");
        Ok(Tested { id, result, took: started.elapsed() })
    }
}
