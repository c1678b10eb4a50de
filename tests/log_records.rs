//! Records of the `log` crate, through the bridge that `install` sets and through one of the host's. Each test runs in a
//! process of its own, since a process has one logger.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tracing_subscriber::layer::SubscriberExt;
use watchpost::{KeepReason, Monitor, MonitorBuilder};

#[path = "support/child.rs"]
mod child;
#[path = "support/process.rs"]
mod process;

use process::in_child_process;

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Written {
    /// The log records so far whose message begins with `prefix`.
    fn records(&self, monitor: &Monitor, message: &str) -> Vec<Value> {
        assert!(monitor.flush_blocking(Duration::from_secs(10)).unwrap());
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let all = text.lines().map(|line| serde_json::from_str(line).unwrap());
        all.filter(|record: &Value| record["message"].as_str().unwrap().starts_with(message))
            .collect()
    }
}

fn builder(level: &str) -> (MonitorBuilder, Written) {
    let written = Written::default();
    let builder = Monitor::builder("logs")
        .env(false)
        .log_format(watchpost::logs::LogFormat::Json)
        .log_level(level)
        .trace_ratio(0.0)
        .console_to(written.clone());
    (builder, written)
}

/// The checks for both bridges.
fn check(monitor: &Monitor, written: &Written) {
    log::warn!("plain {}", 1);
    let line = line!() - 1;
    log::info!(target: "noisy::pool", "noisy, and only a warning is wanted");
    log::warn!(target: "noisy::pool", "noisy warning");
    log::debug!(target: "shop::db", "debug of one target");
    log::debug!("debug of no target that wants it");
    log::warn!(target: "watchpost::worker", "never our own");
    log::error!(target: "card", "password=hunter2 for Bearer abcdefghijklmnopqrstuvwxyz012345");

    let plain = written.records(monitor, "plain");
    assert_eq!(plain.len(), 1, "{plain:?}");
    assert_eq!(plain[0]["target"], "log_records");
    assert_eq!(plain[0]["level"], "WARN");
    assert_eq!(plain[0]["code.line.number"], line, "{}", plain[0]);
    assert!(
        plain[0]["code.file.path"]
            .as_str()
            .unwrap()
            .ends_with("log_records.rs")
    );
    assert!(plain[0].get("log.target").is_none() && plain[0].get("log.module_path").is_none());
    let noisy = written.records(monitor, "noisy");
    assert_eq!(noisy.len(), 1, "{noisy:?}");
    assert_eq!(noisy[0]["target"], "noisy::pool");
    assert_eq!(noisy[0]["log.module_path"], "log_records");
    assert_eq!(written.records(monitor, "debug").len(), 1);
    assert!(written.records(monitor, "never").is_empty());
    let card = written.records(monitor, "password");
    let text = card[0].to_string();
    assert!(
        !text.contains("hunter2") && !text.contains("abcdefghijkl"),
        "{text}"
    );

    // In a trace they are events of their span, in a captured error they are breadcrumbs.
    let job = monitor.span("job").run(async {
        log::warn!(target: "shop::db", "in a job");
        monitor.capture_error(&std::io::Error::other("it failed"));
    });
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(job);
    let record = &written.records(monitor, "in a job")[0];
    assert_eq!(record["trace_id"].as_str().unwrap().len(), 32);
    let traces = monitor.recent_traces();
    assert_eq!(traces[0].kept, KeepReason::Captured);
    let text = format!("{:?}", traces[0]);
    assert!(
        text.contains("in a job") && text.contains("shop::db"),
        "{text}"
    );
    assert!(!text.contains("log.target"), "{text}");
    let sample = monitor.error_groups()[0].sample.clone().unwrap();
    assert_eq!(sample.breadcrumbs.last().unwrap().target, "shop::db");

    // A record that `tracing` passes to `log` (with its feature `log-always`) has the location of an event.
    tracing::warn!(target: "shop", "once");
    let line = line!() - 1;
    let copy = log::Record::builder()
        .level(log::Level::Warn)
        .target("shop")
        .file(Some(file!()))
        .line(Some(line))
        .args(format_args!("once"))
        .build();
    log::logger().log(&copy);
    assert_eq!(written.records(monitor, "once").len(), 1);
}

const LEVELS: &str = "info,noisy=warn,shop::db=debug";

#[test]
fn records_of_the_log_crate_are_log_records() {
    in_child_process("records_of_the_log_crate_are_log_records", &[], || {
        let (builder, written) = builder(LEVELS);
        let monitor = builder.install().unwrap();
        assert!(
            monitor.report().not_installed.is_empty(),
            "{}",
            monitor.report()
        );
        check(&monitor, &written);
        // A level applies at once, also to records that were disabled before.
        assert!(!log::log_enabled!(target: "quiet", log::Level::Trace));
        monitor.set_log_level("trace").unwrap();
        log::trace!(target: "quiet", "now it is wanted");
        assert_eq!(written.records(&monitor, "now it is wanted").len(), 1);
        monitor.set_log_level("error").unwrap();
        log::info!(target: "quiet", "now it is wanted no more");
        assert_eq!(written.records(&monitor, "now it is wanted").len(), 1);
        // Events of spans are enabled at INFO, and SQLx's own events at DEBUG.
        assert!(log::max_level() < log::LevelFilter::Trace);
    });
}

#[test]
fn records_of_the_hosts_own_bridge_are_recorded_once() {
    in_child_process(
        "records_of_the_hosts_own_bridge_are_recorded_once",
        &[],
        || {
            tracing_log::LogTracer::init().unwrap();
            let (builder, written) = builder(LEVELS);
            let monitor = builder.build().unwrap();
            let subscriber = tracing_subscriber::registry().with(monitor.tracing_layer());
            tracing::subscriber::set_global_default(subscriber).unwrap();
            check(&monitor, &written);
        },
    );
}

#[test]
fn another_logger_stays_and_is_reported() {
    in_child_process("another_logger_stays_and_is_reported", &[], || {
        struct Counting(Mutex<u32>);
        impl log::Log for Counting {
            fn enabled(&self, _: &log::Metadata<'_>) -> bool {
                true
            }
            fn log(&self, _: &log::Record<'_>) {
                *self.0.lock().unwrap() += 1;
            }
            fn flush(&self) {}
        }
        static LOGGER: Counting = Counting(Mutex::new(0));
        log::set_logger(&LOGGER).unwrap();
        log::set_max_level(log::LevelFilter::Warn);
        let (builder, written) = builder("info");
        let monitor = builder.install().unwrap();
        let report = monitor.report().not_installed;
        assert_eq!(report.len(), 1, "{report:?}");
        assert!(report[0].contains("`log` logger"), "{report:?}");
        monitor.set_log_level("trace").unwrap();
        log::warn!("for the host's logger");
        log::info!("below its level");
        assert_eq!(*LOGGER.0.lock().unwrap(), 1);
        assert!(written.records(&monitor, "for the host's").is_empty());
    });
}
