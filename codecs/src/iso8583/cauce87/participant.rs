//! What a participant answered.

use router::id::{Folio, Stan};
use router::outcome::{Approval, Cause, Decline, Outcome};
use router::reason::Reason;
use router::text::Text;

use super::reader::Reader;
use super::{MapError, Wire};

/// An answer (0210, 0230, 0410, 0430, 0810), by the fields that name the request and the verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParticipantAnswer {
    /// STAN of the request (DE11).
    pub stan: Stan,
    /// Transmission date and time of the request (DE7); empty where not echoed.
    pub transmitted_at: Text<10>,
    /// Retrieval reference number (DE37): the folio, or the participant's own reference.
    pub rrn: Text<12>,
    /// Response code (DE39).
    pub de39: [u8; 2],
    /// Authorisation number (DE38).
    pub authorisation: Text<6>,
}

/// Reads an answer.
///
/// Errors: DE11 or DE39 is missing.
pub fn participant_answer(wire: &Wire, bytes: &[u8]) -> Result<ParticipantAnswer, MapError> {
    let reader = Reader { index: &wire.index, bytes };
    let code = reader.required(39)?;
    Ok(ParticipantAnswer {
        stan: reader.stan()?,
        transmitted_at: reader.text(7)?,
        rrn: reader.text(37)?,
        de39: *code
            .first_chunk()
            .ok_or_else(|| reader.fault(Reason::FormatError, 39, "not a response code"))?,
        authorisation: reader.text(38)?,
    })
}

impl ParticipantAnswer {
    /// The verdict on the payment with this folio.
    ///
    /// A code that says "in progress" or "too late" is no verdict: money may have moved. So may it
    /// have with the approvals the switch does not offer (in part, with identification, for VIPs):
    /// told as a decline, the payer would be charged for nothing. A code that the catalogue does
    /// not know is a decline, with the code as it came.
    pub fn outcome(&self, folio: Folio) -> Outcome {
        match &self.de39 {
            b"10" => return Outcome::Unknown(Cause::PartialApproval),
            b"08" | b"11" | b"16" | b"32" => return Outcome::Unknown(Cause::BadAnswer),
            _ => {}
        }
        match Reason::from_response_code(self.de39) {
            Reason::Approved => Outcome::Approved(self.approval(folio)),
            Reason::Pending | Reason::OutcomeUnknown => Outcome::Unknown(Cause::BadAnswer),
            reason => Outcome::Declined(Decline { reason, network_code: Some(self.de39) }),
        }
    }

    /// Whether the catalogue knows its response code.
    pub fn has_known_code(&self) -> bool {
        matches!(&self.de39, b"08" | b"10" | b"11" | b"16" | b"32")
            || Reason::known_response_code(self.de39).is_some()
    }

    /// The authorisation and, where DE37 is not just the folio sent, the participant's reference.
    fn approval(&self, folio: Folio) -> Approval {
        let echoed = self.rrn.as_str().parse() == Ok(folio);
        let bank_reference = if echoed { &[] } else { self.rrn.as_bytes() };
        Approval {
            authorisation: self.authorisation,
            bank_reference: Text::from_ascii(bank_reference)
                .expect("invariant: twelve printable characters fit"),
        }
    }
}

#[cfg(test)]
mod tests;
