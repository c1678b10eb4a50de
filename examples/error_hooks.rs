//! Hooks on errors: a new one, a spike, and one that occurs again after it was resolved.
//!
//! ```sh
//! cargo run --example error_hooks
//! ```
//!
//! It ends after some seconds, and prints:
//!
//! ```text
//! new: New error: error_hooks::OutOfStock: item 0 is out of stock, at examples/error_hooks.rs:81:27
//! spike: 12 events within five minutes: error_hooks::OutOfStock: item 0 is out of stock, at examples/error_hooks.rs:81:27
//! resolved
//! regression: Resolved error occurs again: error_hooks::OutOfStock: item 0 is out of stock, at examples/error_hooks.rs:81:27
//! 13 events, 5 users, 1 route, regressed
//! ```

use std::fmt;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use watchpost::Monitor;
use watchpost::errors::{Backtraces, ErrorFilter, ErrorQuery, ErrorResolution};

#[derive(Debug)]
struct OutOfStock {
    item: u32,
}

impl fmt::Display for OutOfStock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "item {} is out of stock", self.item)
    }
}

impl std::error::Error for OutOfStock {}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let monitor = Monitor::builder("shop")
        .console(false)
        .backtraces(Backtraces::Off)
        .build()?;
    // Each hook runs on a thread of the monitor. A service would send a message.
    let (sender, reports) = mpsc::channel();
    let report = move |event: &watchpost::errors::ErrorPatternEvent| {
        let text = format!("{}: {}", event.pattern.as_str(), event.sentence);
        drop(sender.send(text));
    };
    monitor.on_new_error(report.clone()).detach();
    monitor.on_error_spike(report.clone()).detach();
    monitor.on_regression(report).detach();

    for item in 0..12 {
        capture(&monitor, item);
    }
    // The order of a new error and its spike is open.
    let mut first = [next(&reports)?, next(&reports)?];
    first.sort();
    for text in first {
        println!("{text}");
    }

    let open = ErrorQuery::default().filter(ErrorFilter::Open);
    for group in monitor.errors().list(&open) {
        monitor
            .errors()
            .resolve(group.number, ErrorResolution::Now)?;
        println!("resolved");
    }
    capture(&monitor, 12);
    println!("{}", next(&reports)?);
    for group in monitor.errors().list(&ErrorQuery::default()) {
        println!(
            "{} events, {} users, {} route, {}",
            group.count,
            group.users,
            group.routes.names.len(),
            group.state.as_str()
        );
    }
    Ok(())
}

fn capture(monitor: &Monitor, item: u32) {
    let error = OutOfStock { item };
    let capture = monitor.error_capture(&error);
    capture.user(format!("u-{}", item % 5)).capture();
}

fn next(reports: &Receiver<String>) -> Result<String, mpsc::RecvTimeoutError> {
    reports.recv_timeout(Duration::from_secs(30))
}
