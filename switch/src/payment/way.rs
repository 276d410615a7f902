//! The way of a request: which of its routes it takes, and its message to the participant there.

use bytes::Bytes;
use codecs::error::PackError;
use codecs::iso8583::cauce87::{self, Repeat};
use router::id::{Folio, ParticipantId};
use router::limit::Detail;
use router::plan::{Plan, Refusal, Routes};
use router::reason::Reason;
use router::record::{Attempt, Intent};
use router::time::Timestamp;

use crate::engine::Engine;
use crate::participant::in_flight::{Claim, RequestKind};
use crate::participant::{Participant, pin};

/// A route whose participant can be asked now.
pub(super) struct Way<'a> {
    /// Who is asked.
    pub(super) participant: &'a Participant,
    /// The STAN of the request.
    pub(super) claim: Claim<'a>,
    /// The request by which the journal knows it.
    pub(super) attempt: Attempt,
    /// Which of the routes it is.
    position: usize,
}

/// Why no participant can be asked although one could be reached.
pub(super) enum Unwritten {
    /// No route's participant has a format that can carry the request; the first one's reason.
    ByNone(PackError),
    /// Those who could be reached cannot be told; another could, but is away.
    OthersAway,
}

impl<'a> Way<'a> {
    /// The first route whose participant can be asked.
    pub(super) fn first(
        engine: &'a Engine,
        routes: &[ParticipantId],
        folio: Folio,
        now: Timestamp,
    ) -> Option<Self> {
        Self::from(engine, routes, 0, (folio, now))
    }

    fn from(
        engine: &'a Engine,
        routes: &[ParticipantId],
        position: usize,
        (folio, now): (Folio, Timestamp),
    ) -> Option<Self> {
        routes.iter().enumerate().skip(position).find_map(|(position, id)| {
            let participant = engine.participants.by_id(*id)?;
            let (claim, attempt) = participant.claim(RequestKind::Payment, folio, now).ok()?;
            Some(Self { participant, claim, attempt, position })
        })
    }

    /// This way with the message for its participant, or the next whose participant can be told.
    ///
    /// Errors: [`Unwritten`].
    pub(super) fn written(
        self,
        engine: &'a Engine,
        intent: &Intent,
    ) -> Result<(Self, Bytes), Unwritten> {
        let routes = &intent.plan.routes;
        let (mut way, mut untold, mut first) = (self, 0, None);
        loop {
            match request_frame(engine, way.participant, intent, &way.attempt) {
                Ok(frame) => return Ok((way, frame)),
                Err(error) => {
                    first.get_or_insert(error);
                }
            }
            untold += 1;
            let (position, when) = (way.position + 1, (intent.folio, intent.at));
            // The STAN of a way that leads nowhere is free again.
            drop(way);
            match Self::from(engine, routes, position, when) {
                Some(next) => way = next,
                None => break,
            }
        }
        match first {
            Some(error) if untold == routes.len() => Err(Unwritten::ByNone(error)),
            Some(_) | None => Err(Unwritten::OthersAway),
        }
    }
}

/// Why none of the routes can be asked, as its originator is told.
pub(super) fn why_unreachable(engine: &Engine, routes: &Routes) -> Reason {
    let mut participants = routes.iter().filter_map(|id| engine.participants.by_id(*id));
    match participants.any(|participant| participant.owes_too_much()) {
        true => Reason::ReversalsPending,
        false => Reason::IssuerUnavailable,
    }
}

/// The request of one attempt.
///
/// Errors: a value of the request does not fit the participant's dialect.
fn request_frame(
    engine: &Engine,
    participant: &Participant,
    intent: &Intent,
    attempt: &Attempt,
) -> Result<Bytes, PackError> {
    let asking = engine.asking(Repeat::First);
    let frame = engine.message(|out| {
        cauce87::payment_request(intent, attempt, asking, out)?;
        pin::translate(engine, &intent.request, participant, out)
    })?;
    let message_format = participant.config.message_format.as_ref();
    message_format.map_or(Ok(()), |message_format| message_format.fits(&frame))?;
    Ok(frame)
}

/// The refusal of a request that no message to the participant can carry.
pub(super) fn does_not_fit(plan: &Plan, error: &PackError) -> Refusal {
    let detail = format!("cannot be said to the bank: {error}").into_boxed_str();
    let detail = Some(Detail::Text(detail));
    let business_date = plan.business_date;
    let field = error.field().and_then(cauce87::request_field);
    Refusal { reason: Reason::FormatError, field, detail, business_date }
}
