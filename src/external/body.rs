use std::pin::Pin;
use std::sync::atomic::AtomicBool;
use std::task::{Context, Poll, ready};

use http::Response;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::guard::CallGuard;
use crate::model::{BodyProgress, Outcome, declared_length, flag_on_panic};

pin_project! {
    /// A response body of [`ClientService`](super::ClientService), with which the call ends.
    ///
    /// Its frames, its size hint and its end are those of the body that it wraps.
    ///
    /// # Cancel safety
    ///
    /// If the body is dropped before its end, the call ends with the outcome
    /// [`BodyDropped`](crate::Outcome::BodyDropped), unless all declared bytes were received.
    #[derive(Debug)]
    pub struct ClientResponseBody<B> {
        // Dropped before `call`, so that code in the body's `Drop` still runs inside the call.
        #[pin]
        body: B,
        call: PendingCall,
    }

    impl<B> PinnedDrop for ClientResponseBody<B> {
        fn drop(this: Pin<&mut Self>) {
            if let Some(guard) = &mut this.project().call.guard {
                guard.dropping();
            }
        }
    }
}

/// A call whose response body is being read. The call ends with the body, or when this is dropped.
#[derive(Debug, Default)]
pub(super) struct PendingCall {
    /// `None` once the call has ended.
    guard: Option<CallGuard>,
    /// The length that the body or `Content-Length` declares.
    declared: Option<u64>,
    received: u64,
}

impl PendingCall {
    /// Ends the call with the body of this response, or now if there is no body. Calls code of the body.
    pub(super) fn new<B: Body>(mut guard: CallGuard, response: &Response<B>) -> Self {
        let body = response.body();
        let is_at_end = guard.has_no_body() || guard.in_scope(|| body.is_end_stream());
        if is_at_end {
            guard.finish();
            return Self::default();
        }
        let length = guard.in_scope(|| body.size_hint().exact());
        Self {
            guard: Some(guard),
            declared: length.or_else(|| declared_length(response.headers())),
            received: 0,
        }
    }

    fn panic_flag(&self) -> Option<&AtomicBool> {
        self.guard.as_ref().map(CallGuard::panic_flag)
    }

    /// Whether exactly the declared bytes were received; `None` if no length was declared.
    fn is_complete(&self) -> Option<bool> {
        self.declared.map(|declared| self.received == declared)
    }

    /// Ends the call at the end of the body. A body that is shorter or longer than declared is an error.
    fn end_of_body(&mut self) {
        if let Some(guard) = self.guard.take() {
            match self.is_complete() {
                Some(false) => guard.finish_with(Outcome::BodyError),
                _ => guard.finish(),
            }
        }
    }
}

impl Drop for PendingCall {
    /// Ends a call whose body is dropped before its end.
    fn drop(&mut self) {
        let Some(mut guard) = self.guard.take() else {
            return;
        };
        let is_too_long = || {
            self.declared
                .is_some_and(|declared| self.received > declared)
        };
        if guard.has_panicked() {
            guard.finish_with(Outcome::Panicked);
        } else if guard.has_grpc_failure() || self.is_complete() == Some(true) {
            // Clients stop reading after headers with a gRPC failure, and after the last declared byte.
            guard.finish();
        } else if is_too_long() {
            guard.finish_with(Outcome::BodyError);
        } else {
            guard.finish_with(Outcome::BodyDropped);
        }
    }
}

impl<B> ClientResponseBody<B> {
    pub(super) fn new(body: B, call: PendingCall) -> Self {
        Self { body, call }
    }
}

impl<B: Body> Body for ClientResponseBody<B>
where
    B::Error: 'static,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let call = this.call;
        let Some(guard) = &mut call.guard else {
            return this.body.poll_frame(cx);
        };
        // Step 1: poll the body inside the call. `BodyProgress` checks whether this frame was the last one of the body.
        let (frame, progress) = ready!(guard.in_scope(|| {
            let frame = ready!(this.body.as_mut().poll_frame(cx));
            let progress = BodyProgress::of(frame.as_ref(), this.body.as_ref().get_ref());
            Poll::Ready((frame, progress))
        }));
        // Step 2: count the bytes and read the gRPC status, before either can end the call.
        if let BodyProgress::Data(bytes) | BodyProgress::LastData(bytes) = progress {
            call.received = call.received.saturating_add(bytes as u64);
        }
        if let Some(Ok(frame)) = &frame
            && let (Some(trailers), Some(guard)) = (frame.trailers_ref(), &mut call.guard)
        {
            guard.record_grpc_status(trailers);
        }
        // Step 3: end the call with an error or with the last frame.
        match (progress, &frame) {
            (BodyProgress::Data(_), _) => {}
            (_, Some(Err(error))) => {
                if let Some(guard) = call.guard.take() {
                    guard.fail_body(error);
                }
            }
            _ => call.end_of_body(),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        flag_on_panic(self.call.panic_flag(), || self.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        flag_on_panic(self.call.panic_flag(), || self.body.size_hint())
    }
}
