//! What a participant's answer means.

use router::reason::Reason;

use super::canonical::Iso20022;
use super::message_id::Family;
use super::write::TransactionStatus;

/// What a status message says of a payment.
///
/// Shape: `reason` is [`Reason::Approved`] for a settled payment and [`Reason::Pending`] while it
///        is not known; a refusal without a reason that is understood is a plain decline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParticipantAnswer {
    /// The state of the payment.
    pub status: TransactionStatus,
    /// What it means.
    pub reason: Reason,
}

/// Reads the answer of a pacs.002 or pain.014; nothing when it is another message or states no
/// status that is known.
pub fn participant_answer(message: &Iso20022<'_>) -> Option<ParticipantAnswer> {
    match message.message.family {
        Family::PaymentStatus | Family::RequestToPayStatus => {}
        _ => return None,
    }
    let status = TransactionStatus::from_code(message.transaction.status.as_deref()?)?;
    let reason = match status {
        TransactionStatus::Settled => Reason::Approved,
        // Checked, received or on its way is not paid yet.
        TransactionStatus::Checked
        | TransactionStatus::InProcess
        | TransactionStatus::Pending
        | TransactionStatus::Received => Reason::Pending,
        TransactionStatus::Rejected | TransactionStatus::Cancelled => refusal(message),
    };
    Some(ParticipantAnswer { status, reason })
}

/// The reason of a refusal: the catalogue's number where another switch of ours states it, else
/// the first reason that sends the code.
fn refusal(message: &Iso20022<'_>) -> Reason {
    let reason = &message.transaction.reason;
    let stated = |text: Option<&str>| {
        let number = text?.split(' ').next()?;
        Reason::from_no(number).filter(|reason| is_refusal(*reason))
    };
    let of_code = |code: &str| {
        let mut all = Reason::ALL.into_iter().filter(|reason| is_refusal(*reason));
        all.find(|reason| reason.info().iso20022 == code)
    };
    let code = reason.code.as_deref();
    let reason = stated(reason.info.as_deref()).or_else(|| stated(code));
    reason.or_else(|| code.and_then(of_code)).unwrap_or(Reason::CardDeclined)
}

fn is_refusal(reason: Reason) -> bool {
    TransactionStatus::of(reason) == TransactionStatus::Rejected
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::iso20022::read;

    fn answer(status: &str, reason: &str) -> Option<ParticipantAnswer> {
        let xml = format!(
            "<Document xmlns='urn:iso:std:iso:20022:tech:xsd:pacs.002.001.10'><R><TxInfAndSts>\
             <TxSts>{status}</TxSts>{reason}</TxInfAndSts></R></Document>"
        );
        participant_answer(&read(xml.as_bytes()).expect("well-formed"))
    }

    fn because(rsn: &str, info: &str) -> Reason {
        let reason = format!("<StsRsnInf><Rsn>{rsn}</Rsn><AddtlInf>{info}</AddtlInf></StsRsnInf>");
        answer("RJCT", &reason).expect("an answer").reason
    }

    #[test]
    fn only_a_settled_payment_is_approved_and_only_a_refused_one_declined() {
        let reason = |status| answer(status, "").map(|answer| answer.reason);
        assert_eq!(reason("ACSC"), Some(Reason::Approved));
        for open in ["ACTC", "ACSP", "PDNG", "RCVD"] {
            assert_eq!(reason(open), Some(Reason::Pending), "{open}");
        }
        assert_eq!(reason("RJCT"), Some(Reason::CardDeclined));
        assert_eq!(reason("XXXX"), None);
    }

    #[test]
    fn a_refusal_is_understood_by_number_then_by_code() {
        assert_eq!(because("<Cd>AM04</Cd>", "no funds"), Reason::InsufficientFunds);
        assert_eq!(because("<Cd>AM04</Cd>", "1002 Low balance"), Reason::FloatInsufficient);
        assert_eq!(because("<Prtry>1201</Prtry>", ""), Reason::CardExpired);
        assert_eq!(because("<Cd>ZZ99</Cd>", ""), Reason::CardDeclined);
        // A refusal that calls itself approved, or unknown, is a refusal.
        assert_eq!(because("<Cd>ACSC</Cd>", "0000 Approved"), Reason::CardDeclined);
        assert_eq!(because("<Cd>AB05</Cd>", "6002 No answer"), Reason::CardDeclined);
    }

    #[test]
    fn a_public_refusal_is_understood() {
        let refused = include_bytes!("../../testdata/iso20022/vectors/rtp-pain014-rjct.xml");
        let answer = participant_answer(&read(refused).expect("well-formed"));
        assert_eq!(answer.map(|answer| answer.reason), Some(Reason::PayerAccountBlocked));
        let payment = include_bytes!("../../testdata/iso20022/vectors/mx-fednow-pacs008.xml");
        assert_eq!(participant_answer(&read(payment).expect("well-formed")), None);
    }
}
