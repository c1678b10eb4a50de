use std::borrow::Cow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{Request, Response, StatusCode, header};
use http_body::Body;
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use super::body::{ClientResponseBody, PendingCall};
use super::calls::ExternalCalls;
use super::error_kind::ErrorTypes;
use super::guard::CallGuard;
use super::server::RemoteServer;
use super::service_state::ServiceState;
use crate::model::grpc::Frames;
use crate::model::{Outcome, is_grpc};

/// A tower layer that records the calls of an HTTP client, made by
/// [`External::client_layer`](super::External::client_layer).
#[derive(Debug, Clone)]
pub struct ClientLayer {
    calls: Arc<ExternalCalls>,
    service: Arc<ServiceState>,
    /// The server of requests whose URI has none.
    server: Option<Arc<RemoteServer>>,
    error_types: Option<Arc<ErrorTypes>>,
}

impl ClientLayer {
    pub(super) fn new(calls: &Arc<ExternalCalls>, service: &Arc<ServiceState>) -> Self {
        Self {
            calls: Arc::clone(calls),
            service: Arc::clone(service),
            server: None,
            error_types: None,
        }
    }

    /// Sets the server (`server.address`, `server.port`) of requests whose URI has no authority.
    ///
    /// Requests to a tonic `Channel` have none, since the channel adds it later.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn example(monitor: watchpost::Monitor) {
    /// let layer = monitor.external("billing").client_layer().server("billing.internal", 443);
    /// # }
    /// ```
    #[must_use]
    pub fn server(mut self, address: impl AsRef<str>, port: u16) -> Self {
        self.server = Some(
            self.calls
                .server(&self.service, address.as_ref(), Some(port)),
        );
        self
    }

    /// Adds an error type of the client, or of its response bodies, whose sources are examined.
    ///
    /// The `error_type` is then a word for the cause, such as `connection_refused` or `timeout`. Without it, the
    /// `error_type` of a type that this crate does not know is the name of the type. Call it once for each type.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn example(monitor: watchpost::Monitor) {
    /// let layer = monitor
    ///     .external("billing")
    ///     .client_layer()
    ///     .errors_of::<tonic::transport::Error>()
    ///     .errors_of::<tonic::Status>();
    /// # }
    /// ```
    #[must_use]
    pub fn errors_of<E: std::error::Error + 'static>(mut self) -> Self {
        let mut types = self.error_types.as_deref().cloned().unwrap_or_default();
        types.add::<E>();
        self.error_types = Some(Arc::new(types));
        self
    }
}

/// The template of a request's URL, such as `/v1/models/{id}`.
///
/// Insert it into the request's extensions: [`ClientLayer`] names the span by it.
///
/// # Examples
///
/// ```
/// use watchpost::external::UrlTemplate;
///
/// let mut request = http::Request::get("http://127.0.0.1:9/v1/models/17").body(()).unwrap();
/// request.extensions_mut().insert(UrlTemplate("/v1/models/{id}".into()));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a newtype for a text")]
pub struct UrlTemplate(pub Cow<'static, str>);

impl<S> Layer<S> for ClientLayer {
    type Service = ClientService<S>;

    fn layer(&self, inner: S) -> ClientService<S> {
        ClientService {
            inner,
            layer: self.clone(),
        }
    }
}

/// An HTTP client whose calls are recorded, made by [`ClientLayer`].
#[derive(Debug, Clone)]
pub struct ClientService<S> {
    inner: S,
    layer: ClientLayer,
}

impl<S, B, R> Service<Request<B>> for ClientService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: 'static,
    R: Body,
    R::Error: 'static,
{
    type Response = Response<ClientResponseBody<R>>;
    type Error = S::Error;
    type Future = ClientFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let ClientLayer {
            calls,
            service,
            server,
            error_types,
        } = &self.layer;
        let url = request.uri().to_string();
        let method = request.method().as_str();
        let mut guard = CallGuard::begin_at(calls, service, server.as_ref(), method, &url);
        let content_type = request.headers().get(header::CONTENT_TYPE);
        if let Some(content_type) = content_type.filter(|kind| is_grpc(kind.as_bytes())) {
            let is_web = Frames::of(content_type.as_bytes()).is_some();
            guard.set_grpc(request.uri().path(), is_web);
        }
        if let Some(types) = error_types {
            guard.set_error_types(types);
        }
        if let Some(UrlTemplate(template)) = request.extensions().get() {
            guard = guard.template(template.clone());
        }
        guard.inject(request.headers_mut());
        let future = guard.in_scope(|| self.inner.call(request));
        ClientFuture::new(guard, future)
    }
}

pin_project! {
    /// The future of a call of [`ClientService`].
    ///
    /// # Cancel safety
    ///
    /// As safe as the client's future. If it is dropped before the response arrives, the call ends as cancelled.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct ClientFuture<F> {
        // Dropped before `guard`, so that code in the future's `Drop` still runs inside the call.
        #[pin]
        future: F,
        guard: Option<CallGuard>,
    }

    impl<F> PinnedDrop for ClientFuture<F> {
        fn drop(this: Pin<&mut Self>) {
            if let Some(guard) = this.project().guard {
                guard.dropping();
            }
        }
    }
}

impl<F> ClientFuture<F> {
    pub(super) fn new(guard: CallGuard, future: F) -> Self {
        Self {
            future,
            guard: Some(guard),
        }
    }
}

impl<F, R, E> Future for ClientFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: Body,
    E: 'static,
{
    type Output = Result<Response<ClientResponseBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let polled = match this.guard {
            Some(guard) => guard.in_scope(|| this.future.poll(cx)),
            None => this.future.poll(cx),
        };
        let result = ready!(polled);
        let guard = this.guard.take();
        Poll::Ready(match result {
            Ok(response) => {
                // The call ends with the body. A switch of protocols ends it now: there is no body to wait for.
                let call = match guard {
                    Some(guard) => end_with_body(guard, &response),
                    None => PendingCall::default(),
                };
                Ok(response.map(|body| ClientResponseBody::new(body, call)))
            }
            Err(error) => {
                if let Some(guard) = guard {
                    guard.fail(&error);
                }
                Err(error)
            }
        })
    }
}

/// Records the head of a response, and lets the call end with its body.
fn end_with_body<R: Body>(mut guard: CallGuard, response: &Response<R>) -> PendingCall {
    let status = response.status();
    guard.set_version(response.version());
    guard.record_grpc_status(response.headers());
    let guard = guard.status(status.as_u16()).headers(response.headers());
    if status == StatusCode::SWITCHING_PROTOCOLS {
        guard.finish_with(Outcome::Upgraded);
        return PendingCall::default();
    }
    PendingCall::new(guard, response)
}
