use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::runtime::Handle;

use super::Record;
use super::any_sink::AnySink;
use super::completion::Completion;
use super::format::LineFormatter;
use super::line_observer::LineObserver;
use super::periodic_task::PeriodicTask;
use super::processor::{self, RecordProcessor};
use super::remote::Batcher;
use super::shared::{Command, WorkerShared};
use crate::clock::{Nanos, nanos};
use crate::model::{DropReason, RecordKind, catch_panic};

/// The interval between rounds while records arrive.
const ROUND: Duration = Duration::from_millis(20);
/// After this long without a record the worker is idle: it sleeps until it is woken, for at most as long again.
const IDLE: Duration = Duration::from_secs(1);

/// The dependencies of the event loop.
pub(super) struct EventLoopSetup {
    pub(super) shared: Arc<WorkerShared>,
    /// The worker's runtime, for its blocking pool and for requests.
    pub(super) runtime: Handle,
    pub(super) formatters: Vec<LineFormatter>,
    pub(super) batchers: Vec<Batcher>,
    pub(super) processors: Vec<Box<dyn RecordProcessor>>,
    pub(super) observer: Option<Box<dyn LineObserver>>,
    pub(super) tasks: Vec<PeriodicTask>,
}

/// The worker's loop.
pub(super) struct EventLoop {
    shared: Arc<WorkerShared>,
    runtime: Handle,
    formatters: Vec<LineFormatter>,
    batchers: Vec<Batcher>,
    processors: Vec<Box<dyn RecordProcessor>>,
    observer: Option<Box<dyn LineObserver>>,
    /// Each task with the time at which it runs next.
    tasks: Vec<(Nanos, PeriodicTask)>,
    buffers: Vec<Vec<u8>>,
    flushes: Vec<PendingFlush>,
    /// The deadline of the shutdown, once one is requested.
    shutdown: Option<Nanos>,
    /// Whether this round has taken a shutdown command: the sinks then immediately make one attempt.
    shutdown_is_new: bool,
    last_record: Nanos,
    last_anchor: Nanos,
}

struct PendingFlush {
    until: Nanos,
    /// The number of the last block or batch that it awaits, for each sink.
    sink_numbers: Vec<u64>,
    /// The position that it awaits, for each processor.
    positions: Vec<u64>,
    done: Arc<Completion<bool>>,
}

impl EventLoop {
    pub(super) fn new(setup: EventLoopSetup) -> Self {
        let EventLoopSetup {
            shared,
            runtime,
            formatters,
            batchers,
            processors,
            observer,
            tasks,
        } = setup;
        let now = shared.monotonic.now();
        let tasks = tasks
            .into_iter()
            .map(|task| (now.saturating_add(nanos(task.period)), task));
        Self {
            runtime,
            formatters,
            batchers,
            processors,
            observer,
            tasks: tasks.collect(),
            buffers: Vec::new(),
            flushes: Vec::new(),
            shutdown: None,
            shutdown_is_new: false,
            last_record: now,
            last_anchor: now,
            shared,
        }
    }

    /// Runs rounds until the worker has ended.
    pub(super) async fn run(&mut self) {
        while !self.run_round() {
            let idle = self.since(self.last_record) >= IDLE;
            if idle {
                // Frees the memory of an earlier burst.
                self.buffers = Vec::new();
                // From here on each record wakes the worker. One that was pushed before this call did not, so one more
                // round must check for it before the worker may sleep.
                self.shared.record_queue.set_idle(true);
                if self.run_round() {
                    return;
                }
            }
            // If that round found a record, the worker is not idle any more, and the next round follows without a
            // sleep.
            if !idle || self.since(self.last_record) >= IDLE {
                let timeout = self.time_to_sleep(if idle { IDLE } else { ROUND });
                drop(tokio::time::timeout(timeout, self.shared.record_queue.woken()).await);
            }
            self.shared.record_queue.set_idle(false);
        }
    }

