use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};

use super::any_sink::AnySink;
use super::completion::{Completion, CompletionFuture};
use super::context::WorkerContext;
use super::deadline::Deadlines;
use super::event_loop::{EventLoop, EventLoopSetup, supervise};
use super::format::{Format, LineFormatter};
use super::line_observer::LineObserver;
use super::line_sink::LineSink;
use super::periodic_task::PeriodicTask;
use super::processor::RecordProcessor;
use super::remote::{Batcher, RemoteSetup, RemoteSink};
use super::shared::{Command, WorkerShared};
use super::sink_status::SinkStatus;
use super::{RecordQueue, WorkerConfig};
use crate::clock::{Clock, Nanos, nanos};
use crate::model::{
    Diagnostics, RecordCounters, RecordKind, ShutdownReport, catch_panic, is_forked_from,
    record_process, suppress_thread,
};
use crate::redact::RedactionRules;

/// The maximum number of threads of the blocking pool. A hanging sink or lookup holds one.
const MAX_BLOCKING_THREADS: usize = 64;
/// How long a worker continues to deliver after its last handle was dropped. No caller waits for it.
const DROP_TIMEOUT: Duration = Duration::from_secs(1);

/// The parts of a worker.
pub(crate) struct WorkerSetup {
    pub(crate) config: WorkerConfig,
    pub(crate) clock: Clock,
    pub(crate) record_queue: Arc<RecordQueue>,
    pub(crate) counters: Arc<RecordCounters>,
    pub(crate) diagnostics: Arc<Diagnostics>,
    pub(crate) sinks: Vec<SinkSetup>,
    pub(crate) processors: Vec<Box<dyn RecordProcessor>>,
    /// Sees every record that becomes a line, also without a sink of lines.
    pub(crate) observer: Option<Box<dyn LineObserver>>,
    pub(crate) remotes: Vec<RemoteSetup>,
    pub(crate) tasks: Vec<PeriodicTask>,
}

/// The parts of one sink of log lines.
pub(crate) struct SinkSetup {
    pub(crate) name: &'static str,
    pub(crate) format: Box<dyn Format>,
    /// What it accepts counts as delivered, so it should not buffer. It may hang, fail and panic.
    pub(crate) writer: Box<dyn io::Write + Send>,
    /// How long what was written may wait for a flush. It is flushed sooner if a flush or a shutdown awaits it.
    pub(crate) flush_delay: Duration,
}

/// The handle of the worker's thread. Dropping it ends the thread without waiting for it.
pub(crate) struct Worker {
    shared: Arc<WorkerShared>,
    runtime: Handle,
    process: u32,
}

/// The state of the worker, for health and self-metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WorkerStatus {
    /// Whether this process is a child made by `fork` after the worker was started.
    pub(crate) forked: bool,
    /// Whether its thread is running.
    pub(crate) alive: bool,
    /// The time since its last round began: little more than a second, unless something blocks the loop.
    pub(crate) round_age: Duration,
    /// Panics that it recovered from: in a format, a task or its own loop.
    pub(crate) recovered_panics: u64,
    pub(crate) sinks: Vec<SinkStatus>,
}

/// Reads the state of a worker's sinks without keeping the worker running.
pub(crate) struct SinkObserver {
    shared: Arc<WorkerShared>,
    process: u32,
}

impl SinkObserver {
    pub(crate) fn sinks(&self) -> Vec<SinkStatus> {
        self.shared
            .sinks
            .iter()
            .filter_map(AnySink::status)
            .collect()
    }

    /// Whether this process is a child made by `fork` after the worker was started.
    pub(crate) fn is_forked(&self) -> bool {
        is_forked_from(self.process)
    }
}

/// A runtime whose drop does not wait.
struct BackgroundRuntime(Option<Runtime>);

