//! The statements that write a batch, many rows each.

/// Rows of one statement: more cost more in SQLite, fewer more in round trips.
pub(super) const ROWS_PER_STATEMENT: usize = 50;

/// The columns of [`PaymentRow`], in the order in which they are bound.
macro_rules! payment_columns {
    () => {
        "id, lane, position, folio, originator_kind, originator, biller, business_date, state, \
         rail, currency, amount_minor, total_minor, stands_minor, refunds_pending, client, bill_no, product, \
         float_ref, operator_id, terminal, reference, participant, authorisation, \
         bank_reference, reason, received_at, concluded_at, reversed_at"
    };
}

pub(super) const INSERT_PAYMENTS: &str =
    concat!("INSERT INTO payments (", payment_columns!(), ") ");
/// What a step can change of a row that is there.
pub(super) const ON_PAYMENT: &str = " ON CONFLICT (id) DO UPDATE SET \
    position = excluded.position, state = excluded.state, stands_minor = excluded.stands_minor, \
    refunds_pending = excluded.refunds_pending, \
    participant = excluded.participant, authorisation = excluded.authorisation, \
    bank_reference = excluded.bank_reference, reason = excluded.reason, \
    concluded_at = excluded.concluded_at, reversed_at = excluded.reversed_at";
pub(super) const INSERT_STEPS: &str =
    "INSERT INTO payment_steps (payment_id, position, at, step, bill_paid_minor) ";
pub(super) const INSERT_EVENTS: &str = "INSERT INTO events (lane, position, at, subject_kind, \
    subject_id, subject_version, event, actor_kind, actor_id) ";
pub(super) const FIRST_POSITION: &str = "INSERT INTO projected_lanes (lane, position, record_at) VALUES ($1, $2, $3) \
     ON CONFLICT (lane) DO NOTHING";
pub(super) const NEXT_POSITION: &str = "UPDATE projected_lanes SET position = $2, record_at = $3 \
    WHERE lane = $1 AND position = $4";

/// Moves a lane's position; gives whether it was where it was thought to be.
macro_rules! put_position {
    ($on:ident, $lane:expr, $from:expr, $to:expr) => {{
        use crate::payment_row::column;
        let sql = match $from.position {
            0 => crate::projection::write::FIRST_POSITION,
            _ => crate::projection::write::NEXT_POSITION,
        };
        let query = sqlx::query(sql).bind($lane).bind(column($to.position));
        let query = query.bind($to.record_at.0);
        let query = match $from.position {
            0 => query,
            position => query.bind(column(position)),
        };
        query.execute(&mut *$on).await?.rows_affected() == 1
    }};
}

macro_rules! put_rows {
    ($on:ident, $rows:expr) => {{
        use crate::projection::write::{
            INSERT_PAYMENTS, ON_PAYMENT, ROWS_PER_STATEMENT, bind_payment,
        };
        let rows: Vec<&PaymentRow> = $rows.collect();
        for some in rows.chunks(ROWS_PER_STATEMENT) {
            let mut query = sqlx::QueryBuilder::<Db>::new(INSERT_PAYMENTS);
            query.push_values(some, |mut tuple, row| bind_payment!(tuple, row));
            query.push(ON_PAYMENT);
            query.build().execute(&mut *$on).await?;
        }
    }};
}

macro_rules! put_steps {
    ($on:ident, $steps:expr) => {{
        use crate::projection::write::{INSERT_STEPS, ROWS_PER_STATEMENT};
        for some in $steps.chunks(ROWS_PER_STATEMENT) {
            let mut query = sqlx::QueryBuilder::<Db>::new(INSERT_STEPS);
            query.push_values(some, |mut tuple, step| {
                tuple.push_bind(step.payment.to_string()).push_bind(step.position);
                tuple.push_bind(step.at).push_bind(step.step).push_bind(step.bill_paid_minor);
            });
            query.build().execute(&mut *$on).await?;
        }
    }};
}

macro_rules! put_events {
    ($on:ident, $lane:expr, $events:expr) => {{
        use crate::projection::write::{INSERT_EVENTS, ROWS_PER_STATEMENT};
        for some in $events.chunks(ROWS_PER_STATEMENT) {
            let mut query = sqlx::QueryBuilder::<Db>::new(INSERT_EVENTS);
            query.push_values(some, |mut tuple, event| {
                tuple.push_bind($lane).push_bind(event.position).push_bind(event.at);
                tuple.push_bind(event.subject_kind.clone()).push_bind(event.subject_id.clone());
                tuple.push_bind(event.subject_version).push_bind(event.event.clone());
                tuple.push_bind(event.actor_kind.clone()).push_bind(event.actor_id.clone());
            });
            query.build().execute(&mut *$on).await?;
        }
    }};
}

/// Binds a row, in the order of the columns.
macro_rules! bind_payment {
    ($tuple:ident, $row:ident) => {{
        let PaymentRow { id, lane, position, folio, originator_kind, originator, .. } = $row;
        $tuple.push_bind(id.as_str()).push_bind(*lane).push_bind(*position).push_bind(*folio);
        $tuple.push_bind(originator_kind.as_str()).push_bind(originator.as_str());
        $tuple.push_bind($row.biller.as_deref()).push_bind($row.business_date.as_str());
        $tuple.push_bind($row.state.as_str()).push_bind($row.rail.as_str());
        $tuple.push_bind($row.currency.as_str()).push_bind($row.amount_minor);
        $tuple.push_bind($row.total_minor).push_bind($row.stands_minor);
        $tuple.push_bind($row.refunds_pending);
        $tuple.push_bind($row.client.as_deref()).push_bind($row.bill_no.as_deref());
        $tuple.push_bind($row.product.as_deref()).push_bind($row.float_ref.as_deref());
        $tuple.push_bind($row.operator_id.as_deref()).push_bind($row.terminal.as_deref());
        $tuple.push_bind($row.reference.as_deref()).push_bind($row.participant.as_deref());
        $tuple.push_bind($row.authorisation.as_deref()).push_bind($row.bank_reference.as_deref());
        $tuple.push_bind($row.reason.as_deref()).push_bind($row.received_at);
        $tuple.push_bind($row.concluded_at).push_bind($row.reversed_at);
    }};
}

pub(super) use {bind_payment, payment_columns, put_events, put_position, put_rows, put_steps};