    /// Does everything that can be done now. Returns whether the worker has ended.
    ///
    /// The order of the steps matters. Each comment gives the reason for its step's position.
    fn run_round(&mut self) -> bool {
        let now = self.shared.monotonic.now();
        self.shared.last_round.store(now, Relaxed);

        // 1. A shutdown that ended at its deadline, on another thread, has closed the sinks and counted all records.
        //    Nothing is left to flush.
        if self.shared.is_finished() {
            self.flushes
                .drain(..)
                .for_each(|flush| flush.done.complete(true));
            return true;
        }

        // 2. The wall clock is read again, so that log lines follow its steps within about a second.
        if self.since(self.last_anchor) >= IDLE {
            self.last_anchor = now;
            self.shared.clock.renew_anchor();
        }

        // 3. Commands are taken before the records: everything that was pushed before a flush was requested is then in
        //    this round's batch. A shutdown closes the queue first, so that its batch is the last one.
        let commands = self.shared.take_commands();
        for command in &commands {
            if let Command::Shutdown { until } = *command {
                self.shutdown = Some(self.shutdown.map_or(until, |before| before.min(until)));
                self.shared.record_queue.close();
                self.shutdown_is_new = true;
            }
        }

        // 4. The records go through processors, encoders and formatters. Processors then do their own work that is due,
        //    with this round's records.
        self.take_records(now);
        for processor in &mut self.processors {
            processor::run_due(processor.as_mut(), &self.runtime, &self.shared.panics);
        }

        // 5. Notices follow the records, since handling records may have reported notices. Then the blocks are complete
        //    and go to their sinks.
        self.write_notices();
        for formatter in &mut self.formatters {
            formatter.hand_over(&self.runtime);
        }

        // 6. Encoders hand over the batches that are due, or everything they hold if a flush waits for it. Jobs that make
        //    batches on the pool are started here, so that the flush of step 7 waits for them.
        let is_flush = |command: &Command| matches!(command, Command::Flush { .. });
        let requested = self.shutdown_is_new || commands.iter().any(is_flush);
        let all = self.shutdown.is_some() || requested;
        for batcher in &mut self.batchers {
            if requested {
                batcher.request_flush();
            }
            batcher.hand_over(now, all, &self.runtime, &self.shared.panics);
            batcher.sink.dispatch(&self.runtime);
        }

        // 7. Only now does every record before a flush have a number at its sink. The flush waits up to that number.
        for command in commands {
            if let Command::Flush { until, done } = command {
                let sink_numbers = self.request_flush(true);
                let positions = self.processors.iter().map(|it| it.position()).collect();
                self.flushes.push(PendingFlush {
                    until,
                    sink_numbers,
                    positions,
                    done,
                });
            }
        }
        self.complete_flushes();

        // 8. The shutdown comes last: its condition needs everything above handed over.
        if self.is_shut_down() {
            self.shared.finish();
            return true;
        }
        self.run_tasks(now);
        false
    }

