//! Which series were anomalous at some time, by the flags beside their values.

use std::cmp::Reverse;
use std::io::ErrorKind;
use std::ops::Range;
use std::sync::Mutex;
use std::time::Duration;

use rustc_hash::FxHashMap;

use super::plan::{Plan, Source, plan};
use super::steps::{Resolution, SeriesKey, StepFlags, StepTime, Tick};
use super::store::MemoryStore;
use super::view::{HistoryView, MAX_ATTEMPTS, StoredList};

/// The most bytes of files that are read for one answer. Values without flags are not read, so this is enough for years.
const BUDGET: u64 = 64 << 20;
/// The most series of one answer.
const MAX_SERIES: usize = 10_000;

/// A series that was anomalous.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FlaggedSeries {
    pub(crate) key: SeriesKey,
    /// The times of the first and the last of its anomalous steps, in milliseconds since the Unix epoch.
    pub(crate) since: i64,
    pub(crate) until: i64,
    /// The number of these steps: snapshots, minutes or hours.
    pub(crate) steps: u64,
    /// How odd it was: 1, 2, 4, 8 or 16, whichever was reached.
    pub(crate) score: f64,
}

/// The series with anomalous steps after the millisecond before `start`, up to `end`. Older steps may be minutes or hours,
/// which count as a whole.
pub(super) fn flagged(
    start: i64,
    end: i64,
    memory: &Mutex<MemoryStore>,
    stored: &StoredList,
) -> Vec<FlaggedSeries> {
    for attempt in 1..=MAX_ATTEMPTS {
        let (view, in_memory) = HistoryView::of_flags(memory, stored);
        let sources = view.sources();
        let plan = plan_of(&sources, start, end);
        let mut found = Found::default();
        let mut budget = BUDGET;
        let mut is_gone = false;
        // What is newer is read first, in case the budget is not enough.
        let spans = spans(&plan, sources.len()).into_iter();
        let mut reads: Vec<_> = spans
            .zip(&sources)
            .enumerate()
            .filter_map(|(number, (span, source))| Some((number, span?, source)))
            .collect();
        reads.sort_by_key(|(.., source)| Reverse(source.times.last().map(|time| time.at)));
        for (number, span, source) in reads {
            let mut add = |key: &SeriesKey, tick: Tick, flags: StepFlags| {
                let place = tick.checked_sub(source.first).map(usize::try_from);
                if let (Some(Ok(place)), Some(score)) = (place, flags.score())
                    && let Some(time) = source.times.get(place)
                    && is_used(&plan, number, tick)
                {
                    found.add(key, time, source.resolution, score);
                }
            };
            match view.stored(number) {
                None => {
                    for (key, flags) in &in_memory {
                        for (tick, flags) in flags {
                            add(key, *tick, *flags);
                        }
                    }
                }
                Some(segment) => match segment.read_flags(&span, &mut budget, &mut add) {
                    Err(error) => is_gone |= error.kind() == ErrorKind::NotFound,
                    Ok(is_enough) if !is_enough => break,
                    Ok(_) => {}
                },
            }
        }
        if !is_gone || attempt == MAX_ATTEMPTS {
            return found.0.into_values().collect();
        }
    }
    Vec::new()
}

