use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::model::{catch_panic, lock, recover};

/// A value that is set once, by whichever side is first. Any number of tasks and threads can wait for it, with any
/// runtime or none.
pub(crate) struct Completion<T> {
    state: Mutex<CompletionState<T>>,
    completed: Condvar,
}

struct CompletionState<T> {
    value: Option<T>,
    wakers: Vec<Waker>,
}

impl<T: Clone> Completion<T> {
    /// Sets the value and wakes all waiters. Later calls are ignored.
    pub(crate) fn complete(&self, value: T) {
        let wakers = {
            let mut state = self.lock();
            if state.value.is_some() {
                return;
            }
            state.value = Some(value);
            std::mem::take(&mut state.wakers)
        };
        self.completed.notify_all();
        for waker in wakers {
            // A waker is foreign code: it belongs to the runtime that awaits.
            catch_panic(|| waker.wake());
        }
    }

    /// The value, if it is set.
    pub(crate) fn value(&self) -> Option<T> {
        self.lock().value.clone()
    }

    /// Blocks until the value is set; `None` after `timeout`.
    pub(crate) fn wait(&self, timeout: Duration) -> Option<T> {
        let (state, _) = recover(self.completed.wait_timeout_while(
            self.lock(),
            timeout,
            |state| state.value.is_none(),
        ));
        state.value.clone()
    }

    fn lock(&self) -> MutexGuard<'_, CompletionState<T>> {
        lock(&self.state)
    }
}

impl<T> Default for Completion<T> {
    fn default() -> Self {
        let state = CompletionState {
            value: None,
            wakers: Vec::new(),
        };
        Self {
            state: Mutex::new(state),
            completed: Condvar::new(),
        }
    }
}

/// Awaits the value of a [`Completion`].
///
/// # Cancel safety
///
/// Cancel safe: dropping it does not stop the work whose completion it awaits.
pub(crate) struct CompletionFuture<T>(pub(crate) Arc<Completion<T>>);

impl<T: Clone> Future for CompletionFuture<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let mut state = self.0.lock();
        if let Some(value) = &state.value {
            return Poll::Ready(value.clone());
        }
        if !state.wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
            state.wakers.push(cx.waker().clone());
        }
        Poll::Pending
    }
}

impl<T> fmt::Debug for CompletionFuture<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CompletionFuture")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_value_stays() {
        let completion = Arc::new(Completion::default());
        assert_eq!(completion.wait(Duration::ZERO), None);
        completion.complete(1);
        completion.complete(2);
        assert_eq!(
            (completion.value(), completion.wait(Duration::MAX)),
            (Some(1), Some(1))
        );
    }

    #[test]
    fn every_waiter_gets_the_value() {
        let completion = Arc::new(Completion::default());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        std::thread::scope(|scope| {
            let blocked = scope.spawn(|| completion.wait(Duration::from_secs(10)));
            let awaited = runtime.block_on(async {
                let first = tokio::spawn(CompletionFuture(Arc::clone(&completion)));
                let second = tokio::spawn(CompletionFuture(Arc::clone(&completion)));
                tokio::task::yield_now().await;
                completion.complete(5);
                (first.await.unwrap(), second.await.unwrap())
            });
            assert_eq!((awaited, blocked.join().unwrap()), ((5, 5), Some(5)));
        });
    }
}
