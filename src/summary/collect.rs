//! Reads the figures of a period from the history.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use super::figures::{
    ContentFigures, HostFigure, PeriodFigures, PoolFigures, ProcessFigures, QuotaFigures,
    RequestFigures, TimeFigures,
};
use crate::error::Result;
use crate::history::{Aggregation, History, MetricQuery, ResultSeries};
use crate::http::class_of_labels;

const REQUESTS: &str = "http_server_request_duration_seconds";
const TIME_TO_HEADERS: &str = "watchpost_http_time_to_headers_seconds";
const OUTCOME: &str = "watchpost_outcome";
const STATUS: &str = "http_response_status_code";
const GENERATION_TIME: &str = "content_generation_duration_seconds";
const POOL: &str = "db_client_connection_pool_name";
const SERVICE: &str = "service_peer_name";
const LIMIT_WINDOW: &str = "watchpost_rate_limit_window";

/// A period that ends at `end`.
pub(super) struct Period<'a> {
    pub(super) history: &'a History,
    pub(super) start: SystemTime,
    pub(super) end: SystemTime,
}

impl Period<'_> {
    /// The figures of the period. `own` are the host's queries, by name.
    ///
    /// # Errors
    ///
    /// Returns an error if the period is shorter than a millisecond, or if a query of the host is invalid.
    pub(super) fn figures(&self, own: &[(String, MetricQuery)]) -> Result<PeriodFigures> {
        let figures = own.iter().map(|(name, query)| {
            Ok(HostFigure {
                name: name.clone(),
                value: self.total(query.clone())?,
            })
        });
        let has_data = self.covered() > Duration::ZERO;
        let users = MetricQuery::max("watchpost_users_active").label("window", "5m");
        Ok(PeriodFigures {
            start: self.start,
            end: self.end,
            data_from: self.data_from(),
            covered: self.covered(),
            requests: has_data.then(|| self.requests()).transpose()?,
            content: has_data.then(|| self.content()).transpose()?,
            active_users: self.total(users)?.map(whole),
            process: self.process()?,
            pools: self.pools()?,
            quotas: self.quotas()?,
            figures: figures.collect::<Result<_>>()?,
        })
    }

    /// Whether the history contains the whole period, but for the length of two snapshots.
    pub(super) fn is_complete(&self) -> bool {
        let slack = self.history.interval() * 2;
        let length = self.end.duration_since(self.start).unwrap_or_default();
        self.covered() + slack >= length
    }

    fn covered(&self) -> Duration {
        self.history.covered(self.start, self.end)
    }

    /// When the data begins, if that is after the begin of the period; its end if there is no data.
    fn data_from(&self) -> Option<SystemTime> {
        let begins = self.history.begins_at().unwrap_or(self.end);
        (begins > self.start).then_some(begins.min(self.end))
    }

    fn requests(&self) -> Result<RequestFigures> {
        let mut requests = RequestFigures::default();
        for series in self.read(finished(MetricQuery::increase(REQUESTS)).by([OUTCOME, STATUS]))? {
            let count = whole(value(&series));
            let class = class_of_labels(label(&series, OUTCOME), label(&series, STATUS));
            requests.count += count;
            if class.is_error {
                requests.errors += count;
            }
            if class.is_client_error {
                requests.client_errors += count;
            }
            if class.is_cancelled {
                requests.cancelled += count;
            }
        }
        requests.per_second = self.total(finished(MetricQuery::rate(REQUESTS)))?;
        requests.error_rate = ratio(requests.errors, requests.count);
        requests.response_time = self.times(|query| finished(query(REQUESTS)))?;
        requests.time_to_headers = self.times(|query| query(TIME_TO_HEADERS))?;
        Ok(requests)
    }

    fn content(&self) -> Result<ContentFigures> {
        let count = |name: &str| self.total(MetricQuery::increase(name));
        Ok(ContentFigures {
            generated: whole(count("content_generated_total")?.unwrap_or(0.0)),
            failures: whole(count("content_generation_failures_total")?.unwrap_or(0.0)),
            generation_time: self.times(|query| query(GENERATION_TIME))?,
        })
    }

    fn process(&self) -> Result<ProcessFigures> {
        let cpu = "process_cpu_utilization_ratio";
        let memory = "process_resident_memory_bytes";
        let utilization = "system_memory_utilization_ratio";
        Ok(ProcessFigures {
            cpu: self.total(MetricQuery::mean(cpu))?,
            cpu_max: self.total(MetricQuery::max(cpu))?,
            memory: self.total(MetricQuery::last(memory))?.map(whole),
            memory_max: self.total(MetricQuery::max(memory))?.map(whole),
            memory_utilization: self.total(MetricQuery::last(utilization))?,
            memory_utilization_max: self.total(MetricQuery::max(utilization))?,
        })
    }

    fn pools(&self) -> Result<Vec<PoolFigures>> {
        let used = |query: MetricQuery| {
            let used = query.label("db_client_connection_state", "used");
            self.read(used.by([POOL]))
        };
        let by_pool = |all: Vec<ResultSeries>| -> BTreeMap<String, f64> {
            all.iter()
                .map(|series| (label(series, POOL).to_owned(), value(series)))
                .collect()
        };
        let count = "db_client_connection_count";
        let highest = by_pool(used(MetricQuery::max(count))?);
        let limits = by_pool(self.read(MetricQuery::last("db_client_connection_max").by([POOL]))?);
        let means = by_pool(used(MetricQuery::mean(count))?);
        let pools = means.into_iter().map(|(pool, used)| PoolFigures {
            used,
            used_max: highest.get(&pool).copied().unwrap_or(used),
            limit: limits.get(&pool).copied(),
            pool,
        });
        Ok(pools.collect())
    }

    fn quotas(&self) -> Result<Vec<QuotaFigures>> {
        let of = |query: MetricQuery| {
            // The instances of a service that are reached by several addresses share the limit.
            let by = query.by([SERVICE, LIMIT_WINDOW]);
            self.read(by.aggregation(Aggregation::Max))
        };
        let name = "watchpost_external_rate_limit_used_ratio";
        let highest = of(MetricQuery::max(name))?;
        let last = of(MetricQuery::last(name))?;
        let quotas = last.iter().map(|series| {
            let same = highest.iter().find(|other| other.labels == series.labels);
            QuotaFigures {
                service: label(series, SERVICE).to_owned(),
                window: label(series, LIMIT_WINDOW).to_owned(),
                used_ratio: value(series),
                used_ratio_max: same.map_or_else(|| value(series), value),
            }
        });
        Ok(quotas.collect())
    }

    /// The mean and quantiles of a histogram of seconds. `None` if nothing was recorded.
    fn times(
        &self,
        of: impl Fn(&dyn Fn(&str) -> MetricQuery) -> MetricQuery,
    ) -> Result<Option<TimeFigures>> {
        let read = |query: &dyn Fn(&str) -> MetricQuery| self.total(of(query));
        let quantile = |rank| read(&move |name| MetricQuery::quantile(rank, name));
        let mean = read(&|name| MetricQuery::mean(name))?;
        let quantiles = (quantile(0.5)?, quantile(0.95)?, quantile(0.99)?);
        let (Some(mean), (Some(p50), Some(p95), Some(p99))) = (mean, quantiles) else {
            return Ok(None);
        };
        Ok(Some(TimeFigures {
            mean: seconds(mean),
            p50: seconds(p50),
            p95: seconds(p95),
            p99: seconds(p99),
        }))
    }

    /// The value of all series together.
    fn total(&self, query: MetricQuery) -> Result<Option<f64>> {
        Ok(self.read(query.total())?.first().map(value))
    }

    fn read(&self, query: MetricQuery) -> Result<Vec<ResultSeries>> {
        let length = self.end.duration_since(self.start).unwrap_or_default();
        self.history.at(&query.window(length), self.end)
    }
}

/// Without upgrades, which end at the headers.
fn finished(query: MetricQuery) -> MetricQuery {
    query.label_not_in(OUTCOME, ["upgraded"])
}

fn value(series: &ResultSeries) -> f64 {
    series.points.first().map_or(0.0, |point| point.value)
}

fn label<'a>(series: &'a ResultSeries, label: &str) -> &'a str {
    let found = series.labels.iter().find(|(name, _)| name == label);
    found.map_or("", |(_, value)| value)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "increases are whole numbers and not negative"
)]
fn whole(count: f64) -> u64 {
    count.round() as u64
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts above 2^53 may be rounded"
)]
fn ratio(part: u64, all: u64) -> Option<f64> {
    (all > 0).then(|| part as f64 / all as f64)
}

fn seconds(value: f64) -> Duration {
    Duration::try_from_secs_f64(value.max(0.0)).unwrap_or(Duration::MAX)
}
