//! ISO 20022 against messages of other people, against broken ones, and against its schemas.

mod broken;
mod outgoing;
mod schemas;
mod vectors;
mod written;
