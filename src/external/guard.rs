use std::borrow::Cow;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::task::{Context, Poll};

use http::{HeaderMap, HeaderName, HeaderValue};
use pin_project_lite::pin_project;

use super::calls::ExternalCalls;
use super::end::CallEnd;
use super::error_kind::ErrorTypes;
use super::gen_ai::{FinishedCall, GenAiCall};
use super::grpc::GrpcClientCall;
use super::server::RemoteServer;
use super::service_state::ServiceState;
use super::url;
use crate::clock::Nanos;
use crate::context::{self, NO_REQUEST, RouteId};
use crate::metrics::UpDownCounter;
use crate::model::{DropPanicCheck, Outcome, catch_panic, prefix, within};
use crate::record::{MAX_METHOD, Method};
use crate::semconv;
use crate::trace::{
    AttributeBuffer, OwnedSpan, SpanKind, SpanRecord, SpanStatus, SpanValue, put_request_headers,
};

/// The maximum length of a URL template, in bytes.
const MAX_TEMPLATE: usize = 256;

/// A call in progress, made by [`External::call`](super::External::call).
///
/// The call begins when the guard is made, as a child of the current request or span. It ends when
/// [`finish`](Self::finish), [`fail`](Self::fail), [`time_out`](Self::time_out) or one of the `run` methods completes.
/// A guard that is dropped earlier ends with the outcome `cancelled`, or `panicked` if code in the call panicked.
///
/// # Examples
///
/// ```
/// # async fn example(openai: watchpost::external::External) {
/// # async fn send(_: http::Request<()>) -> Result<http::Response<String>, std::io::Error> { Ok(http::Response::default()) }
/// let mut request = http::Request::get("https://api.openai.com/v1/models").body(()).unwrap();
/// let call = openai.call(http::Method::GET, "https://api.openai.com/v1/models");
/// call.inject(request.headers_mut());
/// match send(request).await {
///     Ok(response) => call.status(response.status().as_u16()).headers(response.headers()).finish(),
///     Err(error) => call.fail(&error),
/// }
/// # }
/// ```
#[must_use = "a call that is dropped before it ends counts as cancelled"]
pub struct CallGuard {
    calls: Arc<ExternalCalls>,
    service: Arc<ServiceState>,
    server: Arc<RemoteServer>,
    span: Option<OwnedSpan>,
    start: Nanos,
    method: Method,
    /// The method as it is sent, if `method` is `_OTHER`.
    original_method: Option<Box<str>>,
    active: UpDownCounter,
    url: String,
    template: Option<Cow<'static, str>>,
    version: Option<&'static str>,
    status: Option<u16>,
    resends: u32,
    gen_ai: Option<Box<GenAiCall>>,
    grpc: Option<Box<GrpcClientCall>>,
    error_types: Option<Arc<ErrorTypes>>,
    /// Whether code runs inside the call. If it still does when the guard is dropped, that code panicked.
    is_running: bool,
    /// Whether code panicked that was called through a shared reference.
    panicked: AtomicBool,
    dropping: DropPanicCheck,
    has_ended: bool,
}

impl CallGuard {
    pub(super) fn begin(
        calls: &Arc<ExternalCalls>,
        service: &Arc<ServiceState>,
        method: &str,
        url: &str,
    ) -> Self {
        Self::begin_at(calls, service, None, method, url)
    }

    /// Like [`begin`](Self::begin). `server` is the server if the URL has none.
    pub(super) fn begin_at(
        calls: &Arc<ExternalCalls>,
        service: &Arc<ServiceState>,
        server: Option<&Arc<RemoteServer>>,
        method: &str,
        url: &str,
    ) -> Self {
        // A text that is not an HTTP method becomes `_OTHER`, like a method that is not known.
        let sent = http::Method::from_bytes(method.as_bytes());
        let methods = calls.requests.methods();
        let known = sent.as_ref().map_or(Method::OTHER, |sent| methods.of(sent));
        let is_other = known == Method::OTHER;
        let original_method = is_other.then(|| prefix(method, MAX_METHOD).into());
        let span = calls.traces.clone().map(OwnedSpan::begin);
        // The span has read the clock already, and its duration must be that of the metric.
        let start = span.as_ref().map_or_else(|| calls.now(), OwnedSpan::start);
        // The address in the URL is the one that is called; the server that the layer was given is for channels whose
        // requests have only a path.
        let server = match (url::host_port(url), server) {
            (Some(found), _) => calls.server(service, &found.host, found.port),
            (None, Some(server)) => Arc::clone(server),
            (None, None) => calls.unknown_server(service, url),
        };
        let active = server.active(known);
        active.add(1);
        Self {
            calls: Arc::clone(calls),
            service: Arc::clone(service),
            server,
            span,
            start,
            method: known,
            original_method,
            active,
            url: url::shown(url, |name, value| calls.rules.shows_value(name, value)),
            template: None,
            version: None,
            status: None,
            resends: 0,
            gen_ai: None,
            grpc: None,
            error_types: None,
            is_running: false,
            panicked: AtomicBool::new(false),
            dropping: DropPanicCheck::default(),
            has_ended: false,
        }
    }

