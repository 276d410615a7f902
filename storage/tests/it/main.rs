//! The embedded store from outside: the conformance suite, restarts, damage, speed.

mod conformance;
mod damage;
mod restart;
mod support;
