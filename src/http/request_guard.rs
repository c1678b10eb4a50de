//! The owner of a request's state: it ends the request, once.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use http::{HeaderMap, Request, Response, header};
use http_body::Body;

use super::connection::{ConnectionRecorder, ConnectionStart};
use super::hooks::HookOutput;
use super::in_flight::{InFlightRequest, with_cache};
use super::known_headers::KnownHeaders;
use super::layer_state::LayerState;
use super::panic::count_panic;
use super::{framework, grpc_methods};
use crate::clock::Nanos;
use crate::context::RouteId;
use crate::model::{EndOnPanic, Outcome, OwnResponse, end_on_panic, is_media_type};

/// Owns the state of a request until the request ends; empty afterwards, and for requests that are not recorded.
///
/// Each way of ending takes the state out, so a request cannot end twice. A guard that is dropped with its state ends
/// the request: as cancelled, as one whose body was dropped, or as panicked.
#[derive(Debug)]
pub(super) struct RequestGuard(Option<Box<InFlightRequest>>);

/// What is left of a request after the response's headers.
#[derive(Debug)]
pub(super) enum AfterHeaders {
    /// Nothing: the request has ended, or is not recorded.
    Ended,
    /// The request ends with the response's body.
    Body(RequestGuard),
    /// The request has ended; the event stream that is its body is recorded by itself.
    Stream(Box<ConnectionRecorder>),
}

impl RequestGuard {
    /// A guard of no request.
    #[inline]
    pub(super) const fn empty() -> Self {
        Self(None)
    }

    /// Starts a request, and watches its body.
    #[inline]
    pub(super) fn start<B: 'static>(
        layer: &Arc<LayerState>,
        request: &mut Request<B>,
        hooks: Option<HookOutput>,
    ) -> Self {
        let start = layer.now();
        let known = KnownHeaders::of(request.headers());
        let matched = framework::matched_path(request.extensions());
        let routes = layer.requests.routes();
        let pattern = matched.or_else(|| hooks.as_ref()?.route.as_deref());
        // Names from hooks have a budget of their own.
        let find = |pattern: &str| match matched {
            Some(_) => routes.id(pattern),
            None => routes.named(pattern),
        };
        // One access to the thread's cache for both. On a thread that is ending there is none: the route is then looked
        // up in the shared table, and the state is new.
        let (pooled, route) = with_cache(layer.id, |cache| {
            let route = pattern.map(|pattern| cache.route(pattern, find));
            (cache.take_pooled(), route)
        })
        .unwrap_or_else(|| (None, pattern.map(find)));
        // A router such as tonic's has one pattern for all methods of a service. A known method takes its place.
        let route = match route {
            Some(route) if !known.grpc => Some(route),
            route => fallback_route(layer, request, route, known.grpc),
        };
        let mut state = pooled.unwrap_or_else(|| InFlightRequest::new(layer));
        if let Some(hooks) = hooks {
            state.apply_hooks(hooks);
        }
        // Hooks come before the start, which copies the user and the attributes to where others see them.
        state.start(request, &known, route, start);
        state.watch_body(request);
        Self(Some(state))
    }

    /// The request's state, until its end.
    #[inline]
    pub(super) fn request(&mut self) -> Option<&mut InFlightRequest> {
        self.0.as_deref_mut()
    }

    /// Runs code that may be the host's. If it panics, the request ends as panicked; the panic goes on.
    #[inline]
    pub(super) fn end_on_panic<R>(
        &mut self,
        run: impl FnOnce(Option<&mut InFlightRequest>) -> R,
    ) -> R {
        end_on_panic(&mut self.0, |request| run(request.as_deref_mut()))
    }

    /// The service responded. The request stays in this guard while the host's code runs, and moves to the
    /// response's body, if there is one.
    #[inline]
    pub(super) fn response_started<B: Body>(&mut self, response: &mut Response<B>) -> AfterHeaders {
        end_on_panic(&mut self.0, |request| response_started(request, response))
    }

    /// Ends the request with an outcome.
    #[inline]
    pub(super) fn finish(&mut self, outcome: Outcome) {
        end(&mut self.0, outcome, None);
    }

    /// Ends the request at the end of the response's body: with an error, if the body is shorter or longer than it
    /// declared.
    #[inline]
    pub(super) fn body_ended(&mut self) {
        if let Some(request) = self.0.take() {
            let outcome = match request.response_body.is_complete() {
                Some(false) => Outcome::BodyError,
                _ => request.outcome_if_complete,
            };
            request.finish(outcome, None);
        }
    }

    /// Ends the request as panicked.
    #[cold]
    pub(super) fn panicked(&mut self) {
        if let Some(request) = self.0.take() {
            request.panicked();
        }
    }

    /// Where a panic is noted of code that runs behind a shared reference.
    #[inline]
    pub(super) fn panic_flag(&self) -> Option<&AtomicBool> {
        self.0.as_deref().map(|request| &request.panicked)
    }

    /// Must be called before the fields of this guard's owner are dropped: the host's future or body is dropped before
    /// the guard, and may panic.
    #[inline]
    pub(super) fn drop_started(&mut self) {
        if let Some(request) = self.request() {
            request.dropping.begins();
        }
    }
}

