use crate::errors::Dsn;

use super::{RawValue, TomlShape, TomlType, ValueParser, quoted};

/// The DSN of a Sentry project.
pub(in crate::config) struct DsnParser;

impl ValueParser for DsnParser {
    type Value = Option<Dsn>;

    fn toml_shape(&self) -> TomlShape {
        TomlShape {
            types: &[TomlType::String],
            array: false,
            example: "\"https://key@sentry.example.com/1\"",
        }
    }

    fn parse(&self, raw: &RawValue) -> Result<Option<Dsn>, String> {
        let dsn = Dsn::parse(&raw.line());
        dsn.map(Some)
            .map_err(|what| format!("not a DSN, {what}; write {}", self.describe()))
    }

    fn validate(&self, value: Option<Dsn>) -> Result<Option<Dsn>, String> {
        // A `Dsn` can only be created by parsing, so it is valid.
        Ok(value)
    }

    fn print(&self, value: &Option<Dsn>) -> Option<String> {
        value.as_ref().map(|dsn| quoted(&format!("{dsn:?}")))
    }

    fn describe(&self) -> String {
        "a DSN: `https://key@host/project`".to_owned()
    }
}
