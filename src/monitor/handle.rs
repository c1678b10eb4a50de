use std::borrow::Cow;
use std::fmt;
use std::net::ToSocketAddrs;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tracing::level_filters::LevelFilter;

use super::data_dir::DataDir;
use super::doctor::{Finding, Rounds};
use super::drain;
use super::globals::Installs;
use super::serve::{Server, ServerCounters, page};
use super::tracing::Tracing;
use crate::access::Access;
use crate::config::{InstallConfig, Settings};
use crate::context::{InFlight, Requests};
use crate::db::{
    ConnectionPool, Database, DbSystem, InstrumentPool, PoolContext, PoolWatch, Queries, QueryStats,
};
use crate::error::{Error, Result};
use crate::errors::{DurableCapture, ErrorCapture, ErrorGroup, ErrorTracker};
use crate::external::{Dependency, External, ExternalCalls, ModelUsage};
use crate::health::Health;
use crate::http::{Connection, EndpointLayer, LayerContext};
use crate::logs::{self, EventListener, TracingLayer};
use crate::metrics::{Metrics, Prometheus};
use crate::model::LevelDirectives;
use crate::model::{
    Diagnostics, EventId, Level, MonitorLifetime, RecordCounters, RecordKind, RecordTotals,
    ShutdownReport, TraceId,
};
use crate::otel::Otel;
use crate::trace::{KeptTrace, Propagators, SpanBuilder};
use crate::worker::{RecordQueue, Worker};

/// The handle from which everything is reached. Cheap to clone; clones are the same monitor.
///
/// Several monitors in one process do not meet: each has its own series, lines, ids and worker.
///
/// ```
/// # fn main() -> watchpost::Result<()> {
/// let monitor = watchpost::Monitor::builder("shop").env(false).console(false).build()?;
/// let orders = monitor.metrics().counter("orders").description("Orders placed").build();
/// orders.add(1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Monitor {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) requests: Arc<Requests>,
    pub(super) metrics: Metrics,
    pub(super) record_queue: Arc<RecordQueue>,
    pub(super) counters: Arc<RecordCounters>,
    pub(super) diagnostics: Arc<Diagnostics>,
    pub(super) levels: Arc<LevelDirectives>,
    pub(super) tracing: Tracing,
    pub(super) inbound: LayerContext,
    pub(super) queries: Arc<Queries>,
    pub(super) calls: Arc<ExternalCalls>,
    pub(super) errors: ErrorTracker,
    pub(super) health: Health,
    pub(super) worker: Arc<Worker>,
    pub(super) settings: Settings,
    pub(super) drain_wait: Duration,
    pub(super) propagators: Propagators,
    /// The globals that `install` is to set.
    pub(super) install: InstallConfig,
    pub(super) installs: Mutex<Installs>,
    pub(super) life: MonitorLifetime,
    /// Whether the host has taken the `tracing` layer for a subscriber of its own.
    pub(super) gave_layer: AtomicBool,
    /// Held for its lock.
    pub(super) data_dir: Option<DataDir>,
    /// Why the data directory that the settings name is not in use.
    pub(super) data_dir_problem: Option<String>,
    pub(super) server_counters: Arc<ServerCounters>,
    pub(super) rounds: Rounds,
}

impl Monitor {
    /// The layer that watches requests. See [`http`](crate::http).
    pub fn layer(&self) -> EndpointLayer {
        EndpointLayer::new(&self.inner.inbound)
    }

    /// The instruments: counters, gauges, histograms. See [`metrics`](crate::metrics).
    pub fn metrics(&self) -> &Metrics {
        &self.inner.metrics
    }

    /// The page that Prometheus scrapes, as a service for any router.
    pub fn prometheus(&self) -> Prometheus {
        self.inner.metrics.prometheus()
    }

    /// The checks and the health endpoints. See [`health`](crate::health).
    pub fn health(&self) -> &Health {
        &self.inner.health
    }

    /// The layer that writes `tracing` events as log records, for a host with a subscriber of its own. Call
    /// [`install`](Self::install) once the subscriber is set.
    ///
    /// ```
    /// use tracing_subscriber::prelude::*;
    ///
    /// # fn main() -> watchpost::Result<()> {
    /// let monitor = watchpost::Monitor::builder("shop").env(false).console(false).build()?;
    /// let subscriber = tracing_subscriber::registry().with(monitor.tracing_layer());
    /// # drop(subscriber);
    /// # Ok(())
    /// # }
    /// ```
    pub fn tracing_layer(&self) -> TracingLayer {
        self.inner.gave_layer.store(true, Relaxed);
        self.own_layer()
    }

