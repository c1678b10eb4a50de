//! The HTML part of a mail: one column of up to 600 pixels, in the colours of the dashboard, without pictures or scripts.
//!
//! Programs for mails know little of CSS. What the look needs is in attributes, and the style sheet adds the dark colours where it
//! is read.

use super::page::{MailPage, MailSection, MailState};

const HEAD: &str = include_str!("head.html");
const SANS: &str =
    "font-family:-apple-system,'Segoe UI',Roboto,'Noto Sans','Liberation Sans',Arial,sans-serif";

/// Writes the page. Every text is escaped.
pub(super) fn html_part(page: &MailPage) -> String {
    let mut out = HEAD.replace("{title}", &escaped(&page.title));
    let state = page.state;
    out.push_str(&format!(
        "<body class=\"bg\" style=\"margin:0;padding:0;background:#f4f4f0;{SANS}\">\n\
         <div style=\"display:none;max-height:0;overflow:hidden\">{}</div>\n\
         <table role=\"presentation\" class=\"bg\" width=\"100%\" cellpadding=\"0\" cellspacing=\"0\" style=\"background:#f4f4f0\"><tr><td align=\"center\" style=\"padding:24px 12px\">\n\
         <table role=\"presentation\" class=\"panel\" width=\"100%\" cellpadding=\"0\" cellspacing=\"0\" style=\"max-width:600px;background:#fdfdfb;border:1px solid #dedcd4;border-radius:7px\">\n",
        escaped(&preview(page))
    ));
    out.push_str(&format!(
        "<tr><td class=\"pad\" style=\"padding:16px 24px\"><table role=\"presentation\" width=\"100%\" cellpadding=\"0\" cellspacing=\"0\"><tr>\
         <td class=\"{class}\" style=\"font-size:13px;line-height:20px;font-weight:600;white-space:nowrap;color:{colour}\">{shape}&nbsp;{word}</td>\
         <td class=\"mute\" align=\"right\" style=\"padding-left:12px;font-size:13px;line-height:20px;color:#53585e\">{place}</td></tr></table></td></tr>\n",
        class = class(state),
        colour = colour(state),
        shape = state.shape(),
        word = state.word(),
        place = escaped(&page.place),
    ));
    let is_one = page.sections.len() == 1 && page.more == 0;
    for section in &page.sections {
        add_section(&mut out, section, is_one);
    }
    if page.more > 0 {
        out.push_str(&format!(
            "<tr><td class=\"pad line mute\" style=\"padding:12px 24px;border-top:1px solid #dedcd4;font-size:13px;line-height:20px;color:#53585e\">and {} more alerts</td></tr>\n",
            page.more
        ));
    }
    add_links(&mut out, page, is_one);
    out.push_str(&format!(
        "</table>\n<p class=\"mute\" style=\"max-width:600px;margin:12px 0 0;font-size:12px;line-height:18px;color:#53585e\">{} It was sent by {}.</p>\n\
         </td></tr></table>\n</body>\n</html>\n",
        page.why,
        escaped(&page.place),
    ));
    out
}

/// What lists of mails show beside the subject.
fn preview(page: &MailPage) -> String {
    let first = page.sections.first();
    first.map_or_else(String::new, |it| format!("{}. {}", it.summary, it.verdict))
}

