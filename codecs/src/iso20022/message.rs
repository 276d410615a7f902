//! A request in ISO 20022 as a canonical message of the router.
//!
//! | message | becomes | what the router's types cannot hold, and stays in [`Iso20022`] |
//! |---|---|---|
//! | pacs.008, pain.013 | a payment on the account rail | creditor's account and bank, purpose, remittance text, expiry |
//! | pacs.028 | an inquiry | the original's identifiers: see [`original_keys`] |
//! | camt.056 | a reversal that may be refused | the same, and the reason |
//! | pacs.007 | a reversal advice: the sender has undone its side | the same, and the reason |
//! | admi.004 | a sign-on, sign-off, key change, cut-over or echo | description and time |
//!
//! Source: research/domain.md, the table of steps in section 3.

use router::free_text::FreeText;
use router::id::{BillNo, BillerId, ClientRef, ParticipantId};
use router::message::{
    Fingerprint, IdempotencyKey, InquiryRequest, Message, NetworkKind, NetworkRequest, Original,
    Originator, Payer, PaymentRequest, Rail, ReversalRequest, Trace, digest128,
};
use router::money::Money;
use router::reason::Reason;
use router::text::{Text, TextError};
use smallvec::SmallVec;

use super::canonical::{Agent, Iso20022, Word};
use super::error::XmlErrorKind;
use super::guideline::{Breach, Guideline};
use super::message_id::Family;
use crate::forms::is_bic;

/// Why a message that was read is no request the switch can take.
///
/// Shape: `path` names the element to mend, from the message's transaction on; `detail` never
///        repeats the content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {detail}")]
pub struct MapError {
    /// What to answer.
    pub reason: Reason,
    /// Where: element path.
    pub path: &'static str,
    /// What is wrong, for people.
    pub detail: &'static str,
}

fn fault(reason: Reason, path: &'static str, detail: &'static str) -> MapError {
    MapError { reason, path, detail }
}

/// Maps a request into the canonical message.
///
/// Errors: what is missing or makes no sense, with the reason to answer; what the usage guideline
///         forbids that the header names; a status, a notification or any other answer is no request.
pub fn to_message(request: &Iso20022<'_>, originator: ParticipantId) -> Result<Message, MapError> {
    if request.transaction_count > 1 {
        let detail = "one transaction a message is served";
        return Err(fault(Reason::ServiceNotEnabled, "NbOfTxs", detail));
    }
    let guideline = request.header.as_ref().and_then(Guideline::of_header);
    if let Some(breach) = guideline.and_then(|guideline| guideline.breach(request)) {
        return Err(of_breach(&breach));
    }
    match request.message.family {
        Family::CreditTransfer | Family::RequestToPay => {
            payment(request, originator).map(|payment| Message::Payment(Box::new(payment)))
        }
        Family::StatusRequest => {
            let (original, trace) = (original(request)?, trace(request)?);
            let originator = Originator::Participant(originator);
            Ok(Message::Inquiry(Box::new(InquiryRequest { originator, original, trace })))
        }
        Family::CancellationRequest => reversal(request, originator, false),
        Family::PaymentReversal => reversal(request, originator, true),
        Family::SystemEvent => network(request).map(Message::Network),
        Family::PaymentReturn => {
            Err(fault(Reason::ServiceNotEnabled, "PmtRtr", "message is not served"))
        }
        Family::PaymentStatus
        | Family::RequestToPayStatus
        | Family::Notification
        | Family::Resolution
        | Family::Investigation
        | Family::MessageReject
        | Family::Header
        | Family::Other => Err(fault(Reason::ServiceNotEnabled, "Document", "not a request")),
    }
}

/// What a request is answered that breaks the guideline its header names.
fn of_breach(breach: &Breach) -> MapError {
    if breach.kind == XmlErrorKind::CurrencyNotAllowed {
        let detail = "currency is not one of the usage guideline that the header names";
        return fault(Reason::CurrencyNotAllowed, breach.element, detail);
    }
    fault(Reason::FormatError, breach.element, "the usage guideline is not kept")
}

