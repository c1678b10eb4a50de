use std::borrow::Cow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{Request, Response, header};
use http_body::Body;
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use super::body::{AnswerBody, Ends};
use super::calls::Calls;
use super::guard::CallGuard;
use super::known::ErrorTypes;
use super::server::Server;
use super::watched::Watched;
use crate::model::grpc::Frames;
use crate::model::{Outcome, is_grpc};

/// A layer around an HTTP client, made by [`External::client_layer`](super::External::client_layer).
#[derive(Debug, Clone)]
pub struct ClientLayer {
    calls: Arc<Calls>,
    service: Arc<Watched>,
    /// Of requests whose URI names none.
    server: Option<Arc<Server>>,
    error_types: Option<Arc<ErrorTypes>>,
}

impl ClientLayer {
    pub(super) fn new(calls: &Arc<Calls>, service: &Arc<Watched>) -> Self {
        Self {
            calls: Arc::clone(calls),
            service: Arc::clone(service),
            server: None,
            error_types: None,
        }
    }

    /// Names the server (`server.address`, `server.port`) of requests whose URI has no authority. Those to a `Channel` of
    /// tonic have none: the channel adds it later.
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

    /// Names a type of the client's errors, or of its bodies' errors, whose sources are then looked at for what went wrong:
    /// `connection_refused`, `timeout` and so on. Without it the `error_type` of a type that this crate does not know is the
    /// type's name. It takes a call for each type.
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

/// The template of a request's URL, such as `/v1/models/{id}`, among the request's extensions: the
/// [layer](ClientLayer) names the span by it.
///
/// ```
/// use watchpost::external::UrlTemplate;
///
/// let mut request = http::Request::get("http://127.0.0.1:9/v1/models/17").body(()).unwrap();
/// request.extensions_mut().insert(UrlTemplate("/v1/models/{id}".into()));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a name for a text")]
pub struct UrlTemplate(pub Cow<'static, str>);

impl<S> Layer<S> for ClientLayer {
    type Service = Client<S>;

    fn layer(&self, inner: S) -> Client<S> {
        Client {
            inner,
            layer: self.clone(),
        }
    }
}

/// An HTTP client whose calls are watched.
#[derive(Debug, Clone)]
pub struct Client<S> {
    inner: S,
    layer: ClientLayer,
}

impl<S, B, R> Service<Request<B>> for Client<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: 'static,
    R: Body,
    R::Error: 'static,
{
    type Response = Response<AnswerBody<R>>;
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
        let kind = request.headers().get(header::CONTENT_TYPE);
        if let Some(kind) = kind.filter(|kind| is_grpc(kind.as_bytes())) {
            let is_web = Frames::of(kind.as_bytes()).is_some();
            guard.is_grpc(request.uri().path(), is_web);
        }
        if let Some(types) = error_types {
            guard.error_types(types);
        }
        if let Some(UrlTemplate(template)) = request.extensions().get() {
            guard = guard.template(template.clone());
        }
        guard.inject(request.headers_mut());
        let future = guard.inside(|| self.inner.call(request));
        ClientFuture::new(guard, future)
    }
}

pin_project! {
    /// The future of a call through [`Client`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct ClientFuture<F> {
        // Before `guard`: what it drops still belongs to the call.
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
    type Output = Result<Response<AnswerBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let polled = match this.guard {
            Some(guard) => guard.inside(|| this.future.poll(cx)),
            None => this.future.poll(cx),
        };
        let done = ready!(polled);
        let guard = this.guard.take();
        Poll::Ready(match done {
            Ok(answer) => {
                let guard = guard.map(|mut guard| {
                    guard.version(answer.version());
                    guard.grpc_status(answer.headers());
                    guard
                        .status(answer.status().as_u16())
                        .headers(answer.headers())
                });
                let ends = match guard {
                    Some(guard) if answer.status().as_u16() == 101 => {
                        guard.by(Outcome::Upgraded);
                        Ends::default()
                    }
                    Some(guard) => Ends::with(guard, &answer),
                    None => Ends::default(),
                };
                Ok(answer.map(|body| AnswerBody::new(body, ends)))
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
