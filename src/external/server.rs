use std::borrow::Cow;
use std::sync::{Arc, Mutex};

use rustc_hash::FxHashMap;

use super::end::CallEnd;
use crate::metrics::{Histogram, UpDownCounter};
use crate::model::grpc::Status;
use crate::model::{Outcome, lock};
use crate::record::Method;
use crate::semconv;

/// The maximum number of series of one server whose handles are cached. Further ones are looked up in the registry.
pub(super) const MAX_CACHED_SERIES: usize = 256;

/// A server that receives calls.
#[derive(Debug)]
pub(super) struct RemoteServer {
    pub(super) address: Arc<str>,
    pub(super) port: Option<u16>,
    /// The name of the service that called the server first.
    pub(super) added_by: Arc<str>,
    /// The number of calls in flight, without labels.
    active: UpDownCounter,
    active_by_method: Mutex<FxHashMap<u8, UpDownCounter>>,
    series: Mutex<FxHashMap<ClientSeriesKey, Histogram>>,
    pub(super) grpc_series: Mutex<FxHashMap<GrpcSeriesKey, Histogram>>,
}

/// The labels that distinguish the duration series of one server.
#[derive(Debug, PartialEq, Eq, Hash)]
struct ClientSeriesKey {
    method: u8,
    status: Option<u16>,
    outcome: Outcome,
    error_type: Cow<'static, str>,
    service: Arc<str>,
    version: Option<&'static str>,
}

/// The labels that distinguish the gRPC duration series of one server.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct GrpcSeriesKey {
    pub(super) method: Arc<str>,
    pub(super) status: Option<Status>,
    pub(super) error_type: Cow<'static, str>,
    pub(super) service: Arc<str>,
}

impl RemoteServer {
    pub(super) fn new(
        address: &str,
        port: Option<u16>,
        added_by: &Arc<str>,
        active: UpDownCounter,
    ) -> Self {
        Self {
            address: address.into(),
            port,
            added_by: Arc::clone(added_by),
            active,
            active_by_method: Mutex::default(),
            series: Mutex::default(),
            grpc_series: Mutex::default(),
        }
    }

    fn labels(&self, method: Method) -> Vec<(&'static str, String)> {
        let mut labels = vec![(semconv::HTTP_REQUEST_METHOD, method.as_str().to_owned())];
        labels.extend(self.address_labels());
        labels
    }

    pub(super) fn address_labels(&self) -> impl Iterator<Item = (&'static str, String)> {
        let port = self
            .port
            .map(|port| (semconv::SERVER_PORT, port.to_string()));
        let address = (semconv::SERVER_ADDRESS, self.address.to_string());
        std::iter::once(address).chain(port)
    }

    /// The number of calls in flight with this method.
    pub(super) fn active(&self, method: Method) -> UpDownCounter {
        let mut active_by_method = lock(&self.active_by_method);
        let active = active_by_method.entry(method.index());
        active
            .or_insert_with(|| self.active.with(self.labels(method)))
            .clone()
    }

    /// The duration series of a service's calls that ended in this way.
    pub(super) fn series(
        &self,
        base: &Histogram,
        service: &Arc<str>,
        method: Method,
        version: Option<&'static str>,
        end: &CallEnd,
    ) -> Histogram {
        let key = ClientSeriesKey {
            method: method.index(),
            status: end.status,
            outcome: end.outcome,
            error_type: end.error_type.clone().unwrap_or_default(),
            service: Arc::clone(service),
            version,
        };
        if let Some(series) = lock(&self.series).get(&key) {
            return series.clone();
        }
        let mut labels = self.labels(method);
        labels.push((semconv::SERVICE_PEER_NAME, service.to_string()));
        labels.push((semconv::WATCHPOST_OUTCOME, end.outcome.as_str().to_owned()));
        let status = end.status.map(|status| status.to_string());
        labels.extend(status.map(|status| (semconv::HTTP_RESPONSE_STATUS_CODE, status)));
        let version = version.map(str::to_owned);
        labels.extend(version.map(|version| (semconv::NETWORK_PROTOCOL_VERSION, version)));
        let error = end.error_type.as_ref().map(ToString::to_string);
        labels.extend(error.map(|error| (semconv::ERROR_TYPE, error)));
        let series = base.with(labels);
        // Beyond the limit a series is looked up in the registry each time, which is slower and still right.
        let mut cached = lock(&self.series);
        if cached.len() < MAX_CACHED_SERIES {
            cached.insert(key, series.clone());
        }
        series
    }
}
