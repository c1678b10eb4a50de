use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tracing::level_filters::LevelFilter;

use super::data_dir::DataDir;
use super::state::MonitorState;
use crate::config::call_error;
use crate::db::Queries;
use crate::error::Result;
use crate::health::Health;
use crate::http::{Connection, EndpointLayer};
use crate::logs::{EventListener, LogLevel, TracingLayer};
use crate::metrics::{Metrics, Prometheus};
use crate::model::TraceId;
use crate::otel::Otel;
use crate::trace::SpanBuilder;

/// A handle that gives access to all parts of a monitor. Cloning is cheap, and all clones share the same monitor.
///
/// Several monitors in one process are independent: each has its own series, log records, IDs and worker.
///
/// # What keeps a monitor alive
///
/// The handles: the [`MonitorGuard`](crate::MonitorGuard) that `build` and `install` return, and each clone of the
/// `Monitor`. Layers, pages, instruments and other parts that were made from it do not. Keep the guard in `main` until the
/// service has ended, and end with [`shutdown`](Self::shutdown). If `main` hands the monitor to a function that builds the
/// router, pass `&Monitor` or a clone.
///
/// When the last handle is dropped, the monitor ends as if it were shut down:
///
/// | part | after the last handle |
/// |---|---|
/// | log records, traces, events for Sentry | what is queued is delivered in the background, for at most 1 s; new ones are dropped and counted with the reason `shutdown` |
/// | `capture_error` | captures nothing and returns a nil ID; counted in `watchpost_errors_unrouted_total` |
/// | requests through the layer | are served and counted in the metrics |
/// | `/metrics` | responds, without the figures of the worker |
/// | health checks | no longer run |
/// | [`Monitor::current`], the extractor of axum | `None`, a response of 500 |
/// | process globals | are free for the next monitor that is installed |
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
    pub(super) inner: Arc<MonitorState>,
}

impl Monitor {
    /// Returns the tower layer that records inbound requests. See [`http`](crate::http).
    pub fn layer(&self) -> EndpointLayer {
        EndpointLayer::new(&self.inner.inbound)
    }

    /// Returns the metrics registry, which creates counters, gauges and histograms. See [`metrics`](crate::metrics).
    pub fn metrics(&self) -> &Metrics {
        &self.inner.metrics
    }

    /// Returns a service that serves the metrics page for Prometheus, for use in any router.
    pub fn prometheus(&self) -> Prometheus {
        self.inner.metrics.prometheus()
    }

    /// Returns the health checks and the health endpoints. See [`health`](crate::health).
    pub fn health(&self) -> &Health {
        &self.inner.health
    }

    /// Returns the layer that records `tracing` events as log records, for a host with its own subscriber. Call
    /// [`install`](Self::install) after setting the subscriber.
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

    /// Returns the layer for the subscriber that `install` sets.
    pub(super) fn own_layer(&self) -> TracingLayer {
        let MonitorState {
            record_queue,
            requests,
            levels,
            tracing,
            queries,
            ..
        } = &*self.inner;
        let listener = (Queries::EVENT_LEVEL != LevelFilter::OFF).then(|| {
            queries.listen();
            // Weak, because a subscriber can live as long as the process and must not keep the pools of an ended
            // monitor alive.
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
            Arc::clone(levels.directives()),
            Arc::clone(&tracing.layer),
            listener,
        )
    }

    /// Creates a builder for a span around a future or a closure. The span is a child of the current operation, or the
    /// root of a new trace if there is none. See [`trace`](crate::trace).
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

    /// Returns the monitor's OpenTelemetry integration: its tracer provider and layers.
    pub fn otel(&self) -> Otel {
        self.inner.tracing.otel.clone()
    }

    /// Changes which `tracing` events become log records, from now on, by directives such as
    /// `info,hyper=off,shop::db=debug`. `off` selects none. The directives replace those of the setting `log.level`,
    /// and the same text is valid in both.
    ///
    /// # Errors
    ///
    /// Returns an error that names the first invalid directive: one without a level, such as an empty text, a name that
    /// cannot be a target, or a second level for all targets, as in `info,warn`. The levels then stay unchanged.
    pub fn set_log_level(&self, directives: &str) -> Result<()> {
        let replaced = self.inner.levels.set(directives);
        replaced
            .map_err(|advice| call_error("log.level", directives, ".set_log_level(..)", &advice))
    }

    /// Changes which `tracing` events become log records, for a while: after `time`, the directives that were set last
    /// without a time return, to within two seconds. A later call replaces the time of an earlier one.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # fn main() -> watchpost::Result<()> {
    /// # let monitor = watchpost::Monitor::builder("shop").env(false).console(false).build()?;
    /// monitor.set_log_level_for("info,shop::db=debug", Duration::from_secs(600))?;
    /// let level = monitor.log_level();
    /// assert_eq!((level.lasting.as_str(), level.until.is_some()), ("info", true));
    /// assert!(monitor.revert_log_level());
    /// assert_eq!(monitor.log_level().directives, "info");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Same as for [`set_log_level`](Self::set_log_level).
    pub fn set_log_level_for(&self, directives: &str, time: Duration) -> Result<()> {
        let replaced = self.inner.levels.set_for(directives, time);
        replaced.map_err(|advice| {
            call_error("log.level", directives, ".set_log_level_for(..)", &advice)
        })
    }

    /// Ends a level that [`set_log_level_for`](Self::set_log_level_for) has set, before its time. Returns `false` if there is
    /// none.
    pub fn revert_log_level(&self) -> bool {
        self.inner.levels.revert()
    }

    /// Returns which log records are kept now, and until when.
    pub fn log_level(&self) -> LogLevel {
        self.inner.levels.current()
    }

    /// Returns the trace ID of the request that the calling code runs in; `None` outside a request.
    pub fn current_trace_id(&self) -> Option<TraceId> {
        self.inner.tracing.layer.ids_here().map(|ids| ids.trace)
    }

    /// Records an upgraded connection, such as a WebSocket, and its duration. The endpoint layer cannot observe such a
    /// connection; wrap its task in the returned value's `run`.
    ///
    /// ```
    /// # async fn handler(monitor: watchpost::Monitor) {
    /// monitor.connection("/ws/echo").run(async { /* read and write the socket */ }).await;
    /// # }
    /// ```
    pub fn connection(&self, name: impl Into<String>) -> Connection {
        self.inner.inbound.connection(name.into())
    }

    /// Returns the data directory in use; `None` if nothing is stored on disk.
    pub fn data_dir(&self) -> Option<&std::path::Path> {
        self.inner.data_dir.as_ref().map(DataDir::path)
    }
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Monitor")
            .field("number", &self.inner.requests.number())
            .finish()
    }
}