    /// The layer, for the subscriber that `install` sets.
    pub(super) fn own_layer(&self) -> TracingLayer {
        let Inner {
            record_queue,
            requests,
            levels,
            tracing,
            queries,
            ..
        } = &*self.inner;
        let listener = (Queries::EVENT_LEVEL != LevelFilter::OFF).then(|| {
            queries.listen();
            // A subscriber may stay for good, and shall not keep the pools of a monitor that is gone.
            let queries = Arc::downgrade(queries);
            EventListener {
                level: Queries::EVENT_LEVEL,
                on_event: Box::new(move |event| {
                    if let Some(queries) = queries.upgrade() {
                        queries.on_event(event);
                    }
                }),
            }
        });
        TracingLayer::new(
            Arc::clone(record_queue),
            Arc::clone(requests),
            Arc::clone(levels),
            Arc::clone(&tracing.layer),
            listener,
        )
    }

    /// Prepares a span of this name around a future or a closure. It becomes a child of the current operation, or the
    /// root of a trace of its own where there is none. See [`trace`](crate::trace).
    ///
    /// ```
    /// # async fn example(monitor: watchpost::Monitor) {
    /// let words = monitor
    ///     .span("count words")
    ///     .attr("content.id", 17)
    ///     .run(async { 1200 })
    ///     .await;
    /// # assert_eq!(words, 1200);
    /// # }
    /// ```
    pub fn span(&self, name: impl Into<Cow<'static, str>>) -> SpanBuilder {
        SpanBuilder::new(self.inner.tracing.traces.clone(), name.into())
    }

    /// Watches what a connection pool holds, under this name: `db_client_connection_count` by state, `_max`,
    /// `_idle_min` and `_pending_requests`. Those who wait for a connection are counted, and how long, by the
    /// [watch](PoolWatch) that this gives.
    ///
    /// The pool's handle is kept until it says that it is closed, another takes its name, or the monitor ends: close
    /// a pool that shall end before. Sixty-four pools are told apart.
    pub fn watch_pool<P>(&self, name: impl AsRef<str>, pool: &P) -> PoolWatch
    where
        P: ConnectionPool + Clone + 'static,
    {
        PoolContext::new(&self.inner.queries, None).watch_pool(name, pool)
    }

    /// A pool of an adapter, whose queries are watched with no more set-up; what it holds is watched too, as
    /// [`watch_pool`](Self::watch_pool) does. System, server and database are those of the pool's own options, as far
    /// as it tells them, and its name is made of them. See [`db`](crate::db).
    pub fn db_pool<P: InstrumentPool>(&self, pool: &P) -> P::Instrumented {
        pool.instrument(&PoolContext::new(&self.inner.queries, None))
    }

    /// As [`db_pool`](Self::db_pool), by this name: for one of several pools to the same database, of which one name
    /// would tell the last alone.
    pub fn db_pool_as<P: InstrumentPool>(
        &self,
        name: impl AsRef<str>,
        pool: &P,
    ) -> P::Instrumented {
        pool.instrument(&PoolContext::new(&self.inner.queries, Some(name.as_ref())))
    }

