//! Child processes that run one test of the same program.

use std::process::{Command, Output};

/// A command that runs the test named `name` (with its modules) and no other.
pub(crate) fn test_command(name: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--nocapture"]);
    command
}

/// The standard output of a child that ran a test. Fails unless exactly one test ran and passed: where no test has the
/// name, the child runs nothing and succeeds.
pub(crate) fn output_of_one_test(child: &Output) -> String {
    let output = String::from_utf8_lossy(&child.stdout).into_owned();
    let errors = String::from_utf8_lossy(&child.stderr);
    assert!(
        child.status.success(),
        "{}\n{output}\n{errors}",
        child.status
    );
    let one_passed = output.contains("test result: ok. 1 passed; 0 failed; 0 ignored;");
    assert!(one_passed, "not exactly one test ran:\n{output}\n{errors}");
    output
}
