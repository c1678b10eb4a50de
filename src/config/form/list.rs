use std::marker::PhantomData;

use crate::config::Propagators;

use super::{Form, Raw, Takes, Type};

/// The most items of a list.
const MOST: usize = 256;

/// One of a list's items.
pub(in crate::config) trait Item: Sync {
    type Value: PartialEq;
    const TYPE: Type;
    const EXAMPLE: &'static str;
    const NAME: &'static str;

    fn read(text: &str) -> Result<Self::Value, String>;
    fn print(value: &Self::Value) -> String;
}

/// Items: an array in a file, separated by commas elsewhere. One that comes twice counts once.
pub(in crate::config) struct List<I>(PhantomData<I>);

impl<I> List<I> {
    pub(in crate::config) const OF: Self = Self(PhantomData);
}

impl<I: Item> Form for List<I> {
    type Value = Vec<I::Value>;

    fn takes(&self) -> Takes {
        Takes {
            types: match I::TYPE {
                Type::Integer => &[Type::Integer],
                _ => &[Type::String],
            },
            array: true,
            example: I::EXAMPLE,
        }
    }

    fn read(&self, raw: &Raw) -> Result<Vec<I::Value>, String> {
        let items = items(raw);
        if items.len() > MOST {
            return Err(format!("more than {MOST} items; write fewer"));
        }
        let mut values = Vec::with_capacity(items.len());
        for (number, item) in (1..).zip(items) {
            let value = I::read(item).map_err(|what| format!("item {number} is {what}"))?;
            if !values.contains(&value) {
                values.push(value);
            }
        }
        Ok(values)
    }

    fn print(&self, value: &Vec<I::Value>) -> Option<String> {
        let items: Vec<_> = value.iter().map(I::print).collect();
        Some(format!("[{}]", items.join(", ")))
    }

    fn describe(&self) -> String {
        I::NAME.to_owned()
    }
}

/// The names of OpenTelemetry's propagators that are known here.
pub(in crate::config) struct PropagatorNames;

impl Form for PropagatorNames {
    type Value = Propagators;

    fn takes(&self) -> Takes {
        Takes {
            types: &[Type::String],
            array: true,
            example: "[\"tracecontext\", \"baggage\"]",
        }
    }

    fn read(&self, raw: &Raw) -> Result<Propagators, String> {
        let mut propagators = Propagators {
            trace_context: false,
            baggage: false,
        };
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

/// The items of an array, or of a text that separates them by commas.
pub(super) fn items(raw: &Raw) -> Vec<&str> {
    match raw {
        Raw::One(line) if line.trim().is_empty() => Vec::new(),
        Raw::One(line) => line.split(',').map(str::trim).collect(),
        Raw::Many(items) => items.iter().map(|item| item.trim()).collect(),
    }
}
