//! One payment as four parties saw it.

use std::collections::HashSet;

use super::Violation;
use crate::id::Folio;
use crate::notice::NoticeType;
use crate::payment::{OutcomeKind, PaymentState};

/// What client, journal, issuer and merchant know of one payment.
#[derive(Debug, Clone)]
pub struct PaymentFacts {
    /// The originator's name of the payment: its idempotency key, or STAN and time.
    pub key: Box<str>,
    /// Its number, where anyone heard it.
    pub folio: Option<Folio>,
    /// What the client heard of its payment request; none where the line fell first, or where all
    /// it heard was that the payment is in progress.
    pub client_answer: Option<OutcomeKind>,
    /// Where the journal says it stands; none where it knows nothing of it.
    pub journal_state: Option<PaymentState>,
    /// Whether the client itself asked for its undoing.
    pub reversal_asked: bool,
    /// Whether the journal has an inquiry that found its outcome after it was unknown.
    pub was_inquired: bool,
    /// Debits less reversals at the issuer: 0 or 1 when all is well.
    pub issuer_net_debits: i64,
    /// The notices its merchant received; none where no merchant listens.
    pub notices: Option<Vec<ToldNotice>>,
    /// Whether everything had time to end: no payment open, no notice under way.
    pub settled: bool,
}

/// One notice, as a merchant received it; repeats included.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ToldNotice {
    /// What it told.
    pub kind: NoticeType,
    /// Its `webhook-id`.
    pub id: Box<str>,
}

/// Everything that is wrong with one payment; empty when all is well.
///
/// Rules: the answer a client heard is what the journal says, for ever; the issuer debited once if
/// and only if the payment stands as approved; whatever was given up is undone by the time
/// everything is quiet; each event reaches the merchant, under one id.
pub fn audit_payment(facts: &PaymentFacts) -> Vec<Violation> {
    let mut violations = Vec::new();
    violations.extend(answer(facts));
    violations.extend(issuer(facts));
    violations.extend(left_open(facts));
    if let Some(notices) = &facts.notices {
        audit_notices(facts, notices, &mut violations);
    }
    violations
}

fn answer(facts: &PaymentFacts) -> Option<Violation> {
    use PaymentState as State;
    let (heard, journal) = (facts.client_answer?, facts.journal_state);
    let supported = match (heard, journal) {
        (
            OutcomeKind::Approved,
            Some(State::Approved | State::Settled | State::Refunding | State::Refunded),
        ) => true,
        (OutcomeKind::Approved, Some(State::Reversing | State::Reversed)) => facts.reversal_asked,
        (OutcomeKind::Declined, Some(State::Declined | State::Expired)) => true,
        // The participant approved behind its decline, and that is undone.
        (OutcomeKind::Declined, Some(State::Reversing | State::Reversed)) => true,
        // What is refused before it is a payment (a bad field, overload) is not recorded.
        (OutcomeKind::Declined, None) => true,
        (OutcomeKind::Unknown, Some(State::Unknown | State::Reversing | State::Reversed)) => true,
        (
            OutcomeKind::Unknown,
            Some(State::Approved | State::Declined | State::Refunding | State::Refunded),
        ) => facts.was_inquired,
        (OutcomeKind::Approved | OutcomeKind::Declined | OutcomeKind::Unknown, _) => false,
    };
    let key = facts.key.clone();
    (!supported).then_some(Violation::AnswerNotInJournal { key, answer: heard, journal })
}

fn issuer(facts: &PaymentFacts) -> Option<Violation> {
    use PaymentState as State;
    let (key, journal) = (facts.key.clone(), facts.journal_state);
    let net_debits = facts.issuer_net_debits;
    if !(0..=1).contains(&net_debits) {
        return Some(Violation::DebitedWrongly { key, net_debits });
    }
    let agreed = match journal {
        None if net_debits != 0 => return Some(Violation::SentWithoutIntent { key }),
        // A refund is a payment of its own; the one refunded still stands at the issuer.
        Some(State::Approved | State::Settled | State::Refunding | State::Refunded) => {
            net_debits == 1
        }
        Some(State::Declined | State::Expired | State::Received | State::AwaitingPayer) => {
            net_debits == 0
        }
        Some(State::Reversed) => net_debits == 0,
        None | Some(State::Sent | State::Unknown | State::Reversing) => true,
    };
    (!agreed).then_some(Violation::IssuerDisagrees { key, journal, net_debits })
}

