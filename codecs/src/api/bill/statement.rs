//! `/v1/clients/{id}/statement`: what a payer owes and has paid.

use router::bill::BillState;
use router::id::{BillId, PaymentId};
use router::time::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::view::name_of;
use crate::api::{AmountView, Shown, schema};

/// The account of one payer with a biller.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Statement)]
pub struct StatementView {
    /// Your number of the payer.
    pub client_id: String,
    /// The payer's bills, oldest first.
    pub data: Vec<StatementBillView>,
    /// Over all bills of the payer, one for each currency; absent where the payer has more than 100000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub totals: Option<Vec<StatementTotalView>>,
    /// Where the next page begins; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// The time of which payments are told.
    #[schema(value_type = String, format = DateTime)]
    pub as_of: Shown<Timestamp>,
}

/// One bill of a statement.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = StatementBill)]
pub struct StatementBillView {
    /// The bill.
    #[schema(value_type = String, pattern = "^bil_")]
    pub bill: Shown<BillId>,
    /// Your number of it.
    pub bill_no: String,
    /// Where it stands.
    #[serde(serialize_with = "name_of")]
    #[schema(schema_with = schema::bill_state)]
    pub state: BillState,
    /// When it was registered.
    #[schema(value_type = String, format = DateTime)]
    pub at: Shown<Timestamp>,
    /// What is charged by it today; no more than was paid where it was cancelled or has expired.
    pub charged: AmountView,
    /// What was paid of it.
    pub paid: AmountView,
    /// What is still owed of it; below zero where more was paid than charged.
    pub balance: AmountView,
    /// Its payments that stand or were given back, oldest first.
    pub payments: Vec<StatementPaymentView>,
}

/// One payment of a statement.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = StatementPayment)]
pub struct StatementPaymentView {
    /// The payment.
    #[schema(value_type = String, pattern = "^pay_")]
    pub payment: Shown<PaymentId>,
    /// When it was received.
    #[schema(value_type = String, format = DateTime)]
    pub at: Shown<Timestamp>,
    /// How it was paid; `external` for one that was made elsewhere.
    pub rail: String,
    /// Where it stands.
    pub state: String,
    /// How much was paid.
    pub amount: AmountView,
    /// What stands of it: less where it was reversed or refunded.
    pub stands: AmountView,
}

/// What a payer owes in one currency.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = StatementTotal)]
pub struct StatementTotalView {
    /// What was charged.
    pub charged: AmountView,
    /// What was paid.
    pub paid: AmountView,
    /// What is still owed.
    pub balance: AmountView,
}
