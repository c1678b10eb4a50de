//! The values that the environment gives for settings.

use std::collections::BTreeSet;

use super::source::{TextValue, ValueOrigin, problem};
use super::table::{
    ATTRIBUTES_VARIABLE, FILE_VARIABLE, PREFIX, SETTINGS, Setting, Variable, own_variable,
};
use super::value::RawValue;
use super::{Environment, attributes, mask};

/// The variables and resource attributes that hold settings.
pub(super) struct Variables<'a> {
    environment: &'a Environment,
    attributes: Result<Vec<(String, String)>, String>,
}

/// A value, or a problem and whether it is only a warning.
pub(super) type FoundValue = Result<TextValue, (String, bool)>;

impl<'a> Variables<'a> {
    pub(super) fn new(environment: &'a Environment) -> Self {
        let attributes = match environment.value(ATTRIBUTES_VARIABLE) {
            None => Ok(Vec::new()),
            Some(value) => value
                .to_str()
                .ok_or_else(|| NOT_UTF8.to_owned())
                .and_then(attributes::parse),
        };
        Self {
            environment,
            attributes,
        }
    }

    /// Returns why the attributes are not used, if they are invalid.
    pub(super) fn attributes_problem(&self) -> Option<String> {
        let advice = self.attributes.as_ref().err()?;
        let shown = match self.environment.text(ATTRIBUTES_VARIABLE) {
            Some(text) => mask::shown(text, false),
            None => mask::REDACTED.to_owned(),
        };
        Some(problem(
            "service",
            &shown,
            &ValueOrigin::Variable(ATTRIBUTES_VARIABLE),
            advice,
        ))
    }

    /// Returns the values of a setting, highest precedence first.
    pub(super) fn of(&self, setting: &'static Setting) -> impl Iterator<Item = FoundValue> {
        // The variable with this crate's prefix goes before those that other programs read too.
        let own = self.read(
            setting,
            &own_variable(setting.key),
            ValueOrigin::OwnVariable(setting.key),
        );
        let others = setting
            .variables
            .iter()
            .filter_map(|variable| match *variable {
                Variable::Value(name) => self.read(setting, name, ValueOrigin::Variable(name)),
                Variable::FirstPath(name) => self
                    .read(setting, name, ValueOrigin::Variable(name))
                    .map(first),
                Variable::Attribute(name) => self.attribute(name).map(Ok),
                Variable::Millis(name) => self
                    .read(setting, name, ValueOrigin::Variable(name))
                    .map(with_unit),
            });
        own.into_iter().chain(others)
    }

    /// Returns the names of all known variables that begin with [`PREFIX`].
    pub(super) fn own_names() -> BTreeSet<String> {
        let others = SETTINGS
            .iter()
            .flat_map(|setting| setting.variables)
            .filter_map(|variable| match variable {
                Variable::Value(name) | Variable::FirstPath(name) | Variable::Millis(name) => {
                    Some((*name).to_owned())
                }
                Variable::Attribute(_) => None,
            })
            .filter(|name| name.starts_with(PREFIX));
        SETTINGS
            .iter()
            .map(|setting| own_variable(setting.key))
            .chain(others)
            .chain([FILE_VARIABLE.to_owned()])
            .collect()
    }

    /// Returns all attributes, including those that are not settings.
    pub(super) fn attributes(&self) -> &[(String, String)] {
        self.attributes.as_deref().unwrap_or_default()
    }

    fn read(&self, setting: &Setting, name: &str, origin: ValueOrigin) -> Option<FoundValue> {
        // A variable without this crate's prefix may have another meaning for another program.
        let warns = !name.starts_with(PREFIX);
        let value = self.environment.value(name)?;
        Some(match value.to_str() {
            Some(text) => Ok(TextValue {
                raw: RawValue::Text(text.to_owned()),
                origin,
                warns,
            }),
            None => Err((
                problem(setting.key, mask::REDACTED, &origin, NOT_UTF8),
                warns,
            )),
        })
    }

    fn attribute(&self, name: &'static str) -> Option<TextValue> {
        let pairs = self.attributes.as_deref().unwrap_or_default();
        // If a name is listed twice, the last value counts.
        let (_, value) = pairs
            .iter()
            .rfind(|(key, value)| key == name && !value.is_empty())?;
        Some(TextValue {
            raw: RawValue::Text(value.clone()),
            origin: ValueOrigin::Attribute(ATTRIBUTES_VARIABLE, name),
            warns: true,
        })
    }
}

const NOT_UTF8: &str = "not UTF-8; write it as UTF-8";

/// Adds the unit, because OpenTelemetry writes milliseconds as a plain number.
fn with_unit(found: FoundValue) -> FoundValue {
    found.map(|value| {
        let line = value.raw.line();
        let text = line.trim();
        let number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        TextValue {
            // The space makes the duration parser reject text that is not a number.
            raw: RawValue::Text(if number {
                format!("{text}ms")
            } else {
                format!("{text} ms")
            }),
            ..value
        }
    })
}

/// Returns the first path of a list, because systemd may name several directories.
fn first(found: FoundValue) -> FoundValue {
    found.map(|value| TextValue {
        raw: RawValue::Text(
            value
                .raw
                .line()
                .split(':')
                .next()
                .unwrap_or_default()
                .to_owned(),
        ),
        ..value
    })
}
