//! The gate: what is reserved, decided by one Redis for many nodes.
