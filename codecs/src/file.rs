//! Bill bases and clearing files.
pub(crate) mod decimal;
