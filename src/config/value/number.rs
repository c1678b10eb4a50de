use std::fmt::Display;

use super::{RawValue, TomlShape, TomlType, ValueParser};

/// `true` or `false`.
pub(in crate::config) struct BoolParser;

impl ValueParser for BoolParser {
    type Value = bool;

    fn toml_shape(&self) -> TomlShape {
        TomlShape {
            types: &[TomlType::Boolean],
            array: false,
            example: "true",
        }
    }

    fn parse(&self, raw: &RawValue) -> Result<bool, String> {
        match raw.line().trim().to_ascii_lowercase().as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err("not a switch; write `true` or `false`".to_owned()),
        }
    }

    fn validate(&self, value: bool) -> Result<bool, String> {
        Ok(value)
    }

    fn print(&self, value: &bool) -> Option<String> {
        Some(value.to_string())
    }

    fn describe(&self) -> String {
        "`true` or `false`".to_owned()
    }
}

/// A ratio from 0 to 1.
pub(in crate::config) struct RatioParser;

impl ValueParser for RatioParser {
    type Value = f64;

    fn toml_shape(&self) -> TomlShape {
        TomlShape {
            types: &[TomlType::Float, TomlType::Integer, TomlType::String],
            array: false,
            example: "0.1",
        }
    }

    fn parse(&self, raw: &RawValue) -> Result<f64, String> {
        let line = raw.line();
        let text = line.trim();
        // A minus sign is valid only in the exponent; words such as `inf` are not ratios.
        let unsigned = text.strip_prefix('+').unwrap_or(text);
        let is_number = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.');
        unsigned
            .parse::<f64>()
            .ok()
            .filter(|_| is_number)
            .ok_or_else(|| self.not_a_ratio())
    }

    fn validate(&self, value: f64) -> Result<f64, String> {
        if (0.0..=1.0).contains(&value) {
            Ok(value)
        } else {
            Err(self.not_a_ratio())
        }
    }

    fn print(&self, value: &f64) -> Option<String> {
        Some(value.to_string())
    }

    fn describe(&self) -> String {
        "a number from 0 to 1, such as `0.1`".to_owned()
    }
}

impl RatioParser {
    fn not_a_ratio(&self) -> String {
        format!("not a share; write {}", self.describe())
    }
}

/// A number in an inclusive range of numbers above zero.
pub(in crate::config) struct RealParser {
    pub(in crate::config) min: f64,
    pub(in crate::config) max: f64,
}

impl ValueParser for RealParser {
    type Value = f64;

    fn toml_shape(&self) -> TomlShape {
        TomlShape {
            types: &[TomlType::Float, TomlType::Integer, TomlType::String],
            array: false,
            example: "1.5",
        }
    }

    fn parse(&self, raw: &RawValue) -> Result<f64, String> {
        let line = raw.line();
        let text = line.trim();
        let unsigned = text.strip_prefix('+').unwrap_or(text);
        // Words such as `inf` are not numbers here.
        let is_number = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.');
        let number = unsigned.parse::<f64>().ok().filter(|_| is_number);
        number.ok_or_else(|| format!("not a number; write {}", self.describe()))
    }

    fn validate(&self, value: f64) -> Result<f64, String> {
        if (self.min..=self.max).contains(&value) {
            Ok(value)
        } else {
            Err(format!("outside the range; write {}", self.describe()))
        }
    }

    fn print(&self, value: &f64) -> Option<String> {
        Some(value.to_string())
    }

    fn describe(&self) -> String {
        format!("a number from {} to {}", self.min, self.max)
    }
}

/// A whole number in an inclusive range.
pub(in crate::config) struct IntegerParser<T> {
    pub(in crate::config) min: T,
    pub(in crate::config) max: T,
}

impl<T: Copy + Display + PartialOrd + TryFrom<u64> + Sync> ValueParser for IntegerParser<T> {
    type Value = T;

    fn toml_shape(&self) -> TomlShape {
        INTEGER_SHAPE
    }

    fn parse(&self, raw: &RawValue) -> Result<T, String> {
        let number = unsigned(raw).map_err(|what| self.bad(what))?;
        number
            .and_then(|number| T::try_from(number).ok())
            .ok_or_else(|| self.bad("outside the range"))
    }

    fn validate(&self, value: T) -> Result<T, String> {
        if (self.min..=self.max).contains(&value) {
            Ok(value)
        } else {
            Err(self.bad("outside the range"))
        }
    }

    fn print(&self, value: &T) -> Option<String> {
        Some(value.to_string())
    }

    fn describe(&self) -> String {
        format!("a whole number from {} to {}", self.min, self.max)
    }
}

