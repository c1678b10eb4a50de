//! Native histograms: a Prometheus that asks for them, the history of the monitor and the values of the client agree.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::http::{Request, header};
use axum::routing::get;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::net::TcpListener;
use tokio::time::sleep;
use watchpost::history::{HistoryConfig, MetricQuery};
use watchpost::{Monitor, MonitorGuard};

use crate::prometheus::Prometheus;
use crate::web::Web;
use crate::{AnyError, Checks, Place, until};

/// The histogram that the handler records the values of the client in.
const VALUES: &str = "job_wait_seconds";
const DURATIONS: &str = "http_server_request_duration_seconds";
/// The largest difference of two quantiles.
const TOLERANCE: f64 = 0.02;

/// A service in this process, scraped by a Prometheus of its own.
struct Native {
    monitor: MonitorGuard,
    prometheus: Prometheus,
    host: SocketAddr,
    /// The number of scrapes that got the protobuf format.
    scrapes: Arc<AtomicU64>,
    web: Web,
    /// The value of each request by its trace ID.
    values: BTreeMap<String, f64>,
}

/// The time from one moment without requests to another, and the values of the requests between them.
struct Period {
    end: SystemTime,
    length: Duration,
    values: Vec<f64>,
}

pub(crate) async fn check(place: &Place, checks: &mut Checks) {
    let Some(binary) = &place.prometheus else {
        return;
    };
    let mut native = match Native::start(place, binary.clone()).await {
        Ok(native) => native,
        Err(error) => return checks.note("Prometheus with native histograms", Err(error)),
    };
    // From 1 ms to 1 s, each order of magnitude alike; then two groups of values.
    let spread = (0..2000).map(|n| 0.001 * 1000_f64.powf(fraction(n)));
    let groups = (0..1000).map(|n| match n % 10 {
        0 => 3.0 + 3.0 * fraction(n),
        _ => 0.2 + 0.06 * fraction(n),
    });
    let phases: [(&str, Vec<f64>); 2] =
        [("spread", spread.collect()), ("grouped", groups.collect())];
    for (name, values) in phases {
        let name = format!("quantiles of {name} values in Prometheus, in the history and exactly");
        let result = match native.record(values).await {
            Ok(period) => native.same_quantiles(&period).await,
            Err(error) => Err(error),
        };
        checks.note(&name, result);
    }
    checks.note("counts of native histograms", native.counts().await);
    checks.note("exemplars of native histograms", native.exemplars().await);
    checks.note(
        "text formats beside native histograms",
        native.text_formats().await,
    );
    checks.note(
        "every scrape of native histograms is accepted",
        native.all_accepted().await,
    );
    let ended = native.prometheus.server.stop().await;
    checks.note(
        "Prometheus with native histograms ends cleanly",
        ended.map(|()| "on SIGTERM".to_owned()),
    );
    native.monitor.shutdown(Duration::from_secs(3)).await;
}

/// Numbers from 0 to 1, evenly distributed.
fn fraction(n: u32) -> f64 {
    (f64::from(n) * 0.618_033_988_75).fract()
}

impl Native {
    async fn start(place: &Place, binary: PathBuf) -> Result<Self, AnyError> {
        let monitor = Monitor::builder("native")
            .env(false)
            .console(false)
            .history(HistoryConfig::default().interval(Duration::from_millis(200)))
            .build()?;
        let wait = monitor
            .metrics()
            .histogram("job.wait")
            .unit("s")
            .bounds([0.01, 0.1, 1.0])
            .build();
        let jobs = monitor.metrics().counter("jobs").build();
        // A histogram without values is scraped before the first one.
        let wait = wait.with([("queue", "mail")]);
        let work = move |Path(micros): Path<u32>| {
            wait.record(f64::from(micros) / 1e6);
            jobs.add(1);
            sleep(Duration::from_millis(u64::from(20 + micros % 60)))
        };
        let scrapes = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&scrapes);
        let count = move |response: axum::response::Response| {
            let content_type = response.headers().get(header::CONTENT_TYPE);
            let content_type = content_type.and_then(|it| it.to_str().ok());
            if content_type.is_some_and(|it| it.contains("encoding=delimited")) {
                counted.fetch_add(1, SeqCst);
            }
            std::future::ready(response)
        };
        let app = Router::new()
            .route("/work/{micros}", get(work))
            .layer(monitor.layer())
            .route_service("/metrics", monitor.prometheus())
            .layer(axum::middleware::map_response(count));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let host = listener.local_addr()?;
        tokio::spawn(async move { axum::serve(listener, app).await });

