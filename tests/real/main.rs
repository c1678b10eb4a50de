//! A client of the host example that counts its requests and compares the counts with those of real servers, such as
//! Prometheus. `tests/real/run` starts it; otherwise it does nothing.

mod adapters;
mod bugsink;
mod collector;
mod database;
mod errors;
mod host;
mod job;
mod native;
mod outages;
mod pages;
mod postgres;
mod process;
mod prometheus;
mod pushes;
mod reader_cases;
mod readers;
mod relay;
mod schema;
mod series;
mod sessions;
mod statements;
mod tally;
mod traces;
mod upstreams;
mod visits;
mod web;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout};

use crate::bugsink::{Bugsink, Project};
use crate::collector::Collector;
use crate::host::Host;
use crate::postgres::Postgres;
use crate::prometheus::Prometheus;
use crate::readers::Readers;
use crate::tally::Tally;

/// How long a value may take to arrive: several scrapes.
const ARRIVAL: Duration = Duration::from_secs(30);
/// The time limit of all checks, besides the load for [`readers`].
const DEADLINE: Duration = Duration::from_secs(540);
/// The instance of the main host, which all servers observe.
const MAIN: &str = "main";

pub(crate) type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// The settings from `tests/real/run`.
pub(crate) struct Place {
    /// The folder of files.
    pub(crate) dir: PathBuf,
    /// The binary of the host.
    pub(crate) contentmax: PathBuf,
    /// The file with the IDs of started processes.
    pub(crate) pids: PathBuf,
    /// The binary of Prometheus, if there is one. It reads its targets from `host.json` and `relay.json`.
    prometheus: Option<PathBuf>,
    /// The binary of the Collector, if there is one.
    collector: Option<PathBuf>,
    /// The folder of Bugsink, if it is installed.
    bugsink: Option<PathBuf>,
    /// The folder of `PostgreSQL`'s programs, if it is installed with a database.
    postgres: Option<PathBuf>,
    /// The length of the load for [`readers`].
    pub(crate) load: Duration,
    /// Whether only [`readers`] is checked.
    only_readers: bool,
}

impl Place {
    fn from_environment() -> Option<Self> {
        let value = |name: &str| {
            let value = std::env::var(format!("WATCHPOST_REAL_{name}")).ok();
            value.filter(|value| !value.is_empty())
        };
        let dir = PathBuf::from(value("DIR")?);
        let load = value("LOAD_SECONDS").and_then(|seconds| seconds.parse().ok());
        Some(Self {
            load: Duration::from_secs(load.unwrap_or(180)),
            only_readers: value("ONLY").is_some_and(|only| only == "readers"),
            contentmax: value("HOST")?.into(),
            pids: dir.join("pids"),
            prometheus: value("PROMETHEUS").map(PathBuf::from),
            collector: value("COLLECTOR").map(PathBuf::from),
            bugsink: value("BUGSINK").map(PathBuf::from),
            postgres: value("POSTGRES").map(PathBuf::from),
            dir,
        })
    }
}

/// The names and results of the checks.
#[derive(Default)]
pub(crate) struct Checks {
    passed: u32,
    failed: u32,
}

