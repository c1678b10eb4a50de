use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::guard::CallGuard;
use crate::model::Outcome;

pin_project! {
    /// The body of an answer: the call ends with it.
    #[derive(Debug)]
    pub struct AnswerBody<B> {
        #[pin]
        body: B,
        guard: Ends,
    }
}

/// A call that ends with a body. Dropped before the body's end, the body was.
#[derive(Debug)]
struct Ends(Option<CallGuard>);

impl Drop for Ends {
    fn drop(&mut self) {
        if let Some(guard) = self.0.take() {
            guard.by(Outcome::BodyDropped);
        }
    }
}

impl<B> AnswerBody<B> {
    pub(super) fn new(body: B, guard: Option<CallGuard>) -> Self {
        Self {
            body,
            guard: Ends(guard),
        }
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
        let guard = &mut this.guard.0;
        let body = this.body.as_mut();
        let frame = ready!(match guard {
            Some(guard) => guard.inside(|| body.poll_frame(cx)),
            None => body.poll_frame(cx),
        });
        let is_over = match &frame {
            Some(Ok(_)) => this.body.is_end_stream(),
            _ => true,
        };
        if is_over && let Some(guard) = guard.take() {
            match &frame {
                Some(Err(error)) => guard.fail_body(error),
                _ => guard.finish(),
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
