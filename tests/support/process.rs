//! Tests in a child process: they set or measure what a process has once, such as globals and memory.

use crate::child::{output_of_one_test, test_command};

/// Runs `test` in a child process, where it is the test named `name` (with its modules), and prints those of its lines
/// that contain one of `figures`, from there on.
pub(crate) fn in_child_process(name: &str, figures: &[&str], test: impl FnOnce()) {
    const CHILD: &str = "WATCHPOST_TEST_CHILD";
    if std::env::var_os(CHILD).is_some() {
        return test();
    }
    let child = test_command(name).env(CHILD, "").output().unwrap();
    for line in output_of_one_test(&child).lines() {
        // The test's own name may come before the figure.
        if let Some(at) = figures.iter().find_map(|figure| line.find(figure)) {
            println!("{}", &line[at..]);
        }
    }
}
