//! Opens the prefunded floats of the configuration.

use router::posting::{float_account, top_up};
use router::record::{AccountMovement, Record};
use storage::StoreError;

use crate::clock;
use crate::config::FloatConfig;
use crate::engine::Engine;

/// Opens the configured floats that the journal does not know yet.
pub async fn open_all(engine: &Engine, floats: &[FloatConfig]) -> Result<(), StoreError> {
    for float in floats {
        open_unless_known(engine, float).await?;
    }
    Ok(())
}

/// Opens a float, unless the journal knows it.
async fn open_unless_known(engine: &Engine, float: &FloatConfig) -> Result<(), StoreError> {
    let account = float_account(&float.float_ref);
    if engine.store.account_is_known(account, float.opening.currency).await? {
        return Ok(());
    }
    fund(engine, float).await
}

/// Gives a float what it opens with.
///
/// Errors: the journal's. Dropping the call may leave the float opened.
pub async fn fund(engine: &Engine, float: &FloatConfig) -> Result<(), StoreError> {
    // One that opens with nothing needs no record: it has nothing either way.
    let Ok(entry) = top_up(&float.float_ref, float.opening) else { return Ok(()) };
    let movement = AccountMovement { at: clock::now(), entry };
    engine.store.append(Record::Account(Box::new(movement))).await?;
    let (float, opening) = (float.float_ref.as_str(), float.opening);
    tracing::info!(float, %opening, "float opened");
    Ok(())
}
