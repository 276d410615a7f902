//! Payments that wait for their payer or for a confirmation, and what ends their wait.

use super::progress::{OutcomeKind, Progress};
use super::{Effects, PaymentState};
use crate::notice::NoticeType;
use crate::reason::Reason;
use crate::record::{Confirming, Expired, WaitBegun};
use crate::reservation::Settle;

/// What the originator of a payment is told that expired.
pub const EXPIRED: Reason = Reason::PayerTimeout;

impl Progress {
    /// A payment that was sent waits now, or goes on waiting for something else; none where the
    /// record cannot follow.
    pub(super) fn wait(&mut self, wait: &WaitBegun) -> Option<Effects> {
        let may_wait = matches!(self.state, PaymentState::Sent | PaymentState::AwaitingPayer);
        if !may_wait || wait.until <= wait.at {
            return None;
        }
        (self.state, self.waits_until) = (PaymentState::AwaitingPayer, Some(wait.until));
        Some(Effects::default())
    }

    /// The payer's confirmation is about to leave: what comes of it is not known until the
    /// participant answers. None where the record cannot follow.
    pub(super) fn confirm_payer(&mut self, confirming: &Confirming) -> Option<Effects> {
        self.waits_until.filter(|until| confirming.at < *until)?;
        (self.state, self.waits_until) = (PaymentState::Sent, None);
        Some(Effects::default())
    }

    /// The wait is over and nothing came; none where it is not over.
    pub(super) fn expire(&mut self, expired: &Expired) -> Option<Effects> {
        self.waits_until.filter(|until| *until <= expired.at)?;
        (self.state, self.waits_until) = (PaymentState::Expired, None);
        self.told = Some(OutcomeKind::Declined);
        let (settle, notice) = (Some(Settle::Release), Some(NoticeType::PaymentExpired));
        Some(Effects { settle, notice, owes_reversal: false })
    }
}
