//! A layer inside another one of the same monitor: the outer layer records the request, the inner one passes it through.
//!
//! The inner layer sees the same request, or a request that the handler inside the outer layer makes to a service of its
//! own. To tell the two apart, layers mark the requests that they record, from the first time that a request reaches a
//! layer inside another one.

use std::sync::Arc;

use http::Request;

use super::framework;
use super::layer_state::LayerState;
use crate::context::{self, Slot, UNMATCHED};
use crate::model::codec::Reader;
use crate::record::Method;

/// Reported once.
const NESTED_LAYER: &str = "the endpoint layer stands twice around a route: the outer one records the request, and the inner one passes it through and runs no hook; remove the inner `.layer(monitor.layer())`";

/// The numbers of the monitors that record a request, among its extensions.
#[derive(Debug, Clone, Default)]
struct MonitorMarks(Vec<u32>);

/// Whether an outer layer records this request already. It then takes over the route, if it had none.
#[inline]
pub(super) fn is_nested<B>(layer: &LayerState, request: &Request<B>) -> bool {
    let monitor = layer.requests.number();
    let marks = layer.requests.marks();
    context::with_current(Some(monitor), |slot, _| slot.is_request()) == Some(true)
        && is_inside_current(layer, request)
        || marks && is_marked(monitor, request)
}

/// Marks a request, where requests are marked.
#[inline]
pub(super) fn mark<B>(layer: &LayerState, request: &mut Request<B>) {
    if layer.requests.marks() {
        put_mark(layer.requests.number(), request);
    }
}

#[cold]
fn put_mark<B>(monitor: u32, request: &mut Request<B>) {
    let marks = request
        .extensions_mut()
        .get_or_insert_default::<MonitorMarks>();
    marks.0.push(monitor);
}

#[cold]
fn is_marked<B>(monitor: u32, request: &Request<B>) -> bool {
    let marks = request.extensions().get::<MonitorMarks>();
    marks.is_some_and(|marks| marks.0.contains(&monitor))
}

#[cold]
fn is_inside_current<B>(layer: &LayerState, request: &Request<B>) -> bool {
    let monitor = layer.requests.number();
    let Some((slot, _)) = context::current_slot(monitor) else {
        return false;
    };
    let same = is_marked(monitor, request)
        || !slot.is_marked() && looks_like_current(layer, &slot, request);
    layer.requests.begin_marking();
    if same {
        layer.diagnostics.report(NESTED_LAYER);
        pass_route_outward(layer, &slot, request);
    }
    same
}

/// Whether a request that no layer marked is the current one: it has the same method and the same path. A nested service
/// sees the end of the path.
fn looks_like_current<B>(layer: &LayerState, slot: &Arc<Slot>, request: &Request<B>) -> bool {
    let method: Method = layer.requests.methods().of(request.method());
    if slot.method() != Some(method) {
        return false;
    }
    let path = request.uri().path();
    let is_end_of_outer = |texts: &[u8]| {
        let outer = Reader::new(texts).str();
        outer.is_none_or(|outer| path == "/" || outer.ends_with(path))
    };
    slot.try_with_head(|facts| is_end_of_outer(&facts.texts))
        .unwrap_or(true)
}

/// Gives the outer layer the route that this layer sees, if the outer one has none, or that of a nested service.
fn pass_route_outward<B>(layer: &LayerState, slot: &Slot, request: &Request<B>) {
    let routes = layer.requests.routes();
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
