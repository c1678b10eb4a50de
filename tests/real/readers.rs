//! The history of a monitor, `PrometheusReader` and Prometheus itself answer the same queries about a known load. The host
//! restarts in the middle. The expected values come from the log of the client alone.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::{Path as Parameters, Request};
use axum::http::StatusCode;
use axum::middleware::map_request;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, interval, sleep};
use watchpost::history::{
    HistoryConfig, MetricQuery, MetricReader, PrometheusReader, ResultSeries,
};
use watchpost::testing::Harness;

use crate::process::{free_port, size_of_files};
use crate::prometheus::Prometheus;
use crate::reader_cases::{Case, Log, Values, Work, cases};
use crate::web::Web;
use crate::{AnyError, Place, until};

/// The names of the queues, which the requests use in turn.
pub(crate) const QUEUES: [&str; 3] = ["mail", "post", "sms"];
/// The pause between two requests.
const PACE: Duration = Duration::from_millis(20);
/// After this number of requests, the depths of the queues change.
const CHANGE: u64 = 250;
/// The largest difference of two values, and of two quantiles.
const TOLERANCE: f64 = 0.01;
const TOLERANCE_OF_QUANTILES: f64 = 0.02;

/// The host, in this process: its monitor takes a snapshot at each scrape.
struct Service {
    monitor: Arc<Harness>,
    server: JoinHandle<()>,
}

/// A host under load, scraped by a Prometheus of its own.
pub(crate) struct Readers {
    dir: PathBuf,
    host: SocketAddr,
    service: Option<Service>,
    prometheus: Prometheus,
    log: Log,
    /// The length of the load, with the restart.
    length: Duration,
}

/// The name of a check and its result.
pub(crate) type Noted = (String, Result<String, AnyError>);

impl Service {
    async fn start(data: &Path, host: SocketAddr) -> Result<Self, AnyError> {
        // Snapshots are taken at scrapes alone.
        let history = HistoryConfig::default().interval(Duration::from_secs(3600));
        let data = data.to_owned();
        let monitor = spawn_blocking(move || {
            Harness::in_real_time(|builder| builder.data_dir(data).console(false).history(history))
        });
        let monitor = Arc::new(monitor.await?);
        let metrics = monitor.metrics();
        let jobs = metrics.counter("jobs").build();
        let wait = metrics.histogram("job.wait").unit("s").build();
        let depth = metrics.gauge("queue.depth").build();
        // All series exist before the first request.
        for queue in QUEUES {
            jobs.with([("queue", queue)]).add(0);
            drop(wait.with([("queue", queue)]));
        }
        let work = move |Parameters((queue, status, micros)): Parameters<(String, u16, u32)>| {
            jobs.with([("queue", queue.clone())]).add(1);
            wait.with([("queue", queue)])
                .record(f64::from(micros) / 1e6);
            std::future::ready(StatusCode::from_u16(status).unwrap_or_default())
        };
        let set = move |Parameters((queue, value)): Parameters<(String, f64)>| {
            depth.with([("queue", queue)]).set(value);
            std::future::ready(())
        };
        let scraped = Arc::clone(&monitor);
        let snapshot = move |request: Request| {
            let monitor = Arc::clone(&scraped);
            async move {
                drop(spawn_blocking(move || monitor.snapshot()).await);
                request
            }
        };
        let app = Router::new()
            .route("/work/{queue}/{status}/{micros}", get(work))
            .route("/depth/{queue}/{value}", get(set))
            .layer(monitor.layer());
        let page = Router::new()
            .route_service("/metrics", monitor.prometheus())
            .layer(map_request(snapshot));
        let deadline = Instant::now() + Duration::from_secs(10);
        let listener = loop {
            match TcpListener::bind(host).await {
                Ok(listener) => break listener,
                Err(error) if Instant::now() > deadline => return Err(error.into()),
                Err(_) => sleep(Duration::from_millis(20)).await,
            }
        };
        let server = tokio::spawn(async move {
            drop(axum::serve(listener, app.merge(page)).await);
        });
        Ok(Self { monitor, server })
    }

    async fn stop(self) {
        self.server.abort();
        drop(self.server.await);
        self.monitor.shutdown(Duration::from_secs(5)).await;
    }
}