/// The steps to read. If the last of them is a minute or an hour, it is the one that contains `end`.
fn plan_of(sources: &[Source<'_>], start: i64, end: i64) -> Plan {
    let mut found = Plan::default();
    for resolution in [Resolution::Raw, Resolution::Minute, Resolution::Hour] {
        let end = resolution.end_of_step(end);
        let window = end.saturating_sub(start).saturating_add(1).max(1);
        let window = Duration::from_millis(window.unsigned_abs());
        found = plan(sources, &[end], window);
        let last = found.pieces.last().and_then(|it| sources.get(it.source));
        if last.is_some_and(|last| last.resolution <= resolution) {
            break;
        }
    }
    found
}

/// The steps that are read of each source.
fn spans(plan: &Plan, sources: usize) -> Vec<Option<Range<Tick>>> {
    let mut spans: Vec<Option<Range<Tick>>> = vec![None; sources];
    for piece in &plan.pieces {
        let steps = piece.groups.all();
        if let Some(span) = spans.get_mut(piece.source) {
            *span = Some(match span.take() {
                Some(all) => all.start.min(steps.start)..all.end.max(steps.end),
                None => steps,
            });
        }
    }
    spans
}

fn is_used(plan: &Plan, source: usize, tick: Tick) -> bool {
    let mut pieces = plan.pieces.iter().filter(|piece| piece.source == source);
    pieces.any(|piece| piece.groups.all().contains(&tick))
}

#[derive(Default)]
struct Found(FxHashMap<SeriesKey, FlaggedSeries>);

impl Found {
    fn add(&mut self, key: &SeriesKey, time: &StepTime, resolution: Resolution, score: f64) {
        // A step of a minute or an hour begins after its snapshots before it.
        let since = time
            .wall
            .saturating_sub(resolution.millis().map_or(0, |length| length - 1));
        if let Some(series) = self.0.get_mut(key) {
            series.since = series.since.min(since);
            series.until = series.until.max(time.wall);
            series.steps += 1;
            series.score = series.score.max(score);
        } else if self.0.len() < MAX_SERIES {
            let series = FlaggedSeries {
                key: key.clone(),
                since,
                until: time.wall,
                steps: 1,
                score,
            };
            self.0.insert(key.clone(), series);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use super::*;
    use crate::clock::Clock;
    use crate::history::enabled::time_range::time_of;
    use crate::history::enabled::{
        HistorySetup, MarkerStore, OddStep, SnapshotObserver, TakenSnapshot,
    };
    use crate::history::{History, HistoryConfig};
    use crate::metrics::{Metrics, MetricsConfig};

    const SECOND: i64 = 1000;
    const MINUTE: i64 = 60 * SECOND;
    const HOUR: i64 = 60 * MINUTE;
    const BEGIN: i64 = 1_000_000 * SECOND;

    /// Flags the series with these labels at some snapshots.
    #[derive(Debug, Default)]
    struct Flags(AtomicUsize);

    impl SnapshotObserver for Flags {
        fn observe(&self, snapshot: &TakenSnapshot<'_>) -> Vec<OddStep> {
            let snapshots = self.0.fetch_add(1, Relaxed);
            let score = match snapshots {
                100 => 5.0,
                101 => 1.2,
                800 => 40.0,
                _ => return Vec::new(),
            };
            let steps = snapshot.steps.iter().enumerate();
            let odd = steps.filter(|(_, (key, ..))| key.labels.contains("\"odd\""));
            odd.map(|(position, _)| OddStep { position, score })
                .collect()
        }
    }

    /// A thousand snapshots of a gauge and a histogram with two series each.
    fn record(directory: Option<&Path>, config: &HistoryConfig) -> History {
        let clock = Clock::driven(Duration::from_millis(BEGIN.unsigned_abs()));
        let metrics = Metrics::new(MetricsConfig::default(), clock.clone(), Arc::default());
        let (history, _) = History::new(HistorySetup {
            config,
            metrics: &metrics,
            directory: directory.map(Path::to_owned),
            clock: &clock,
            diagnostics: &Arc::default(),
            markers: &Arc::new(MarkerStore::new(&clock, "")),
            observer: Some(Arc::new(Flags::default())),
        });
        let levels = metrics.gauge("level").build();
        let took = metrics.histogram("took").build();
        for n in 0..1000_u32 {
            for name in ["odd", "usual"] {
                levels.with([("name", name)]).set(f64::from(n));
                took.with([("name", name)]).record(f64::from(n));
            }
            clock.advance(Duration::from_secs(10));
            history.record();
            history.persist();
        }
        history
    }

    fn found(history: &History, start: i64, end: i64) -> Vec<(String, i64, i64, u64, f64)> {
        let found = history.flagged(time_of(start), time_of(end)).into_iter();
        let mut found: Vec<_> = found
            .map(|it| {
                assert!(it.key.labels.contains("\"odd\""), "{it:?}");
                let (since, until) = (it.since - BEGIN, it.until - BEGIN);
                (it.key.name.to_string(), since, until, it.steps, it.score)
            })
            .collect();
        found.sort_by(|one, other| one.0.cmp(&other.0));
        found
    }

    #[test]
    fn flags_in_memory_and_in_files_say_what_was_odd() {
        let directory = tempfile::tempdir().unwrap();
        let all = HistoryConfig::default().memory_age(Duration::from_secs(4 * 3600));
        let recent = HistoryConfig::default().memory_age(Duration::from_secs(600));
        for (directory, config) in [(None, &all), (Some(directory.path()), &recent)] {
            let history = record(directory, config);
            let odd = |since: i64, until: i64, steps: u64, score: f64| {
                ["level", "took"].map(|name| (name.to_owned(), since, until, steps, score))
            };
            // Snapshot n is taken after (n + 1) steps.
            let (first, last) = (1010 * SECOND, 1020 * SECOND);
            let at = |time: i64| found(&history, BEGIN + time, BEGIN + time);
            assert_eq!(at(first), odd(first, first, 1, 4.0));
            assert_eq!(at(first + 9 * SECOND), odd(first, first, 1, 4.0));
            assert_eq!(at(last), odd(last, last, 1, 1.0));
            assert_eq!(at(first - 1), []);
            assert_eq!(at(last + 10 * SECOND), []);
            let both = found(&history, BEGIN, BEGIN + 1100 * SECOND);
            if directory.is_none() {
                assert_eq!(both, odd(first, last, 2, 4.0));
            } else {
                // The minute of both is within that time, and is read as a whole.
                assert_eq!(both, odd(980_001, 1_040_000, 1, 4.0));
            }
            let later = found(&history, BEGIN + 8000 * SECOND, BEGIN + 9000 * SECOND);
            assert_eq!(later.len(), 2, "{later:?}");
            assert!(
                later
                    .iter()
                    .all(|it| it.1 <= 8010 * SECOND && it.2 >= 8010 * SECOND)
            );
            assert!(later.iter().all(|it| it.4 == 16.0));
        }
    }

    #[test]
    fn where_snapshots_are_gone_minutes_and_hours_say_it() {
        let directory = tempfile::tempdir().unwrap();
        let minutes = HistoryConfig::default()
            .memory_age(Duration::from_secs(60))
            .raw_age(Duration::from_secs(60));
        let history = record(Some(directory.path()), &minutes);
        // The flags were set after 16 min 50 s and 17 min, and the clock began at a minute's 40th second.
        let at = |time: i64| found(&history, BEGIN + time, BEGIN + time);
        let odd = at(1015 * SECOND);
        assert_eq!(odd.len(), 2, "{odd:?}");
        for (_, since, until, _, score) in odd {
            assert!(since <= 1010 * SECOND && until >= 1010 * SECOND);
            assert!(until - since < HOUR);
            assert_eq!(score, 4.0);
        }
        assert_eq!(at(3 * MINUTE).len(), 0);
        let all = found(&history, BEGIN, BEGIN + 3 * HOUR);
        assert_eq!(all.len(), 2, "{all:?}");
        assert_eq!(all[0].4, 16.0);
    }
}
