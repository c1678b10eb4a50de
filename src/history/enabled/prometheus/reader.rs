use std::fmt;
use std::future::poll_fn;
use std::path::PathBuf;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, SystemTime};

use http::header::AUTHORIZATION;
use http::uri::Scheme;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use tokio::runtime::Handle;
use tokio::time::Instant;

use super::api::{Form, QueryApi};
use super::forms::MetricForms;
use super::lists;
use super::response::QueryData;
use crate::error::{Error, Result};
use crate::history::enabled::catalog::MetricInfo;
use crate::history::enabled::metric_query::{MetricQuery, ResultSeries};
use crate::history::enabled::metric_reader::{MetricReader, ReadFuture};
use crate::history::enabled::promql::{MetricForm, promql, selects_nothing};
use crate::history::enabled::time_range::{TimeRange, millis};
use crate::model::{catch_panic, suppressed};
use crate::worker::{HttpClient, TlsRoots};

/// The longest time limit of a query.
const MAX_TIMEOUT: Duration = Duration::from_secs(3600);

/// Answers a [`MetricQuery`] with the metrics of every instance that a Prometheus server scrapes, through its HTTP API.
///
/// It needs the feature `prometheus-reader`. Servers with the same API work as well, such as Thanos or Mimir. Cheap to
/// clone; clones share what they know about the metrics.
///
/// ```no_run
/// use std::time::{Duration, SystemTime};
/// use watchpost::history::{MetricQuery, MetricReader, PrometheusReader};
///
/// # async fn read() -> watchpost::Result<()> {
/// let reader = PrometheusReader::new("https://prometheus.example.com")?
///     .basic_auth("shop", "the password")
///     .timeout(Duration::from_secs(5));
/// let query = MetricQuery::rate("jobs_total").label("job", "shop").by(["instance"]);
/// for series in reader.at(&query, SystemTime::now()).await? {
///     println!("{:?}: {} jobs/s", series.labels, series.points[0].value);
/// }
/// # Ok(())
/// # }
/// ```
///
/// With two instances it prints, for example:
///
/// ```text
/// [("instance", "10.0.0.7:9000")]: 12.4 jobs/s
/// [("instance", "10.0.0.8:9000")]: 11.9 jobs/s
/// ```
///
/// # What it asks
///
/// The labels that the server adds, such as `instance` and `job`, are in the results. They can be matched, and be grouped
/// by. A query of a service should match `job`: a server may have the same metric of other services.
///
/// | function | of a counter | of a gauge | of a native histogram | of a classic histogram |
/// |---|---|---|---|---|
/// | `increase` | `increase(x[w])` | | `histogram_count(increase(x[w]))` | `increase(x_count[w])` |
/// | `rate` | `rate(x[w])` | | `histogram_count(rate(x[w]))` | `rate(x_count[w])` |
/// | `sum_increase` | | | `histogram_sum(increase(x[w]))` | `increase(x_sum[w])` |
/// | `mean` | | `avg_over_time(x[w])` | the quotient of the rates of sum and count | the same |
/// | `quantile` | | | `histogram_quantile(q, rate(x[w]))` | `histogram_quantile(q, rate(x_bucket[w]))` |
/// | `last`, `min`, `max` | | `last_over_time(x[w])`, .. | | |
///
/// With `by` or `total`, these are combined by `sum`, gauges by their `aggregation`. The type of a metric comes from the
/// server's metadata; where it has none, from the names of its series. A histogram is read in its native form if the server
/// has that in the hours of the query, otherwise in the classic one. What is known about a metric is kept for a minute.
///
/// `metrics` lists those whose type is in the server's metadata, so those of targets that it scrapes now, and that have
/// series; `label_values` looks at all series that it has.
///
/// # Differences to the history
///
/// - Prometheus extrapolates: an increase is scaled to the whole window, and need not be a whole number. It differs by
///   what happened between the borders of the window and the scrapes next to them. A window should have at least twenty
///   scrapes.
/// - The first value of a series is no increase: Prometheus does not know whether the series began at zero.
/// - A rate is per second of the window. The history divides by the time that its snapshots cover, so that an instance that
///   ran for a part of the window has a higher rate there.
/// - What an instance counted between its last scrape and its end is lost.
/// - Quantiles of native histograms are as exact as those of the history. Those of classic histograms are interpolated
///   between the exposed bounds, and are at most the highest bound. To compare two results, both must have one form.
/// - A gauge of an instance that is gone counts with its own value in the window, as in the history: staleness ends no
///   series within a window. After its end, a window without samples has no point.
/// - A window contains its end, not its begin. A server before version 3 includes both.
/// - `NaN` is a value of gauges only. A mean or a quantile without values has no point.
///
/// # Limits
///
/// A response has at most 32 MiB. A query has ten seconds by default, with all its requests, and the server gives up at the
/// same time. Each query uses one to four requests, each with a connection of its own: it belongs to the runtime that reads.
///
/// An error of the server, a status that is not a success, anything but the API's JSON, and warnings (the server has no
/// complete result) make the read fail with an error for which [`Error::is_reader`] is true. It contains no credentials.
///
/// Futures must be polled inside a Tokio runtime with timers and I/O (`enable_all`), else they complete with an error.
/// Dropping one closes its connection, which ends the query in the server.
#[derive(Clone)]
pub struct PrometheusReader {
    api: QueryApi,
    timeout: Duration,
    forms: Arc<MetricForms>,
}

