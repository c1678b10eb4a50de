//! Serves the monitor's own port, flushes and shuts down.

use std::net::ToSocketAddrs;
use std::sync::Arc;
use std::time::Duration;

use super::handle::Monitor;
use super::serve::{Server, page};
use crate::access::Access;
use crate::error::{Error, Result};
use crate::model::ShutdownReport;

impl Monitor {
    /// Serves `/metrics`, `/livez`, `/readyz` and `/health` on a port and a thread of their own, which
    /// respond while the host's runtime is blocked. Port 0 takes a free one; see
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
    /// Requests go on to be counted in the series after it, and pages respond, those of a
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
}

fn outside_runtime(call: &str, instead: &str) -> Result<()> {
    match tokio::runtime::Handle::try_current() {
        Ok(_) => Err(Error::inside_runtime(call, instead)),
        Err(_) => Ok(()),
    }
}
