//! Records of the `log` crate with each kind of logger: each becomes one log record with its own target and level.

use log::{Level as LogLevel, LevelFilter as LogFilter, Log, Metadata, Record};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use watchpost::{Global, GlobalState, MonitorGuard};

use crate::cases::{Case, host_output};
use crate::support::{Written, builder, records, records_of};

pub(crate) const CASES: [Case; 6] = [
    Case::new("log_bridges_of_this_crate", of_this_crate),
    Case::new("log_bridges_of_init", of_init),
    Case::new("log_bridges_of_a_log_tracer", of_a_log_tracer),
    Case::new("log_bridges_of_the_hosts_own", of_the_hosts_own),
    Case::new("log_bridges_of_a_host_that_names_targets", named_targets),
    Case::unchanged("log_bridges_beside_env_logger", beside_env_logger),
];

fn monitor() -> (MonitorGuard, Written) {
    let (builder, written) = builder();
    let level = "info,beside::quiet=error,beside::loud=debug";
    (builder.log_level(level).build().unwrap(), written)
}

fn speak() {
    log::info!("as it is");
    log::debug!("too much");
    log::warn!(target: "beside::quiet", "kept quiet");
    log::error!(target: "beside::quiet", "not kept quiet");
    log::debug!(target: "beside::loud", "loud");
}

/// Checks that there is one record for each, with its own target.
fn assert_bridged(monitor: &MonitorGuard, written: &Written) {
    for (message, target, level) in [
        ("as it is", module_path!(), "INFO"),
        ("not kept quiet", "beside::quiet", "ERROR"),
        ("loud", "beside::loud", "DEBUG"),
    ] {
        let all = records_of(monitor, written, message);
        assert_eq!(all.len(), 1, "{message}: {}", written.text());
        assert_eq!(all[0]["target"], target, "{message}");
        assert_eq!(all[0]["level"], level, "{message}");
    }
    for message in ["too much", "kept quiet"] {
        assert_eq!(records_of(monitor, written, message).len(), 0, "{message}");
    }
    for record in records(monitor, written) {
        for key in ["log.target", "log.file", "log.line"] {
            assert!(record.get(key).is_none(), "{record}");
        }
    }
}

fn of_this_crate() {
    let (monitor, written) = monitor();
    let report = monitor.install();
    assert_eq!(
        report.state(Global::LogBridge),
        Some(GlobalState::Installed)
    );
    speak();
    assert_bridged(&monitor, &written);
}

fn of_init() {
    let (monitor, written) = monitor();
    tracing_subscriber::registry()
        .with(monitor.tracing_layer())
        .init();
    let report = monitor.install();
    assert_eq!(report.state(Global::LogBridge), Some(GlobalState::InPlace));
    speak();
    assert_bridged(&monitor, &written);
}

fn of_a_log_tracer() {
    let (monitor, written) = monitor();
    tracing_log::LogTracer::init().unwrap();
    let subscriber = tracing_subscriber::registry().with(monitor.tracing_layer());
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let report = monitor.install();
    assert_eq!(report.state(Global::LogBridge), Some(GlobalState::InPlace));
    speak();
    assert_bridged(&monitor, &written);
}

/// A bridge written by a host: events have the target `log`, and that of the record is in a field, as in tracing-log.
struct Own;

impl Log for Own {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let (target, text) = (record.target(), record.args());
        macro_rules! event {
            ($level:ident) => {
                tracing::event!(
                    target: "log",
                    tracing::Level::$level,
                    log.target = target,
                    log.module_path = record.module_path(),
                    log.file = record.file(),
                    log.line = record.line(),
                    "{text}"
                )
            };
        }
        match record.level() {
            LogLevel::Error => event!(ERROR),
            LogLevel::Warn => event!(WARN),
            LogLevel::Info => event!(INFO),
            LogLevel::Debug => event!(DEBUG),
            LogLevel::Trace => event!(TRACE),
        }
    }

    fn flush(&self) {}
}

fn of_the_hosts_own() {
    let (monitor, written) = monitor();
    log::set_boxed_logger(Box::new(Own)).unwrap();
    log::set_max_level(LogFilter::Trace);
    let subscriber = tracing_subscriber::registry().with(monitor.tracing_layer());
    tracing::subscriber::set_global_default(subscriber).unwrap();
    monitor.install();
    speak();
    assert_bridged(&monitor, &written);
}

/// Events with the target `log` and without such fields are the host's own and keep that target.
fn named_targets() {
    let (monitor, written) = monitor();
    monitor.install();
    tracing::info!(target: "log", "an event of the target log");
    tracing::debug!(target: "log", "too much");
    let all = records_of(&monitor, &written, "an event of the target log");
    assert_eq!(all.len(), 1);
    assert_eq!(all[0]["target"], "log");
    assert_eq!(records_of(&monitor, &written, "too much").len(), 0);
}

fn beside_env_logger(added: bool) {
    let host = Written::default();
    env_logger::Builder::new()
        .filter_level(LogFilter::Debug)
        .format(|out, record| {
            use std::io::Write as _;
            writeln!(
                out,
                "{} {} {}",
                record.level(),
                record.target(),
                record.args()
            )
        })
        .target(env_logger::Target::Pipe(Box::new(host.clone())))
        .init();
    let (monitor, written) = monitor();
    if added {
        let report = monitor.install();
        assert_eq!(report.state(Global::LogBridge), Some(GlobalState::Missing));
    }
    speak();
    // env_logger emits no events.
    assert_eq!(records_of(&monitor, &written, "as it is").len(), 0);
    host_output(&host.bytes());
}
