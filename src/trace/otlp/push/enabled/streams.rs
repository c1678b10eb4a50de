use std::sync::Arc;

use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, ExponentialHistogram, Gauge, Histogram, Metric, NumberDataPoint, Sum,
};
use rustc_hash::FxHashMap;

use super::attributes::AttributeNames;
use super::points::{self, PointHead};
use crate::metrics::{
    HistogramAggregation, HistogramValues, InstrumentKind, MetricSnapshot, MetricsConfig,
    MetricsTemporality, SeriesId, SeriesSnapshot, SeriesValue,
};

/// After this many pushes without an observed counter, its total is forgotten.
const MAX_ABSENCE: u8 = 10;

/// The state of all series from one push to the next, from which start times and increases are calculated.
#[derive(Debug)]
pub(super) struct Streams {
    names: AttributeNames,
    temporality: MetricsTemporality,
    aggregation: HistogramAggregation,
    /// The wall time of the monitor's start.
    start: u64,
    /// The wall time of the last push, at first of the start.
    last_push: u64,
    /// The totals at the last push, also those of series that are not exposed: they may return with their totals. Empty
    /// unless increases are pushed.
    totals: FxHashMap<SeriesId, SeriesValue>,
    observed: FxHashMap<ObservedKey, ObservedTotal>,
}

/// The metric's exposed name and the labels of an observed counter.
type ObservedKey = (Arc<str>, Arc<str>);

/// An observed counter.
#[derive(Debug, Clone, Copy)]
struct ObservedTotal {
    /// When the total was zero or unknown, as wall time.
    start: u64,
    total: f64,
    /// The number of pushes since it was last observed.
    absence: u8,
}

/// A push that is being made.
pub(super) struct Push<'a> {
    streams: &'a mut Streams,
    time: u64,
    /// The totals of this push, as in [`Streams::totals`].
    totals: FxHashMap<SeriesId, SeriesValue>,
}

impl Streams {
    /// `start` is the wall time of the monitor's start.
    pub(super) fn new(config: &MetricsConfig, start: u64) -> Self {
        Self {
            names: AttributeNames::new(),
            temporality: config.temporality,
            aggregation: config.histogram_aggregation,
            start,
            last_push: start,
            totals: FxHashMap::default(),
            observed: FxHashMap::default(),
        }
    }

    /// Begins a push of a snapshot that was taken at this wall time.
    pub(super) fn begin(&mut self, time: u64) -> Push<'_> {
        for total in self.observed.values_mut() {
            total.absence = total.absence.saturating_add(1);
        }
        Push {
            totals: FxHashMap::default(),
            streams: self,
            time,
        }
    }

    fn has_increases(&self, is_observable: bool) -> bool {
        match self.temporality {
            MetricsTemporality::Cumulative => false,
            MetricsTemporality::Delta => true,
            MetricsTemporality::LowMemory => !is_observable,
        }
    }
}