/// Ends the request, if it has not ended.
#[inline]
fn end(request: &mut Option<Box<InFlightRequest>>, outcome: Outcome, now: Option<Nanos>) {
    if let Some(request) = request.take() {
        request.finish(outcome, now);
    }
}

/// Discards a request that is not to be recorded.
#[cold]
fn discard(request: &mut Option<Box<InFlightRequest>>) {
    if let Some(mut request) = request.take() {
        request.close();
        request.discard_trace();
        request.recycle();
    }
}

#[inline]
fn response_started<B: Body>(
    owner: &mut Option<Box<InFlightRequest>>,
    response: &mut Response<B>,
) -> AfterHeaders {
    let Some(request) = owner.as_deref_mut() else {
        return AfterHeaders::Ended;
    };
    let now = request.layer.now();
    request.poll_ended(now);

    // The monitor's own pages are no traffic of the service.
    if response.extensions().get::<OwnResponse>().is_some() {
        discard(owner);
        return AfterHeaders::Ended;
    }

    // Head and hooks; from here on the outcome is known, unless the body changes it.
    request.response_started(response, now);
    let outcome = request.outcome_if_complete;
    if outcome != Outcome::Upgraded {
        request.body_started(response);
        if !request.has_no_body() && !response.body().is_end_stream() {
            // An event stream of a declared length is a response like any other.
            if request.response_body.is_declared() || !is_event_stream(response.headers()) {
                return AfterHeaders::Body(RequestGuard(owner.take()));
            }
            let stream = start_stream(request);
            end(owner, outcome, Some(now));
            return AfterHeaders::Stream(stream);
        }
        // There is no body; its declared length can still make the response unreadable.
        if request.response_body.is_broken()
            && request.is_unreadable(response.body().is_end_stream())
        {
            end(owner, Outcome::BodyError, Some(now));
            return AfterHeaders::Ended;
        }
    }
    end(owner, outcome, Some(now));
    AfterHeaders::Ended
}

impl EndOnPanic for Box<InFlightRequest> {
    #[cold]
    fn panicked(self) {
        count_panic(self.layer.requests.number());
        self.finish(Outcome::Panicked, None);
    }
}

impl Drop for RequestGuard {
    #[inline]
    fn drop(&mut self) {
        if let Some(request) = self.0.take() {
            end_dropped(request);
        }
    }
}

/// Ends a request whose guard was dropped with it. Not inlined: most guards are empty when they are dropped.
#[inline(never)]
fn end_dropped(mut request: Box<InFlightRequest>) {
    if request.is_disowned() {
        return discard(&mut Some(request));
    }
    let panicked = request.dropping.panicked() | std::mem::take(request.panicked.get_mut());
    let outcome = if panicked {
        count_panic(request.layer.requests.number());
        Outcome::Panicked
    } else if request.headers_at.is_none() {
        Outcome::Cancelled
    } else if request.response_body.is_complete() == Some(true) {
        // Servers do not poll a body again once they have the bytes that were declared.
        request.outcome_if_complete
    } else if request.response_body.cannot_complete() {
        // The server gave the response up, whether or not the client left.
        Outcome::BodyError
    } else {
        Outcome::BodyDropped
    };
    request.finish(outcome, None);
}

/// The route of a request that no pattern and no hook names, and of a gRPC call, whose pattern may be that of its
/// service.
#[cold]
#[inline(never)]
fn fallback_route<B>(
    layer: &LayerState,
    request: &Request<B>,
    route: Option<RouteId>,
    is_grpc: bool,
) -> Option<RouteId> {
    let extensions = request.extensions();
    let of_service = || framework::matched_path(extensions).is_some_and(grpc_methods::is_service);
    let methods = layer
        .grpc_methods()
        .filter(|_| is_grpc && (route.is_none() || of_service()));
    let method = methods.and_then(|methods| methods.route(request.uri().path()));
    method.or(route).or_else(|| {
        let nested = framework::nested_path(request.extensions())?;
        Some(layer.requests.routes().id(&nested))
    })
}

/// Starts to record the event stream that is the response's body, before its request ends.
#[cold]
fn start_stream(request: &InFlightRequest) -> Box<ConnectionRecorder> {
    let LayerState {
        requests,
        instruments,
        ..
    } = &*request.layer;
    let start = ConnectionStart {
        route: &request.route_name(),
        ids: request.ids,
        parent: request.slot(),
        traces: None,
        outcome_if_dropped: Outcome::BodyDropped,
        end_record: request.stream_end_record(),
    };
    Box::new(ConnectionRecorder::start(requests, instruments, start))
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| is_media_type(kind.as_bytes(), "text/event-stream"))
}
