//! The back office: what companies register, and what is searched, listed and counted.
//!
//! It is an ordinary relational database, in SQLite files on one machine or in PostgreSQL where many
//! nodes run, with one SQL text for both. Nothing that decides a payment's money depends on it: the
//! journal says what was paid, and the rows here follow the journal.
//!
//! Two databases, so that a busy projector never delays a registration:
//!
//! | | what | SQLite | PostgreSQL |
//! |---|---|---|---|
//! | registered data | what people and companies register; kept by the database alone | `backoffice/registered.db`, `synchronous=FULL` | schema `cauce_registered` |
//! | projections | rows derived from the journal, which can be made anew from it | `backoffice/projections.db`, `synchronous=NORMAL` | schema `cauce_projections` |
//!
//! In reading order:
//!
//! 1. [`settings`] and `database`: where it is, and pools with ceilings and deadlines;
//! 2. [`migrations`]: the schema as numbered files (`schema/`), never changed once they were applied;
//! 3. [`bill`], [`external`], [`timeline`]: what billers register, its changes, and what happened
//!    to it;
//! 4. [`standing`]: what the journal says was paid;
//! 5. [`payment_row`], [`projection`], [`projector`]: the rows of payments, and the thread that makes
//!    them from the journal's records, with its position in the same transaction;
//! 6. [`backup`] and [`status`].
//!
//! What never happens here: a payment waits for a row; a row is written without the position of the
//! record that it was derived from; a card number is in a row.

pub mod backup;
pub mod bill;
mod database;
pub mod error;
pub mod external;
pub mod migrations;
mod office;
pub mod payment_row;
pub mod projection;
pub mod projector;
pub mod settings;
pub mod standing;
pub mod status;
pub mod timeline;

pub use error::BackofficeError;
pub use office::Backoffice;
pub use settings::{BackofficeLocation, BackofficeSettings};