impl Readers {
    /// Starts the host and its Prometheus.
    pub(crate) async fn start(place: &Place, binary: PathBuf) -> Result<Self, AnyError> {
        let host = free_port().await?;
        let service = Some(Service::start(&place.dir.join("readers.data"), host).await?);
        let config = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\n\
             scrape_configs: [{{job_name: readers, static_configs: [{{targets: ['{host}']}}]}}]\n"
        );
        std::fs::write(place.dir.join("readers.yml"), config)?;
        let prometheus =
            Prometheus::start_as(place, binary, "readers", "native-histograms").await?;
        Ok(Self {
            dir: place.dir.clone(),
            host,
            service,
            prometheus,
            log: Log::default(),
            length: place.load,
        })
    }

    /// Makes the load and compares the answers.
    pub(crate) async fn run(mut self) -> Vec<Noted> {
        let mut noted = Vec::new();
        let name = "queries of the history, the reader and Prometheus over a restart";
        match self.compared().await {
            Ok((summary, table)) => {
                println!("{table}");
                noted.push((name.to_owned(), summary));
                noted.push(("bytes of the samples".to_owned(), self.bytes().await));
            }
            Err(error) => noted.push((name.to_owned(), Err(error))),
        }
        let ended = self.prometheus.server.stop().await;
        noted.push((
            "Prometheus of the readers ends cleanly".to_owned(),
            ended.map(|()| "on SIGTERM".to_owned()),
        ));
        if let Some(service) = self.service.take() {
            service.stop().await;
        }
        noted
    }

    async fn compared(&mut self) -> Result<(Result<String, AnyError>, String), AnyError> {
        let phase = (self.length / 2).saturating_sub(Duration::from_secs(8));
        let web = Web::default();
        self.scraped().await?;
        let first = self.load(&web, phase).await?;
        // What is counted after the last scrape would be lost.
        sleep(Duration::from_secs(3)).await;
        self.restart().await?;
        self.scraped().await?;
        // Its connections went to the host that has ended.
        let web = Web::default();
        let second = self.load(&web, phase).await?;
        self.log.phases = [first, second];
        // Prometheus must have the last scrapes.
        sleep(Duration::from_secs(5)).await;
        self.compare().await
    }

    async fn restart(&mut self) -> Result<(), AnyError> {
        if let Some(service) = self.service.take() {
            service.stop().await;
        }
        let data = self.dir.join("readers.data");
        self.service = Some(Service::start(&data, self.host).await?);
        Ok(())
    }

    fn monitor(&self) -> Result<&Harness, AnyError> {
        let service = self.service.as_ref();
        Ok(&service.ok_or("the host does not run")?.monitor)
    }

    /// Waits until Prometheus has scraped the host anew.
    async fn scraped(&self) -> Result<(), AnyError> {
        let begin = SystemTime::now();
        until(async || {
            let at = begin.duration_since(UNIX_EPOCH)?.as_secs_f64();
            let query = format!("min(timestamp(up) >= bool {at}) * min(up)");
            match self.prometheus.number(&query, SystemTime::now()).await? {
                1.0 => Ok(String::new()),
                _ => Err("Prometheus does not scrape the host".into()),
            }
        })
        .await?;
        Ok(())
    }

    /// Makes requests at a constant pace, and logs them.
    async fn load(
        &mut self,
        web: &Web,
        length: Duration,
    ) -> Result<(SystemTime, SystemTime), AnyError> {
        let begin = SystemTime::now();
        let mut pace = interval(PACE);
        let requests = u64::try_from(length.as_millis() / PACE.as_millis())?;
        for n in 0..requests {
            pace.tick().await;
            if n % CHANGE == 0 {
                for (queue, factor) in QUEUES.iter().zip(1_u32..) {
                    let level = u32::try_from(n / CHANGE % 5)?;
                    let value = f64::from(factor * (100 + 10 * level));
                    let url = format!("http://{}/depth/{queue}/{value}", self.host);
                    web.get(url).await?;
                    self.log.depths.push((SystemTime::now(), queue, value));
                }
            }
            let number = u32::try_from(self.log.work.len())?;
            let queue = QUEUES[usize::try_from(n % 3)?];
            let status = if n % 10 == 9 { 500 } else { 200 };
            // From 50 ms to 1 s, evenly on a logarithmic scale.
            let fraction = (f64::from(number) * 0.618_033_988_75).fract();
            let micros = (50_000.0 * 20_f64.powf(fraction)).round();
            let url = format!("http://{}/work/{queue}/{status}/{micros}", self.host);
            let response = web.get(url).await?;
            if response.status != status {
                return Err(format!("status {} in place of {status}", response.status).into());
            }
            self.log.work.push(Work {
                at: SystemTime::now(),
                queue,
                status,
                seconds: micros / 1e6,
            });
        }
        Ok((begin, SystemTime::now()))
    }

    async fn compare(&self) -> Result<(Result<String, AnyError>, String), AnyError> {
        let reader = PrometheusReader::new(&self.prometheus.url())?;
        let history = self.monitor()?.history();
        let mut table = format!(
            "{:62} {:>5} {:>12} {:>12} {:>12} {:>12} {:>7}  {}\n",
            "query", "group", "client", "history", "reader", "Prometheus", "differ", "why"
        );
        let (mut wrong, mut compared, mut only_theirs) = (Vec::new(), 0, 0);
        let cases = cases(&self.log);
        for case in &cases {
            let expected = case.expected(&self.log);
            let of_reader = values(&case.read(&reader).await?);
            let mut raw = Values::new();
            for at in case.times() {
                for (labels, value) in self.prometheus.values(&case.raw, at).await? {
                    raw.insert(key(labels.iter(), at), value);
                }
            }
            let is_kept = history
                .begins_at()
                .is_some_and(|begin| begin <= case.begin());
            let of_history = values(&case.read(history).await?);
            let of_history = case.per_window(of_history, |from, to| history.covered(from, to));
            let mut all = vec![&expected, &of_reader, &raw];
            if is_kept {
                all.push(&of_history);
            }
            let why = match (is_kept, case.is_per_covered_time) {
                (false, _) => "the memory does not reach over the restart",
                (true, true) => "the history's rate is per covered time; here times its share",
                (true, false) => "",
            };
            let (differ, worst) = difference(&all);
            let tolerance = if case.is_quantile {
                TOLERANCE_OF_QUANTILES
            } else {
                TOLERANCE
            };
            let is_wrong = differ.is_nan() || differ > tolerance;
            if is_wrong {
                wrong.push(case.name.clone());
            }
            compared += usize::from(is_kept);
            only_theirs += usize::from(!is_kept);
            let at = |values: &Values| match values.get(&worst) {
                Some(value) => format!("{value:.4}"),
                None => "-".to_owned(),
            };
            let mark = if is_wrong { " WRONG" } else { "" };
            writeln!(
                table,
                "{:62} {:>5} {:>12} {:>12} {:>12} {:>12} {:>6.2}%  {why}{mark}",
                case.name,
                expected.len(),
                at(&expected),
                if is_kept {
                    at(&of_history)
                } else {
                    "-".to_owned()
                },
                at(&of_reader),
                at(&raw),
                differ * 100.0
            )?;
        }
        std::fs::write(self.dir.join("readers.txt"), &table)?;
        let summary = if wrong.is_empty() {
            let requests = self.log.work.len();
            Ok(format!(
                "{compared} queries agree in all four, {only_theirs} in the reader, Prometheus and the client; {requests} requests"
            ))
        } else {
            Err(format!("these differ: {}", wrong.join("; ")).into())
        };
        Ok((summary, table))
    }

    /// The size of the same samples in Prometheus and in the history.
    async fn bytes(&self) -> Result<String, AnyError> {
        let (bytes, samples, series) = self.prometheus.snapshot_size().await?;
        let per_sample = bytes as f64 / samples as f64;
        let history = format!("{:?}", self.monitor()?.history());
        let data = size_of_files(&self.dir.join("readers.data"));
        Ok(format!(
            "Prometheus {bytes} bytes in a block for {samples} samples of {series} series, {per_sample:.2} each; \
             {history}; {data} bytes in the data directory"
        ))
    }
}

