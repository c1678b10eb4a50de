use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower::Service;

use super::body::ResponseBody;
use super::client_address::PeerAddr;
use super::framework;
use super::future::ResponseFuture;
use super::layer_state::{HookOutput, LayerState};
use super::nested_layer;
use super::poll_guard::PollGuard;
use super::request_guard::RequestGuard;
use crate::model::Attributes;

/// A service inside an [`EndpointLayer`](super::EndpointLayer).
#[derive(Debug, Clone)]
pub struct EndpointService<S> {
    pub(super) inner: S,
    pub(super) shared: Arc<LayerState>,
}

impl<S, B, R> Service<Request<B>> for EndpointService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: 'static,
    B: 'static,
    R: http_body::Body,
{
    type Response = Response<ResponseBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        if nested_layer::passes(&self.shared, &request) {
            return ResponseFuture::untracked(self.inner.call(request));
        }
        // Known when this is compiled.
        if framework::is_other_axum::<B>() {
            self.shared.unrouted.note_other_axum();
        }
        if self.shared.looks_closer {
            return self.call_closely(request);
        }
        nested_layer::mark(&self.shared, &mut request);
        let mut track = RequestGuard::begin(&self.shared, &request, None);
        track.watch_body(&mut request);
        let mut track = Some(track);
        let polling = PollGuard::enter(&mut track);
        // First without its state: the inner future is then written where it stays.
        let mut future = ResponseFuture::untracked(self.inner.call(request));
        polling.leave();
        future.track(track);
        future
    }
}

impl<S> EndpointService<S> {
    /// Asks the hooks first.
    #[inline(never)]
    fn call_closely<B: 'static>(&mut self, request: Request<B>) -> ResponseFuture<S::Future>
    where
        S: Service<Request<B>>,
    {
        let (mut parts, body) = request.into_parts();
        let asked = ask(&self.shared, &mut parts);
        let mut request = Request::from_parts(parts, body);
        let Some(asked) = asked else {
            return ResponseFuture::untracked(self.inner.call(request));
        };
        nested_layer::mark(&self.shared, &mut request);
        let mut track = RequestGuard::begin(&self.shared, &request, Some(asked));
        track.watch_body(&mut request);
        let mut track = Some(track);
        let polling = PollGuard::enter(&mut track);
        // First without its state: the inner future is then written where it stays.
        let mut future = ResponseFuture::untracked(self.inner.call(request));
        polling.leave();
        future.track(track);
        future
    }
}

/// What the hooks say of a request; `None`: skip it.
#[cold]
fn ask(shared: &LayerState, parts: &mut http::request::Parts) -> Option<HookOutput> {
    let hooks = &shared.hooks;
    let peer = hooks.peer.ask(|hook| hook(&parts.extensions)).flatten();
    if let Some(peer) = peer {
        parts.extensions.insert(PeerAddr(peer.ip()));
    }
    let parts = &*parts;
    if hooks.skip.ask(|hook| hook(parts)) == Some(true) {
        return None;
    }
    let matched = framework::matched_path(&parts.extensions).is_some();
    let route = if matched {
        None
    } else {
        hooks.route.ask(|hook| hook(parts)).flatten()
    };
    let user = hooks.user.ask(|hook| hook(parts)).flatten();
    let attributes = hooks.on_request.is_set().then(|| {
        let mut attributes = Attributes::default();
        hooks.on_request.ask(|hook| hook(parts, &mut attributes));
        attributes
    });
    Some(HookOutput {
        route,
        user,
        attributes,
    })
}
