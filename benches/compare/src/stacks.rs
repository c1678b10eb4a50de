//! The stacks that are compared.

use std::time::Duration;

use axum::Router;
use watchpost::logs::RequestLogs;
use watchpost::{Monitor, MonitorBuilder, MonitorGuard};

/// A router, and a function for the end of the run that takes the number of requests.
pub struct Stack {
    pub router: Router,
    pub end: Box<dyn FnOnce(u64)>,
}

impl Stack {
    fn without(router: Router) -> Self {
        Self {
            router,
            end: Box::new(|_| {}),
        }
    }

    fn of(router: Router, monitor: MonitorGuard) -> Self {
        Self {
            router: router.layer(monitor.layer()),
            end: Box::new(move |_| end(&monitor)),
        }
    }
}

/// Shuts down and prints the totals.
pub fn end(monitor: &MonitorGuard) {
    let report = monitor.shutdown_blocking(Duration::from_secs(60));
    eprintln!("{}", report.expect("outside a runtime"));
}

type Build = fn(Router) -> Stack;

pub const STACKS: &[(&str, Build)] = &[
    ("bare", Stack::without),
    // The cost of any layer that wraps the body.
    ("no-op layer", |router| {
        Stack::without(router.layer(tower::layer::layer_fn(|inner| inner)))
    }),
    ("metrics", |router| {
        let builder = Monitor::builder("compare").env(false).record_spans(false);
        let builder = builder.trace_header(false);
        let monitor = builder
            .request_logs(RequestLogs::Off)
            .build()
            .expect("a monitor");
        Stack::of(router, monitor)
    }),
    ("lines", |router| {
        with_lines(router, |builder| builder.record_spans(false))
    }),
    // Keeps a tenth of the traces, and those that fail or are slow.
    ("everything", |router| {
        with_lines(router, |builder| {
            builder.trace_ratio(0.1).max_traces_per_second(1_000_000)
        })
    }),
];

fn with_lines(router: Router, set: fn(MonitorBuilder) -> MonitorBuilder) -> Stack {
    Stack::of(router, lines(set))
}

/// A monitor whose log lines are formatted and discarded.
pub fn lines(set: impl FnOnce(MonitorBuilder) -> MonitorBuilder) -> MonitorGuard {
    let builder = set(Monitor::builder("compare")
        .service_version("1.4.2")
        .env(false));
    let builder = builder
        .console_to(std::io::sink())
        .max_queue_bytes(64 << 20);
    builder.max_sink_bytes(64 << 20).build().expect("a monitor")
}

/// The metrics page of a monitor with default settings after the mixed requests.
pub fn page() -> String {
    let builder = Monitor::builder("compare").env(false);
    let monitor = builder.console_to(std::io::sink()).build();
    let monitor = monitor.expect("a monitor");
    crate::work::send_mixed(&crate::app::router().layer(monitor.layer()));
    monitor.metrics().render()
}

pub fn build(name: &str) -> Stack {
    let (_, build) = STACKS
        .iter()
        .find(|(have, _)| *have == name)
        .expect("a stack that `list` names");
    let mut stack = build(crate::app::router());
    // As `axum::serve` does: otherwise axum builds each route again for each request.
    stack.router = stack.router.with_state(());
    stack
}
