//! Tests that cannot run on every machine.

use std::io::Write;

/// Reports that the test named `test` is skipped. Standard error is written directly, since the test harness captures
/// what `eprintln!` prints; `.ci/run` lists and counts these lines.
pub(crate) fn skip(test: &str, reason: &str) {
    writeln!(std::io::stderr(), "skipped: {test}: {reason}").expect("standard error is open");
}
