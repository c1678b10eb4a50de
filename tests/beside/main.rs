//! This crate together with what a service already uses. Each case is a process of its own, since subscribers, loggers,
//! recorders, providers and panic hooks belong to the process.
//!
//! `cargo test --manifest-path tests/beside/Cargo.toml -- FILTER` runs the cases whose name contains FILTER. The last
//! line is `N passed, N failed`.

mod alone;
mod cases;
mod current;
mod findings;
mod frameworks;
mod grpc_client;
mod grpc_server;

mod log_bridges;
mod opentelemetry;
mod panics;
mod recorders;
mod sentry;
mod start;
mod subscriber;
mod support;

use cases::Case;

/// Every case, by topic.
fn all() -> Vec<Case> {
    let mut all = Vec::new();
    all.extend(alone::CASES);
    all.extend(grpc_client::CASES);
    all.extend(grpc_server::CASES);
    all.extend(frameworks::CASES);
    all.extend(current::CASES);
    all.extend(findings::CASES);
    all.extend(log_bridges::CASES);
    all.extend(opentelemetry::CASES);
    all.extend(panics::CASES);
    all.extend(recorders::CASES);
    all.extend(sentry::CASES);
    all.extend(start::CASES);
    all.extend(subscriber::CASES);
    all
}

fn main() -> std::process::ExitCode {
    cases::run(&all())
}
