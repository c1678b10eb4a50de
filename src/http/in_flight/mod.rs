//! The state of one request under way.

mod grpc_call;
mod record;
mod route;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};

use self::grpc_call::{GrpcRequest, RpcPath};
use super::classify::{self, Class};
use super::finished::FinishedRequest;
use super::known_headers::{KnownHeaders, number};
use super::layer_state::{HookOutput, LayerState, RequestLogMode};
use super::query_totals::QueryTotals;
use super::request_body::RequestBodyState;
use super::request_trace::{RemoteParent, RequestTrace};
use super::response_body::ResponseBodyState;
use super::series::{
    ErrorType, ProtocolVersion, RequestLabels, RequestMeasurements, RequestSeries,
};
use super::{client_address, thread_cache};
use crate::clock::Nanos;
use crate::context::{self, Decision, Ids, Slot, UNMATCHED};
use crate::model::codec::{put_bytes, put_str};
use crate::model::grpc::{Call, Frames, Status};
use crate::model::{
    Attributes, DropPanicCheck, KeepReason, Outcome, Sampling, SpanId, TraceId, catch_panic, cut,
};
use crate::record::{MAX_TEXT, MAX_USER, Method, Scheme, put_attributes, put_text};
use crate::trace::{RootEnd, RootForm, Traces, parse_traceparent, their_current_span};

static X_TRACE_ID: HeaderName = HeaderName::from_static("x-trace-id");

/// The state of a request under way; pooled.
#[derive(Debug)]
pub(super) struct InFlightRequest {
    pub(super) shared: Arc<LayerState>,
    /// `None` while the thread's stack of current requests holds it.
    slot: Option<Arc<Slot>>,
    pub(super) ids: Ids,
    parent_span: SpanId,
    parent_trace: TraceId,
    start: Nanos,
    poll_began: Nanos,
    pub(super) headers_at: Option<Nanos>,
    /// As labels show it.
    method: Method,
    /// As it was sent, where the conventions know it.
    sent_method: Method,
    scheme: Scheme,
    version: ProtocolVersion,
    grpc: GrpcRequest,
    status: Option<u16>,
    call: Call,
    /// Reads the status of a gRPC-Web call from the body.
    frames: Option<Frames>,
    /// The class so far.
    class: Class,
    /// The outcome of an answer whose body comes to its end.
    pub(super) planned: Outcome,
    request_bytes: Option<u64>,
    received: RequestBodyState,
    pub(super) sent: ResponseBodyState,
    /// Whether the response's body panicked where the state is only shared.
    pub(super) panicked: AtomicBool,
    pub(super) dropping: DropPanicCheck,
    /// Path, query, user agent, client address, host and peer address as the record has them; empty without log
    /// records and traces.
    texts: Vec<u8>,
    /// Whether the texts are with the slot.
    has_lent: bool,
    user: String,
    /// They note too whether a text of the request was cut.
    attributes: Attributes,
    /// Kept for the `classify` hook, where one is set.
    head: Option<http::response::Parts>,
    /// What it asked of databases, once it has ended.
    queried: Option<QueryTotals>,
    pub(super) traced: RequestTrace,
}

impl InFlightRequest {
    #[cold]
    pub(super) fn new(shared: &Arc<LayerState>) -> Box<Self> {
        Box::new(Self {
            shared: Arc::clone(shared),
            slot: None,
            ids: Ids {
                trace: TraceId::NIL,
                span: SpanId::NIL,
                route: UNMATCHED,
            },
            parent_span: SpanId::NIL,
            parent_trace: TraceId::NIL,
            start: 0,
            poll_began: 0,
            headers_at: None,
            method: Method::of(&http::Method::GET),
            sent_method: Method::of(&http::Method::GET),
            scheme: Scheme::Http,
            version: ProtocolVersion::of(http::Version::HTTP_11),
            grpc: GrpcRequest::default(),
            status: None,
            call: Call::NONE,
            frames: None,
            class: Class::Success,
            planned: Outcome::Completed,
            request_bytes: None,
            received: RequestBodyState::default(),
            sent: ResponseBodyState::default(),
            panicked: AtomicBool::new(false),
            dropping: DropPanicCheck::default(),
            texts: Vec::new(),
            has_lent: false,
            user: String::new(),
            attributes: Attributes::default(),
            head: None,
            queried: None,
            traced: RequestTrace::default(),
        })
    }

