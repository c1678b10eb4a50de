//! Single operations.

use std::hint::black_box;

use watchpost::{Monitor, MonitorGuard};

use crate::measured;

type Op = fn(&MonitorGuard, u64);

pub const OPS: &[(&str, Op)] = &[
    ("nothing", |_, n| {
        measured(|| (0..n).for_each(|n| _ = black_box(n)))
    }),
    ("typed counter", |monitor, n| {
        let counter = monitor.metrics().counter("typed").build();
        counter.add(1);
        measured(|| (0..n).for_each(|_| black_box(&counter).add(1)));
    }),
    ("typed histogram", |monitor, n| {
        let histogram = monitor.metrics().histogram("typed").build();
        histogram.record(0.1);
        measured(|| (0..n).for_each(|_| black_box(&histogram).record(0.02)));
    }),
    ("facade counter, three static labels", |_, n| {
        let count =
            || metrics::counter!("facade", "a" => "one", "b" => "two", "c" => "three").increment(1);
        count();
        measured(|| (0..n).for_each(|_| count()));
    }),
];

/// Runs an operation `n` times in the measured region.
pub fn count(name: &str, n: u64) {
    let monitor = Monitor::builder("ops")
        .env(false)
        .console(false)
        .install()
        .expect("a monitor");
    let (_, op) = OPS
        .iter()
        .find(|(have, _)| *have == name)
        .expect("an operation that `ops` names");
    op(&monitor, n);
}
