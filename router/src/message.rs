//! The canonical message: what every codec decodes into and encodes from.

mod digest;
mod key;

pub use digest::digest128;
pub use key::{FingerprintKey, api_key_of, fingerprint, iso_key};

use crate::free_text::FreeText;
use crate::id::{BillNo, BillerId, ClientRef, FloatRef, OperatorId, ParticipantId, Product, Stan};
use crate::money::Money;
use crate::secret::{CardNumber, SealedTexts, Secret};
use crate::text::Text;

/// What came in.
#[derive(Debug, Clone)]
pub enum Message {
    /// Move money (0200, 0201; `POST /v1/payments`).
    Payment(Box<PaymentRequest>),
    /// Undo a payment (0400, 0401, 0420, 0421).
    Reversal(Box<ReversalRequest>),
    /// An inquiry about the outcome of a payment (0200 with DE3 32xxxx).
    Inquiry(Box<InquiryRequest>),
    /// Sign-on, sign-off, echo and the like (0800).
    Network(NetworkRequest),
}

/// How money is moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rail {
    /// Payer pays from the own bank's app; the bank reports the credit.
    P2c,
    /// The merchant asks, the payer authorises with a one-time key.
    C2p,
    /// Card at a gateway.
    Card,
    /// Bank transfer initiated under PSD2.
    Psd2,
    /// A wallet.
    Wallet,
    /// Debit of the payer's account or card through a bank's line (DE3 00).
    Account,
    /// Cash taken by a collector, paid out of a prefunded float (DE3 51).
    CashFloat,
    /// Nothing is moved here: the biller says that it was paid elsewhere. Not to be asked for.
    External,
}

impl Rail {
    /// Every rail that a payment can be asked for by, in the order the documentation lists them.
    pub const ALL: [Self; 7] = [
        Self::P2c,
        Self::C2p,
        Self::Card,
        Self::Psd2,
        Self::Wallet,
        Self::Account,
        Self::CashFloat,
    ];

    /// The name used in JSON, configuration and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::P2c => "p2c",
            Self::C2p => "c2p",
            Self::Card => "card",
            Self::Psd2 => "psd2",
            Self::Wallet => "wallet",
            Self::Account => "account",
            Self::CashFloat => "cash_float",
            Self::External => "external",
        }
    }

    /// Whether the request itself must name the payer.
    pub fn debits_named_payer(self) -> bool {
        !self.payer_needs().is_empty()
    }

    /// The rail of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rail| rail.name() == name)
    }
}

/// The way a request came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Channel {
    /// A participant's ISO 8583 line.
    Iso8583,
    /// The JSON API.
    Api,
}

/// The originator of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Originator {
    /// A network participant acting as acquirer.
    Participant(ParticipantId),
    /// A merchant with an API key.
    Biller(BillerId),
}

impl Originator {
    /// The kind, as dumps and digests name it: two originators of one name and two kinds differ.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Participant(_) => "participant",
            Self::Biller(_) => "biller",
        }
    }

    /// The name of the participant or biller.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Participant(id) => id.as_str(),
            Self::Biller(id) => id.as_str(),
        }
    }

    /// The way this originator's requests come in.
    pub fn channel(&self) -> Channel {
        match self {
            Self::Participant(_) => Channel::Iso8583,
            Self::Biller(_) => Channel::Api,
        }
    }
}

/// The originator and the key fields as a digest of 128 bits.
///
/// Shape: two requests of one participant that differ in DE7 alone have the upper 64 bits in
///        common, so that a repeat with a DE7 of its own is found beside its original.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(pub u128);

/// What exactly was asked, boiled down to 128 bits: 32 of the amount, then those of everything under
/// a key of the switch: see [`fingerprint`]. Among them [`Fingerprint::REPEAT`] says that the request
/// called itself a repeat; that bit does not count when two are compared.
#[derive(Debug, Clone, Copy)]
pub struct Fingerprint(pub u128);

impl Fingerprint {
    /// Of a request that was just decoded: codecs have no key, the switch sets it.
    pub const UNSET: Self = Self(0);
}