    /// Sets the status of the response.
    pub fn status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// Reads the rate limits of the service from the response's headers: `RateLimit`, `X-RateLimit-*` and similar ones,
    /// and `Retry-After`.
    ///
    /// The guide of [`external`](crate::external#which-rate-limits-are-read) lists them.
    pub fn headers(self, headers: &HeaderMap) -> Self {
        self.calls
            .record_headers(&self.service, headers, self.now());
        self
    }

    /// Sets the URL template (`url.template`), such as `/v1/models/{id}`, which names the span. It is cut to 256 bytes.
    pub fn template(mut self, template: impl Into<Cow<'static, str>>) -> Self {
        self.template = Some(within(template.into(), MAX_TEMPLATE));
        self
    }

    /// Sets how often the request was sent before (`http.request.resend_count`).
    pub fn resends(mut self, resends: u32) -> Self {
        self.resends = resends;
        self
    }

    /// Marks the call as one of a generative AI model: an operation (`chat`, `text_completion`, `embeddings`, ..) and
    /// the requested model.
    ///
    /// Both name the span and label the metrics, so let clients choose only among models that you know. Prompts and
    /// completions are never recorded, only the number of [tokens](Self::tokens).
    ///
    /// # Examples
    ///
    /// ```
    /// # async fn example(openai: watchpost::external::External) -> Result<(), std::io::Error> {
    /// # struct Completion { input_tokens: u64, output_tokens: u64 }
    /// # async fn send() -> Result<Completion, std::io::Error> { Ok(Completion { input_tokens: 12, output_tokens: 300 }) }
    /// let call = openai.call("POST", "https://api.openai.com/v1/responses").gen_ai("chat", "gpt-5");
    /// let record = |call: watchpost::external::CallGuard, completion: &Completion| {
    ///     call.tokens(completion.input_tokens, completion.output_tokens).cost(0.003)
    /// };
    /// let completion = call.try_run_with(send(), record).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn gen_ai(
        mut self,
        operation: impl Into<Cow<'static, str>>,
        model: impl AsRef<str>,
    ) -> Self {
        self.gen_ai = Some(Box::new(GenAiCall::new(operation.into(), model.as_ref())));
        self
    }

    /// Sets the number of input and output tokens of a [model's](Self::gen_ai) call. Ignored for other calls.
    pub fn tokens(mut self, input: u64, output: u64) -> Self {
        if let Some(gen_ai) = &mut self.gen_ai {
            gen_ai.set_tokens(input, output);
        }
        self
    }

    /// Sets the cost of a [model's](Self::gen_ai) call, in any currency. Ignored for other calls, and if `cost` is
    /// negative or not finite.
    pub fn cost(mut self, cost: f64) -> Self {
        if let Some(gen_ai) = &mut self.gen_ai {
            gen_ai.set_cost(cost);
        }
        self
    }

    /// Marks the call as one of the gRPC method with this path.
    #[cold]
    pub(super) fn set_grpc(&mut self, path: &str, is_web: bool) {
        let method = self.calls.grpc_method(path);
        self.grpc = Some(Box::new(GrpcClientCall::new(method, is_web)));
    }

    /// Reads the status of a gRPC call from headers or trailers of the response.
    pub(super) fn record_grpc_status(&mut self, headers: &HeaderMap) {
        if let Some(grpc) = &mut self.grpc {
            grpc.record_status(headers);
        }
    }

    /// Whether a gRPC status other than OK was received.
    pub(super) fn has_grpc_failure(&self) -> bool {
        self.grpc.as_ref().is_some_and(|grpc| grpc.has_failed())
    }

    /// Sets the error types whose sources are examined.
    pub(super) fn set_error_types(&mut self, types: &Arc<ErrorTypes>) {
        self.error_types = Some(Arc::clone(types));
    }

    pub(super) fn set_version(&mut self, version: http::Version) {
        self.version = Some(match version {
            http::Version::HTTP_10 => "1.0",
            http::Version::HTTP_2 => "2",
            http::Version::HTTP_3 => "3",
            _ => "1.1",
        });
    }

    /// Adds the headers that carry the trace to a request: `traceparent`, and `tracestate` and `baggage` if there are
    /// any.
    ///
    /// The [layer](super::External::client_layer) does this for each request. [`run`](Self::run) and its variants do
    /// not see the request and cannot.
    pub fn inject(&self, headers: &mut HeaderMap) {
        let mut insert = |name: &'static str, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        };
        match &self.span {
            Some(span) => span.put_headers(self.calls.propagators, &mut insert),
            None => put_request_headers(&self.calls.requests, self.calls.propagators, &mut insert),
        }
    }

    fn now(&self) -> Nanos {
        self.span
            .as_ref()
            .map_or_else(|| self.calls.now(), OwnedSpan::now)
    }

    /// Ends a call that got a response. A status from 400 on is an error of the span.
    pub fn finish(mut self) {
        // The gRPC status counts only with HTTP status 200: another HTTP status is the error itself.
        let is_ok = self.status.is_none_or(|status| status == 200);
        let grpc = self.grpc.as_ref().filter(|_| is_ok);
        let end = match grpc.and_then(|grpc| grpc.final_status()) {
            Some(status) => CallEnd::grpc_completed(self.status, status),
            None => CallEnd::completed(self.status),
        };
        self.end(&end);
    }

    /// Ends a call for which the client returned an error instead of a response.
    ///
    /// The `error_type` is a word such as `connection_refused` or `timeout` if the error, or one of its sources, is of
    /// `std`, tokio, tower, hyper or reqwest, or if it is boxed; otherwise it is the name of the error's type. The
    /// error's text is not recorded, since it may contain the URL. Use [`time_out`](Self::time_out) for a timeout that
    /// the error does not show.
    pub fn fail<E: 'static>(mut self, error: &E) {
        let end = CallEnd::failed(self.status, error, self.error_types.as_deref());
        self.end(&end);
    }

    /// Ends a call that is abandoned because it took too long.
    pub fn time_out(self) {
        self.finish_with(Outcome::Timeout);
    }

    /// Ends a call whose response body returned an error.
    pub(super) fn fail_body<E: 'static>(mut self, error: &E) {
        let end = CallEnd::body_failed(self.status, error, self.error_types.as_deref());
        self.end(&end);
    }

    pub(super) fn finish_with(mut self, outcome: Outcome) {
        let end = CallEnd::from_outcome(outcome, self.status);
        self.end(&end);
    }

    /// Runs a future inside the call, which ends when the future completes.
    ///
    /// # Cancel safety
    ///
    /// As safe as `future`. If the returned future is dropped before it completes, the call ends as cancelled.
    pub fn run<F: Future>(self, future: F) -> RunCall<F> {
        RunCall {
            future,
            guard: Some(self),
        }
    }

    /// Like [`run`](Self::run); with an `Err` the call has [failed](Self::fail).
    ///
    /// # Cancel safety
    ///
    /// Same as for [`run`](Self::run).
    pub fn try_run<F, T, E>(self, future: F) -> TryRunCall<F, fn(Self, &T) -> Self>
    where
        F: Future<Output = Result<T, E>>,
        E: 'static,
    {
        self.try_run_with(future, |call, _| call)
    }

    /// Like [`try_run`](Self::try_run), and passes the response to `record`, which adds what it reports to the call:
    /// its status and its headers.
    ///
    /// If `record` panics, the panic is caught: the response is returned, and the call ends as cancelled.
    ///
    /// # Cancel safety
    ///
    /// Same as for [`run`](Self::run).
    pub fn try_run_with<F, T, E, N>(self, future: F, record: N) -> TryRunCall<F, N>
    where
        F: Future<Output = Result<T, E>>,
        E: 'static,
        N: FnOnce(Self, &T) -> Self,
    {
        TryRunCall {
            future,
            guard: Some((self, record)),
        }
    }

    /// Runs code of the host's inside the call: spans that it begins are children of the call's.
    pub(super) fn in_scope<R>(&mut self, work: impl FnOnce() -> R) -> R {
        self.is_running = true;
        let result = match &mut self.span {
            Some(span) => span.inside(work),
            None => work(),
        };
        self.is_running = false;
        result
    }

    /// Whether the response cannot have a body, by its method and status, regardless of what its body type reports.
    pub(super) fn has_no_body(&self) -> bool {
        // The host's list of known methods may not include HEAD.
        self.method == Method::HEAD
            || self.original_method.as_deref() == Some("HEAD")
            || matches!(self.status, Some(204 | 304))
    }

    /// The flag that is set when code panics that is called through a shared reference.
    pub(super) fn panic_flag(&self) -> &AtomicBool {
        &self.panicked
    }

    /// Records that the owner of the call is being dropped, the host's part of it first.
    pub(super) fn dropping(&mut self) {
        self.dropping.begins();
    }

    /// Whether the host's code has panicked in the call, which is being dropped.
    pub(super) fn has_panicked(&mut self) -> bool {
        self.is_running | *self.panicked.get_mut() | self.dropping.panicked()
    }

    /// Records the end of the call.
    fn end(&mut self, end: &CallEnd) {
        // Set first: if anything below panics, `drop` must not record the end again.
        self.has_ended = true;
        self.active.add(-1);
        let now = self.now();
        let duration = now.saturating_sub(self.start);
        let seconds = duration as f64 / 1e9;
        // Step 1: the metrics.
        let (base, service) = (self.calls.duration(), &self.service.name);
        let series = self
            .server
            .series(base, service, self.method, self.version, end);
        series.record_untraced(seconds);
        if let Some(grpc) = &self.grpc {
            let base = self.calls.grpc_duration();
            let series = grpc.series(base, &self.server, service, end);
            series.record_untraced(seconds);
        }
        // Step 2: the state of the service, and the usage of the model.
        let route = self.route();
        self.service.record_end(end, route, duration, now);
        if let Some(gen_ai) = &self.gen_ai {
            self.record_model_usage(gen_ai, route, (end, seconds, now));
        }
        // Step 3: the span.
        if let Some(span) = &self.span {
            self.end_span(span, end, now);
        }
    }

    /// The route of the request that makes the call.
    fn route(&self) -> RouteId {
        match &self.span {
            Some(span) => span.slot().ids().route,
            None => {
                context::current(self.calls.requests.number()).map_or(NO_REQUEST, |ids| ids.route)
            }
        }
    }

    fn record_model_usage(
        &self,
        gen_ai: &GenAiCall,
        route: RouteId,
        (end, seconds, now): (&CallEnd, f64, Nanos),
    ) {
        let requests = &self.calls.requests;
        let call = FinishedCall {
            service: &self.service.name,
            route,
            route_name: requests.routes().name(route),
            end,
            seconds,
            wall_time: self.calls.wall_time(now),
        };
        self.calls.model_usage.record(gen_ai, &call);
    }

    fn end_span(&self, span: &OwnedSpan, end: &CallEnd, now: Nanos) {
        let mut attributes = AttributeBuffer::attributes(span.traces().limits());
        self.add_request_attributes(&mut attributes);
        if let Some(status) = end.status {
            attributes.value(
                semconv::HTTP_RESPONSE_STATUS_CODE,
                SpanValue::I64(status.into()),
            );
        }
        if self.resends > 0 {
            let resends = SpanValue::I64(self.resends.into());
            attributes.value(semconv::HTTP_REQUEST_RESEND_COUNT, resends);
        }
        if end.outcome != Outcome::Completed {
            attributes.text(semconv::WATCHPOST_OUTCOME, end.outcome.as_str());
        }
        let error = end.error_type.as_deref();
        if let Some(error) = error {
            attributes.text(semconv::ERROR_TYPE, error);
        }
        if let Some(grpc) = &self.grpc {
            grpc.add_attributes(end, &mut attributes);
        }
        if let Some(gen_ai) = &self.gen_ai {
            gen_ai.add_attributes(&self.service.name, &mut attributes);
        }
        let record = SpanRecord {
            kind: SpanKind::Client,
            name: &self.span_name(),
            status: error.map_or(SpanStatus::Unset, |_| SpanStatus::Error),
            // By the conventions, the description is empty if the status code shows the error.
            status_text: error.filter(|_| !end.is_completed()).unwrap_or_default(),
            attributes: attributes.bytes(),
            left_out: attributes.left_out(),
            ..SpanRecord::default()
        };
        span.end(now, &record);
    }

    fn add_request_attributes(&self, attributes: &mut AttributeBuffer) {
        attributes.text(semconv::HTTP_REQUEST_METHOD, self.method.as_str());
        if let Some(original) = &self.original_method {
            attributes.text(semconv::HTTP_REQUEST_METHOD_ORIGINAL, original);
        }
        attributes.text(semconv::URL_FULL, &self.url);
        if !self.server.address.is_empty() {
            attributes.text(semconv::SERVER_ADDRESS, &self.server.address);
        }
        if let Some(port) = self.server.port {
            attributes.value(semconv::SERVER_PORT, SpanValue::I64(port.into()));
        }
        attributes.text(semconv::SERVICE_PEER_NAME, &self.service.name);
        if let Some(template) = &self.template {
            attributes.text(semconv::URL_TEMPLATE, template);
        }
        if let Some(version) = self.version {
            attributes.text(semconv::NETWORK_PROTOCOL_VERSION, version);
        }
    }

    /// The span's name: the operation and model, the method and template, the gRPC method, or the method.
    fn span_name(&self) -> Cow<'_, str> {
        let method = match self.method {
            Method::OTHER => "HTTP",
            method => method.as_str(),
        };
        match (&self.gen_ai, &self.template) {
            (Some(gen_ai), _) => gen_ai.span_name().into(),
            (None, None) if let Some(grpc) = &self.grpc => grpc.span_name().into(),
            (None, Some(template)) => format!("{method} {template}").into(),
            (None, None) => Cow::Borrowed(method),
        }
    }
}

