//! Writes snapshots of the memory as a segment.

use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use super::super::steps::{Resolution, SeriesRun, StepTime, Tick};
use super::super::store::{MemoryStore, SeriesData};
use super::coarse::{SeriesPart, joined};
use super::files::StoreFiles;
use super::segment::{Segment, cut};
use super::segment_writer::SegmentWriter;
use crate::model::lock;

/// Writes the snapshots `ticks`. `None` if the memory does not have all of them, or has removed some meanwhile.
///
/// The lock is held for some series at a time, so that snapshots and queries go on.
pub(super) fn write_block(
    files: &Arc<dyn StoreFiles>,
    memory: &Mutex<MemoryStore>,
    ticks: &Range<Tick>,
) -> io::Result<Option<Segment>> {
    let (times, metrics) = {
        let memory = lock(memory);
        let times = ticks
            .clone()
            .map(|tick| memory.timeline().get(tick).copied());
        let times: Option<Vec<StepTime>> = times.collect();
        (times, memory.metrics())
    };
    let Some(times) = times else {
        return Ok(None);
    };
    let mut writer = SegmentWriter::create(files, Resolution::Raw, ticks.start, times)?;
    for (name, (_, series)) in metrics {
        for part in SeriesPart::all(series) {
            let read = lock(memory).read(ticks, |key| *key.name == *name && part.contains(key));
            for series in &read {
                writer.add_runs(&runs_of(series, ticks));
            }
        }
        writer.end_metric(&name)?;
    }
    if lock(memory).timeline().ticks().start > ticks.start {
        return Ok(None);
    }
    writer.finish().map(Some)
}

/// The values of a series at some ticks, in one run unless its kind or bounds changed.
fn runs_of(data: &SeriesData, ticks: &Range<Tick>) -> Vec<SeriesRun> {
    let runs = data.runs(ticks).filter_map(|run| cut(run, ticks));
    let runs: Vec<_> = runs.filter(|run| run.column.len() > 0).collect();
    joined(&runs)
}
