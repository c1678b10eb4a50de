//! The serve, flush and shutdown methods of [`Monitor`].

use std::net::ToSocketAddrs;
use std::sync::Arc;
use std::time::Duration;

use super::handle::Monitor;
use super::serve::{Server, page};
use crate::access::Access;
use crate::error::{Error, Result};
use crate::model::ShutdownReport;

impl Monitor {
    /// Serves `/metrics`, `/livez`, `/readyz` and `/health` on a separate port. A dedicated thread serves them, so they
    /// respond while the host's runtime is blocked. Port 0 selects a free port; see [`Server::local_addr`].
    ///
    /// The server runs until it is dropped or shut down, independently of the monitor. [`shutdown`](Self::shutdown)
    /// leaves it open, so that a last scrape reads the final values. After the shutdown, `/livez` still reports that
    /// the process is alive, `/readyz` responds 503, and `/health` reports that the worker has ended.
    ///
    /// Use an address that only your own network can reach. `/health` shows details to requests with the token of the
    /// setting `access.token`.
    ///
    /// With `dashboard.serve`, the [dashboard](crate::dashboard) is served under `/monitoring` too.
    ///
    /// The server holds at most 64 connections. At the limit, a new connection replaces the one that has been idle for
    /// longest, so that idle clients cannot keep a probe waiting. A connection is closed if it sends nothing for 2 s,
    /// if a request head is incomplete after 5 s, or after 75 s between two requests.
    /// `watchpost_serve_connections_closed_total` counts connections that were closed to make room (`reason="evicted"`)
    /// and connections that were refused because every other one was being served (`reason="refused"`).
    ///
    /// # Errors
    ///
    /// Returns an error if the address cannot be resolved or bound, or if the thread cannot be started.
    pub fn serve(&self, addr: impl ToSocketAddrs) -> Result<Server> {
        let health = self.health();
        let mut pages = vec![
            ("/metrics", page(self.prometheus())),
            ("/livez", page(health.livez())),
            ("/readyz", page(health.readyz())),
            ("/health", page(health.details(Access::from_settings()))),
        ];
        pages.extend(self.dashboard_pages());
        Server::start(
            addr,
            pages,
            Arc::clone(&self.inner.server_counters),
            Arc::clone(&self.inner.diagnostics),
        )
    }

    /// Waits until every record emitted before the call is delivered or counted as dropped, and until the traces kept
    /// before are in the data directory, unless it refuses them. Returns `true` if that completed within `deadline`. Returns at most 100 ms after the deadline, even if a sink blocks.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future has no effect on the records or the worker.
    pub fn flush(&self, deadline: Duration) -> impl Future<Output = bool> + Send + 'static + use<> {
        self.inner.worker.flush(deadline)
    }

    /// Does the same as [`flush`](Self::flush), but blocks the calling thread.
    ///
    /// # Errors
    ///
    /// Returns an error inside an asynchronous runtime, because it would block the runtime's thread.
    pub fn flush_blocking(&self, deadline: Duration) -> Result<bool> {
        outside_runtime("flush_blocking", "flush")?;
        Ok(self.inner.worker.flush_blocking(deadline))
    }

    /// Stops the monitor's background work. Queued records are delivered until `deadline`; records that remain are
    /// counted as dropped. The report accounts for every record. Returns at most 100 ms after the deadline, even if a
    /// sink blocks. A second call returns the same report.
    ///
    /// After the shutdown, requests are still counted in the metrics and pages still respond, including those of a
    /// [`Server`](crate::Server) until it is dropped. New log records are dropped and counted.
    ///
    /// # Cancel safety
    ///
    /// Once polled, the shutdown continues if the future is dropped.
    pub fn shutdown(
        &self,
        deadline: Duration,
    ) -> impl Future<Output = ShutdownReport> + Send + 'static + use<> {
        self.inner.end();
        self.inner.worker.shutdown(deadline)
    }

    /// Does the same as [`shutdown`](Self::shutdown), but blocks the calling thread.
    ///
    /// # Errors
    ///
    /// Returns an error inside an asynchronous runtime, because it would block the runtime's thread.
    pub fn shutdown_blocking(&self, deadline: Duration) -> Result<ShutdownReport> {
        outside_runtime("shutdown_blocking", "shutdown")?;
        self.inner.end();
        Ok(self.inner.worker.shutdown_blocking(deadline))
    }

    /// Reads the system's figures for the test harness, as the worker does.
    #[cfg(feature = "testing")]
    pub(crate) fn read_system_for_test(&self) {
        self.inner.system.tick();
        if let Some(data_dir) = &self.inner.data_dir {
            self.inner.system.read_disk(data_dir.path());
        }
        self.inner.metrics.measure_runtimes();
    }

    /// Flushes for the test harness, whose caller may be inside a runtime.
    #[cfg(feature = "testing")]
    pub(crate) fn flush_for_test(&self, deadline: Duration) -> bool {
        self.inner.worker.flush_blocking(deadline)
    }
}

fn outside_runtime(call: &str, instead: &str) -> Result<()> {
    match tokio::runtime::Handle::try_current() {
        Ok(_) => Err(Error::inside_runtime(call, instead)),
        Err(_) => Ok(()),
    }
}
