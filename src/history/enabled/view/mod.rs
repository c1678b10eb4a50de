//! Reads what a query needs, from the memory and from segments.

use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::disk::Segment;
use super::evaluate::Evaluation;
use super::metric_query::{MetricQuery, ResultSeries};
use super::plan::{Plan, Source, plan};
use super::steps::{Resolution, SeriesKey, SeriesKind, SeriesRun, StepFlags, StepTime, Tick};
use super::store::{FlaggedSteps, MemoryStore, SeriesData};
use crate::model::{lock, lock_for_status};

/// How often a query begins anew, since a segment that it wanted to read was replaced meanwhile.
pub(super) const MAX_ATTEMPTS: usize = 3;

/// A complete part of the history that is not in memory.
pub(super) trait StoredSteps: fmt::Debug + Send + Sync {
    fn resolution(&self) -> Resolution;

    /// The numbers of its steps.
    fn steps(&self) -> Range<Tick>;

    /// The time of each step.
    fn times(&self) -> &[StepTime];

    /// Reads the series of a metric that `is_wanted` at some steps. The runs of one series come in the order of time.
    ///
    /// # Errors
    ///
    /// Returns an error if it was removed or cannot be read.
    fn read(
        &self,
        metric: &str,
        steps: &Range<Tick>,
        is_wanted: &dyn Fn(&SeriesKey) -> bool,
        add: &mut dyn FnMut(SeriesRun),
    ) -> io::Result<()>;

    /// Reads the flags of all series at some steps, and not more than `budget` bytes, which is reduced by what was read.
    /// Returns whether the budget was enough.
    ///
    /// # Errors
    ///
    /// Returns an error as [`read`](Self::read) does.
    fn read_flags(
        &self,
        steps: &Range<Tick>,
        budget: &mut u64,
        add: &mut dyn FnMut(&SeriesKey, Tick, StepFlags),
    ) -> io::Result<bool>;

    /// The names of its metrics, in order, and how many series each has.
    ///
    /// # Errors
    ///
    /// Returns an error as [`read`](Self::read) does.
    fn metrics(&self) -> io::Result<Vec<(Arc<str>, u64)>>;

    /// The kind and the labels of each series of a metric. A series may occur several times.
    ///
    /// # Errors
    ///
    /// Returns an error as [`read`](Self::read) does.
    fn series(&self, metric: &str) -> io::Result<Vec<(SeriesKind, Arc<str>)>>;
}

impl StoredSteps for Segment {
    fn resolution(&self) -> Resolution {
        self.resolution()
    }

    fn steps(&self) -> Range<Tick> {
        self.steps()
    }

    fn times(&self) -> &[StepTime] {
        self.times()
    }

    fn read(
        &self,
        metric: &str,
        steps: &Range<Tick>,
        is_wanted: &dyn Fn(&SeriesKey) -> bool,
        add: &mut dyn FnMut(SeriesRun),
    ) -> io::Result<()> {
        // The segment counts what is damaged.
        self.read_each(metric, steps, is_wanted, add).map(drop)
    }

    fn read_flags(
        &self,
        steps: &Range<Tick>,
        budget: &mut u64,
        add: &mut dyn FnMut(&SeriesKey, Tick, StepFlags),
    ) -> io::Result<bool> {
        self.flags_each(steps, budget, add)
    }

    fn metrics(&self) -> io::Result<Vec<(Arc<str>, u64)>> {
        self.sizes()
    }

    fn series(&self, metric: &str) -> io::Result<Vec<(SeriesKind, Arc<str>)>> {
        self.series_of(metric)
    }
}

/// The segments that queries read. A query uses the list as it is when the query begins.
#[derive(Debug, Clone, Default)]
pub(super) struct StoredList(Arc<Mutex<Arc<Vec<Arc<dyn StoredSteps>>>>>);

impl StoredList {
    pub(super) fn replace(&self, stored: Vec<Arc<dyn StoredSteps>>) {
        *lock(&self.0) = Arc::new(stored);
    }

    pub(super) fn get(&self) -> Arc<Vec<Arc<dyn StoredSteps>>> {
        // A child process made by `fork` may not be able to read it.
        lock_for_status(&self.0).map_or_else(Arc::default, |list| Arc::clone(&list))
    }
}

/// What a query sees: the times of all steps, and the values of those that are in memory.
pub(super) struct HistoryView {
    memory: Vec<StepTime>,
    series: Vec<SeriesData>,
    stored: Arc<Vec<Arc<dyn StoredSteps>>>,
}

impl HistoryView {
    /// The times of all steps, and the values in memory that `is_wanted`. The locks are held for as long as it takes to
    /// copy the times, and references to the values.
    pub(super) fn new(
        memory: &Mutex<MemoryStore>,
        stored: &StoredList,
        is_wanted: impl Fn(&SeriesKey) -> bool,
    ) -> Self {
        // Under one lock: the snapshots in memory get other numbers when the files of an earlier process are found.
        let view = lock_for_status(memory).map(|store| {
            let timeline = store.timeline();
            Self {
                memory: timeline.times().iter().copied().collect(),
                series: store.read(&timeline.ticks(), is_wanted),
                stored: stored.get(),
            }
        });
        view.unwrap_or_else(|| Self {
            memory: Vec::new(),
            series: Vec::new(),
            stored: stored.get(),
        })
    }

