//! Several nodes: real processes of `cauce serve` over a real Redis and a real Cassandra, broken
//! on purpose.

mod audit;
mod books;
mod client;
mod load;
pub mod node;
mod redis;
mod town;

mod bills;
mod chaos;
mod clock;
mod forget;
mod join;
mod keys;
mod lines;
mod names;
mod notices;
mod outage;
mod pair;
mod payers;
mod takeover;
mod waiting;
