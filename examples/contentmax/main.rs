//! A complete service: a content API with a database, a file server, calls of another service and health checks.
//!
//! `cargo run --example contentmax --all-features` starts it with built-in visitors, `cargo run .. -- --help` lists its
//! flags. Standard output contains only log lines; what the example prints itself goes to standard error:
//!
//! ```text
//! contentmax listens on http://127.0.0.1:3000
//!   contents    http://127.0.0.1:3000/api/content   http://127.0.0.1:3000/api/content/7   ..
//!   faults      http://127.0.0.1:3000/api/fail   http://127.0.0.1:3000/api/panic   ..
//!   metrics     http://127.0.0.1:3000/metrics
//!   ..
//! ```
//!
//! A log line of a request that reads from the database (shortened here):
//!
//! ```json
//! {"level":"INFO","message":"GET /api/users/{id} 200 0.980 ms",..,"trace_id":"d8a8b32f4a71f2a75d301a0032d4aa79",..,
//!  "http.route":"/api/users/{id}","http.response.status_code":200,"watchpost.outcome":"completed",..,"duration_ms":0.980,..,
//!  "url.path":"/api/users/58","client.address":"127.0.0.1",..,"watchpost.db.queries":1,..}
//! ```

mod api;
mod digests;
mod files;
mod flags;
mod generator;
mod incident;
mod problem;
mod rules;
mod store;
mod visitors;

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use watchpost::{Access, EndpointLayer, Monitor};

use crate::api::Api;
use crate::digests::Digests;
use crate::flags::{Flags, Stop};
use crate::generator::Generator;
use crate::incident::Incident;
use crate::store::Store;

/// How long requests may continue after the shutdown has begun.
const GRACE: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> ExitCode {
    let flags = match flags::parse(std::env::args().skip(1)) {
        Ok(flags) => flags,
        Err(help @ Stop::Help) => {
            println!("{help}");
            return ExitCode::SUCCESS;
        }
        Err(invalid) => {
            eprintln!("{invalid}");
            return ExitCode::from(2);
        }
    };
    match run(flags).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("contentmax: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(flags: Flags) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind(flags.listen)
        .await
        .map_err(|error| format!("cannot listen on {}: {error}", flags.listen))?;
    let address = reachable(listener.local_addr()?);
    let (directory, temporary) = data_dir(flags.data_dir.clone())?;
    let monitor = Monitor::builder("contentmax")
        .service_version(env!("CARGO_PKG_VERSION"))
        .data_dir(directory.join("watchpost"))
        .alerts(rules::config())
        .install()?;
    rules::add(&monitor)?;
    // What is not as usual, in words.
    let anomalies = monitor.on_anomaly(|anomaly| eprintln!("contentmax: {}", anomaly.sentence));
    anomalies.detach();
    let url = std::env::var("DATABASE_URL")
        .ok()
        .filter(|url| !url.is_empty());
    let store = Store::open(url.as_deref(), &directory, &monitor).await;
    let store = store.map_err(|error| match &url {
        Some(_) => format!("cannot open the database of DATABASE_URL: {error}"),
        None => format!(
            "cannot open the database in {}: {error}",
            directory.display()
        ),
    })?;
    let (generator, own) = generator(&monitor).await?;
    register_checks(&monitor, &store, &generator);

    let files = files::serve(&directory)
        .map_err(|error| format!("cannot write files in {}: {error}", directory.display()))?;

    let (stop, stopping) = watch::channel(false);
    let api = Api {
        monitor: Monitor::clone(&monitor),
        digests: Digests::new(store.clone(), &monitor),
        store,
        generator,
        written: monitor
            .metrics()
            .counter("contentmax.contents.written")
            .description("Contents added, by who wrote them.")
            .build(),
        incident: Incident::after(flags.incident),
        generated: monitor.content("text"),
        stopping: stopping.clone(),
    };
    let app = api::router(api, files)
        .route_service("/metrics", monitor.prometheus())
        .route_service("/livez", monitor.health().livez())
        .route_service("/readyz", monitor.health().readyz())
        .route_service("/health", monitor.health().details(Access::from_settings()))
        .merge(monitor.dashboard(Access::from_settings()))
        .layer(layer(&monitor));

    let kept = match (&url, temporary.is_some()) {
        (Some(_), _) => "kept; the contents are in the database of DATABASE_URL",
        (None, true) => "temporary: removed at the end; --data-dir keeps it",
        (None, false) => "kept",
    };
    print_start(address, &directory, kept, flags.traffic);
    monitor.print_dashboard_link(&format!("http://{address}/monitoring"));
    tokio::spawn(visitors::visit(address, flags.traffic, stopping.clone()));

    let stop_requested = async move {
        wait_for_stop(flags.run_for).await;
        eprintln!(
            "contentmax: shutting down; /readyz responds with 503 from now on, a second ctrl-c ends at once"
        );
        // All receivers may be gone.
        let _sent = stop.send(true);
    };
    let drained = monitor.drain(stop_requested);
    let (closing, closed) = watch::channel(false);
    let server = axum::serve(
        listener,
        app.into_make_service_with_connect_info::<SocketAddr>(),
    )
    .with_graceful_shutdown(async move {
        drained.await;
        let _sent = closing.send(true);
    });
    tokio::select! {
        ended = server => ended?,
        () = grace_period(closed) => {
            eprintln!("contentmax: some requests were not complete after {GRACE:?}");
        }
    }

    let own_stops = async {
        if let Some(own) = own {
            own.stop().await;
        }
    };
    let (report, ()) = tokio::join!(monitor.shutdown(Duration::from_secs(3)), own_stops);
    eprintln!("contentmax: records of the monitor\n{report}");
    Ok(())
}

/// The text generator of `GENERATOR_URL`, or one that is started here.
async fn generator(
    monitor: &Monitor,
) -> Result<(Generator, Option<generator::Server>), Box<dyn Error>> {
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    if let Some(url) = set("GENERATOR_URL") {
        return Ok((Generator::new(&url, monitor), None));
    }
    let own = generator::Server::start(set("OTEL_EXPORTER_OTLP_ENDPOINT")).await?;
    Ok((Generator::new(&own.url, monitor), Some(own)))
}

/// The endpoint layer, with a hook that finds the user of a request.
fn layer(monitor: &Monitor) -> EndpointLayer {
    monitor.layer().user(|parts| {
        let user = parts.headers.get("x-user-id")?;
        user.to_str().ok().map(str::to_owned)
    })
}

/// Registers health checks. The database is critical; without the generator most routes still work.
fn register_checks(monitor: &Monitor, store: &Store, generator: &Generator) {
    let store = store.clone();
    monitor.health().check("database", move || {
        let store = store.clone();
        async move { store.ping().await.map_err(|error| error.to_string()) }
    });
    let generator = generator.clone();
    monitor
        .health()
        .check("generator", move || {
            let generator = generator.clone();
            async move { generator.ping().await }
        })
        .critical(false);
}

/// The data directory. Without `--data-dir` it is temporary, and the guard removes it at the end.
fn data_dir(named: Option<PathBuf>) -> Result<(PathBuf, Option<TempDir>), Box<dyn Error>> {
    if let Some(directory) = named {
        std::fs::create_dir_all(&directory)
            .map_err(|error| format!("cannot make {}: {error}", directory.display()))?;
        return Ok((directory, None));
    }
    let temporary = TempDir::with_prefix("contentmax-")
        .map_err(|error| format!("cannot make a temporary directory: {error}"))?;
    Ok((temporary.path().to_owned(), Some(temporary)))
}

/// Where a client on this machine reaches a socket that listens on `address`.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

/// Waits for ctrl-c, SIGTERM or the end of `run_for`. After that, another signal ends the process at once.
async fn wait_for_stop(run_for: Option<Duration>) {
    let signals = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    );
    let (Ok(mut interrupt), Ok(mut terminate)) = signals else {
        eprintln!("contentmax: signals cannot be handled and end the process at once");
        return time_is_up(run_for).await;
    };
    tokio::select! {
        () = time_is_up(run_for) => {}
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        eprintln!("contentmax: ended at once");
        std::process::exit(130);
    });
}

