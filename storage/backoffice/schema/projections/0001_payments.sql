-- What is derived from the journal, and can be derived anew from it at any time. Amounts are minor
-- units of the payment's currency; times are microseconds since 1970-01-01T00:00:00Z; dates are
-- calendar days of the biller, as 2026-12-10. Card numbers, accounts, phones and documents are not
-- here.

CREATE TABLE projected_lanes (
    lane BIGINT NOT NULL PRIMARY KEY,
    position BIGINT NOT NULL,
    record_at BIGINT NOT NULL
);

CREATE TABLE payments (
    id TEXT NOT NULL PRIMARY KEY,
    lane BIGINT NOT NULL,
    position BIGINT NOT NULL,
    folio BIGINT NOT NULL,
    originator_kind TEXT NOT NULL,
    originator TEXT NOT NULL,
    biller TEXT,
    business_date TEXT NOT NULL CHECK (length(business_date) = 10),
    state TEXT NOT NULL,
    rail TEXT NOT NULL,
    currency TEXT NOT NULL CHECK (length(currency) = 3),
    amount_minor BIGINT NOT NULL,
    total_minor BIGINT NOT NULL,
    stands_minor BIGINT NOT NULL CHECK (stands_minor >= 0),
    refunds_pending BIGINT NOT NULL CHECK (refunds_pending >= 0),
    client TEXT,
    bill_no TEXT,
    product TEXT,
    float_ref TEXT,
    operator_id TEXT,
    terminal TEXT,
    reference TEXT,
    participant TEXT,
    authorisation TEXT,
    bank_reference TEXT,
    reason TEXT,
    received_at BIGINT NOT NULL,
    concluded_at BIGINT,
    reversed_at BIGINT
);

CREATE UNIQUE INDEX payments_by_folio ON payments (folio);
CREATE INDEX payments_by_biller ON payments (biller, business_date, id);
CREATE INDEX payments_by_bill ON payments (biller, bill_no, id) WHERE bill_no IS NOT NULL;
CREATE INDEX payments_undecided ON payments (state, id)
    WHERE state IN ('sent', 'awaiting_payer', 'unknown', 'reversing');

CREATE TABLE payment_steps (
    payment_id TEXT NOT NULL REFERENCES payments (id),
    position BIGINT NOT NULL,
    at BIGINT NOT NULL,
    step TEXT NOT NULL,
    bill_paid_minor BIGINT NOT NULL,
    PRIMARY KEY (payment_id, position)
);

CREATE TABLE events (
    lane BIGINT NOT NULL,
    position BIGINT NOT NULL,
    at BIGINT NOT NULL,
    subject_kind TEXT NOT NULL,
    subject_id TEXT NOT NULL,
    subject_version BIGINT NOT NULL,
    event TEXT NOT NULL,
    actor_kind TEXT NOT NULL,
    actor_id TEXT NOT NULL,
    PRIMARY KEY (lane, position)
);

CREATE INDEX events_by_subject ON events (subject_kind, subject_id, lane, position);
