//! Finds the known name that is nearest to an unknown one.

/// The maximum number of characters of a name that are compared.
const MAX_COMPARED: usize = 64;

/// Returns the candidate with the smallest edit distance to `name`, if it takes fewer edits than half the length of
/// `name`. Case is ignored, and `-` equals `_`.
pub(crate) fn suggest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let name = plain(name);
    let (edits, near) = nearest(&name, candidates)?;
    (2 * edits < name.len()).then_some(near)
}

/// Returns the dotted key that `key` probably means: the first key of the table `key`, else the key that takes at most
/// two edits, else one with the same last part, else what [`suggest`] returns.
pub(super) fn suggest_key<'a>(
    key: &str,
    candidates: impl IntoIterator<Item = &'a str> + Clone,
) -> Option<&'a str> {
    let inside = |candidate: &&str| {
        let rest = candidate.strip_prefix(key);
        !key.is_empty() && rest.is_some_and(|rest| rest.starts_with('.'))
    };
    if let Some(first) = candidates.clone().into_iter().find(inside) {
        return Some(first);
    }
    let name = plain(key);
    let close = nearest(&name, candidates.clone())
        .filter(|(edits, _)| *edits <= 2 && 2 * edits < name.len());
    if let Some((_, near)) = close {
        return Some(near);
    }
    let last = |key: &str| plain(key.rsplit('.').next().unwrap_or(key));
    let wanted = last(key);
    let same_end = candidates
        .clone()
        .into_iter()
        .filter(|candidate| last(candidate) == wanted);
    match nearest(&name, same_end) {
        Some((_, near)) => Some(near),
        None => suggest(key, candidates),
    }
}

/// Returns the nearest candidate with the number of edits that it takes.
fn nearest<'a>(
    name: &[char],
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<(usize, &'a str)> {
    candidates
        .into_iter()
        .map(|candidate| (distance(name, &plain(candidate)), candidate))
        .min_by_key(|(edits, _)| *edits)
}

/// Returns the characters that are compared. The distance takes the product of two lengths, so they are bounded.
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
    // `row[j]` is the distance between the characters of `a` so far and the first `j` of `b`.
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
        for (key, near) in [
            ("level", Some("log.level")),
            ("logs.slow", Some("log.slow")),
            ("datadir", Some("data_dir")),
            ("helth.timeot", Some("health.timeout")),
            ("log", Some("log.level")),
            ("server.timeout", Some("health.timeout")),
            ("nonsense", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(suggest_key(key, keys), near, "{key}");
        }
    }
}
