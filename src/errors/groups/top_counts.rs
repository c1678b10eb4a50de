/// The names that are listed of one kind.
const MAX_NAMES: usize = 10;
/// The maximum number of bytes of a name.
const MAX_NAME: usize = 256;

/// The names in which the events of a group occurred, such as routes, with their counts: at most ten, and the rest
/// together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TopCounts {
    /// The names with their counts, the largest first. If there were more than ten names, a count may lack the events from
    /// before the name was listed; these are in `other`.
    pub names: Vec<(String, u64)>,
    /// The events with other names.
    pub other: u64,
}

impl TopCounts {
    /// Counts events of a name. If the list is full, the name takes the place of the one with the fewest events.
    pub(super) fn add(&mut self, name: &str, events: u64) {
        let name = crate::model::prefix(name, MAX_NAME);
        if let Some((_, count)) = self.names.iter_mut().find(|(have, _)| have == name) {
            *count = count.saturating_add(events);
            return;
        }
        if self.names.len() >= MAX_NAMES {
            let least = self.names.iter().enumerate().min_by_key(|(_, it)| it.1);
            if let Some((at, _)) = least {
                let (_, count) = self.names.swap_remove(at);
                self.other = self.other.saturating_add(count);
            }
        }
        self.names.push((name.to_owned(), events));
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (name, count) in &other.names {
            self.add(name, *count);
        }
        self.other = self.other.saturating_add(other.other);
    }

    /// A copy with the largest counts first.
    pub(super) fn sorted(&self) -> Self {
        let mut sorted = self.clone();
        let by_count = |(name, count): &(String, u64)| (std::cmp::Reverse(*count), name.clone());
        sorted.names.sort_by_cached_key(by_count);
        sorted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequent_names_stay_and_the_total_is_exact() {
        let mut counts = TopCounts::default();
        for n in 0..1000_u64 {
            counts.add("/often", 1);
            counts.add(&format!("/once/{n}"), 1);
        }
        let sorted = counts.sorted();
        assert_eq!(sorted.names.len(), MAX_NAMES);
        assert_eq!(sorted.names[0], ("/often".to_owned(), 1000));
        let listed: u64 = sorted.names.iter().map(|(_, count)| count).sum();
        assert_eq!(listed + sorted.other, 2000);
        let mut both = counts.clone();
        both.merge(&counts);
        let listed: u64 = both.names.iter().map(|(_, count)| count).sum();
        assert_eq!(listed + both.other, 4000);
        let long = "x".repeat(1000);
        counts.add(&long, 1);
        assert!(counts.names.iter().all(|(name, _)| name.len() <= MAX_NAME));
    }
}
