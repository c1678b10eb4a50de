//! The start of a request: what its head says.

use http::{HeaderValue, Request};

use super::state::{InFlightRequest, RpcPath};
use crate::clock::Nanos;
use crate::context::{OperationIds, RouteId, UNMATCHED};
use crate::http::classify::Class;
use crate::http::client_address;
use crate::http::hooks::HookOutput;
use crate::http::known_headers::{KnownHeaders, number};
use crate::http::labels::ProtocolVersion;
use crate::http::layer_state::RequestLogMode;
use crate::http::request_trace::RemoteParent;
use crate::model::codec::{put_bytes, put_str};
use crate::model::grpc::Call;
use crate::model::{Outcome, Sampling, SpanId, TraceId, cut};
use crate::record::{MAX_TEXT, MAX_USER, Method, Scheme, put_attributes, put_text};
use crate::trace::{foreign_current_span, parse_traceparent};

impl InFlightRequest {
    /// Starts a request: sets every field that the last request of this state has left, and lists the request as one
    /// under way.
    #[inline]
    pub(in crate::http) fn start<B>(
        &mut self,
        request: &Request<B>,
        known: &KnownHeaders<'_>,
        route: Option<RouteId>,
        start: Nanos,
    ) {
        // Times, method, scheme and version.
        self.start = start;
        self.poll_start = start;
        self.headers_at = None;
        self.sent_method = Method::of(request.method());
        let methods = self.layer.requests.methods();
        self.method = methods.of_sent(self.sent_method, request.method());
        if self.method == Method::OTHER {
            self.note_original_method(request.method());
        }
        let https = request.uri().scheme() == Some(&http::uri::Scheme::HTTPS);
        self.scheme = if https { Scheme::Https } else { Scheme::Http };
        self.version = ProtocolVersion::of(request.version());

        // The gRPC call. It may have no route yet, and learn it from the response.
        self.grpc.is_call = known.grpc;
        self.grpc.path = RpcPath::Route;
        self.call = Call::NONE;
        if known.grpc {
            self.start_call(request, route);
        }

        // Nothing is known of the response.
        self.status = None;
        self.class = Class::Success;
        self.outcome_if_complete = Outcome::Completed;
        self.request_bytes = known.content_length.and_then(number);
        let always = self.layer.count_request_body;
        self.request_body.start(known, self.sent_method, always);
        self.response_body.clear();

        // The trace: IDs first, because the sampler decides by the trace ID and the route.
        let parent = self.assign_ids(request, known, route);
        self.start_trace(request, known, &parent);

        // The texts of the record, which outlive the request's head.
        if self.layer.log_mode != RequestLogMode::Off || self.layer.traces.is_some() {
            self.copy_texts(request, known);
        } else if self.grpc.path == RpcPath::Learns {
            put_str(&mut self.texts, request.uri().path());
        }

        // From here on the request is listed: the slot must be complete.
        self.open_slot(start);
        self.layer
            .instruments
            .active(self.method, self.scheme)
            .add(1);
    }

    /// Takes over what the hooks returned for the request's head.
    #[cold]
    pub(in crate::http) fn apply_hooks(&mut self, output: HookOutput) {
        if let Some(attributes) = output.attributes {
            self.attributes = attributes;
        }
        let user = output.user.filter(|user| !user.is_empty());
        self.user_hash = user.as_deref().map(|user| self.layer.users.hash(user));
        if let Some(user) = user {
            self.user.push_str(&cut(&user, MAX_USER));
            if user.len() > MAX_USER {
                self.attributes.note_shortened();
            }
        }
    }

