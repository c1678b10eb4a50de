//! One request from its first byte to its last.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use http::{HeaderMap, Request, Response, header};
use http_body::Body;

use super::connection::ConnectionRecorder;
use super::in_flight::InFlightRequest;
use super::known_headers::KnownHeaders;
use super::layer_state::{HookOutput, LayerState, RequestLogMode};
use super::panic::saw_panic;
use super::stream_end::StreamEndRecord;
use super::{framework, grpc, thread_cache};
use crate::clock::Nanos;
use crate::context::RouteId;
use crate::model::{EndOnPanic, Outcome, OwnResponse, is_media_type};

/// Owns a request's state; dropped before the end, the request was cancelled, its body dropped, or the host's code
/// panicked.
#[derive(Debug)]
pub(super) struct RequestGuard(Option<Box<InFlightRequest>>);

/// Whether the response goes on after its headers.
#[derive(Debug)]
pub(super) enum AfterHeaders {
    /// It ended with them, or is not ours to count.
    Ended,
    /// It ends with its body.
    Body(Option<RequestGuard>),
    /// Its body is an event stream, whose life is counted apart.
    Stream(Box<ConnectionRecorder>),
}

impl RequestGuard {
    /// Begins a request.
    #[inline]
    pub(super) fn begin<B>(
        shared: &Arc<LayerState>,
        request: &Request<B>,
        asked: Option<HookOutput>,
    ) -> Self {
        let start = shared.now();
        let seen = KnownHeaders::of(request.headers());
        let matched = framework::matched_path(request.extensions());
        let routes = shared.requests.routes();
        let pattern = matched.or_else(|| asked.as_ref()?.route.as_deref());
        let find = |pattern: &str| match matched {
            Some(_) => routes.id(pattern),
            None => routes.named(pattern),
        };
        let (pooled, route) = thread_cache::with(shared.number, |local| {
            let route = pattern.map(|pattern| local.route(pattern, find));
            (local.take_state(), route)
        })
        .unwrap_or_else(|| (None, pattern.map(find)));
        let route = match route {
            Some(route) if !seen.grpc => Some(route),
            route => unmatched(shared, request, route, seen.grpc),
        };
        let mut active = pooled.unwrap_or_else(|| InFlightRequest::new(shared));
        if let Some(asked) = asked {
            active.heed(asked);
        }
        active.begin(request, &seen, route, start);
        Self(Some(active))
    }

    /// The request's state, until its end.
    #[inline]
    pub(super) fn active(&mut self) -> Option<&mut InFlightRequest> {
        self.0.as_deref_mut()
    }

    /// Watches the request's body, if there may be one.
    #[inline]
    pub(super) fn watch_body<B: 'static>(&mut self, request: &mut Request<B>) {
        if let Some(active) = self.active() {
            active.watch_body(request);
        }
    }

    /// The service responded: what there is to know at the headers. The request stays with `track` while the host's
    /// code runs, and as long as its body goes on with it.
    #[inline]
    pub(super) fn headers<B: Body>(
        track: &mut Option<Self>,
        response: &mut Response<B>,
    ) -> AfterHeaders {
        let Some(active) = track.as_mut().and_then(Self::active) else {
            return AfterHeaders::Ended;
        };
        let now = active.shared.now();
        active.poll_ended(now);
        if response.extensions().get::<OwnResponse>().is_some() {
            Self::give_up(track);
            return AfterHeaders::Ended;
        }
        active.headers(response, now);
        let planned = active.planned;
        if planned != Outcome::Upgraded {
            active.begin_body(response);
            if !active.has_no_body() && !response.body().is_end_stream() {
                // One that says how long it is, is a response like any other.
                if active.sent.is_declared() || !is_event_stream(response.headers()) {
                    return AfterHeaders::Body(track.take());
                }
                let stream = begin_stream(active);
                Self::end(track, planned, Some(now));
                return AfterHeaders::Stream(stream);
            }
            if active.sent.is_broken() && active.is_unreadable(response.body().is_end_stream()) {
                Self::end(track, Outcome::BodyError, Some(now));
                return AfterHeaders::Ended;
            }
        }
        Self::end(track, planned, Some(now));
        AfterHeaders::Ended
    }

    /// The request is not to be recorded.
    #[cold]
    fn give_up(track: &mut Option<Self>) {
        if let Some(mut active) = track.take().and_then(|mut track| track.0.take()) {
            active.close();
            active.drop_trace();
            active.pool();
        }
    }

    #[inline]
    fn end(track: &mut Option<Self>, outcome: Outcome, now: Option<Nanos>) {
        if let Some(active) = track.take().and_then(|mut track| track.0.take()) {
            active.finish(outcome, now);
        }
    }

    /// The request ends with this outcome, now.
    pub(super) fn finish(mut self, outcome: Outcome) {
        if let Some(active) = self.0.take() {
            active.finish(outcome, None);
        }
    }

    /// The body came to its end: short of what was declared, that is an error.
    #[inline]
    pub(super) fn body_ended(mut self) {
        if let Some(active) = self.0.take() {
            let outcome = match active.is_whole() {
                Some(false) => Outcome::BodyError,
                _ => active.planned,
            };
            active.finish(outcome, None);
        }
    }

    /// Where a panic is noted of code that is called while the request is shared.
    #[inline]
    pub(super) fn panic_note(&self) -> Option<&AtomicBool> {
        self.0.as_deref().map(|active| &active.panicked)
    }

    /// What owns the track is dropped, the host's part of it first.
    #[inline]
    pub(super) fn dropping(&mut self) {
        if let Some(active) = self.active() {
            active.dropping.begins();
        }
    }
}

