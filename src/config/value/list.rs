use std::marker::PhantomData;

use crate::trace::Propagators;

use super::{RawValue, TomlShape, TomlType, ValueParser};

/// The maximum number of items of a list.
const MAX_ITEMS: usize = 256;

/// Parses one item of a list.
pub(in crate::config) trait ItemParser: Sync {
    type Value: Clone + PartialEq;
    const TYPE: TomlType;
    const EXAMPLE: &'static str;
    /// A short description of the items.
    const DESCRIPTION: &'static str;

    /// Parses an item. Limits are checked by [`check`](Self::check).
    fn parse(text: &str) -> Result<Self::Value, String>;
    /// Checks an item of any source.
    fn check(value: &Self::Value) -> Result<(), String>;
    fn print(value: &Self::Value) -> String;
}

/// A list: an array in a file, separated by commas elsewhere. Repeated items count once.
pub(in crate::config) struct ListParser<I>(PhantomData<I>);

impl<I> ListParser<I> {
    pub(in crate::config) const NEW: Self = Self(PhantomData);
}

impl<I: ItemParser> ValueParser for ListParser<I> {
    type Value = Vec<I::Value>;

    fn toml_shape(&self) -> TomlShape {
        TomlShape {
            types: match I::TYPE {
                TomlType::Integer => &[TomlType::Integer],
                _ => &[TomlType::String],
            },
            array: true,
            example: I::EXAMPLE,
        }
    }

    fn parse(&self, raw: &RawValue) -> Result<Vec<I::Value>, String> {
        let items = items(raw);
        check_length(items.len())?;
        (1..)
            .zip(items)
            .map(|(number, item)| I::parse(item).map_err(|what| bad_item(number, &what)))
            .collect()
    }

    fn validate(&self, value: Vec<I::Value>) -> Result<Vec<I::Value>, String> {
        check_length(value.len())?;
        let mut unique = Vec::with_capacity(value.len());
        for (number, item) in (1..).zip(value) {
            I::check(&item).map_err(|what| bad_item(number, &what))?;
            if !unique.contains(&item) {
                unique.push(item);
            }
        }
        Ok(unique)
    }

    fn print(&self, value: &Vec<I::Value>) -> Option<String> {
        let items: Vec<_> = value.iter().map(I::print).collect();
        Some(format!("[{}]", items.join(", ")))
    }

    fn display(&self, value: &Vec<I::Value>) -> String {
        let unquoted = |item: &I::Value| I::print(item).trim_matches('"').to_owned();
        let items: Vec<_> = value.iter().map(unquoted).collect();
        items.join(",")
    }

    fn describe(&self) -> String {
        I::DESCRIPTION.to_owned()
    }
}

fn check_length(items: usize) -> Result<(), String> {
    if items > MAX_ITEMS {
        return Err(format!("more than {MAX_ITEMS} items; write fewer"));
    }
    Ok(())
}

fn bad_item(number: usize, what: &str) -> String {
    format!("item {number} is {what}")
}

/// The names of the OpenTelemetry propagators that this crate implements.
pub(in crate::config) struct PropagatorsParser;

impl ValueParser for PropagatorsParser {
    type Value = Propagators;

    fn toml_shape(&self) -> TomlShape {
        TomlShape {
            types: &[TomlType::String],
            array: true,
            example: "[\"tracecontext\", \"baggage\"]",
        }
    }

    fn parse(&self, raw: &RawValue) -> Result<Propagators, String> {
        let mut propagators = Propagators::NONE;
        let items = items(raw);
        let alone = items.len() == 1;
        for (number, item) in (1..).zip(items) {
            match item {
                "tracecontext" => propagators.trace_context = true,
                "baggage" => propagators.baggage = true,
                "none" if alone => {}
                "none" => {
                    return Err(format!(
                        "item {number} is `none` beside others; write `none` alone, or leave it out"
                    ));
                }
                _ => {
                    return Err(format!(
                        "item {number} is not known; write {}",
                        self.describe()
                    ));
                }
            }
        }
        Ok(propagators)
    }

    fn validate(&self, value: Propagators) -> Result<Propagators, String> {
        Ok(value)
    }

    fn print(&self, value: &Propagators) -> Option<String> {
        let names = [
            ("\"tracecontext\"", value.trace_context),
            ("\"baggage\"", value.baggage),
        ];
        let names: Vec<_> = names
            .iter()
            .filter(|(_, on)| *on)
            .map(|(name, _)| *name)
            .collect();
        Some(format!("[{}]", names.join(", ")))
    }

    fn describe(&self) -> String {
        "`tracecontext`, `baggage`, or `none` alone".to_owned()
    }
}

/// Returns the items of an array, or of a text that separates them with commas.
pub(super) fn items(raw: &RawValue) -> Vec<&str> {
    match raw {
        RawValue::Text(line) if line.trim().is_empty() => Vec::new(),
        RawValue::Text(line) => line.split(',').map(str::trim).collect(),
        RawValue::Items(items) => items.iter().map(|item| item.trim()).collect(),
    }
}
