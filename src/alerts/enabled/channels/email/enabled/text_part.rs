//! The text part of a mail.

use super::page::{MailPage, MailSection};

/// Writes the text. Lines end with `\r\n`, as they do in mails.
pub(super) fn text_part(page: &MailPage) -> String {
    let mut out = String::new();
    let mut add = |text: &str| {
        out.push_str(text);
        out.push_str("\r\n");
    };
    add(&page.title);
    for section in &page.sections {
        add("");
        for row in rows(section) {
            add(&row);
        }
    }
    if page.more > 0 {
        add("");
        add(&format!("and {} more alerts", page.more));
    }
    add("");
    if let Some(url) = &page.dashboard {
        add(&row("Dashboard", url));
        add("");
    }
    // What follows this line is a signature to most programs, which they show in grey.
    add("-- ");
    add(&format!("{}. {}", page.place, page.why));
    out
}

fn rows(section: &MailSection) -> Vec<String> {
    let mut rows = vec![format!("{}: {}", section.state.word(), section.summary)];
    if !section.verdict.is_empty() {
        rows.push(section.verdict.clone());
    }
    rows.push(String::new());
    for (name, values) in &section.facts {
        for (number, value) in values.iter().enumerate() {
            rows.push(row(if number == 0 { name } else { "" }, value));
        }
    }
    if !section.sparkline.is_empty() {
        rows.push(row("Last half hour", &section.sparkline));
    }
    if let Some(url) = &section.runbook {
        rows.push(row("Runbook", url));
    }
    rows
}

fn row(name: &str, value: &str) -> String {
    format!("{name:<16}{value}")
}
