//! The state as text, for terminals.

use std::fmt::Write;

use super::cards::state_of;
use super::figures::CardSeverity;
use super::live_state::LiveState;
use super::setup::DashboardSetup;

/// The maximum length of a text in a line, in characters.
const MAX_TEXT: usize = 160;

/// Writes the page. All texts from outside lose their control characters, which a terminal could obey.
pub(super) fn write(setup: &DashboardSetup, state: &LiveState) -> String {
    let mut page = String::with_capacity(1024);
    let figures = &state.figures;
    let verdict = &figures.verdict;
    let version = setup.version.as_deref().unwrap_or("-");
    let environment = setup.environment.as_deref().unwrap_or("-");
    put(
        &mut page,
        "service",
        &format!("{} {version} {environment}", setup.service),
    );
    put(&mut page, "state", verdict.word());
    for reason in &verdict.reasons {
        let line = format!("{}: {}", reason.name, reason.text);
        put(&mut page, reason.state.as_str(), &line);
    }
    if let Some(failing) = &verdict.failing_route {
        let method = failing.method.as_deref().unwrap_or("");
        let share = failing.share * 100.0;
        let line = format!(
            "{method} {} with {share:.0} % of all failures",
            failing.route
        );
        put(&mut page, "where", line.trim());
    }
    let signals = &figures.signals;
    let ms = |seconds: Option<f64>| number(seconds.map(|it| it * 1e3), "ms");
    let percent = |share: Option<f64>| number(share.map(|it| it * 100.0), "%");
    put(&mut page, "requests", &number(signals.requests, "/s"));
    let times = [signals.p50, signals.p95, signals.p99].map(ms);
    let [p50, p95, p99] = &times;
    put(
        &mut page,
        "response time",
        &format!("p50 {p50}  p95 {p95}  p99 {p99}"),
    );
    put(&mut page, "errors", &percent(signals.error_rate));
    put(&mut page, "in flight", &figures.in_flight.to_string());
    put(&mut page, "users", &number(signals.users, "in 5 min"));
    put(&mut page, "cpu", &percent(signals.cpu));
    put(&mut page, "memory", &percent(signals.memory));
    if let Some(used) = signals.connections {
        let max = number(signals.max_connections, "");
        put(
            &mut page,
            "connections",
            &format!("{used} of {}", max.trim()),
        );
    }
    for check in &figures.checks {
        let state = state_of(check).map_or("not run yet", CardSeverity::as_str);
        put(
            &mut page,
            "check",
            &format!("{} {state} {}", check.name, check.output),
        );
    }
    for service in &figures.services {
        let rate = number(service.rate, "/s");
        let line = format!("{} {} {rate} {}", service.name, service.word, service.text);
        put(&mut page, service.kind, line.trim_end());
    }
    for error in &figures.errors {
        put(&mut page, "error", error);
    }
    page
}

fn put(page: &mut String, name: &str, text: &str) {
    let is_safe = |char: &char| {
        !char.is_control()
            && !matches!(
                char,
                '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            )
    };
    let text: String = text.chars().filter(is_safe).take(MAX_TEXT).collect();
    // A `String` takes everything.
    let _written = writeln!(page, "{name:<14} {}", text.trim_end());
}

fn number(value: Option<f64>, unit: &str) -> String {
    match value {
        None => "-".to_owned(),
        Some(value) if value.abs() >= 100.0 => format!("{value:.0} {unit}"),
        Some(value) => format!("{value:.2} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_receives_no_control_characters() {
        let mut page = String::new();
        put(&mut page, "error", "a\u{1b}[2Jb\r\nc\u{202e}d\u{9b}e");
        assert_eq!(page, "error          a[2Jbcde\n");
        put(&mut page, "error", &"x".repeat(10_000));
        assert!(page.len() < 300);
    }
}
