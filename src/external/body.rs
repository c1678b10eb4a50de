use std::pin::Pin;
use std::sync::atomic::AtomicBool;
use std::task::{Context, Poll, ready};

use http::Response;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::guard::CallGuard;
use crate::model::{Outcome, Progress, declared_length, flag_on_panic};

pin_project! {
    /// The body of a response: the call ends with it. Its frames, its length and its end are those of the body inside.
    #[derive(Debug)]
    pub struct AnswerBody<B> {
        // Before `call`: what it drops still belongs to the call.
        #[pin]
        body: B,
        call: Ends,
    }

    impl<B> PinnedDrop for AnswerBody<B> {
        fn drop(this: Pin<&mut Self>) {
            if let Some(guard) = &mut this.project().call.guard {
                guard.dropping();
            }
        }
    }
}

/// A call that ends with a body. Dropped before the body's end, the body was, unless all bytes came that were declared.
#[derive(Debug, Default)]
pub(super) struct Ends {
    guard: Option<CallGuard>,
    declared: Option<u64>,
    received: u64,
}

impl Ends {
    /// The call ends with the body of this response, or with its headers where there is no body. Calls the body's code.
    pub(super) fn with<B: Body>(mut guard: CallGuard, response: &Response<B>) -> Self {
        let body = response.body();
        let ended = guard.is_bodiless() || guard.inside(|| body.is_end_stream());
        if ended {
            guard.finish();
            return Self::default();
        }
        let length = guard.inside(|| body.size_hint().exact());
        Self {
            guard: Some(guard),
            declared: length.or_else(|| declared_length(response.headers())),
            received: 0,
        }
    }

    fn panic_note(&self) -> Option<&AtomicBool> {
        self.guard.as_ref().map(CallGuard::panic_note)
    }

    fn is_whole(&self) -> Option<bool> {
        self.declared.map(|declared| self.received == declared)
    }

    /// The body came to its end: short of what was declared, that is an error.
    fn ended(&mut self) {
        if let Some(guard) = self.guard.take() {
            match self.is_whole() {
                Some(false) => guard.by(Outcome::BodyError),
                _ => guard.finish(),
            }
        }
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        if let Some(mut guard) = self.guard.take() {
            if guard.has_panicked() {
                guard.by(Outcome::Panicked);
            } else if guard.has_grpc_failure() {
                // Clients do not read on.
                guard.finish();
            } else if self.is_whole() == Some(true) {
                // Who knows the length does not ask again.
                guard.finish();
            } else if self
                .declared
                .is_some_and(|declared| self.received > declared)
            {
                guard.by(Outcome::BodyError);
            } else {
                guard.by(Outcome::BodyDropped);
            }
        }
    }
}

impl<B> AnswerBody<B> {
    pub(super) fn new(body: B, call: Ends) -> Self {
        Self { body, call }
    }
}

impl<B: Body> Body for AnswerBody<B>
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
        let (frame, progress) = ready!(guard.inside(|| {
            let frame = ready!(this.body.as_mut().poll_frame(cx));
            let progress = Progress::of(frame.as_ref(), this.body.as_ref().get_ref());
            Poll::Ready((frame, progress))
        }));
        if let Progress::Data(bytes) | Progress::LastData(bytes) = progress {
            call.received = call.received.saturating_add(bytes as u64);
        }
        if let Some(Ok(frame)) = &frame
            && let (Some(trailers), Some(guard)) = (frame.trailers_ref(), &mut call.guard)
        {
            guard.grpc_status(trailers);
        }
        match (progress, &frame) {
            (Progress::Data(_), _) => {}
            (_, Some(Err(error))) => {
                if let Some(guard) = call.guard.take() {
                    guard.fail_body(error);
                }
            }
            _ => call.ended(),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        flag_on_panic(self.call.panic_note(), || self.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        flag_on_panic(self.call.panic_note(), || self.body.size_hint())
    }
}
