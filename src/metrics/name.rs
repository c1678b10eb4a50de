use std::borrow::Cow;

use metrics_exporter_prometheus::formatting::sanitize_metric_name;

use crate::model::prefix;

/// The maximum length of a metric's name, in bytes; a longer one is cut.
const MAX_NAME: usize = 256;
/// The maximum length of a name in OpenTelemetry.
const MAX_OTEL_NAME: usize = 255;
/// The maximum length of a unit, in bytes; a longer one is cut.
const MAX_UNIT: usize = 63;

/// The kind of an instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InstrumentKind {
    Counter,
    Gauge,
    UpDownCounter,
    Histogram,
}

impl InstrumentKind {
    /// The type in the `# TYPE` line.
    pub(super) fn type_word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge | Self::UpDownCounter => "gauge",
            Self::Histogram => "histogram",
        }
    }

    /// The name of the kind, for messages.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::UpDownCounter => "up-down counter",
            other => other.type_word(),
        }
    }

    /// The suffixes of all sample names that a family may write.
    pub(super) fn suffixes(self) -> &'static [&'static str] {
        match self {
            Self::Counter => &["", "_total", "_created"],
            Self::Gauge | Self::UpDownCounter => &[""],
            Self::Histogram => &["", "_bucket", "_count", "_sum", "_created"],
        }
    }
}

/// The exposed name of a metric.
#[derive(Debug, Clone)]
pub(super) struct MetricName {
    /// The name of the metric family, without `_total`.
    pub(super) family: String,
    /// The word for the unit if the family's name ends in it, otherwise empty.
    pub(super) unit: Cow<'static, str>,
    /// Whether the sample names of a counter end in `_total`. `true` for all other kinds.
    pub(super) has_total: bool,
    /// The name and the unit in OpenTelemetry's form.
    #[cfg_attr(
        not(feature = "otlp"),
        expect(dead_code, reason = "only a push reads it")
    )]
    pub(super) otel: OtelName,
}

/// The name of a metric as the program writes it, and its unit as OpenTelemetry writes it.
#[derive(Debug, Clone)]
#[cfg_attr(
    not(feature = "otlp"),
    expect(dead_code, reason = "only a push reads it")
)]
pub(crate) struct OtelName {
    pub(crate) name: Box<str>,
    /// A [UCUM] unit; empty if there is none.
    ///
    /// [UCUM]: https://opentelemetry.io/docs/specs/semconv/general/metrics/#instrument-units
    pub(crate) unit: Box<str>,
}

impl OtelName {
    /// `family` replaces an empty name, which OpenTelemetry does not allow.
    fn new(raw: &str, family: &str, unit: &str) -> Self {
        let name = if raw.is_empty() { family } else { raw };
        Self {
            name: prefix(name, MAX_OTEL_NAME).into(),
            unit: prefix(unit, MAX_UNIT).into(),
        }
    }
}

impl MetricName {
    /// The name of the samples, and for a histogram the family's.
    #[cfg(any(feature = "history", feature = "native-histograms", feature = "otlp"))]
    pub(super) fn sample_name(&self, kind: InstrumentKind) -> String {
        let suffix = match kind {
            InstrumentKind::Counter => self.counter_suffix(),
            _ => "",
        };
        format!("{}{suffix}", self.family)
    }

    /// The suffix of a counter's sample names.
    pub(super) fn counter_suffix(&self) -> &'static str {
        if self.has_total { "_total" } else { "" }
    }
}

/// Converts the OpenTelemetry name of a typed instrument to Prometheus' form and appends the unit.
pub(super) fn typed_name(raw: &str, kind: InstrumentKind, unit: &str) -> MetricName {
    let mut family = family_name(raw, kind);
    let otel = OtelName::new(raw, &family, unit);
    let unit = unit_word(unit, kind);
    if !unit.is_empty() && !has_unit_suffix(&family, &unit) {
        family.push('_');
        family.push_str(&unit);
    }
    MetricName {
        family,
        unit,
        has_total: true,
        otel,
    }
}

/// The name of a metric of the facade. It stays as the program writes it: a unit may be described at any time, and must
/// not rename a metric that is exposed already. A counter gets `_total` unless `keep_counter_names` is set.
pub(super) fn facade_name(
    raw: &str,
    kind: InstrumentKind,
    unit: &'static str,
    keep_counter_names: bool,
) -> MetricName {
    // A name that is kept is exposed as metrics-exporter-prometheus exposes it: with invalid characters replaced. Only
    // counters have such names: a gauge or a histogram must compare equal to one that a typed handle has registered.
    let is_kept = keep_counter_names && kind == InstrumentKind::Counter;
    let has_total = !is_kept || sanitize_metric_name(prefix(raw, MAX_NAME)).ends_with("_total");
    let family = family_name(raw, kind);
    let otel = OtelName::new(raw, &family, ucum(unit));
    let unit = if has_unit_suffix(&family, unit) {
        unit
    } else {
        ""
    };
    MetricName {
        family,
        unit: unit.into(),
        has_total,
        otel,
    }
}

