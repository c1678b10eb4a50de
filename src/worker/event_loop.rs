use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::runtime::Handle;

use super::Record;
use super::any_sink::AnySink;
use super::completion::Completion;
use super::format::Formatter;
use super::processor::{self, RecordProcessor};
use super::remote::Batcher;
use super::shared::{Command, WorkerShared};
use crate::clock::{Nanos, nanos};
use crate::model::catch_panic;
use crate::model::{DropReason, RecordKind};

/// How often the buffers are emptied while records come.
const ROUND: Duration = Duration::from_millis(20);
/// Without a record for so long the worker dozes, and looks up as often.
const DOZE: Duration = Duration::from_secs(1);

/// Something that the worker does from time to time, on its own thread: it must be short, for nothing else
/// goes on meanwhile. A tick that panics is called again at its next time.
pub(crate) type PeriodicTask = (Duration, Box<dyn FnMut() + Send>);

/// The worker's loop.
pub(super) struct EventLoop {
    core: Arc<WorkerShared>,
    pool: Handle,
    formatters: Vec<Formatter>,
    taps: Vec<Box<dyn RecordProcessor>>,
    feeds: Vec<Batcher>,
    ticks: Vec<(Nanos, PeriodicTask)>,
    buffers: Vec<Vec<u8>>,
    flushes: Vec<Flush>,
    /// The deadline of the shutdown, once one was asked for.
    shutdown: Option<Nanos>,
    /// A shutdown was asked for in this round.
    asked_anew: bool,
    last_record: Nanos,
    last_anchor: Nanos,
}

struct Flush {
    until: Nanos,
    /// The last block of each sink that it waits for.
    blocks: Vec<u64>,
    /// What each tap had taken.
    marks: Vec<u64>,
    answer: Arc<Completion<bool>>,
}

impl EventLoop {
    pub(super) fn new(
        core: Arc<WorkerShared>,
        pool: Handle,
        (formatters, feeds): (Vec<Formatter>, Vec<Batcher>),
        taps: Vec<Box<dyn RecordProcessor>>,
        ticks: Vec<PeriodicTask>,
    ) -> Self {
        let now = core.pace.now();
        let ticks = ticks.into_iter().map(|tick| (now + nanos(tick.0), tick));
        Self {
            pool,
            formatters,
            taps,
            feeds,
            ticks: ticks.collect(),
            buffers: Vec::new(),
            flushes: Vec::new(),
            shutdown: None,
            asked_anew: false,
            last_record: now,
            last_anchor: now,
            core,
        }
    }

    /// Runs until a shutdown is through.
    pub(super) async fn run(&mut self) {
        while !self.round() {
            let dozing = self.since(self.last_record) >= DOZE;
            if dozing {
                // Memory of a burst is given back.
                self.buffers = Vec::new();
                self.core.record_queue.doze(true);
                // A record that came before the bell was armed rings nobody.
                if self.round() {
                    return;
                }
            }
            if !dozing || self.since(self.last_record) >= DOZE {
                let timeout = self.sleep(if dozing { DOZE } else { ROUND });
                drop(tokio::time::timeout(timeout, self.core.record_queue.rung()).await);
            }
            self.core.record_queue.doze(false);
        }
    }

    /// Does all there is to do; whether the worker has ended.
    fn round(&mut self) -> bool {
        let now = self.core.pace.now();
        self.core.beat.store(now, Relaxed);
        if self.core.is_finished() {
            // Ended from elsewhere at its deadline: all is delivered or counted.
            self.flushes
                .drain(..)
                .for_each(|flush| flush.answer.give(true));
            return true;
        }
        if self.since(self.last_anchor) >= DOZE {
            self.last_anchor = now;
            self.core.clock.renew_anchor();
        }
        // Before the records: what was emitted before a flush was asked for is in this batch.
        let commands = self.core.take_commands();
        for command in &commands {
            if let Command::Shutdown { until } = *command {
                self.shutdown = Some(self.shutdown.map_or(until, |before| before.min(until)));
                self.core.record_queue.close();
                self.asked_anew = true;
            }
        }
        self.take_records(now);
        for tap in &mut self.taps {
            processor::run_due(tap.as_mut(), &self.pool, &self.core.panics);
        }
        self.write_notices();
        for formatter in &mut self.formatters {
            formatter.hand_over(&self.pool);
        }
        let flushing = |command: &Command| matches!(command, Command::Flush { .. });
        let all = self.shutdown.is_some() || commands.iter().any(flushing);
        for feed in &mut self.feeds {
            feed.hand_over(now, all, &self.core.panics);
            feed.sink.dispatch(&self.pool);
        }
        for command in commands {
            if let Command::Flush { until, answer } = command {
                let blocks = self.want_all(true);
                self.flushes.push(Flush {
                    until,
                    blocks,
                    marks: self.taps.iter().map(|tap| tap.mark()).collect(),
                    answer,
                });
            }
        }
        self.answer_flushes();
        if self.is_shut_down() {
            self.core.finish();
            return true;
        }
        self.run_ticks(now);
        false
    }

