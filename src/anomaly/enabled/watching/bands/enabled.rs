use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::super::anomaly::WatchedFigure;
use super::super::series::{GroupKey, SeriesIdentity};

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
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SeriesBands {
    pub(crate) metric: String,
    pub(crate) figure: WatchedFigure,
    pub(crate) points: Vec<BandPoint>,
}

#[cfg(test)]
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
pub(in crate::anomaly::enabled::watching) struct BandHistory {
    series: BTreeMap<GroupKey, KeptBands>,
}

#[derive(Debug)]
struct KeptBands {
    metric: String,
    figure: WatchedFigure,
    fine: VecDeque<BandPoint>,
    coarse: VecDeque<BandPoint>,
}

impl BandHistory {
    /// Adds the bands of a snapshot. `series` are all that are watched: the bands of others are removed, such as those of a
    /// pool that there is no more.
    pub(in crate::anomaly::enabled::watching) fn add(&mut self, series: &[Arc<SeriesIdentity>]) {
        let is_whole = |it: &SeriesIdentity| it.labels_text.is_empty() || it.rule.name == POOL_USE;
        let whole: Vec<_> = series.iter().filter(|it| is_whole(it)).collect();
        let watched: BTreeSet<GroupKey> = whole.iter().map(|it| it.key()).collect();
        self.series.retain(|key, _| watched.contains(key));
        for identity in whole {
            let reading = identity.reading();
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

    pub(in crate::anomaly::enabled::watching) fn all(&self) -> Vec<SeriesBands> {
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::super::rules::default_rules;
    use super::super::super::series::{Now, WatchedState};
    use super::*;

    /// A pool whose normal use is known.
    fn pool(name: &str) -> Arc<SeriesIdentity> {
        let rule = default_rules().into_iter().find(|it| it.name == POOL_USE);
        let labels = format!("db_client_connection_pool_name=\"{name}\"").into();
        let rule = Arc::new(rule.unwrap());
        let quantity = rule.quantity;
        let identity = SeriesIdentity::new(&rule, &labels, quantity);
        let step = Duration::from_secs(10);
        let mut state = WatchedState::new(&identity, step, 1.0);
        for n in 1..=2000 {
            let now = Now {
                at: n * 10_000,
                step: n.unsigned_abs(),
            };
            state.observe(&identity, step, now, ((n % 5) as f64, 10.0));
        }
        assert!(identity.reading().is_some_and(|reading| !reading.learning));
        Arc::new(identity)
    }

    #[test]
    fn the_bands_of_a_pool_go_with_it() {
        let pools = [pool("old"), pool("new")];
        let mut history = BandHistory::default();
        history.add(&pools);
        assert_eq!(history.all().len(), 2);
        history.add(&pools[1..]);
        assert_eq!(history.all().len(), 1);
        // There is room for others.
        for n in 0..=MAX_SERIES {
            history.add(&[pool(&n.to_string())]);
            assert_eq!(history.all().len(), 1);
        }
    }

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