        let config = format!(
            "global: {{scrape_interval: 500ms, scrape_timeout: 500ms}}\n\
             scrape_configs: [{{job_name: native, static_configs: [{{targets: ['{host}']}}]}}]\n"
        );
        std::fs::write(place.dir.join("native.yml"), config)?;
        let features = "exemplar-storage,native-histograms";
        let prometheus = Prometheus::start_as(place, binary, "native", features).await?;
        let mut native = Self {
            monitor,
            prometheus,
            host,
            scrapes,
            web: Web::default(),
            values: BTreeMap::new(),
        };
        // The first values of a histogram are an increase from an empty one.
        native.scraped().await?;
        native.request(0.5).await?;
        Ok(native)
    }

    /// Makes a request that records a value.
    async fn request(&mut self, value: f64) -> Result<(), AnyError> {
        let request = ask(&self.web, self.host, value);
        let (trace, value) = request.await?;
        self.values.insert(trace, value);
        Ok(())
    }

    /// Waits until a scrape has begun and ended.
    async fn scraped(&self) -> Result<String, AnyError> {
        let before = self.scrapes.load(SeqCst);
        until(async || match self.scrapes.load(SeqCst) - before {
            // The first one may have begun earlier.
            0..2 => Err("Prometheus does not scrape".into()),
            scrapes => Ok(format!("{scrapes}")),
        })
        .await
    }

    /// Makes requests that record these values, and waits until Prometheus and the history have them.
    async fn record(&mut self, values: Vec<f64>) -> Result<Period, AnyError> {
        self.scraped().await?;
        let begin = SystemTime::now();
        self.scraped().await?;
        let (web, host) = (&self.web, self.host);
        let requests = values.iter().map(|value| ask(web, host, *value));
        let responses: Vec<_> = stream::iter(requests)
            .buffer_unordered(48)
            .try_collect()
            .await?;
        let period = responses.iter().map(|(_, value)| *value).collect();
        self.values.extend(responses);
        let all = self.values.len() as f64;
        for name in [VALUES, DURATIONS] {
            until(async || {
                let query = format!("histogram_count({name})");
                match self.prometheus.number(&query, SystemTime::now()).await? {
                    count if count == all => Ok(format!("{count}")),
                    count => Err(format!("{count} of {all} in {name}").into()),
                }
            })
            .await?;
        }
        until(async || {
            let window = begin.elapsed()?;
            let increase = MetricQuery::increase(VALUES).total().window(window);
            match self.of_history(&increase, SystemTime::now())? {
                increase if increase == values.len() as f64 => Ok(String::new()),
                increase => Err(format!("{increase} of {} in the history", values.len()).into()),
            }
        })
        .await?;
        let end = SystemTime::now();
        Ok(Period {
            length: end.duration_since(begin)?,
            end,
            values: period,
        })
    }

    fn of_history(&self, query: &MetricQuery, at: SystemTime) -> Result<f64, AnyError> {
        let series = self.monitor.history().at(query, at)?;
        let point = series.first().and_then(|series| series.points.first());
        Ok(point.map_or(0.0, |point| point.value))
    }

    async fn same_quantiles(&self, period: &Period) -> Result<String, AnyError> {
        let mut sorted = period.values.clone();
        sorted.sort_by(f64::total_cmp);
        let window = period.length.as_millis();
        let mut largest: f64 = 0.0;
        let each = |name| [50_u32, 95, 99].map(|percent| (name, percent));
        for (name, percent) in [VALUES, DURATIONS].into_iter().flat_map(each) {
            let rank = f64::from(percent) / 100.0;
            let query = format!("histogram_quantile({rank}, sum(rate({name}[{window}ms])))");
            let theirs = self.prometheus.number(&query, period.end).await?;
            let query = MetricQuery::quantile(rank, name)
                .total()
                .window(period.length);
            let ours = self.of_history(&query, period.end)?;
            let index = (sorted.len() * percent as usize).div_ceil(100) - 1;
            // The client measures more than the duration of a request, so it knows only the other values.
            let exact = (name == VALUES).then(|| sorted[index]);
            for (one, other) in [
                (ours, theirs),
                (exact.unwrap_or(ours), ours),
                (exact.unwrap_or(theirs), theirs),
            ] {
                let difference = (one / other - 1.0).abs();
                largest = largest.max(difference);
                if difference.is_nan() || difference > TOLERANCE {
                    let all = format!("Prometheus {theirs}, history {ours}, exact {exact:?}");
                    return Err(format!("quantile {rank} of {name}: {all}").into());
                }
            }
        }
        let values = period.values.len();
        Ok(format!(
            "within {:.2} % for {values} requests",
            largest * 100.0
        ))
    }

    async fn counts(&self) -> Result<String, AnyError> {
        let now = SystemTime::now();
        let all = self.values.len() as f64;
        let sum: f64 = self.values.values().sum();
        let expected = [
            (format!("histogram_count({VALUES})"), all),
            (format!("histogram_count(sum({DURATIONS}))"), all),
            ("jobs_total".to_owned(), all),
            ("http_server_active_requests".to_owned(), 0.0),
            // Prometheus drops the histogram's own buckets in favour of the native ones.
            (format!("count({VALUES}_bucket) or vector(0)"), 0.0),
        ];
        for (query, expected) in expected {
            let theirs = self.prometheus.number(&query, now).await?;
            if theirs != expected {
                return Err(format!("{query}: {theirs}, not {expected}").into());
            }
        }
        let query = format!("histogram_sum({VALUES})");
        let theirs = self.prometheus.number(&query, now).await?;
        if (theirs / sum - 1.0).abs() > 1e-9 {
            return Err(format!("{query}: {theirs}, not {sum}").into());
        }
        Ok(format!("{all} values, sum {sum:.3}"))
    }

    async fn exemplars(&self) -> Result<String, AnyError> {
        let mut found = 0;
        for name in [VALUES, DURATIONS] {
            let exemplars = self.prometheus.exemplars(name).await?;
            if exemplars.is_empty() {
                return Err(format!("Prometheus has no exemplar of {name}").into());
            }
            found += exemplars.len();
            for (_, trace) in exemplars {
                if !self.values.contains_key(&trace) {
                    return Err(format!("no response has the trace {trace}").into());
                }
            }
        }
        Ok(format!("all {found} of them are of responses"))
    }

    /// Clients that prefer a text format get it.
    async fn text_formats(&self) -> Result<String, AnyError> {
        for accept in [
            "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5",
            "text/plain;version=0.0.4",
        ] {
            let request = Request::get(format!("http://{}/metrics", self.host))
                .header(header::ACCEPT, accept)
                .body(Body::empty())?;
            let response = self.web.send(request).await?;
            let content_type = response.headers[header::CONTENT_TYPE].to_str()?;
            let kind = accept.split(';').next().unwrap_or_default();
            let page = std::str::from_utf8(&response.body)?;
            let count = format!("{VALUES}_bucket{{queue=\"mail\",le=\"+Inf\"}} ");
            if !content_type.starts_with(kind) || !page.contains(&count) {
                return Err(format!("{content_type} for {accept}").into());
            }
        }
        Ok("OpenMetrics and text".to_owned())
    }

    async fn all_accepted(&self) -> Result<String, AnyError> {
        let now = SystemTime::now();
        let up = self.prometheus.number("min_over_time(up[10m])", now);
        match (up.await?, self.scrapes.load(SeqCst)) {
            (1.0, scrapes) => Ok(format!("{scrapes} scrapes")),
            (_, scrapes) => Err(format!("one of {scrapes} scrapes was refused").into()),
        }
    }
}

/// Makes a request that records a value; returns the trace ID of its response and the value.
async fn ask(web: &Web, host: SocketAddr, value: f64) -> Result<(String, f64), AnyError> {
    let micros = (value * 1e6).round();
    let response = web.get(format!("http://{host}/work/{micros}")).await?;
    if response.status != 200 {
        return Err(format!("status {}", response.status).into());
    }
    Ok((response.trace()?.to_owned(), micros / 1e6))
}
