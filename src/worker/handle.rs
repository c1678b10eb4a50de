use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};

use super::any_sink::AnySink;
use super::completion::{Completion, CompletionFuture};
use super::deadline::Deadlines;
use super::event_loop::{EventLoop, PeriodicTask, supervise};
use super::format::{Format, Formatter};
use super::line_sink::{Sink, SinkStatus};
use super::processor::RecordProcessor;
use super::remote::{Batcher, Remote, RemoteSetup};
use super::shared::{Command, WorkerShared};
use super::{RecordQueue, WorkerConfig};
use crate::clock::{Clock, Nanos, nanos};
use crate::model::catch_panic;
use crate::model::{Diagnostics, RecordCounters, RecordKind, ShutdownReport, suppress_thread};
use crate::model::{is_forked_from, record_process};
use crate::redact::RedactionRules;

/// Threads of the blocking pool: a hanging sink or check holds one.
const MAX_BLOCKING_THREADS: usize = 64;
/// How long a worker whose last handle was dropped goes on delivering. Nobody waits for it.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What a worker is made of.
pub(crate) struct WorkerSetup {
    pub(crate) config: WorkerConfig,
    pub(crate) clock: Clock,
    pub(crate) record_queue: Arc<RecordQueue>,
    pub(crate) counters: Arc<RecordCounters>,
    pub(crate) diagnostics: Arc<Diagnostics>,
    pub(crate) sinks: Vec<SinkSetup>,
    pub(crate) taps: Vec<Box<dyn RecordProcessor>>,
    pub(crate) remotes: Vec<RemoteSetup>,
    pub(crate) ticks: Vec<PeriodicTask>,
}

/// One place where lines go.
pub(crate) struct SinkSetup {
    pub(crate) name: &'static str,
    pub(crate) format: Box<dyn Format>,
    /// Unbuffered: what it accepts counts as delivered. It may hang, fail and panic.
    pub(crate) writer: Box<dyn io::Write + Send>,
}

/// The handle of the worker's thread. Dropping it ends the thread without waiting for it.
pub(crate) struct Worker {
    core: Arc<WorkerShared>,
    handle: Handle,
    process: u32,
}

/// How the worker does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WorkerStatus {
    /// Whether this process is a child made by `fork` after the worker was started.
    pub(crate) forked: bool,
    /// Whether its thread runs.
    pub(crate) alive: bool,
    /// Since its loop last came round: at most a second and a bit, unless something holds it up.
    pub(crate) beat_age: Duration,
    /// Panics that it went on after: in a format, a tick or its own loop.
    pub(crate) restarts: u64,
    pub(crate) sinks: Vec<SinkStatus>,
}

/// How the sinks of a worker do, for whom it does not matter whether it runs.
pub(crate) struct SinkObserver {
    core: Arc<WorkerShared>,
    process: u32,
}

impl SinkObserver {
    pub(crate) fn sinks(&self) -> Vec<SinkStatus> {
        self.core.sinks.iter().filter_map(AnySink::status).collect()
    }

    /// Whether this process is a child made by `fork` after the worker was started.
    pub(crate) fn is_forked(&self) -> bool {
        is_forked_from(self.process)
    }
}

/// A runtime that is never waited for.
struct Background(Option<Runtime>);

impl Drop for Background {
    fn drop(&mut self) {
        // A plain drop waits for hanging tasks, and panics where another runtime is entered.
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
    /// Where the system gives no thread or no event queue.
    pub(crate) fn start(setup: WorkerSetup) -> io::Result<Arc<Self>> {
        // What is formatted on these threads is redacted by the rules of the monitor that starts them.
        let rules = RedactionRules::current();
        let of_pool = rules.clone();
        let runtime = Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(MAX_BLOCKING_THREADS)
            .thread_name("watchpost-io")
            // A writer that logs would otherwise write about its writing for ever.
            .on_thread_start(move || {
                suppress_thread();
                of_pool.set_for_thread();
            })
            .build()?;
        let handle = runtime.handle().clone();
        let runtime = Background(Some(runtime));
        let WorkerSetup {
            config,
            clock,
            record_queue,
            counters,
            diagnostics,
            sinks,
            taps,
            remotes,
            ticks,
        } = setup;
        let pace = Clock::system();
        let formatter = |SinkSetup {
                             name,
                             format,
                             writer,
                         }| {
            let sink = Sink::new(
                name,
                config.max_sink_bytes,
                writer,
                (pace.clone(), Arc::clone(&record_queue)),
                (Arc::clone(&counters), Arc::clone(&diagnostics)),
            );
            Formatter::new(Arc::new(sink), format, Arc::clone(&counters))
        };
        let formatters: Vec<_> = sinks.into_iter().map(formatter).collect();
        let feed = |setup: RemoteSetup| {
            let (sink, consume) = Remote::new(
                setup,
                (clock.clone(), pace.clone()),
                Arc::clone(&record_queue),
                (Arc::clone(&counters), Arc::clone(&diagnostics)),
            );
            Batcher::new(Arc::new(sink), consume)
        };
        let feeds: Vec<_> = remotes.into_iter().map(feed).collect();
        for signal in RecordKind::ALL {
            let lines = signal.is_line() && !formatters.is_empty();
            let tapped = taps.iter().any(|tap| tap.signal() == signal);
            if !lines && !tapped && !feeds.iter().any(|feed| feed.takes(signal)) {
                record_queue.mute(signal);
            }
        }
        let lines = formatters
            .iter()
            .map(|it| AnySink::Lines(Arc::clone(&it.sink)));
        let remote = feeds.iter().map(|it| AnySink::Remote(Arc::clone(&it.sink)));
        let sinks = lines.chain(remote).collect();
        let core = WorkerShared::new((clock, pace), record_queue, (counters, diagnostics), sinks);
        let core = Arc::new(core);
        let engine = EventLoop::new(
            Arc::clone(&core),
            handle.clone(),
            (formatters, feeds),
            taps,
            ticks,
        );
        let shared = Arc::clone(&core);
        record_process();
        std::thread::Builder::new()
            .name("watchpost".to_owned())
            .spawn(move || {
                suppress_thread();
                rules.set_for_thread();
                run(&shared, engine, runtime);
            })?;
        Ok(Arc::new(Self {
            core,
            handle,
            process: std::process::id(),
        }))
    }

    /// The worker's runtime: one thread, so what blocks belongs on its blocking pool.
    pub(crate) fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// What keeps deadlines, whatever the worker is at.
    pub(crate) fn deadlines(&self) -> Deadlines {
        self.core.deadlines.clone()
    }

    /// Delivers everything that was emitted before this call; the future says whether all of it was
    /// delivered or counted as dropped before `timeout` was over, and is ready by then.
    ///
    /// # Cancel safety
    ///
    /// The delivery goes on when the future is dropped.
    pub(crate) fn flush(
        &self,
        timeout: Duration,
    ) -> impl Future<Output = bool> + Send + use<> + 'static {
        let answer = self.ask_flush(timeout);
        if answer.value().is_none() {
            let until = self.until(timeout);
            self.core.deadlines.add(until, Arc::clone(&answer) as _);
        }
        CompletionFuture(answer)
    }

