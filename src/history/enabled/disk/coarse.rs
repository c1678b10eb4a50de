//! Segments that are made of other segments: steps of minutes and hours, and larger segments of the same steps.

use std::collections::BTreeMap;
use std::hash::BuildHasher as _;
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::sync::Arc;

use rustc_hash::FxBuildHasher;

use super::super::column::Column;
use super::super::roll_up::{roll_up_runs, roll_up_times};
use super::super::steps::{Resolution, SeriesKey, SeriesRun, StepTime, Tick, period_end};
use super::folder::{SegmentFolder, is_damage};
use super::segment::Segment;
use super::segment_writer::SegmentWriter;

/// The maximum number of steps that are rolled up at a time, so that little is in memory.
const MAX_STEPS: usize = 720;
/// About the number of series that are in memory at a time.
const MAX_SERIES: u64 = 256;
/// The wall time that one segment has at most, in milliseconds: of minutes, and of hours before and after the day has ended.
const DAY: i64 = 24 * 3_600_000;
const MONTH: i64 = 30 * DAY;

/// What comes after the snapshots of all segments.
#[derive(Debug, Clone, Copy)]
pub(super) struct Following {
    /// The number and the wall time of the first snapshot that is in no segment.
    pub(super) first: Option<(Tick, i64)>,
}

/// Writes the minutes that are complete and not written yet, then the hours.
pub(super) fn roll_up(folder: &mut SegmentFolder, following: Following) -> io::Result<()> {
    for to in [Resolution::Minute, Resolution::Hour] {
        repeat(folder, &|folder| roll_up_next(folder, to, following))?;
    }
    Ok(())
}

/// Merges the minutes of each day that has ended, and the hours of a day or a month.
pub(super) fn merge(folder: &mut SegmentFolder) -> io::Result<()> {
    let now = folder.last(Resolution::Raw).map(|time| time.wall);
    for (resolution, period, is_running_merged) in [
        (Resolution::Minute, DAY, false),
        (Resolution::Hour, DAY, true),
        (Resolution::Hour, MONTH, false),
    ] {
        let now = now.filter(|_| !is_running_merged);
        repeat(folder, &|folder| {
            merge_next(folder, resolution, period, now)
        })?;
    }
    Ok(())
}

/// Runs something until nothing is left to do. If a segment turns out to be damaged, it is set aside.
fn repeat(
    folder: &mut SegmentFolder,
    run: &dyn Fn(&mut SegmentFolder) -> io::Result<bool>,
) -> io::Result<()> {
    loop {
        match run(folder) {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(error) if is_damage(&error) || error.kind() == ErrorKind::NotFound => {
                if !folder.set_aside_unreadable()? {
                    return Err(error);
                }
            }
            Err(error) => return Err(error),
        }
    }
}

/// Consecutive steps of several segments.
struct Stretch {
    sources: Vec<Segment>,
    first: Tick,
    times: Vec<StepTime>,
    /// Whether steps follow that are not part of it.
    is_continued: bool,
}

/// Writes the next segment of coarser steps. Returns whether there was one to write.
fn roll_up_next(
    folder: &mut SegmentFolder,
    to: Resolution,
    following: Following,
) -> io::Result<bool> {
    let from = match to {
        Resolution::Hour => Resolution::Minute,
        _ => Resolution::Raw,
    };
    // Those of the finer steps are rolled up already.
    let covered = folder.last(to).map_or(0, StepTime::end);
    let Some(mut stretch) = next_stretch(folder.of(from), covered) else {
        return Ok(false);
    };
    if !stretch.is_continued {
        let end = stretch.times.last().map_or(0, StepTime::end);
        let next = following.first.map(|(tick, wall)| (tick == end, wall));
        cut_incomplete(&mut stretch.times, to, next);
    } else if stretch.times.len() == MAX_STEPS {
        // The last step goes on after it, perhaps. If it is longer than the stretch, it is divided.
        let all = stretch.times.clone();
        cut_incomplete(&mut stretch.times, to, None);
        if stretch.times.is_empty() {
            stretch.times = all;
        }
    }
    if stretch.times.is_empty() {
        return Ok(false);
    }
    let groups = roll_up_times(stretch.first, &stretch.times, to);
    let first = folder.next_step(to, stretch.times.first());
    let times = groups.times.clone();
    let roll_up = |runs: &[SeriesRun]| roll_up_runs(runs, &groups, first);
    write(folder, &stretch, to, first, times, &roll_up)?;
    Ok(true)
}

/// The first consecutive steps whose snapshots come after those that are `covered`.
fn next_stretch(segments: &[Segment], covered: Tick) -> Option<Stretch> {
    let mut stretch: Option<Stretch> = None;
    for segment in segments {
        for (step, time) in (segment.steps().start..).zip(segment.times()) {
            if time.first_snapshot < covered {
                continue;
            }
            let Some(stretch) = &mut stretch else {
                stretch = Some(Stretch {
                    sources: vec![segment.clone()],
                    first: step,
                    times: vec![*time],
                    is_continued: false,
                });
                continue;
            };
            let is_next = step == stretch.first + stretch.times.len() as u64
                && stretch.times.last().map(StepTime::end) == Some(time.first_snapshot);
            if !is_next || stretch.times.len() == MAX_STEPS {
                stretch.is_continued = true;
                break;
            }
            stretch.times.push(*time);
            let last = stretch.sources.last();
            if last.is_none_or(|last| last.name() != segment.name()) {
                stretch.sources.push(segment.clone());
            }
        }
        if stretch.as_ref().is_some_and(|stretch| stretch.is_continued) {
            break;
        }
    }
    stretch
}