async fn time_is_up(run_for: Option<Duration>) {
    match run_for {
        Some(run_for) => tokio::time::sleep(run_for).await,
        None => std::future::pending().await,
    }
}

/// Completes [`GRACE`] after the server has begun to close.
async fn grace_period(mut closed: watch::Receiver<bool>) {
    if closed.wait_for(|closed| *closed).await.is_err() {
        // The server has already ended, and `select!` takes its result.
        std::future::pending::<()>().await;
    }
    tokio::time::sleep(GRACE).await;
}

fn print_start(address: SocketAddr, directory: &Path, kept: &str, traffic: u32) {
    eprintln!(
        "\
contentmax listens on http://{address}
  contents    http://{address}/api/content   http://{address}/api/content/7   http://{address}/api/search?q=rivers
  files       http://{address}/static/about.txt   http://{address}/static/export.bin
  faults      http://{address}/api/fail   http://{address}/api/panic   http://{address}/api/slow?ms=1500
  metrics     http://{address}/metrics
  health      http://{address}/readyz   http://{address}/health
              in detail, with WATCHPOST_TOKEN or, if that is not set, the token printed at the start:
              curl -H 'authorization: Bearer TOKEN' http://{address}/health
  log lines   on standard output, one for each request; its trace_id is the x-trace-id header of the response:
              curl -i http://{address}/api/users/7
  traces      sent to OTEL_EXPORTER_OTLP_ENDPOINT if it is set, for example http://localhost:4318
  errors      log lines with an `event_id`; sent to the Sentry of SENTRY_DSN if it is set
  data        {} ({kept})
  visitors    {traffic} requests per second; some fail on purpose (--traffic 0: none)
  stop        ctrl-c
  what happens, live, in a browser:",
        directory.display(),
    );
}
