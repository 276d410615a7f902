//! Schemas of values that come from types of the core: their names are listed once, there.

use router::bill::BillState;
use router::message::Rail;
use router::notice::NoticeType;
use router::outcome::Cause;
use router::payment::PaymentState;
use router::reason::Reason;
use serde_json::{Value, json};
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::{AllOfBuilder, Object, RefOr};
use utoipa::{PartialSchema, ToSchema};

use super::{AmountBody, AmountView};

/// The schema of a notice's type.
#[derive(Debug)]
pub struct NoticeTypeName;

impl PartialSchema for NoticeTypeName {
    fn schema() -> RefOr<Schema> {
        one_of(NoticeType::ALL.map(NoticeType::name)).into()
    }
}

impl ToSchema for NoticeTypeName {
    fn name() -> std::borrow::Cow<'static, str> {
        "NoticeType".into()
    }
}

/// An amount is shown as it is asked for.
impl PartialSchema for AmountView {
    fn schema() -> RefOr<Schema> {
        AmountBody::schema()
    }
}

impl ToSchema for AmountView {
    fn name() -> std::borrow::Cow<'static, str> {
        AmountBody::name()
    }
}

/// More than zero.
pub(super) fn amount_above_zero() -> Schema {
    let minor = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1));
    let above_zero = ObjectBuilder::new().property("minor", minor);
    let amount = utoipa::openapi::Ref::from_schema_name(AmountBody::name());
    AllOfBuilder::new().item(amount).item(above_zero).description(Some("More than zero.")).into()
}

/// How much is given back: more than zero, at most what stands. All that stands where it is left
/// out.
pub(super) fn amount_given_back() -> Schema {
    let Schema::AllOf(mut amount) = amount_above_zero() else { return amount_above_zero() };
    amount.description = Some(
        "How much is given back: more than zero, at most what stands. All that stands where it \
         is left out."
            .to_owned(),
    );
    Schema::AllOf(amount)
}

pub(super) fn rail() -> Object {
    one_of(Rail::ALL.map(Rail::name)).description(Some(
        "How money is moved. This version serves `account` and `cash_float`; a payment on another \
         rail is declined with `no_route`, and `detail` says that the rail is not served.",
    ))
    .build()
}

pub(super) fn payment_state() -> Object {
    one_of(PaymentState::ALL.map(PaymentState::name)).build()
}

pub(super) fn awaited() -> Object {
    one_of(["one_time_key", "redirect", "confirmation"]).build()
}

pub(super) fn refund_state() -> Object {
    one_of(["pending", "done", "failed"]).build()
}

pub(super) fn bill_state() -> Object {
    one_of(BillState::ALL.map(BillState::name)).build()
}

pub(super) fn bill_origin() -> Object {
    one_of(["api", "online"]).build()
}

pub(super) fn unknown_cause() -> Object {
    let names = Cause::ALL.map(Cause::name);
    one_of(names).description(Some("Why the outcome is not known.")).build()
}

/// Codes of problems that no payment is declined for.
pub const OTHER_CODES: [&str; 5] = [
    "payment_in_progress",
    "payment_no_longer_kept",
    "bill_exists",
    "version_conflict",
    "back_office_unavailable",
];

/// A code of the decline catalogue, or another one.
pub(super) fn problem_code() -> Object {
    let failures = Reason::ALL.into_iter().filter(|reason| *reason != Reason::Approved);
    let codes = failures.map(|reason| reason.info().code).chain(OTHER_CODES);
    let others = OTHER_CODES.join(", ");
    let description = format!(
        "What programs look at: a code of the decline catalogue, or one of {others}. Codes may be \
         added."
    );
    open_list(codes).description(Some(description)).build()
}

/// Why a notice had no answer.
pub(super) fn no_answer_cause() -> Object {
    let causes = ["timeout", "overdue", "not_public", "connect", "broken"];
    open_list(causes).description(Some("Why there was no answer.")).build()
}

pub(super) fn late_answer() -> Object {
    let description = "What an answer said that came too late.";
    one_of(["approved", "declined", "unknown"]).description(Some(description)).build()
}

pub(super) fn fee_bearer() -> Object {
    one_of(["payer", "merchant"]).build()
}

pub(super) fn test_notice_type() -> Object {
    one_of(["endpoint.test"]).build()
}

/// A text that is one of these names.
fn one_of(names: impl IntoIterator<Item = &'static str>) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names))
}

/// A text that is one of these names, or of more that are added later.
fn open_list(names: impl IntoIterator<Item = &'static str>) -> ObjectBuilder {
    let names: Vec<Value> = names.into_iter().map(|name| json!(name)).collect();
    let listed = ExtensionsBuilder::new().add("x-extensible-enum", names).build();
    ObjectBuilder::new().schema_type(Type::String).extensions(Some(listed))
}
