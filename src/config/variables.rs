use std::collections::BTreeSet;

use super::form::Raw;
use super::problem::{Origin, problem};
use super::table::{
    ATTRIBUTES_VARIABLE, FILE_VARIABLE, PREFIX, SETTINGS, Setting, Variable, own_variable,
};
use super::{Environment, Given, attributes, mask};

/// What the environment gives for settings.
pub(super) struct Variables<'a> {
    environment: &'a Environment,
    attributes: Result<Vec<(String, String)>, String>,
}

/// A value, or a problem and whether it is but a warning.
pub(super) type Found = Result<Given, (String, bool)>;

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

    /// Why the attributes are not used.
    pub(super) fn attributes_problem(&self) -> Option<String> {
        let advice = self.attributes.as_ref().err()?;
        let shown = match self.environment.text(ATTRIBUTES_VARIABLE) {
            Some(text) => mask::shown(text, false),
            None => mask::REDACTED.to_owned(),
        };
        Some(problem(
            "service",
            &shown,
            &Origin::Variable(ATTRIBUTES_VARIABLE),
            advice,
        ))
    }

    /// What is set for a setting, the strongest first.
    pub(super) fn of(&self, setting: &'static Setting) -> impl Iterator<Item = Found> {
        let own = self.read(
            setting,
            &own_variable(setting.key),
            Origin::OwnVariable(setting.key),
        );
        let others = setting
            .variables
            .iter()
            .filter_map(|variable| match *variable {
                Variable::Whole(name) => self.read(setting, name, Origin::Variable(name)),
                Variable::First(name) => {
                    self.read(setting, name, Origin::Variable(name)).map(first)
                }
                Variable::Attribute(name) => self.attribute(name).map(Ok),
                Variable::Millis(name) => self
                    .read(setting, name, Origin::Variable(name))
                    .map(with_unit),
            });
        own.into_iter().chain(others)
    }

    /// Every name of ours that means something.
    pub(super) fn own_names() -> BTreeSet<String> {
        let others = SETTINGS
            .iter()
            .flat_map(|setting| setting.variables)
            .filter_map(|variable| match variable {
                Variable::Whole(name) | Variable::First(name) | Variable::Millis(name) => {
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

    /// All attributes, those of no setting too.
    pub(super) fn attributes(&self) -> &[(String, String)] {
        self.attributes.as_deref().unwrap_or_default()
    }

    fn read(&self, setting: &Setting, name: &str, origin: Origin) -> Option<Found> {
        // Other programs may mean something else by a variable that is not ours.
        let warns = !name.starts_with(PREFIX);
        let value = self.environment.value(name)?;
        Some(match value.to_str() {
            Some(text) => Ok(Given {
                raw: Raw::One(text.to_owned()),
                origin,
                warns,
            }),
            None => Err((
                problem(setting.key, mask::REDACTED, &origin, NOT_UTF8),
                warns,
            )),
        })
    }

    fn attribute(&self, name: &'static str) -> Option<Given> {
        let pairs = self.attributes.as_deref().unwrap_or_default();
        let (_, value) = pairs
            .iter()
            .rfind(|(key, value)| key == name && !value.is_empty())?;
        Some(Given {
            raw: Raw::One(value.clone()),
            origin: Origin::Attribute(ATTRIBUTES_VARIABLE, name),
            warns: true,
        })
    }
}

const NOT_UTF8: &str = "not UTF-8; write it as UTF-8";

/// OpenTelemetry writes milliseconds as a plain number.
fn with_unit(found: Found) -> Found {
    found.map(|given| {
        let line = given.raw.line();
        let text = line.trim();
        let number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        Given {
            // What is no number is told to be no duration.
            raw: Raw::One(if number {
                format!("{text}ms")
            } else {
                format!("{text} ms")
            }),
            ..given
        }
    })
}

/// systemd gives several directories as one list.
fn first(found: Found) -> Found {
    found.map(|given| Given {
        raw: Raw::One(
            given
                .raw
                .line()
                .split(':')
                .next()
                .unwrap_or_default()
                .to_owned(),
        ),
        ..given
    })
}
