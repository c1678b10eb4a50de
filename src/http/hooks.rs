//! The closures that users give to a layer. A hook runs in place, on the thread of the request. Its panics are caught;
//! after ten of them it is switched off.

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use http::request::Parts;
use http::response::Parts as ResponseParts;
use http::{Extensions, HeaderMap};

use super::classify::Class;
use super::finished::FinishedRequest;
use crate::metrics::Counter;
use crate::model::{Attributes, Diagnostics, catch_panic};

/// Panics after which a hook is switched off.
const MAX_PANICS: u32 = 10;

pub(super) type SkipFn = dyn Fn(&Parts) -> bool + Send + Sync;
pub(super) type RouteFn = dyn Fn(&Parts) -> Option<Cow<'static, str>> + Send + Sync;
pub(super) type PeerFn = dyn Fn(&Extensions) -> Option<SocketAddr> + Send + Sync;
pub(super) type UserFn = dyn Fn(&Parts) -> Option<String> + Send + Sync;
pub(super) type OnRequestFn = dyn Fn(&Parts, &mut Attributes) + Send + Sync;
pub(super) type OnResponseFn = dyn Fn(&ResponseParts, &mut Attributes) + Send + Sync;
pub(super) type OnEndFn = dyn Fn(&FinishedRequest<'_>, &mut Attributes) + Send + Sync;
pub(super) type ClassifyFn = dyn Fn(&ResponseParts, Option<&HeaderMap>) -> Class + Send + Sync;

/// The hooks of one layer; none is set by default.
#[derive(Debug, Clone, Default)]
pub(super) struct Hooks {
    pub(super) skip: OptionalHook<SkipFn>,
    pub(super) route: OptionalHook<RouteFn>,
    pub(super) peer: OptionalHook<PeerFn>,
    pub(super) user: OptionalHook<UserFn>,
    pub(super) on_request: OptionalHook<OnRequestFn>,
    pub(super) on_response: OptionalHook<OnResponseFn>,
    pub(super) on_end: OptionalHook<OnEndFn>,
    pub(super) classify: OptionalHook<ClassifyFn>,
}

impl Hooks {
    /// Whether a hook runs before the service is called.
    pub(super) fn run_on_request(&self) -> bool {
        self.skip.is_set()
            || self.route.is_set()
            || self.peer.is_set()
            || self.user.is_set()
            || self.on_request.is_set()
    }

    /// Whether the end of a request has work for a hook.
    pub(super) fn run_at_end(&self) -> bool {
        self.user.is_set() || self.on_end.is_set()
    }
}

/// What the hooks returned for a request's head.
#[derive(Debug, Default)]
pub(super) struct HookOutput {
    pub(super) route: Option<Cow<'static, str>>,
    pub(super) user: Option<String>,
    pub(super) attributes: Option<Attributes>,
}

/// A hook, or none.
pub(super) struct OptionalHook<F: ?Sized>(Option<Arc<HookState<F>>>);

struct HookState<F: ?Sized> {
    name: &'static str,
    panics: AtomicU32,
    counter: Counter,
    diagnostics: Arc<Diagnostics>,
    hook: Box<F>,
}

impl<F: ?Sized> OptionalHook<F> {
    pub(super) fn new(
        name: &'static str,
        hook: Box<F>,
        counter: &Counter,
        diagnostics: &Arc<Diagnostics>,
    ) -> Self {
        Self(Some(Arc::new(HookState {
            name,
            panics: AtomicU32::new(0),
            counter: counter.with([("hook", name)]),
            diagnostics: Arc::clone(diagnostics),
            hook,
        })))
    }

    #[inline]
    pub(super) fn is_set(&self) -> bool {
        self.0.is_some()
    }

    /// Runs the hook by `call`. `None` where there is no hook, where it panics and where it is switched off.
    #[inline]
    pub(super) fn run<R>(&self, call: impl FnOnce(&F) -> R) -> Option<R> {
        self.0.as_ref().and_then(|hook| hook.run(call))
    }
}

impl<F: ?Sized> HookState<F> {
    fn run<R>(&self, call: impl FnOnce(&F) -> R) -> Option<R> {
        if self.panics.load(Relaxed) >= MAX_PANICS {
            return None;
        }
        let returned = catch_panic(|| call(&self.hook));
        if returned.is_none() {
            self.count_panic();
        }
        returned
    }

    #[cold]
    fn count_panic(&self) {
        self.counter.add(1);
        if self.panics.fetch_add(1, Relaxed) + 1 == MAX_PANICS {
            let name = self.name;
            self.diagnostics.report(format!(
                "the endpoint layer's hook `{name}` panicked {MAX_PANICS} times and is switched off: fix the closure given to `.{name}(..)`"
            ));
        }
    }
}

impl<F: ?Sized> Clone for OptionalHook<F> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<F: ?Sized> Default for OptionalHook<F> {
    fn default() -> Self {
        Self(None)
    }
}

impl<F: ?Sized> fmt::Debug for OptionalHook<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_set() { "set" } else { "none" })
    }
}
