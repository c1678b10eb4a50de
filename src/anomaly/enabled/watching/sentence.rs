//! Values and anomalies in plain words.

use std::fmt::Write as _;
use std::time::Duration;

use super::anomaly::{AnomalyState, WatchedFigure};
use crate::anomaly::AnomalyKind;

const KIB: f64 = 1024.0;
const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// The unit in which values are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ValueUnit {
    Seconds,
    Bytes,
    /// Of 1.
    Share,
    PerSecond,
    Number,
}

/// What a report says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told<'a> {
    pub(super) name: &'a str,
    pub(super) unit: ValueUnit,
    pub(super) value: f64,
    pub(super) expected: f64,
    pub(super) lower: f64,
    pub(super) upper: f64,
    pub(super) kind: AnomalyKind,
    pub(super) upward: bool,
    /// Whether the hour of the day is known, so that the band is that of this hour.
    pub(super) knows_hours: bool,
}

impl ValueUnit {
    /// The unit of a figure of a metric, which its exposed name ends in.
    pub(super) fn of(metric: &str, figure: WatchedFigure) -> Self {
        match figure {
            WatchedFigure::Rate => Self::PerSecond,
            WatchedFigure::Share => Self::Share,
            _ if metric.ends_with("_seconds") => Self::Seconds,
            _ if metric.ends_with("_bytes") => Self::Bytes,
            _ if metric.ends_with("_ratio") => Self::Share,
            _ => Self::Number,
        }
    }

    /// The factor from the values of a metric to a size of unit that fits `value`, and the name of that size.
    fn scale(self, value: f64) -> (f64, &'static str) {
        match self {
            Self::Seconds if value >= 60.0 => (1.0 / 60.0, " min"),
            Self::Seconds if value >= 0.1 => (1.0, " s"),
            Self::Seconds => (1e3, " ms"),
            Self::Bytes if value >= KIB * KIB * KIB => (1.0 / (KIB * KIB * KIB), " GiB"),
            Self::Bytes if value >= KIB * KIB => (1.0 / (KIB * KIB), " MiB"),
            Self::Bytes if value >= KIB => (1.0 / KIB, " KiB"),
            Self::Bytes => (1.0, " bytes"),
            Self::Share => (100.0, " %"),
            Self::PerSecond if value >= 1.0 => (1.0, " a second"),
            Self::PerSecond => (60.0, " a minute"),
            Self::Number => (1.0, ""),
        }
    }

    /// Whether a value below zero makes no sense.
    fn is_positive(self) -> bool {
        !matches!(self, Self::Number)
    }
}

/// The begin of an anomaly.
pub(super) fn of_begin(told: &Told<'_>) -> String {
    let Told {
        name, unit, value, ..
    } = *told;
    let (factor, size) = unit.scale(value.abs());
    let is = format!("{}{size}", number(value * factor));
    let usual = usual(told);
    match told.kind {
        AnomalyKind::Silence => format!("{name} has stopped, {usual}"),
        AnomalyKind::Variance => {
            let how = if told.upward { "more" } else { "less" };
            format!("{name} varies {how} than usual: it is {is}, {usual}")
        }
        AnomalyKind::Spike | AnomalyKind::Shift => {
            within_band(told).unwrap_or_else(|| format!("{name} is {is}, {usual}"))
        }
    }
}

/// The begin of an anomaly whose value is normal by itself: it has jumped, or it stays away from the expected value. `None`
/// if the value is outside of the band.
fn within_band(told: &Told<'_>) -> Option<String> {
    let Told {
        name,
        unit,
        value,
        expected,
        upward,
        ..
    } = *told;
    if !expected.is_finite() || !(told.lower..=told.upper).contains(&value) {
        return None;
    }
    let text = |value: f64| {
        let (factor, size) = unit.scale(value.abs());
        format!("{}{size}", number(value * factor))
    };
    let (is, around) = (text(value), text(expected));
    let hour = at_this_hour(told);
    Some(if is == around {
        let how = if upward { "above" } else { "below" };
        format!("{name} is slightly {how} {around}, its usual value{hour}")
    } else if told.kind == AnomalyKind::Spike {
        format!("{name} has jumped to {is}, usually around {around}{hour}")
    } else {
        format!("{name} stays at {is}, usually around {around}{hour}")
    })
}

