//! Dates and times in messages.

use super::patterns::{digit_run, run};
use super::position::At;

const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const LONG_DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
const ZONES: [&str; 10] = [
    "GMT", "UTC", "EST", "EDT", "CST", "CDT", "MST", "PST", "PDT", "Z",
];

/// Forms with names. `W` is a day of the week, `M` a month, `9` a digit, `n` one or two digits, `y` two or four digits, `t`
/// a time with optional seconds, `z` a time zone, and a space any spaces.
const NAMED: [&str; 8] = [
    "W, n M y t z",
    "W, 99-M-99 t z",
    "W M 99 9999 t GMTz",
    "W M n t 9999",
    "W M n, y",
    "M n t 9999",
    "M n, y",
    "n M 9999 t z",
];

/// The length of a date, of a time or of both.
pub(super) fn date(at: At<'_>) -> Option<usize> {
    if at.rest.starts_with(|char: char| char.is_ascii_digit()) {
        // A time within a longer number is none.
        if at.before.is_some_and(|char| char.is_ascii_digit()) {
            return None;
        }
        return date_time(at.rest)
            .or_else(|| time(at.rest, true))
            .or_else(|| named(at.rest));
    }
    if !at.is_word_start() {
        return None;
    }
    named(at.rest)
}

/// `2026-11-30`, also with a time, whose separators may be missing.
fn date_time(text: &str) -> Option<usize> {
    let dashed = form(text, "9999-99-99");
    let compact = || form(text, "99999999").filter(|len| digit_run(text) == *len);
    let date = dashed.or_else(compact)?;
    let month = text
        .get(..date)?
        .trim_start_matches(|char: char| char != '-');
    let month = month.strip_prefix('-').or_else(|| text.get(4..));
    // No month begins with another digit.
    if !month?.starts_with(['0', '1']) {
        return None;
    }
    let rest = text.get(date..).unwrap_or_default();
    let with_time = rest.starts_with(['T', ' ']).then(|| {
        let clock = rest.get(1..).unwrap_or_default();
        let len = time(clock, false).or_else(|| compact_time(clock))?;
        let after = clock.get(len..).unwrap_or_default();
        Some(1 + len + fraction(after) + offset(after.get(fraction(after)..).unwrap_or_default()))
    });
    match with_time.flatten() {
        Some(len) => Some(date + len),
        None => dashed,
    }
}

/// `15:04` or `15:04:05`, and with AM or PM where these are allowed.
fn time(text: &str, is_alone: bool) -> Option<usize> {
    let hour = digit_run(text);
    let is_hour =
        (1..=2).contains(&hour) && text.get(..hour)?.parse::<u8>().is_ok_and(|it| it < 24);
    let minute = form(text.get(hour..)?, ":99").filter(|_| is_hour)?;
    let mut len = hour + minute;
    let is_minute = text.get(hour + 1..len)?.starts_with(|char| char < '6');
    len += form(text.get(len..)?, ":99").unwrap_or_default();
    let rest = text.get(len..).unwrap_or_default();
    let is_longer = rest.starts_with(|char: char| char.is_ascii_digit() || char == ':');
    if !is_minute || is_longer {
        return None;
    }
    if is_alone {
        let word = rest.strip_prefix(' ').unwrap_or(rest);
        let has_half = word
            .get(..2)
            .is_some_and(|it| it.eq_ignore_ascii_case("am") || it.eq_ignore_ascii_case("pm"))
            && !word
                .get(2..)
                .unwrap_or_default()
                .starts_with(char::is_alphanumeric);
        if has_half {
            len += rest.len() - word.len() + 2;
        }
    }
    Some(len)
}

/// `1504` or `150405`.
fn compact_time(text: &str) -> Option<usize> {
    let len = digit_run(text);
    let is_time = text.starts_with(['0', '1', '2']) && (len == 4 || len == 6);
    is_time.then_some(len)
}

/// The length of `.123` or `,123`, or 0.
fn fraction(text: &str) -> usize {
    match text.strip_prefix(['.', ',']).map_or(0, digit_run) {
        0 => 0,
        digits => 1 + digits,
    }
}

/// The length of `Z`, `+01:00` or `+0100`, or 0.
fn offset(text: &str) -> usize {
    if text.starts_with('Z') {
        return 1;
    }
    let Some(rest) = text.strip_prefix(['+', '-']) else {
        return 0;
    };
    let len = form(rest, "99:99").or_else(|| form(rest, "9999"));
    len.map_or(0, |len| 1 + len)
}

fn named(text: &str) -> Option<usize> {
    NAMED.iter().find_map(|named| form(text, named))
}

/// The length of the text at the start that has this form.
fn form(text: &str, form: &str) -> Option<usize> {
    let mut len = 0;
    for code in form.chars() {
        let rest = text.get(len..)?;
        len += match code {
            '9' => rest
                .starts_with(|char: char| char.is_ascii_digit())
                .then_some(1)?,
            'n' => Some(digit_run(rest)).filter(|len| (1..=2).contains(len))?,
            'y' => Some(digit_run(rest)).filter(|len| *len == 2 || *len == 4)?,
            'W' => name(rest, &LONG_DAYS).or_else(|| name(rest, &DAYS))?,
            'M' => name(rest, &MONTHS)?,
            't' => time(rest, false)?,
            'z' => name(rest, &ZONES).or(Some(offset(rest)).filter(|len| *len > 0))?,
            ' ' => Some(run(rest, |byte| byte == b' ')).filter(|len| *len > 0)?,
            literal => rest.starts_with(literal).then_some(literal.len_utf8())?,
        };
    }
    Some(len)
}

fn name(text: &str, names: &[&str]) -> Option<usize> {
    names
        .iter()
        .find(|name| text.starts_with(**name))
        .map(|name| name.len())
}