impl Drop for BackgroundRuntime {
    fn drop(&mut self) {
        // A plain drop waits for hanging tasks, and panics inside another runtime.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Worker {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// Fails if the operating system cannot create a thread or an event queue.
    pub(crate) fn start(setup: WorkerSetup) -> io::Result<Arc<Self>> {
        // Texts that these threads format are redacted by the rules of the monitor that starts them.
        let rules = RedactionRules::current();
        let pool_rules = rules.clone();
        let runtime = Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(MAX_BLOCKING_THREADS)
            .thread_name("watchpost-io")
            // Otherwise a writer that logs would produce records about its own writes forever.
            .on_thread_start(move || {
                suppress_thread();
                pool_rules.set_for_thread();
            })
            .build()?;
        let handle = runtime.handle().clone();
        let background = BackgroundRuntime(Some(runtime));
        let WorkerSetup {
            config,
            clock,
            record_queue,
            counters,
            diagnostics,
            sinks,
            processors,
            observer,
            remotes,
            tasks,
        } = setup;
        let context = WorkerContext {
            clock,
            monotonic: Clock::system(),
            record_queue,
            counters,
            diagnostics,
        };
        let formatter = |SinkSetup {
                             name,
                             format,
                             writer,
                             flush_delay,
                         }| {
            let limits = (config.max_sink_bytes, flush_delay);
            let sink = LineSink::new(name, limits, writer, &context);
            LineFormatter::new(Arc::new(sink), format, Arc::clone(&context.counters))
        };
        let formatters: Vec<_> = sinks.into_iter().map(formatter).collect();
        let batcher = |setup: RemoteSetup| {
            let (sink, encode) = RemoteSink::new(setup, &context);
            Batcher::new(Arc::new(sink), encode)
        };
        let batchers: Vec<_> = remotes.into_iter().map(batcher).collect();
        // Records that no consumer takes are not even queued.
        for kind in RecordKind::ALL {
            let lines = kind.is_line() && (!formatters.is_empty() || observer.is_some());
            let processed = processors.iter().any(|it| it.kind() == kind);
            if !lines && !processed && !batchers.iter().any(|it| it.takes(kind)) {
                context.record_queue.mute(kind);
            }
        }
        // The shared state sees every sink too: closing the sinks at a deadline must not need the worker's thread.
        let lines = formatters
            .iter()
            .map(|it| AnySink::Lines(Arc::clone(&it.sink)));
        let remote = batchers
            .iter()
            .map(|it| AnySink::Remote(Arc::clone(&it.sink)));
        let sinks = lines.chain(remote).collect();
        let unstored = tasks.iter().filter_map(PeriodicTask::stores).collect();
        let shared = Arc::new(WorkerShared::new(context, sinks, unstored));
        let event_loop = EventLoop::new(EventLoopSetup {
            shared: Arc::clone(&shared),
            runtime: handle.clone(),
            formatters,
            batchers,
            processors,
            observer,
            tasks,
        });
        // The thread is started last. It gets the loop as its own, so that no lock is needed for it.
        let of_thread = Arc::clone(&shared);
        record_process();
        std::thread::Builder::new()
            .name("watchpost".to_owned())
            .spawn(move || {
                suppress_thread();
                rules.set_for_thread();
                run(&of_thread, event_loop, background);
            })?;
        Ok(Arc::new(Self {
            shared,
            runtime: handle,
            process: std::process::id(),
        }))
    }

    /// The worker's runtime. It has one thread, so blocking work belongs on its blocking pool.
    pub(crate) fn handle(&self) -> Handle {
        self.runtime.clone()
    }

    /// Deadlines that hold even if the worker is stuck.
    pub(crate) fn deadlines(&self) -> Deadlines {
        self.shared.deadlines.clone()
    }

    /// Delivers everything that was emitted before this call.
    ///
    /// The future is ready at `timeout` at the latest. It resolves to whether all of it was delivered or counted as
    /// dropped by then.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the delivery continues if the future is dropped.
    pub(crate) fn flush(
        &self,
        timeout: Duration,
    ) -> impl Future<Output = bool> + Send + use<> + 'static {
        let done = self.request_flush(timeout);
        if done.value().is_none() {
            let until = self.deadline_of(timeout);
            self.shared.deadlines.add(until, Arc::clone(&done) as _);
        }
        CompletionFuture(done)
    }

    /// [`flush`](Self::flush), blocking the calling thread.
    pub(crate) fn flush_blocking(&self, timeout: Duration) -> bool {
        self.request_flush(timeout).wait(timeout).unwrap_or(false)
    }

