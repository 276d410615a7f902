//! Threads that a node cannot do without.

use std::sync::Arc;
use std::thread::JoinHandle;

use storage::StoreFailure;

use super::NodeInner;

/// A thread the node cannot do without: should it panic, the node's own store gives up, and with
/// it the process.
pub(super) fn thread(
    name: &str,
    node: &Arc<NodeInner>,
    run: impl FnOnce() + Send + 'static,
) -> std::io::Result<JoinHandle<()>> {
    let watch = ThreadWatch(Arc::clone(node));
    let watched = move || {
        let _watch = watch;
        run();
    };
    std::thread::Builder::new().name(name.to_owned()).spawn(watched)
}

struct ThreadWatch(Arc<NodeInner>);

impl Drop for ThreadWatch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!("a thread of the node panicked; the process must end");
            self.0.stop.say();
            if let Some(store) = self.0.own.get() {
                store.give_up(StoreFailure::Panicked);
            }
        }
    }
}