fn add_section(out: &mut String, section: &MailSection, is_one: bool) {
    let state = section.state;
    out.push_str(
        "<tr><td class=\"pad line\" style=\"padding:16px 24px;border-top:1px solid #dedcd4\">",
    );
    if !is_one {
        out.push_str(&format!(
            "<p class=\"{}\" style=\"margin:0 0 4px;font-size:13px;line-height:20px;font-weight:600;color:{}\">{}&nbsp;{}</p>",
            class(state),
            colour(state),
            state.shape(),
            state.word(),
        ));
    }
    let size = if is_one {
        "font-size:22px;line-height:30px"
    } else {
        "font-size:16px;line-height:24px"
    };
    out.push_str(&format!(
        "<p class=\"text\" style=\"margin:0;{size};font-weight:600;color:#181b1e;word-break:break-word\">{}</p>",
        escaped(&section.summary),
    ));
    if !section.verdict.is_empty() {
        out.push_str(&format!(
            "<p class=\"text\" style=\"margin:4px 0 0;font-size:15px;line-height:22px;color:#181b1e\">{}</p>",
            escaped(&section.verdict),
        ));
    }
    out.push_str("<table role=\"presentation\" cellpadding=\"0\" cellspacing=\"0\" style=\"margin-top:12px\">");
    for (name, values) in &section.facts {
        let values: Vec<_> = values.iter().map(|it| escaped(it)).collect();
        add_fact(out, name, &values.join("<br>"));
    }
    if !section.sparkline.is_empty() {
        let blocks = format!(
            "<span class=\"ink\" style=\"font-family:ui-monospace,'DejaVu Sans Mono',Consolas,monospace;font-size:16px;color:#2b5d7d\">{}</span>",
            escaped(&section.sparkline)
        );
        add_fact(out, "Last half hour", &blocks);
    }
    out.push_str("</table>");
    if let Some(url) = section.runbook.as_deref().filter(|_| !is_one) {
        out.push_str(&format!(
            "<p style=\"margin:8px 0 0;font-size:13px;line-height:20px\"><a class=\"link\" href=\"{}\" style=\"color:#1b4fa8\">Runbook</a></p>",
            escaped(url),
        ));
    }
    out.push_str("</td></tr>\n");
}

/// `value` is escaped.
fn add_fact(out: &mut String, name: &str, value: &str) {
    out.push_str(&format!(
        "<tr><td class=\"mute fact\" valign=\"top\" style=\"padding:3px 16px 3px 0;font-size:13px;line-height:20px;white-space:nowrap;color:#53585e\">{name}</td>\
         <td class=\"text\" valign=\"top\" style=\"padding:3px 0;font-size:13px;line-height:20px;color:#181b1e;word-break:break-word\">{value}</td></tr>"
    ));
}

fn add_links(out: &mut String, page: &MailPage, is_one: bool) {
    let runbook = page.sections.first().and_then(|it| it.runbook.as_deref());
    let runbook = runbook.filter(|_| is_one);
    let links = [
        (
            page.dashboard.as_deref(),
            "Open the dashboard",
            "primary",
            "background:#181b1e;border:1px solid #181b1e;color:#fdfdfb",
        ),
        (
            runbook,
            "Read the runbook",
            "second",
            "background:#fdfdfb;border:1px solid #80848a;color:#181b1e",
        ),
    ];
    let links: Vec<_> = links
        .into_iter()
        .filter_map(|(url, name, class, style)| Some((url?, name, class, style)))
        .collect();
    if links.is_empty() {
        return;
    }
    out.push_str(
        "<tr><td class=\"pad line\" style=\"padding:16px 24px;border-top:1px solid #dedcd4\">",
    );
    for (url, name, class, style) in links {
        out.push_str(&format!(
            "<a class=\"btn {class}\" href=\"{}\" style=\"display:inline-block;margin:0 8px 4px 0;padding:7px 14px;border-radius:5px;font-size:13px;line-height:20px;font-weight:500;text-decoration:none;{style}\">{name}</a>",
            escaped(url),
        ));
    }
    out.push_str("</td></tr>\n");
}

fn class(state: MailState) -> &'static str {
    match state {
        MailState::Critical => "crit",
        MailState::Warning => "warn",
        MailState::Resolved => "ok",
        MailState::Info | MailState::Acknowledged | MailState::Test => "mute",
    }
}

fn colour(state: MailState) -> &'static str {
    match state {
        MailState::Critical => "#ad1f1a",
        MailState::Warning => "#825000",
        MailState::Resolved => "#0c6b62",
        MailState::Info | MailState::Acknowledged | MailState::Test => "#53585e",
    }
}

/// A text that is neither a tag nor the end of an attribute.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(char),
        }
    }
    out
}