fn payment(request: &Iso20022<'_>, originator: ParticipantId) -> Result<PaymentRequest, MapError> {
    let transaction = &request.transaction;
    let (creditor, debtor) = (&transaction.creditor, &transaction.debtor);
    let end_to_end_id = required("PmtId/EndToEndId", &transaction.end_to_end_id)?;
    for (path, agent) in [("DbtrAgt", &debtor.agent), ("CdtrAgt", &creditor.agent)] {
        if agent.bic.as_deref().is_some_and(|bic| !is_bic(bic)) {
            return Err(fault(Reason::FormatError, path, "not a bank identifier code"));
        }
    }
    Ok(PaymentRequest {
        originator: Originator::Participant(originator),
        key: payment_key(request, &originator)?,
        fingerprint: Fingerprint::UNSET,
        rail: Rail::Account,
        amount: amount(request)?,
        biller: given("Cdtr/Id", &creditor.id, BillerId::new)?,
        client: given(
            "RmtInf/Strd/CdtrRefInf/Ref",
            &transaction.creditor_reference,
            ClientRef::new,
        )?,
        bill: given("RmtInf/Strd/RfrdDocInf/Nb", &transaction.document_number, BillNo::new)?,
        product: None,
        float_ref: None,
        operator: None,
        remaining_debt: None,
        payer: Payer {
            account: given(
                "DbtrAcct/Id",
                first(&debtor.account.iban, &debtor.account.other),
                Text::new,
            )?,
            phone: phone(first(&debtor.account.proxy, &debtor.phone)),
            document: given("Dbtr/Id", &debtor.id, Text::new)?,
            bank_code: bank(&debtor.agent),
            ..Payer::default()
        },
        trace: trace(request)?,
        reference: FreeText::new(end_to_end_id).ok(),
        metadata: None,
        transient: None,
        sealed_texts: None,
    })
}

fn required<'w>(path: &'static str, word: &'w Word<'_>) -> Result<&'w str, MapError> {
    word.as_deref().ok_or_else(|| fault(Reason::FormatError, path, "needed and not there"))
}

fn given<T>(
    path: &'static str,
    word: &Word<'_>,
    new: fn(&str) -> Result<T, TextError>,
) -> Result<Option<T>, MapError> {
    let refused = |_| fault(Reason::FormatError, path, "too long or not plain ASCII");
    word.as_deref().map(new).transpose().map_err(refused)
}

fn first<'w, 'a>(one: &'w Word<'a>, other: &'w Word<'a>) -> &'w Word<'a> {
    if one.is_some() { one } else { other }
}

/// The digits of a telephone number as `+58-4140000000`; a proxy of another kind is none.
fn phone(word: &Word<'_>) -> Option<Text<15>> {
    let digits = word.as_deref()?.strip_prefix('+')?.replace('-', "");
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { Text::new(&digits).ok() } else { None }
}

/// A bank's BIC, else its number in the clearing, where it fits.
fn bank(agent: &Agent<'_>) -> Option<Text<11>> {
    let code = first(&agent.bic, &agent.member).as_deref()?;
    Text::new(code).ok()
}

fn amount(request: &Iso20022<'_>) -> Result<Money, MapError> {
    let invalid = |detail| fault(Reason::AmountInvalid, "IntrBkSttlmAmt", detail);
    let stated = request.transaction.amount.as_ref();
    let stated = stated.ok_or_else(|| invalid("needed and not there"))?;
    match stated.money {
        None => Err(invalid("not an amount in a known currency")),
        Some(money) if money.minor == 0 => Err(invalid("must be more than zero")),
        Some(money) => Ok(money),
    }
}

/// Who sends the message; nothing else of a trace is known to ISO 20022.
fn trace(request: &Iso20022<'_>) -> Result<Trace, MapError> {
    let of_header = request.header.as_ref().and_then(|header| bank(&header.from));
    let acquirer = bank(&request.instructing).or(of_header).unwrap_or_default();
    Ok(Trace { acquirer, ..Trace::default() })
}

fn reversal(
    request: &Iso20022<'_>,
    originator: ParticipantId,
    is_advice: bool,
) -> Result<Message, MapError> {
    let amount = request.transaction.amount.as_ref().and_then(|amount| amount.money);
    let (original, trace) = (original(request)?, trace(request)?);
    Ok(Message::Reversal(Box::new(ReversalRequest {
        originator: Originator::Participant(originator),
        original,
        trace,
        is_advice,
        amount,
        amount_minor: None,
        stands_minor: None,
    })))
}

