use std::pin::Pin;
use std::task::{Context, Poll};

use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;

use super::body::ResponseBody;
use super::poll_guard::PollGuard;
use super::request_guard::RequestGuard;
use super::service_error;

pin_project! {
    /// The future of an [`EndpointService`](super::EndpointService)'s response.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it is ready, the request is recorded with the outcome `cancelled`.
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        // Before `request`: what its drop does still belongs to the request.
        #[pin]
        inner: F,
        request: RequestGuard,
        polled: bool,
    }

    impl<F> PinnedDrop for ResponseFuture<F> {
        fn drop(this: Pin<&mut Self>) {
            this.project().request.drop_started();
        }
    }
}

impl<F> ResponseFuture<F> {
    /// The future of a request that is not recorded, or not yet.
    #[inline]
    pub(super) fn unrecorded(inner: F) -> Self {
        Self {
            inner,
            request: RequestGuard::empty(),
            polled: false,
        }
    }

    /// Hands over the request that the future ends.
    #[inline]
    pub(super) fn set_request(&mut self, request: RequestGuard) {
        self.request = request;
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
        // The first poll follows the request's start, whose time it has.
        if std::mem::replace(this.polled, true)
            && let Some(request) = this.request.request()
        {
            request.poll_started();
        }
        let poll = PollGuard::enter(this.request);
        let polled = this.inner.poll(cx);
        poll.leave();
        match polled {
            Poll::Pending => {
                if let Some(request) = this.request.request() {
                    request.poll_pending();
                }
                Poll::Pending
            }
            Poll::Ready(Err(error)) => {
                // The type of the error is examined only if its outcome is recorded.
                if this.request.request().is_some() {
                    this.request.finish(service_error::outcome(&error));
                }
                Poll::Ready(Err(error))
            }
            Poll::Ready(Ok(mut response)) => {
                let after = this.request.response_started(&mut response);
                Poll::Ready(Ok(response.map(|body| ResponseBody::new(body, after))))
            }
        }
    }
}
