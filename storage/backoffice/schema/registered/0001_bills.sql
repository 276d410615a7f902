-- What billers register. Amounts are minor units of the bill's currency; times are microseconds
-- since 1970-01-01T00:00:00Z; dates are calendar days of the biller, as 2026-12-10.

CREATE TABLE bills (
    id TEXT NOT NULL PRIMARY KEY,
    biller TEXT NOT NULL,
    bill_no TEXT NOT NULL,
    client_id TEXT NOT NULL,
    contract_no TEXT,
    client_name TEXT,
    client_phone TEXT,
    client_email TEXT,
    client_doc TEXT,
    client_language TEXT,
    currency TEXT NOT NULL CHECK (length(currency) = 3),
    amount_minor BIGINT NOT NULL CHECK (amount_minor > 0),
    due_1_date TEXT CHECK (length(due_1_date) = 10),
    due_1_minor BIGINT CHECK (due_1_minor > 0),
    due_2_date TEXT CHECK (length(due_2_date) = 10),
    due_2_minor BIGINT CHECK (due_2_minor > 0),
    due_3_date TEXT CHECK (length(due_3_date) = 10),
    due_3_minor BIGINT CHECK (due_3_minor > 0),
    allow_partial BOOLEAN NOT NULL,
    min_minor BIGINT CHECK (min_minor > 0),
    max_minor BIGINT CHECK (max_minor > 0),
    must_leave_minor BIGINT CHECK (must_leave_minor > 0),
    product TEXT,
    origin TEXT NOT NULL,
    metadata TEXT,
    expires_at BIGINT,
    cancelled_at BIGINT,
    version BIGINT NOT NULL CHECK (version > 0),
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    UNIQUE (biller, bill_no)
);

CREATE INDEX bills_by_client ON bills (biller, client_id, id);
CREATE INDEX bills_by_biller ON bills (biller, id);

CREATE TABLE bill_lines (
    bill_id TEXT NOT NULL REFERENCES bills (id),
    number BIGINT NOT NULL CHECK (number > 0),
    line_text TEXT NOT NULL,
    amount_minor BIGINT NOT NULL,
    PRIMARY KEY (bill_id, number)
);

CREATE TABLE bill_changes (
    bill_id TEXT NOT NULL REFERENCES bills (id),
    version BIGINT NOT NULL CHECK (version > 0),
    at BIGINT NOT NULL,
    change TEXT NOT NULL,
    actor TEXT NOT NULL,
    channel TEXT NOT NULL,
    detail TEXT,
    PRIMARY KEY (bill_id, version)
);
