//! A request's events, read again when an error is captured.

use tracing::Level as Tracing;

use super::fields::{Fields, Value};
use super::layer::STR;
use crate::model::Level;
use crate::model::wire::Reader;
use crate::redact;
use crate::request::Crumb;
use crate::trace::callsites;

/// Reads the record of an event, which may have been cut, and scrubs it.
pub(crate) fn read_crumb(record: &[u8]) -> Option<Crumb> {
    let mut reader = Reader::new(record);
    let metadata = callsites::metadata(reader.u32()?)?;
    // The request's ids, which the error has.
    let _ids = (reader.u128()?, reader.u64()?, reader.u32()?);
    let names: Vec<&str> = metadata.fields().iter().map(|field| field.name()).collect();
    let level = match *metadata.level() {
        Tracing::ERROR => Level::Error,
        Tracing::WARN => Level::Warning,
        Tracing::INFO => Level::Info,
        _ => Level::Debug,
    };
    let mut crumb = Crumb {
        level,
        target: metadata.target(),
        message: String::new(),
        fields: Vec::new(),
    };
    let mut fields = Fields {
        names: &names,
        reader,
    };
    loop {
        let before = fields.reader;
        let Some((&name, value)) = fields.next() else {
            if let Some((name, text)) = cut(&names, before) {
                crumb.put(name, &redact::value(name, &text));
            }
            return Some(crumb);
        };
        match value {
            Value::Str(text) => crumb.put(name, &redact::value(name, text.as_str())),
            Value::I64(number) => crumb.put(name, &number.to_string()),
            Value::U64(number) => crumb.put(name, &number.to_string()),
            Value::F64(number) => crumb.put(name, &number.to_string()),
            Value::Bool(truth) => crumb.put(name, if truth { "true" } else { "false" }),
        }
    }
}

/// The last field where the record was cut within its text. What is left of a word at the cut could be the
/// beginning of a secret and is left out.
fn cut(names: &[&'static str], mut reader: Reader<'_>) -> Option<(&'static str, String)> {
    let name = *names.get(usize::from(reader.u8()?))?;
    if reader.u8()? != STR {
        return None;
    }
    let _len = reader.u32()?;
    let text = String::from_utf8_lossy(reader.rest()).into_owned();
    let end = text.rfind(char::is_whitespace)?;
    Some((name, format!("{}\u{2026}", text.get(..end)?)))
}

impl Crumb {
    fn put(&mut self, name: &str, value: &str) {
        if name == "message" {
            value.clone_into(&mut self.message);
        } else {
            self.fields.push((name.to_owned(), value.to_owned()));
        }
    }
}
