//! A payment that the rules refuse.

use crate::detail::Detail;
use crate::reason::Reason;
use crate::time::Date;

/// A payment that breaks a rule which needs no state to see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub reason: Reason,
    /// The name of the request field to mend, in JSON terms, where there is one.
    pub field: Option<&'static str>,
    /// What people need beyond the catalogue's text: the highest allowed amount and the like.
    pub detail: Option<Detail>,
    /// The business date the refusal is recorded under.
    pub business_date: Date,
}