/// The reader has the same results as Prometheus, which has classic histograms of the main host, with its labels.
pub(crate) async fn check_classic(prometheus: &Prometheus) -> Result<String, AnyError> {
    const DURATION: &str = "http_server_request_duration_seconds";
    let reader = PrometheusReader::new(&prometheus.url())?;
    // Later scrapes may still arrive. The two requests round a time to milliseconds in their own ways.
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let at = UNIX_EPOCH + Duration::from_secs(now.as_secs() - 3);
    let of_job = |query: MetricQuery| {
        query
            .label("job", "openmetrics")
            .window(Duration::from_secs(300))
    };
    let selected = |suffix: &str| format!("{DURATION}{suffix}{{job=\"openmetrics\"}}[300s]");
    let by = "sum by (http_route, instance, job";
    let mut compared = 0;
    for (query, raw) in [
        (
            MetricQuery::quantile(0.9, DURATION),
            format!(
                "histogram_quantile(0.9, {by}, le) (rate({})))",
                selected("_bucket")
            ),
        ),
        (
            MetricQuery::mean(DURATION),
            format!(
                "{by}) (rate({})) / {by}) (rate({}))",
                selected("_sum"),
                selected("_count")
            ),
        ),
        (
            MetricQuery::increase(DURATION),
            format!("{by}) (increase({}))", selected("_count")),
        ),
        (
            MetricQuery::sum_increase(DURATION),
            format!("{by}) (increase({}))", selected("_sum")),
        ),
    ] {
        let query = of_job(query.by(["http_route", "instance", "job"]));
        let raw_values = prometheus.values(&raw, at).await?;
        let raw_values: BTreeMap<Vec<(String, String)>, f64> = raw_values
            .into_iter()
            .map(|(labels, value)| (labels.into_iter().collect(), value))
            .filter(|(_, value)| !value.is_nan())
            .collect();
        let read = reader.at(&query, at).await?;
        let read: BTreeMap<_, _> = read
            .into_iter()
            .map(|series| (series.labels, series.points[0].value))
            .collect();
        // The order in which Prometheus adds rates is not fixed. Interpolating between two sums that are almost equal
        // multiplies the difference.
        let is_same = |(labels, value): (&Vec<_>, &f64)| {
            let other = raw_values.get(labels);
            other.is_some_and(|other| (value - other).abs() <= other.abs() * 1e-6)
        };
        if read.is_empty() || read.len() != raw_values.len() || !read.iter().all(is_same) {
            return Err(format!("{raw}: {read:?}, not {raw_values:?}").into());
        }
        compared += read.len();
    }
    Ok(format!("the same {compared} values"))
}