    #[inline]
    pub(super) fn begin<B>(
        &mut self,
        request: &Request<B>,
        seen: &KnownHeaders<'_>,
        route: Option<context::RouteId>,
        start: Nanos,
    ) {
        self.start = start;
        self.poll_began = start;
        self.headers_at = None;
        self.sent_method = Method::of(request.method());
        let known = self.shared.requests.methods();
        self.method = known.of_sent(self.sent_method, request.method());
        if self.method == Method::OTHER {
            self.keep_method(request.method());
        }
        let https = request.uri().scheme() == Some(&http::uri::Scheme::HTTPS);
        self.scheme = if https { Scheme::Https } else { Scheme::Http };
        self.version = ProtocolVersion::of(request.version());
        self.grpc.asked = seen.grpc;
        self.grpc.path = RpcPath::Route;
        self.call = Call::NONE;
        if seen.grpc {
            self.begin_call(request, route);
        }
        self.status = None;
        self.class = Class::Success;
        self.planned = Outcome::Completed;
        self.request_bytes = seen.content_length.and_then(number);
        let counts = self.shared.count_request_body;
        self.received.begin(seen, self.sent_method, counts);
        self.sent.clear();
        let caller = self.identify(request, seen, route);
        let traces = self.shared.traces.as_deref();
        let sampling = match (traces, caller.sampled) {
            (Some(traces), sampled) => traces.sample(self.ids.trace, self.ids.route, sampled),
            // Without spans the decision is not this process' to make: a trusted caller's goes on.
            (None, sampled) => Sampling::of_parent(sampled == Some(true)),
        };
        let sampling = sampling.with_flags(caller.flags);
        let headers = Some(request.headers()).filter(|_| caller.continues);
        self.traced.begin(sampling, headers, seen);
        if let Some(traces) = traces {
            // Baggage needs no trace context. At a public endpoint, a stranger's ends here.
            let wanted = seen.baggage.is_some()
                && self.shared.config.baggage
                && (caller.continues
                    || !self.shared.config.public_endpoint
                    || client_address::is_trusted(request, &self.shared.config));
            let headers = Some(request.headers()).filter(|_| wanted);
            let leaves = traces.beside().leaves_contexts();
            self.traced.make_context(self.ids, headers, leaves);
        }
        if self.shared.lines != RequestLogMode::Off || traces.is_some() {
            self.keep_texts(request, seen);
        } else if self.grpc.path == RpcPath::Learns {
            put_str(&mut self.texts, request.uri().path());
        }
        let shared = &self.shared;
        let slot = self.slot.get_or_insert_with(|| shared.requests.new_slot());
        slot.open(self.ids, start);
        slot.sample(self.traced.sampling, &self.traced.state);
        slot.by(self.method, shared.requests.marks());
        let (texts, user, attributes) = (&mut self.texts, &self.user, &self.attributes);
        self.has_lent = !(texts.is_empty() && user.is_empty() && attributes.is_empty());
        if self.has_lent {
            slot.lend(|facts| {
                std::mem::swap(&mut facts.texts, texts);
                if !(user.is_empty() && attributes.is_empty()) {
                    put_str(&mut facts.more, user);
                    put_attributes(&mut facts.more, attributes);
                }
            });
        }
        shared.instruments.active(self.method, self.scheme).add(1);
    }

    /// Takes what the hooks said of the request.
    #[cold]
    pub(super) fn heed(&mut self, asked: HookOutput) {
        if let Some(attributes) = asked.attributes {
            self.attributes = attributes;
        }
        if let Some(user) = asked.user {
            self.user.push_str(&cut(&user, MAX_USER));
            if user.len() > MAX_USER {
                self.attributes.note_shortened();
            }
        }
    }

