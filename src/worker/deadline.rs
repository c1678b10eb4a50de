use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use crate::clock::{Clock, Nanos, nanos};
use crate::model::{lock, recover, suppress_thread};

/// Something that ends by itself or, at the latest, at a deadline.
pub(crate) trait Pending: Send + Sync {
    /// Whether it has ended.
    fn is_settled(&self) -> bool;
    /// Ends it now, because the deadline has passed.
    fn expire(&self);
}

/// Deadlines that do not depend on a timer of the caller's runtime or on the worker, which may be stuck.
///
/// A thread watches them and runs only while something is pending. If no thread can be started, the worker's own checks
/// of the deadlines remain.
#[derive(Clone)]
pub(crate) struct Deadlines(Arc<DeadlinesShared>);

struct DeadlinesShared {
    monotonic: Clock,
    list: Mutex<DeadlineList>,
    changed: Condvar,
}

#[derive(Default)]
struct DeadlineList {
    entries: Vec<(Nanos, Arc<dyn Pending>)>,
    has_thread: bool,
}

impl Deadlines {
    pub(crate) fn new(monotonic: Clock) -> Self {
        Self(Arc::new(DeadlinesShared {
            monotonic,
            list: Mutex::default(),
            changed: Condvar::new(),
        }))
    }

    /// Expires `pending` at `at`, unless it is settled by then.
    pub(super) fn add(&self, at: Nanos, pending: Arc<dyn Pending>) {
        let mut list = self.0.lock();
        list.entries.retain(|(_, pending)| !pending.is_settled());
        list.entries.push((at, pending));
        if list.has_thread {
            self.0.changed.notify_one();
        } else {
            list.has_thread = spawn(Arc::clone(&self.0)).is_ok();
        }
    }

    /// Expires `pending` after a time, unless it is settled by then.
    pub(crate) fn add_after(&self, wait: Duration, pending: Arc<dyn Pending>) {
        let at = self.0.monotonic.now().saturating_add(nanos(wait));
        self.add(at, pending);
    }

    /// Makes the thread check again, because something is settled.
    pub(super) fn recheck(&self) {
        // While this holds the lock, the thread either waits and receives the notification, or has yet to check the
        // list.
        let _list = self.0.lock();
        self.0.changed.notify_one();
    }
}

fn spawn(shared: Arc<DeadlinesShared>) -> io::Result<()> {
    std::thread::Builder::new()
        .name("watchpost-wait".to_owned())
        .spawn(move || {
            suppress_thread();
            shared.run();
        })
        .map(drop)
}

impl DeadlinesShared {
    fn run(&self) {
        let mut list = self.lock();
        loop {
            list.entries.retain(|(_, pending)| !pending.is_settled());
            let now = self.monotonic.now();
            let due: Vec<_> = list.entries.extract_if(.., |(at, _)| *at <= now).collect();
            if !due.is_empty() {
                // Without the lock: `expire` may call foreign code, and may add another deadline.
                drop(list);
                for (_, pending) in due {
                    pending.expire();
                }
                list = self.lock();
                continue;
            }
            let Some(next) = list.entries.iter().map(|(at, _)| *at).min() else {
                list.has_thread = false;
                return;
            };
            let wait = Duration::from_nanos(next.saturating_sub(now));
            (list, _) = recover(self.changed.wait_timeout(list, wait));
        }
    }

    fn lock(&self) -> MutexGuard<'_, DeadlineList> {
        lock(&self.list)
    }
}

#[cfg(test)]
mod tests {
    use super::super::completion::Completion;
    use super::*;

    #[test]
    fn each_expires_at_its_own_time_and_the_thread_ends() {
        let monotonic = Clock::system();
        let deadlines = Deadlines::new(monotonic.clone());
        let later = Arc::new(Completion::default());
        let sooner = Arc::new(Completion::default());
        let settled = Arc::new(Completion::default());
        let after = |ms: u64| monotonic.now() + ms * 1_000_000;
        deadlines.add(after(80), Arc::clone(&later) as _);
        deadlines.add(after(20), Arc::clone(&sooner) as _);
        deadlines.add(after(60_000), Arc::clone(&settled) as _);
        assert_eq!(sooner.wait(Duration::from_secs(10)), Some(false));
        assert_eq!(later.wait(Duration::from_secs(10)), Some(false));
        settled.complete(true);
        deadlines.recheck();
        while deadlines.0.lock().has_thread {
            std::thread::yield_now();
        }
        assert!(deadlines.0.lock().entries.is_empty());
    }
}
