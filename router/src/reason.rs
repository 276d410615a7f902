//! Why a payment was declined, or is not known: one closed list, one table of wire codes.
//!
//! The list is [`Reason`]; everything else about a reason – number, DE39, ISO 20022 code, HTTP
//! status, retry class and the texts in five languages – stands in `data/reasons.tsv`, which a
//! test holds against the list. Business code names variants; only a codec or the responder asks
//! for codes.

use std::sync::LazyLock;

static REASONS: &str = include_str!("../data/reasons.tsv");
static RESPONSE_CODES: &str = include_str!("../data/response_codes.tsv");

/// A reason of the decline catalogue, in the order of its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// `0000` Payment approved.
    Approved,
    /// `0009` Waiting for the bank's answer.
    Pending,
    /// `1001` Insufficient funds.
    InsufficientFunds,
    /// `1002` Collection balance too low; contact your administrator.
    FloatInsufficient,
    /// `1003` Account blocked.
    PayerAccountBlocked,
    /// `1004` Account closed.
    PayerAccountClosed,
    /// `1005` Wrong account number.
    AccountInvalid,
    /// `1006` Payer is not enrolled.
    PayerNotEnrolled,
    /// `1007` Payer data do not match.
    PayerDataMismatch,
    /// `1008` Invalid identity document.
    PayerIdInvalid,
    /// `1009` Payer refused.
    PayerRefused,
    /// `1010` Payer did not answer in time.
    PayerTimeout,
    /// `1101` Wrong payment key.
    OtpInvalid,
    /// `1102` Payment key expired.
    OtpExpired,
    /// `1103` Too many key attempts.
    OtpAttemptsExceeded,
    /// `1104` Authentication failed.
    ScaFailed,
    /// `1201` Card expired.
    CardExpired,
    /// `1202` Card reported stolen.
    CardStolen,
    /// `1203` Card reported lost.
    CardLost,
    /// `1204` Invalid card.
    CardInvalid,
    /// `1205` Card not active.
    CardNotActive,
    /// `1206` Declined by the issuer.
    CardDeclined,
    /// `1207` Restricted card.
    CardRestricted,
    /// `1208` Refused for security reasons.
    SuspectedFraud,
    /// `2001` Over the limit per transaction.
    AmountOverLimit,
    /// `2002` Below the minimum amount.
    AmountBelowMinimum,
    /// `2003` Invalid amount.
    AmountInvalid,
    /// `2004` Amount differs from the bill.
    AmountMismatch,
    /// `2005` Currency not allowed.
    CurrencyNotAllowed,
    /// `2006` Too many payments in this period.
    DailyCountExceeded,
    /// `2007` Amounts of this period exceed the limit.
    DailyAmountExceeded,
    /// `2008` A minimum must remain; pay off at a branch.
    MustLeaveBalance,
    /// `2009` Product not accepted.
    ProductNotAllowed,
    /// `2010` Service not enabled.
    ServiceNotEnabled,
    /// `3001` Customer not found.
    ClientNotFound,
    /// `3002` Bill not found.
    BillNotFound,
    /// `3003` Nothing to pay.
    NoDebt,
    /// `3004` Already paid.
    BillAlreadyPaid,
    /// `3005` A payment is under way.
    BillInProgress,
    /// `3006` Bill expired.
    BillExpired,
    /// `3007` Bill cancelled.
    BillCancelled,
    /// `3008` The biller does not answer.
    BillerUnavailable,
    /// `3009` Look-up too old; repeat it.
    LookupExpired,
    /// `3010` No such payment received.
    PaymentNotFound,
    /// `3011` Float not found.
    FloatNotFound,
    /// `3101` The link has expired.
    LinkExpired,
    /// `3102` Link opened too many times.
    LinkOpensExhausted,
    /// `3103` Too many failed attempts.
    LinkErrorsExhausted,
    /// `3104` Link disabled.
    LinkDisabled,
    /// `4001` Duplicate transaction; reprint the ticket.
    DuplicateTransaction,
    /// `4002` Key reused with other data.
    IdempotencyConflict,
    /// `4003` Original not found.
    OriginalNotFound,
    /// `4004` Already reversed.
    AlreadyReversed,
    /// `4005` Cannot be reversed; ask for a refund.
    ReversalNotAllowed,
    /// `4006` Its reversal came first; not carried out.
    ReversedBeforehand,
    /// `4011` The payment was declined; no money moved and nothing is to be undone.
    NothingToReverse,
    /// `4012` The bank takes no partial reversals; reverse the whole.
    PartialReversalNotSupported,
    /// `4013` The amount of the reversal does not fit the payment.
    ReversalAmountMismatch,
    /// `4014` The payment cannot be refunded as it stands.
    RefundNotAllowed,
    /// `4015` The refund is more than what stands of the payment.
    RefundExceedsPayment,
    /// `4016` The payment waits for no confirmation.
    ConfirmationNotAwaited,
    /// `5001` User not authorised.
    OperatorUnauthorised,
    /// `5002` Terminal blocked.
    TerminalBlocked,
    /// `5003` Deposit overdue; collecting suspended.
    CollectorDepositOverdue,
    /// `5004` Deposit over the cap.
    DepositOverCap,
    /// `5005` Proof incomplete.
    DepositProofIncomplete,
    /// `5006` Participant suspended.
    ParticipantSuspended,
    /// `5007` The participant has reached its net debit cap.
    NetDebitCapExceeded,
    /// `6001` Bank offline.
    IssuerUnavailable,
    /// `6002` No answer yet; we are checking.
    OutcomeUnknown,
    /// `6003` No route to that bank.
    NoRoute,
    /// `6004` Outside hours.
    OutOfHours,
    /// `6005` Settlement failed.
    SettlementFailed,
    /// `6006` Format error.
    FormatError,
    /// `6007` Too many requests.
    RateLimited,
    /// `6008` System error.
    SystemError,
    /// `6009` Unavailable for a moment; try again: the guard of limits and balances cannot be
    /// asked, and nothing is admitted unasked.
    GateUnavailable,
    /// `6010` The bank does not confirm reversals; try later: so many are owed by it that nothing
    /// new is sent to it.
    ReversalsPending,
    /// `6011` The API has no such address.
    PathNotFound,
    /// `6012` The address does not take this method.
    MethodNotAllowed,
    /// `6013` There is no such thing, or it is another's.
    NotFound,
}

