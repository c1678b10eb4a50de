use std::time::Duration;

use super::{RawValue, TomlShape, TomlType, ValueParser, is_short_number, quoted};

/// Units in descending order, in nanoseconds.
const UNITS: [(&str, u64); 7] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// A duration in an inclusive range: `250ms`, `5s`, `2m`, `1h30m`.
pub(in crate::config) struct DurationParser {
    pub(in crate::config) min: Duration,
    pub(in crate::config) max: Duration,
}

impl ValueParser for DurationParser {
    type Value = Duration;

    fn toml_shape(&self) -> TomlShape {
        TomlShape {
            // An integer is accepted here, so that the message can explain that its unit is missing.
            types: &[TomlType::String, TomlType::Integer],
            array: false,
            example: "\"5s\"",
        }
    }

    fn parse(&self, raw: &RawValue) -> Result<Duration, String> {
        let line = raw.line();
        let text = line.trim();
        if is_short_number(text) {
            return Err(format!("a unit is missing; write `{text}s` or `{text}ms`"));
        }
        parse(text).ok_or_else(|| {
            "not a duration; write numbers with units from d, h, m, s, ms, us and ns, such as `250ms`, `5s` or `1h30m`"
                .to_owned()
        })
    }

    fn validate(&self, value: Duration) -> Result<Duration, String> {
        if value < self.min || value > self.max {
            return Err(format!("outside the range; write {}", self.describe()));
        }
        Ok(value)
    }

    fn print(&self, value: &Duration) -> Option<String> {
        Some(quoted(&text(*value)))
    }

    fn describe(&self) -> String {
        format!(
            "a duration from `{}` to `{}`",
            text(self.min),
            text(self.max)
        )
    }
}

/// Parses numbers with units in descending order, each unit at most once.
fn parse(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total: u64 = 0;
    let mut units = UNITS.iter();
    while !rest.is_empty() || total == 0 && rest.len() == text.len() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, behind) = rest.split_at_checked(digits)?;
        let letters = behind.len()
            - behind
                .trim_start_matches(|c: char| c.is_ascii_alphabetic())
                .len();
        let (unit, behind) = behind.split_at_checked(letters)?;
        // The search continues after the matched unit, so that no unit occurs twice.
        let (_, nanos) = units.find(|(name, _)| *name == unit)?;
        let part = number.parse::<u64>().ok()?.checked_mul(*nanos)?;
        total = total.checked_add(part)?;
        rest = behind;
    }
    Some(Duration::from_nanos(total))
}

fn text(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    if rest == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (unit, nanos) in UNITS {
        if rest >= nanos {
            text += &format!("{}{unit}", rest / nanos);
            rest %= nanos;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_they_print() {
        for (written, millis) in [
            ("0s", 0),
            ("250ms", 250),
            ("5s", 5_000),
            ("2m", 120_000),
            ("1h30m", 5_400_000),
            ("1d", 86_400_000),
            ("1h1ms", 3_600_001),
        ] {
            assert_eq!(parse(written), Some(Duration::from_millis(millis)));
            assert_eq!(text(Duration::from_millis(millis)), written);
        }
        assert_eq!(parse("90s"), Some(Duration::from_secs(90)));
        for nanos in [1, 1_000, 1_500, 500_000, 1_000_001] {
            let duration = Duration::from_nanos(nanos);
            assert_eq!(parse(&text(duration)), Some(duration));
        }
        assert_eq!(text(Duration::from_micros(1_500)), "1ms500us");
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in [
            "",
            "s",
            "5",
            "5 s",
            "1.5s",
            "-5s",
            "5S",
            "5sec",
            "5s5s",
            "30m1h",
            "5µs",
            "99999999999999999999s",
            "584542046091d",
            "1h30",
            "+5s",
            "ä",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
