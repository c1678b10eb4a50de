use super::super::table::documentation;
use super::from_file;

const PAGE: &str = include_str!("../mod.rs");

/// Returns the lines of the page from the first that starts with `start` up to, not including, one with `end`.
fn lines(start: &str, end: &str) -> String {
    let page = PAGE.lines().filter_map(|line| line.strip_prefix("//!"));
    let page = page.map(|line| line.strip_prefix(' ').unwrap_or(line));
    let lines = page.skip_while(|line| !line.starts_with(start));
    lines
        .take_while(|line| !line.starts_with(end))
        .map(|line| format!("{line}\n"))
        .collect()
}

#[test]
fn the_page_shows_the_table() {
    let shown = lines("| key |", "\u{0}");
    let shown: String = shown
        .lines()
        .take_while(|line| line.starts_with('|'))
        .map(|line| format!("{line}\n"))
        .collect();
    let table = documentation();
    assert!(
        shown == table,
        "src/config/mod.rs must show this table:\n{}",
        commented(&table)
    );
}

fn commented(table: &str) -> String {
    table.lines().map(|line| format!("//! {line}\n")).collect()
}

#[test]
fn the_example_file_is_a_good_one() {
    let block = lines("```toml", "\u{0}");
    let file: String = block
        .lines()
        .skip(1)
        .take_while(|line| *line != "```")
        .map(|line| format!("{line}\n"))
        .collect();
    let resolved = from_file(&file).unwrap();
    assert_eq!(resolved.warnings, Vec::<String>::new());
    assert_eq!(
        resolved.settings.value("service.name"),
        Some("\"contentmax\"")
    );
}
