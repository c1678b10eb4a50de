//! `tracing` spans in traces, also where their work goes on in other tasks, and the kept traces in memory.
//!
//! `cargo run --example tracing_spans` works for a moment and prints its traces as trees.

use std::time::Duration;

use tokio::time::sleep;
use tracing::{Instrument, info, info_span};
use watchpost::trace::{KeptTrace, Span};
use watchpost::{Monitor, SpanId};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // A host with a `tracing` subscriber of its own adds `.with(monitor.tracing_layer())` to that one.
    let monitor = Monitor::builder("tracing-spans").console(false).install()?;

    // Where there is no request, the topmost span is the root of a trace.
    for order in [7, 8] {
        pack(order).instrument(info_span!("pack", order)).await;
    }
    // Why it failed is on its span, and its trace is kept at any ratio.
    let failed = monitor.trace("send").try_run(async { Err("no van") });
    let _told: Result<(), &str> = failed.await;

    monitor.flush(Duration::from_secs(1)).await;
    for trace in monitor.recent_traces().iter().rev() {
        println!("{} ({})", trace.trace_id, trace.kept);
        for root in trace.spans.iter().filter(|span| span.is_root) {
            print(trace, root, 1);
        }
    }
    monitor.shutdown(Duration::from_secs(1)).await;
    Ok(())
}

async fn pack(order: u32) {
    info!(order, "an event of the span that is current");
    sleep(Duration::from_millis(2))
        .instrument(info_span!("fetch"))
        .await;

    // A task has no current span of its own: `watchpost::spawn` takes the trace along.
    let label = watchpost::spawn(print_label(order));
    let paid = watchpost::spawn_blocking(|| info_span!("check the payment").in_scope(|| true));
    // So does `in_current_trace`, for whatever runs a future elsewhere.
    let mail = tokio::spawn(watchpost::in_current_trace(tell_the_customer()));
    let _done = tokio::join!(label, paid, mail);
}

#[tracing::instrument]
async fn print_label(order: u32) {
    sleep(Duration::from_millis(1)).await;
}

#[tracing::instrument]
async fn tell_the_customer() {
    info_span!("write a mail").in_scope(|| info!("a mail is written"));
    sleep(Duration::from_millis(1)).await;
}

fn print(trace: &KeptTrace, span: &Span, depth: usize) {
    let (name, took, indent) = (&span.name, span.duration, depth * 2);
    println!("{:indent$}{name} {took:.1?} {}", "", span.status_message);
    for event in &span.events {
        println!("{:indent$}  - {}", "", event.name);
    }
    let is_child = |child: &&Span| child.parent_span_id == span.span_id && !child.is_root;
    if span.span_id != SpanId::NIL {
        for child in trace.spans.iter().filter(is_child) {
            print(trace, child, depth + 1);
        }
    }
}
