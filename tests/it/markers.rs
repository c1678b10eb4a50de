//! Markers of a monitor, over a restart.

use std::path::Path;
use std::time::{Duration, SystemTime};

use watchpost::history::{Marker, MarkerKind};
use watchpost::{Monitor, MonitorGuard};

fn monitor(directory: &Path, version: &str) -> MonitorGuard {
    Monitor::builder("marked")
        .env(false)
        .service_version(version)
        .data_dir(directory)
        .console_to(std::io::sink())
        .build()
        .unwrap()
}

fn markers(monitor: &Monitor) -> Vec<Marker> {
    let hour = Duration::from_secs(3600);
    let now = SystemTime::now();
    monitor.history().markers(now - hour, now + hour)
}

#[test]
fn a_shutdown_stores_the_markers_and_the_next_process_has_them() {
    let directory = tempfile::tempdir().unwrap();
    for version in ["1.0", "1.1"] {
        let one = monitor(directory.path(), version);
        one.mark("migration done");
        let report = one.shutdown_blocking(Duration::from_secs(20)).unwrap();
        assert!(report.is_complete());
        let found = markers(&one);
        let last = found.last().unwrap();
        assert_eq!((last.kind, &*last.text), (MarkerKind::Shutdown, version));
        if version == "1.1" {
            assert_eq!(found.len(), 6);
            assert_eq!(found[1].text, "migration done");
            assert!(found[3].is_new_version && !found[3].was_interrupted);
        }
    }
}

#[cfg(feature = "serde")]
#[test]
fn markers_are_serialized() {
    let directory = tempfile::tempdir().unwrap();
    let one = monitor(directory.path(), "1.0");
    let json = serde_json::to_value(markers(&one)).unwrap();
    assert_eq!(json[0]["kind"], "start");
    assert_eq!(json[0]["text"], "1.0");
    assert_eq!(json[0]["is_new_version"], false);
    assert_eq!(json[0]["was_interrupted"], false);
    assert!(json[0]["time"].as_str().unwrap().ends_with('Z'));
}