    /// [`flush`](Self::flush), blocking the calling thread.
    pub(crate) fn flush_blocking(&self, timeout: Duration) -> bool {
        self.ask_flush(timeout).wait(timeout).unwrap_or(false)
    }

    fn ask_flush(&self, timeout: Duration) -> Arc<Completion<bool>> {
        let answer = Arc::<Completion<bool>>::default();
        if self.is_forked() {
            answer.give(false);
        } else {
            self.core.command(Command::Flush {
                until: self.until(timeout),
                answer: Arc::clone(&answer),
            });
        }
        answer
    }

    /// Delivers what it can before `timeout` is over, drops and counts the rest, and ends the thread. A
    /// second call gives the same report; while the first is under way, the earlier deadline holds.
    ///
    /// # Cancel safety
    ///
    /// The shutdown goes on when the future is dropped.
    pub(crate) fn shutdown(
        &self,
        timeout: Duration,
    ) -> impl Future<Output = ShutdownReport> + Send + use<> + 'static {
        if self.is_forked() {
            let answer = Arc::<Completion<ShutdownReport>>::default();
            answer.give(self.core.report_in_child());
            return CompletionFuture(answer);
        }
        if !self.core.is_finished() {
            let until = self.ask_shutdown(timeout);
            self.core.deadlines.add(until, Arc::clone(&self.core) as _);
        }
        CompletionFuture(Arc::clone(&self.core.finished))
    }

    /// [`shutdown`](Self::shutdown), blocking the calling thread.
    pub(crate) fn shutdown_blocking(&self, timeout: Duration) -> ShutdownReport {
        if self.is_forked() {
            return self.core.report_in_child();
        }
        self.ask_shutdown(timeout);
        self.core.finished.wait(timeout).unwrap_or_else(|| {
            self.core.finish();
            // Another thread may be at it this moment; it waits for nobody.
            self.core
                .finished
                .wait(LAST_WORDS)
                .unwrap_or_else(|| self.core.counters.report(false))
        })
    }

    fn ask_shutdown(&self, timeout: Duration) -> Nanos {
        let until = self.until(timeout);
        if !self.core.is_finished() {
            self.core.command(Command::Shutdown { until });
        }
        until
    }

    /// How it does now.
    pub(crate) fn status(&self) -> WorkerStatus {
        let beat = self.core.beat.load(Relaxed);
        WorkerStatus {
            forked: self.is_forked(),
            alive: self.core.has_thread.load(Relaxed) && !self.is_forked(),
            beat_age: Duration::from_nanos(self.core.pace.now().saturating_sub(beat)),
            restarts: self.core.panics.load(Relaxed),
            sinks: self.watch().sinks(),
        }
    }

    /// Runs code while other code is at every sink, as a thread of the parent may have been when it forked.
    #[cfg(test)]
    pub(crate) fn while_sinks_are_locked<R>(&self, run: impl FnOnce() -> R) -> R {
        let lines = self.core.sinks.iter().filter_map(|sink| match sink {
            AnySink::Lines(sink) => Some(sink),
            AnySink::Remote(_) => None,
        });
        let _locked: Vec<_> = lines.map(|sink| sink.lock()).collect();
        run()
    }

    /// What tells how the sinks do, and keeps nothing running.
    pub(crate) fn watch(&self) -> SinkObserver {
        SinkObserver {
            core: Arc::clone(&self.core),
            process: self.process,
        }
    }

    fn until(&self, timeout: Duration) -> Nanos {
        self.core.pace.now().saturating_add(nanos(timeout))
    }

    fn is_forked(&self) -> bool {
        is_forked_from(self.process)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if !self.is_forked() {
            self.ask_shutdown(LAST_WORDS);
        }
    }
}

/// The life of the worker's thread.
fn run(core: &WorkerShared, mut engine: EventLoop, runtime: Background) {
    if let Background(Some(runtime)) = &runtime {
        supervise(&core.panics, || runtime.block_on(engine.run()));
    }
    // Formats, ticks and writers are foreign: each may panic or hang when it is dropped, and by now
    // nobody waits for this thread.
    core.has_thread.store(false, Relaxed);
    catch_panic(|| drop(engine));
    core.sinks.iter().for_each(AnySink::drop_writer);
    drop(runtime);
}
