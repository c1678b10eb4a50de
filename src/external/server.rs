use std::borrow::Cow;
use std::sync::{Arc, Mutex};

use rustc_hash::FxHashMap;

use super::calls::lock;
use super::end::End;
use super::grpc;
use crate::metrics::{Histogram, UpDownCounter};
use crate::model::Outcome;
use crate::record::Method;
use crate::semconv;

/// Series of one server that are found again without asking the registry.
pub(super) const MAX_SERIES: usize = 256;

/// A server that calls go to.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) address: Arc<str>,
    pub(super) port: Option<u16>,
    /// The service that called it first.
    pub(super) added_by: Arc<str>,
    active: UpDownCounter,
    actives: Mutex<FxHashMap<u8, UpDownCounter>>,
    series: Mutex<FxHashMap<Key, Histogram>>,
    pub(super) grpc_series: Mutex<FxHashMap<grpc::Key, Histogram>>,
}

/// What tells the series of one server apart.
type Key = (
    u8,
    Option<u16>,
    Outcome,
    Cow<'static, str>,
    Arc<str>,
    Option<&'static str>,
);

impl Server {
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
            actives: Mutex::default(),
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

    /// Calls under way with this method.
    pub(super) fn active(&self, method: Method) -> UpDownCounter {
        let mut actives = lock(&self.actives);
        let active = actives.entry(method.index());
        active
            .or_insert_with(|| self.active.with(self.labels(method)))
            .clone()
    }

    /// The series of calls of a service that ended so.
    pub(super) fn series(
        &self,
        base: &Histogram,
        service: &Arc<str>,
        method: Method,
        version: Option<&'static str>,
        end: &End,
    ) -> Histogram {
        let key = (
            method.index(),
            end.status,
            end.outcome,
            end.error_type.clone().unwrap_or_default(),
            Arc::clone(service),
            version,
        );
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
        let mut known = lock(&self.series);
        if known.len() < MAX_SERIES {
            known.insert(key, series.clone());
        }
        series
    }
}
