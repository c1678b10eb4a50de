use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::clock::Nanos;
use crate::context::{self, Decision, OperationIds, Slot, UNMATCHED};
use crate::http::classify::Class;
use crate::http::labels::ProtocolVersion;
use crate::http::layer_state::LayerState;
use crate::http::query_totals::QueryTotals;
use crate::http::request_body::RequestBodyState;
use crate::http::request_trace::RequestTrace;
use crate::http::response_body::ResponseBodyState;
use crate::model::codec::put_str;
use crate::model::grpc::{Call, Frames};
use crate::model::{Attributes, DropPanicCheck, Outcome, SpanId, TraceId};
use crate::record::{Method, Scheme};
use crate::users::UserHash;

/// The number of texts in [`InFlightRequest::texts`]; a record has all of them, also empty ones.
pub(super) const TEXTS: usize = 6;

/// The state of a request under way. Pooled: a state serves one request after the other.
#[derive(Debug)]
pub(in crate::http) struct InFlightRequest {
    pub(in crate::http) layer: Arc<LayerState>,
    /// `None` while the thread's stack of current requests holds it.
    pub(super) slot: Option<Arc<Slot>>,
    pub(in crate::http) ids: OperationIds,
    pub(super) parent_span: SpanId,
    /// The caller's trace, where this service does not continue it.
    pub(super) parent_trace: TraceId,
    pub(super) start: Nanos,
    pub(super) poll_start: Nanos,
    /// When the response's headers came.
    pub(in crate::http) headers_at: Option<Nanos>,
    /// The method of labels: `_OTHER` for those that are not known.
    pub(super) method: Method,
    /// The method that was sent, as far as the conventions know it.
    pub(super) sent_method: Method,
    pub(super) scheme: Scheme,
    pub(super) version: ProtocolVersion,
    pub(super) grpc: GrpcRequest,
    /// HTTP's status.
    pub(super) status: Option<u16>,
    /// The gRPC call, with its status once that is known.
    pub(super) call: Call,
    /// Reads the status of a gRPC-Web call from the body.
    pub(super) frames: Option<Frames>,
    /// Whether the response is a failure, as far as it is known.
    pub(super) class: Class,
    /// The outcome if the response's body comes to its end.
    pub(in crate::http) outcome_if_complete: Outcome,
    pub(super) request_bytes: Option<u64>,
    pub(super) request_body: RequestBodyState,
    pub(in crate::http) response_body: ResponseBodyState,
    /// Set where the response's body panics behind a shared reference; read when the request ends.
    pub(in crate::http) panicked: AtomicBool,
    pub(in crate::http) dropping: DropPanicCheck,
    /// Path, query, user agent, client address, host and peer address, encoded as in the record. Empty without log
    /// records and traces.
    pub(super) texts: Vec<u8>,
    /// Whether the slot has the texts, so that others can read them.
    pub(super) texts_in_slot: bool,
    pub(super) user: String,
    /// The hash of the whole ID of the user. Set for every request of a layer that has hooks, and never for others.
    pub(super) user_hash: Option<UserHash>,
    /// The record's attributes. They also note whether a text of the request was cut.
    pub(super) attributes: Attributes,
    /// The response's head, kept until the `classify` hook has seen it.
    pub(super) response_head: Option<http::response::Parts>,
    /// The database queries of the request, once it has ended.
    pub(super) queries: Option<QueryTotals>,
    pub(in crate::http) trace: RequestTrace,
}

/// Whether a request is a gRPC call, and what its path is.
#[derive(Debug, Default)]
pub(super) struct GrpcRequest {
    /// The request has a content type of gRPC.
    pub(super) is_call: bool,
    pub(super) path: RpcPath,
    /// The response to a call has a content type of gRPC.
    pub(super) has_grpc_response: bool,
}

/// What the path of a gRPC call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum RpcPath {
    /// A known method, or a route that is no method.
    #[default]
    Route,
    /// No known method.
    Unknown,
    /// As `Unknown`, until the response shows that the method exists: the path then becomes the route.
    Learns,
}

