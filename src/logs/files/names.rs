//! The names of the files: `combined.log`, and `combined-2026-11-30-000017.log.gz` once it is closed.

use crate::clock::rfc3339;

pub(super) const MILLIS_PER_DAY: u64 = 86_400_000;

/// The name of the file to which lines are written.
pub(super) fn current_name(stem: &str) -> String {
    format!("{stem}.log")
}

/// The name of a closed file, without the suffix of a compressed one.
pub(super) fn closed_name(stem: &str, day: u64, number: u64) -> String {
    let time = rfc3339(day.saturating_mul(MILLIS_PER_DAY));
    let date = time.split('T').next().unwrap_or_default();
    format!("{stem}-{date}-{number:06}.log")
}

/// The name of the file with the list.
pub(super) fn manifest_name(stem: &str) -> String {
    format!("{stem}.files")
}

/// The number of a closed file, and whether it is compressed; `None` if the name is not ours.
pub(super) fn closed_number(stem: &str, name: &str) -> Option<(u64, bool)> {
    let rest = name.strip_prefix(stem)?.strip_prefix('-')?;
    let (rest, is_compressed) = match rest.strip_suffix(".gz") {
        Some(rest) => (rest, true),
        None => (rest, false),
    };
    let (date, number) = rest.strip_suffix(".log")?.rsplit_once('-')?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
    let is_date = date.split('-').count() == 3 && date.split('-').all(digits);
    let number = number.parse().ok().filter(|_| is_date && digits(number));
    Some((number?, is_compressed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_again_in_its_name() {
        for (day, number, name) in [
            (0, 0, "combined-1970-01-01-000000.log"),
            (20_787, 17, "combined-2026-11-30-000017.log"),
            (20_787, 12_345_678, "combined-2026-11-30-12345678.log"),
        ] {
            assert_eq!(closed_name("combined", day, number), name);
            assert_eq!(closed_number("combined", name), Some((number, false)));
            let compressed = format!("{name}.gz");
            assert_eq!(closed_number("combined", &compressed), Some((number, true)));
        }
        for other in [
            "combined.log",
            "combined.log.1",
            "combined.log-20261130.gz",
            "combined-20261130.log",
            "error-2026-11-30-000017.log",
            "combined-2026-11-30-+17.log",
            "combined-2026-11-30-000017.log.gz.new",
        ] {
            assert_eq!(closed_number("combined", other), None, "{other}");
        }
    }
}
