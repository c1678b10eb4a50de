//! The detectors of the crate, without what watches the series of a monitor.

#[path = "../../../src/anomaly/enabled/adaptive/mod.rs"]
mod adaptive;
#[path = "../../../src/anomaly/enabled/config.rs"]
mod config;
#[path = "../../../src/anomaly/enabled/course.rs"]
mod course;
#[path = "../../../src/anomaly/enabled/detector.rs"]
mod detector;
#[path = "../../../src/anomaly/enabled/pace.rs"]
mod pace;
#[path = "../../../src/anomaly/enabled/three_sigma.rs"]
mod three_sigma;
#[path = "../../../src/anomaly/enabled/week_time.rs"]
mod week_time;

pub use self::adaptive::AdaptiveDetector;
pub use self::config::{DetectorConfig, Direction, Measure};
pub use self::detector::{AnomalyChange, AnomalyKind, Assessment, Detector, Observation, Onset};
pub use self::three_sigma::ThreeSigma;
