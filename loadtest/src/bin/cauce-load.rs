//! `cauce-load`: the load harness and the simulators, from the command line.

fn main() {}
