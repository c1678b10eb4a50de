//! What was normal in the last day, for the pages: the bands of the series that stand for the whole service.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::anomaly::WatchedFigure;
use super::series::{GroupKey, SeriesIdentity};

/// The maximum number of series whose bands are kept.
const MAX_SERIES: usize = 16;
/// Each band is kept for so many snapshots: an hour of them, by default.
const FINE: usize = 360;
/// The time between two bands that are kept for a day, in milliseconds.
const COARSE_STEP: i64 = 300_000;
const COARSE: usize = 288;

/// The rule for the use of pools.
const POOL_USE: &str = "pool use";

/// The band of normal values at a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct BandPoint {
    /// Milliseconds since the Unix epoch.
    pub(crate) at: i64,
    pub(crate) lower: f64,
    pub(crate) upper: f64,
}

/// The bands of a series, the oldest first.
#[cfg(feature = "dashboard")]
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SeriesBands {
    pub(crate) metric: String,
    pub(crate) figure: WatchedFigure,
    pub(crate) points: Vec<BandPoint>,
}

#[cfg(all(test, feature = "dashboard"))]
impl SeriesBands {
    pub(crate) fn for_test(
        metric: &str,
        figure: WatchedFigure,
        (at, lower, upper): (i64, f64, f64),
    ) -> Self {
        Self {
            metric: metric.to_owned(),
            figure,
            points: vec![BandPoint { at, lower, upper }],
        }
    }
}

/// The bands of all series that stand for the whole service.
#[derive(Debug, Default)]
pub(super) struct BandHistory {
    series: BTreeMap<GroupKey, KeptBands>,
}

#[derive(Debug)]
#[cfg_attr(
    not(feature = "dashboard"),
    expect(dead_code, reason = "only the pages read it")
)]
struct KeptBands {
    metric: String,
    figure: WatchedFigure,
    fine: VecDeque<BandPoint>,
    coarse: VecDeque<BandPoint>,
}

impl BandHistory {
    /// Adds the bands of a snapshot.
    pub(super) fn add(&mut self, series: &[Arc<SeriesIdentity>]) {
        for identity in series {
            let is_whole = identity.labels_text.is_empty() || identity.rule.name == POOL_USE;
            let reading = identity.reading().filter(|_| is_whole);
            let known = reading.filter(|it| !it.learning && it.upper.is_finite());
            let Some(reading) = known else {
                continue;
            };
            let key = identity.key();
            if self.series.len() >= MAX_SERIES && !self.series.contains_key(&key) {
                continue;
            }
            let kept = self.series.entry(key).or_insert_with(|| KeptBands {
                metric: identity.metric().to_owned(),
                figure: identity.figure(),
                fine: VecDeque::new(),
                coarse: VecDeque::new(),
            });
            kept.add(BandPoint {
                at: reading.at,
                lower: reading.lower,
                upper: reading.upper,
            });
        }
    }

    #[cfg(feature = "dashboard")]
    pub(super) fn all(&self) -> Vec<SeriesBands> {
        let bands = |kept: &KeptBands| {
            let begin = kept.fine.front().map_or(i64::MAX, |point| point.at);
            let coarse = kept.coarse.iter().filter(|point| point.at < begin);
            SeriesBands {
                metric: kept.metric.clone(),
                figure: kept.figure,
                points: coarse.chain(&kept.fine).copied().collect(),
            }
        };
        self.series.values().map(bands).collect()
    }
}

impl KeptBands {
    fn add(&mut self, point: BandPoint) {
        // A series without values keeps its last reading. A clock that was set back begins anew.
        match self.fine.back() {
            Some(last) if last.at == point.at => return,
            Some(last) if last.at > point.at => {
                self.fine.clear();
                self.coarse.clear();
            }
            _ => {}
        }
        let is_due = self
            .coarse
            .back()
            .is_none_or(|last| point.at.saturating_sub(last.at) >= COARSE_STEP);
        if is_due {
            push(&mut self.coarse, point, COARSE);
        }
        push(&mut self.fine, point, FINE);
    }
}

fn push(points: &mut VecDeque<BandPoint>, point: BandPoint, most: usize) {
    if points.len() >= most {
        points.pop_front();
    }
    points.push_back(point);
}

#[cfg(all(test, feature = "dashboard"))]
mod tests {
    use super::*;

    #[test]
    fn the_last_hour_is_kept_in_full_and_the_day_in_steps() {
        let mut kept = KeptBands {
            metric: String::new(),
            figure: WatchedFigure::Rate,
            fine: VecDeque::new(),
            coarse: VecDeque::new(),
        };
        for n in 0..20_000 {
            let point = BandPoint {
                at: n * 10_000,
                lower: 0.0,
                upper: 1.0,
            };
            kept.add(point);
            kept.add(point);
        }
        assert_eq!((kept.fine.len(), kept.coarse.len()), (FINE, COARSE));
        let history = BandHistory {
            series: [((String::new(), "".into()), kept)].into(),
        };
        let points = &history.all()[0].points;
        assert!(points.windows(2).all(|pair| pair[0].at < pair[1].at));
        assert_eq!(points.last().unwrap().at, 19_999 * 10_000);
        let covered = points.last().unwrap().at - points[0].at;
        assert!(covered > 23 * 3_600_000, "{covered}");
    }
}
