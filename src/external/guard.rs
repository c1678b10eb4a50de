use std::borrow::Cow;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::task::{Context, Poll};

use http::{HeaderMap, HeaderName, HeaderValue};
use pin_project_lite::pin_project;

use super::calls::Calls;
use super::end::End;
use super::gen_ai::{GenAi, Used};
use super::grpc::Grpc;
use super::known::ErrorTypes;
use super::server::Server;
use super::url;
use super::watched::Watched;
use crate::clock::Nanos;
use crate::context::{self, NO_REQUEST};
use crate::metrics::UpDownCounter;
use crate::model::{DropPanicCheck, Outcome, catch_panic, prefix, within};
use crate::record::{MAX_METHOD, Method};
use crate::semconv;
use crate::trace::{
    AttributeBuffer, OwnedSpan, SpanKind, SpanRecord, SpanStatus, SpanValue, inject_request,
};

/// Bytes of a URL's template.
const MAX_TEMPLATE: usize = 256;

/// A call under way, made by [`External::call`](super::External::call).
///
/// It begins when it is made, as a part of the request or span that is current there, and ends with what is called
/// of it last. Dropped before that it was cancelled, or what ran in it panicked.
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
///     Ok(answer) => call.status(answer.status().as_u16()).headers(answer.headers()).finish(),
///     Err(error) => call.fail(&error),
/// }
/// # }
/// ```
#[must_use = "dropped before its end, a call counts as cancelled"]
pub struct CallGuard {
    calls: Arc<Calls>,
    service: Arc<Watched>,
    server: Arc<Server>,
    open: Option<OwnedSpan>,
    start: Nanos,
    method: Method,
    /// The method as it is sent, where it is `_OTHER`.
    original: Option<Box<str>>,
    active: UpDownCounter,
    url: String,
    template: Option<Cow<'static, str>>,
    version: Option<&'static str>,
    status: Option<u16>,
    resends: u32,
    gen_ai: Option<Box<GenAi>>,
    grpc: Option<Box<Grpc>>,
    error_types: Option<Arc<ErrorTypes>>,
    /// Code runs in it; if so still when it is dropped, that panicked.
    runs: bool,
    /// Code panicked that was called while the call was shared.
    panicked: AtomicBool,
    dropping: DropPanicCheck,
    ended: bool,
}

impl CallGuard {
    pub(super) fn begin(
        calls: &Arc<Calls>,
        service: &Arc<Watched>,
        method: &str,
        url: &str,
    ) -> Self {
        Self::begin_at(calls, service, None, method, url)
    }

    /// As [`begin`](Self::begin), to this server where the URL names none.
    pub(super) fn begin_at(
        calls: &Arc<Calls>,
        service: &Arc<Watched>,
        server: Option<&Arc<Server>>,
        method: &str,
        url: &str,
    ) -> Self {
        let sent = http::Method::from_bytes(method.as_bytes());
        let methods = calls.requests.methods();
        // What is no method is `_OTHER`, as those that are not known are.
        let known = sent.as_ref().map_or(Method::OTHER, |sent| methods.of(sent));
        let other = known == Method::OTHER;
        let original = other.then(|| prefix(method, MAX_METHOD).into());
        let method = known;
        let open = calls.traces.clone().map(OwnedSpan::begin);
        let start = open.as_ref().map_or_else(|| calls.now(), OwnedSpan::start);
        let server = match (url::target(url), server) {
            (Some(target), _) => calls.server(service, &target.host, target.port),
            (None, Some(server)) => Arc::clone(server),
            (None, None) => calls.no_server(service, url),
        };
        let active = server.active(method);
        active.add(1);
        Self {
            calls: Arc::clone(calls),
            service: Arc::clone(service),
            server,
            open,
            start,
            method,
            original,
            active,
            url: url::shown(url, |name, value| calls.rules.shows_value(name, value)),
            template: None,
            version: None,
            status: None,
            resends: 0,
            gen_ai: None,
            grpc: None,
            error_types: None,
            runs: false,
            panicked: AtomicBool::new(false),
            dropping: DropPanicCheck::default(),
            ended: false,
        }
    }

