use std::sync::Arc;
use std::task::{Context, Poll};

use http::request::Parts;
use http::{Request, Response};
use tower::Service;

use super::body::ResponseBody;
use super::client_address::PeerAddr;
use super::future::ResponseFuture;
use super::hooks::HookOutput;
use super::layer_state::LayerState;
use super::poll_guard::PollGuard;
use super::request_guard::RequestGuard;
use super::{framework, nested_layer};
use crate::model::Attributes;

/// The service that an [`EndpointLayer`](super::EndpointLayer) makes: it calls the service inside and records each
/// request.
///
/// Its readiness and its errors are those of the service inside; its responses have a
/// [`ResponseBody`] around their body, and the header `x-trace-id`.
#[derive(Debug, Clone)]
pub struct EndpointService<S> {
    pub(super) inner: S,
    pub(super) layer: Arc<LayerState>,
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
    fn call(&mut self, request: Request<B>) -> Self::Future {
        // A layer around this one records the request.
        if nested_layer::is_nested(&self.layer, &request) {
            return ResponseFuture::unrecorded(self.inner.call(request));
        }
        // Decided when this is compiled.
        if framework::is_other_axum::<B>() {
            self.layer.unrouted.note_other_axum();
        }
        if self.layer.has_request_hooks {
            return self.call_with_hooks(request);
        }
        self.call_recorded(request, None)
    }
}

impl<S> EndpointService<S> {
    /// Runs the hooks on the request's head, then calls the service.
    #[inline(never)]
    fn call_with_hooks<B: 'static>(&mut self, request: Request<B>) -> ResponseFuture<S::Future>
    where
        S: Service<Request<B>>,
    {
        let (mut parts, body) = request.into_parts();
        let output = run_request_hooks(&self.layer, &mut parts);
        let request = Request::from_parts(parts, body);
        if output.is_none() {
            return ResponseFuture::unrecorded(self.inner.call(request));
        }
        self.call_recorded(request, output)
    }

    /// Starts to record the request and calls the service.
    #[expect(
        clippy::inline_always,
        reason = "the common call has no hooks, and their output is then not passed on"
    )]
    #[inline(always)]
    fn call_recorded<B: 'static>(
        &mut self,
        mut request: Request<B>,
        hooks: Option<HookOutput>,
    ) -> ResponseFuture<S::Future>
    where
        S: Service<Request<B>>,
    {
        nested_layer::mark(&self.layer, &mut request);
        let mut guard = RequestGuard::start(&self.layer, &mut request, hooks);
        let poll = PollGuard::enter(&mut guard);
        // First without its request: the inner future is then written where it stays.
        let mut future = ResponseFuture::unrecorded(self.inner.call(request));
        poll.leave();
        future.set_request(guard);
        future
    }
}

/// Runs the hooks on a request's head. `None`: the request is skipped.
#[cold]
fn run_request_hooks(layer: &LayerState, parts: &mut Parts) -> Option<HookOutput> {
    let hooks = &layer.hooks;
    // The peer first: the other hooks find it among the extensions.
    let peer = hooks.peer.run(|hook| hook(&parts.extensions)).flatten();
    if let Some(peer) = peer {
        parts.extensions.insert(PeerAddr(peer.ip()));
    }
    let parts = &*parts;
    // A skipped request runs no further hook, as if there were no layer.
    if hooks.skip.run(|hook| hook(parts)) == Some(true) {
        return None;
    }
    let is_matched = framework::matched_path(&parts.extensions).is_some();
    let route = if is_matched {
        None
    } else {
        hooks.route.run(|hook| hook(parts)).flatten()
    };
    let user = hooks.user.run(|hook| hook(parts)).flatten();
    let attributes = hooks.on_request.is_set().then(|| {
        let mut attributes = Attributes::default();
        hooks.on_request.run(|hook| hook(parts, &mut attributes));
        attributes
    });
    Some(HookOutput {
        route,
        user,
        attributes,
    })
}