    fn request_flush(&self, timeout: Duration) -> Arc<Completion<bool>> {
        let done = Arc::<Completion<bool>>::default();
        if self.is_forked() {
            done.complete(false);
        } else {
            self.shared.command(Command::Flush {
                until: self.deadline_of(timeout),
                done: Arc::clone(&done),
            });
        }
        done
    }

    /// Delivers what it can within `timeout`, counts the rest as dropped, and ends the thread.
    ///
    /// A second call resolves to the same report. While the first is in progress, the earlier of the two deadlines
    /// applies.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the shutdown continues if the future is dropped.
    pub(crate) fn shutdown(
        &self,
        timeout: Duration,
    ) -> impl Future<Output = ShutdownReport> + Send + use<> + 'static {
        if self.is_forked() {
            let finished = Arc::<Completion<ShutdownReport>>::default();
            finished.complete(self.shared.report_in_child());
            return CompletionFuture(finished);
        }
        if !self.shared.is_finished() {
            let until = self.request_shutdown(timeout);
            self.shared
                .deadlines
                .add(until, Arc::clone(&self.shared) as _);
        }
        CompletionFuture(Arc::clone(&self.shared.finished))
    }

    /// [`shutdown`](Self::shutdown), blocking the calling thread.
    pub(crate) fn shutdown_blocking(&self, timeout: Duration) -> ShutdownReport {
        if self.is_forked() {
            return self.shared.report_in_child();
        }
        self.request_shutdown(timeout);
        self.shared.finished.wait(timeout).unwrap_or_else(|| {
            // The deadline has passed: this thread finishes in the worker's place.
            self.shared.finish();
            // Another thread may be finishing at this moment. It waits for nothing, so the report follows immediately.
            self.shared
                .finished
                .wait(DROP_TIMEOUT)
                .unwrap_or_else(|| self.shared.counters.report(false))
        })
    }

    fn request_shutdown(&self, timeout: Duration) -> Nanos {
        let until = self.deadline_of(timeout);
        if !self.shared.is_finished() {
            self.shared.command(Command::Shutdown { until });
        }
        until
    }

    /// The current state.
    pub(crate) fn status(&self) -> WorkerStatus {
        let last_round = self.shared.last_round.load(Relaxed);
        let now = self.shared.monotonic.now();
        WorkerStatus {
            forked: self.is_forked(),
            alive: self.shared.has_thread.load(Relaxed) && !self.is_forked(),
            round_age: Duration::from_nanos(now.saturating_sub(last_round)),
            recovered_panics: self.shared.panics.load(Relaxed),
            sinks: self.sink_observer().sinks(),
        }
    }

    /// Runs code while the locks of all sinks of lines are held, as a thread of the parent may hold them when it forks.
    #[cfg(test)]
    pub(crate) fn while_sinks_are_locked<R>(&self, run: impl FnOnce() -> R) -> R {
        let lines = self.shared.sinks.iter().filter_map(|sink| match sink {
            AnySink::Lines(sink) => Some(sink),
            AnySink::Remote(_) => None,
        });
        let _locked: Vec<_> = lines.map(|sink| sink.lock()).collect();
        run()
    }

    /// A reader of the sinks' states that does not keep the worker running.
    pub(crate) fn sink_observer(&self) -> SinkObserver {
        SinkObserver {
            shared: Arc::clone(&self.shared),
            process: self.process,
        }
    }

    fn deadline_of(&self, timeout: Duration) -> Nanos {
        self.shared.monotonic.now().saturating_add(nanos(timeout))
    }

    fn is_forked(&self) -> bool {
        is_forked_from(self.process)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if !self.is_forked() {
            self.request_shutdown(DROP_TIMEOUT);
        }
    }
}

/// Runs the worker's thread from its start to its end.
fn run(shared: &WorkerShared, mut event_loop: EventLoop, runtime: BackgroundRuntime) {
    if let BackgroundRuntime(Some(runtime)) = &runtime {
        supervise(&shared.panics, || runtime.block_on(event_loop.run()));
    }
    // The report has been published, and nothing waits for this thread any more. That matters, because formats, tasks
    // and writers are foreign code, which may panic or hang when it is dropped.
    shared.has_thread.store(false, Relaxed);
    catch_panic(|| drop(event_loop));
    shared.sinks.iter().for_each(AnySink::drop_writer);
    drop(runtime);
}