impl Push<'_> {
    /// A metric of the snapshot. It has no points if none of its series has an increase to push.
    pub(super) fn metric(&mut self, metric: &MetricSnapshot) -> Metric {
        let data = match metric.kind() {
            InstrumentKind::Gauge => Data::Gauge(Gauge {
                data_points: self.levels(metric, false),
            }),
            InstrumentKind::UpDownCounter => Data::Sum(Sum {
                data_points: self.levels(metric, true),
                aggregation_temporality: AggregationTemporality::Cumulative.into(),
                is_monotonic: false,
            }),
            InstrumentKind::Counter => self.counters(metric),
            InstrumentKind::Histogram => self.histograms(metric),
        };
        let otel = metric.otel();
        Metric {
            name: otel.name.to_string(),
            description: metric.description(),
            unit: otel.unit.to_string(),
            metadata: Vec::new(),
            data: Some(data),
        }
    }

    /// Ends the push.
    pub(super) fn end(self) {
        let Self {
            streams,
            time,
            totals,
        } = self;
        streams.totals = totals;
        streams
            .observed
            .retain(|_, total| total.absence < MAX_ABSENCE);
        streams.last_push = time;
    }

    fn head(&self, series: &SeriesSnapshot, start: u64) -> PointHead {
        PointHead {
            attributes: self.streams.names.attributes(&series.labels),
            start,
            time: self.time,
        }
    }

    /// The current values of gauges, or of up-down counters, which are totals of a period.
    fn levels(&self, metric: &MetricSnapshot, are_totals: bool) -> Vec<NumberDataPoint> {
        let is_whole = are_totals && !metric.is_observable();
        let exposed = sorted(metric).into_iter().filter(|it| it.is_exposed);
        let levels = exposed.filter_map(|series| {
            let SeriesValue::Number(value) = series.value else {
                return None;
            };
            let start = match are_totals {
                true if metric.is_observable() => self.streams.start,
                true => series.made_at,
                false => 0,
            };
            Some(points::number(self.head(series, start), value, is_whole))
        });
        levels.collect()
    }

    fn counters(&mut self, metric: &MetricSnapshot) -> Data {
        let is_whole = !metric.is_observable();
        let has_increases = self.streams.has_increases(metric.is_observable());
        let counters = sorted(metric).into_iter().filter_map(|series| {
            let SeriesValue::Number(total) = series.value else {
                return None;
            };
            let (start, increase) = if metric.is_observable() {
                self.observed(metric, series, total)
            } else {
                (series.made_at, self.counted(series, total, has_increases))
            };
            if !series.is_exposed {
                return None;
            }
            if !has_increases {
                return Some(points::number(self.head(series, start), total, is_whole));
            }
            let head = self.head(series, self.streams.last_push);
            (increase > 0.0).then(|| points::number(head, increase, is_whole))
        });
        Data::Sum(Sum {
            data_points: counters.collect(),
            aggregation_temporality: temporality(has_increases).into(),
            is_monotonic: true,
        })
    }

    /// The increase of a counter since the last push.
    fn counted(&mut self, series: &SeriesSnapshot, total: f64, has_increases: bool) -> f64 {
        if !has_increases {
            return 0.0;
        }
        let before = match self.streams.totals.get(&series.id) {
            Some(SeriesValue::Number(before)) => *before,
            _ => 0.0,
        };
        self.totals.insert(series.id, SeriesValue::Number(total));
        total - before
    }

    /// The start time of an observed counter, and its increase since the last push.
    ///
    /// A total that is lower than before was reset to zero since then. A new one may have any age: if it appears after
    /// the first push, it has begun since the last push, as far as can be known.
    fn observed(
        &mut self,
        metric: &MetricSnapshot,
        series: &SeriesSnapshot,
        total: f64,
    ) -> (u64, f64) {
        let last_push = self.streams.last_push;
        let key = (Arc::clone(&metric.name), Arc::clone(&series.labels));
        let new = ObservedTotal {
            start: last_push,
            total: 0.0,
            absence: 0,
        };
        let observed = self.streams.observed.entry(key).or_insert(new);
        if total < observed.total {
            *observed = new;
        }
        let increase = total - observed.total;
        observed.total = total;
        observed.absence = 0;
        (observed.start, increase)
    }

    fn histograms(&mut self, metric: &MetricSnapshot) -> Data {
        let has_increases = self.streams.has_increases(false);
        let last_push = self.streams.last_push;
        let points = sorted(metric).into_iter().filter_map(|series| {
            let SeriesValue::Histogram(total) = &series.value else {
                return None;
            };
            let exemplars = points::exemplars(&series.exemplars, last_push);
            if !has_increases {
                return series.is_exposed.then(|| {
                    (
                        self.head(series, series.made_at),
                        Arc::clone(total),
                        exemplars,
                    )
                });
            }
            let increase = self.recorded(series, total).filter(|_| series.is_exposed)?;
            Some((self.head(series, last_push), increase, exemplars))
        });
        let points: Vec<_> = points.collect();
        let points = points.into_iter();
        let aggregation_temporality = temporality(has_increases).into();
        match self.streams.aggregation {
            HistogramAggregation::Exponential => {
                let points = points
                    .map(|(head, values, exemplars)| points::exponential(head, &values, exemplars));
                Data::ExponentialHistogram(ExponentialHistogram {
                    data_points: points.collect(),
                    aggregation_temporality,
                })
            }
            HistogramAggregation::ExplicitBuckets => {
                let points = points
                    .map(|(head, values, exemplars)| points::explicit(head, &values, exemplars));
                Data::Histogram(Histogram {
                    data_points: points.collect(),
                    aggregation_temporality,
                })
            }
        }
    }

    /// The values that were recorded since the last push, if there are any.
    fn recorded(
        &mut self,
        series: &SeriesSnapshot,
        total: &Arc<HistogramValues>,
    ) -> Option<Arc<HistogramValues>> {
        let now = SeriesValue::Histogram(Arc::clone(total));
        self.totals.insert(series.id, now);
        let increase = match self.streams.totals.get(&series.id) {
            Some(SeriesValue::Histogram(before)) if Arc::ptr_eq(before, total) => return None,
            Some(SeriesValue::Histogram(before)) => Arc::new(total.since(before)),
            _ => Arc::clone(total),
        };
        (increase.count() > 0).then_some(increase)
    }
}

/// The series in the order of their labels.
fn sorted(metric: &MetricSnapshot) -> Vec<&SeriesSnapshot> {
    let mut series: Vec<_> = metric.series.iter().collect();
    series.sort_unstable_by(|one, other| one.labels.cmp(&other.labels));
    series
}

fn temporality(has_increases: bool) -> AggregationTemporality {
    if has_increases {
        AggregationTemporality::Delta
    } else {
        AggregationTemporality::Cumulative
    }
}
