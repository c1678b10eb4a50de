//! A row of the table.

use super::super::value::SettingField;

#[derive(Clone, Copy)]
pub(in crate::config) struct Setting {
    pub(in crate::config) key: &'static str,
    pub(in crate::config) field: &'static dyn SettingField,
    /// The variables in addition to `WATCHPOST_<KEY>`, which every setting has and which takes precedence. The first
    /// variable that is set applies.
    pub(in crate::config) variables: &'static [Variable],
    pub(in crate::config) secret: bool,
    /// The meaning: one sentence without its full stop.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "the documentation's table is checked against it")
    )]
    pub(in crate::config) doc: &'static str,
}

/// The form in which a variable holds a setting's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum Variable {
    Value(&'static str),
    /// The first of several paths, separated by colons.
    FirstPath(&'static str),
    /// An attribute of `OTEL_RESOURCE_ATTRIBUTES`.
    Attribute(&'static str),
    /// A number of milliseconds without its unit.
    Millis(&'static str),
}

impl Setting {
    pub(super) const fn new(
        key: &'static str,
        field: &'static dyn SettingField,
        doc: &'static str,
    ) -> Self {
        Self {
            key,
            field,
            variables: &[],
            secret: false,
            doc,
        }
    }

    pub(super) const fn variables(mut self, variables: &'static [Variable]) -> Self {
        self.variables = variables;
        self
    }

    pub(super) const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }
}
