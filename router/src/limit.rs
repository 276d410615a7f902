//! Limits: which rules apply to a payment, as counters, holds and immediate refusals.
