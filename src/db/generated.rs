//! A stream of what a future puts out.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use pin_project_lite::pin_project;
use tokio::sync::mpsc;

/// Where the items go.
#[derive(Debug)]
pub(super) struct Items<T>(mpsc::Sender<T>);

impl<T> Items<T> {
    /// Puts an item out and waits until there is room for the next.
    pub(super) async fn put(&self, item: T) {
        // Nobody takes them only where the stream was dropped, and this future with it.
        let _taken = self.0.send(item).await;
    }

    /// Puts out all of a stream.
    pub(super) async fn put_all(&self, mut stream: Pin<&mut impl Stream<Item = T>>) {
        while let Some(item) = std::future::poll_fn(|cx| stream.as_mut().poll_next(cx)).await {
            self.put(item).await;
        }
    }
}

pin_project! {
    /// The stream of what a future puts out; it ends with the future.
    pub(super) struct Generated<F, T> {
        #[pin]
        work: Option<F>,
        items: mpsc::Receiver<T>,
    }
}

/// A stream of what `work` puts out while it runs.
pub(super) fn generated<F, T>(work: impl FnOnce(Items<T>) -> F) -> Generated<F, T> {
    let (put, items) = mpsc::channel(1);
    Generated {
        work: Some(work(Items(put))),
        items,
    }
}

impl<F: Future<Output = ()>, T> Stream for Generated<F, T> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let mut this = self.project();
        if let Poll::Ready(item) = this.items.poll_recv(cx) {
            return Poll::Ready(item);
        }
        if let Some(work) = this.work.as_mut().as_pin_mut()
            && work.poll(cx).is_ready()
        {
            this.work.set(None);
        }
        // What it put out meanwhile; once it has ended, the end.
        this.items.poll_recv(cx)
    }
}