/// The values of results by their labels and times. The labels that Prometheus adds are left out.
fn values(results: &[ResultSeries]) -> Values {
    let mut values = Values::new();
    for series in results {
        for point in &series.points {
            let labels = series.labels.iter().map(|(label, value)| (label, value));
            values.insert(key(labels, point.at), point.value);
        }
    }
    values
}

fn key<'a>(labels: impl Iterator<Item = (&'a String, &'a String)>, at: SystemTime) -> String {
    let labels =
        labels.filter(|(label, _)| !["__name__", "instance", "job"].contains(&label.as_str()));
    let labels: BTreeMap<_, _> = labels.collect();
    Case::key(
        labels
            .into_iter()
            .map(|(label, value)| (label.as_str(), value.as_str())),
        at,
    )
}

/// The largest difference of two values of the same labels and time, and these. `NaN` if one has no value.
fn difference(all: &[&Values]) -> (f64, String) {
    let mut worst = (0.0, all[0].keys().next().cloned().unwrap_or_default());
    for labels in all.iter().flat_map(|values| values.keys()) {
        let found: Vec<f64> = all
            .iter()
            .filter_map(|values| values.get(labels).copied())
            .collect();
        let (min, max) = found
            .iter()
            .fold((f64::MAX, f64::MIN), |(min, max), value| {
                (min.min(*value), max.max(*value))
            });
        let differ = if found.len() == all.len() {
            (max - min) / max.abs()
        } else {
            f64::NAN
        };
        if differ.is_nan() || differ > worst.0 {
            worst = (differ, labels.clone());
        }
        if differ.is_nan() {
            break;
        }
    }
    if all[0].is_empty() {
        worst.0 = f64::NAN;
    }
    worst
}
