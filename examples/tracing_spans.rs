//! `tracing` spans as traces, across tasks and threads, read back from memory.
//!
//! ```text
//! $ cargo run --example tracing_spans
//! 68696f698df80b1d0ad36cdd19c7284f (head)
//!   pack 6.2ms
//!     - begin to pack
//!     fetch 3.3ms
//!     print_label 2.6ms
//!     check the payment 18.7µs
//!     notify_customer 2.1ms
//!       write a mail 60.3µs
//!         - mail written
//! ..
//! 728b86b5e747b02723fe47a0224edbb3 (error)
//!   send 33.7µs error: no van
//! ```
//!
//! `head` means that the trace was sampled when it began, `error` that it was kept because a span failed.

use std::time::Duration;

use tokio::time::sleep;
use tracing::{Instrument, info, info_span};
use watchpost::Monitor;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // A host that has a `tracing` subscriber adds `.with(monitor.tracing_layer())` to it instead.
    let monitor = Monitor::builder("tracing-spans").console(false).install()?;

    // Outside of a request, the topmost span is the root of a trace.
    for order in [7, 8] {
        pack(order).instrument(info_span!("pack", order)).await;
    }
    // The error becomes the span's status, and the trace is kept at any sampling ratio.
    let failed = monitor.span("send").try_run(async { Err("no van") });
    let _failed: Result<(), &str> = failed.await;

    monitor.flush(Duration::from_secs(1)).await;
    for trace in monitor.recent_traces().iter().rev() {
        println!("{trace}");
    }
    monitor.shutdown(Duration::from_secs(1)).await;
    Ok(())
}

async fn pack(order: u32) {
    info!(order, "begin to pack");
    sleep(Duration::from_millis(2))
        .instrument(info_span!("fetch"))
        .await;

    // A new task has no current span. `watchpost::spawn` and `spawn_blocking` pass the current one on,
    let label = watchpost::spawn(print_label(order));
    let paid = watchpost::spawn_blocking(|| info_span!("check the payment").in_scope(|| true));
    // and `in_current_trace` does so for a future that is spawned in another way.
    let mail = tokio::spawn(watchpost::in_current_trace(notify_customer()));
    let _done = tokio::join!(label, paid, mail);
}

#[tracing::instrument]
async fn print_label(order: u32) {
    sleep(Duration::from_millis(1)).await;
}

#[tracing::instrument]
async fn notify_customer() {
    info_span!("write a mail").in_scope(|| info!("mail written"));
    sleep(Duration::from_millis(1)).await;
}
