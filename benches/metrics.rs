//! The cost of recording metrics and of a scrape: `cargo bench --all-features --bench metrics`.
//!
//! Each row shows nanoseconds per call: the best of several runs, with the time of the empty loop (`nothing`) included.
//! For a page, it shows the time of the whole page and of its longest poll.

use std::hint::black_box;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use http::Request;
use http_body::Body as _;
use metrics::counter;
use tower::Service as _;
use watchpost::metrics::{ExpositionBody, Metrics};

const CALLS: u32 = 1_000_000;
const RUNS: u32 = 7;

fn main() {
    let metrics = Metrics::standalone();
    row("nothing", || {
        black_box(());
    });
    let atomic = AtomicU64::new(0);
    row("a plain atomic", || {
        atomic.fetch_add(1, Relaxed);
    });
    let jobs = metrics.counter("jobs").build().with([("queue", "mail")]);
    row("counter, stored handle", || jobs.add(black_box(1)));
    let level = metrics.up_down_counter("level").build();
    row("up-down counter, stored handle", || {
        level.add(black_box(-1));
    });
    let gauge = metrics.gauge("room").build();
    row("gauge, stored handle", || gauge.set(black_box(1.0)));
    let took = metrics.histogram("took").unit("s").build();
    row("histogram, stored handle", || took.record(black_box(0.03)));
    row("counter looked up by label", || {
        jobs.with([("queue", "post")]).add(1);
    });
    let recorder = metrics.recorder();
    metrics::with_local_recorder(&recorder, || {
        row("counter!, three static labels", || {
            counter!("calls", "method" => "GET", "route" => "/a/{id}", "status" => "200")
                .increment(1);
        });
        row("counter!, one owned label", || {
            counter!("calls", "method" => black_box("GET").to_owned()).increment(1);
        });
    });
    pages("10,000 counters", &counters());
    pages("10,000 histograms", &histograms());
}

fn row(name: &str, mut call: impl FnMut()) {
    let best = (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            (0..CALLS).for_each(|_| call());
            start.elapsed()
        })
        .min()
        .unwrap_or_default();
    let nanos = best.as_secs_f64() * 1e9 / f64::from(CALLS);
    println!("{name:<34} {nanos:>9.1} ns");
}

fn counters() -> Metrics {
    let metrics = Metrics::standalone();
    for metric in 0..10 {
        let counter = metrics.counter(&format!("http.requests.{metric}")).build();
        for n in 0..1000 {
            let user = format!("user-{n}");
            let labels = [
                ("method", "GET".into()),
                ("status", "200".into()),
                ("user", user),
            ];
            counter.with(labels).add(n);
        }
    }
    metrics
}

fn histograms() -> Metrics {
    let metrics = Metrics::standalone();
    for metric in 0..10 {
        let name = format!("http.duration.{metric}");
        let histogram = metrics.histogram(&name).unit("s").build();
        for n in 0..1000 {
            let route = format!("/route/{n}");
            let labels = [
                ("method", "GET".into()),
                ("status", "200".into()),
                ("route", route),
            ];
            histogram.with(labels).record(0.03);
        }
    }
    metrics
}

fn pages(name: &str, metrics: &Metrics) {
    for encoding in ["identity", "gzip"] {
        let best = (0..RUNS).map(|_| page(metrics, encoding)).min();
        let Some((all, longest, bytes)) = best else {
            return;
        };
        println!(
            "{name:<20} {encoding:<13} {:>9.2} ms, longest poll {:.2} ms, {bytes} bytes",
            all.as_secs_f64() * 1e3,
            longest.as_secs_f64() * 1e3,
        );
    }
}

/// The time of a page and of its longest poll, and its size in bytes.
fn page(metrics: &Metrics, encoding: &'static str) -> (Duration, Duration, usize) {
    let request = Request::builder()
        .header("accept-encoding", encoding)
        .body(());
    let start = Instant::now();
    let response = metrics.prometheus().call(request.expect("a request"));
    let mut body = response.into_inner().expect("a response").into_body();
    let (mut longest, mut bytes) = (start.elapsed(), 0);
    loop {
        let poll = Instant::now();
        let frame = next(&mut body);
        longest = longest.max(poll.elapsed());
        match frame {
            Some(size) => bytes += size,
            None => return (start.elapsed(), longest, bytes),
        }
    }
}

fn next(body: &mut ExpositionBody) -> Option<usize> {
    let mut cx = Context::from_waker(Waker::noop());
    match Pin::new(body).poll_frame(&mut cx) {
        Poll::Ready(Some(Ok(frame))) => frame.data_ref().map(bytes::Bytes::len),
        Poll::Ready(None) | Poll::Pending => None,
    }
}