/// May the originator try again?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Nothing to repeat: this is a success.
    NotNeeded,
    /// The same input fails again.
    No,
    /// May be repeated with the same key.
    SameKey,
    /// The outcome is unknown: ask first.
    AskFirst,
}

/// A language of the catalogue's texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// Spanish.
    Es,
    /// Romanian.
    Ro,
    /// Italian.
    It,
    /// English.
    En,
    /// Portuguese.
    Pt,
}

/// Everything the catalogue says of one reason.
#[derive(Debug, Clone, Copy)]
pub struct ReasonInfo {
    /// The lossless number, four digits: DE44, DE48 tag 11, `reason.no`.
    pub no: &'static str,
    /// The API's code, e.g. `insufficient_funds`.
    pub code: &'static str,
    /// HTTP status of the answer that carries it.
    pub http: u16,
    /// ISO 8583:1987 response code; none where no message can carry it.
    pub de39: Option<&'static str>,
    /// ISO 20022 external status reason code, the nearest one.
    pub iso20022: &'static str,
    /// May the originator try again?
    pub retry: Retry,
    texts: [&'static str; 5],
}

impl ReasonInfo {
    /// The text for people.
    pub fn text(&self, language: Language) -> &'static str {
        match language {
            Language::Es => self.texts[0],
            Language::Ro => self.texts[1],
            Language::It => self.texts[2],
            Language::En => self.texts[3],
            Language::Pt => self.texts[4],
        }
    }
}

static TABLE: LazyLock<Vec<ReasonInfo>> = LazyLock::new(|| rows(REASONS).map(parse_row).collect());