    /// Drains the queue and hands the records to every consumer.
    fn take_records(&mut self, now: Nanos) {
        // The buffers of the round before go back to the queue, which fills them again.
        self.shared.record_queue.drain(&mut self.buffers);
        let bytes: usize = self.buffers.iter().map(Vec::len).sum();
        // An estimate of the number of records, so that the list hardly grows.
        let mut records = Vec::with_capacity(bytes / 128);
        for buffer in &self.buffers {
            records.extend(Record::all(buffer));
        }
        if records.is_empty() {
            return;
        }
        self.last_record = now;
        // Before anything works on the records: remote sinks that are closed meanwhile count what was announced.
        self.count_for_further_sinks(&records);
        for batcher in &mut self.batchers {
            batcher.announce(&records);
        }
        // One pass if they are in order already, as the records of one buffer mostly are.
        records.sort_by_key(|record| record.at);
        let shared = &self.shared;
        for processor in &mut self.processors {
            let processed = processor::process_batch(
                processor.as_mut(),
                &records,
                &self.runtime,
                &shared.panics,
            );
            let kind = processor.kind();
            let lines = kind.is_line() && !self.formatters.is_empty();
            if !lines && !self.batchers.iter().any(|batcher| batcher.takes(kind)) {
                // No sink takes this kind: the processor is the destination, and what it has processed is delivered.
                let all = records.iter().filter(|it| it.kind == kind);
                let all: u64 = all.map(|it| u64::from(it.items)).sum();
                shared.counters.delivered(kind, processed);
                shared
                    .counters
                    .dropped(kind, DropReason::Panic, all - processed);
            }
        }
        // Encoders come after the processors, which may have put what the encoders need beside the records.
        for batcher in &mut self.batchers {
            batcher.encode(&records, &self.shared.panics);
        }
        records.retain(|record| record.kind.is_line());
        if let Some(observer) = &mut self.observer {
            let seen = catch_panic(|| observer.records(&records)).is_some();
            self.count_observed(&records, seen);
        }
        for formatter in &mut self.formatters {
            formatter.format_batch(&records, &self.runtime, &self.shared.panics);
        }
    }

