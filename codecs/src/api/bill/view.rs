//! Bills as they are shown.

use router::bill::BillState;
use router::id::{BillId, PaymentId};
use router::money::{Currency, Money};
use router::payment::Payment;
use router::time::{Date, Timestamp};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{BillContact, ClientBody};
use crate::api::{AmountView, Problem, Shown, schema};

/// A bill, and what may be paid of it now.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Bill)]
pub struct BillView {
    /// The bill.
    #[schema(value_type = String, pattern = "^bil_")]
    pub id: Shown<BillId>,
    /// Where it stands.
    #[serde(serialize_with = "name_of")]
    #[schema(schema_with = schema::bill_state)]
    pub state: BillState,
    /// Your number of it.
    pub bill_no: String,
    /// Your number of the payer.
    pub client_id: String,
    /// Your number of the contract.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contract_no: Option<String>,
    /// How the payer is reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientBody>,
    /// What it is for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub lines: Vec<LineView>,
    /// What it comes to, due dates aside.
    pub amount: AmountView,
    /// What it comes to until each of these days.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub due: Vec<DueView>,
    /// Whether it may be paid in parts.
    pub allow_partial: bool,
    /// The least amount of one payment, unless less is left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<AmountView>,
    /// The greatest amount of one payment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<AmountView>,
    /// What must stay owed after every payment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub must_leave: Option<AmountView>,
    /// Kind of credit or service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// When it stops being payable.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Shown<Timestamp>>,
    /// `api` or `online`.
    #[schema(schema_with = schema::bill_origin)]
    pub origin: &'static str,
    /// Your own data.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Box<RawValue>>,
    /// What was paid of it.
    pub paid: AmountView,
    /// What is left of it today.
    pub remaining: AmountView,
    /// What may be paid of it now: what is left, less what must stay; zero where nothing may.
    pub payable_now: AmountView,
    /// Counts its changes, from 1.
    pub version: u32,
    /// When it was registered.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Shown<Timestamp>,
    /// Its payment elements; none are served yet.
    #[schema(max_items = 0)]
    pub elements: Vec<String>,
    /// Where its events are told.
    pub timeline_url: String,
}

/// One line of a bill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = BillLine)]
pub struct LineView {
    /// What people read.
    pub text: String,
    /// How much.
    pub amount: AmountView,
}

/// What a bill comes to until a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = BillDue)]
pub struct DueView {
    /// The last day, in the biller's time zone.
    #[schema(value_type = String, format = Date)]
    pub date: Shown<Date>,
    /// How much.
    pub amount: AmountView,
}

/// A page of bills.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = BillList)]
pub struct BillListView {
    /// The bills, oldest first.
    pub data: Vec<BillView>,
    /// Where the next page begins; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// The time of which the bills' payments are told.
    #[schema(value_type = String, format = DateTime)]
    pub as_of: Shown<Timestamp>,
}

/// Where a bill stands, beside one of its payments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = BillStanding)]
pub struct BillStandingView {
    /// The bill; absent where none of that number is registered.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, pattern = "^bil_")]
    pub id: Option<Shown<BillId>>,
    /// The biller's number of it.
    pub bill_no: String,
    #[serde(skip)]
    currency: Currency,
    /// Where it stands, with this payment; absent where it is not registered, in lists, and while the
    /// back office is away.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::bill_state, required = false)]
    pub state: Option<&'static str>,
    /// What was paid of it, with this payment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paid: Option<AmountView>,
    /// What is left of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remaining: Option<AmountView>,
}

impl BillStandingView {
    /// The bill that a payment names, by its names alone; none where it names none.
    pub fn named(payment: &Payment) -> Option<Self> {
        let bill_no = payment.request.bill.as_ref()?.to_string();
        let id = payment.bill.map(|bill| Shown(bill.id));
        let currency = payment.request.amount.currency;
        Some(Self { id, bill_no, currency, state: None, paid: None, remaining: None })
    }

    /// With where it stands, in minor units of the payment's currency.
    pub fn standing(self, state: BillState, paid_minor: i64, remaining_minor: i64) -> Self {
        let amount = |minor| Some(Money::new(minor, self.currency).into());
        let (paid, remaining) = (amount(paid_minor), amount(remaining_minor));
        Self { state: Some(state.name()), paid, remaining, ..self }
    }
}

/// The events of a bill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = BillTimeline)]
pub struct BillTimelineView {
    /// Oldest first.
    pub events: Vec<BillEventView>,
}

/// One event of a bill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = BillEvent)]
pub struct BillEventView {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Shown<Timestamp>,
    /// What: `bill.registered`, `bill.amended`, `bill.cancelled`, `external_payment.registered`,
    /// `external_payment.undone`, or `payment.` and the state that a payment of it came to.
    #[serde(rename = "type")]
    pub kind: String,
    /// Who: `key:` and the id of an API key, or who asked for the payment.
    pub actor: String,
    /// `api`, `file` or `iso8583`.
    pub channel: String,
    /// The payment.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, pattern = "^pay_")]
    pub payment: Option<Shown<PaymentId>>,
    /// What people need beyond that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// A number that is taken: a problem, and the bill that has it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct BillExists {
    /// The problem, with the code `bill_exists`.
    #[serde(flatten)]
    pub problem: Problem,
    /// The bill.
    pub bill: BillView,
}

impl From<&BillContact> for Option<ClientBody> {
    fn from(contact: &BillContact) -> Self {
        let owned = |text: &Option<Box<str>>| text.as_deref().map(str::to_owned);
        let BillContact { name, phone, email, doc, language } = contact;
        let body = ClientBody {
            name: owned(name),
            phone: owned(phone),
            email: owned(email),
            doc: owned(doc),
            language: owned(language),
        };
        (body != ClientBody::default()).then_some(body)
    }
}

pub(super) fn name_of<S: serde::Serializer>(
    state: &BillState,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(state.name())
}
