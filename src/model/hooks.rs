use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, Weak};

use super::{catch_panic, lock, unsuppressed};

/// The maximum number of events that wait for the hooks. A newer one is dropped.
const MAX_WAITING: usize = 1024;
/// A hook that panics so many times in a row is not called again.
const MAX_PANICS: u64 = 5;

/// The host's functions for one kind of event. Events are queued by [`emit`](Self::emit), and the hooks called by
/// [`deliver`](Self::deliver), so that a hook that hangs stops other hooks alone.
pub(crate) struct HookList<E> {
    list: Mutex<Vec<Arc<Hook<E>>>>,
    waiting: Mutex<VecDeque<E>>,
    next: AtomicU64,
    emitted: AtomicU64,
    delivered: AtomicU64,
    disabled: AtomicU64,
    dropped: AtomicU64,
    panics: AtomicU64,
}

struct Hook<E> {
    number: u64,
    run: Box<dyn Fn(&E) + Send + Sync>,
    /// The panics since the last call that returned.
    panics: AtomicU64,
}

/// What became of the events for the hooks of one kind. After a [`deliver`](HookList::deliver), `emitted` is the sum of
/// `delivered`, `disabled` and `dropped`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct HookCounts {
    /// Events that occurred while there was a hook.
    pub(crate) emitted: u64,
    /// Events with which at least one hook was called.
    pub(crate) delivered: u64,
    /// Events with which no hook was called: all were disabled after panics, or removed since.
    pub(crate) disabled: u64,
    /// Events that found the queue full.
    pub(crate) dropped: u64,
    /// Calls that panicked.
    pub(crate) panics: u64,
}

impl<E: Send + 'static> HookList<E> {
    /// Adds a hook, for as long as the subscription lives.
    pub(crate) fn subscribe(
        self: &Arc<Self>,
        run: impl Fn(&E) + Send + Sync + 'static,
    ) -> Subscription {
        let number = self.next.fetch_add(1, Relaxed);
        let hook = Hook {
            number,
            run: Box::new(run),
            panics: AtomicU64::new(0),
        };
        lock(&self.list).push(Arc::new(hook));
        let hooks: Weak<Self> = Arc::downgrade(self);
        Subscription {
            end: Some(Box::new(move || {
                if let Some(hooks) = hooks.upgrade() {
                    hooks.remove(number);
                }
            })),
        }
    }

    fn remove(&self, number: u64) {
        let mut list = lock(&self.list);
        let at = list.iter().position(|hook| hook.number == number);
        let removed = at.map(|at| list.remove(at));
        // The host's closure may run code of the host when it is dropped.
        drop(list);
        drop(removed);
    }

    /// Queues an event, if there is a hook. Does not wait for the hooks.
    pub(crate) fn emit(&self, event: E) {
        if lock(&self.list).is_empty() {
            return;
        }
        self.emitted.fetch_add(1, Relaxed);
        let mut waiting = lock(&self.waiting);
        if waiting.len() < MAX_WAITING {
            waiting.push_back(event);
        } else {
            self.dropped.fetch_add(1, Relaxed);
        }
    }

    /// Calls the hooks with the events that wait. Takes as long as the hooks do.
    pub(crate) fn deliver(&self) {
        loop {
            let Some(event) = lock(&self.waiting).pop_front() else {
                return;
            };
            let hooks = lock(&self.list).clone();
            let mut was_called = false;
            for hook in &hooks {
                was_called |= self.call(hook, &event);
            }
            let count = if was_called {
                &self.delivered
            } else {
                &self.disabled
            };
            count.fetch_add(1, Relaxed);
        }
    }

    /// Returns whether the hook was called, and not disabled.
    fn call(&self, hook: &Hook<E>, event: &E) -> bool {
        if hook.panics.load(Relaxed) >= MAX_PANICS {
            return false;
        }
        // What the hook does is the host's work.
        if catch_panic(|| unsuppressed(|| (hook.run)(event))).is_some() {
            hook.panics.store(0, Relaxed);
        } else {
            hook.panics.fetch_add(1, Relaxed);
            self.panics.fetch_add(1, Relaxed);
        }
        true
    }

    pub(crate) fn counts(&self) -> HookCounts {
        HookCounts {
            emitted: self.emitted.load(Relaxed),
            delivered: self.delivered.load(Relaxed),
            disabled: self.disabled.load(Relaxed),
            dropped: self.dropped.load(Relaxed),
            panics: self.panics.load(Relaxed),
        }
    }
}