impl PrometheusReader {
    /// The default time limit of a query: 10 s.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

    /// Creates a reader of a server, such as `http://127.0.0.1:9090` or `https://example.com/prometheus`: the URL before
    /// `/api/v1`. Sends nothing.
    ///
    /// # Errors
    ///
    /// Returns an error if the URL is not one of `http` or `https` with a host, or if it contains credentials or a query.
    pub fn new(url: &str) -> Result<Self> {
        let parsed = url.parse::<Uri>().ok();
        let parsed = parsed
            .filter(|url| [Some(&Scheme::HTTP), Some(&Scheme::HTTPS)].contains(&url.scheme()));
        let host = parsed
            .as_ref()
            .and_then(|url| Some(url.authority()?.as_str().to_owned()));
        let (Some(parsed), Some(host)) = (parsed, host) else {
            return Err(invalid(
                "the URL of the Prometheus server is none of `http` or `https` with a host",
            ));
        };
        if host.contains('@') {
            return Err(invalid(
                "the URL of the Prometheus server contains credentials: use `basic_auth`",
            ));
        }
        if parsed.query().is_some() {
            return Err(invalid(
                "the URL of the Prometheus server contains a query: end it before `/api/v1`",
            ));
        }
        let client = HttpClient::without_idle_connections(&TlsRoots::default());
        let scheme = parsed.scheme_str().unwrap_or("http");
        Ok(Self {
            api: QueryApi {
                client: client.map_err(|problem| invalid(&problem))?,
                base: format!("{scheme}://{host}{}", parsed.path().trim_end_matches('/')),
                host,
                headers: HeaderMap::new(),
            },
            timeout: Self::DEFAULT_TIMEOUT,
            forms: Arc::default(),
        })
    }

    /// Sends a token with each request: `Authorization: Bearer TOKEN`.
    ///
    /// # Errors
    ///
    /// Returns an error if the token has characters that cannot stand in a header.
    pub fn bearer_token(self, token: &str) -> Result<Self> {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// Sends a user name and a password with each request, as basic authentication.
    #[must_use]
    pub fn basic_auth(mut self, user: &str, password: &str) -> Self {
        let credentials = base64(format!("{user}:{password}").as_bytes());
        if let Ok(mut value) = HeaderValue::try_from(format!("Basic {credentials}")) {
            value.set_sensitive(true);
            self.api.headers.insert(AUTHORIZATION, value);
        }
        self
    }

    /// Sends a header with each request, such as `X-Scope-OrgID`. A second value of a header replaces the first.
    ///
    /// # Errors
    ///
    /// Returns an error if the name or the value is invalid.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self> {
        let name = HeaderName::try_from(name)
            .map_err(|_| invalid("a header for the Prometheus server has an invalid name"))?;
        let mut value = HeaderValue::try_from(value).map_err(|_| {
            invalid(&format!(
                "the header `{name}` for the Prometheus server has an invalid value"
            ))
        })?;
        value.set_sensitive(true);
        self.api.headers.insert(name, value);
        Ok(self)
    }

    /// Trusts the certificate authorities in a PEM file in place of the public ones. Reads the file now.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be read or has no certificate.
    pub fn certificate_authorities(mut self, file: impl Into<PathBuf>) -> Result<Self> {
        let roots = TlsRoots {
            authorities: Some(file.into()),
        };
        let client = HttpClient::without_idle_connections(&roots);
        self.api.client = client.map_err(|problem| invalid(&problem))?;
        Ok(self)
    }