/// Removes the last steps if more of the same coarser step may come. `next` is the snapshot after them: whether it follows
/// immediately, and its wall time.
fn cut_incomplete(times: &mut Vec<StepTime>, to: Resolution, next: Option<(bool, i64)>) {
    let group = |wall: i64| to.end_of_step(wall);
    let last = times.last().map(|time| group(time.wall));
    let is_complete = next.is_some_and(|(follows, wall)| !follows || Some(group(wall)) != last);
    while !is_complete && !times.is_empty() && times.last().map(|time| group(time.wall)) == last {
        times.pop();
    }
}

/// Merges the next segments that belong to one period. Those of the period of `now` are not merged. Returns whether there
/// were any.
fn merge_next(
    folder: &mut SegmentFolder,
    resolution: Resolution,
    period: i64,
    now: Option<i64>,
) -> io::Result<bool> {
    let period_of = |segment: &Segment| {
        let number = |time: &StepTime| period_end(time.wall, period);
        let first = segment.times().first().map(number)?;
        (segment.times().last().map(number) == Some(first)).then_some(first)
    };
    let now = now.map(|wall| period_end(wall, period));
    let segments = folder.of(resolution);
    let belong_together = |one: &Segment, next: &Segment| {
        let of_one = period_of(one);
        of_one.is_some()
            && of_one != now
            && of_one == period_of(next)
            && one.steps().end == next.steps().start
    };
    let mut runs = segments.chunk_by(belong_together);
    let Some(sources) = runs.find(|run| run.len() > 1).map(<[Segment]>::to_vec) else {
        return Ok(false);
    };
    let times = sources.iter().flat_map(Segment::times);
    let times: Vec<_> = times.copied().collect();
    let first = sources.first().map_or(0, |segment| segment.steps().start);
    let stretch = Stretch {
        sources,
        first,
        times: times.clone(),
        is_continued: false,
    };
    write(folder, &stretch, resolution, first, times, &joined)?;
    for source in &stretch.sources {
        folder.remove(source)?;
    }
    Ok(true)
}

/// Writes a segment with what `change` makes of the series of a stretch.
fn write(
    folder: &mut SegmentFolder,
    stretch: &Stretch,
    resolution: Resolution,
    first: Tick,
    times: Vec<StepTime>,
    change: &dyn Fn(&[SeriesRun]) -> Vec<SeriesRun>,
) -> io::Result<()> {
    let steps = stretch.first..stretch.first + stretch.times.len() as u64;
    let mut metrics: BTreeMap<Arc<str>, u64> = BTreeMap::new();
    for source in &stretch.sources {
        for (name, series) in source.sizes()? {
            let most = metrics.entry(name).or_default();
            *most = series.max(*most);
        }
    }
    let mut writer = SegmentWriter::create(folder.files(), resolution, first, times)?;
    for (name, series) in metrics {
        for part in SeriesPart::all(series) {
            let runs = read_part(&stretch.sources, &name, &steps, part)?;
            writer.add_runs(&change(&runs));
        }
        writer.end_metric(&name)?;
    }
    folder.add(writer.finish()?);
    Ok(())
}

fn read_part(
    sources: &[Segment],
    name: &str,
    steps: &Range<Tick>,
    part: SeriesPart,
) -> io::Result<Vec<SeriesRun>> {
    let mut all = Vec::new();
    for source in sources {
        let (runs, _) = source.read(name, steps, &|key| part.contains(key))?;
        all.extend(runs);
    }
    Ok(all)
}

/// A part of the series of a metric, so that not all of them are in memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct SeriesPart {
    number: u64,
    of: u64,
}

impl SeriesPart {
    /// The parts of this number of series.
    pub(super) fn all(series: u64) -> impl Iterator<Item = Self> {
        let of = series.div_ceil(MAX_SERIES).max(1);
        (0..of).map(move |number| Self { number, of })
    }

    pub(super) fn contains(self, key: &SeriesKey) -> bool {
        self.of == 1 || FxBuildHasher.hash_one(&key.labels) % self.of == self.number
    }
}

/// Joins the runs of each series of a metric, unless its kind or bounds changed, or it was away for long.
pub(super) fn joined(runs: &[SeriesRun]) -> Vec<SeriesRun> {
    let mut sorted: Vec<&SeriesRun> = runs.iter().collect();
    sorted.sort_by(|one, other| {
        let labels = one.key.labels.cmp(&other.key.labels);
        labels.then(one.first.cmp(&other.first))
    });
    let mut done: Vec<SeriesRun> = Vec::new();
    for run in sorted {
        let is_joined = done
            .last_mut()
            .is_some_and(|last| last.key == run.key && join(last, run));
        if !is_joined {
            done.push(run.clone());
        }
    }
    done
}

/// Appends a later run of the same series. Returns whether that was possible.
fn join(run: &mut SeriesRun, later: &SeriesRun) -> bool {
    let is_same = match (&*run.column, &*later.column) {
        (Column::Gauges(_), Column::Numbers(_)) | (Column::Numbers(_), Column::Gauges(_)) => false,
        _ => run.is_alike(later),
    };
    let before = later.first.checked_sub(run.first);
    let Some(before) = before.and_then(|before| usize::try_from(before).ok()) else {
        return false;
    };
    if !is_same || before < run.column.len() || before > run.column.len() + MAX_STEPS {
        return false;
    }
    let column = Arc::make_mut(&mut run.column);
    column.pad(before);
    column.append((*later.column).clone());
    let moved = u32::try_from(before).unwrap_or(u32::MAX);
    let flags = later.flags.iter();
    let flags = flags.map(|(step, flags)| (step.saturating_add(moved), *flags));
    run.flags.extend(flags);
    true
}