impl InFlightRequest {
    #[cold]
    pub(in crate::http) fn new(layer: &Arc<LayerState>) -> Box<Self> {
        Box::new(Self {
            layer: Arc::clone(layer),
            slot: None,
            ids: OperationIds {
                trace: TraceId::NIL,
                span: SpanId::NIL,
                route: UNMATCHED,
            },
            parent_span: SpanId::NIL,
            parent_trace: TraceId::NIL,
            start: 0,
            poll_start: 0,
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
            outcome_if_complete: Outcome::Completed,
            request_bytes: None,
            request_body: RequestBodyState::default(),
            response_body: ResponseBodyState::default(),
            panicked: AtomicBool::new(false),
            dropping: DropPanicCheck::default(),
            texts: Vec::new(),
            texts_in_slot: false,
            user: String::new(),
            user_hash: None,
            attributes: Attributes::default(),
            response_head: None,
            queries: None,
            trace: RequestTrace::default(),
        })
    }

    /// Makes the request the current one of this thread.
    #[inline]
    pub(in crate::http) fn enter(&mut self) {
        let span = self.ids.span;
        self.slot = self.slot.take().and_then(|slot| context::enter(slot, span));
    }

    /// Ends what [`enter`](Self::enter) began.
    #[inline]
    pub(in crate::http) fn leave(&mut self) {
        if self.slot.is_none() {
            self.slot = context::leave(self.ids.span);
        }
    }

    /// A poll after the first one starts.
    #[inline]
    pub(in crate::http) fn poll_started(&mut self) {
        self.poll_start = self.layer.now();
        if let Some(slot) = &self.slot {
            slot.set_poll_start(Some(self.poll_start));
        }
    }

    /// A poll has returned without a response.
    #[inline]
    pub(in crate::http) fn poll_pending(&mut self) {
        let now = self.layer.now();
        self.poll_ended(now);
    }

    /// Counts a poll that kept its thread for longer than `http.long_poll`.
    #[inline]
    pub(in crate::http) fn poll_ended(&mut self, now: Nanos) {
        if let Some(slot) = &self.slot {
            slot.set_poll_start(None);
        }
        if now.saturating_sub(self.poll_start) > self.layer.long_poll {
            self.layer.instruments.count_long_poll(&self.route_name());
        }
    }

    pub(in crate::http) fn route_name(&self) -> Box<str> {
        self.layer
            .requests
            .routes()
            .name(self.ids.route)
            .as_ref()
            .into()
    }

    /// Whether the request turned out to be one to a page of the monitor itself.
    #[cold]
    pub(in crate::http) fn is_disowned(&self) -> bool {
        self.slot.as_ref().is_some_and(|slot| !slot.is_open())
    }

    /// The request's slot, for what outlives the request.
    pub(in crate::http) fn slot(&self) -> Option<Arc<Slot>> {
        self.slot.clone()
    }

    /// Takes the request off the lists of those under way.
    #[inline]
    pub(in crate::http) fn close(&mut self) {
        if let Some(slot) = &self.slot {
            if self.texts_in_slot {
                slot.with_head_mut(|facts| {
                    std::mem::swap(&mut facts.texts, &mut self.texts);
                    facts.more.clear();
                });
            }
            slot.close();
        } else if self.texts_in_slot {
            self.put_empty_texts();
        }
        self.texts_in_slot = false;
        self.layer
            .instruments
            .active(self.method, self.scheme)
            .add(-1);
    }

    /// The thread has ended and took the slot with its texts along: the record still needs a place for each.
    #[cold]
    fn put_empty_texts(&mut self) {
        (0..TEXTS).for_each(|_| put_str(&mut self.texts, ""));
    }

    /// Discards the spans of a request that is not recorded.
    pub(in crate::http) fn discard_trace(&self) {
        if let Some(slot) = &self.slot {
            slot.trace_buffer().decide(Decision::Dropped, |_| {});
        }
    }

    /// Removes everything that belongs to this request alone.
    #[inline]
    pub(super) fn reset(&mut self) {
        self.texts.clear();
        self.user.clear();
        self.attributes.clear();
        self.frames = None;
        self.response_head = None;
        self.trace.clear();
        // Another owner of the slot would see the next request in it.
        if self
            .slot
            .as_ref()
            .is_some_and(|slot| Arc::strong_count(slot) > 1)
        {
            self.slot = None;
        }
    }
}
