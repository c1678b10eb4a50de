//! A layer inside another of the same monitor: the outer one records the request, the inner one passes it through.
//!
//! Both see the same request, or the inner one sees a request that the handler of the outer one made. To tell the two
//! apart, layers mark the requests that they watch, from the first time that a request reaches a layer inside another.

use std::sync::Arc;

use http::Request;

use super::framework;
use super::layer_state::LayerState;
use crate::context::{self, Slot, UNMATCHED};
use crate::model::codec::Reader;
use crate::record::Method;

/// Said once.
const TWICE: &str = "the endpoint layer stands twice around a route: the outer one records the request, and the inner one passes it through and calls no hook; remove the inner `.layer(monitor.layer())`";

/// The monitors that watch a request, among its extensions.
#[derive(Debug, Clone, Default)]
struct MonitorMarks(Vec<u32>);

/// Whether an outer layer watches this request already. It then gets to know the route, where it knew none.
#[inline]
pub(super) fn passes<B>(shared: &LayerState, request: &Request<B>) -> bool {
    let monitor = shared.requests.number();
    let marks = shared.requests.marks();
    context::with_current(Some(monitor), |slot, _| slot.is_request()) == Some(true)
        && is_inside(shared, request)
        || marks && is_marked(monitor, request)
}

/// Marks a request, where requests are marked.
#[inline]
pub(super) fn mark<B>(shared: &LayerState, request: &mut Request<B>) {
    if shared.requests.marks() {
        put_mark(shared.requests.number(), request);
    }
}

#[cold]
fn put_mark<B>(monitor: u32, request: &mut Request<B>) {
    let watched = request
        .extensions_mut()
        .get_or_insert_default::<MonitorMarks>();
    watched.0.push(monitor);
}

#[cold]
fn is_marked<B>(monitor: u32, request: &Request<B>) -> bool {
    let watched = request.extensions().get::<MonitorMarks>();
    watched.is_some_and(|watched| watched.0.contains(&monitor))
}

#[cold]
fn is_inside<B>(shared: &LayerState, request: &Request<B>) -> bool {
    let monitor = shared.requests.number();
    let Some((slot, _)) = context::current_slot(monitor) else {
        return false;
    };
    let same =
        is_marked(monitor, request) || !slot.is_marked() && looks_same(shared, &slot, request);
    shared.requests.begin_marking();
    if same {
        shared.diagnostics.report(TWICE);
        hand_route(shared, &slot, request);
    }
    same
}

/// Whether a request that no layer marked is the one under way: the method is the same, and the path, of which a
/// nested service sees the end.
fn looks_same<B>(shared: &LayerState, slot: &Arc<Slot>, request: &Request<B>) -> bool {
    let method: Method = shared.requests.methods().of(request.method());
    if slot.method() != Some(method) {
        return false;
    }
    let path = request.uri().path();
    let ends_so = |texts: &[u8]| {
        let outer = Reader::new(texts).str();
        outer.is_none_or(|outer| path == "/" || outer.ends_with(path))
    };
    slot.facts(|facts| ends_so(&facts.texts)).unwrap_or(true)
}

/// The outer layer saw no route, or that of a nested service, and this one may see more.
fn hand_route<B>(shared: &LayerState, slot: &Slot, request: &Request<B>) {
    let routes = shared.requests.routes();
    let known = slot.route();
    if known != UNMATCHED && !routes.name(known).ends_with("/*") {
        return;
    }
    let extensions = request.extensions();
    let matched = framework::matched_path(extensions).map(str::to_owned);
    let matched = matched.or_else(|| framework::nested_service(extensions));
    if let Some(matched) = matched {
        slot.set_route(routes.id(&matched));
    }
}
