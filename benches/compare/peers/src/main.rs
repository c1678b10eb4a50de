//! Stacks assembled from other crates, in the same application and measured in the same way: `peers count STACK N`, `peers
//! allocs STACK`, `peers time STACK`; single operations with `peers op NAME N` and `peers op-time NAME`; the metrics page
//! with `peers page`.

#[path = "../../src/allocs.rs"]
mod allocs;
#[path = "../../src/app.rs"]
mod app;
#[path = "../../src/facade.rs"]
mod facade;
mod ops;
#[path = "../../src/outgoing.rs"]
mod outgoing;
mod sinks;
mod stacks;
#[path = "../../src/work.rs"]
mod work;

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["list"] => stacks::STACKS
            .iter()
            .for_each(|(name, _)| println!("{name}")),
        ["count", "events", n] => stacks::events(work::number(n)),
        ["count", stack, n] => work::count(stack, work::number(n)),
        ["op", name, n] => ops::count(name, work::number(n)),
        ["op-time", name] => ops::time(name),
        ["allocs", stack] => work::allocs(stack),
        ["time", stack] => work::time(stack),
        ["scale", stack] => work::scale(stack),
        ["page"] => print!("{}", stacks::page()),
        _ => {
            eprintln!(
                "usage: peers list | count STACK N | op NAME N | op-time NAME | allocs STACK | time STACK | scale STACK | page"
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