impl<T: Copy + Display + PartialOrd + TryFrom<u64> + Sync> IntegerParser<T> {
    fn bad(&self, what: &str) -> String {
        format!("{what}; write {}", self.describe())
    }
}

/// A whole number from 0 to a maximum. A larger number is replaced by the maximum, with a warning.
pub(in crate::config) struct CappedParser {
    pub(in crate::config) max: u32,
}

impl ValueParser for CappedParser {
    type Value = u32;

    fn toml_shape(&self) -> TomlShape {
        INTEGER_SHAPE
    }

    fn parse(&self, raw: &RawValue) -> Result<u32, String> {
        let number = unsigned(raw).map_err(|what| format!("{what}; write {}", self.describe()))?;
        let number = number.and_then(|number| u32::try_from(number).ok());
        Ok(number.unwrap_or(u32::MAX))
    }

    fn validate(&self, value: u32) -> Result<u32, String> {
        Ok(value)
    }

    fn cap(&self, value: &mut u32) -> Option<String> {
        let max = self.max;
        (*value > max).then(|| {
            *value = max;
            format!("above the maximum, so {max} is used; write at most {max}")
        })
    }

    fn print(&self, value: &u32) -> Option<String> {
        Some(value.to_string())
    }

    fn describe(&self) -> String {
        format!(
            "a whole number from 0 to {0}; a larger one counts as {0}",
            self.max
        )
    }
}

/// Integers, and TOML's floats for those with an exponent.
const INTEGER_SHAPE: TomlShape = TomlShape {
    types: &[TomlType::Integer, TomlType::Float],
    array: false,
    example: "100",
};

/// Parses a number; `None` if it is larger than a `u64`.
fn unsigned(raw: &RawValue) -> Result<Option<u64>, &'static str> {
    let line = raw.line();
    let text = line.trim();
    let (digits, is_negative) = match text.strip_prefix('-') {
        Some(digits) => (digits, true),
        None => (text, false),
    };
    match parse_integer(digits) {
        Err(wrong) => Err(wrong.as_str()),
        Ok(_) if is_negative => Err("negative"),
        Ok(number) => Ok(number),
    }
}

/// The reason why a text is not a whole number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IntegerError {
    NotANumber,
    Fraction,
}

impl IntegerError {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::NotANumber => "not a whole number",
            Self::Fraction => "a fraction and not a whole number",
        }
    }
}

/// Parses a whole number in digits (`1000000`) or with an exponent (`1e6`, `1.5E+3`); `None` if it is larger than a
/// `u64`. The arithmetic is exact. A decimal point requires an exponent.
pub(super) fn parse_integer(text: &str) -> Result<Option<u64>, IntegerError> {
    let are_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else {
        let (number, fraction) = text.split_once('.').unwrap_or((text, ""));
        let is_fraction = are_digits(number) && are_digits(fraction);
        if is_fraction && fraction.contains(|c| c != '0') {
            return Err(IntegerError::Fraction);
        }
        return match !text.is_empty() && are_digits(text) {
            true => Ok(text.parse().ok()),
            false => Err(IntegerError::NotANumber),
        };
    };
    let (number, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let (negative, exponent) = match exponent.strip_prefix('-') {
        Some(exponent) => (true, exponent),
        None => (false, exponent.strip_prefix('+').unwrap_or(exponent)),
    };
    let is_number = are_digits(number) && are_digits(fraction) && are_digits(exponent);
    if !is_number || number.len() + fraction.len() == 0 || exponent.is_empty() {
        return Err(IntegerError::NotANumber);
    }
    // The number is `digits`, shifted by `shift` decimal places.
    let digits = format!("{number}{fraction}");
    let significant = digits.trim_start_matches('0').trim_end_matches('0');
    if significant.is_empty() {
        return Ok(Some(0));
    }
    let zeros = digits.len() - digits.trim_end_matches('0').len();
    // An exponent that does not fit is replaced by one that exceeds the length of any text.
    let exponent = exponent.parse().unwrap_or(i64::MAX / 2).min(i64::MAX / 2);
    let exponent = if negative { -exponent } else { exponent };
    let places = i64::try_from(zeros).unwrap_or(i64::MAX / 4)
        - i64::try_from(fraction.len()).unwrap_or(i64::MAX / 4);
    let shift = u32::try_from(exponent.saturating_add(places).min(100))
        .map_err(|_| IntegerError::Fraction)?;
    let significant = significant.parse::<u64>().ok();
    Ok(significant.and_then(|it| it.checked_mul(10_u64.checked_pow(shift)?)))
}
