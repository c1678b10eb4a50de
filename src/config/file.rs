//! Reading, parsing and flattening the TOML file into dotted keys.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::mask;
use super::source::{TextValue, ValueOrigin, problem, unknown_key_advice};
use super::suggest::{suggest, suggest_key};
use super::table::{SETTINGS, is_section, keys, position, sections};
use super::value::{RawValue, TomlShape, TomlType};

/// The maximum size of a file, in bytes.
const MAX_BYTES: u64 = 1024 * 1024;
/// The maximum number of problems of one file that are reported individually.
const MAX_PROBLEMS: usize = 100;

/// The values of a file, by the index of their setting, and the problems of the file.
#[derive(Default)]
pub(super) struct FlatFile {
    pub(super) values: Vec<(usize, TextValue)>,
    pub(super) problems: Vec<String>,
    /// The number of problems beyond [`MAX_PROBLEMS`].
    left_out: usize,
}

/// Reads the file.
///
/// # Errors
///
/// Returns the problem with the file and the fix.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, String> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => {
            "there is no such file; write the path of a TOML file".to_owned()
        }
        kind => format!(
            "it cannot be read ({kind}); write the path of a TOML file that this process may read"
        ),
    };
    // Checked before the file is opened: opening a pipe would wait for its writer.
    let metadata = std::fs::metadata(path).map_err(failed)?;
    if metadata.is_dir() {
        return Err("it is a directory; write the path of a TOML file in it".to_owned());
    }
    if !metadata.is_file() {
        return Err("it is no regular file; write the path of a TOML file".to_owned());
    }
    // One byte more than allowed is read, because a file can grow after its size was read.
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes))
        .map_err(failed)?;
    if u64::try_from(bytes.len()).is_ok_and(|len| len > MAX_BYTES) {
        return Err(
            "it is larger than 1 MiB; write the path of a TOML file of settings".to_owned(),
        );
    }
    Ok(bytes)
}

/// Flattens the file into dotted keys.
pub(super) fn flatten(path: &Path, bytes: &[u8]) -> FlatFile {
    let mut flattener = Flattener {
        path,
        text: "",
        flat: FlatFile::default(),
    };
    match std::str::from_utf8(bytes) {
        Ok(text) => {
            flattener.text = text;
            match DeTable::parse(text) {
                Ok(table) => flattener.table("", table.get_ref()),
                Err(error) => flattener.syntax(&error),
            }
        }
        Err(error) => {
            let good = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let line = lines_in(good);
            flattener.push(
                "file",
                "[not UTF-8]",
                line,
                "not UTF-8; save the file as UTF-8",
            );
        }
    }
    let mut flat = flattener.flat;
    if flat.left_out > 0 {
        let path = mask::escaped(&path.to_string_lossy());
        flat.problems.push(format!(
            "file {path}: {} more problems like these",
            flat.left_out
        ));
    }
    flat
}

struct Flattener<'a> {
    path: &'a Path,
    text: &'a str,
    flat: FlatFile,
}