fn left_open(facts: &PaymentFacts) -> Option<Violation> {
    use PaymentState as State;
    let state = facts.journal_state?;
    let open = match state {
        State::Received
        | State::AwaitingPayer
        | State::Sent
        | State::Unknown
        | State::Refunding
        | State::Reversing => true,
        State::Approved
        | State::Declined
        | State::Reversed
        | State::Expired
        | State::Settled
        | State::Refunded => false,
    };
    (facts.settled && open).then(|| Violation::LeftOpen { key: facts.key.clone(), state })
}

fn audit_notices(facts: &PaymentFacts, notices: &[ToldNotice], violations: &mut Vec<Violation>) {
    let (due, possible) = expected(facts);
    for kind in NoticeType::ALL {
        let key = facts.key.clone();
        let told = notices.iter().filter(|notice| notice.kind == kind);
        let ids = told.map(|notice| &notice.id).collect::<HashSet<_>>().len();
        let may_have_many = kind == NoticeType::PaymentRefunded;
        if ids > 1 && !may_have_many {
            violations.push(Violation::NoticeIdsDiffer { key, kind, ids });
        } else if ids > 0 && !possible.contains(&kind) {
            violations.push(Violation::NoticeUntrue { key, kind, journal: facts.journal_state });
        } else if ids == 0 && facts.settled && due.contains(&kind) {
            violations.push(Violation::NoticeMissing { key, kind });
        }
    }
}

/// The notices that must have come, and those that may have.
fn expected(facts: &PaymentFacts) -> (&'static [NoticeType], &'static [NoticeType]) {
    use NoticeType as Type;
    use PaymentState as State;
    let Some(state) = facts.journal_state else { return (&[], &[]) };
    match state {
        State::Received | State::AwaitingPayer | State::Sent => (&[], &[]),
        State::Approved | State::Settled | State::Refunding => {
            (&[Type::PaymentApproved], possibly_refunded(facts))
        }
        State::Refunded => {
            (&[Type::PaymentApproved, Type::PaymentRefunded], possibly_refunded(facts))
        }
        State::Declined if facts.was_inquired => {
            const BOTH: &[NoticeType] = &[Type::PaymentUnknown, Type::PaymentDeclined];
            (BOTH, BOTH)
        }
        State::Declined => (&[Type::PaymentDeclined], &[Type::PaymentDeclined]),
        State::Expired => (&[Type::PaymentExpired], &[Type::PaymentExpired]),
        State::Unknown => (&[Type::PaymentUnknown], &[Type::PaymentUnknown]),
        State::Reversing => (&[], &Type::ALL),
        State::Reversed if facts.was_inquired => (&[Type::PaymentReversed], &Type::ALL),
        State::Reversed => reversed(facts.client_answer),
    }
}

/// The notices that an approved payment may have had, a part of which may have been refunded.
fn possibly_refunded(facts: &PaymentFacts) -> &'static [NoticeType] {
    use NoticeType as Type;
    match facts.was_inquired {
        true => &[Type::PaymentUnknown, Type::PaymentApproved, Type::PaymentRefunded],
        false => &[Type::PaymentApproved, Type::PaymentRefunded],
    }
}

/// Before its undoing a payment was told as approved or as unknown; the client's answer says
/// which, where it heard one.
fn reversed(answer: Option<OutcomeKind>) -> (&'static [NoticeType], &'static [NoticeType]) {
    use NoticeType as Type;
    match answer {
        Some(OutcomeKind::Approved) => {
            const BOTH: &[Type] = &[Type::PaymentApproved, Type::PaymentReversed];
            (BOTH, BOTH)
        }
        Some(OutcomeKind::Unknown) => {
            const BOTH: &[Type] = &[Type::PaymentUnknown, Type::PaymentReversed];
            (BOTH, BOTH)
        }
        Some(OutcomeKind::Declined) => {
            const BOTH: &[Type] = &[Type::PaymentDeclined, Type::PaymentReversed];
            (BOTH, BOTH)
        }
        None => (&[Type::PaymentReversed], &Type::ALL),
    }
}
