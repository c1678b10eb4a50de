//! A content API that watches itself: a whole service, as its team would write it.
//!
//! `cargo run --example contentmax --all-features` starts it with some built-in visitors; `--help`
//! after a `--` tells its flags. Standard output carries the monitor's lines alone, what the example
//! itself has to say goes to standard error.

mod api;
mod digests;
mod files;
mod flags;
mod generated;
mod generator;
mod problem;
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
use crate::generated::Generated;
use crate::generator::Generator;
use crate::store::Store;

/// How long requests that are under way at the end may go on.
const GRACE: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> ExitCode {
    let flags = match flags::parse(std::env::args().skip(1)) {
        Ok(flags) => flags,
        Err(help @ Stop::Help) => {
            println!("{help}");
            return ExitCode::SUCCESS;
        }
        Err(wrong) => {
            eprintln!("{wrong}");
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
    let here = reachable(listener.local_addr()?);
    let (directory, temporary) = data_dir(flags.data_dir.clone())?;
    let monitor = Monitor::builder("contentmax")
        .service_version(env!("CARGO_PKG_VERSION"))
        .data_dir(directory.join("watchpost"))
        .install()?;
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
    watch_dependencies(&monitor, &store, &generator);

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
        generated: Generated::new(&monitor),
        stopping: stopping.clone(),
    };
    let app = api::router(api, files)
        .route_service("/metrics", monitor.prometheus())
        .route_service("/livez", monitor.health().livez())
        .route_service("/readyz", monitor.health().readyz())
        .route_service("/health", monitor.health().details(Access::from_settings()))
        .layer(layer(&monitor));

    let kept = match (&url, temporary.is_some()) {
        (Some(_), _) => "kept; the contents are in the database of DATABASE_URL",
        (None, true) => "temporary: gone at the end; --data-dir keeps it",
        (None, false) => "kept",
    };
    say_where_to_look(here, &directory, kept, flags.traffic);
    tokio::spawn(visitors::visit(here, flags.traffic, stopping.clone()));

    let stop_asked = async move {
        asked_to_stop(flags.run_for).await;
        eprintln!("contentmax: ending; /readyz says 503 from now on, a second ctrl-c ends at once");
        // The receivers may all be gone.
        let _told = stop.send(true);
    };
    let drained = monitor.drain(stop_asked);
    let (closing, closed) = watch::channel(false);
    let server = axum::serve(
        listener,
        app.into_make_service_with_connect_info::<SocketAddr>(),
    )
    .with_graceful_shutdown(async move {
        drained.await;
        let _told = closing.send(true);
    });
    tokio::select! {
        ended = server => ended?,
        () = grace_is_over(closed) => {
            eprintln!("contentmax: left requests that were not done after {GRACE:?}");
        }
    }

    let own_stops = async {
        if let Some(own) = own {
            own.stop().await;
        }
    };
    let (report, ()) = tokio::join!(monitor.shutdown(Duration::from_secs(3)), own_stops);
    eprintln!("contentmax: what became of the monitor's records\n{report}");
    Ok(())
}

/// The generator: that of `GENERATOR_URL`, else one of our own.
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

/// The layer with what only this service knows: who a request's user is.
fn layer(monitor: &Monitor) -> EndpointLayer {
    monitor.layer().user(|parts| {
        let user = parts.headers.get("x-user-id")?;
        user.to_str().ok().map(str::to_owned)
    })
}

/// The database is needed for any answer; without the generator most answers are still there.
fn watch_dependencies(monitor: &Monitor, store: &Store, generator: &Generator) {
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

/// The data directory and, where none was named, the guard that removes it at the end.
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

/// Waits for ctrl-c, SIGTERM or the end of `run_for`. A further signal then ends the process.
async fn asked_to_stop(run_for: Option<Duration>) {
    let signals = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    );
    let (Ok(mut interrupt), Ok(mut terminate)) = signals else {
        eprintln!("contentmax: signals cannot be caught; they end the process at once");
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

/// [`GRACE`] after the server began to close.
async fn grace_is_over(mut closed: watch::Receiver<bool>) {
    if closed.wait_for(|closed| *closed).await.is_err() {
        // The server is gone already, and its end is the one that counts.
        std::future::pending::<()>().await;
    }
    tokio::time::sleep(GRACE).await;
}

fn say_where_to_look(here: SocketAddr, directory: &Path, kept: &str, traffic: u32) {
    eprintln!(
        "\
contentmax serves http://{here}
  contents    http://{here}/api/content   http://{here}/api/content/7   http://{here}/api/search?q=rivers
  files       http://{here}/static/about.txt   http://{here}/static/export.bin
  trouble     http://{here}/api/fail   http://{here}/api/panic   http://{here}/api/slow?ms=1500
  metrics     http://{here}/metrics
  health      http://{here}/readyz   http://{here}/health
              in detail, with the token from WATCHPOST_TOKEN or from the line that tells the one made up:
              curl -H 'authorization: Bearer TOKEN' http://{here}/health
  lines       on standard output, one a request; its trace_id is the x-trace-id header of the answer:
              curl -i http://{here}/api/users/7
  traces      to the OTLP receiver of OTEL_EXPORTER_OTLP_ENDPOINT, such as http://localhost:4318, where it is set
  errors      in the lines with an `event_id`, and to the Sentry of SENTRY_DSN, where it is set
  data        {} ({kept})
  visitors    {traffic} requests a second, some of them for trouble (--traffic 0: none)
  the end     ctrl-c",
        directory.display(),
    );
}
