use std::fmt::Write;

use super::Variable::{Attribute, FirstPath, Millis, Value as Named};
use super::{ATTRIBUTES_VARIABLE, SETTINGS, own_variable};
use crate::config::Config;

/// The table as the documentation of the module shows it, without comment marks.
pub(in crate::config) fn documentation() -> String {
    let config = Config::default();
    let mut text =
        String::from("| key | variables | default | value | meaning |\n|---|---|---|---|---|\n");
    for setting in SETTINGS {
        let own = format!("`{}`", own_variable(setting.key));
        let others = setting.variables.iter().map(|variable| match variable {
            Named(name) => format!("`{name}`"),
            FirstPath(name) => format!("`{name}` (the first path)"),
            Millis(name) => format!("`{name}` (in ms)"),
            Attribute(name) => format!("`{name}` in `{ATTRIBUTES_VARIABLE}`"),
        });
        let variables: Vec<_> = [own].into_iter().chain(others).collect();
        let default = setting
            .field
            .print(&config)
            .map(|value| format!("`{value}`"));
        writeln!(
            text,
            "| `{}` | {} | {} | {} | {} |",
            setting.key,
            variables.join(", "),
            default.as_deref().unwrap_or("none"),
            setting.field.describe(),
            setting.doc,
        )
        .unwrap();
    }
    text
}