impl EndOnPanic for RequestGuard {
    #[cold]
    fn panicked(self) {
        if let Some(active) = self.0.as_deref() {
            saw_panic(active.shared.requests.number());
        }
        self.finish(Outcome::Panicked);
    }
}

impl Drop for RequestGuard {
    fn drop(&mut self) {
        let Some(mut active) = self.0.take() else {
            return;
        };
        let panicked = active.dropping.panicked() | std::mem::take(active.panicked.get_mut());
        let outcome = if panicked {
            saw_panic(active.shared.requests.number());
            Outcome::Panicked
        } else if active.headers_at.is_none() {
            Outcome::Cancelled
        } else if active.is_whole() == Some(true) {
            // Servers stop asking once they have the bytes that were promised.
            active.planned
        } else if active.sent.is_wrong() {
            // The server gave it up, whether or not the client left.
            Outcome::BodyError
        } else {
            Outcome::BodyDropped
        };
        active.finish(outcome, None);
    }
}

/// The route of a request that no pattern and no hook names, and of a gRPC request, whose pattern may be that of its
/// service.
#[cold]
#[inline(never)]
fn unmatched<B>(
    shared: &LayerState,
    request: &Request<B>,
    route: Option<RouteId>,
    grpc: bool,
) -> Option<RouteId> {
    let extensions = request.extensions();
    let of_service = || framework::matched_path(extensions).is_some_and(grpc::is_service);
    let methods = shared
        .grpc()
        .filter(|_| grpc && (route.is_none() || of_service()));
    let method = methods.and_then(|methods| methods.route(request.uri().path()));
    method.or(route).or_else(|| {
        let nested = framework::nested_path(request.extensions())?;
        Some(shared.requests.routes().id(&nested))
    })
}

/// Begins the event stream that is the response's body, before its request ends.
#[cold]
fn begin_stream(active: &InFlightRequest) -> Box<ConnectionRecorder> {
    let LayerState {
        requests,
        instruments,
        record_queue,
        lines,
        ..
    } = &*active.shared;
    let last = active
        .repeated()
        .map(|(record, texts, attributes)| StreamEndRecord {
            record_queue: Arc::clone(record_queue),
            errors_only: *lines != RequestLogMode::All,
            record,
            texts,
            attributes,
        });
    let route = active.route_name();
    let slot = active.slot();
    let stream = ConnectionRecorder::begin(
        requests,
        instruments,
        &route,
        active.ids,
        slot,
        None,
        Outcome::BodyDropped,
    );
    Box::new(stream.with_record(last))
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| is_media_type(kind.as_bytes(), "text/event-stream"))
}
