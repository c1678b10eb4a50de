use std::sync::Arc;

use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, ExponentialHistogram, Gauge, Histogram, Metric, NumberDataPoint, Sum,
};

use super::attributes::AttributeNames;
use super::points::{self, PointHead};
use crate::metrics::{
    HistogramAggregation, Increases, InstrumentKind, MetricSnapshot, MetricsConfig,
    MetricsTemporality, SeriesSnapshot, SeriesValue, TotalsReading,
};

/// The state of all series from one push to the next, from which start times and increases are calculated.
#[derive(Debug)]
pub(super) struct Streams {
    settings: StreamSettings,
    /// The totals at the last push. Those of the registry's own series are in it only where increases are pushed.
    increases: Increases,
}

/// What does not change from one push to the next.
#[derive(Debug)]
struct StreamSettings {
    names: AttributeNames,
    temporality: MetricsTemporality,
    aggregation: HistogramAggregation,
    /// The wall time of the monitor's start.
    start: u64,
}

/// A push that is being made.
pub(super) struct Push<'a> {
    settings: &'a StreamSettings,
    reading: TotalsReading<'a>,
    time: u64,
}

impl Streams {
    /// `start` is the wall time of the monitor's start.
    pub(super) fn new(config: &MetricsConfig, start: u64) -> Self {
        Self {
            settings: StreamSettings {
                names: AttributeNames::new(),
                temporality: config.temporality,
                aggregation: config.histogram_aggregation,
                start,
            },
            increases: Increases::new(start),
        }
    }

    /// Begins a push of a snapshot that was taken at this wall time.
    pub(super) fn begin(&mut self, time: u64) -> Push<'_> {
        Push {
            settings: &self.settings,
            reading: self.increases.begin(time),
            time,
        }
    }
}

impl StreamSettings {
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
        self.reading.end();
    }

    fn head(&self, series: &SeriesSnapshot, start: u64) -> PointHead {
        PointHead {
            attributes: self.settings.names.attributes(&series.labels),
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
                true if metric.is_observable() => self.settings.start,
                true => series.made_at,
                false => 0,
            };
            Some(points::number(self.head(series, start), value, is_whole))
        });
        levels.collect()
    }

    fn counters(&mut self, metric: &MetricSnapshot) -> Data {
        let is_whole = !metric.is_observable();
        let has_increases = self.settings.has_increases(metric.is_observable());
        let counters = sorted(metric).into_iter().filter_map(|series| {
            let SeriesValue::Number(total) = series.value else {
                return None;
            };
            // Without increases, the start of an observed total is needed, and nothing of the registry's own series.
            let increase = (has_increases || series.is_observed())
                .then(|| self.reading.counter(&metric.name, series, total));
            if !series.is_exposed {
                return None;
            }
            if !has_increases {
                let start = increase.map_or(series.made_at, |increase| increase.begins);
                return Some(points::number(self.head(series, start), total, is_whole));
            }
            let increase = increase.filter(|increase| increase.value > 0.0)?;
            let head = self.head(series, self.reading.last());
            Some(points::number(head, increase.value, is_whole))
        });
        Data::Sum(Sum {
            data_points: counters.collect(),
            aggregation_temporality: temporality(has_increases).into(),
            is_monotonic: true,
        })
    }

    fn histograms(&mut self, metric: &MetricSnapshot) -> Data {
        let has_increases = self.settings.has_increases(false);
        let last_push = self.reading.last();
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
            let increase = self.reading.histogram(series, total);
            let increase = increase.filter(|values| series.is_exposed && values.count() > 0)?;
            Some((self.head(series, last_push), increase, exemplars))
        });
        let points: Vec<_> = points.collect();
        let points = points.into_iter();
        let aggregation_temporality = temporality(has_increases).into();
        match self.settings.aggregation {
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
