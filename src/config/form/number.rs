use std::fmt::Display;

use super::{Form, Raw, Takes, Type};

/// `true` or `false`.
pub(in crate::config) struct Switch;

impl Form for Switch {
    type Value = bool;

    fn takes(&self) -> Takes {
        Takes {
            types: &[Type::Boolean],
            array: false,
            example: "true",
        }
    }

    fn read(&self, raw: &Raw) -> Result<bool, String> {
        match raw.line().trim().to_ascii_lowercase().as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err("not a switch; write `true` or `false`".to_owned()),
        }
    }

    fn print(&self, value: &bool) -> Option<String> {
        Some(value.to_string())
    }

    fn describe(&self) -> String {
        "`true` or `false`".to_owned()
    }
}

/// A share from 0 to 1.
pub(in crate::config) struct Ratio;

impl Form for Ratio {
    type Value = f64;

    fn takes(&self) -> Takes {
        Takes {
            types: &[Type::Float, Type::Integer, Type::String],
            array: false,
            example: "0.1",
        }
    }

    fn read(&self, raw: &Raw) -> Result<f64, String> {
        let line = raw.line();
        let text = line.trim();
        // A sign is for the exponent; words such as `inf` are no shares.
        let unsigned = text.strip_prefix('+').unwrap_or(text);
        let number = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.');
        unsigned
            .parse::<f64>()
            .ok()
            .filter(|value| number && (0.0..=1.0).contains(value))
            .ok_or_else(|| format!("not a share; write {}", self.describe()))
    }

    fn print(&self, value: &f64) -> Option<String> {
        Some(value.to_string())
    }

    fn describe(&self) -> String {
        "a number from 0 to 1, such as `0.1`".to_owned()
    }
}

/// A whole number in a range, both ends included.
pub(in crate::config) struct Whole<T> {
    pub(in crate::config) least: T,
    pub(in crate::config) most: T,
}

impl<T: Copy + Display + PartialOrd + TryFrom<u64> + Sync> Form for Whole<T> {
    type Value = T;

    fn takes(&self) -> Takes {
        Takes {
            // TOML's floats, for those with an exponent.
            types: &[Type::Integer, Type::Float],
            array: false,
            example: "100",
        }
    }

    fn read(&self, raw: &Raw) -> Result<T, String> {
        let line = raw.line();
        let text = line.trim();
        let (digits, what) = match text.strip_prefix('-') {
            Some(digits) => (digits, "negative"),
            None => (text, "outside the range"),
        };
        let number = match whole(digits) {
            Ok(number) => number.filter(|_| !text.starts_with('-')),
            Err(wrong) => return Err(format!("{}; write {}", wrong.words(), self.describe())),
        };
        number
            .and_then(|value| T::try_from(value).ok())
            .filter(|value| (self.least..=self.most).contains(value))
            .ok_or_else(|| format!("{what}; write {}", self.describe()))
    }

    fn print(&self, value: &T) -> Option<String> {
        Some(value.to_string())
    }

    fn describe(&self) -> String {
        format!("a whole number from {} to {}", self.least, self.most)
    }
}

/// Why a text is no whole number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotWhole {
    Text,
    Fraction,
}

impl NotWhole {
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Text => "not a whole number",
            Self::Fraction => "a fraction and not a whole number",
        }
    }
}

/// A whole number in digits (`1000000`) or with an exponent (`1e6`, `1.5E+3`); `None` where it is larger than a `u64`.
/// The arithmetic is exact. A decimal point needs an exponent.
pub(super) fn whole(text: &str) -> Result<Option<u64>, NotWhole> {
    let are_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else {
        let (number, fraction) = text.split_once('.').unwrap_or((text, ""));
        let is_fraction = are_digits(number) && are_digits(fraction);
        if is_fraction && fraction.contains(|c| c != '0') {
            return Err(NotWhole::Fraction);
        }
        return match !text.is_empty() && are_digits(text) {
            true => Ok(text.parse().ok()),
            false => Err(NotWhole::Text),
        };
    };
    let (number, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let (negative, exponent) = match exponent.strip_prefix('-') {
        Some(exponent) => (true, exponent),
        None => (false, exponent.strip_prefix('+').unwrap_or(exponent)),
    };
    let is_number = are_digits(number) && are_digits(fraction) && are_digits(exponent);
    if !is_number || number.len() + fraction.len() == 0 || exponent.is_empty() {
        return Err(NotWhole::Text);
    }
    // The number is `digits`, shifted by `shift` decimal places.
    let digits = format!("{number}{fraction}");
    let significant = digits.trim_start_matches('0').trim_end_matches('0');
    if significant.is_empty() {
        return Ok(Some(0));
    }
    let zeros = digits.len() - digits.trim_end_matches('0').len();
    // An exponent of too many digits is larger than any text.
    let exponent = exponent.parse().unwrap_or(i64::MAX / 2).min(i64::MAX / 2);
    let exponent = if negative { -exponent } else { exponent };
    let places = i64::try_from(zeros).unwrap_or(i64::MAX / 4)
        - i64::try_from(fraction.len()).unwrap_or(i64::MAX / 4);
    let shift =
        u32::try_from(exponent.saturating_add(places).min(100)).map_err(|_| NotWhole::Fraction)?;
    let significant = significant.parse::<u64>().ok();
    Ok(significant.and_then(|it| it.checked_mul(10_u64.checked_pow(shift)?)))
}