fn at_this_hour(told: &Told<'_>) -> &'static str {
    if told.knows_hours {
        " at this hour"
    } else {
        ""
    }
}

/// The end of an anomaly. The values are those of its end, and the band is that of its begin.
pub(super) fn of_end(told: &Told<'_>, state: AnomalyState, after: Duration) -> String {
    let Told {
        name, unit, value, ..
    } = *told;
    let (factor, size) = unit.scale(value.abs());
    let is = format!("{}{size}", number(value * factor));
    let gone = of_gone(name, after);
    let after = length(after);
    match state {
        AnomalyState::Began | AnomalyState::Back => {
            format!("{name} is back to {is} after {after}")
        }
        AnomalyState::Settled => {
            let usual = usual(told);
            format!("{name} has settled on {is} after {after}; before, it was {usual}")
        }
        AnomalyState::Gone => gone,
        AnomalyState::Rejudged => {
            format!("{name} is judged by other settings from now on, after {after}")
        }
    }
}

/// The end of an anomaly whose series is not watched any more.
pub(super) fn of_gone(name: &str, after: Duration) -> String {
    format!("{name} is not watched any more, after {}", length(after))
}

/// The band of normal values: `usually 0.2 to 0.4 s at this hour`.
fn usual(told: &Told<'_>) -> String {
    let unit = told.unit;
    let lower = if unit.is_positive() {
        told.lower.max(0.0)
    } else {
        told.lower
    };
    let (factor, size) = unit.scale(told.upper.abs());
    let mut text = match (lower.is_finite(), told.upper.is_finite()) {
        (true, true) => {
            let (low, high) = (number(lower * factor), number(told.upper * factor));
            if low == high {
                format!("usually {high}{size}")
            } else {
                format!("usually {low} to {high}{size}")
            }
        }
        (false, true) => format!("usually up to {}{size}", number(told.upper * factor)),
        (true, false) => {
            let (factor, size) = unit.scale(lower.abs());
            format!("usually {}{size} and more", number(lower * factor))
        }
        (false, false) => "which is unusual".to_owned(),
    };
    text.push_str(at_this_hour(told));
    text
}

/// Two digits that count, or whole numbers where those are more.
fn number(value: f64) -> String {
    if !value.is_finite() {
        return "unlimited".to_owned();
    }
    let size = value.abs();
    let decimals = match size {
        _ if !(1e-9..10.0).contains(&size) => 0,
        _ if size >= 1.0 => 1,
        _ if size >= 0.1 => 2,
        _ => 3,
    };
    let mut text = String::new();
    let _infallible = write!(text, "{value:.decimals$}");
    if decimals > 0 {
        let len = text.trim_end_matches('0').trim_end_matches('.').len();
        text.truncate(len);
    }
    if text == "-0" { "0".to_owned() } else { text }
}

/// A duration: `40 s`, `12 min`, `3 h`, `2 days`.
fn length(duration: Duration) -> String {
    match duration.as_secs() {
        secs @ 0..MINUTE => format!("{secs} s"),
        secs @ MINUTE..HOUR => format!("{} min", (secs + MINUTE / 2) / MINUTE),
        secs @ HOUR..DAY => format!("{} h", (secs + HOUR / 2) / HOUR),
        secs => format!("{} days", (secs + DAY / 2) / DAY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(unit: ValueUnit, value: f64, lower: f64, upper: f64) -> Told<'static> {
        Told {
            name: "p95 of GET /api/content",
            unit,
            value,
            expected: f64::midpoint(lower, upper),
            lower,
            upper,
            kind: AnomalyKind::Shift,
            upward: true,
            knows_hours: true,
        }
    }

    #[test]
    fn a_begin_is_one_sentence() {
        let slow = told(ValueUnit::Seconds, 1.93, 0.2, 0.4);
        let sentence = "p95 of GET /api/content is 1.9 s, usually 0.2 to 0.4 s at this hour";
        assert_eq!(of_begin(&slow), sentence);
        let silent = Told {
            kind: AnomalyKind::Silence,
            knows_hours: false,
            ..told(ValueUnit::PerSecond, 0.0, 0.05, 0.2)
        };
        let sentence = "p95 of GET /api/content has stopped, usually 3 to 12 a minute";
        assert_eq!(of_begin(&silent), sentence);
        let varied = Told {
            kind: AnomalyKind::Variance,
            name: "memory",
            ..told(ValueUnit::Bytes, 3.0e9, -1.0, 2.5e9)
        };
        let sentence =
            "memory varies more than usual: it is 2.8 GiB, usually 0 to 2.3 GiB at this hour";
        assert_eq!(of_begin(&varied), sentence);
    }

    #[test]
    fn a_value_within_the_band_is_not_said_to_be_outside() {
        let shift = told(ValueUnit::Seconds, 0.38, 0.2, 0.4);
        let sentence = "p95 of GET /api/content stays at 0.38 s, usually around 0.3 s at this hour";
        assert_eq!(of_begin(&shift), sentence);
        let jump = Told {
            kind: AnomalyKind::Spike,
            knows_hours: false,
            ..shift
        };
        let sentence = "p95 of GET /api/content has jumped to 0.38 s, usually around 0.3 s";
        assert_eq!(of_begin(&jump), sentence);
        let small = told(ValueUnit::Number, 20.2, 15.0, 25.0);
        let sentence = "p95 of GET /api/content is slightly above 20, its usual value at this hour";
        assert_eq!(of_begin(&small), sentence);
    }

    #[test]
    fn an_end_says_how_it_ended_and_after_how_long() {
        let end = told(ValueUnit::Share, 0.052, 0.0, 0.01);
        let minutes = Duration::from_secs(12 * 60 + 3);
        let sentence = "p95 of GET /api/content is back to 5.2 % after 12 min";
        assert_eq!(of_end(&end, AnomalyState::Back, minutes), sentence);
        let settled = of_end(&end, AnomalyState::Settled, Duration::from_secs(7300));
        let sentence = "p95 of GET /api/content has settled on 5.2 % after 2 h; before, it was usually 0 to 1 % at this hour";
        assert_eq!(settled, sentence);
    }

    #[test]
    fn numbers_have_two_digits_that_count() {
        let texts = [0.0, 0.0123, 0.123, 1.0, 1.26, 12.7, 1234.5].map(number);
        assert_eq!(texts, ["0", "0.012", "0.12", "1", "1.3", "13", "1234"]);
    }
}
