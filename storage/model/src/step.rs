//! The rules. Each function is one step: first what must be true for it to be taken, then what it
//! does. Nothing else can happen between the two, so each is as large as one statement to a store,
//! or as one step of a node that nobody else can see.

pub mod append;
pub mod bill;
pub mod change;
pub mod lane;
pub mod payment;
pub mod world;

use crate::state::State;

/// The step can be taken if `condition` holds.
fn only_if(condition: bool) -> Option<()> {
    condition.then_some(())
}

/// What the step changes is written into a copy.
fn after(now: &State, change: impl FnOnce(&mut State)) -> Option<State> {
    let mut next = now.clone();
    change(&mut next);
    Some(next)
}