impl Drop for CallGuard {
    fn drop(&mut self) {
        if self.has_ended {
            return;
        }
        let outcome = if self.has_panicked() {
            Outcome::Panicked
        } else {
            Outcome::Cancelled
        };
        self.end(&CallEnd::from_outcome(outcome, self.status));
    }
}

impl fmt::Debug for CallGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallGuard")
            .field("service", &self.service.name)
            .finish_non_exhaustive()
    }
}

pin_project! {
    /// The future returned by [`CallGuard::run`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct RunCall<F> {
        // Dropped before `guard`, so that code in the future's `Drop` still runs inside the call.
        #[pin]
        future: F,
        guard: Option<CallGuard>,
    }

    impl<F> PinnedDrop for RunCall<F> {
        fn drop(this: Pin<&mut Self>) {
            if let Some(guard) = this.project().guard {
                guard.dropping();
            }
        }
    }
}

impl<F: Future> Future for RunCall<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let polled = match this.guard {
            Some(guard) => guard.in_scope(|| this.future.poll(cx)),
            None => this.future.poll(cx),
        };
        if polled.is_ready()
            && let Some(guard) = this.guard.take()
        {
            guard.finish();
        }
        polled
    }
}

pin_project! {
    /// The future returned by [`CallGuard::try_run`] and [`CallGuard::try_run_with`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct TryRunCall<F, N> {
        // Dropped before `guard`, so that code in the future's `Drop` still runs inside the call.
        #[pin]
        future: F,
        guard: Option<(CallGuard, N)>,
    }

    impl<F, N> PinnedDrop for TryRunCall<F, N> {
        fn drop(this: Pin<&mut Self>) {
            if let Some((guard, _)) = this.project().guard {
                guard.dropping();
            }
        }
    }
}

impl<F, T, E, N> Future for TryRunCall<F, N>
where
    F: Future<Output = Result<T, E>>,
    E: 'static,
    N: FnOnce(CallGuard, &T) -> CallGuard,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let polled = match this.guard {
            Some((guard, _)) => guard.in_scope(|| this.future.poll(cx)),
            None => this.future.poll(cx),
        };
        if let Poll::Ready(result) = &polled
            && let Some((guard, record)) = this.guard.take()
        {
            match result {
                // If `record` panics, the guard is dropped in it, and the call ends as cancelled.
                Ok(response) => {
                    let _ended = catch_panic(|| record(guard, response)).map(CallGuard::finish);
                }
                Err(error) => guard.fail(error),
            }
        }
        polled
    }
}

impl<F: fmt::Debug, N> fmt::Debug for TryRunCall<F, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TryRunCall")
            .field("future", &self.future)
            .finish_non_exhaustive()
    }
}
