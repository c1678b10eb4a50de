//! The TOML file: read whole, then laid flat into dotted keys.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::form::{Raw, Takes, Type};
use super::nearest::{nearest, nearest_key};
use super::problem::{Origin, problem};
use super::table::{SETTINGS, is_section, keys, position, sections};
use super::{Given, mask};

/// A larger file is no settings file.
const MOST_BYTES: u64 = 1024 * 1024;
/// A file with more problems is told by its first ones.
const MOST_PROBLEMS: usize = 100;

/// What the file gives, and what is wrong with it.
#[derive(Default)]
pub(super) struct Flat {
    pub(super) given: Vec<(usize, Given)>,
    pub(super) problems: Vec<String>,
    left_out: usize,
}

/// The file's bytes, or what is wrong with the file and what to write.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, String> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => {
            "there is no such file; write the path of a TOML file".to_owned()
        }
        kind => format!(
            "it cannot be read ({kind}); write the path of a TOML file that this process may read"
        ),
    };
    // Asked before it is opened: to open a pipe would wait for its writer.
    let metadata = std::fs::metadata(path).map_err(failed)?;
    if metadata.is_dir() {
        return Err("it is a directory; write the path of a TOML file in it".to_owned());
    }
    if !metadata.is_file() {
        return Err("it is no regular file; write the path of a TOML file".to_owned());
    }
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes))
        .map_err(failed)?;
    if u64::try_from(bytes.len()).is_ok_and(|len| len > MOST_BYTES) {
        return Err(
            "it is larger than 1 MiB; write the path of a TOML file of settings".to_owned(),
        );
    }
    Ok(bytes)
}

/// Lays the file's text flat.
pub(super) fn flatten(path: &Path, bytes: &[u8]) -> Flat {
    let mut walk = Walk {
        path,
        text: "",
        flat: Flat::default(),
    };
    match std::str::from_utf8(bytes) {
        Ok(text) => {
            walk.text = text;
            match DeTable::parse(text) {
                Ok(table) => walk.table("", table.get_ref()),
                Err(error) => walk.syntax(&error),
            }
        }
        Err(error) => {
            let good = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let line = lines_in(good);
            walk.push(
                "file",
                "[not UTF-8]",
                line,
                "not UTF-8; save the file as UTF-8",
            );
        }
    }
    let mut flat = walk.flat;
    if flat.left_out > 0 {
        let path = mask::escaped(&path.to_string_lossy());
        flat.problems.push(format!(
            "file {path}: {} more problems like these",
            flat.left_out
        ));
    }
    flat
}

struct Walk<'a> {
    path: &'a Path,
    text: &'a str,
    flat: Flat,
}

impl Walk<'_> {
    fn table(&mut self, section: &str, table: &DeTable<'_>) {
        // The map is sorted by key; problems are told in the order of the file.
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
            // A dot inside a part is one that was quoted.
            match position(&path).filter(|_| !name.contains('.')) {
                Some(index) => self.setting(index, value.get_ref(), line),
                None if is_section(&path) && !name.contains('.') => match value.get_ref() {
                    DeValue::Table(inside) => self.table(&path, inside),
                    other => {
                        let advice = format!(
                            "{} where a table belongs; write `[{path}]` and its keys below",
                            a(other)
                        );
                        self.push(&path, mask::REDACTED, line, &advice);
                    }
                },
                None => {
                    // The value of an unknown key may be anything, a secret too.
                    let near = match value.get_ref() {
                        DeValue::Table(_) => format!("[{}]", nearest(&path, sections())),
                        _ => nearest_key(&path, keys()).to_owned(),
                    };
                    let advice = format!(
                        "the key is not known; write `{near}`, which is the nearest, or remove it"
                    );
                    self.push(&mask::name(&path), mask::REDACTED, line, &advice);
                }
            }
        }
    }

    fn setting(&mut self, index: usize, value: &DeValue<'_>, line: usize) {
        let Some(setting) = SETTINGS.get(index) else {
            return;
        };
        let takes = setting.field.takes();
        if let Some(raw) = raw(value, takes) {
            let origin = Origin::File {
                path: self.path.to_owned(),
                line,
            };
            self.flat.given.push((
                index,
                Given {
                    raw,
                    origin,
                    warns: false,
                },
            ));
        } else {
            let plain = || match value {
                DeValue::Table(table) if takes.types.contains(&Type::Table) => {
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
                DeValue::Array(_) if takes.array => "an array with an item of another type",
                DeValue::Table(_) if takes.types.contains(&Type::Table) => {
                    "a table with a value of another type"
                }
                other => a(other),
            };
            let advice = format!(
                "{wrong}; write {}, such as `{}`",
                wanted(takes),
                takes.example
            );
            self.push(setting.key, &shown, line, &advice);
        }
    }

    /// The parser's message holds no text of the file; the line itself is not shown, since a secret
    /// may stand there.
    fn syntax(&mut self, error: &toml::de::Error) {
        let at = error.span().map_or(self.text.len(), |span| span.start);
        let before = self.text.get(..at).unwrap_or(self.text);
        let start = before.rfind('\n').map_or(0, |end| end + 1);
        let column = 1 + before.get(start..).unwrap_or_default().chars().count();
        let written = self.text.get(start..).unwrap_or_default();
        let written = written.split(['=', '#', '\n']).next().unwrap_or_default();
        let key = known(written.trim().trim_matches(['[', ']'])).unwrap_or("file");
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
        if self.flat.problems.len() == MOST_PROBLEMS {
            self.flat.left_out += 1;
            return;
        }
        let origin = Origin::File {
            path: self.path.to_owned(),
            line,
        };
        self.flat
            .problems
            .push(problem(key, shown, &origin, advice));
    }
}

