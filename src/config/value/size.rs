use super::number::{IntegerError, parse_integer};
use super::{RawValue, TomlShape, TomlType, ValueParser, quoted};

/// Units in descending order, in bytes. Values are printed with the binary units.
const UNITS: [(&str, u64); 7] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

/// A number of bytes in an inclusive range: `8MiB`, `500kB`, `4096`.
pub(in crate::config) struct SizeParser {
    pub(in crate::config) min: usize,
    pub(in crate::config) max: usize,
}

impl ValueParser for SizeParser {
    type Value = usize;

    fn toml_shape(&self) -> TomlShape {
        TomlShape {
            types: &[TomlType::String, TomlType::Integer, TomlType::Float],
            array: false,
            example: "\"8MiB\"",
        }
    }

    fn parse(&self, raw: &RawValue) -> Result<usize, String> {
        let line = raw.line();
        let value = parse(line.trim()).map_err(|wrong| {
            let what = match wrong {
                IntegerError::NotANumber => "not a size",
                IntegerError::Fraction => "a fraction and not a size",
            };
            format!("{what}; write a whole number of bytes, or one with a unit from kB, MB, GB, KiB, MiB and GiB, such as `8MiB`")
        })?;
        value
            .and_then(|value| usize::try_from(value).ok())
            .ok_or_else(|| self.outside())
    }

    fn validate(&self, value: usize) -> Result<usize, String> {
        if (self.min..=self.max).contains(&value) {
            Ok(value)
        } else {
            Err(self.outside())
        }
    }

    fn print(&self, value: &usize) -> Option<String> {
        Some(text(*value)).map(|text| match text.parse::<u64>() {
            Ok(_) => text,
            Err(_) => quoted(&text),
        })
    }

    fn describe(&self) -> String {
        format!("a size from `{}` to `{}`", text(self.min), text(self.max))
    }
}

impl SizeParser {
    fn outside(&self) -> String {
        format!("outside the range; write {}", self.describe())
    }
}

/// Parses a size in bytes; `None` if it is larger than a `u64`.
fn parse(text: &str) -> Result<Option<u64>, IntegerError> {
    // The longest matching unit is used, because the other units also end in `B`.
    let units = UNITS
        .iter()
        .filter_map(|(unit, bytes)| Some((text.strip_suffix(unit)?, *bytes)));
    let (number, bytes) = units
        .min_by_key(|(number, _)| number.len())
        .unwrap_or((text, 1));
    Ok(parse_integer(number)?.and_then(|number| number.checked_mul(bytes)))
}

fn text(bytes: usize) -> String {
    let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
    let unit = UNITS
        .iter()
        .take(3)
        .find(|(_, size)| bytes > 0 && bytes.is_multiple_of(*size));
    match unit {
        Some((name, size)) => format!("{}{name}", bytes / size),
        None => bytes.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_they_print() {
        for (written, bytes) in [
            ("8MiB", 8 << 20),
            ("1GiB", 1 << 30),
            ("3KiB", 3072),
            ("500000", 500_000),
            ("0", 0),
        ] {
            assert_eq!(parse(written), Ok(Some(bytes)));
            assert_eq!(text(usize::try_from(bytes).unwrap()), written);
        }
        assert_eq!(parse("500kB"), Ok(Some(500_000)));
        assert_eq!(parse("2GB"), Ok(Some(2_000_000_000)));
        assert_eq!(parse("1.5e1MiB"), Ok(Some(15 << 20)));
        assert_eq!(parse("99999999999GiB"), Ok(None));
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in [
            "", "MiB", "8M", "8 MiB", "8mib", "-1", "1.5MiB", "0x10", "1_000",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }
}