    /// Counts the records that have no other destination than the observer.
    fn count_observed(&self, records: &[Record<'_>], seen: bool) {
        if !seen {
            self.shared.panics.fetch_add(1, Relaxed);
        }
        for kind in RecordKind::ALL.into_iter().filter(|kind| kind.is_line()) {
            let lines = !self.formatters.is_empty();
            let processed = self.processors.iter().any(|it| it.kind() == kind);
            if lines || processed || self.batchers.iter().any(|batcher| batcher.takes(kind)) {
                continue;
            }
            let all = records.iter().filter(|record| record.kind == kind);
            let all: u64 = all.map(|record| u64::from(record.items)).sum();
            if seen {
                self.shared.counters.delivered(kind, all);
            } else {
                self.shared.counters.dropped(kind, DropReason::Panic, all);
            }
        }
    }

    /// Counts each record as emitted once for every sink that takes it. The queue has counted it for the first of them.
    fn count_for_further_sinks(&self, records: &[Record<'_>]) {
        for kind in RecordKind::ALL {
            let lines = if kind.is_line() {
                self.formatters.len()
            } else {
                0
            };
            let remote = self.batchers.iter().filter(|it| it.takes(kind)).count();
            let further = (lines + remote).saturating_sub(1) as u64;
            if further > 0 {
                let of_kind = records.iter().filter(|record| record.kind == kind);
                let items: u64 = of_kind.map(|record| u64::from(record.items)).sum();
                self.shared.counters.emitted(kind, further * items);
            }
        }
    }

    fn write_notices(&mut self) {
        if self.formatters.is_empty() && self.observer.is_none() {
            return;
        }
        let now = self.shared.clock.now();
        for notice in self.shared.diagnostics.take_unwritten() {
            if let Some(observer) = &mut self.observer {
                let seen = catch_panic(|| observer.notice(now, &notice)).is_some();
                if self.formatters.is_empty() {
                    let counters = &self.shared.counters;
                    counters.emitted(RecordKind::Notice, 1);
                    counters.delivered(RecordKind::Notice, u64::from(seen));
                    let lost = u64::from(!seen);
                    counters.dropped(RecordKind::Notice, DropReason::Panic, lost);
                }
            }
            for formatter in &mut self.formatters {
                formatter.format_notice(now, &notice, &self.runtime);
            }
        }
    }

    /// Requests from every sink the delivery of everything it has, and returns their numbers.
    fn request_flush(&self, at_once: bool) -> Vec<u64> {
        let sinks = self.shared.sinks.iter();
        sinks
            .map(|sink| {
                let number = sink.request_flush(at_once);
                sink.dispatch(&self.runtime);
                number
            })
            .collect()
    }

    /// Completes the flushes that are settled or whose deadline has passed.
    fn complete_flushes(&mut self) {
        let now = self.shared.monotonic.now();
        let mut completed = false;
        self.flushes.retain(|flush| {
            let mut sinks = self.shared.sinks.iter().zip(&flush.sink_numbers);
            let mut processors = self.processors.iter().zip(&flush.positions);
            let settled = sinks.all(|(sink, number)| sink.is_settled(*number))
                && processors.all(|(processor, position)| processor.is_settled(*position));
            let over = settled || now >= flush.until;
            if over {
                flush.done.complete(settled);
                completed = true;
            }
            !over
        });
        if completed {
            self.shared.deadlines.recheck();
        }
    }

    /// Whether a requested shutdown is complete or its deadline has passed.
    fn is_shut_down(&mut self) -> bool {
        let Some(until) = self.shutdown else {
            return false;
        };
        // Processors may still have pushed something to a sink in this round, so the numbers are requested in each
        // round. Only the first request makes sinks that wait after a failure try immediately.
        let is_new = std::mem::take(&mut self.shutdown_is_new);
        // Begun at once, and not after the sinks: these may wait until the deadline.
        let mut are_tasks_done = true;
        for (_, task) in &mut self.tasks {
            are_tasks_done &= task.finish(&self.runtime, &self.shared);
        }
        let numbers = self.request_flush(is_new);
        let mut sinks = self.shared.sinks.iter().zip(numbers);
        let delivered = sinks.all(|(sink, number)| sink.is_settled(number))
            && self.batchers.iter().all(|it| it.sink.holds_nothing());
        // Processors finish last: they acknowledge what was delivered, so that a spool does not keep it.
        let mut processors = self.processors.iter_mut();
        let done = delivered && processors.all(|it| catch_panic(|| it.finish()).unwrap_or(true));
        (done && are_tasks_done) || self.shared.monotonic.now() >= until
    }

    fn run_tasks(&mut self, now: Nanos) {
        for (due, task) in &mut self.tasks {
            if now >= *due {
                // Set first, so that a task that panics still waits for its period. Periods that were missed are not
                // made up for.
                *due = now.saturating_add(nanos(task.period));
                task.run(&self.runtime, &self.shared);
            }
        }
    }

    /// The time until something is due, at most `longest`.
    fn time_to_sleep(&self, longest: Duration) -> Duration {
        let now = self.shared.monotonic.now();
        let tasks = self.tasks.iter().map(|(due, _)| *due);
        let sinks = self.shared.sinks.iter().filter_map(AnySink::next_dispatch);
        let flushes = self.flushes.iter().map(|flush| flush.until);
        let batchers = self.batchers.iter().filter_map(Batcher::due);
        let next = tasks
            .chain(sinks)
            .chain(batchers)
            .chain(self.processors.iter().filter_map(|it| it.due()))
            .chain(flushes)
            .chain(self.shutdown)
            .min();
        let until = next.map_or(longest, |next| {
            Duration::from_nanos(next.saturating_sub(now))
        });
        // At least a millisecond, even if something is due earlier: the loop must never spin.
        until.clamp(Duration::from_millis(1), longest)
    }

    fn since(&self, then: Nanos) -> Duration {
        Duration::from_nanos(self.shared.monotonic.now().saturating_sub(then))
    }
}

/// Runs something until it ends without a panic. After each panic it is started again, after a pause that rises from 10
/// ms to 640 ms. `panics` counts the panics.
pub(super) fn supervise(panics: &AtomicU64, mut run: impl FnMut()) {
    let mut in_a_row = 0_u32;
    while catch_panic(&mut run).is_none() {
        panics.fetch_add(1, Relaxed);
        std::thread::sleep(Duration::from_millis(10 << in_a_row.min(6)));
        in_a_row = in_a_row.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_that_panics_is_started_again() {
        let (panics, mut runs) = (AtomicU64::new(0), 0);
        supervise(&panics, || {
            runs += 1;
            assert_eq!(runs, 4, "a planned panic");
        });
        assert_eq!((runs, panics.into_inner()), (4, 3));
    }
}
