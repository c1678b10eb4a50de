use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use tower::Service;

use super::Boxed;

/// A page: answers a request's head. Request bodies are not read.
pub(crate) type Page = Box<dyn Fn(Request<()>) -> Boxed<Response<PageBody>> + Send + Sync>;

/// Pages by their exact paths.
pub(super) type Pages = Arc<Vec<(&'static str, Page)>>;

/// Any page's body.
pub(crate) type PageBody = Pin<Box<dyn Body<Data = Bytes, Error = Infallible> + Send>>;

/// A tower service as a page.
pub(crate) fn page<S, B>(service: S) -> Page
where
    S: Service<Request<()>, Response = Response<B>, Error = Infallible>,
    S: Clone + Send + Sync + 'static,
    S::Future: Send,
    B: Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    Box::new(move |request| {
        let mut service = service.clone();
        Box::pin(async move {
            let (Ok(()), Ok(response)) = (
                poll_fn(|context| service.poll_ready(context)).await,
                service.call(request).await,
            );
            response.map(|body| Box::pin(body) as PageBody)
        })
    })
}

/// The answer where no page is. The path is not repeated.
pub(super) fn not_found() -> Response<PageBody> {
    let mut response = Response::new(Box::pin(Text("not found\n")) as PageBody);
    *response.status_mut() = StatusCode::NOT_FOUND;
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_TYPE, "text/plain; charset=utf-8"),
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

struct Text(&'static str);

impl Body for Text {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let text = Bytes::from_static(std::mem::take(&mut self.0).as_bytes());
        Poll::Ready((!text.is_empty()).then(|| Ok(Frame::data(text))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.len() as u64)
    }
}
