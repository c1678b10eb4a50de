//! Finds the known name that is nearest to an unknown one.

/// The maximum number of characters of a name that are compared.
const MAX_COMPARED: usize = 64;

/// Returns the candidate with the smallest edit distance to `name`. Case is ignored, and `-` equals `_`.
pub(super) fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> &'a str {
    let name = plain(name);
    candidates
        .into_iter()
        .min_by_key(|candidate| distance(&name, &plain(candidate)))
        .unwrap_or_default()
}

/// Returns the [`nearest`] candidate, if it takes fewer edits than half the length of `name`.
pub(crate) fn suggest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let near = nearest(name, candidates);
    let edits = distance(&plain(name), &plain(near));
    (!near.is_empty() && 2 * edits < plain(name).len()).then_some(near)
}

/// Returns the nearest of dotted keys. A key whose last part equals the last part of `key` counts as near.
pub(super) fn nearest_key<'a>(
    key: &str,
    candidates: impl IntoIterator<Item = &'a str> + Clone,
) -> &'a str {
    // `key` may be the name of a table: the first key in it.
    let inside = |candidate: &&str| {
        let rest = candidate.strip_prefix(key);
        !key.is_empty() && rest.is_some_and(|rest| rest.starts_with('.'))
    };
    if let Some(first) = candidates.clone().into_iter().find(inside) {
        return first;
    }
    let last = |key: &str| plain(key.rsplit('.').next().unwrap_or(key));
    let wanted = last(key);
    let is_near = candidates.clone().into_iter().any(|candidate| {
        candidate.len() > key.len() / 2 && { distance(&plain(key), &plain(candidate)) <= 2 }
    });
    if !is_near {
        let same_end = candidates
            .clone()
            .into_iter()
            .filter(|candidate| last(candidate) == wanted);
        let near = nearest(key, same_end);
        if !near.is_empty() {
            return near;
        }
    }
    nearest(key, candidates)
}

fn plain(name: &str) -> Vec<char> {
    name.chars()
        .take(MAX_COMPARED)
        .map(|c| {
            if c == '-' {
                '_'
            } else {
                c.to_ascii_lowercase()
            }
        })
        .collect()
}

/// Returns the Levenshtein distance, computed one row at a time.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.iter().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, to) in row.iter_mut().skip(1).zip(b) {
            let changed = diagonal + usize::from(from != to);
            diagonal = *cell;
            left = changed.min(diagonal + 1).min(left + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(a: &str, b: &str) -> usize {
        distance(&plain(a), &plain(b))
    }

    #[test]
    fn the_distance_counts_edits() {
        for (a, b, edits) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("kitten", "sitting", 3),
            ("flaw", "lawn", 2),
            ("log-level", "LOG_LEVEL", 0),
        ] {
            assert_eq!(steps(a, b), edits, "{a} {b}");
        }
    }

    #[test]
    fn a_distant_name_is_not_suggested() {
        let names = ["http.server.request.duration", "my.h", "my_h_seconds"];
        assert_eq!(
            suggest("http.server.request.duratoin", names),
            Some(names[0])
        );
        assert_eq!(suggest("my_h", names), Some("my.h"));
        assert_eq!(suggest("my_h_second", names), Some("my_h_seconds"));
        assert_eq!(suggest("orders", names), None);
        assert_eq!(suggest("", names), None);
        assert_eq!(suggest("orders", []), None);
    }

    #[test]
    fn the_end_of_a_key_finds_it() {
        let keys = ["log.level", "data_dir", "health.timeout", "log.slow"];
        assert_eq!(nearest_key("level", keys), "log.level");
        assert_eq!(nearest_key("logs.slow", keys), "log.slow");
        assert_eq!(nearest_key("datadir", keys), "data_dir");
        assert_eq!(nearest_key("helth.timeot", keys), "health.timeout");
    }
}