    fn take_records(&mut self, now: Nanos) {
        self.core.record_queue.drain(&mut self.buffers);
        let bytes: usize = self.buffers.iter().map(Vec::len).sum();
        // About as many as there are, so that the list hardly grows.
        let mut records = Vec::with_capacity(bytes / 128);
        for buffer in &self.buffers {
            records.extend(Record::all(buffer));
        }
        if records.is_empty() {
            return;
        }
        self.last_record = now;
        self.count_for_further_sinks(&records);
        for feed in &mut self.feeds {
            feed.promise(&records);
        }
        // One pass where they are in order, as those of one buffer mostly are.
        records.sort_by_key(|record| record.at);
        let core = &self.core;
        for tap in &mut self.taps {
            let taken = processor::process_batch(tap.as_mut(), &records, &self.pool, &core.panics);
            let signal = tap.signal();
            let lines = signal.is_line() && !self.formatters.is_empty();
            if !lines && !self.feeds.iter().any(|feed| feed.takes(signal)) {
                // No sink takes them: what the tap has is where it was to go.
                let all = records.iter().filter(|it| it.signal == signal);
                let all: u64 = all.map(|it| u64::from(it.items)).sum();
                core.counters.delivered(signal, taken);
                core.counters
                    .dropped(signal, DropReason::Panic, all - taken);
            }
        }
        for feed in &mut self.feeds {
            feed.take(&records, &self.core.panics);
        }
        records.retain(|record| record.signal.is_line());
        for formatter in &mut self.formatters {
            formatter.batch(&records, &self.pool, &self.core.panics);
        }
    }

    /// A record is emitted once for each sink that takes it; for the first of them it is already counted.
    fn count_for_further_sinks(&self, records: &[Record<'_>]) {
        for signal in RecordKind::ALL {
            let lines = if signal.is_line() {
                self.formatters.len()
            } else {
                0
            };
            let remote = self.feeds.iter().filter(|feed| feed.takes(signal)).count();
            let further = (lines + remote).saturating_sub(1) as u64;
            if further > 0 {
                let of_signal = records.iter().filter(|record| record.signal == signal);
                let items: u64 = of_signal.map(|record| u64::from(record.items)).sum();
                self.core.counters.emitted(signal, further * items);
            }
        }
    }

    fn write_notices(&mut self) {
        if self.formatters.is_empty() {
            return;
        }
        for sentence in self.core.diagnostics.take_unwritten() {
            for formatter in &mut self.formatters {
                formatter.notice(self.core.clock.now(), &sentence, &self.pool);
            }
        }
    }

    /// Asks every sink for all that it has.
    fn want_all(&self, anew: bool) -> Vec<u64> {
        let sinks = self.core.sinks.iter();
        sinks
            .map(|sink| {
                let number = sink.want_all(anew);
                sink.dispatch(&self.pool);
                number
            })
            .collect()
    }

    fn answer_flushes(&mut self) {
        let now = self.core.pace.now();
        let mut answered = false;
        self.flushes.retain(|flush| {
            let mut sinks = self.core.sinks.iter().zip(&flush.blocks);
            let mut taps = self.taps.iter().zip(&flush.marks);
            let taps_settled = taps.all(|(tap, mark)| tap.is_settled(*mark));
            let settled = sinks.all(|(sink, number)| sink.is_settled(*number)) && taps_settled;
            let over = settled || now >= flush.until;
            if over {
                flush.answer.give(settled);
                answered = true;
            }
            !over
        });
        if answered {
            self.core.deadlines.look();
        }
    }

    fn is_shut_down(&mut self) -> bool {
        let Some(until) = self.shutdown else {
            return false;
        };
        let anew = std::mem::take(&mut self.asked_anew);
        let blocks = self.want_all(anew);
        let mut sinks = self.core.sinks.iter().zip(blocks);
        let delivered = sinks.all(|(sink, number)| sink.is_settled(number))
            && self.feeds.iter().all(|feed| feed.sink.holds_nothing());
        // Last: what is delivered needs no keeping any more.
        let mut taps = self.taps.iter_mut();
        let done = delivered && taps.all(|tap| catch_panic(|| tap.ends()).unwrap_or(true));
        done || self.core.pace.now() >= until
    }

    fn run_ticks(&mut self, now: Nanos) {
        for (due, (period, tick)) in &mut self.ticks {
            if now >= *due {
                *due = now.saturating_add(nanos(*period));
                if catch_panic(tick).is_none() {
                    self.core.panics.fetch_add(1, Relaxed);
                }
            }
        }
    }

    /// How long nothing has to be done, at most `longest`.
    fn sleep(&self, longest: Duration) -> Duration {
        let now = self.core.pace.now();
        let ticks = self.ticks.iter().map(|(due, _)| *due);
        let sinks = self.core.sinks.iter().filter_map(AnySink::next_dispatch);
        let flushes = self.flushes.iter().map(|flush| flush.until);
        let feeds = self.feeds.iter().filter_map(Batcher::due);
        let next = ticks
            .chain(sinks)
            .chain(feeds)
            .chain(self.taps.iter().filter_map(|tap| tap.due()))
            .chain(flushes)
            .chain(self.shutdown)
            .min();
        let until = next.map_or(longest, |next| {
            Duration::from_nanos(next.saturating_sub(now))
        });
        // Not at once, whatever the reckoning says: nothing here may spin.
        until.clamp(Duration::from_millis(1), longest)
    }

    fn since(&self, then: Nanos) -> Duration {
        Duration::from_nanos(self.core.pace.now().saturating_sub(then))
    }
}

/// Runs something again and again until it comes to its end without a panic, with a pause between that
/// rises from 10 ms to 640 ms. `panics` counts.
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
