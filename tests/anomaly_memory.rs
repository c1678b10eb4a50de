//! The memory of a watched series with all that belongs to it, measured by an allocator in this binary.

use std::alloc::System;
use std::time::Duration;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use watchpost::anomaly::{AdaptiveDetector, AnomalyConfig};
use watchpost::metrics::Gauge;
use watchpost::testing::Harness;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const SERIES: u32 = 2000;
const STEP: Duration = Duration::from_secs(10);

/// A harness with many series and some snapshots of them.
fn harness() -> (Harness, Vec<Gauge>) {
    let anomaly = AnomalyConfig::default().default_series(false);
    let harness = Harness::with(|builder| builder.anomaly(anomaly).console(false));
    let level = harness.metrics().gauge("level").build();
    let series = (0..SERIES).map(|n| level.with([("shop", format!("shop-{n:04}"))]));
    let series: Vec<_> = series.collect();
    snapshots(&harness, &series, 5);
    (harness, series)
}

fn snapshots(harness: &Harness, series: &[Gauge], count: u32) {
    for n in 0..count {
        for gauge in series {
            gauge.set(f64::from(100 + n * 7 % 13));
        }
        harness.advance(STEP);
        harness.snapshot();
    }
}

/// The growth of allocated bytes by series during snapshots.
fn growth(harness: &Harness, series: &[Gauge]) -> isize {
    let region = Region::new(ALLOCATOR);
    snapshots(harness, series, 100);
    let change = region.change();
    let grown = change.bytes_allocated.cast_signed() - change.bytes_deallocated.cast_signed();
    grown / isize::try_from(SERIES).unwrap()
}

#[test]
fn a_watched_series_has_little_more_than_its_detector() {
    let (harness, series) = harness();
    let (other, other_series) = self::harness();
    // What the history takes for the same snapshots.
    let unwatched = growth(&harness, &series);
    other.watch("level").unwrap();
    let watched = growth(&other, &other_series);
    let series = other.watched_series();
    assert_eq!(series.len(), SERIES as usize);
    assert!(series.iter().all(|series| series.bands.len() == 1));
    assert_eq!(harness.watched_series().len(), 0);
    let detector = size_of::<AdaptiveDetector>();
    let all = watched - unwatched;
    println!("a watched series: {all} bytes in all, its detector {detector}");
    assert!(detector <= 1024, "{detector}");
    // Its name and labels, its place among the others, the last sample, and the bands of two hours.
    assert!((1024..=1536).contains(&all), "{all}");
}
