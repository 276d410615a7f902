//! Why a store takes nothing more.

/// Why a store takes nothing more, for ever.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreFailure {
    /// A write or sync failed, or took too long.
    #[error("the journal has failed")]
    Journal,
    /// The lane has another owner.
    #[error("the lane was taken by {owner}")]
    LaneLost {
        /// Who has it now.
        owner: Box<str>,
    },
    /// The guard cannot be told what the journal says.
    #[error("the guard has failed")]
    Guard,
    /// The read models of this machine cannot be written, or the journal cannot be read.
    #[error("the read models have failed")]
    ReadModels,
    /// A thread that cannot be done without has panicked.
    #[error("a thread of the store has panicked")]
    Panicked,
    /// Its node stops.
    #[error("the node stops")]
    Stopped,
}
