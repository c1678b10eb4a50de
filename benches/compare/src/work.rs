//! Sends requests through a stack as hyper does: the service is cloned and called once, and the body is read to its end.

use std::hint::black_box;
use std::sync::Barrier;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt;
use tokio::runtime::Runtime;
use tower::ServiceExt;

use crate::{allocs, app, measured, stacks};

/// Requests in a chunk, which are built outside of the measured region.
const CHUNK: u64 = 64;

pub fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime")
}

/// Parses an argument.
pub fn number(text: &str) -> u64 {
    text.parse()
        .unwrap_or_else(|_| panic!("`{text}` is not a number"))
}

fn requests(from: u64, n: u64) -> Vec<Request<Body>> {
    (from..from + n).map(app::request).collect()
}

pub fn drive(runtime: &Runtime, router: &Router, requests: Vec<Request<Body>>) {
    runtime.block_on(async {
        for request in requests {
            let response = router.clone().oneshot(request).await.expect("infallible");
            let (head, mut body) = response.into_parts();
            assert!(head.status.is_success() || head.status == StatusCode::INTERNAL_SERVER_ERROR);
            while let Some(frame) = body.frame().await {
                black_box(frame.expect("a frame"));
            }
        }
    });
}

/// Runs `n` requests in the measured region, after a warm-up outside of it.
pub fn count(stack: &str, n: u64) {
    let (runtime, stack) = (runtime(), stacks::build(stack));
    drive(&runtime, &stack.router, requests(0, 512));
    for from in (0..n).step_by(CHUNK as usize) {
        let requests = requests(from, CHUNK.min(n - from));
        measured(|| drive(&runtime, &stack.router, requests));
    }
    (stack.end)(512 + n);
}

/// Events of four kinds in turn, in the measured region.
#[allow(dead_code, reason = "only some programs emit events")]
pub fn emit_events(turns: std::ops::Range<u64>) {
    for turn in turns {
        measured(|| event(turn));
    }
}

/// One of four kinds of event.
pub fn event(turn: u64) {
    match turn % 4 {
        0 => tracing::info!(items = turn, cached = true, "articles listed"),
        1 => tracing::info!(user.id = "u-4711", "article {turn} saved for review"),
        2 => tracing::warn!(
            elapsed_ms = 212.5,
            attempt = 2,
            statement = "SELECT id, title FROM articles WHERE author = ?",
            "slow query"
        ),
        _ => {
            tracing::error!(error = %"connection reset by peer (os error 104)", host = "db-1.internal", "the pool lost a connection")
        }
    }
}

/// Sends the requests of [`app::mixed`] and reads each response to its end.
pub fn send_mixed(router: &Router) {
    let router = router.clone().with_state(());
    runtime().block_on(async {
        for request in app::mixed() {
            let response = router.clone().oneshot(request).await.expect("infallible");
            response.into_body().collect().await.expect("a body");
        }
    });
}

/// Prints allocations per request on the request's thread.
pub fn allocs(stack: &str) {
    let (runtime, stack) = (runtime(), stacks::build(stack));
    drive(&runtime, &stack.router, requests(0, 4096));
    let requests = requests(0, 8192);
    let n = requests.len() as f64;
    println!(
        "{:.2}",
        allocs::during(|| drive(&runtime, &stack.router, requests)) as f64 / n
    );
}

/// Prints nanoseconds per request of the bare router, those that the stack adds, and the ratio.
pub fn time(stack: &str) {
    let runtime = runtime();
    let (bare, stacked) = (stacks::build("bare"), stacks::build(stack));
    let chunk = |router: &Router, n: u64| {
        let requests = requests(n * CHUNK, CHUNK);
        let start = Instant::now();
        drive(&runtime, router, requests);
        start.elapsed().as_nanos() as f64 / CHUNK as f64
    };
    let (mut of_bare, mut of_stacked) = (Vec::new(), Vec::new());
    for n in 0..6000 {
        // In the order A B, B A, so that drift of the machine cancels out.
        let (b, s) = if n % 2 == 0 {
            let b = chunk(&bare.router, n);
            (b, chunk(&stacked.router, n))
        } else {
            let s = chunk(&stacked.router, n);
            (chunk(&bare.router, n), s)
        };
        if n >= 500 {
            of_bare.push(b);
            of_stacked.push(s);
        }
    }
    let (b, s) = (median(&mut of_bare), median(&mut of_stacked));
    println!("{b:.0} {:.0} {:.2}", s - b, s / b);
}

/// Prints the ratio of the throughput of two threads to that of one, for the bare router and the stack.
pub fn scale(stack: &str) {
    let (bare, stacked) = (stacks::build("bare"), stacks::build(stack));
    let of = |router: &Router| {
        let (mut one, mut two) = (Vec::new(), Vec::new());
        for _ in 0..60 {
            one.push(window(router, 1));
            two.push(window(router, 2));
        }
        2.0 * median(&mut one) / median(&mut two)
    };
    let (b, s) = (of(&bare.router), of(&stacked.router));
    println!("{b:.2} {s:.2} {:.2}", s / b);
}

/// The seconds that `threads` threads take for some thousand requests each.
fn window(router: &Router, threads: usize) -> f64 {
    let barrier = Barrier::new(threads);
    let run = || {
        let (runtime, router) = (runtime(), router.clone());
        drive(&runtime, &router, requests(0, 256));
        let requests = requests(0, 4096);
        barrier.wait();
        let start = Instant::now();
        drive(&runtime, &router, requests);
        start.elapsed().as_secs_f64()
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("a run"))
            .fold(0.0, f64::max)
    })
}

pub fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