    /// Gives the request its ids.
    #[inline]
    fn identify<B>(
        &mut self,
        request: &Request<B>,
        seen: &KnownHeaders<'_>,
        route: Option<context::RouteId>,
    ) -> RemoteParent {
        // Two of them are none.
        let reads = self.shared.config.trace_context && seen.traceparents == 1;
        let parent = seen.traceparent.filter(|_| reads);
        let parent = parent.and_then(|value| parse_traceparent(value.as_bytes()));
        let theirs = self.shared.traces.as_ref().and_then(|traces| {
            let beside = traces.beside();
            beside.leaves_contexts().then(their_current_span).flatten()
        });
        if let Some((trace, span, flags)) = theirs {
            return self.identify_below(trace, span, flags, route);
        }
        let trusted = parent.is_some() && client_address::is_trusted(request, &self.shared.config);
        let public_endpoint = self.shared.config.public_endpoint && !trusted;
        let trace = match parent {
            Some(parent) if !public_endpoint => parent.trace,
            _ => TraceId::random(),
        };
        self.parent_span = parent.map_or(SpanId::NIL, |parent| parent.span);
        self.parent_trace = parent
            .filter(|_| public_endpoint)
            .map_or(TraceId::NIL, |parent| parent.trace);
        self.ids = Ids {
            trace,
            span: SpanId::random(),
            route: route.unwrap_or(UNMATCHED),
        };
        let caller = parent.filter(|_| !public_endpoint);
        let flags = caller.map_or(0, |parent| parent.flags);
        RemoteParent {
            continues: caller.is_some(),
            flags,
            sampled: (caller.is_some() && trusted).then(|| Sampling::samples(flags)),
        }
    }

    /// Takes the ids of a request that begins inside a span of the service's own provider.
    #[cold]
    fn identify_below(
        &mut self,
        trace: TraceId,
        span: SpanId,
        flags: u8,
        route: Option<context::RouteId>,
    ) -> RemoteParent {
        self.parent_span = span;
        self.parent_trace = TraceId::NIL;
        self.ids = Ids {
            trace,
            span: SpanId::random(),
            route: route.unwrap_or(UNMATCHED),
        };
        RemoteParent {
            continues: true,
            flags,
            sampled: Some(Sampling::samples(flags)),
        }
    }

    /// Copies what the line tells of the request, which is gone by then.
    #[inline]
    fn keep_texts<B>(&mut self, request: &Request<B>, seen: &KnownHeaders<'_>) {
        let texts = &mut self.texts;
        let mut whole = put_text(texts, request.uri().path());
        whole &= put_text(texts, request.uri().query().unwrap_or_default());
        whole &= match seen.user_agent.map(HeaderValue::as_bytes) {
            None => put_text(texts, ""),
            // As it is, without a check of its characters.
            Some(agent) if agent.is_ascii() && agent.len() <= MAX_TEXT => {
                put_bytes(texts, agent);
                true
            }
            Some(agent) => put_text(texts, &String::from_utf8_lossy(agent)),
        };
        if !whole {
            self.attributes.note_shortened();
        }
        // Only spans show the host.
        let host = seen.host.filter(|_| self.shared.traces.is_some());
        client_address::put_addresses(texts, request, host, &self.shared.config);
        for name in &self.shared.config.allow_headers {
            if let Some(value) = request.headers().get(name) {
                let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                self.attributes
                    .insert(format!("http.request.header.{name}"), value);
            }
        }
    }

    /// The request becomes the current one of this thread.
    #[inline]
    pub(super) fn enter(&mut self) {
        let span = self.ids.span;
        self.slot = self.slot.take().and_then(|slot| context::enter(slot, span));
    }

    /// Ends what [`enter`](Self::enter) began.
    #[inline]
    pub(super) fn leave(&mut self) {
        if self.slot.is_none() {
            self.slot = context::leave(self.ids.span);
        }
    }

    /// A later poll begins.
    #[inline]
    pub(super) fn poll_begins(&mut self) {
        self.poll_began = self.shared.now();
        if let Some(slot) = &self.slot {
            slot.polled(Some(self.poll_began));
        }
    }

    /// A poll ends without an answer.
    #[inline]
    pub(super) fn poll_pends(&mut self) {
        let now = self.shared.now();
        self.poll_ended(now);
    }

    #[inline]
    pub(super) fn poll_ended(&mut self, now: Nanos) {
        if let Some(slot) = &self.slot {
            slot.polled(None);
        }
        if now.saturating_sub(self.poll_began) > self.shared.long_poll {
            self.shared.instruments.long_poll(&self.route_name());
        }
    }

