//! What is asked of a participant about a payment that it was asked for before: an inquiry (0200 with
//! DE3 32), a refund (DE3 20).

use bytes::BytesMut;
use codecs::error::PackError;
use codecs::iso8583::cauce87::{self, Asking, Repeat};
use router::exchange::{
    AttemptRef, InquiryAnswer, InquiryFinding, KnownPayment, NoAnswer, NotSent, RefundAsk,
    RequestTrace,
};
use router::id::Folio;
use router::outcome::Outcome;
use router::record::Attempt;
use router::text::Text;

use super::in_flight::{MatchedAnswer, RequestKind, StanClaim};
use super::{Iso8583Participant, verdict};
use crate::clock;

/// DE39 of a payment that is not known.
const NOT_FOUND: [u8; 2] = *b"25";
/// DE39 that refuses an inquiry, or that tells of a reversal: what became of the payment is not said.
const OF_THE_INQUIRY: [[u8; 2]; 14] = [
    *b"12", *b"17", *b"21", *b"30", *b"31", *b"40", *b"57", *b"58", *b"63", *b"90", *b"91", *b"92",
    *b"94", *b"96",
];

impl Iso8583Participant {
    /// What names a request of a refund that is about to be made durable.
    ///
    /// Errors: [`NotSent`] when nothing could be sent anyway.
    pub(super) fn named_refund(&self, folio: Folio) -> Result<Attempt, NotSent> {
        let (_claim, trace) = self.claim(RequestKind::Payment, folio, clock::now())?;
        // The STAN is free again until the refund is sent: the next one that is given out is another.
        Ok(Attempt { participant: self.id(), reference: AttemptRef::Trace(trace) })
    }

    /// Asks for a refund and waits for the answer.
    ///
    /// Errors: whether it certainly never left, or may have. Not cancel-safe.
    pub(super) async fn ask_refund(&self, refund: &RefundAsk<'_>) -> Result<Outcome, NoAnswer> {
        let (original, own) = traces(&refund.of, refund.own)?;
        let claim = self.claim_again(RequestKind::Payment, refund.of.folio, &own);
        let claim = claim.map_err(NoAnswer::NotSent)?;
        let write = |asking: Asking, out: &mut BytesMut| {
            cauce87::refund_request(refund, &original, &own, asking, out)
        };
        let heard = self.asked(&refund.of, claim, refund.repeat, write).await?;
        Ok(verdict::of(&heard, &self.about(&refund.of)))
    }

    /// Asks what became of a payment.
    ///
    /// Errors: whether it certainly never left, or may have. Not cancel-safe.
    pub(super) async fn ask_about(&self, of: &KnownPayment<'_>) -> Result<InquiryAnswer, NoAnswer> {
        let claimed = self.claim(RequestKind::Reversal, of.folio, clock::now());
        let (claim, own) = claimed.map_err(NoAnswer::NotSent)?;
        drop(claim);
        let claim = self.claim_again(RequestKind::Payment, of.folio, &own);
        let claim = claim.map_err(NoAnswer::NotSent)?;
        let original = of.original.trace().ok_or(NoAnswer::NotSent(NotSent::Unwritable))?;
        let write = |asking: Asking, out: &mut BytesMut| {
            cauce87::inquiry_request(of, &original, &own, asking, out)
        };
        let heard = self.asked(of, claim, Repeat::First, write).await?;
        let raw_code = Text::from_ascii(&heard.answer.de39).unwrap_or(Text::EMPTY);
        let finding = finding_of(heard.answer.de39, &verdict::of(&heard, &self.about(of)));
        Ok(InquiryAnswer { finding, raw_code })
    }

    /// Writes and sends a request about a payment.
    async fn asked(
        &self,
        of: &KnownPayment<'_>,
        claim: StanClaim<'_>,
        repeat: Repeat,
        write: impl FnOnce(Asking, &mut BytesMut) -> Result<(), PackError>,
    ) -> Result<MatchedAnswer, NoAnswer> {
        let speaker = self.speaker();
        let asking = speaker.asking(repeat, self.config.acceptor);
        let frame = speaker.message(|out| write(asking, out)).map_err(|error| {
            tracing::error!(payment_id = %of.payment, %error,
                "a request about a payment cannot be written");
            NoAnswer::NotSent(NotSent::Unwritable)
        })?;
        self.ask(claim, frame).await
    }

    fn about(&self, of: &KnownPayment<'_>) -> verdict::AnsweredPayment {
        let KnownPayment { payment, folio, .. } = *of;
        verdict::AnsweredPayment { payment, folio, participant: self.id() }
    }
}

/// The trace numbers of a payment's request and of a request about it.
fn traces(
    of: &KnownPayment<'_>,
    own: AttemptRef,
) -> Result<(RequestTrace, RequestTrace), NoAnswer> {
    let both = of.original.trace().zip(own.trace());
    both.ok_or(NoAnswer::NotSent(NotSent::Unwritable))
}

/// What a response code to an inquiry says of the payment; none where it says nothing of it.
fn finding_of(code: [u8; 2], outcome: &Outcome) -> Option<InquiryFinding> {
    match outcome {
        Outcome::Approved(approval) => Some(InquiryFinding::Approved(*approval)),
        Outcome::Declined(_) if code == NOT_FOUND => Some(InquiryFinding::NotFound),
        Outcome::Declined(_) if OF_THE_INQUIRY.contains(&code) => None,
        Outcome::Declined(decline) => Some(InquiryFinding::Declined(*decline)),
        Outcome::Unknown(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use router::outcome::{Approval, Cause, Decline};
    use router::reason::Reason;

    use super::*;

    #[test]
    fn a_code_that_refuses_the_inquiry_says_nothing_of_the_payment() {
        let found = |code: &[u8; 2]| {
            let (reason, network_code) = (Reason::from_response_code(*code), Some(*code));
            finding_of(*code, &Outcome::Declined(Decline { reason, network_code }))
        };
        for code in [b"12", b"17", b"21", b"30", b"57", b"58", b"91", b"94", b"96"] {
            assert_eq!(found(code), None, "{}", code.escape_ascii());
        }
        assert_eq!(found(b"25"), Some(InquiryFinding::NotFound));
        let declined = Decline { reason: Reason::InsufficientFunds, network_code: Some(*b"51") };
        assert_eq!(found(b"51"), Some(InquiryFinding::Declined(declined)));
        assert_eq!(finding_of(*b"09", &Outcome::Unknown(Cause::BadAnswer)), None);
        let approved = Outcome::Approved(Approval::default());
        let found = Some(InquiryFinding::Approved(Approval::default()));
        assert_eq!(finding_of(*b"00", &approved), found);
    }
}
