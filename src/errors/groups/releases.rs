/// The releases that are remembered.
const MAX_RELEASES: usize = 50;
/// The maximum number of bytes of a release's name.
const MAX_NAME: usize = 255;

/// The releases of the service that ran with this data directory, in the order of their first start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Releases(Vec<String>);

impl Releases {
    /// Adds the release that runs. Returns whether it is new after others.
    pub(super) fn begin(&mut self, release: &str) -> bool {
        let release = crate::model::prefix(release, MAX_NAME);
        if self.0.iter().any(|have| have == release) {
            return false;
        }
        if self.0.len() >= MAX_RELEASES {
            self.0.remove(0);
        }
        self.0.push(release.to_owned());
        self.0.len() > 1
    }

    /// Whether a release first started after another one. One that is not in the list did.
    pub(super) fn is_after(&self, release: &str, other: &str) -> bool {
        let place = |of: &str| self.0.iter().position(|have| have == of);
        match (place(release), place(other)) {
            (Some(release), Some(other)) => release > other,
            // If the other one has left the list, it is older.
            (None, _) | (Some(_), None) => true,
        }
    }

    pub(super) fn names(&self) -> &[String] {
        &self.0
    }

    /// Puts the releases of earlier processes before those of this one.
    pub(super) fn restore(&mut self, earlier: Vec<String>) -> bool {
        let own = std::mem::replace(&mut self.0, earlier);
        self.0.truncate(MAX_RELEASES);
        let mut is_new = false;
        for release in &own {
            is_new |= self.begin(release);
        }
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_ordered_by_their_first_start() {
        let mut releases = Releases::default();
        assert!(!releases.begin("2"));
        assert!(releases.restore(vec!["0".to_owned(), "1".to_owned()]));
        assert_eq!(releases.names(), ["0", "1", "2"]);
        assert!(!releases.begin("0"), "a rollback");
        assert!(releases.is_after("2", "1") && !releases.is_after("0", "1"));
        for n in 0..100 {
            releases.begin(&format!("b{n}"));
        }
        assert_eq!(releases.names().len(), MAX_RELEASES);
        assert!(releases.is_after("b99", "2"));
    }
}
