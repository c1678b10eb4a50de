use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::model::{lock, recover};

/// An answer that comes once, from whichever side is first, and can be awaited or waited for, with any
/// runtime or none.
pub(crate) struct Completion<T> {
    state: Mutex<State<T>>,
    given: Condvar,
}

struct State<T> {
    value: Option<T>,
    wakers: Vec<Waker>,
}

impl<T: Clone> Completion<T> {
    /// Gives the answer. A second answer is ignored.
    pub(crate) fn give(&self, value: T) {
        let wakers = {
            let mut state = self.lock();
            if state.value.is_some() {
                return;
            }
            state.value = Some(value);
            std::mem::take(&mut state.wakers)
        };
        self.given.notify_all();
        for waker in wakers {
            // Foreign code: the waker of whatever runtime awaits.
            crate::model::catch_panic(|| waker.wake());
        }
    }

    pub(crate) fn value(&self) -> Option<T> {
        self.lock().value.clone()
    }

    /// Blocks until the answer is there, or `None` after `timeout`.
    pub(crate) fn wait(&self, timeout: Duration) -> Option<T> {
        let (state, _) = recover(
            self.given
                .wait_timeout_while(self.lock(), timeout, |state| state.value.is_none()),
        );
        state.value.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        lock(&self.state)
    }
}

impl<T> Default for Completion<T> {
    fn default() -> Self {
        let state = State {
            value: None,
            wakers: Vec::new(),
        };
        Self {
            state: Mutex::new(state),
            given: Condvar::new(),
        }
    }
}

/// Awaits an answer. Cancel safe: what was asked goes on.
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
    fn the_first_answer_stands() {
        let answer = Arc::new(Completion::default());
        assert_eq!(answer.wait(Duration::ZERO), None);
        answer.give(1);
        answer.give(2);
        assert_eq!(
            (answer.value(), answer.wait(Duration::MAX)),
            (Some(1), Some(1))
        );
    }

    #[test]
    fn every_waiter_is_told() {
        let answer = Arc::new(Completion::default());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        std::thread::scope(|scope| {
            let blocked = scope.spawn(|| answer.wait(Duration::from_secs(10)));
            let told = runtime.block_on(async {
                let first = tokio::spawn(CompletionFuture(Arc::clone(&answer)));
                let second = tokio::spawn(CompletionFuture(Arc::clone(&answer)));
                tokio::task::yield_now().await;
                answer.give(5);
                (first.await.unwrap(), second.await.unwrap())
            });
            assert_eq!((told, blocked.join().unwrap()), ((5, 5), Some(5)));
        });
    }
}