impl Checks {
    pub(crate) fn note(&mut self, name: &str, result: Result<String, AnyError>) {
        match result {
            Ok(seen) => {
                self.passed += 1;
                println!("passed: {name}: {seen}");
            }
            Err(error) => {
                self.failed += 1;
                println!("failed: {name}: {error}");
            }
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    if let Some(ended) = pages::serve_if_asked().await {
        return match ended {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                println!("the host of the pages: {error}");
                ExitCode::FAILURE
            }
        };
    }
    let Some(place) = Place::from_environment() else {
        println!("nothing done: `tests/real/run` starts this, with the servers that it needs");
        return ExitCode::SUCCESS;
    };
    let mut checks = Checks::default();
    let deadline = DEADLINE + place.load;
    match timeout(deadline, check_all(&place, &mut checks)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => checks.note("the start", Err(error)),
        Err(_) => {
            let late = format!("not done after {deadline:?}");
            checks.note("the deadline", Err(late.into()));
        }
    }
    println!(
        "{} passed, {} failed, 0 skipped",
        checks.passed, checks.failed
    );
    if checks.failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// The monitor's fingerprints of statements compared with those of a real database, and a host that uses it.
async fn check_postgres(
    place: &Place,
    collector: Option<&Collector>,
    checks: &mut Checks,
) -> Result<(), AnyError> {
    let Some(programs) = &place.postgres else {
        return Ok(());
    };
    let mut postgres = Postgres::start(place, programs.clone()).await?;
    checks.note(
        "shapes of statements beside PostgreSQL's queryid",
        statements::check(&postgres).await,
    );
    database::check(place, &postgres, collector, checks).await?;
    adapters::check(&postgres, checks).await;
    // This check ends the server.
    sessions::check(&mut postgres, checks).await;
    Ok(())
}

/// Checks the readers of metrics beside everything else: their load takes minutes.
async fn check_all(place: &Place, checks: &mut Checks) -> Result<(), AnyError> {
    let readers = match &place.prometheus {
        Some(binary) => {
            let readers = Readers::start(place, binary.clone()).await?;
            // On a thread of its own, so that the other checks do not delay it.
            let runtime = Handle::current();
            Some(spawn_blocking(move || runtime.block_on(readers.run())))
        }
        None => None,
    };
    if !place.only_readers {
        check(place, checks).await?;
    }
    if let Some(readers) = readers {
        for (name, result) in readers.await? {
            checks.note(&name, result);
        }
    }
    Ok(())
}

/// What Prometheus has of the main host, and its page.
async fn check_series(
    place: &Place,
    prometheus: &Prometheus,
    host: &Host,
    tally: &Tally,
    checks: &mut Checks,
) {
    series::check(prometheus, host, tally, checks).await;
    checks.note(
        "the reader of a Prometheus with classic histograms",
        readers::check_classic(prometheus).await,
    );
    let page = place.dir.join("page.txt");
    checks.note(
        "the text form, kept for promtool",
        relay::keep_page(host.address, &page).await,
    );
}

async fn check(place: &Place, checks: &mut Checks) -> Result<(), AnyError> {
    checks.note(
        "events, stored for Sentry's normalizer",
        schema::keep_events(place).await,
    );
    let mut collector = match &place.collector {
        Some(binary) => Some(Collector::start(place, binary.clone()).await?),
        None => None,
    };
    check_postgres(place, collector.as_ref(), checks).await?;
    upstreams::check(place, checks).await;
    native::check(place, checks).await;
    let mut prometheus = match &place.prometheus {
        Some(binary) => Some(Prometheus::start(place, binary.clone()).await?),
        None => None,
    };
    let mut bugsink = match &place.bugsink {
        Some(installed) => Some(Bugsink::start(place, installed).await?),
        None => None,
    };
    let project = match &bugsink {
        Some(bugsink) => Some(bugsink.project(MAIN).await?),
        None => None,
    };
    let endpoint = collector.as_ref().map(Collector::endpoint);
    let endpoint = endpoint
        .iter()
        .map(|url| ("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str()));
    let dsn = project
        .iter()
        .map(|project| ("SENTRY_DSN", project.dsn.as_str()));
    let settings: Vec<_> = endpoint.chain(dsn).collect();
    let host = Host::start(place, MAIN, &settings).await?;
    relay::targets(&place.dir.join("host.json"), host.address)?;
    checks.note(
        "the relay of the text form",
        relay::start(host.address, &place.dir.join("relay.json")).await,
    );
    let mut tally = Tally::default();
    checks.note(
        "10,000 requests",
        visits::make(host.address, &mut tally).await,
    );
    if let Some(prometheus) = &prometheus {
        check_series(place, prometheus, &host, &tally, checks).await;
    }
    if let Some(collector) = &collector {
        traces::check(collector, &host, prometheus.as_ref(), checks).await;
    }
    let errors = bugsink.as_ref().zip(project.as_ref());
    if let Some((bugsink, project)) = errors {
        errors::check(bugsink, project, &host, collector.as_ref(), checks).await;
    }
    end(place, host, collector.as_ref(), errors, checks).await;
    if let Some(prometheus) = &mut prometheus {
        job::check(place, prometheus, collector.as_ref(), checks).await?;
        outages::of_prometheus(place, prometheus, checks).await;
        checks.note(
            "Prometheus ends cleanly",
            prometheus
                .server
                .stop()
                .await
                .map(|()| "on SIGTERM".to_owned()),
        );
    }
    if let Some(collector) = &mut collector {
        pushes::check(place, collector, checks).await;
        checks.note(
            "what the Collector has at ratio 0",
            traces::kept_at_ratio_0(place, collector).await,
        );
        outages::check(place, collector, checks).await;
        checks.note(
            "the Collector ends cleanly",
            collector
                .server
                .stop()
                .await
                .map(|()| "on SIGTERM".to_owned()),
        );
    }
    if let Some(bugsink) = &mut bugsink {
        errors::outages(place, bugsink, checks).await;
        checks.note(
            "Bugsink ends cleanly",
            bugsink
                .server
                .stop()
                .await
                .map(|()| "on SIGTERM".to_owned()),
        );
    }
    Ok(())
}

/// The shutdown of the main host and its totals.
async fn end(
    place: &Place,
    host: Host,
    collector: Option<&Collector>,
    errors: Option<(&Bugsink, &Project)>,
    checks: &mut Checks,
) {
    let report = match host.end().await {
        Ok(report) => report,
        Err(error) => return checks.note("the host ends cleanly on SIGTERM", Err(error)),
    };
    let accounts = || report.iter().filter(|(signal, _)| *signal != "span");
    let summary = format!("{:?}", report.get("request"));
    let whole = accounts().all(|(signal, account)| {
        // Events that do not fit into the queue stay in the store and are emitted again from there.
        let anew = if signal == "error" {
            account.spooled
        } else {
            0
        };
        account.delivered + anew == account.emitted
    });
    checks.note(
        "the host ends cleanly on SIGTERM, its lines all written",
        if whole {
            Ok(summary)
        } else {
            Err(format!("{report:?}").into())
        },
    );
    if let Some(collector) = collector {
        // The Collector writes received data within 100 ms.
        let totals = until(async || {
            let (spans, again) = collector.spans(MAIN)?;
            traces::exact(&report, &spans, again)
        });
        checks.note("totals of spans", totals.await);
    }
    if let Some((bugsink, project)) = errors {
        let totals = match errors::LoggedEvents::read(place, MAIN) {
            Ok(logged) => errors::exact(bugsink, project, &report, &logged).await,
            Err(error) => Err(error),
        };
        checks.note("totals of errors", totals);
    }
}

/// Calls `ask` until it succeeds, or returns its last error.
pub(crate) async fn until(
    mut ask: impl AsyncFnMut() -> Result<String, AnyError>,
) -> Result<String, AnyError> {
    let deadline = Instant::now() + ARRIVAL;
    loop {
        let response = ask().await;
        if response.is_ok() || Instant::now() > deadline {
            return response;
        }
        sleep(Duration::from_millis(300)).await;
    }
}