    /// A database of this system, whose queries are watched. Keep it where the pool is kept. See
    /// [`db`](crate::db).
    ///
    /// ```
    /// use watchpost::db::DbSystem;
    ///
    /// # async fn example(monitor: watchpost::Monitor) -> Result<(), std::io::Error> {
    /// # async fn insert() -> Result<(), std::io::Error> { Ok(()) }
    /// let db = monitor.db(DbSystem::Sqlite).namespace("orders.sqlite3");
    /// db.query("INSERT INTO orders (mail) VALUES ('ada@example.org')").try_run(insert()).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn db(&self, system: DbSystem) -> Database {
        Database::new(&self.inner.queries, system)
    }

    /// The statements that ran since the start, told apart by their form: those that took longest in all first.
    pub fn queries(&self) -> Vec<QueryStats> {
        self.inner.queries.stats()
    }

    /// A service elsewhere of this name, whose calls are watched. Keep it where the client is kept. See
    /// [`external`](crate::external).
    ///
    /// ```
    /// # async fn example(monitor: watchpost::Monitor) -> Result<(), std::io::Error> {
    /// # async fn send() -> Result<u16, std::io::Error> { Ok(200) }
    /// let payments = monitor.external("payments");
    /// let call = payments.call(http::Method::GET, "https://pay.example.org/v1/balance");
    /// let status = call.try_run_with(send(), |call, status| call.status(*status)).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn external(&self, service: impl AsRef<str>) -> External {
        External::new(&self.inner.calls, service.as_ref())
    }

    /// How the services do that were called since the start, by name.
    pub fn dependencies(&self) -> Vec<Dependency> {
        self.inner.calls.dependencies()
    }

    /// What was used of models since the start, by day, service, model and route: the newest day first.
    pub fn model_usage(&self) -> Vec<ModelUsage> {
        self.inner.calls.model_usage()
    }

    /// The kept traces that are in memory, the newest first.
    pub fn recent_traces(&self) -> Vec<KeptTrace> {
        self.inner.tracing.recent.traces()
    }

    /// The kept trace of an id, if it is in memory.
    pub fn recent_trace(&self, trace_id: TraceId) -> Option<KeptTrace> {
        self.inner.tracing.recent.trace(trace_id)
    }

    /// The monitor as OpenTelemetry sees it.
    pub fn otel(&self) -> Otel {
        self.inner.tracing.otel.clone()
    }

    /// Changes which `tracing` events become lines, from now on: directives such as
    /// `info,hyper=off,shop::db=debug`.
    ///
    /// # Errors
    ///
    /// If a directive cannot be read; the levels then stay as they are.
    pub fn set_log_level(&self, directives: &str) -> Result<()> {
        self.inner
            .levels
            .replace(directives)
            .map_err(|problem| Error::config(vec![problem]))?;
        logs::follow_levels();
        Ok(())
    }

    /// Captures an error with its sources and what is known of the current request; the event's id. Never
    /// waits, whatever the worker and the sinks do. See [`errors`](crate::errors).
    ///
    /// ```
    /// # fn main() -> watchpost::Result<()> {
    /// # let monitor = watchpost::Monitor::builder("shop").env(false).console(false).build()?;
    /// let id = monitor.capture_error(&std::io::Error::other("the disk is gone"));
    /// assert_eq!(id.to_string().len(), 32);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn capture_error<E: std::error::Error + ?Sized>(&self, error: &E) -> EventId {
        self.inner.errors.capture_error(error)
    }

    /// Captures a text that is no error, of at most 8 KiB; what is longer is cut.
    #[track_caller]
    pub fn capture_message(&self, level: Level, text: impl AsRef<str>) -> EventId {
        self.inner.errors.capture_message(level, text.as_ref())
    }

    /// Begins the capture of an error with more to tell: tags, extra values, a user, a level, a fingerprint.
    ///
    /// ```
    /// # fn main() -> watchpost::Result<()> {
    /// # let monitor = watchpost::Monitor::builder("shop").env(false).console(false).build()?;
    /// let error = std::io::Error::other("the disk is gone");
    /// monitor.error_capture(&error).tag("disk", "sda").extra("free_bytes", 0).user("u-17").capture();
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn error_capture<'a, E: std::error::Error + ?Sized>(
        &self,
        error: &'a E,
    ) -> ErrorCapture<'a, E> {
        ErrorCapture::new(&self.inner.errors, error)
    }

    /// Captures an error at once, and waits until it is stored: from then on it survives the end of the process,
    /// however it comes. Waits two seconds at most.
    ///
    /// Without a data directory, and while the disk refuses, the event is captured in memory and
    /// [`CaptureReceipt::is_stored`](crate::errors::CaptureReceipt::is_stored) says so.
    ///
    /// # Cancel safety
    ///
    /// The event is captured by the call; dropping the future changes nothing.
    #[track_caller]
    pub fn capture_error_durable<E: std::error::Error + ?Sized>(
        &self,
        error: &E,
    ) -> DurableCapture {
        self.error_capture(error).capture_durable()
    }

    /// What gives the events of a Sentry that the service set up itself the ids of the request that they are
    /// captured in: trace id, span id and, where it has none, the transaction's name. The request's trace is
    /// kept as if the error were captured here. Outside this monitor's requests events stay as they are.
    ///
    /// The ids go into the event's context `trace`. If a transaction or span of Sentry's is active, that context links
    /// the event to it and stays; the ids are then in a context `watchpost` (`trace_id`, `span_id`), and the trace id in
    /// the tag `watchpost.trace_id`.
    ///
    /// The `sentry` of the service has to be the version that watchpost is built with, 0.49.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> watchpost::Result<()> {
    /// let monitor = watchpost::Monitor::builder("shop").env(false).console(false).build()?;
    /// let options = sentry::ClientOptions::new().add_integration(monitor.sentry_integration());
    /// let _sentry = sentry::init(options);
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "sentry")]
    pub fn sentry_integration(&self) -> crate::errors::SentryIntegration {
        self.inner.errors.sentry_integration()
    }

    /// The errors captured since the start, told apart: at most a thousand groups, the one seen last first.
    /// What was captured within the last 20 ms may be missing.
    pub fn error_groups(&self) -> Vec<ErrorGroup> {
        self.inner.errors.groups()
    }

    /// What is wrong around the monitor, as far as a service that runs can see it; nothing if all is well.
    ///
    /// | about | what it sees |
    /// |---|---|
    /// | `propagator` | OpenTelemetry has none, though [`trace.propagators`](crate::config) wants one |
    /// | `subscriber` | no `tracing` subscriber in use has the monitor's layer |
    /// | `filter` | a filter of the subscriber hides the program's spans from it; told while no span ever came |
    /// | `route` | the endpoint layer stands around the router: 100 answers, and no route seen |
    /// | `opentelemetry` | `tracing` events from the files of another version of OpenTelemetry |
    /// | `panic hook` | none was set, or a panic reached a layer and not the hook |
    /// | `capture_error` | errors or panics outside requests were captured by no monitor, and none is installed |
    /// | `data directory` | there is none, or it cannot be written |
    /// | a sink | its receiver answers 404, takes nothing for 30 s, or has a clock that differs by more than a minute |
    ///
    /// What it finds while the service runs is written to the console too, each thing once, ten seconds after the
    /// start or later. It looks at the calling thread's subscriber. What it cannot see, such as two versions of
    /// `metrics`, `cargo tree -d -e normal` shows.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> watchpost::Result<()> {
    /// let monitor = watchpost::Monitor::builder("shop").env(false).console(false).build()?;
    /// let findings = monitor.doctor();
    /// assert!(findings.iter().any(|finding| finding.about == "subscriber"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn doctor(&self) -> Vec<Finding> {
        self.inner.rounds.findings()
    }

    /// The requests under way, the longest first.
    pub fn in_flight(&self) -> Vec<InFlight> {
        self.inner.requests.in_flight()
    }

    /// The trace id of the request that the calling code belongs to; `None` outside a request.
    pub fn current_trace_id(&self) -> Option<TraceId> {
        self.inner.tracing.layer.ids_here().map(|ids| ids.trace)
    }

    /// Counts the life of an upgraded connection, such as a WebSocket, which no layer can see: wrap its
    /// task.
    ///
    /// ```
    /// # async fn handler(monitor: watchpost::Monitor) {
    /// monitor.connection("/ws/echo").run(async { /* read and write the socket */ }).await;
    /// # }
    /// ```
    pub fn connection(&self, name: impl Into<String>) -> Connection {
        self.inner.inbound.connection(name.into())
    }

    /// Serves `/metrics`, `/livez`, `/readyz` and `/health` on a port and a thread of their own, which
    /// answer while the host's runtime is blocked. Port 0 takes a free one; see
    /// [`Server::local_addr`].
    ///
    /// The server lives until it is dropped or closed, and not with the monitor: [`shutdown`](Self::shutdown)
    /// leaves it open, so that a last scrape finds the last figures. From then on `/livez` goes on saying
    /// that the process lives, `/readyz` says 503 and `/health` that the worker has ended.
    ///
    /// The address should be one that only your own network reaches. `/health` tells details to whoever
    /// has the token of the setting `access.token`.
    ///
    /// It holds 64 connections at a time. If another one arrives, the connection that has been idle for longest is
    /// closed for it, so that idle clients cannot keep a probe waiting. A connection that sends nothing is closed
    /// after 2 s, one whose request head is incomplete after 5 s, and one between two requests after 75 s.
    /// `watchpost_serve_connections_closed_total` counts those that were closed to make room (`reason="evicted"`) and
    /// those that were refused because every other one was being served (`reason="refused"`).
    ///
    /// # Errors
    ///
    /// If the address cannot be read or bound, or the thread cannot be started.
    pub fn serve(&self, addr: impl ToSocketAddrs) -> Result<Server> {
        let health = self.health();
        Server::start(
            addr,
            [
                ("/metrics", page(self.prometheus())),
                ("/livez", page(health.livez())),
                ("/readyz", page(health.readyz())),
                ("/health", page(health.details(Access::from_settings()))),
            ],
            Arc::clone(&self.inner.server_counters),
            Arc::clone(&self.inner.diagnostics),
        )
    }

    /// Waits for `signal`, then answers 503 on `/readyz`, waits for the setting `drain.wait` (3 s by default) so
    /// that load balancers see it, and completes. For `with_graceful_shutdown`, with
    /// [`shutdown_signal`](crate::shutdown_signal) as the signal.
    ///
    /// The wait is skipped if nothing has asked `/readyz` in the last minute: then no load balancer goes by it, and
    /// Ctrl-C during development ends the service at once.
    ///
    /// Container runtimes commonly grant 10 s between SIGTERM and SIGKILL. The default wait and a
    /// [`shutdown`](Self::shutdown) of 3 s leave 4 s for requests in flight.
    ///
    /// # Cancel safety
    ///
    /// Dropped before `signal` came, nothing has changed; dropped later, `/readyz` stays at 503.
    pub fn drain<S>(&self, signal: S) -> impl Future<Output = ()> + Send + 'static + use<S>
    where
        S: Future + Send + 'static,
    {
        drain::drain(self.clone(), signal)
    }

    /// Waits until everything that was emitted before is delivered or counted as dropped: `true` if that
    /// came to pass within `deadline`. Returns at most 100 ms after it, whatever a sink does.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    pub fn flush(&self, deadline: Duration) -> impl Future<Output = bool> + Send + 'static + use<> {
        self.inner.worker.flush(deadline)
    }

    /// As [`flush`](Self::flush), blocking.
    ///
    /// # Errors
    ///
    /// Inside an asynchronous runtime, whose thread it would block.
    pub fn flush_blocking(&self, deadline: Duration) -> Result<bool> {
        outside_runtime("flush_blocking", "flush")?;
        Ok(self.inner.worker.flush_blocking(deadline))
    }

    /// Ends the monitor's background work: what is queued is delivered within `deadline`, what is left
    /// then is counted as dropped. The report tells what became of every record. Returns at most 100 ms
    /// after the deadline, whatever a sink does; a second call gives the same report.
    ///
    /// Requests go on to be counted in the series after it, and pages answer, those of a
    /// [`Server`](crate::Server) too until it is dropped; lines are dropped and counted.
    ///
    /// # Cancel safety
    ///
    /// Once polled, the shutdown goes on when the future is dropped.
    pub fn shutdown(
        &self,
        deadline: Duration,
    ) -> impl Future<Output = ShutdownReport> + Send + 'static + use<> {
        self.inner.end();
        self.inner.worker.shutdown(deadline)
    }

    /// As [`shutdown`](Self::shutdown), blocking.
    ///
    /// # Errors
    ///
    /// Inside an asynchronous runtime, whose thread it would block.
    pub fn shutdown_blocking(&self, deadline: Duration) -> Result<ShutdownReport> {
        outside_runtime("shutdown_blocking", "shutdown")?;
        self.inner.end();
        Ok(self.inner.worker.shutdown_blocking(deadline))
    }

    /// For the harness, whose caller may be inside a runtime.
    #[cfg(feature = "testing")]
    pub(crate) fn flush_for_test(&self, deadline: Duration) -> bool {
        self.inner.worker.flush_blocking(deadline)
    }

    /// What became of the records of one signal so far.
    pub fn totals(&self, signal: RecordKind) -> RecordTotals {
        self.inner.counters.totals(signal)
    }

    /// The resolved settings: each with its value, secrets masked, and where it came from.
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// The data directory in use; `None`: nothing is kept on disk.
    pub fn data_dir(&self) -> Option<&std::path::Path> {
        self.inner.data_dir.as_ref().map(DataDir::path)
    }
}

impl Inner {
    /// Nobody is ready from now on, and no check runs any more.
    fn end(&self) {
        self.life.end();
        self.health.set_draining(true);
        self.health.stop();
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.life.end();
        self.errors.unregister();
        // Before the worker goes, whose runtime the checks' timers need.
        self.health.stop();
    }
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Monitor")
            .field("number", &self.inner.requests.number())
            .finish()
    }
}

fn outside_runtime(call: &str, instead: &str) -> Result<()> {
    match tokio::runtime::Handle::try_current() {
        Ok(_) => Err(Error::inside_runtime(call, instead)),
        Err(_) => Ok(()),
    }
}