    /// Watches the request's body, if there may be one.
    #[inline]
    pub(in crate::http) fn watch_body<B: 'static>(&mut self, request: &mut Request<B>) {
        if self.request_body.may_come() {
            self.request_body.watch(request, &self.layer);
        }
    }

    /// Decides on sampling, and makes the request an OpenTelemetry span where there are any.
    #[inline]
    fn start_trace<B>(
        &mut self,
        request: &Request<B>,
        known: &KnownHeaders<'_>,
        parent: &RemoteParent,
    ) {
        let traces = self.layer.traces.as_deref();
        let sampling = match (traces, parent.sampled) {
            (Some(traces), sampled) => traces.sample(self.ids.trace, self.ids.route, sampled),
            // Without spans this process decides nothing: the decision of a trusted caller is passed on.
            (None, sampled) => Sampling::of_parent(sampled == Some(true)),
        };
        let sampling = sampling.with_flags(parent.flags);
        let headers = Some(request.headers()).filter(|_| parent.is_continued);
        self.trace.start(sampling, headers, known);
        if let Some(traces) = traces {
            // Baggage needs no trace context. A public endpoint takes it from trusted peers alone.
            let reads_baggage = known.baggage.is_some()
                && self.layer.config.baggage
                && (parent.is_continued
                    || !self.layer.config.public_endpoint
                    || client_address::is_trusted(request, &self.layer.config));
            let headers = Some(request.headers()).filter(|_| reads_baggage);
            let leaves = traces.foreign_otel().service_owns_contexts();
            self.trace.make_context(self.ids, headers, leaves);
        }
    }

    /// Opens the request's slot, and lends it the texts that others show of a request under way.
    #[inline]
    fn open_slot(&mut self, start: Nanos) {
        let layer = &self.layer;
        let slot = self.slot.get_or_insert_with(|| layer.requests.new_slot());
        slot.open(self.ids, start);
        slot.set_sampling(self.trace.sampling, &self.trace.state);
        slot.set_method(self.method, layer.requests.marks());
        let (texts, user, attributes) = (&mut self.texts, &self.user, &self.attributes);
        self.texts_in_slot = !(texts.is_empty() && user.is_empty() && attributes.is_empty());
        if self.texts_in_slot {
            slot.with_head_mut(|facts| {
                std::mem::swap(&mut facts.texts, texts);
                if !(user.is_empty() && attributes.is_empty()) {
                    put_str(&mut facts.more, user);
                    put_attributes(&mut facts.more, attributes);
                }
            });
        }
    }

    /// Gives the request its IDs: those of its own trace, or of the caller's.
    #[inline]
    fn assign_ids<B>(
        &mut self,
        request: &Request<B>,
        known: &KnownHeaders<'_>,
        route: Option<RouteId>,
    ) -> RemoteParent {
        // W3C: a request with two `traceparent` headers has none.
        let reads = self.layer.config.trace_context && known.traceparents == 1;
        let parent = known.traceparent.filter(|_| reads);
        let parent = parent.and_then(|value| parse_traceparent(value.as_bytes()));
        // A span of the service's own provider is closer than the caller's.
        let foreign = self.layer.traces.as_ref().and_then(|traces| {
            let otel = traces.foreign_otel();
            otel.service_owns_contexts()
                .then(foreign_current_span)
                .flatten()
        });
        if let Some(foreign) = foreign {
            self.parent_span = foreign.span;
            self.parent_trace = TraceId::NIL;
            self.set_new_span(foreign.trace, route);
            return RemoteParent {
                is_continued: true,
                flags: foreign.flags,
                sampled: Some(Sampling::samples(foreign.flags)),
            };
        }
        // A public endpoint starts a trace of its own and links to the caller's, so that no stranger can put spans into
        // a trace.
        let trusted = parent.is_some() && client_address::is_trusted(request, &self.layer.config);
        let public = self.layer.config.public_endpoint && !trusted;
        let trace = match parent {
            Some(parent) if !public => parent.trace,
            _ => TraceId::random(),
        };
        self.parent_span = parent.map_or(SpanId::NIL, |parent| parent.span);
        self.parent_trace = parent
            .filter(|_| public)
            .map_or(TraceId::NIL, |parent| parent.trace);
        self.set_new_span(trace, route);
        // The flags go with the trace that is continued. The sampled flag decides only if the caller is trusted;
        // everybody else could have all their requests kept.
        let continued = parent.filter(|_| !public);
        let flags = continued.map_or(0, |parent| parent.flags);
        RemoteParent {
            is_continued: continued.is_some(),
            flags,
            sampled: (continued.is_some() && trusted).then(|| Sampling::samples(flags)),
        }
    }

    #[inline]
    fn set_new_span(&mut self, trace: TraceId, route: Option<RouteId>) {
        self.ids = OperationIds {
            trace,
            span: SpanId::random(),
            route: route.unwrap_or(UNMATCHED),
        };
    }

    /// Copies the texts of the record: the request's head is gone when it is written.
    #[inline]
    fn copy_texts<B>(&mut self, request: &Request<B>, known: &KnownHeaders<'_>) {
        let texts = &mut self.texts;
        let mut complete = put_text(texts, request.uri().path());
        complete &= put_text(texts, request.uri().query().unwrap_or_default());
        complete &= match known.user_agent.map(HeaderValue::as_bytes) {
            None => put_text(texts, ""),
            // ASCII needs no check of its characters.
            Some(agent) if agent.is_ascii() && agent.len() <= MAX_TEXT => {
                put_bytes(texts, agent);
                true
            }
            Some(agent) => put_text(texts, &String::from_utf8_lossy(agent)),
        };
        if !complete {
            self.attributes.note_shortened();
        }
        // Only spans show the host.
        let host = known.host.filter(|_| self.layer.traces.is_some());
        client_address::put_addresses(texts, request, host, &self.layer.config);
        for name in &self.layer.config.allow_headers {
            if let Some(value) = request.headers().get(name) {
                let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                self.attributes
                    .insert(format!("http.request.header.{name}"), value);
            }
        }
    }
}