impl Flattener<'_> {
    fn table(&mut self, section: &str, table: &DeTable<'_>) {
        // The map is sorted by key; problems are reported in the order of the file.
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        for (key, value) in entries {
            let name = key.get_ref().as_ref();
            let path = if section.is_empty() {
                name.to_owned()
            } else {
                format!("{section}.{name}")
            };
            let line = self.line(key.span());
            // A name that contains a dot was quoted, so it is a single name and not a path.
            match position(&path).filter(|_| !name.contains('.')) {
                Some(index) => self.setting(index, value.get_ref(), line),
                None if is_section(&path) && !name.contains('.') => match value.get_ref() {
                    DeValue::Table(inside) => self.table(&path, inside),
                    other => {
                        let advice = format!(
                            "{} where a table belongs; write `[{path}]` and its keys below",
                            type_with_article(other)
                        );
                        self.push(&path, mask::REDACTED, line, &advice);
                    }
                },
                None => {
                    // The value of an unknown key is never shown: it may be a secret.
                    let near = match value.get_ref() {
                        DeValue::Table(_) => {
                            suggest(&path, sections()).map(|near| format!("[{near}]"))
                        }
                        _ => suggest_key(&path, keys()).map(str::to_owned),
                    };
                    let advice = unknown_key_advice(near.as_deref());
                    self.push(&mask::name(&path), mask::REDACTED, line, &advice);
                }
            }
        }
    }

    fn setting(&mut self, index: usize, value: &DeValue<'_>, line: usize) {
        let Some(setting) = SETTINGS.get(index) else {
            return;
        };
        let shape = setting.field.toml_shape();
        // Only the type is checked here. The value is parsed later, as that of any other source.
        if let Some(raw) = raw(value, shape) {
            let origin = ValueOrigin::File {
                path: self.path.to_owned(),
                line,
            };
            self.flat.values.push((
                index,
                TextValue {
                    raw,
                    origin,
                    warns: false,
                },
            ));
        } else {
            // A table or an array is shown only where all of it is harmless, and of a table only the entry that is
            // wrong.
            let plain = || match value {
                DeValue::Table(table) if shape.types.contains(&TomlType::Table) => {
                    wrong_entry(table, "")
                }
                DeValue::Array(_) => plain(value),
                _ => None,
            };
            let shown = match value {
                DeValue::Table(_) | DeValue::Array(_) if setting.secret => {
                    mask::REDACTED.to_owned()
                }
                DeValue::Table(_) | DeValue::Array(_) => {
                    plain().unwrap_or_else(|| mask::REDACTED.to_owned())
                }
                other => mask::shown(&scalar(other), setting.secret),
            };
            let wrong = match value {
                DeValue::Array(_) if shape.array => "an array with an item of another type",
                DeValue::Table(_) if shape.types.contains(&TomlType::Table) => {
                    "a table with a value of another type"
                }
                other => type_with_article(other),
            };
            let advice = format!(
                "{wrong}; write {}, such as `{}`",
                wanted(shape),
                shape.example
            );
            self.push(setting.key, &shown, line, &advice);
        }
    }

    /// Adds a syntax error. The parser's message repeats no text of the file, and the line is not shown:
    /// it may hold a secret.
    fn syntax(&mut self, error: &toml::de::Error) {
        let at = error.span().map_or(self.text.len(), |span| span.start);
        let before = self.text.get(..at).unwrap_or(self.text);
        let start = before.rfind('\n').map_or(0, |end| end + 1);
        let column = 1 + before.get(start..).unwrap_or_default().chars().count();
        let written = self.text.get(start..).unwrap_or_default();
        let written = written.split(['=', '#', '\n']).next().unwrap_or_default();
        let key = known_key(written.trim().trim_matches(['[', ']'])).unwrap_or("file");
        let advice = match error.message().split(',').next() {
            Some("duplicate key") => {
                format!("column {column}: the key is there twice; remove one of the two")
            }
            _ => format!(
                "column {column}: not TOML ({}); correct the line",
                mask::escaped(error.message())
            ),
        };
        self.push(key, mask::REDACTED, self.line(at..at), &advice);
    }

    fn line(&self, span: Range<usize>) -> usize {
        let before = self.text.as_bytes().get(..span.start).unwrap_or_default();
        lines_in(before)
    }

    fn push(&mut self, key: &str, shown: &str, line: usize, advice: &str) {
        if self.flat.problems.len() == MAX_PROBLEMS {
            self.flat.left_out += 1;
            return;
        }
        let origin = ValueOrigin::File {
            path: self.path.to_owned(),
            line,
        };
        self.flat
            .problems
            .push(problem(key, shown, &origin, advice));
    }
}

/// Returns the key that the beginning of a line names, in full or by its last part. Other text is not repeated, because
/// it may be part of a secret.
fn known_key(written: &str) -> Option<&'static str> {
    keys().find(|key| *key == written || key.rsplit('.').next() == Some(written))
}

/// Converts a value to the parser's input; `None` if its type does not fit.
fn raw(value: &DeValue<'_>, shape: TomlShape) -> Option<RawValue> {
    let one = |value: &DeValue<'_>| {
        shape
            .types
            .contains(&type_of(value)?)
            .then(|| scalar(value))
    };
    match value {
        DeValue::Table(table) if shape.types.contains(&TomlType::Table) => {
            let mut items = Vec::new();
            entries(table, "", &mut items)?;
            // The map is sorted by key. Of two names of one histogram, the last one written must stay last.
            items.sort_by_key(|(start, _)| *start);
            Some(RawValue::Items(
                items.into_iter().map(|(_, item)| item).collect(),
            ))
        }
        DeValue::Array(items) if shape.array => {
            let items = items.iter().map(|item| one(item.get_ref()));
            items.collect::<Option<_>>().map(RawValue::Items)
        }
        _ if shape.array => None,
        other => one(other).map(RawValue::Text),
    }
}

