//! Which route a request under way has, and what is said where it has none.

use super::InFlightRequest;
use super::grpc_call::RpcPath;
use crate::context::Facts;
use crate::model::codec::Reader;
use crate::model::prefix;
use crate::record::MAX_METHOD;
use crate::semconv;

impl InFlightRequest {
    /// Takes the route that a layer inside has seen.
    #[inline]
    pub(super) fn take_route(&mut self) {
        if let Some(slot) = &self.slot {
            self.ids.route = slot.route();
        }
    }

    /// The path of a gRPC call becomes its route: what has come of the response shows that the method exists.
    #[cold]
    pub(super) fn learn_route(&mut self) {
        if self.grpc.path != RpcPath::Learns {
            return;
        }
        self.grpc.path = RpcPath::Unknown;
        let shared = &self.shared;
        let learn = |facts: &mut Facts| {
            let path = Reader::new(&facts.texts).str()?;
            let routes = shared.requests.routes();
            shared.grpc()?.learn(path, routes, &shared.diagnostics)
        };
        let Some(slot) = &self.slot else { return };
        let mut route = None;
        slot.lend(|facts| route = learn(facts));
        if let Some(route) = route {
            self.ids.route = route;
            self.grpc.path = RpcPath::Route;
            slot.rename(self.ids, self.start);
            slot.polled(None);
        }
    }

    /// Keeps the method that is no label.
    #[cold]
    pub(super) fn keep_method(&mut self, method: &http::Method) {
        let method = prefix(method.as_str(), MAX_METHOD).to_owned();
        self.attributes
            .insert(semconv::HTTP_REQUEST_METHOD_ORIGINAL, method);
    }

    /// Counts an answer without a route, until it is clear that the layer can see none.
    #[cold]
    pub(super) fn unrouted(&self) {
        let shared = &self.shared;
        if shared.unrouted.count() && shared.requests.routes().none_seen() {
            shared.diagnostics.report(shared.unrouted.sentence());
        }
    }
}