    /// The times only.
    pub(super) fn of_times(memory: &Mutex<MemoryStore>, stored: &StoredList) -> Self {
        Self::new(memory, stored, |_| false)
    }

    /// The times, and the flags in memory.
    pub(super) fn of_flags(
        memory: &Mutex<MemoryStore>,
        stored: &StoredList,
    ) -> (Self, Vec<FlaggedSteps>) {
        let view = lock_for_status(memory).map(|store| {
            let view = Self {
                memory: store.timeline().times().iter().copied().collect(),
                series: Vec::new(),
                stored: stored.get(),
            };
            (view, store.flagged())
        });
        view.unwrap_or_else(|| (Self::of_times(memory, stored), Vec::new()))
    }

    /// A source that is not the memory, by its position in [`sources`](Self::sources).
    pub(super) fn stored(&self, source: usize) -> Option<&dyn StoredSteps> {
        let place = source.checked_sub(1)?;
        self.stored.get(place).map(|stored| &**stored)
    }

    /// All steps: the memory is the first source.
    pub(super) fn sources(&self) -> Vec<Source<'_>> {
        let memory = Source {
            resolution: Resolution::Raw,
            first: self.memory.first().map_or(0, |time| time.first_snapshot),
            times: &self.memory,
        };
        let stored = self.stored.iter().map(|stored| Source {
            resolution: stored.resolution(),
            first: stored.steps().start,
            times: stored.times(),
        });
        std::iter::once(memory).chain(stored).collect()
    }

    /// Reads all that the plan contains. With `must_exist`, it fails if a segment is gone; otherwise such a segment, and
    /// one that cannot be read, is left out.
    fn read<'a>(
        &self,
        query: &'a MetricQuery,
        plan: &'a Plan,
        is_wanted: &dyn Fn(&SeriesKey) -> bool,
        must_exist: bool,
    ) -> io::Result<Evaluation<'a>> {
        let mut evaluation = Evaluation::new(query, plan);
        // A source is read once, however many pieces it has.
        let mut spans: Vec<Option<Range<Tick>>> = vec![None; self.stored.len() + 1];
        for piece in &plan.pieces {
            let steps = piece.groups.all();
            if let Some(span) = spans.get_mut(piece.source) {
                *span = Some(match span.take() {
                    Some(all) => all.start.min(steps.start)..all.end.max(steps.end),
                    None => steps,
                });
            }
        }
        let mut spans = spans.into_iter();
        if let Some(span) = spans.next().flatten() {
            for data in &self.series {
                data.runs(&span).for_each(|run| evaluation.add(0, &run));
            }
        }
        for (number, (stored, span)) in (1..).zip(self.stored.iter().zip(spans)) {
            let Some(span) = span else { continue };
            let mut add = |run| evaluation.add(number, &run);
            match stored.read(&query.metric, &span, is_wanted, &mut add) {
                Err(error) if must_exist && error.kind() == io::ErrorKind::NotFound => {
                    return Err(error);
                }
                _ => {}
            }
        }
        Ok(evaluation)
    }
}

/// Evaluates a query at each of the times, which are in milliseconds since the Unix epoch and in ascending order.
pub(super) fn evaluate(
    query: &MetricQuery,
    times: &[i64],
    memory: &Mutex<MemoryStore>,
    stored: &StoredList,
) -> Vec<ResultSeries> {
    let finish = |evaluation: Evaluation<'_>| evaluation.finish();
    evaluate_with(query, times, (memory, stored), finish)
}

/// Reads what a query at these times needs, and returns what `finish` makes of it.
pub(super) fn evaluate_with<T>(
    query: &MetricQuery,
    times: &[i64],
    (memory, stored): (&Mutex<MemoryStore>, &StoredList),
    finish: impl Fn(Evaluation<'_>) -> Vec<T>,
) -> Vec<T> {
    let is_wanted = |key: &SeriesKey| {
        let mut matchers = query.matchers.iter();
        *key.name == *query.metric && matchers.all(|matcher| matcher.matches(&key.labels))
    };
    for attempt in 1..=MAX_ATTEMPTS {
        let view = HistoryView::new(memory, stored, is_wanted);
        let plan = plan(&view.sources(), times, query.window);
        let must_exist = attempt < MAX_ATTEMPTS;
        if let Ok(evaluation) = view.read(query, &plan, &is_wanted, must_exist) {
            return finish(evaluation);
        }
    }
    Vec::new()
}

/// How much of a period its steps cover.
pub(super) fn covered(start: i64, end: i64, view: &HistoryView) -> Duration {
    let window = Duration::from_millis(end.saturating_sub(start).max(0).unsigned_abs());
    let plan = plan(&view.sources(), &[end], window);
    let millis = plan.windows.first().map_or(0, |window| window.millis);
    Duration::from_millis(millis.max(0).unsigned_abs())
}

#[cfg(test)]
mod tests;
