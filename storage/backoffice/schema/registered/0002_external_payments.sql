-- What billers say was paid elsewhere of their bills, and who said so. The payment itself, with its
-- amount and whether it stands, is in the journal. The amount is in minor units of the bill's
-- currency.

CREATE TABLE external_payments (
    id TEXT NOT NULL PRIMARY KEY,
    bill_id TEXT NOT NULL REFERENCES bills (id),
    method TEXT NOT NULL,
    paid_on TEXT NOT NULL CHECK (length(paid_on) = 10),
    reference TEXT NOT NULL,
    amount_minor BIGINT NOT NULL CHECK (amount_minor > 0),
    registered_at BIGINT NOT NULL,
    registered_by TEXT NOT NULL,
    undone_at BIGINT,
    undone_by TEXT
);

CREATE INDEX external_payments_by_bill ON external_payments (bill_id, id);
