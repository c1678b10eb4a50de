//! The anomalies that the pages show, and the bands of normal values of the cards.

use std::time::Duration;

use super::live_window::REQUESTS;
use super::past::Curves;
use super::times::{millis, two_snapshots};
use crate::anomaly::{Anomaly, AnomalyEpisode, SeriesBands, WatchedFigure};
use crate::dashboard::DashboardCard;

const TIME_TO_HEADERS: &str = "watchpost_http_time_to_headers_seconds";
const CPU: &str = "process_cpu_utilization_ratio";
const CONNECTIONS: &str = "db_client_connection_count";
/// The maximum number of anomalies that are shown.
const MAX_ANOMALIES: usize = 40;
/// How many other names are listed beside an anomaly.
const MAX_ALSO: usize = 4;
/// The age of the latest band up to which it is shown, in milliseconds, unless snapshots are rarer.
const MAX_AGE: u64 = 60_000;
/// How long an anomaly is shown, in milliseconds.
const SHOWN_FOR: u64 = 24 * 3_600_000;

/// An anomaly. Times are milliseconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct AnomalyRow {
    pub(super) number: u64,
    pub(super) episode: u64,
    /// The card whose figure it is. The values are then in the card's unit.
    pub(super) card: Option<DashboardCard>,
    pub(super) name: String,
    pub(super) text: String,
    /// The method and the route that it is about.
    pub(super) route: Option<(String, String)>,
    /// Whether it is of response times.
    pub(super) is_slow: bool,
    pub(super) from: u64,
    pub(super) to: Option<u64>,
    pub(super) value: f64,
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) score: f64,
    pub(super) also: Vec<String>,
}

/// The anomalies of the last day, the newest episode first, and in each the oddest first. `pool_max` is the maximum of the
/// pool, if there is one pool alone: the card has the connections of all pools, and an anomaly the share of one.
pub(super) fn rows(
    episodes: &[AnomalyEpisode],
    pool_max: Option<f64>,
    now: u64,
) -> Vec<AnomalyRow> {
    let mut all = Vec::new();
    for episode in episodes {
        for anomaly in &episode.members {
            let end = anomaly.until.map(millis);
            if now.saturating_sub(end.unwrap_or(now)) > SHOWN_FOR {
                continue;
            }
            if all.len() >= MAX_ANOMALIES {
                return all;
            }
            let others = episode.members.iter();
            let others = others.filter(|other| other.number != anomaly.number);
            let also = others.take(MAX_ALSO).map(|other| other.name.clone());
            all.push(row(anomaly, also.collect(), pool_max));
        }
    }
    all
}

fn row(anomaly: &Anomaly, also: Vec<String>, pool_max: Option<f64>) -> AnomalyRow {
    let label = |wanted: &str| {
        let found = anomaly.labels.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.clone())
    };
    let is_whole = anomaly.labels.is_empty();
    let card = card_of(&anomaly.metric, anomaly.figure);
    let card = card.filter(|card| is_whole || *card == DashboardCard::Connections);
    // The card has connections, and the series the share of them.
    let (card, factor) = match (card, pool_max) {
        (Some(DashboardCard::Connections), None) => (None, 1.0),
        (Some(DashboardCard::Connections), Some(max)) => (card, max),
        _ => (card, 1.0),
    };
    let times = [REQUESTS, TIME_TO_HEADERS];
    AnomalyRow {
        number: anomaly.number,
        episode: anomaly.episode,
        card,
        name: anomaly.name.clone(),
        text: anomaly.sentence.clone(),
        route: label("http_request_method").zip(label("http_route")),
        is_slow: times.contains(&&*anomaly.metric)
            && matches!(anomaly.figure, WatchedFigure::Quantile(_)),
        from: millis(anomaly.since),
        to: anomaly.until.map(millis),
        value: anomaly.value * factor,
        low: anomaly.lower.max(0.0) * factor,
        high: anomaly.upper * factor,
        score: anomaly.score,
        also,
    }
}

/// The card that shows a series of the whole service.
fn card_of(metric: &str, figure: WatchedFigure) -> Option<DashboardCard> {
    match (metric, figure) {
        (REQUESTS, WatchedFigure::Rate) => Some(DashboardCard::Requests),
        (REQUESTS, WatchedFigure::Share) => Some(DashboardCard::ErrorRate),
        (REQUESTS, WatchedFigure::Quantile(0.95)) => Some(DashboardCard::ResponseTime),
        (CPU, WatchedFigure::Value) => Some(DashboardCard::Cpu),
        (CONNECTIONS, WatchedFigure::Share) => Some(DashboardCard::Connections),
        _ => None,
    }
}

/// The bands of normal values of the cards.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct CardBands {
    cards: Vec<(DashboardCard, Vec<CardBand>)>,
    /// For how long a band is the latest one, in milliseconds.
    max_age: u64,
}

/// A band at a time in milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct CardBand {
    pub(super) at: u64,
    pub(super) low: f64,
    pub(super) high: f64,
}

/// The bands of a curve, a low and a high end for each step.
type BandCurves = [Vec<Option<f64>>; 2];

