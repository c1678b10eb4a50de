use crate::clock::Nanos;

/// A status of the health format. The order is that of severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
#[non_exhaustive]
pub enum HealthStatus {
    /// Everything works.
    #[default]
    Pass,
    /// Something does not work as it should, and the service can serve.
    Warn,
    /// The service is not ready, or a critical check is down.
    Fail,
}

impl HealthStatus {
    /// Returns the name: `pass`, `warn` or `fail`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// What a successful run of a check reports.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct SuccessDetail {
    /// Makes the success a warning: a sentence.
    pub(crate) warning: Option<String>,
    /// A value and its unit.
    pub(crate) observed: Option<(f64, &'static str)>,
}

/// The result of one run of a check.
pub(super) type CheckResult = Result<SuccessDetail, String>;

/// A span of time for a sentence: milliseconds up to 10 s, then seconds.
pub(super) fn format_span(span: Nanos) -> String {
    match span / 1_000_000 {
        ms @ 0..10_000 => format!("{ms} ms"),
        ms => format!("{} s", ms / 1000),
    }
}
