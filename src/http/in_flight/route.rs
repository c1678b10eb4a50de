//! The route, where it becomes known late or not at all.

use super::state::{InFlightRequest, RpcPath};
use crate::context::RequestHead;
use crate::model::codec::Reader;
use crate::model::prefix;
use crate::record::MAX_METHOD;
use crate::semconv;

impl InFlightRequest {
    /// Takes over the route that a layer inside has found.
    #[inline]
    pub(super) fn take_route(&mut self) {
        if let Some(slot) = &self.slot {
            self.ids.route = slot.route();
        }
    }

    /// Makes the path of a gRPC call its route: the response has shown that the method exists.
    #[cold]
    pub(super) fn learn_route(&mut self) {
        if self.grpc.path != RpcPath::Learns {
            return;
        }
        self.grpc.path = RpcPath::Unknown;
        let layer = &self.layer;
        let learn = |facts: &mut RequestHead| {
            let path = Reader::new(&facts.texts).str()?;
            let routes = layer.requests.routes();
            layer
                .grpc_methods()?
                .learn(path, routes, &layer.diagnostics)
        };
        let Some(slot) = &self.slot else { return };
        let mut route = None;
        slot.with_head_mut(|facts| route = learn(facts));
        if let Some(route) = route {
            self.ids.route = route;
            self.grpc.path = RpcPath::Route;
            slot.set_ids(self.ids, self.start);
            slot.set_poll_start(None);
        }
    }

    /// Adds the method as it was sent, where it is no label.
    #[cold]
    pub(super) fn note_original_method(&mut self, method: &http::Method) {
        let method = prefix(method.as_str(), MAX_METHOD).to_owned();
        self.attributes
            .insert(semconv::HTTP_REQUEST_METHOD_ORIGINAL, method);
    }

    /// Counts a response without a route. After 100 of them, and where no request had a route, the layer stands in a
    /// place where it can see none, and a notice says so.
    #[cold]
    pub(super) fn count_unrouted(&self) {
        let layer = &self.layer;
        if layer.unrouted.count() && layer.requests.routes().none_seen() {
            layer.diagnostics.report(layer.unrouted.advice());
        }
    }
}
