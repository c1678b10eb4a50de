mod adaptive;
mod config;
mod course;
mod detector;
mod pace;
mod three_sigma;
mod watching;
mod week_time;

pub use self::adaptive::AdaptiveDetector;
pub use self::config::{DetectorConfig, Direction, Measure};
pub use self::detector::{AnomalyChange, AnomalyKind, Assessment, Detector, Observation, Onset};
pub use self::three_sigma::ThreeSigma;
pub use self::watching::{
    Anomaly, AnomalyEpisode, AnomalyState, NormalBand, OddSeries, Watch, WatchedFigure,
    WatchedSeries,
};

#[cfg(feature = "dashboard")]
pub(crate) use self::watching::SeriesBands;
pub(crate) use self::watching::{AnomalyStore, AnomalyWatcher};