/// The key that the beginning of a line names, by itself or by its last part. Another text is not
/// repeated: it may be a piece of a secret.
fn known(written: &str) -> Option<&'static str> {
    keys().find(|key| *key == written || key.rsplit('.').next() == Some(written))
}

/// The value as a form reads it; `None` where its type is another.
fn raw(value: &DeValue<'_>, takes: Takes) -> Option<Raw> {
    let one = |value: &DeValue<'_>| {
        takes
            .types
            .contains(&type_of(value)?)
            .then(|| scalar(value))
    };
    match value {
        DeValue::Table(table) if takes.types.contains(&Type::Table) => {
            let mut items = Vec::new();
            entries(table, "", &mut items)?;
            // The map is sorted by key; of two names of one histogram, the one written last holds.
            items.sort_by_key(|(start, _)| *start);
            Some(Raw::Many(items.into_iter().map(|(_, item)| item).collect()))
        }
        DeValue::Array(items) if takes.array => {
            let items = items.iter().map(|item| one(item.get_ref()));
            items.collect::<Option<_>>().map(Raw::Many)
        }
        _ if takes.array => None,
        other => one(other).map(Raw::One),
    }
}

/// The entries of a table as `name=value`, each with its place in the file; numbers of an array are separated by spaces.
/// A name that is not quoted lies in tables, one for each of its dots.
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

/// The first entry of a table whose value is of another type than [`entries`] takes.
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

/// A value as TOML, at most 40 characters of it; `None` for one that may hold a secret.
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

fn type_of(value: &DeValue<'_>) -> Option<Type> {
    match value {
        DeValue::String(_) => Some(Type::String),
        DeValue::Integer(_) => Some(Type::Integer),
        DeValue::Float(_) => Some(Type::Float),
        DeValue::Boolean(_) => Some(Type::Boolean),
        _ => None,
    }
}

fn scalar(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => text.clone().into_owned(),
        // Hexadecimal and the like as a plain number.
        DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
            .map_or_else(|_| integer.to_string(), |value| value.to_string()),
        DeValue::Float(float) => float.to_string(),
        DeValue::Boolean(on) => on.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(_) | DeValue::Table(_) => String::new(),
    }
}

/// The type of a value with its article.
fn a(value: &DeValue<'_>) -> &'static str {
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

fn wanted(takes: Takes) -> &'static str {
    match (takes.array, takes.types.first()) {
        _ if takes.types.contains(&Type::Table) => {
            "a table of arrays of numbers, `off` and `default`"
        }
        (true, Some(Type::Integer)) => "an array of integers",
        (true, _) => "an array of strings",
        (false, Some(Type::Integer)) => "an integer",
        (false, Some(Type::Float)) => "a number",
        (false, Some(Type::Boolean)) => "`true` or `false` without quotes",
        (false, _) => "a string",
    }
}

/// The number of the line that a text ends in.
fn lines_in(text: &[u8]) -> usize {
    text.split(|byte| *byte == b'\n').count()
}