    /// Sets the time limit of a query with all its requests, at most an hour. Default: 10 s.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout.min(MAX_TIMEOUT);
        self
    }

    /// Sends a query and reads its result. `times` are the start of the first window and the end of the last one.
    async fn read(
        &self,
        query: &MetricQuery,
        path: &str,
        times: (i64, i64),
        form: Form,
    ) -> Result<Vec<ResultSeries>> {
        if selects_nothing(query) {
            return Ok(Vec::new());
        }
        let until = self.until()?;
        let found = self.forms.find(&self.api, query, times, until).await?;
        let Some((found, expression)) = found.and_then(|it| Some((it, promql(query, it)?))) else {
            return Ok(Vec::new());
        };
        let form = form.with("query", &expression);
        let mut results = self.api.query::<QueryData>(path, form, until).await?.0;
        if found != MetricForm::Gauge {
            for series in &mut results {
                series.points.retain(|point| !point.value.is_nan());
            }
        }
        results.retain(|series| !series.points.is_empty());
        results.sort_by(|one, other| one.labels.cmp(&other.labels));
        Ok(results)
    }

    /// Polls a read with telemetry suppressed: its requests are ours, not the host's.
    fn guarded<'a, T>(
        &'a self,
        read: impl Future<Output = Result<T>> + Send + 'a,
    ) -> ReadFuture<'a, T> {
        let mut read = Box::pin(read);
        Box::pin(poll_fn(move |cx| {
            // Tokio panics if the runtime has no timers or no I/O.
            let poll = suppressed(|| catch_panic(|| read.as_mut().poll(cx)));
            poll.unwrap_or_else(|| Poll::Ready(Err(self.no_runtime())))
        }))
    }

    /// The end of the time limit of a read that begins now.
    fn until(&self) -> Result<Instant> {
        if Handle::try_current().is_err() {
            return Err(self.no_runtime());
        }
        Ok(Instant::now() + self.timeout)
    }

    fn no_runtime(&self) -> Error {
        self.api
            .problem("can be read only inside a Tokio runtime with timers and I/O: build it with `enable_all`")
    }
}

impl MetricReader for PrometheusReader {
    fn at<'a>(&'a self, query: &'a MetricQuery, time: SystemTime) -> ReadFuture<'a> {
        self.guarded(async move {
            query.check()?;
            let at = millis(time);
            let form = Form::default().with("time", &seconds(at));
            let times = (window_start(query, at), at);
            self.read(query, "/api/v1/query", times, form).await
        })
    }

    fn range<'a>(
        &'a self,
        query: &'a MetricQuery,
        start: SystemTime,
        end: SystemTime,
        step: Duration,
    ) -> ReadFuture<'a> {
        self.guarded(async move {
            query.check()?;
            let range = TimeRange::new(start, end, step)?;
            let form = Form::default()
                .with("start", &seconds(range.start))
                .with("end", &seconds(range.end))
                .with("step", &seconds(range.step));
            let times = (window_start(query, range.start), range.end);
            self.read(query, "/api/v1/query_range", times, form).await
        })
    }

    fn metrics(&self) -> ReadFuture<'_, Vec<MetricInfo>> {
        self.guarded(async { lists::metrics(&self.api, self.until()?).await })
    }

    fn label_values<'a>(&'a self, metric: &'a str, label: &'a str) -> ReadFuture<'a, Vec<String>> {
        self.guarded(
            async move { lists::label_values(&self.api, metric, label, self.until()?).await },
        )
    }
}

/// The begin of a window, in milliseconds since the Unix epoch.
fn window_start(query: &MetricQuery, end: i64) -> i64 {
    let window = i64::try_from(query.window.as_millis()).unwrap_or(i64::MAX);
    end.saturating_sub(window).max(0)
}

/// Milliseconds as seconds with three decimals.
fn seconds(millis: i64) -> String {
    format!("{}.{:03}", millis / 1000, millis % 1000)
}

fn invalid(problem: &str) -> Error {
    Error::config(vec![problem.to_owned()])
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |n: usize| u32::from(group.get(n).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for n in 0..4_usize {
            let digit = DIGITS.get((bits >> (18 - 6 * n) & 63) as usize).copied();
            let digit = digit.filter(|_| n <= group.len());
            out.push(char::from(digit.unwrap_or(b'=')));
        }
    }
    out
}

impl fmt::Debug for PrometheusReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrometheusReader")
            .field("url", &self.api.base)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