/// A request to move money.
#[derive(Debug, Clone)]
pub struct PaymentRequest {
    /// The originator of the request.
    pub originator: Originator,
    /// Repeats of one request share it.
    pub key: IdempotencyKey,
    /// Repeats that ask for the same thing share it; [`Fingerprint::UNSET`] from a codec.
    pub fingerprint: Fingerprint,
    /// How money is to be moved.
    pub rail: Rail,
    /// What the payee is to receive; fees come on top or out of it, by rule.
    pub amount: Money,
    /// The merchant that is paid, where one is named.
    pub biller: Option<BillerId>,
    /// The biller's number of the payer (DE48 tag 02).
    pub client: Option<ClientRef>,
    /// The bill that is paid (DE48 tag 06).
    pub bill: Option<BillNo>,
    /// Kind of credit or service (DE48 tag 07).
    pub product: Option<Product>,
    /// The collector's float (DE48 tag 05).
    pub float_ref: Option<FloatRef>,
    /// The person at the terminal (DE48 tag 04).
    pub operator: Option<OperatorId>,
    /// What the payer still owes before this payment (DE48 tag 09), where known.
    pub remaining_debt: Option<Money>,
    /// The payer.
    pub payer: Payer,
    /// The originator's own trace of the request.
    pub trace: Trace,
    /// The originator's own reference, shown back (`reference` in JSON).
    pub reference: Option<FreeText<40>>,
    /// The originator's own data, a JSON object in canonical form: names in order, no white space.
    pub metadata: Option<Box<str>>,
    /// Secrets that only the issuer may read and nothing may store.
    pub transient: Option<Box<Transient>>,
    /// What the sender wrote in fields that are masked here, as read back from the journal; none
    /// in a request that has just come in.
    pub sealed_texts: Option<Box<SealedTexts>>,
}

/// The payer, as far as the originator knows.
#[derive(Debug, Clone, Default)]
pub struct Payer {
    /// Card number (DE2).
    pub card: Option<CardNumber>,
    /// Card expiry, YYMM (DE14).
    pub expiry: Option<Text<4>>,
    /// Account number (DE102) or IBAN.
    pub account: Option<Text<34>>,
    /// Telephone, E.164 digits.
    pub phone: Option<Text<15>>,
    /// Identity document, kind and number, e.g. `V12345678`.
    pub document: Option<Text<20>>,
    /// The payer's bank: four digits in Venezuela, a CLABE prefix in Mexico, a BIC.
    pub bank_code: Option<Text<11>>,
}

impl Payer {
    /// Whether any field names the source of the money.
    pub fn is_named(&self) -> bool {
        let Self { card, expiry: _, account, phone, document, bank_code: _ } = self;
        card.is_some() || account.is_some() || phone.is_some() || document.is_some()
    }
}

/// The data elements by which the originator, and later a reversal, names the request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Trace {
    /// MTI as it came, e.g. `0200`; empty for JSON.
    pub mti: Text<4>,
    /// Processing code (DE3).
    pub processing_code: Text<6>,
    /// Systems trace audit number (DE11).
    pub stan: Option<Stan>,
    /// Transmission date and time, MMDDhhmmss (DE7).
    pub transmitted_at: Text<10>,
    /// Local time, hhmmss (DE12).
    pub local_time: Text<6>,
    /// Local date, MMDD (DE13).
    pub local_date: Text<4>,
    /// Merchant category (DE18).
    pub merchant_category: Text<4>,
    /// Point-of-service entry mode (DE22).
    pub entry_mode: Text<3>,
    /// Point-of-service condition code (DE25).
    pub condition_code: Text<2>,
    /// Acquiring institution (DE32).
    pub acquirer: Text<11>,
    /// Retrieval reference number of the originator (DE37).
    pub rrn: Text<12>,
    /// Terminal (DE41).
    pub terminal: Text<8>,
    /// Card acceptor (DE42).
    pub merchant: Text<15>,
    /// Name and place of the card acceptor (DE43), where the configuration says them.
    pub merchant_place: Text<40>,
}

/// How whoever takes the payment is presented to participants, where the request itself does not
/// say. An empty value says nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Acceptor {
    /// Merchant category (DE18), 4 digits.
    pub category: Text<4>,
    /// Terminal (DE41).
    pub terminal: Text<8>,
    /// Its number (DE42).
    pub id: Text<15>,
    /// Its name and place (DE43).
    pub place: Text<40>,
}