/// DE39 as an issuer sends it, by its two digits; none for a code that is not listed.
static BY_RESPONSE_CODE: LazyLock<[Option<Reason>; 100]> = LazyLock::new(|| {
    let mut by_code = [None; 100];
    for row in rows(RESPONSE_CODES) {
        let mut columns = row.split('\t');
        let code = columns.next().and_then(|code| code.parse::<usize>().ok());
        let reason = columns.next().and_then(Reason::from_no);
        let (Some(code), Some(reason)) = (code, reason) else {
            panic!("invariant: response_codes.tsv row `{row}` names a code and a reason");
        };
        by_code[code] = Some(reason);
    }
    by_code
});

impl Reason {
    /// Whether the request itself makes no sense, so that it was never a payment and its key stays
    /// free for the corrected request.
    pub fn is_fault_of_input(self) -> bool {
        matches!(self, Self::FormatError | Self::AmountInvalid)
    }

    /// Every reason, in the order of the catalogue.
    pub const ALL: [Self; 81] = [
        Self::Approved,
        Self::Pending,
        Self::InsufficientFunds,
        Self::FloatInsufficient,
        Self::PayerAccountBlocked,
        Self::PayerAccountClosed,
        Self::AccountInvalid,
        Self::PayerNotEnrolled,
        Self::PayerDataMismatch,
        Self::PayerIdInvalid,
        Self::PayerRefused,
        Self::PayerTimeout,
        Self::OtpInvalid,
        Self::OtpExpired,
        Self::OtpAttemptsExceeded,
        Self::ScaFailed,
        Self::CardExpired,
        Self::CardStolen,
        Self::CardLost,
        Self::CardInvalid,
        Self::CardNotActive,
        Self::CardDeclined,
        Self::CardRestricted,
        Self::SuspectedFraud,
        Self::AmountOverLimit,
        Self::AmountBelowMinimum,
        Self::AmountInvalid,
        Self::AmountMismatch,
        Self::CurrencyNotAllowed,
        Self::DailyCountExceeded,
        Self::DailyAmountExceeded,
        Self::MustLeaveBalance,
        Self::ProductNotAllowed,
        Self::ServiceNotEnabled,
        Self::ClientNotFound,
        Self::BillNotFound,
        Self::NoDebt,
        Self::BillAlreadyPaid,
        Self::BillInProgress,
        Self::BillExpired,
        Self::BillCancelled,
        Self::BillerUnavailable,
        Self::LookupExpired,
        Self::PaymentNotFound,
        Self::FloatNotFound,
        Self::LinkExpired,
        Self::LinkOpensExhausted,
        Self::LinkErrorsExhausted,
        Self::LinkDisabled,
        Self::DuplicateTransaction,
        Self::IdempotencyConflict,
        Self::OriginalNotFound,
        Self::AlreadyReversed,
        Self::ReversalNotAllowed,
        Self::ReversedBeforehand,
        Self::NothingToReverse,
        Self::PartialReversalNotSupported,
        Self::ReversalAmountMismatch,
        Self::RefundNotAllowed,
        Self::RefundExceedsPayment,
        Self::ConfirmationNotAwaited,
        Self::OperatorUnauthorised,
        Self::TerminalBlocked,
        Self::CollectorDepositOverdue,
        Self::DepositOverCap,
        Self::DepositProofIncomplete,
        Self::ParticipantSuspended,
        Self::NetDebitCapExceeded,
        Self::IssuerUnavailable,
        Self::OutcomeUnknown,
        Self::NoRoute,
        Self::OutOfHours,
        Self::SettlementFailed,
        Self::FormatError,
        Self::RateLimited,
        Self::SystemError,
        Self::GateUnavailable,
        Self::ReversalsPending,
        Self::PathNotFound,
        Self::MethodNotAllowed,
        Self::NotFound,
    ];

    /// What the catalogue says of it.
    pub fn info(self) -> &'static ReasonInfo {
        &TABLE[self as usize]
    }

    /// The reason of a catalogue number.
    pub fn from_no(no: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.info().no == no)
    }

    /// What an issuer's response code means; `00` is [`Reason::Approved`]. A code that the catalogue
    /// does not know is a plain decline, whatever its characters.
    pub fn from_response_code(de39: [u8; 2]) -> Self {
        Self::known_response_code(de39).unwrap_or(Self::CardDeclined)
    }

    /// The same; none for a code that the catalogue does not know.
    pub fn known_response_code(de39: [u8; 2]) -> Option<Self> {
        let digit = |byte: u8| byte.is_ascii_digit().then(|| usize::from(byte - b'0'));
        BY_RESPONSE_CODE[digit(de39[0])? * 10 + digit(de39[1])?]
    }
}

