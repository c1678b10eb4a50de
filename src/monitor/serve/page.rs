use std::convert::Infallible;
use std::error::Error;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use tower::Service;

/// A boxed future.
pub(super) type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A handler that responds to a request.
pub(crate) type PageHandler =
    Box<dyn Fn(Request<RequestBody>) -> Boxed<Response<ServedBody>> + Send + Sync>;

/// The pages by path. A path that ends with a slash stands for all paths that begin with it.
pub(super) type PageTable = Arc<Vec<(&'static str, PageHandler)>>;

/// The body of a request.
pub(crate) type RequestBody =
    Pin<Box<dyn Body<Data = Bytes, Error = Box<dyn Error + Send + Sync>> + Send>>;

/// The body of any page.
pub(crate) type ServedBody = Pin<Box<dyn Body<Data = Bytes, Error = Infallible> + Send>>;

/// Returns the page of a path.
pub(super) fn find<'a>(pages: &'a PageTable, path: &str) -> Option<&'a PageHandler> {
    let is_page = |at: &str| path == at || (at.ends_with('/') && path.starts_with(at));
    let mut pages = pages.iter();
    pages.find(|(at, _)| is_page(at)).map(|(_, page)| page)
}

/// Converts a tower service to a page handler. The bodies of requests are dropped unread.
pub(crate) fn page<S, B>(service: S) -> PageHandler
where
    S: Service<Request<()>, Response = Response<B>, Error = Infallible>,
    S: Clone + Send + Sync + 'static,
    S::Future: Send,
    B: Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    Box::new(move |request| {
        let request = request.map(drop);
        let mut service = service.clone();
        Box::pin(async move {
            let (Ok(()), Ok(response)) = (
                poll_fn(|context| service.poll_ready(context)).await,
                service.call(request).await,
            );
            response.map(|body| Box::pin(body) as ServedBody)
        })
    })
}

/// Returns the 404 response of an unknown path. It does not repeat the path.
pub(super) fn not_found() -> Response<ServedBody> {
    let mut response = Response::new(Box::pin(StaticBody("not found\n")) as ServedBody);
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

struct StaticBody(&'static str);

impl Body for StaticBody {
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
