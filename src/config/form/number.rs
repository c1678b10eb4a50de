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
            types: &[Type::Integer],
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
        let number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        let what = if number { what } else { "not a whole number" };
        text.parse::<u64>()
            .ok()
            .filter(|_| number)
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
