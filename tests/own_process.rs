//! Tests that take or ask what a process has once: globals, its size, its filters.

use std::process::Command;

/// Runs a test again in a child, and prints the lines of its figures, from one of `figures` on.
pub(crate) fn in_a_process_of_its_own(name: &str, figures: &[&str], test: impl FnOnce()) {
    const CHILD: &str = "WATCHPOST_TEST_CHILD";
    if std::env::var_os(CHILD).is_some() {
        return test();
    }
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(CHILD, "")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    let errors = String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success(), "{said}\n{errors}");
    for line in said.lines() {
        // The test's own name may stand before it.
        if let Some(at) = figures.iter().find_map(|figure| line.find(figure)) {
            println!("{}", &line[at..]);
        }
    }
}