/// Collects the entries of a table as `name=value`, each with its offset in the file. Numbers of an array are separated
/// by spaces. A dotted name that is not quoted is parsed as nested tables.
fn entries(table: &DeTable<'_>, above: &str, into: &mut Vec<(usize, String)>) -> Option<()> {
    for (key, value) in table {
        let name = format!("{above}{}", key.get_ref());
        let text = match value.get_ref() {
            DeValue::Table(inside) => {
                entries(inside, &format!("{name}."), into)?;
                continue;
            }
            DeValue::Array(numbers) => {
                let numbers = numbers.iter().map(|number| match number.get_ref() {
                    number @ (DeValue::Integer(_) | DeValue::Float(_)) => Some(scalar(number)),
                    _ => None,
                });
                numbers.collect::<Option<Vec<_>>>()?.join(" ")
            }
            DeValue::String(text) => text.clone().into_owned(),
            _ => return None,
        };
        into.push((value.span().start, format!("{name}={text}")));
    }
    Some(())
}

/// Returns the first entry of a table whose value has a type that [`entries`] does not accept.
fn wrong_entry(table: &DeTable<'_>, above: &str) -> Option<String> {
    let mut all: Vec<_> = table.iter().collect();
    all.sort_by_key(|(key, _)| key.span().start);
    all.into_iter().find_map(|(key, value)| {
        let name = format!("{above}{}", key.get_ref());
        match value.get_ref() {
            DeValue::Table(inside) => wrong_entry(inside, &format!("{name}.")),
            DeValue::String(_) => None,
            DeValue::Array(items) => {
                let is_number =
                    |it: &DeValue<'_>| matches!(it, DeValue::Integer(_) | DeValue::Float(_));
                let wrong = items.iter().any(|item| !is_number(item.get_ref()));
                wrong.then(|| entry(&name, value.get_ref()))
            }
            other => Some(entry(&name, other)),
        }
    })
}

fn entry(name: &str, value: &DeValue<'_>) -> String {
    let value = plain(value).unwrap_or_else(|| mask::REDACTED.to_owned());
    format!("{{\"{}\" = {value}}}", mask::name(name))
}

/// Formats a value as TOML, at most 40 characters of it; `None` if it may contain a secret.
fn plain(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => mask::is_plain(text).then(|| format!("\"{}\"", mask::cut(text))),
        DeValue::Array(items) => {
            let items: Option<Vec<_>> = items.iter().map(|item| plain(item.get_ref())).collect();
            items.map(|items| mask::cut(&format!("[{}]", items.join(", "))))
        }
        DeValue::Table(_) => None,
        other => Some(mask::cut(&scalar(other))),
    }
}

fn type_of(value: &DeValue<'_>) -> Option<TomlType> {
    match value {
        DeValue::String(_) => Some(TomlType::String),
        DeValue::Integer(_) => Some(TomlType::Integer),
        DeValue::Float(_) => Some(TomlType::Float),
        DeValue::Boolean(_) => Some(TomlType::Boolean),
        _ => None,
    }
}

fn scalar(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => text.clone().into_owned(),
        // Hexadecimal, octal and binary numbers are printed in decimal form.
        DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
            .map_or_else(|_| integer.to_string(), |value| value.to_string()),
        DeValue::Float(float) => float.to_string(),
        DeValue::Boolean(on) => on.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(_) | DeValue::Table(_) => String::new(),
    }
}

/// Returns the type of a value, with its article.
fn type_with_article(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}

fn wanted(shape: TomlShape) -> &'static str {
    match (shape.array, shape.types.first()) {
        _ if shape.types.contains(&TomlType::Table) => {
            "a table of arrays of numbers, `off` and `default`"
        }
        (true, Some(TomlType::Integer)) => "an array of integers",
        (true, _) => "an array of strings",
        (false, Some(TomlType::Integer)) => "an integer",
        (false, Some(TomlType::Float)) => "a number",
        (false, Some(TomlType::Boolean)) => "`true` or `false` without quotes",
        (false, _) => "a string",
    }
}

/// Returns the number of the last line of a text, starting from 1.
fn lines_in(text: &[u8]) -> usize {
    text.split(|byte| *byte == b'\n').count()
}