fn family_name(raw: &str, kind: InstrumentKind) -> String {
    let mut family = sanitize_metric_name(prefix(raw, MAX_NAME));
    if kind == InstrumentKind::Counter
        && let Some(stem) = family.strip_suffix("_total")
    {
        family.truncate(stem.len());
    }
    if family.is_empty() {
        family.push('_');
    }
    family
}

fn has_unit_suffix(family: &str, unit: &str) -> bool {
    family
        .strip_suffix(unit)
        .is_some_and(|stem| !unit.is_empty() && stem.ends_with('_'))
}

/// Prometheus' word for a [UCUM] unit, as OpenTelemetry writes units.
///
/// [UCUM]: https://opentelemetry.io/docs/specs/semconv/general/metrics/#instrument-units
fn unit_word(unit: &str, kind: InstrumentKind) -> Cow<'static, str> {
    match unit.split_once('/') {
        Some((of, per)) => match (simple_unit_word(of), simple_unit_word(per)) {
            (of, per) if per.is_empty() => of,
            (of, per) if of.is_empty() => format!("per_{}", singular(&per)).into(),
            (of, per) => format!("{of}_per_{}", singular(&per)).into(),
        },
        None if unit == "1" && kind == InstrumentKind::Gauge => "ratio".into(),
        None => simple_unit_word(unit),
    }
}

fn singular(word: &str) -> &str {
    word.strip_suffix('s').unwrap_or(word)
}

fn simple_unit_word(unit: &str) -> Cow<'static, str> {
    let word = match unit {
        // A number without a unit, such as `{request}`.
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

/// The UCUM unit for a word of the facade.
fn ucum(word: &str) -> &str {
    match word {
        "ratio" => "1",
        "seconds" => "s",
        "milliseconds" => "ms",
        "microseconds" => "us",
        "nanoseconds" => "ns",
        "bytes" => "By",
        "kibibytes" => "KiBy",
        "mebibytes" => "MiBy",
        "gibibytes" => "GiBy",
        "tebibytes" => "TiBy",
        "bits_per_second" => "bit/s",
        "kilobits_per_second" => "kbit/s",
        "megabits_per_second" => "Mbit/s",
        "gigabits_per_second" => "Gbit/s",
        "terabits_per_second" => "Tbit/s",
        "count_per_second" => "1/s",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_take_prometheus_form() {
        let of = |raw, kind, unit| typed_name(raw, kind, unit).family;
        assert_eq!(
            of(
                "http.server.request.duration",
                InstrumentKind::Histogram,
                "s"
            ),
            "http_server_request_duration_seconds"
        );
        assert_eq!(
            of(
                "http.server.active_requests",
                InstrumentKind::UpDownCounter,
                "{request}"
            ),
            "http_server_active_requests"
        );
        assert_eq!(of("jobs_total", InstrumentKind::Counter, ""), "jobs");
        assert_eq!(
            of("read.bytes", InstrumentKind::Counter, "By"),
            "read_bytes"
        );
        assert_eq!(
            of("read", InstrumentKind::Counter, "By/s"),
            "read_bytes_per_second"
        );
        assert_eq!(
            of("cpu.utilization", InstrumentKind::Gauge, "1"),
            "cpu_utilization_ratio"
        );
        assert_eq!(
            of("9 läuse", InstrumentKind::Gauge, "furlong"),
            "__l_use_furlong"
        );
        assert_eq!(of("", InstrumentKind::Counter, ""), "_");
        assert_eq!(of("_total", InstrumentKind::Counter, ""), "_");
    }

    #[test]
    fn a_facade_name_stays_and_its_unit_shows_where_the_name_ends_in_it() {
        let name = facade_name(
            "io.wait_seconds_total",
            InstrumentKind::Counter,
            "seconds",
            false,
        );
        assert_eq!(
            (name.family.as_str(), &*name.unit),
            ("io_wait_seconds", "seconds")
        );
        let name = facade_name("io.wait", InstrumentKind::Counter, "seconds", false);
        assert_eq!((name.family.as_str(), &*name.unit), ("io_wait", ""));
    }

    #[cfg(feature = "otlp")]
    #[test]
    fn the_name_and_the_unit_of_opentelemetry_stay() {
        let of = |name: MetricName| (name.otel.name.to_string(), name.otel.unit.to_string());
        let kind = InstrumentKind::Histogram;
        let typed = typed_name("http.server.request.duration", kind, "s");
        assert_eq!(
            of(typed),
            ("http.server.request.duration".into(), "s".into())
        );
        let facade = facade_name("io.wait_total", InstrumentKind::Counter, "seconds", false);
        assert_eq!(of(facade), ("io.wait_total".into(), "s".into()));
        let count = facade_name("jobs", InstrumentKind::Counter, "", true);
        assert_eq!(of(count), ("jobs".into(), String::new()));
        assert_eq!(of(typed_name("", kind, "")), ("_".into(), String::new()));
    }
}
