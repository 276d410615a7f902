//! What must hold at every journal position; tests, audits and the start-up check share these.