    #[inline]
    pub(super) fn headers<B>(&mut self, response: &mut Response<B>, now: Nanos) {
        self.headers_at = Some(now);
        self.take_route();
        let status = response.status();
        self.status = Some(status.as_u16());
        self.class = classify::by_status(response);
        if self.grpc.asked {
            self.call_headers(response);
        }
        self.planned = if status == StatusCode::SWITCHING_PROTOCOLS
            || self.sent_method == Method::CONNECT && status.is_success()
        {
            Outcome::Upgraded
        } else if self.shared.config.is_timeout(status.as_u16()) {
            Outcome::Timeout
        } else {
            Outcome::Completed
        };
        let hooks = &self.shared.hooks;
        if hooks.on_response.is_set() || hooks.classify.is_set() {
            self.show_head(response);
        }
        if self.shared.config.trace_header {
            let trace = self.ids.trace;
            let cut =
                thread_cache::with(self.shared.number, |local| local.id_value(trace)).flatten();
            if let Some(value) = cut.or_else(|| HeaderValue::from_bytes(&trace.hex()).ok()) {
                response.headers_mut().insert(&X_TRACE_ID, value);
            }
        }
    }

    /// Shows the answer's head to the hooks.
    fn show_head<B>(&mut self, response: &mut Response<B>) {
        let mut head = Response::new(()).into_parts().0;
        head.status = response.status();
        head.version = response.version();
        std::mem::swap(&mut head.headers, response.headers_mut());
        std::mem::swap(&mut head.extensions, response.extensions_mut());
        let (hooks, attributes) = (&self.shared.hooks, &mut self.attributes);
        hooks.on_response.ask(|hook| hook(&head, attributes));
        if hooks.classify.is_set() {
            self.head = Some(head.clone());
        }
        std::mem::swap(&mut head.headers, response.headers_mut());
        std::mem::swap(&mut head.extensions, response.extensions_mut());
    }

    /// Whether the answer has no body by its method and status, whatever the body type says.
    #[inline]
    pub(super) fn has_no_body(&self) -> bool {
        self.sent_method == Method::HEAD || matches!(self.status, Some(204 | 304))
    }

    /// Notes what the response says of its body's length. Calls the body's code.
    #[inline]
    pub(super) fn begin_body<B: http_body::Body>(&mut self, response: &Response<B>) {
        self.sent.begin(response, self.version);
        if self.grpc.asked {
            self.begin_call_body();
        }
    }

    /// Whether the bytes so far are those that were declared; `None` where no length was.
    #[inline]
    pub(super) fn is_whole(&self) -> Option<bool> {
        self.sent.is_whole()
    }

    /// Whether no client reads a response that ends with its headers, whose `Content-Length` is wrong. HTTP/1 leaves the
    /// header of an empty body out, and sends nothing where it would have to read the header; HTTP/2 sends it as it is.
    /// axum takes the body off a response to HEAD.
    #[cold]
    pub(super) fn is_unreadable(&self, is_empty: bool) -> bool {
        match self.version.is_http1() {
            true => !is_empty && self.sent.is_open() && self.sent_method != Method::HEAD,
            false => !self.has_no_body(),
        }
    }

