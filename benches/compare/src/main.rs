//! Measures what the endpoint layer adds to a request, compared with the bare router in the same process.
//!
//! `compare count STACK N` runs N requests for callgrind, which counts only what runs in [`measured`]; `compare count
//! events N` emits N `tracing` events instead. `compare allocs STACK` counts allocations, `compare time STACK` alternates
//! the bare router and the stack in small chunks, `compare scale STACK` compares two threads with one, and `compare page`
//! prints the metrics page after the requests of [`app::mixed`]. `op`, `op-allocs` and `op-time` do the same for single
//! operations. The script `run` calls all of them and prints the table.

mod allocs;
mod app;
mod facade;
mod ops;
mod outgoing;
mod stacks;
mod work;

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["list"] => stacks::STACKS
            .iter()
            .for_each(|(name, _)| println!("{name}")),
        ["ops"] => ops::OPS.iter().for_each(|(name, _)| println!("{name}")),
        ["count", "events", n] => ops::events(work::number(n)),
        ["count", stack, n] => work::count(stack, work::number(n)),
        ["op", name, n] => ops::count(name, work::number(n)),
        ["op-allocs", name] => ops::allocs(name),
        ["op-time", name] => ops::time(name),
        ["allocs", stack] => work::allocs(stack),
        ["time", stack] => work::time(stack),
        ["scale", stack] => work::scale(stack),
        ["page"] => print!("{}", stacks::page()),
        _ => {
            eprintln!(
                "usage: compare list | ops | count STACK N | op NAME N | op-allocs NAME | op-time NAME | allocs STACK | time STACK | scale STACK | page"
            );
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

/// The region that callgrind counts.
#[inline(never)]
pub fn measured(work: impl FnOnce()) {
    work();
    std::hint::black_box(());
}
