use super::super::table::{FILE_VARIABLE, documentation, own_variable, position};
use super::{from_environment, from_file};

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

/// Returns the lines of the page's first block of code in this language.
fn block(language: &str) -> String {
    let block = lines(&format!("```{language}"), "\u{0}");
    let inside = block.lines().skip(1).take_while(|line| *line != "```");
    inside.map(|line| format!("{line}\n")).collect()
}

#[test]
fn the_example_file_is_a_good_one() {
    let resolved = from_file(block("toml")).unwrap();
    assert_eq!(resolved.warnings, Vec::<String>::new());
    for (key, value) in [
        ("service.name", "\"contentmax\""),
        ("trace.sampler_arg", "0.1"),
        ("otlp.endpoint", "\"http://collector:4318/\""),
    ] {
        assert_eq!(resolved.settings.value(key), Some(value));
    }
}

#[test]
fn the_example_environment_is_a_good_one() {
    let block = block("sh");
    let variables = block.lines().map(|line| {
        let (name, value) = line.split_once('=').unwrap();
        (name, value.trim_matches('"'))
    });
    // The file that it names is read on another machine.
    let variables: Vec<_> = variables
        .filter(|(name, _)| *name != FILE_VARIABLE)
        .collect();
    let resolved = from_environment(&variables).unwrap();
    assert_eq!(resolved.warnings, Vec::<String>::new());
    let by_environment = resolved.settings.keys().filter(|key| {
        let origin = resolved.settings.origin(key).unwrap();
        origin.starts_with("variable ")
    });
    // One list of attributes gives two settings.
    assert_eq!(by_environment.count(), variables.len() + 1);
}

/// Each method of the builder that sets a single setting names its key and its variable.
#[test]
fn the_methods_of_the_builder_name_their_settings() {
    let source = include_str!("../../monitor/builder/mod.rs");
    let mut named = None;
    let mut count = 0;
    for line in source.lines().map(str::trim) {
        if let Some(names) = line.strip_prefix("/// Setting: ") {
            let (key, variable) = names.split_once("; variable: ").unwrap();
            let key = key.trim_matches('`');
            assert!(position(key).is_some(), "{line}");
            assert_eq!(variable, format!("`{}`.", own_variable(key)));
            named = Some(key);
            count += 1;
        } else if line.starts_with("self.set(\"") && line.contains("&[\"") {
            // A call that states its key sets the one that the documentation names.
            let key = named.unwrap();
            assert!(line.contains(&format!("&[\"{key}\"]")), "{line} {key}");
        } else if line.starts_with("pub fn ") {
            let undocumented = [
                "env",
                "file",
                "logs",
                "http",
                "errors",
                "trace",
                "otlp",
                "elasticsearch",
                "metrics",
                "health",
                "history",
                "anomaly",
                "dashboard",
                "alerts",
                "worker",
                "console_to",
                "before_send",
                "trace_rule",
                "install_global",
                "build",
                "install",
                "builder",
            ];
            let name = line
                .trim_start_matches("pub fn ")
                .split(['(', '<'])
                .next()
                .unwrap();
            assert!(named.is_some() || undocumented.contains(&name), "{name}");
        } else if line == "}" {
            named = None;
        }
    }
    assert!(count > 30, "{count}");
}
