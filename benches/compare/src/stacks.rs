//! The stacks that are compared.

use axum::Router;
use watchpost::logs::RequestLines;
use watchpost::{Monitor, MonitorBuilder, MonitorGuard};

/// A router and what must outlive its run.
pub struct Stack {
    pub router: Router,
    pub monitor: Option<MonitorGuard>,
}

type Build = fn(Router) -> Stack;

pub const STACKS: &[(&str, Build)] = &[
    ("bare", |router| Stack {
        router,
        monitor: None,
    }),
    // What any layer costs that wraps the body, as ours must.
    ("no-op layer", |router| Stack {
        router: router.layer(tower::layer::layer_fn(|inner| inner)),
        monitor: None,
    }),
    ("metrics", |router| {
        let builder = Monitor::builder("compare").env(false).traces(false);
        let builder = builder.trace_header(false);
        let monitor = builder
            .request_lines(RequestLines::Off)
            .build()
            .expect("a monitor");
        Stack {
            router: router.layer(monitor.layer()),
            monitor: Some(monitor),
        }
    }),
    ("lines", |router| {
        with_lines(router, |builder| builder.traces(false))
    }),
    // A tenth of the traces, and what fails or is slow.
    ("everything", |router| {
        with_lines(router, |builder| {
            builder.trace_ratio(0.1).max_traces_per_second(1_000_000)
        })
    }),
];

fn with_lines(router: Router, set: fn(MonitorBuilder) -> MonitorBuilder) -> Stack {
    let builder = set(Monitor::builder("compare").version("1.4.2").env(false));
    let builder = builder
        .console_to(std::io::sink())
        .max_queue_bytes(64 << 20);
    let monitor = builder.max_sink_bytes(64 << 20).build().expect("a monitor");
    Stack {
        router: router.layer(monitor.layer()),
        monitor: Some(monitor),
    }
}

pub fn build(name: &str) -> Stack {
    let (_, build) = STACKS
        .iter()
        .find(|(have, _)| *have == name)
        .expect("a stack that `list` names");
    let mut stack = build(crate::app::router());
    // As `axum::serve` does: without it, axum builds each route anew for each request.
    stack.router = stack.router.with_state(());
    stack
}