impl Trace {
    /// The same trace, its empty fields filled from the configuration.
    pub fn presenting(self, acceptor: &Acceptor) -> Self {
        Self {
            merchant_category: self.merchant_category.or(acceptor.category),
            terminal: self.terminal.or(acceptor.terminal),
            merchant: self.merchant.or(acceptor.id),
            merchant_place: self.merchant_place.or(acceptor.place),
            ..self
        }
    }

    /// The card acceptor as this trace presents it.
    pub fn acceptor(&self) -> Acceptor {
        Acceptor {
            category: self.merchant_category,
            terminal: self.terminal,
            id: self.merchant,
            place: self.merchant_place,
        }
    }

    /// Whether the request says that it was sent before (x1).
    pub fn is_repeat(&self) -> bool {
        self.mti.as_bytes().last() == Some(&b'1')
    }
}

impl<const MAX: usize> Default for Text<MAX> {
    fn default() -> Self {
        Self::EMPTY
    }
}

/// Data that passes through to the issuer and is never stored, logged or shown.
///
/// Source: PCI DSS 3.3: sensitive authentication data is not kept after authorisation.
#[derive(Debug, Clone, Default)]
pub struct Transient {
    /// Track 2 (DE35).
    pub track2: Option<Secret>,
    /// PIN block (DE52).
    pub pin_block: Option<Secret>,
    /// Chip data (DE55).
    pub chip: Option<Secret>,
}

/// A request to undo a payment.
#[derive(Debug, Clone)]
pub struct ReversalRequest {
    /// The originator of this request; it has to be the payment's own originator.
    pub originator: Originator,
    /// The payment meant.
    pub original: Original,
    /// The originator's trace of this very request.
    pub trace: Trace,
    /// An advice (x4 20): the originator has already undone its side and must not be refused.
    pub is_advice: bool,
    /// Amount of the original, where the message repeats it.
    pub amount: Option<Money>,
    /// The same in minor units, where the message repeats it without its currency.
    pub amount_minor: Option<i64>,
    /// The amount that is to stand of the payment (DE95), in minor units; none where all of it
    /// is to be undone.
    pub stands_minor: Option<i64>,
}

/// A request for the state of a payment.
#[derive(Debug, Clone)]
pub struct InquiryRequest {
    /// The originator of this request; it has to be the payment's own originator.
    pub originator: Originator,
    /// The payment meant.
    pub original: Original,
    /// The originator's trace of this very request.
    pub trace: Trace,
}

/// How a reversal or inquiry names its payment. A field of zeros names nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Original {
    /// MTI of the original (DE90 positions 1–4).
    pub mti: Text<4>,
    /// STAN of the original (DE90 positions 5–10).
    pub stan: Option<Stan>,
    /// Transmission date and time of the original (DE90 positions 11–20).
    pub transmitted_at: Text<10>,
    /// Acquirer of the original (DE90 positions 21–31), without the zeros before it.
    pub acquirer: Text<11>,
    /// Folio of the original, where the originator has it (DE48 tag 10).
    pub folio: Text<12>,
    /// DE37: the original's own, or the folio that its answer had, or the reversal's own.
    pub rrn: Text<12>,
}

/// A network management request (0800) by its DE70.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NetworkRequest {
    /// The request.
    pub kind: NetworkKind,
    /// DE32, the acquirer that says it; empty where the message does not name one.
    pub acquirer: Text<11>,
}

/// DE70 of the 0800 messages the switch knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NetworkKind {
    /// 001.
    SignOn,
    /// 002.
    SignOff,
    /// 101.
    KeyChange,
    /// 201.
    CutOver,
    /// 301.
    Echo,
}

impl NetworkKind {
    /// The kind of a DE70 value.
    pub fn from_code(code: &[u8]) -> Option<Self> {
        match code {
            b"001" => Some(Self::SignOn),
            b"002" => Some(Self::SignOff),
            b"101" => Some(Self::KeyChange),
            b"201" => Some(Self::CutOver),
            b"301" => Some(Self::Echo),
            _ => None,
        }
    }

    /// The DE70 value.
    pub fn code(self) -> &'static str {
        match self {
            Self::SignOn => "001",
            Self::SignOff => "002",
            Self::KeyChange => "101",
            Self::CutOver => "201",
            Self::Echo => "301",
        }
    }
}
