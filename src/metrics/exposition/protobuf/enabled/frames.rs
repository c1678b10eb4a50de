use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;

use super::joined;
use super::wire::insert_length;
use super::write::{self, FamilyType};
use crate::metrics::exposition::ExpositionFormat;
use crate::metrics::exposition::join::{self, SampleNames};
use crate::metrics::exposition::source::{FULL_FRAME, FrameSource, split_frame};
use crate::metrics::joined::JoinedExposition;
use crate::metrics::metric::Metric;
use crate::metrics::name::{InstrumentKind, MetricName};
use crate::metrics::observable::ObservableMetric;
use crate::metrics::registry::{Family, Registry};
use crate::metrics::series::Series;
use crate::model::read_for_status;

/// A protobuf exposition that is being written: one `MetricFamily` after the other, each after its length.
///
/// It holds no lock between two frames. A series is read when it is written. A family is sent once all its series are
/// written, because its length comes first.
#[derive(Debug)]
pub(super) struct ProtobufExposition {
    registry: Arc<Registry>,
    families: std::vec::IntoIter<Family>,
    open: Option<OpenFamily>,
    /// The joined expositions that are left.
    joined: std::vec::IntoIter<JoinedExposition>,
    names: SampleNames,
    has_ended: bool,
    out: Vec<u8>,
    /// Complete families that are not sent; they may be larger than one frame.
    rest: Bytes,
}

/// The family that is being written.
#[derive(Debug)]
struct OpenFamily {
    metric: Arc<Metric>,
    /// Its series that are left.
    series: std::vec::IntoIter<Arc<Series>>,
    /// Where it begins in the output.
    begin: usize,
}

impl ProtobufExposition {
    pub(super) fn new(registry: &Arc<Registry>) -> Self {
        let joined = read_for_status(&registry.joined).map(|joined| joined.clone());
        let joined = joined.unwrap_or_default();
        let families = registry.families();
        // Only joined expositions are compared with the names of the registry.
        let names = SampleNames::new(if joined.is_empty() { &[] } else { &families });
        Self {
            registry: Arc::clone(registry),
            families: families.into_iter(),
            open: None,
            joined: joined.into_iter(),
            names,
            has_ended: false,
            out: Vec::new(),
            rest: Bytes::new(),
        }
    }

    /// Writes the next series, header, observable metric or joined exposition.
    fn write_next(&mut self) {
        if let Some(open) = &mut self.open {
            if let Some(series) = open.series.next() {
                write::series(&mut self.out, &series);
            } else {
                write::unit(&mut self.out, &open.metric.name.unit);
                insert_length(&mut self.out, open.begin);
                self.open = None;
            }
            return;
        }
        match self.families.next() {
            Some(Family::Metric(metric)) => self.open_family(metric),
            Some(Family::Observable(metric)) => observable(&mut self.out, &metric),
            None => self.write_joined_or_end(),
        }
    }

    fn open_family(&mut self, metric: Arc<Metric>) {
        let series = metric.exposed_series();
        // All series of a metric may be idle. Then the family is left out.
        if series.is_empty() {
            return;
        }
        let begin = self.out.len();
        family_header(
            &mut self.out,
            &metric.name,
            metric.kind,
            &metric.description(),
        );
        self.open = Some(OpenFamily {
            metric,
            series: series.into_iter(),
            begin,
        });
    }

    fn write_joined_or_end(&mut self) {
        match self.joined.next() {
            Some(theirs) => {
                let mut text = String::new();
                let format = ExpositionFormat::Text;
                join::write(&theirs, &self.registry, format, &mut self.names, &mut text);
                joined::write(&text, &mut self.out);
            }
            None => self.has_ended = true,
        }
    }

    /// Takes the complete families from the output.
    fn take_complete(&mut self) -> Bytes {
        let mut complete = std::mem::take(&mut self.out);
        if let Some(open) = &mut self.open {
            self.out = complete.split_off(std::mem::take(&mut open.begin));
        }
        complete.into()
    }
}

impl FrameSource for ProtobufExposition {
    fn content_type(&self) -> &'static str {
        "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
    }

    fn poll_frame(&mut self) -> Poll<Option<Bytes>> {
        if self.rest.is_empty() {
            // As much as fits into a frame is written at a time, also of a family that takes many frames.
            let full = self.out.len().saturating_add(FULL_FRAME);
            while self.out.len() < full && !self.has_ended {
                self.write_next();
            }
            self.rest = self.take_complete();
        }
        match split_frame(&mut self.rest) {
            None if !self.has_ended => Poll::Pending,
            frame => Poll::Ready(frame),
        }
    }

    fn is_at_end(&self) -> bool {
        self.has_ended && self.rest.is_empty()
    }
}

fn family_header(out: &mut Vec<u8>, name: &MetricName, kind: InstrumentKind, help: &str) {
    write::header(out, &name.sample_name(kind), help, FamilyType::of(kind));
}

/// Reads the values of an observable metric and writes them.
fn observable(out: &mut Vec<u8>, metric: &ObservableMetric) {
    let values = metric.values();
    if values.is_empty() {
        return;
    }
    let begin = out.len();
    family_header(out, &metric.name, metric.kind, &metric.description);
    for (labels, value) in values {
        write::number(out, FamilyType::of(metric.kind), &labels, value);
    }
    write::unit(out, &metric.name.unit);
    insert_length(out, begin);
}
