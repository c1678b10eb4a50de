use std::pin::Pin;
use std::task::{Context, Poll};

use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;

use super::body::ResponseBody;
use super::poll_guard::PollGuard;
use super::request_guard::RequestGuard;
use super::service_error;
use crate::model::end_on_panic;

pin_project! {
    /// The future of an [`EndpointService`](super::EndpointService)'s response.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is ready, the request counts as `cancelled`.
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        // Before `track`: what it drops still belongs to the request.
        #[pin]
        inner: F,
        track: Option<RequestGuard>,
        polled: bool,
    }

    impl<F> PinnedDrop for ResponseFuture<F> {
        fn drop(this: Pin<&mut Self>) {
            if let Some(track) = this.project().track {
                track.dropping();
            }
        }
    }
}

impl<F> ResponseFuture<F> {
    #[inline]
    pub(super) fn untracked(inner: F) -> Self {
        Self {
            inner,
            track: None,
            polled: false,
        }
    }

    #[inline]
    pub(super) fn track(&mut self, track: Option<RequestGuard>) {
        self.track = track;
    }
}

impl<F, R, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: Body,
    E: 'static,
{
    type Output = Result<Response<ResponseBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if std::mem::replace(this.polled, true)
            && let Some(active) = this.track.as_mut().and_then(RequestGuard::active)
        {
            active.poll_begins();
        }
        let polling = PollGuard::enter(this.track);
        let polled = this.inner.poll(cx);
        polling.leave();
        match polled {
            Poll::Pending => {
                if let Some(active) = this.track.as_mut().and_then(RequestGuard::active) {
                    active.poll_pends();
                }
                Poll::Pending
            }
            Poll::Ready(Err(error)) => {
                if let Some(track) = this.track.take() {
                    track.finish(service_error::outcome(&error));
                }
                Poll::Ready(Err(error))
            }
            Poll::Ready(Ok(mut response)) => {
                let after = end_on_panic(this.track, |track| {
                    RequestGuard::headers(track, &mut response)
                });
                Poll::Ready(Ok(response.map(|body| ResponseBody::new(body, after))))
            }
        }
    }
}
