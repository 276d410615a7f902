//! Lists are bounded in threads, however many ask for one.

use futures_util::future::join_all;
use router::time::Date;
use storage::conformance::sample::{Sample, biller};

use crate::support::{fresh, open, settings};

/// Names the threads of this test's runtime, and of no other.
const THREAD: &str = "lists-at-once";
const WORKERS: usize = 2;

/// Threads of this process with that name.
fn threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let names =
        tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.filter(|name| name.trim() == THREAD).count()
}

#[test]
fn forty_that_list_two_hundred_payments_each_take_a_few_threads() {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(WORKERS).thread_name(THREAD).enable_all().build().unwrap();
    let dir = fresh();
    runtime.block_on(async {
        let (store, _) = open(&settings(&dir));
        for number in 1..=200 {
            let sample = Sample::new(number);
            store.admit(sample.intent()).await.unwrap();
            store.append(sample.approved()).await.unwrap();
        }
        // Threads of the store itself have the name of the thread that opened it.
        let before = threads();
        let lists = (0..40).map(|_| async {
            let mut most = 0;
            for _ in 0..5 {
                let page = store.payments_of_biller(biller(), Date(20_000), None, 200).await;
                assert_eq!(page.unwrap().payments.len(), 200);
                most = most.max(threads());
            }
            most
        });
        let most = join_all(lists).await.into_iter().max().unwrap_or_default();
        // Eight at once; a thread that has just ended a list is still there when the next begins.
        assert!(most < before + 32, "{most} threads, {before} before the lists");
        store.close().await;
    });
}