    /// Watches the request's body, if there may be one.
    #[inline]
    pub(super) fn watch_body<B: 'static>(&mut self, request: &mut Request<B>) {
        if self.received.may_come() {
            self.received.watch(request, &self.shared);
        }
    }

    /// Takes over what came of the request's body: its bytes, and the outcome where the client left before its end.
    #[inline(never)]
    fn claim(&mut self, outcome: Outcome) -> Outcome {
        let came = self.received.came();
        let unknown = self.request_bytes.is_none() && came.ended;
        if came.aborted || unknown || self.shared.count_request_body {
            self.request_bytes = Some(came.bytes);
        }
        if !came.aborted || matches!(outcome, Outcome::Panicked | Outcome::Upgraded) {
            return outcome;
        }
        // Nobody receives what the service made of it.
        self.status = None;
        self.call_given_up();
        self.headers_at = None;
        self.class = Class::Success;
        Outcome::UploadAborted
    }

    /// The trailers came.
    pub(super) fn trailers(&mut self, trailers: &HeaderMap) {
        if self.grpc.asked {
            self.call_trailers(trailers);
        }
        self.ask_classify(Some(trailers));
    }

    #[inline]
    fn ask_classify(&mut self, trailers: Option<&HeaderMap>) {
        if self.head.is_some() {
            self.ask_classify_of_head(trailers);
        }
    }

    #[cold]
    fn ask_classify_of_head(&mut self, trailers: Option<&HeaderMap>) {
        if let Some(head) = self.head.take() {
            let answer = self.shared.hooks.classify.ask(|hook| hook(&head, trailers));
            self.class = answer.unwrap_or(self.class);
            // Its extensions are the host's, and so is their `Drop`.
            catch_panic(|| drop(head));
        }
    }

    pub(super) fn route_name(&self) -> Box<str> {
        self.shared
            .requests
            .routes()
            .name(self.ids.route)
            .as_ref()
            .into()
    }

    /// Takes the request off the lists of those under way.
    #[inline]
    pub(super) fn close(&mut self) {
        if let Some(slot) = &self.slot {
            if self.has_lent {
                slot.lend(|facts| {
                    std::mem::swap(&mut facts.texts, &mut self.texts);
                    facts.more.clear();
                });
            }
            slot.close();
        } else if self.has_lent {
            self.lose_texts();
        }
        self.has_lent = false;
        self.shared
            .instruments
            .active(self.method, self.scheme)
            .add(-1);
    }

    /// The thread ended meanwhile, and what was lent with it: the record has its six texts all the same.
    #[cold]
    fn lose_texts(&mut self) {
        (0..6).for_each(|_| put_str(&mut self.texts, ""));
    }

    pub(super) fn finish(mut self: Box<Self>, outcome: Outcome, now: Option<Nanos>) {
        let now = now.unwrap_or_else(|| self.shared.now());
        self.take_route();
        self.close();
        if self.grpc.asked {
            self.call_ends(outcome);
        }
        self.ask_classify(None);
        let outcome = if self.received.is_watched() {
            self.claim(outcome)
        } else {
            outcome
        };
        let slot = self.slot.as_deref();
        self.queried = slot.and_then(|slot| QueryTotals::of(slot, &mut self.attributes));
        let failed = self.class == Class::Failure
            || matches!(
                outcome,
                Outcome::Failed | Outcome::Panicked | Outcome::BodyError
            )
            || outcome == Outcome::Timeout && self.status.is_none();
        if failed
            && self.queried.is_some()
            && let Some(slot) = self.slot.as_deref()
        {
            QueryTotals::note_failed(slot, &mut self.attributes);
        }
        let sent = self.headers_at.is_some() && outcome != Outcome::Upgraded;
        let measured = RequestMeasurements {
            duration: now.saturating_sub(self.start),
            time_to_headers: self.headers_at.map(|at| at.saturating_sub(self.start)),
            request_bytes: self.request_bytes,
            response_bytes: sent.then_some(self.sent.bytes(self.version)),
        };
        if self.shared.hooks.on_end.is_set() {
            self.tell_end(outcome, failed, &measured);
        }
        if self.ids.route == UNMATCHED && !matches!(self.status, None | Some(404)) {
            self.unrouted();
        }
        let failure = self.class == Class::Failure;
        let labels = RequestLabels {
            route: self.ids.route,
            method: self.method,
            scheme: self.scheme,
            version: self.version,
            status: self.status,
            outcome,
            error: ErrorType::of(self.status, self.call, outcome, failure),
        };
        self.record(labels, &measured, failed, now);
    }

    /// Counts the request, queues its line and returns the state to the thread's pool.
    #[inline]
    fn record(
        self: Box<Self>,
        labels: RequestLabels,
        measured: &RequestMeasurements,
        failed: bool,
        now: Nanos,
    ) {
        let number = self.shared.number;
        let epoch = self.shared.metrics.epoch();
        let mut state = Some(self);
        let returned = thread_cache::with(number, |local| {
            let mut state = state.take()?;
            let series = local.series(labels, epoch, || state.series(labels));
            state.tell(series, labels, measured, failed, now);
            state.clear();
            local.keep_state(state)
        });
        if let Some(returned) = returned.flatten() {
            free(returned);
        }
        if let Some(state) = state {
            let series = state.series(labels);
            state.tell(&series, labels, measured, failed, now);
        }
    }

    #[cold]
    fn series(&self, labels: RequestLabels) -> Arc<RequestSeries> {
        let shared = &self.shared;
        let traces = shared.traces.as_deref();
        let routes = shared.requests.routes();
        shared.instruments.series(labels, routes, traces)
    }

    /// Decides on the request's trace; the one that exemplars name.
    #[inline]
    fn decide(
        &self,
        traces: &Traces,
        series: &RequestSeries,
        labels: RequestLabels,
        measured: &RequestMeasurements,
        end: RequestEnd,
    ) -> TraceId {
        // What a client broke off says nothing of how long the route takes.
        let slow = !matches!(labels.outcome, Outcome::Cancelled | Outcome::UploadAborted)
            && traces.is_slow(series.times.as_deref(), measured.duration);
        let why = match labels.outcome {
            Outcome::Panicked => Some(KeepReason::Panic),
            Outcome::Timeout => Some(KeepReason::Timeout),
            _ if end.failed => Some(KeepReason::Error),
            _ => slow.then_some(KeepReason::Slow),
        };
        let Some(slot) = &self.slot else {
            return TraceId::NIL;
        };
        let end_of_root = RootEnd {
            trace: self.ids.trace,
            trace_state: &self.traced.state,
            why,
            sampling: self.traced.sampling,
            now: end.now,
        };
        let write = |out: &mut Vec<u8>| self.write(series, labels, measured, end.failed, out);
        match traces.root_ended(slot, &end_of_root, &RootForm::Request(&write)) {
            Some(_) if traces.shows(self.traced.sampling) => self.ids.trace,
            _ => TraceId::NIL,
        }
    }

    #[inline]
    fn tell(
        &self,
        series: &RequestSeries,
        labels: RequestLabels,
        measured: &RequestMeasurements,
        failed: bool,
        now: Nanos,
    ) {
        // Exemplars name traces that are kept, where any are.
        let exemplar = match self.shared.traces.as_deref() {
            Some(traces) => {
                self.decide(traces, series, labels, measured, RequestEnd { failed, now })
            }
            None => self.ids.trace,
        };
        series.record(&self.shared.instruments, measured, exemplar, now);
        if self.call != Call::NONE {
            series.called(&self.shared.instruments, self.call, measured, exemplar, now);
        }
        if let Some(queried) = &self.queried {
            series.queried(&self.shared.instruments, queried);
        }
        let wanted = match self.shared.lines {
            RequestLogMode::Off => false,
            RequestLogMode::All => true,
            RequestLogMode::ErrorsAndSlow(slow) => failed || measured.duration >= slow,
        };
        if wanted {
            self.line(series, labels, measured, failed, now);
        }
    }

    /// The request's slot, for what outlives it.
    pub(super) fn slot(&self) -> Option<Arc<Slot>> {
        self.slot.clone()
    }

    #[cold]
    fn tell_end(&mut self, outcome: Outcome, failed: bool, measured: &RequestMeasurements) {
        let route = self.route_name();
        let finished = FinishedRequest {
            method: self.method.as_str(),
            route: &route,
            status: self.status,
            grpc_status: self.call.status().map(Status::name),
            outcome,
            failed,
            duration: std::time::Duration::from_nanos(measured.duration),
            time_to_headers: measured
                .time_to_headers
                .map(std::time::Duration::from_nanos),
            request_bytes: measured.request_bytes,
            response_bytes: measured.response_bytes,
            trace_id: self.ids.trace,
        };
        let attributes = &mut self.attributes;
        self.shared
            .hooks
            .on_end
            .ask(|hook| hook(&finished, attributes));
    }

    /// Puts the state where the next request finds it.
    #[inline]
    pub(super) fn pool(mut self: Box<Self>) {
        self.clear();
        let number = self.shared.number;
        let mut state = Some(self);
        let returned = thread_cache::with(number, |local| {
            state.take().and_then(|state| local.keep_state(state))
        });
        drop(returned);
    }

    /// Gives up what was recorded of a request that is not to be told.
    pub(super) fn drop_trace(&self) {
        if let Some(slot) = &self.slot {
            slot.tree().decide(Decision::Dropped, |_| {});
        }
    }

    /// Forgets the request.
    #[inline]
    fn clear(&mut self) {
        self.texts.clear();
        self.user.clear();
        self.attributes.clear();
        self.frames = None;
        self.head = None;
        self.traced.clear();
        // Whoever else holds the slot would see the next request in it.
        if self
            .slot
            .as_ref()
            .is_some_and(|slot| Arc::strong_count(slot) > 1)
        {
            self.slot = None;
        }
    }
}

/// The end of a request as it is told.
#[derive(Debug, Clone, Copy)]
struct RequestEnd {
    failed: bool,
    now: Nanos,
}

/// A place of its own for a drop that is seldom due.
#[cold]
#[inline(never)]
fn free(state: Box<InFlightRequest>) {
    drop(state);
}
