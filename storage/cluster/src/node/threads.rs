//! Threads that a node cannot do without.

use std::thread::JoinHandle;

use storage::Store;

/// A thread the node cannot do without: should it panic, the node's own store gives up, and with
/// it the process.
pub(super) fn thread(
    name: &str,
    store: &Store,
    run: impl FnOnce() + Send + 'static,
) -> std::io::Result<JoinHandle<()>> {
    let watch = PanicWatch(store.clone());
    let watched = move || {
        let _watch = watch;
        run();
    };
    std::thread::Builder::new().name(name.to_owned()).spawn(watched)
}

struct PanicWatch(Store);

impl Drop for PanicWatch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!("a thread of the node panicked; the process must end");
            self.0.give_up();
        }
    }
}
