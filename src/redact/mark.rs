//! The text that replaces a secret.

/// Replaces a secret in a text, and a secret value.
pub(crate) const FILTERED: &str = "[Filtered]";
/// Replaces a secret inside a URL or a query.
pub(crate) const REDACTED: &str = "REDACTED";

/// Counts the bytes that are read in addition to the one pass.
#[cfg(test)]
pub(super) fn count_visited(bytes: usize) {
    VISITED.with(|visited| visited.set(visited.get() + bytes));
}

#[cfg(not(test))]
#[inline]
pub(super) const fn count_visited(_: usize) {}

#[cfg(test)]
thread_local! {
    pub(super) static VISITED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}
