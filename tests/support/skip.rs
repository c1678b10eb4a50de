//! Tests that cannot run on every machine.

use std::io::Write;

/// Reports that the test named `test` is skipped. Standard error is written directly, since the test harness captures
/// what `eprintln!` prints; `.ci/run` lists and counts these lines.
pub(crate) fn skip(test: &str, reason: &str) {
    // In one write: standard error has no buffer, and the lines of other tests and threads must not come in between.
    let line = format!("skipped: {test}: {reason}\n");
    let written = std::io::stderr().write_all(line.as_bytes());
    written.expect("standard error is open");
}
