//! Recognizes statements that change rows.

/// Whether a statement with this summary changes rows. After any other statement, `SQLite` reports the number of the
/// last change again.
pub(super) fn changes_rows(summary: &str) -> bool {
    const CHANGES: [&str; 5] = ["INSERT", "UPDATE", "DELETE", "REPLACE", "MERGE"];
    let mut words = summary.split([' ', ';']);
    words.any(|word| CHANGES.iter().any(|it| word.eq_ignore_ascii_case(it)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries_show_which_statements_change_rows() {
        for summary in [
            "INSERT orders",
            "UPDATE orders SELECT items",
            "SELECT old DELETE orders",
            "REPLACE orders",
            "MERGE orders",
        ] {
            assert!(changes_rows(summary), "{summary}");
        }
        for summary in [
            "",
            "SELECT updates",
            "CREATE TABLE orders",
            "_other",
            "BEGIN",
        ] {
            assert!(!changes_rows(summary), "{summary}");
        }
    }
}
