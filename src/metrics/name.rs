use std::borrow::Cow;

use metrics_exporter_prometheus::formatting::sanitize_metric_name;

use crate::model::prefix;

/// Bytes of a metric's name that are kept.
const MAX_NAME: usize = 256;

/// What a metric counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Counter,
    Gauge,
    UpDownCounter,
    Histogram,
}

impl Kind {
    /// The word of the `# TYPE` line.
    pub(super) fn type_word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge | Self::UpDownCounter => "gauge",
            Self::Histogram => "histogram",
        }
    }

    /// The word of a sentence.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::UpDownCounter => "up-down counter",
            other => other.type_word(),
        }
    }

    /// What is appended to the family's name, in every sample that the family may write.
    pub(super) fn suffixes(self) -> &'static [&'static str] {
        match self {
            Self::Counter => &["", "_total", "_created"],
            Self::Gauge | Self::UpDownCounter => &[""],
            Self::Histogram => &["", "_bucket", "_count", "_sum", "_created"],
        }
    }
}

/// A metric's name as Prometheus sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    /// The family: without `_total`.
    pub(super) family: String,
    /// The unit's word, where the family ends in it; else empty.
    pub(super) unit: Cow<'static, str>,
    /// Whether the samples of a counter end in `_total`.
    pub(super) total: bool,
}

impl Name {
    /// What the samples of a counter have behind the family's name.
    pub(super) fn counter_suffix(&self) -> &'static str {
        if self.total { "_total" } else { "" }
    }
}

/// The name of a typed metric: OpenTelemetry's in, Prometheus' out, the unit appended.
pub(super) fn typed(raw: &str, kind: Kind, unit: &str) -> Name {
    let mut family = family(raw, kind);
    let unit = unit_word(unit, kind);
    if !unit.is_empty() && !ends_in(&family, &unit) {
        family.push('_');
        family.push_str(&unit);
    }
    Name {
        family,
        unit,
        total: true,
    }
}

/// The name of a metric of the facade, taken as it is written: a description may come at any time
/// and must not rename what is on the page already. A counter gets `_total`, unless `keep` leaves it as it is, too.
pub(super) fn as_written(raw: &str, kind: Kind, unit: &'static str, keep: bool) -> Name {
    // Kept is what the other exporter shows: the name with other characters replaced.
    let total = !keep || sanitize_metric_name(prefix(raw, MAX_NAME)).ends_with("_total");
    let family = family(raw, kind);
    let unit = if ends_in(&family, unit) { unit } else { "" };
    Name {
        family,
        unit: unit.into(),
        total,
    }
}

fn family(raw: &str, kind: Kind) -> String {
    let mut family = sanitize_metric_name(prefix(raw, MAX_NAME));
    if kind == Kind::Counter
        && let Some(stem) = family.strip_suffix("_total")
    {
        family.truncate(stem.len());
    }
    if family.is_empty() {
        family.push('_');
    }
    family
}

fn ends_in(family: &str, unit: &str) -> bool {
    family
        .strip_suffix(unit)
        .is_some_and(|stem| !unit.is_empty() && stem.ends_with('_'))
}

/// Prometheus' word for a unit of [UCUM], as OpenTelemetry writes units.
///
/// [UCUM]: https://opentelemetry.io/docs/specs/semconv/general/metrics/#instrument-units
fn unit_word(unit: &str, kind: Kind) -> Cow<'static, str> {
    match unit.split_once('/') {
        Some((of, per)) => match (plain_word(of), plain_word(per)) {
            (of, per) if per.is_empty() => of,
            (of, per) if of.is_empty() => format!("per_{}", singular(&per)).into(),
            (of, per) => format!("{of}_per_{}", singular(&per)).into(),
        },
        None if unit == "1" && kind == Kind::Gauge => "ratio".into(),
        None => plain_word(unit),
    }
}

fn singular(word: &str) -> &str {
    word.strip_suffix('s').unwrap_or(word)
}

fn plain_word(unit: &str) -> Cow<'static, str> {
    let word = match unit {
        // A number of things, whatever the braces call them.
        "" | "1" => "",
        unit if unit.starts_with('{') => "",
        "d" => "days",
        "h" => "hours",
        "min" => "minutes",
        "s" => "seconds",
        "ms" => "milliseconds",
        "us" => "microseconds",
        "ns" => "nanoseconds",
        "By" => "bytes",
        "KiBy" => "kibibytes",
        "MiBy" => "mebibytes",
        "GiBy" => "gibibytes",
        "TiBy" => "tibibytes",
        "kBy" | "KBy" => "kilobytes",
        "MBy" => "megabytes",
        "GBy" => "gigabytes",
        "TBy" => "terabytes",
        "m" => "meters",
        "V" => "volts",
        "A" => "amperes",
        "J" => "joules",
        "W" => "watts",
        "g" => "grams",
        "Cel" => "celsius",
        "Hz" => "hertz",
        "%" => "percent",
        other => {
            let word = sanitize_metric_name(prefix(other, 32));
            return word.trim_matches('_').to_owned().into();
        }
    };
    word.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_take_prometheus_form() {
        let of = |raw, kind, unit| typed(raw, kind, unit).family;
        assert_eq!(
            of("http.server.request.duration", Kind::Histogram, "s"),
            "http_server_request_duration_seconds"
        );
        assert_eq!(
            of(
                "http.server.active_requests",
                Kind::UpDownCounter,
                "{request}"
            ),
            "http_server_active_requests"
        );
        assert_eq!(of("jobs_total", Kind::Counter, ""), "jobs");
        assert_eq!(of("read.bytes", Kind::Counter, "By"), "read_bytes");
        assert_eq!(of("read", Kind::Counter, "By/s"), "read_bytes_per_second");
        assert_eq!(
            of("cpu.utilization", Kind::Gauge, "1"),
            "cpu_utilization_ratio"
        );
        assert_eq!(of("9 läuse", Kind::Gauge, "furlong"), "__l_use_furlong");
        assert_eq!(of("", Kind::Counter, ""), "_");
        assert_eq!(of("_total", Kind::Counter, ""), "_");
    }

    #[test]
    fn a_facade_name_stays_and_its_unit_shows_where_the_name_ends_in_it() {
        let name = as_written("io.wait_seconds_total", Kind::Counter, "seconds", false);
        assert_eq!(
            (name.family.as_str(), &*name.unit),
            ("io_wait_seconds", "seconds")
        );
        let name = as_written("io.wait", Kind::Counter, "seconds", false);
        assert_eq!((name.family.as_str(), &*name.unit), ("io_wait", ""));
    }
}
