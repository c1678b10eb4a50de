//! The messages of `io.prometheus.client`, whose field numbers are those of its `metrics.proto`.

use std::borrow::Cow;

use super::native::{NativeBuckets, SCHEMA, SparseBuckets};
use super::wire::{Field, double, int, message, packed_sints, sint, string, uint};
use crate::metrics::exemplar::Exemplar;
use crate::metrics::exponential::ZERO_THRESHOLD;
use crate::metrics::histogram_values::HistogramValues;
use crate::metrics::labels::{pairs, unescaped};
use crate::metrics::name::InstrumentKind;
use crate::metrics::series::{Series, SeriesCell};

/// The type of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FamilyType {
    Counter = 0,
    Gauge = 1,
    Untyped = 3,
    Histogram = 4,
}

impl FamilyType {
    pub(super) fn of(kind: InstrumentKind) -> Self {
        match kind {
            InstrumentKind::Counter => Self::Counter,
            InstrumentKind::Gauge | InstrumentKind::UpDownCounter => Self::Gauge,
            InstrumentKind::Histogram => Self::Histogram,
        }
    }

    /// The field of a metric that has its value.
    fn field(self) -> Field {
        match self {
            Self::Gauge => 2,
            Self::Counter => 3,
            Self::Untyped => 5,
            Self::Histogram => 7,
        }
    }
}

/// Writes the first fields of a `MetricFamily`. Its metrics follow, and [`unit`] ends it.
pub(super) fn header(out: &mut Vec<u8>, name: &str, help: &str, family_type: FamilyType) {
    string(out, 1, name);
    if !help.is_empty() {
        string(out, 2, help);
    }
    uint(out, 3, family_type as u64);
}

/// Writes the field of a `MetricFamily` after its metrics.
pub(super) fn unit(out: &mut Vec<u8>, unit: &str) {
    if !unit.is_empty() {
        string(out, 5, unit);
    }
}

/// Writes one series as a `Metric`.
#[expect(
    clippy::cast_precision_loss,
    reason = "numbers above 2^53 are rounded, as in Prometheus"
)]
pub(super) fn series(out: &mut Vec<u8>, series: &Series) {
    match &series.cell {
        SeriesCell::Counter(cell) => {
            let total = cell.total() as f64;
            number(out, FamilyType::Counter, &series.labels, total);
        }
        SeriesCell::UpDown(cell) => {
            let value = cell.value() as f64;
            number(out, FamilyType::Gauge, &series.labels, value);
        }
        SeriesCell::Gauge(cell) => number(out, FamilyType::Gauge, &series.labels, cell.value()),
        SeriesCell::Histogram(cell) => metric(out, &series.labels, |out| {
            message(out, FamilyType::Histogram.field(), |out| {
                // Each cell is read once, so that the count is the sum of the native buckets.
                let bounds = cell.bounds().values();
                histogram(out, &cell.values(), bounds, |bucket| cell.exemplar(bucket));
            });
        }),
        SeriesCell::Off => {}
    }
}

/// Writes a `Metric` with a number, whose labels are canonical.
pub(super) fn number(out: &mut Vec<u8>, family_type: FamilyType, labels: &str, value: f64) {
    metric(out, labels, |out| {
        message(out, family_type.field(), |out| double(out, 1, value));
    });
}

/// Writes a `Metric` with a number that another recorder exposes.
pub(super) fn foreign_number(
    out: &mut Vec<u8>,
    family_type: FamilyType,
    labels: &[(&str, String)],
    value: f64,
    timestamp_ms: Option<i64>,
) {
    message(out, 4, |out| {
        for (name, value) in labels {
            label(out, name, value);
        }
        message(out, family_type.field(), |out| double(out, 1, value));
        if let Some(timestamp) = timestamp_ms {
            int(out, 6, timestamp);
        }
    });
}

fn metric(out: &mut Vec<u8>, labels: &str, write: impl FnOnce(&mut Vec<u8>)) {
    message(out, 4, |out| {
        for (name, value) in pairs(labels) {
            let value = if value.contains('\\') {
                Cow::Owned(unescaped(value))
            } else {
                Cow::Borrowed(value)
            };
            label(out, name, &value);
        }
        write(out);
    });
}

/// Writes a `LabelPair`, which is the first field of a metric and of an exemplar.
fn label(out: &mut Vec<u8>, name: &str, value: &str) {
    message(out, 1, |out| {
        string(out, 1, name);
        string(out, 2, value);
    });
}

/// Writes the fields of a `Histogram`: its own buckets, which have the exemplars, and the native ones.
pub(super) fn histogram(
    out: &mut Vec<u8>,
    values: &HistogramValues,
    bounds: &[f64],
    exemplar: impl Fn(usize) -> Option<Exemplar>,
) {
    let native = NativeBuckets::new(&values.distribution());
    uint(out, 1, native.count);
    double(out, 2, values.sum());
    let mut cumulative = 0_u64;
    for (bucket, in_bucket) in values.buckets().into_iter().enumerate() {
        cumulative = cumulative.saturating_add(in_bucket);
        let exemplar = exemplar(bucket);
        let upper = bounds.get(bucket).copied();
        // The last bucket has the count of the histogram. It is only written for its exemplar.
        if upper.is_none() && exemplar.is_none() {
            continue;
        }
        message(out, 3, |out| {
            // A value that is being recorded may be in its bucket already, and in no native bucket yet.
            uint(out, 1, cumulative.min(native.count));
            double(out, 2, upper.unwrap_or(f64::INFINITY));
            if let Some(exemplar) = exemplar {
                message(out, 3, |out| write_exemplar(out, &exemplar));
            }
        });
    }
    // The zero threshold, which is above zero, also tells a receiver that this is a native histogram if nothing was
    // recorded yet.
    sint(out, 5, SCHEMA);
    double(out, 6, ZERO_THRESHOLD);
    uint(out, 7, native.zero);
    sparse(out, (9, 10), &native.negative);
    sparse(out, (12, 13), &native.positive);
}

fn sparse(out: &mut Vec<u8>, (span_field, delta_field): (Field, Field), buckets: &SparseBuckets) {
    for span in &buckets.spans {
        message(out, span_field, |out| {
            sint(out, 1, i64::from(span.offset));
            uint(out, 2, u64::from(span.length));
        });
    }
    packed_sints(out, delta_field, &buckets.deltas);
}

fn write_exemplar(out: &mut Vec<u8>, exemplar: &Exemplar) {
    let trace = exemplar.trace.hex();
    label(
        out,
        "trace_id",
        std::str::from_utf8(&trace).unwrap_or_default(),
    );
    double(out, 2, exemplar.value);
    message(out, 3, |out| {
        uint(out, 1, exemplar.wall / 1_000_000_000);
        uint(out, 2, exemplar.wall % 1_000_000_000);
    });
}
