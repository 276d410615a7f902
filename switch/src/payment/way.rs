//! The way of a request: which of its routes it takes.

use router::detail::Detail;
use router::exchange::{Ask, NotReady, Unsayable};
use router::id::ParticipantId;
use router::plan::{Plan, Routes};
use router::reason::Reason;
use router::record::Attempt;
use router::refusal::Refusal;

use crate::adapter::Adapter;
use crate::participant::{ParticipantAdapter, Participants, Ready};

/// A route whose participant can be asked now.
pub(super) struct Way<'a> {
    /// Who is asked.
    pub(super) participant: &'a ParticipantAdapter,
    /// What is sent there.
    pub(super) ready: Ready<'a>,
    /// The request by which the journal knows it.
    pub(super) attempt: Attempt,
}

/// Why no participant can be asked.
pub(super) enum NoWay {
    /// No route's participant has a dialect that can carry the request; the first one's reason.
    Unsayable(Unsayable),
    /// Those who could be told are away.
    Away,
}

impl<'a> Way<'a> {
    /// The first route whose participant can be reached and told.
    ///
    /// Errors: [`NoWay`].
    pub(super) fn first(
        participants: &'a Participants,
        routes: &[ParticipantId],
        ask: &Ask<'_>,
    ) -> Result<Self, NoWay> {
        let (mut untold, mut first) = (0, None);
        for id in routes {
            let Some(participant) = participants.by_id(*id) else { continue };
            match participant.ready(ask) {
                Ok((attempt, ready)) => return Ok(Self { participant, ready, attempt }),
                Err(NotReady::Away(_)) => {}
                Err(NotReady::Unsayable(why)) => {
                    untold += 1;
                    first.get_or_insert(why);
                }
            }
        }
        match first {
            Some(why) if untold == routes.len() => Err(NoWay::Unsayable(why)),
            Some(_) | None => Err(NoWay::Away),
        }
    }
}

/// Why none of the routes can be asked, as its originator is told.
pub(super) fn why_unreachable(participants: &Participants, routes: &Routes) -> Reason {
    let mut asked = routes.iter().filter_map(|id| participants.by_id(*id));
    match asked.any(|participant| participant.bulkhead().owes_too_much()) {
        true => Reason::ReversalsPending,
        false => Reason::IssuerUnavailable,
    }
}

/// The refusal of a request that no message to the participant can carry.
pub(super) fn does_not_fit(plan: &Plan, unsayable: Unsayable) -> Refusal {
    let Unsayable { field, problem } = unsayable;
    let detail = Some(Detail::Text(problem.into_boxed_str()));
    Refusal { reason: Reason::FormatError, field, detail, business_date: plan.business_date }
}