/// The payment meant. Its folio is there when the originator gives it as the original's number; most
/// give their own identifiers, by which [`original_keys`] finds it.
fn original(request: &Iso20022<'_>) -> Result<Original, MapError> {
    if original_ids(request).next().is_none() {
        let path = "TxInf/OrgnlEndToEndId";
        return Err(fault(Reason::FormatError, path, "needed and not there"));
    }
    let is_folio = |id: &&str| id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit());
    let folio = request.original.tx_id.as_deref().filter(is_folio);
    let folio = folio.and_then(|folio| Text::new(folio).ok()).unwrap_or_default();
    Ok(Original { folio, ..Original::default() })
}

/// What stands in an identifier that the payer did not give.
const NOT_PROVIDED: &str = "NOTPROVIDED";

/// Identifiers by kind, the one that names a payment best first.
fn ids<'w, 'a: 'w>(
    words: [(&'static str, &'w Word<'a>); 5],
) -> impl Iterator<Item = (&'static str, &'w str)> {
    let stated = words.into_iter().filter_map(|(kind, word)| Some((kind, word.as_deref()?)));
    stated.filter(|(_, id)| *id != NOT_PROVIDED)
}

fn original_ids<'w>(request: &'w Iso20022<'_>) -> impl Iterator<Item = (&'static str, &'w str)> {
    let original = &request.original;
    ids([
        ("uetr", &original.uetr),
        ("tx", &original.tx_id),
        ("instr", &original.instr_id),
        ("e2e", &original.end_to_end_id),
        ("msg", &original.msg_id),
    ])
}

fn key(originator: &ParticipantId, kind: &str, id: &str) -> IdempotencyKey {
    let parts = [b"iso20022", originator.as_str().as_bytes(), kind.as_bytes(), id.as_bytes()];
    IdempotencyKey(digest128(&parts))
}

/// The key of a payment: the identifier that names it best, which a repeat carries too. The
/// message's own identifier is new in a repeat, so it counts only where there is nothing else.
fn payment_key(
    request: &Iso20022<'_>,
    originator: &ParticipantId,
) -> Result<IdempotencyKey, MapError> {
    let transaction = &request.transaction;
    let mut ids = ids([
        ("uetr", &transaction.uetr),
        ("tx", &transaction.tx_id),
        ("instr", &transaction.instr_id),
        ("e2e", &transaction.end_to_end_id),
        ("msg", &request.msg_id),
    ]);
    let best = ids.next().map(|(kind, id)| key(originator, kind, id));
    best.ok_or_else(|| fault(Reason::FormatError, "GrpHdr/MsgId", "needed and not there"))
}

/// The keys under which the payment may be found that an inquiry, reversal or status is about.
///
/// Shape: one for each identifier of the original that is stated, the best first. The payment's
///        own key was made of one of them, of which the originator may leave some out here.
pub fn original_keys(
    request: &Iso20022<'_>,
    originator: &ParticipantId,
) -> SmallVec<[IdempotencyKey; 5]> {
    original_ids(request).map(|(kind, id)| key(originator, kind, id)).collect()
}

/// A system event as network management.
///
/// Shape: `EvtCd` is a DE70 code (001, 002, 101, 201, 301) as the switch itself sends it, or a
///        parameter says `SIGNON` or `SIGNOFF`, as the codes 982 of The Clearing House have it.
fn network(request: &Iso20022<'_>) -> Result<NetworkRequest, MapError> {
    let event = &request.event;
    let code = required("EvtInf/EvtCd", &event.code)?;
    let said = |word: &str| event.parameters.iter().any(|parameter| parameter == word);
    let kind = match NetworkKind::from_code(code.as_bytes()) {
        Some(kind) => kind,
        None if said("SIGNON") => NetworkKind::SignOn,
        None if said("SIGNOFF") => NetworkKind::SignOff,
        None => return Err(fault(Reason::ServiceNotEnabled, "EvtInf/EvtCd", "not a known event")),
    };
    let of_header = request.header.as_ref().and_then(|header| bank(&header.from));
    let stated = || event.parameters.iter().find_map(|parameter| institution(parameter));
    let acquirer = of_header.or_else(stated);
    match (kind, acquirer) {
        (NetworkKind::SignOn, None) => {
            Err(fault(Reason::FormatError, "AppHdr/Fr", "needed and not there"))
        }
        (_, acquirer) => Ok(NetworkRequest { kind, acquirer: acquirer.unwrap_or_default() }),
    }
}

/// A parameter that is a bank's number: digits that fit DE32.
fn institution(parameter: &str) -> Option<Text<11>> {
    let is_number = parameter.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { Text::new(parameter).ok() } else { None }
}

#[cfg(test)]
mod tests;