impl CardBands {
    /// `pool_max` is the maximum of the pool, if there is one pool alone, and `interval` the time between two snapshots.
    pub(super) fn new(series: &[SeriesBands], pool_max: Option<f64>, interval: Duration) -> Self {
        let mut cards: Vec<(DashboardCard, Vec<CardBand>)> = Vec::new();
        for series in series {
            let Some(card) = card_of(&series.metric, series.figure) else {
                continue;
            };
            let factor = match (card, pool_max) {
                (DashboardCard::Connections, None) => continue,
                (DashboardCard::Connections, Some(max)) => max,
                _ => 1.0,
            };
            let bands = series.points.iter().map(|point| CardBand {
                at: point.at.max(0).unsigned_abs(),
                low: point.lower.max(0.0) * factor,
                high: point.upper * factor,
            });
            cards.push((card, bands.collect()));
        }
        // The card adds all pools; the band of one of several says nothing about it.
        let pools = cards
            .iter()
            .filter(|(card, _)| *card == DashboardCard::Connections);
        if pools.count() > 1 {
            cards.retain(|(card, _)| *card != DashboardCard::Connections);
        }
        Self {
            cards,
            max_age: two_snapshots(interval).max(MAX_AGE),
        }
    }

    fn of(&self, card: DashboardCard) -> Option<&[CardBand]> {
        let found = self.cards.iter().find(|(other, _)| *other == card);
        found.map(|(_, bands)| bands.as_slice())
    }

    /// The latest band of a card, if it is not too old.
    pub(super) fn latest(&self, card: DashboardCard, now: u64) -> Option<CardBand> {
        let last = *self.of(card)?.last()?;
        (now.saturating_sub(last.at) <= self.max_age).then_some(last)
    }

    /// The bands at the steps of curves. `None` for a card without a band.
    pub(super) fn curves(&self, card: DashboardCard, curves: &Curves) -> Option<BandCurves> {
        let bands = self.of(card)?;
        let steps = curves.values[0].len();
        let mut low = vec![None; steps];
        let mut high = vec![None; steps];
        // A band stands for the time up to the next one that is kept.
        let most = curves.step_ms.max(310_000).max(self.max_age);
        let mut next = 0;
        for (index, (low, high)) in low.iter_mut().zip(&mut high).enumerate() {
            let end = curves.start + (index as u64 + 1) * curves.step_ms;
            // The snapshot of a step may be some milliseconds late.
            while bands.get(next).is_some_and(|band| band.at <= end + 500) {
                next += 1;
            }
            let band = next.checked_sub(1).and_then(|last| bands.get(last));
            if let Some(band) = band.filter(|band| end.saturating_sub(band.at) <= most) {
                (*low, *high) = (Some(band.low), Some(band.high));
            }
        }
        high.iter().any(Option::is_some).then_some([low, high])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_has_the_band_of_its_time() {
        let band = |at| CardBand {
            at,
            low: at as f64,
            high: at as f64 + 1.0,
        };
        let bands = CardBands {
            cards: vec![(DashboardCard::Cpu, vec![band(20_000), band(30_000)])],
            max_age: MAX_AGE,
        };
        let curves = Curves {
            start: 0,
            step_ms: 10_000,
            gaps: Vec::new(),
            values: std::array::from_fn(|_| vec![None; 60]),
        };
        let [low, high] = bands.curves(DashboardCard::Cpu, &curves).unwrap();
        assert_eq!(low[..3], [None, Some(20_000.0), Some(30_000.0)]);
        assert_eq!(high[2], Some(30_001.0));
        // It is not known for ever.
        assert_eq!((low[30], low[40]), (Some(30_000.0), None));
        assert_eq!(bands.curves(DashboardCard::Memory, &curves), None);
        assert_eq!(bands.latest(DashboardCard::Cpu, 50_000), Some(band(30_000)));
        assert_eq!(bands.latest(DashboardCard::Cpu, 500_000), None);
    }

    #[test]
    fn a_band_stays_the_latest_one_for_two_snapshots() {
        let series = [SeriesBands::for_test(
            CPU,
            WatchedFigure::Value,
            (1_000_000, 0.1, 0.5),
        )];
        let is_shown = |interval: u64, age: u64| {
            let bands = CardBands::new(&series, None, Duration::from_secs(interval));
            let now = 1_000_000 + age * 1000;
            bands.latest(DashboardCard::Cpu, now).is_some()
        };
        assert!(is_shown(10, 60) && !is_shown(10, 61));
        assert!(is_shown(300, 590) && !is_shown(300, 601));
    }

    #[test]
    fn a_card_of_connections_needs_the_only_pool_and_its_maximum() {
        let series = || SeriesBands::for_test(CONNECTIONS, WatchedFigure::Share, (1000, -0.5, 0.5));
        let of = |series: &[SeriesBands], max| {
            let bands = CardBands::new(series, max, Duration::from_secs(10));
            let band = bands.latest(DashboardCard::Connections, 1000);
            band.map(|band| (band.low, band.high))
        };
        assert_eq!(of(&[series()], Some(20.0)), Some((0.0, 10.0)));
        assert_eq!(of(&[series()], None), None);
        assert_eq!(of(&[series(), series()], Some(20.0)), None);
    }
}
