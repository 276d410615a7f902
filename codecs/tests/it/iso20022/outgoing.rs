//! Messages to be written: bare ones, full ones, and ones with everything that XML dislikes.

use codecs::iso20022::XmlErrorKind;
use codecs::iso20022::write::*;
use codecs::iso20022::{XmlError, write::Outgoing};
use router::message::NetworkKind;
use router::money::{Currency, Money};
use router::reason::{Language, Reason};
use router::time::{Date, Timestamp};

/// 2026-01-31T23:59:59.5Z.
pub const AT: Timestamp = Timestamp(1_769_903_999_500_000);
/// 2026-01-31.
pub const DAY: Date = Date(20_484);

const UETR: &str = "97ed4827-7b6f-4491-a06f-b548d5a7512d";
/// Everything that XML dislikes, and what no schema bounds in bytes.
pub const HOSTILE: &str = "<&>\"']]>\u{1}\u{FFFE} ñandú 東京 \u{1F600}\r\n\t<!--";
const LONG: &str = "ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ\
                    ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ<ñ";
const BIC: Bank<'_> = Bank::Bic("AAAAGB2LXXX");
const MEMBER: Bank<'_> = Bank::Member { system: Some("USABA"), id: "021150706" };

fn money(minor: i64, code: &str) -> Money {
    Money::new(minor, Currency::from_code(code).expect("a currency"))
}

/// How much of a message is filled in.
#[derive(Clone, Copy, PartialEq)]
enum Filled {
    Bare,
    Full,
    Hostile,
}

impl Filled {
    const ALL: [Self; 3] = [Self::Bare, Self::Full, Self::Hostile];

    fn opt<T>(self, value: T) -> Option<T> {
        (self != Self::Bare).then_some(value)
    }

    fn words(self) -> &'static str {
        if self == Self::Hostile { HOSTILE } else { "Servicio de Internet" }
    }

    /// An identifier cannot be mended, so it holds only what XML can.
    fn id(self) -> &'static str {
        if self == Self::Hostile { "<&>\"']]> ñ 東京 \u{1F600}" } else { "ID-1" }
    }

    fn group(self) -> Group<'static> {
        let (instructing, instructed) = (Some(BIC), self.opt(Bank::Bic("BBBBUS33")));
        Group { msg_id: self.id(), created: AT, instructing, instructed }
    }

    /// Both banks, for messages that demand them.
    fn assignment(self) -> Group<'static> {
        Group { instructing: Some(BIC), instructed: Some(MEMBER), ..self.group() }
    }

    fn person(self, account: BankAccount<'static>) -> Person<'static> {
        let name = if self == Self::Hostile { LONG } else { "Ana Pérez" };
        Person {
            name: self.opt(name),
            id: self.opt(self.id()),
            account: self.opt(account),
            bank: Some(if self == Self::Bare { BIC } else { MEMBER }),
        }
    }

    fn debtor(self) -> Person<'static> {
        self.person(match self {
            Self::Hostile => BankAccount::Proxy { kind: "TELE", id: "+58-4140000000" },
            Self::Bare | Self::Full => BankAccount::Iban("GB82WEST12345698765432"),
        })
    }

    fn creditor(self) -> Person<'static> {
        self.person(BankAccount::Other("01020000000000000001"))
    }

    fn about(self) -> About<'static> {
        About {
            msg_id: Some(self.id()),
            msg_name: Some("pacs.008.001.08"),
            created: self.opt(if self == Self::Hostile {
                HOSTILE
            } else {
                "2026-01-31T23:59:59.5Z"
            }),
            payment_info_id: Some(self.id()),
            instr_id: self.opt(self.id()),
            end_to_end_id: Some(self.id()),
            tx_id: self.opt(self.id()),
            uetr: self.opt(UETR),
            amount: self.opt(money(51_200, "MXN")),
            settlement_date: self.opt(DAY),
        }
    }

    fn why(self) -> Why<'static> {
        match self {
            Self::Bare => Why { code: "AC03".into(), info: None },
            Self::Full => Why::reason(Reason::MustLeaveBalance, Language::Es),
            Self::Hostile => Why { code: "<own>".into(), info: Some(LONG.into()) },
        }
    }

    fn payment(self) -> Payment<'static> {
        Payment {
            instr_id: self.opt(self.id()),
            end_to_end_id: self.id(),
            tx_id: self.opt(self.id()),
            uetr: self.opt(UETR),
            amount: match self {
                Self::Bare => money(500, "CLP"),
                Self::Full => money(1, "BHD"),
                Self::Hostile => money(999_999_999_999_999, "MXN"),
            },
            debtor: self.debtor(),
            creditor: self.creditor(),
            local_instrument: self.opt(self.id()),
            category_purpose: self.opt("CASH"),
            purpose: self.opt(if self == Self::Hostile { self.id() } else { "OTHR" }),
            remittance: self.opt(self.words()),
            document_number: self.opt(self.id()),
            creditor_reference: self.opt(self.id()),
        }
    }

    fn booking(self) -> Booking<'static> {
        Booking {
            reference: self.opt(self.id()),
            amount: money(51_200, "MXN"),
            direction: if self == Self::Bare { Direction::Debit } else { Direction::Credit },
            booked: DAY,
            value_date: DAY,
            bank_reference: self.opt(self.id()),
            instr_id: self.opt(self.id()),
            end_to_end_id: Some(self.id()),
            tx_id: self.opt(self.id()),
            uetr: self.opt(UETR),
            debtor: self.opt(self.debtor()),
            creditor: self.opt(self.creditor()),
            remittance: self.opt(self.words()),
        }
    }

    fn status(self) -> PaymentStatus<'static> {
        PaymentStatus {
            group: self.group(),
            id: self.opt(self.id()),
            about: self.about(),
            status: TransactionStatus::Rejected,
            why: self.opt(self.why()),
            accepted: self.opt(AT),
        }
    }
}

