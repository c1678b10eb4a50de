//! What differs between some traces and all: attributes, ranked by how much more frequent they are in the selected ones.

use rustc_hash::FxHashMap;

/// The maximum number of different attributes that are counted. Further ones are left out.
const MAX_PAIRS: usize = 20_000;
/// Longer values are left out, since they are hardly ever equal.
const MAX_VALUE: usize = 120;
/// The maximum number of rows.
pub(super) const MAX_ROWS: usize = 12;
/// An attribute of fewer selected traces is chance.
const MIN_COUNT: usize = 2;
/// The smallest difference of the shares that is shown.
const MIN_LIFT: f64 = 0.05;

/// The attributes of a trace: keys, and values as text.
pub(super) type TraceAttributes = Vec<(String, String)>;

/// An attribute that is more frequent in the selected traces than in all.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Difference {
    pub(super) key: String,
    pub(super) value: String,
    /// How many of the selected traces have it.
    pub(super) selected: usize,
    /// How many of all traces have it, the selected ones among them.
    pub(super) all: usize,
    pub(super) share_selected: f64,
    pub(super) share_all: f64,
}

/// Ranks the attributes by their share in the selected traces less their share in all traces. `traces` are all of them,
/// each with whether it is selected. An attribute that a trace has twice counts once.
///
/// Memory and time are bounded by the number of the attributes; a value that differs in each trace costs one entry each, up
/// to a limit.
pub(super) fn rank(traces: impl IntoIterator<Item = (bool, TraceAttributes)>) -> Vec<Difference> {
    let mut counts: FxHashMap<(String, String), (usize, usize)> = FxHashMap::default();
    let (mut selected, mut all) = (0, 0);
    for (is_selected, mut attributes) in traces {
        all += 1;
        selected += usize::from(is_selected);
        attributes.sort_unstable();
        attributes.dedup();
        for pair in attributes {
            if pair.1.len() > MAX_VALUE {
                continue;
            }
            let is_full = counts.len() >= MAX_PAIRS;
            match counts.get_mut(&pair) {
                Some((of_selected, of_all)) => {
                    *of_selected += usize::from(is_selected);
                    *of_all += 1;
                }
                None if is_full => {}
                None => {
                    counts.insert(pair, (usize::from(is_selected), 1));
                }
            }
        }
    }
    if selected == 0 || selected == all {
        return Vec::new();
    }
    let share = |part: usize, of: usize| part as f64 / of as f64;
    let mut found: Vec<Difference> = counts
        .into_iter()
        .map(|((key, value), (of_selected, of_all))| Difference {
            key,
            value,
            selected: of_selected,
            all: of_all,
            share_selected: share(of_selected, selected),
            share_all: share(of_all, all),
        })
        .filter(|it| it.selected >= MIN_COUNT && it.lift() >= MIN_LIFT)
        .collect();
    found.sort_by(|a, b| {
        let by_lift = b.lift().total_cmp(&a.lift());
        by_lift.then_with(|| (&a.key, &a.value).cmp(&(&b.key, &b.value)))
    });
    found.truncate(MAX_ROWS);
    found
}

impl Difference {
    fn lift(&self) -> f64 {
        self.share_selected - self.share_all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attributes(all: &[(&str, &str)]) -> TraceAttributes {
        let all = all.iter();
        all.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn rows(found: &[Difference]) -> Vec<(&str, &str, usize, usize)> {
        let rows = found.iter();
        rows.map(|it| (it.key.as_str(), it.value.as_str(), it.selected, it.all))
            .collect()
    }

    #[test]
    fn an_attribute_of_the_selected_ones_alone_comes_first() {
        // 10 of 100 failed: all on one shard, half of them of one tenant that also has 5 of the others.
        let traces = (0..100).map(|n| {
            let has_failed = n < 10;
            let shard = if has_failed { "shard-7" } else { "shard-1" };
            let tenant = if n < 5 || (50..55).contains(&n) {
                "acme"
            } else {
                "other"
            };
            (
                has_failed,
                attributes(&[("db.shard", shard), ("tenant", tenant)]),
            )
        });
        let found = rank(traces);
        assert_eq!(
            rows(&found),
            [("db.shard", "shard-7", 10, 10), ("tenant", "acme", 5, 10)]
        );
        assert!((found[0].share_selected - 1.0).abs() < 1e-9);
        assert!((found[0].share_all - 0.1).abs() < 1e-9);
    }

    #[test]
    fn an_attribute_that_all_have_does_not_differ() {
        let traces = (0..100).map(|n| (n < 50, attributes(&[("service.version", "1.4.3")])));
        assert_eq!(rank(traces), []);
    }

    #[test]
    fn an_attribute_that_differs_in_each_trace_does_not_appear() {
        let traces = (0..1000).map(|n: i32| {
            let id = n.to_string();
            (n % 10 == 0, attributes(&[("order.id", id.as_str())]))
        });
        assert_eq!(rank(traces), []);
    }

    #[test]
    fn an_attribute_that_the_selected_ones_lack_is_no_row_but_its_opposite_is() {
        let traces = (0..100).map(|n| {
            let cache = if n < 20 { "miss" } else { "hit" };
            (n < 20, attributes(&[("cache", cache)]))
        });
        assert_eq!(rows(&rank(traces)), [("cache", "miss", 20, 20)]);
    }

    #[test]
    fn nothing_selected_and_everything_selected_give_no_rows() {
        let with = |selected: bool| (0..10).map(move |_| (selected, attributes(&[("a", "b")])));
        assert_eq!(rank(with(true)), []);
        assert_eq!(rank(with(false)), []);
        assert_eq!(rank([]), []);
    }

    #[test]
    fn an_attribute_counts_once_in_a_trace_and_a_long_value_not_at_all() {
        let long = "x".repeat(MAX_VALUE + 1);
        let traces = (0..10).map(|n| {
            let twice = attributes(&[("shard", "7"), ("shard", "7"), ("text", &long)]);
            (
                n < 3,
                if n < 3 {
                    twice
                } else {
                    attributes(&[("text", &long)])
                },
            )
        });
        assert_eq!(rows(&rank(traces)), [("shard", "7", 3, 3)]);
    }

    #[test]
    fn the_number_of_different_attributes_is_bounded() {
        let traces = (0..30_000).map(|n: i32| {
            let id = n.to_string();
            (
                n < 100,
                attributes(&[
                    ("shard", if n < 100 { "7" } else { "1" }),
                    ("id", id.as_str()),
                ]),
            )
        });
        assert_eq!(rows(&rank(traces)), [("shard", "7", 100, 100)]);
    }
}
