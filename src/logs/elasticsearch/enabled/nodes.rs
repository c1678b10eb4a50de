use std::time::Duration;

use crate::clock::{Nanos, nanos};
use crate::worker::back_off;

/// The nodes of a server, in the order of the settings.
#[derive(Debug)]
pub(super) struct ServerNodes {
    nodes: Vec<ServerNode>,
}

#[derive(Debug)]
struct ServerNode {
    /// The URL without a slash at its end.
    url: String,
    /// Failures in a row.
    failures: u32,
    not_before: Nanos,
}

impl ServerNodes {
    pub(super) fn new(urls: &[String]) -> Self {
        let node = |url: &String| ServerNode {
            url: url.trim_end_matches('/').to_owned(),
            failures: 0,
            not_before: 0,
        };
        Self {
            nodes: urls.iter().map(node).collect(),
        }
    }

    /// The first node that may be asked now. A node that works again is used again once its wait is over.
    pub(super) fn pick(&self, now: Nanos) -> Option<usize> {
        self.nodes.iter().position(|it| it.not_before <= now)
    }

    pub(super) fn url(&self, node: usize) -> &str {
        self.nodes.get(node).map_or("", |it| &it.url)
    }

    pub(super) fn note_success(&mut self, node: usize) {
        if let Some(node) = self.nodes.get_mut(node) {
            node.failures = 0;
            node.not_before = 0;
        }
    }

    /// Lets a node wait, at least for as long as it asks.
    pub(super) fn note_failure(&mut self, node: usize, now: Nanos, asked: Option<Duration>) {
        if let Some(node) = self.nodes.get_mut(node) {
            node.failures = node.failures.saturating_add(1);
            let wait = back_off(node.failures).max(asked.unwrap_or_default());
            node.not_before = now.saturating_add(nanos(wait));
        }
    }

    /// Ends all waits, for a last attempt.
    pub(super) fn end_waits(&mut self) {
        for node in &mut self.nodes {
            node.not_before = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Nanos = 1_000_000_000;

    #[test]
    fn the_next_node_is_used_until_the_first_one_is_due_again() {
        let urls = ["http://a/", "http://b/es/"].map(str::to_owned);
        let mut nodes = ServerNodes::new(&urls);
        assert_eq!(
            (nodes.url(0), nodes.url(1), nodes.url(2)),
            ("http://a", "http://b/es", "")
        );
        assert_eq!(nodes.pick(0), Some(0));
        nodes.note_failure(0, 0, Some(Duration::from_secs(5)));
        assert_eq!(nodes.pick(0), Some(1));
        nodes.note_failure(1, 0, Some(Duration::from_secs(9)));
        assert_eq!(nodes.pick(0), None);
        assert_eq!(nodes.pick(5 * SECOND), Some(0));
        nodes.note_failure(0, 5 * SECOND, None);
        assert_eq!(nodes.pick(9 * SECOND), Some(0), "a bound of 2 s");
        nodes.note_failure(0, 9 * SECOND, Some(Duration::from_secs(60)));
        assert_eq!(nodes.pick(9 * SECOND), Some(1));
        nodes.end_waits();
        assert_eq!(nodes.pick(0), Some(0));
        nodes.note_failure(0, 0, None);
        nodes.note_success(0);
        assert_eq!(nodes.pick(0), Some(0));
    }
}
