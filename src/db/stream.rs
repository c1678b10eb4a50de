//! A stream whose items a future produces.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use pin_project_lite::pin_project;
use tokio::sync::mpsc;

/// Sends items from the future to its stream.
#[derive(Debug)]
pub(super) struct ItemSender<T>(mpsc::Sender<T>);

impl<T> ItemSender<T> {
    /// Sends an item. Waits until the stream has taken the one before.
    pub(super) async fn send(&self, item: T) {
        // It fails only if the stream was dropped, and this future with it.
        let _sent = self.0.send(item).await;
    }

    /// Sends all items of another stream.
    pub(super) async fn send_all(&self, mut stream: Pin<&mut impl Stream<Item = T>>) {
        while let Some(item) = std::future::poll_fn(|cx| stream.as_mut().poll_next(cx)).await {
            self.send(item).await;
        }
    }
}

pin_project! {
    /// The stream of the items that a future sends. It ends when the future is ready.
    pub(super) struct FutureStream<F, T> {
        #[pin]
        work: Option<F>,
        items: mpsc::Receiver<T>,
    }
}

/// Makes a stream of what `work` sends while it runs. The stream polls it.
pub(super) fn from_future<F, T>(work: impl FnOnce(ItemSender<T>) -> F) -> FutureStream<F, T> {
    let (sender, items) = mpsc::channel(1);
    FutureStream {
        work: Some(work(ItemSender(sender))),
        items,
    }
}

impl<F: Future<Output = ()>, T> Stream for FutureStream<F, T> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let mut this = self.project();
        if let Poll::Ready(item) = this.items.poll_recv(cx) {
            return Poll::Ready(item);
        }
        if let Some(work) = this.work.as_mut().as_pin_mut()
            && work.poll(cx).is_ready()
        {
            // Drops the sender, which closes the channel.
            this.work.set(None);
        }
        // An item that was sent in this poll, or the end.
        this.items.poll_recv(cx)
    }
}
