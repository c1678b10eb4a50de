use super::{RawValue, TomlShape, ValueParser};

/// A value that may be absent.
pub(in crate::config) struct OptionalParser<P>(pub(in crate::config) P);

impl<P: ValueParser> ValueParser for OptionalParser<P> {
    type Value = Option<P::Value>;

    fn toml_shape(&self) -> TomlShape {
        self.0.toml_shape()
    }

    fn parse(&self, raw: &RawValue) -> Result<Self::Value, String> {
        self.0.parse(raw).map(Some)
    }

    fn validate(&self, value: Self::Value) -> Result<Self::Value, String> {
        value.map(|value| self.0.validate(value)).transpose()
    }

    fn print(&self, value: &Self::Value) -> Option<String> {
        self.0.print(value.as_ref()?)
    }

    fn describe(&self) -> String {
        self.0.describe()
    }
}