impl<E> Default for HookList<E> {
    fn default() -> Self {
        Self {
            list: Mutex::default(),
            waiting: Mutex::default(),
            next: AtomicU64::new(0),
            emitted: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
            disabled: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            panics: AtomicU64::new(0),
        }
    }
}

impl<E> fmt::Debug for HookList<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HookList").finish_non_exhaustive()
    }
}

/// A hook of the host that is called on events, such as alerts, until this value is dropped.
///
/// [`detach`](Self::detach) keeps the hook for the life of the monitor.
#[must_use = "the hook is removed when the subscription is dropped: keep it, or call `detach`"]
pub struct Subscription {
    end: Option<Box<dyn FnOnce() + Send + Sync>>,
}

impl Subscription {
    /// Keeps the hook for as long as the monitor lives.
    pub fn detach(mut self) {
        self.end = None;
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if let Some(end) = self.end.take() {
            end();
        }
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorder(hooks: &Arc<HookList<u32>>) -> (Arc<Mutex<Vec<u32>>>, Subscription) {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let to = Arc::clone(&seen);
        let hook = hooks.subscribe(move |event| lock(&to).push(*event));
        (seen, hook)
    }

    #[test]
    fn a_hook_is_called_until_its_subscription_is_dropped() {
        let hooks = Arc::new(HookList::default());
        hooks.emit(1);
        let (seen, first) = recorder(&hooks);
        let (kept, second) = recorder(&hooks);
        second.detach();
        hooks.emit(2);
        hooks.deliver();
        drop(first);
        hooks.emit(3);
        hooks.deliver();
        assert_eq!((&*lock(&seen), &*lock(&kept)), (&vec![2], &vec![2, 3]));
        let counts = hooks.counts();
        assert_eq!((counts.emitted, counts.delivered), (2, 2));
    }

    #[test]
    fn a_hook_that_panics_costs_other_hooks_nothing_and_is_disabled() {
        let hooks = Arc::new(HookList::default());
        let calls = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&calls);
        hooks
            .subscribe(move |event| {
                counter.fetch_add(1, Relaxed);
                assert!(*event == 2, "a hook that panics");
            })
            .detach();
        let (seen, _hook) = recorder(&hooks);
        // The call that returns begins the count again.
        for event in [0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0] {
            hooks.emit(event);
        }
        hooks.deliver();
        assert_eq!(lock(&seen).len(), 12);
        assert_eq!((calls.load(Relaxed), hooks.counts().panics), (10, 9));
    }

    #[test]
    fn events_that_no_hook_gets_are_not_delivered() {
        let hooks = Arc::new(HookList::default());
        let bad = hooks.subscribe(|_: &u32| panic!("a hook that panics"));
        for event in 0..8 {
            hooks.emit(event);
        }
        hooks.deliver();
        let counts = hooks.counts();
        assert_eq!((counts.delivered, counts.disabled), (5, 3));
        // One that goes on beside it gets all, and one that is removed none.
        let (seen, good) = recorder(&hooks);
        hooks.emit(8);
        hooks.deliver();
        hooks.emit(9);
        drop((bad, good));
        hooks.deliver();
        let counts = hooks.counts();
        assert_eq!((counts.delivered, counts.disabled), (6, 4));
        assert_eq!((counts.emitted, &*lock(&seen)), (10, &vec![8]));
    }

    #[test]
    fn events_beyond_the_queue_are_dropped_and_counted() {
        let hooks = Arc::new(HookList::default());
        let (seen, _hook) = recorder(&hooks);
        for event in 0..MAX_WAITING + 7 {
            hooks.emit(u32::try_from(event).unwrap());
        }
        hooks.deliver();
        let counts = hooks.counts();
        assert_eq!(counts.emitted, counts.delivered + counts.dropped);
        assert_eq!((counts.dropped, lock(&seen).len()), (7, MAX_WAITING));
    }

    #[test]
    fn a_hook_may_end_its_own_subscription_and_add_others() {
        let hooks = Arc::new(HookList::<u32>::default());
        let slot = Arc::new(Mutex::new(None));
        let (inside, list) = (Arc::clone(&slot), Arc::downgrade(&hooks));
        let hook = hooks.subscribe(move |_| {
            drop(lock(&inside).take());
            if let Some(hooks) = list.upgrade() {
                hooks.subscribe(|_| {}).detach();
            }
        });
        *lock(&slot) = Some(hook);
        hooks.emit(1);
        hooks.deliver();
        assert_eq!(lock(&hooks.list).len(), 1);
    }
}
