//! ISO 20022 against messages of other people, and against broken ones.

mod broken;
mod vectors;