    /// Sets the answer's status.
    pub fn status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// Reads the answer's headers for limits of the service: `RateLimit`, `X-RateLimit-*` and their relatives,
    /// `Retry-After`. See [`external`](crate::external).
    pub fn headers(self, headers: &HeaderMap) -> Self {
        self.service.answered(&self.calls, headers, self.now());
        self
    }

    /// Sets the URL's template, such as `/v1/models/{id}`, which names the span (`url.template`); at most 256 bytes.
    pub fn template(mut self, template: impl Into<Cow<'static, str>>) -> Self {
        self.template = Some(within(template.into(), MAX_TEMPLATE));
        self
    }

    /// Sets how often the request was sent before (`http.request.resend_count`).
    pub fn resends(mut self, resends: u32) -> Self {
        self.resends = resends;
        self
    }

    /// Says that a model is called: which operation (`chat`, `text_completion`, `embeddings`, ..) of which model. They
    /// name the span and label the series: let clients choose among the models that you know, and no others. What goes
    /// in and comes out is never kept, but its [tokens](Self::tokens).
    ///
    /// ```
    /// # async fn example(openai: watchpost::external::External) -> Result<(), std::io::Error> {
    /// # struct Answer { input_tokens: u64, output_tokens: u64 }
    /// # async fn send() -> Result<Answer, std::io::Error> { Ok(Answer { input_tokens: 12, output_tokens: 300 }) }
    /// let call = openai.call("POST", "https://api.openai.com/v1/responses").gen_ai("chat", "gpt-5");
    /// let note = |call: watchpost::external::CallGuard, answer: &Answer| {
    ///     call.tokens(answer.input_tokens, answer.output_tokens).cost(0.003)
    /// };
    /// let answer = call.try_run_with(send(), note).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn gen_ai(
        mut self,
        operation: impl Into<Cow<'static, str>>,
        model: impl AsRef<str>,
    ) -> Self {
        self.gen_ai = Some(Box::new(GenAi::new(operation.into(), model.as_ref())));
        self
    }

    /// Sets how many tokens went in and came out, of a [model](Self::gen_ai)'s call.
    pub fn tokens(mut self, input: u64, output: u64) -> Self {
        if let Some(gen_ai) = &mut self.gen_ai {
            gen_ai.tokens(input, output);
        }
        self
    }

    /// Sets what a [model](Self::gen_ai)'s call costs, in whatever currency the host counts in; a number below zero
    /// is none.
    pub fn cost(mut self, cost: f64) -> Self {
        if let Some(gen_ai) = &mut self.gen_ai {
            gen_ai.cost(cost);
        }
        self
    }

    /// The call is gRPC's, of the method of this path.
    #[cold]
    pub(super) fn is_grpc(&mut self, path: &str, is_web: bool) {
        self.grpc = Some(Box::new(Grpc::new(self.calls.grpc_method(path), is_web)));
    }

    /// Headers or trailers of a response came, which have the status of a gRPC call.
    pub(super) fn grpc_status(&mut self, headers: &HeaderMap) {
        if let Some(grpc) = &mut self.grpc {
            grpc.read(headers);
        }
    }

    /// Whether headers have said that a gRPC call failed.
    pub(super) fn has_grpc_failure(&self) -> bool {
        self.grpc.as_ref().is_some_and(|grpc| grpc.has_failed())
    }

    /// Sets the types of errors whose sources are looked at.
    pub(super) fn error_types(&mut self, types: &Arc<ErrorTypes>) {
        self.error_types = Some(Arc::clone(types));
    }

    pub(super) fn version(&mut self, version: http::Version) {
        self.version = Some(match version {
            http::Version::HTTP_10 => "1.0",
            http::Version::HTTP_2 => "2",
            http::Version::HTTP_3 => "3",
            _ => "1.1",
        });
    }

    /// Puts what the other side needs to go on with the trace into a request's headers: `traceparent`, and
    /// `tracestate` and `baggage` where there are any. [`run`](Self::run) and the others do not, for they do not see
    /// the request; the [layer](super::External::client_layer) does.
    pub fn inject(&self, headers: &mut HeaderMap) {
        let mut put = |name: &'static str, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        };
        match &self.open {
            Some(open) => open.carry(self.calls.carried, &mut put),
            None => inject_request(&self.calls.requests, self.calls.carried, &mut put),
        }
    }

    fn now(&self) -> Nanos {
        self.open
            .as_ref()
            .map_or_else(|| self.calls.now(), OwnedSpan::now)
    }

    /// The answer came. From 400 on its status is an error.
    pub fn finish(mut self) {
        let ok = self.status.is_none_or(|status| status == 200);
        let grpc = self.grpc.as_ref().filter(|_| ok);
        let end = match grpc.and_then(|grpc| grpc.ended()) {
            Some(status) => End::of_call(self.status, status),
            None => End::answered(self.status),
        };
        self.end(&end);
    }

    /// The client gave an error in place of an answer. Its text is not kept, which may hold the URL, but what it says
    /// in a word where it, or one behind it, is of `std`, tokio, tower, hyper or reqwest, or is boxed; else its type.
    /// See [`external`](crate::external). A time-out that an error does not tell is told by [`time_out`](Self::time_out).
    pub fn fail<E: 'static>(mut self, error: &E) {
        let end = End::failed(self.status, error, self.error_types.as_deref());
        self.end(&end);
    }

    /// Nobody waits for the answer any more, because time ran out.
    pub fn time_out(self) {
        self.by(Outcome::Timeout);
    }

    /// The answer's body gave an error.
    pub(super) fn fail_body<E: 'static>(mut self, error: &E) {
        let end = End::body_failed(self.status, error, self.error_types.as_deref());
        self.end(&end);
    }

    pub(super) fn by(mut self, outcome: Outcome) {
        let end = End::by(outcome, self.status);
        self.end(&end);
    }

    /// Runs a future in the call, which ends when the future is done.
    ///
    /// # Cancel safety
    ///
    /// As `future` is. Dropped before it is done, the call was cancelled.
    pub fn run<F: Future>(self, future: F) -> RunCall<F> {
        RunCall {
            future,
            guard: Some(self),
        }
    }

    /// As [`run`](Self::run); an `Err` makes it a call that [failed](Self::fail).
    ///
    /// # Cancel safety
    ///
    /// As [`run`](Self::run).
    pub fn try_run<F, T, E>(self, future: F) -> TryRunCall<F, fn(Self, &T) -> Self>
    where
        F: Future<Output = Result<T, E>>,
        E: 'static,
    {
        self.try_run_with(future, |call, _| call)
    }

    /// As [`try_run`](Self::try_run), and `note` tells of the answer what the call should know: its status and its
    /// headers. Should it panic, the answer comes all the same, and the call counts as cancelled.
    ///
    /// # Cancel safety
    ///
    /// As [`run`](Self::run).
    pub fn try_run_with<F, T, E, N>(self, future: F, note: N) -> TryRunCall<F, N>
    where
        F: Future<Output = Result<T, E>>,
        E: 'static,
        N: FnOnce(Self, &T) -> Self,
    {
        TryRunCall {
            future,
            guard: Some((self, note)),
        }
    }

    pub(super) fn inside<R>(&mut self, work: impl FnOnce() -> R) -> R {
        self.runs = true;
        let done = match &mut self.open {
            Some(open) => open.inside(work),
            None => work(),
        };
        self.runs = false;
        done
    }

    /// Whether the response has no body by its method and status, whatever the body type says.
    pub(super) fn is_bodiless(&self) -> bool {
        // A host's list of known methods may leave HEAD out.
        self.method == Method::HEAD
            || self.original.as_deref() == Some("HEAD")
            || matches!(self.status, Some(204 | 304))
    }

    /// Where a panic is noted of code that is called while the call is shared.
    pub(super) fn panic_note(&self) -> &AtomicBool {
        &self.panicked
    }

    /// What owns the call is dropped, the host's part of it first.
    pub(super) fn dropping(&mut self) {
        self.dropping.begins();
    }

    /// Whether the host's code has panicked in the call, which is dropped now.
    pub(super) fn has_panicked(&mut self) -> bool {
        self.runs | *self.panicked.get_mut() | self.dropping.panicked()
    }

    fn end(&mut self, end: &End) {
        self.ended = true;
        self.active.add(-1);
        let now = self.now();
        let duration = now.saturating_sub(self.start);
        let (base, service) = (self.calls.duration(), &self.service.name);
        let series = self
            .server
            .series(base, service, self.method, self.version, end);
        series.record_alone(duration as f64 / 1e9);
        if let Some(grpc) = &self.grpc {
            let series = grpc.series(self.calls.grpc_duration(), &self.server, service, end);
            series.record_alone(duration as f64 / 1e9);
        }
        self.service.ended(end, duration, now);
        if let Some(gen_ai) = &self.gen_ai {
            self.used(gen_ai, end, duration, now);
        }
        if let Some(open) = &self.open {
            self.end_span(open, end, now);
        }
    }

    /// Counts the call of a model.
    fn used(&self, gen_ai: &GenAi, end: &End, duration: Nanos, now: Nanos) {
        let requests = &self.calls.requests;
        let route = match &self.open {
            Some(open) => open.slot().ids().route,
            None => context::current(requests.number()).map_or(NO_REQUEST, |ids| ids.route),
        };
        let used = Used {
            service: &self.service.name,
            route: (route, requests.routes().name(route)),
            end,
            seconds: duration as f64 / 1e9,
            wall: self.calls.wall(now),
        };
        self.calls.usage.record(gen_ai, &used);
    }

    fn end_span(&self, open: &OwnedSpan, end: &End, now: Nanos) {
        let mut attributes = AttributeBuffer::attributes();
        attributes.text(semconv::HTTP_REQUEST_METHOD, self.method.as_str());
        if let Some(original) = &self.original {
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
            grpc.attributes(end, &mut attributes);
        }
        if let Some(gen_ai) = &self.gen_ai {
            gen_ai.attributes(&self.service.name, &mut attributes);
        }
        let method = match self.method {
            Method::OTHER => "HTTP",
            method => method.as_str(),
        };
        let name = match (&self.gen_ai, &self.template) {
            (Some(gen_ai), _) => gen_ai.name().into(),
            (None, None) if let Some(grpc) = &self.grpc => grpc.span_name().into(),
            (None, Some(template)) => format!("{method} {template}").into(),
            (None, None) => Cow::Borrowed(method),
        };
        let record = SpanRecord {
            kind: SpanKind::Client,
            name: &name,
            status: error.map_or(SpanStatus::Unset, |_| SpanStatus::Error),
            // What a status says by itself is no description.
            status_text: error.filter(|_| !end.is_status()).unwrap_or_default(),
            attributes: attributes.bytes(),
            left_out: attributes.left_out(),
            ..SpanRecord::default()
        };
        open.end(now, &record);
    }
}

impl Drop for CallGuard {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let outcome = if self.has_panicked() {
            Outcome::Panicked
        } else {
            Outcome::Cancelled
        };
        self.end(&End::by(outcome, self.status));
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
    /// The future of [`CallGuard::run`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct RunCall<F> {
        // Before `guard`: what it drops still belongs to the call.
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
            Some(guard) => guard.inside(|| this.future.poll(cx)),
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
    /// The future of [`CallGuard::try_run`] and [`CallGuard::try_run_with`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct TryRunCall<F, N> {
        // Before `guard`: what it drops still belongs to the call.
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
            Some((guard, _)) => guard.inside(|| this.future.poll(cx)),
            None => this.future.poll(cx),
        };
        if let Poll::Ready(done) = &polled
            && let Some((guard, note)) = this.guard.take()
        {
            match done {
                // Where it panics, the call goes with it, as one that nobody told about.
                Ok(answer) => drop(catch_panic(|| note(guard, answer)).map(CallGuard::finish)),
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
