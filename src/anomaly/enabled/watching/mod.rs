//! Watches the series of a monitor: which ones, what is reported of them, and to whom.

mod anomaly;
mod bands;
mod groups;
mod log;
mod odd_series;
mod rules;
mod selector;
mod sentence;
mod series;
mod state;
mod state_store;
mod watch;
mod watcher;

pub use self::anomaly::{
    Anomaly, AnomalyEpisode, AnomalyState, NormalBand, OddSeries, WatchedFigure, WatchedSeries,
};
pub use self::watch::Watch;

#[cfg(feature = "dashboard")]
pub(crate) use self::bands::SeriesBands;
pub(crate) use self::state_store::AnomalyStore;
pub(crate) use self::watcher::AnomalyWatcher;
