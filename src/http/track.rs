//! One request from its first byte to its last.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use http::{HeaderMap, Request, Response, header};

use super::active::Active;
use super::connection::Stream;
use super::seen::Seen;
use super::shared::{Asked, Shared};
use super::{framework, local};
use crate::model::{Outcome, OwnAnswer};

/// Owns a request's state; dropped before the end, the request was cancelled or its body dropped.
#[derive(Debug)]
pub(super) struct Track(Option<Box<Active>>);

/// Whether the answer goes on after its headers.
#[derive(Debug)]
pub(super) enum AfterHeaders {
    /// It ended with them, or is not ours to count.
    Ended,
    /// It ends with its body.
    Body(Track),
    /// Its body is an event stream, whose life is counted apart.
    Stream(Box<Stream>),
}

impl Track {
    /// Begins a request.
    #[inline]
    pub(super) fn begin<B>(
        shared: &Arc<Shared>,
        request: &Request<B>,
        asked: Option<Asked>,
    ) -> Self {
        let start = shared.now();
        let seen = Seen::of(request.headers());
        let matched = framework::matched_path(request.extensions());
        let pattern = matched.or_else(|| asked.as_ref()?.route.as_deref());
        let routes = shared.requests.routes();
        let (pooled, route) = local::with(shared.number, |local| {
            let route = pattern.map(|pattern| local.route(routes, pattern));
            (local.take_state(), route)
        })
        .unwrap_or_else(|| (None, pattern.map(|pattern| routes.id(pattern))));
        let mut active = pooled.unwrap_or_else(|| Active::new(shared));
        if let Some(asked) = asked {
            active.heed(asked);
        }
        active.begin(request, &seen, route, start);
        Self(Some(active))
    }

    /// The request's state, until its end.
    #[inline]
    pub(super) fn active(&mut self) -> Option<&mut Active> {
        self.0.as_deref_mut()
    }

    /// Wraps the request's body so that its bytes are counted.
    #[cold]
    pub(super) fn count_body<B: 'static>(&mut self, request: &mut Request<B>) {
        let Some(active) = self.active() else { return };
        let counted = Arc::new(AtomicU64::new(0));
        if framework::count_body(request, &counted) {
            active.counted = Some(counted);
        } else {
            active.shared.notices.say(
                "`.count_request_body()` counts bodies of axum's `Body` type only, and this service's is another: `Content-Length` is told instead; remove the call",
            );
        }
    }

    /// The service answered: what there is to know at the headers.
    #[inline]
    pub(super) fn headers<B: http_body::Body>(
        mut self,
        response: &mut Response<B>,
    ) -> AfterHeaders {
        let Some(mut active) = self.0.take() else {
            return AfterHeaders::Ended;
        };
        let now = active.shared.now();
        active.poll_ended(now);
        if response.extensions().get::<OwnAnswer>().is_some() {
            active.close();
            active.drop_trace();
            active.pool();
            return AfterHeaders::Ended;
        }
        active.headers(response, now);
        if active.planned == Outcome::Upgraded {
            active.finish(Outcome::Upgraded, Some(now));
            return AfterHeaders::Ended;
        }
        active.expected_bytes = response.body().size_hint().exact();
        // One that says how long it is, is an answer like any other.
        if active.expected_bytes.is_none() && is_event_stream(response.headers()) {
            let Shared {
                requests,
                instruments,
                ..
            } = &*active.shared;
            let stream = Stream::begin(
                requests,
                instruments,
                &active.route_name(),
                active.ids,
                active.slot(),
            );
            let planned = active.planned;
            active.finish(planned, Some(now));
            return AfterHeaders::Stream(Box::new(stream));
        }
        if active.has_no_body() || response.body().is_end_stream() {
            let planned = active.planned;
            active.finish(planned, Some(now));
            return AfterHeaders::Ended;
        }
        AfterHeaders::Body(Self(Some(active)))
    }

    /// The request ends with this outcome, now.
    pub(super) fn finish(mut self, outcome: Outcome) {
        if let Some(active) = self.0.take() {
            active.finish(outcome, None);
        }
    }

    /// The body came to its end.
    #[inline]
    pub(super) fn body_ended(mut self) {
        if let Some(active) = self.0.take() {
            let planned = active.planned;
            active.finish(planned, None);
        }
    }
}

impl Drop for Track {
    fn drop(&mut self) {
        let Some(active) = self.0.take() else { return };
        let outcome = match active.headers_at {
            None => Outcome::Cancelled,
            // Servers stop asking once they have the bytes that were promised.
            Some(_) if active.expected_bytes == Some(active.response_bytes) => active.planned,
            Some(_) => Outcome::BodyDropped,
        };
        active.finish(outcome, None);
    }
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"))
}
