//! Which statements change rows.

/// Whether a statement of this summary changes rows. After any other, `SQLite` repeats what the statement before had
/// changed.
pub(super) fn changes_rows(summary: &str) -> bool {
    const CHANGES: [&str; 5] = ["INSERT", "UPDATE", "DELETE", "REPLACE", "MERGE"];
    let mut words = summary.split([' ', ';']);
    words.any(|word| CHANGES.iter().any(|it| word.eq_ignore_ascii_case(it)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_that_changes_rows_is_known_by_its_summary() {
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