fn rows(table: &'static str) -> impl Iterator<Item = &'static str> {
    table.lines().filter(|line| line.starts_with(|first: char| first.is_ascii_digit()))
}

fn parse_row(row: &'static str) -> ReasonInfo {
    let columns: Vec<&'static str> = row.split('\t').collect();
    let [no, code, http, de39, iso20022, retry, texts @ ..] = columns.as_slice() else {
        panic!("invariant: reasons.tsv row `{row}` has its columns");
    };
    ReasonInfo {
        no,
        code,
        http: http.parse().expect("invariant: reasons.tsv gives an HTTP status"),
        de39: (*de39 != "-").then_some(*de39),
        iso20022: iso20022.split([' ', '/']).next().unwrap_or(iso20022),
        retry: match *retry {
            "N" => Retry::No,
            "R" => Retry::SameKey,
            "C" => Retry::AskFirst,
            _ => Retry::NotNeeded,
        },
        texts: texts.try_into().expect("invariant: reasons.tsv gives five texts"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_and_the_table_name_the_same_reasons_in_the_same_order() {
        assert_eq!(TABLE.len(), Reason::ALL.len());
        for (position, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, position);
            let camel: String = reason
                .info()
                .code
                .split('_')
                .map(|word| word[..1].to_uppercase() + &word[1..])
                .collect();
            assert_eq!(format!("{reason:?}"), camel);
            assert_eq!(Reason::from_no(reason.info().no), Some(reason));
        }
        assert!(TABLE.is_sorted_by_key(|row| row.no));
    }

    #[test]
    fn no_text_of_the_catalogue_has_a_figure_or_a_name_of_one_installation() {
        let names = ["credimax", "micronegocio", "tor "];
        for reason in Reason::ALL {
            for text in reason.info().texts {
                let has_figure =
                    text.chars().any(|letter| letter.is_ascii_digit() || letter == '…');
                let lower = format!("{} ", text.to_lowercase());
                let has_name = names.iter().any(|name| lower.contains(&format!(" {name}")));
                assert!(!has_figure && !has_name, "{}: {text}", reason.info().code);
            }
        }
    }

    #[test]
    fn every_row_is_fit_to_be_sent() {
        for reason in Reason::ALL {
            let info = reason.info();
            assert!(info.no.len() == 4 && (200..=599).contains(&info.http), "{}", info.code);
            assert!(info.de39.is_none_or(|code| code.len() == 2), "{}", info.code);
            assert!((4..=6).contains(&info.iso20022.len()), "{}", info.code);
            assert!(info.texts.iter().all(|text| !text.is_empty()), "{}", info.code);
        }
    }

    #[test]
    fn an_issuer_s_code_finds_the_reason_that_sends_the_same_code() {
        for reason in Reason::ALL {
            let Some(de39) = reason.info().de39 else { continue };
            let code = [de39.as_bytes()[0], de39.as_bytes()[1]];
            let meant = Reason::from_response_code(code);
            assert_eq!(meant.info().de39, Some(de39), "{meant:?} for {de39}");
        }
        assert_eq!(Reason::from_response_code(*b"00"), Reason::Approved);
        assert_eq!(Reason::from_response_code(*b"51"), Reason::InsufficientFunds);
    }

    #[test]
    fn a_response_code_that_is_not_listed_is_a_decline_and_known_as_unknown() {
        for first in 0..=u8::MAX {
            for second in 0..=u8::MAX {
                let code = [first, second];
                let meant = Reason::from_response_code(code);
                assert_eq!(meant == Reason::Approved, code == *b"00", "{code:?}");
                let is_listed = Reason::known_response_code(code).is_some();
                assert!(is_listed || meant == Reason::CardDeclined, "{code:?}");
            }
        }
        for unlisted in [*b"Z3", *b"  ", *b"0 ", *b"01", *b"99", [0, 255]] {
            assert_eq!(Reason::known_response_code(unlisted), None);
        }
    }
}
