-- Files of bills, how far each was taken, and what became of each of its rows. The rows of a file, the
-- bills they made and how far it was taken change in one transaction, so a file that a crash
-- interrupts is taken on behind its last row.

CREATE TABLE batches (
    id TEXT NOT NULL PRIMARY KEY,
    biller TEXT NOT NULL,
    format TEXT NOT NULL,
    layout TEXT,
    actor TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('running', 'done')),
    taken_rows BIGINT NOT NULL,
    accepted BIGINT NOT NULL,
    rejected BIGINT NOT NULL,
    code TEXT,
    detail TEXT,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL
);

CREATE TABLE batch_rows (
    batch_id TEXT NOT NULL REFERENCES batches (id),
    row_number BIGINT NOT NULL CHECK (row_number > 0),
    bill_id TEXT,
    code TEXT,
    field TEXT,
    column_number BIGINT,
    detail TEXT,
    PRIMARY KEY (batch_id, row_number)
);