/// Calls with messages of every kind.
pub fn with_all<T>(call: impl FnOnce(&[Outgoing<'_>]) -> T) -> T {
    let bookings = Filled::ALL
        .map(|filled| vec![filled.booking(); if filled == Filled::Bare { 1 } else { 3 }]);
    let mut all = Vec::new();
    for (filled, bookings) in Filled::ALL.into_iter().zip(&bookings) {
        all.extend(payments(filled));
        all.extend(undoing(filled));
        all.extend(about_the_system(filled));
        all.push(Outgoing::Notification(Notification {
            group: filled.group(),
            id: filled.id(),
            account: BankAccount::Iban("CH2801234000123456789"),
            owner: filled.opt(filled.words()),
            entries: bookings,
        }));
    }
    all.extend(reasons());
    call(&all)
}

fn payments(filled: Filled) -> Vec<Outgoing<'static>> {
    vec![
        Outgoing::CreditTransfer(CreditTransfer {
            group: filled.group(),
            clearing_system: filled.opt(if filled == Filled::Full { "FDN" } else { filled.id() }),
            payment: filled.payment(),
            settlement_date: DAY,
        }),
        Outgoing::RequestToPay(RequestToPay {
            group: filled.group(),
            initiator: filled.creditor(),
            payment_info_id: filled.id(),
            payment: filled.payment(),
            requested: DAY,
            expires: filled.opt(AT),
        }),
        Outgoing::RequestToPayStatus(RequestToPayStatus {
            status: filled.status(),
            initiator: filled.creditor(),
        }),
        Outgoing::PaymentStatus(filled.status()),
        Outgoing::StatusRequest(StatusRequest {
            group: filled.group(),
            id: filled.opt(filled.id()),
            about: filled.about(),
        }),
    ]
}

fn undoing(filled: Filled) -> Vec<Outgoing<'static>> {
    let (group, about, why) = (filled.group(), filled.about(), filled.why());
    let outcome = match filled {
        Filled::Bare => CancellationOutcome::Cancelled,
        Filled::Full => CancellationOutcome::Rejected,
        Filled::Hostile => CancellationOutcome::Pending,
    };
    vec![
        Outgoing::PaymentReturn(PaymentReturn {
            group,
            clearing_system: filled.opt("FDN"),
            id: filled.id(),
            about,
            amount: money(51_200, "MXN"),
            settlement_date: DAY,
            why: why.clone(),
        }),
        Outgoing::PaymentReversal(PaymentReversal {
            group,
            about,
            amount: money(51_200, "MXN"),
            why: why.clone(),
        }),
        Outgoing::CancellationRequest(CancellationRequest {
            group: filled.assignment(),
            case_id: filled.opt(filled.id()),
            id: filled.opt(filled.id()),
            about,
            why: why.clone(),
        }),
        Outgoing::Resolution(Resolution {
            group: filled.assignment(),
            case_id: filled.opt(filled.id()),
            id: filled.opt(filled.id()),
            about,
            outcome,
            why: filled.opt(why),
        }),
    ]
}

fn about_the_system(filled: Filled) -> Vec<Outgoing<'static>> {
    let error = XmlError {
        kind: XmlErrorKind::TooDeep,
        path: "/Document/GrpHdr".repeat(30).into(),
        offset: 7,
    };
    let reject = MessageReject::of(&error, filled.opt(filled.id()), AT);
    let kind = if filled == Filled::Bare { NetworkKind::Echo } else { NetworkKind::SignOn };
    let parameters: &[&str] = match filled {
        Filled::Bare => &[],
        Filled::Full => &["0102"],
        Filled::Hostile => &["<&>", "0102"],
    };
    let notice = SystemNotice::network(kind, parameters, AT);
    vec![
        Outgoing::MessageReject(MessageReject { data: filled.opt(filled.words()), ..reject }),
        Outgoing::SystemNotice(SystemNotice { description: filled.opt(filled.words()), ..notice }),
    ]
}

/// One status for every reason of the catalogue, in every language.
fn reasons() -> Vec<Outgoing<'static>> {
    let languages = [Language::Es, Language::Ro, Language::It, Language::En, Language::Pt];
    let every = Reason::ALL.into_iter().flat_map(|r| languages.map(|language| (r, language)));
    let status = |(reason, language)| {
        let (group, about) = (Filled::Full.group(), Filled::Full.about());
        Outgoing::PaymentStatus(PaymentStatus::of(group, about, reason, language))
    };
    every.map(status).collect()
}
