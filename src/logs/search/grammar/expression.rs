/// What a line must fulfil.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::logs) enum Expression {
    /// Every line.
    All,
    And(Vec<Self>),
    Or(Vec<Self>),
    Not(Box<Self>),
    Condition(Condition),
}

/// What a field must fulfil.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::logs) struct Condition {
    /// Its name in the lines. Without one, any of the fields that words find.
    pub(in crate::logs) field: Option<Box<str>>,
    pub(in crate::logs) test: Test,
}

/// What a value must fulfil.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::logs) enum Test {
    /// The field is there.
    Exists,
    /// The value has these words, one after the other, without case. The last one is a prefix, if so.
    Words {
        words: Vec<String>,
        is_prefix: bool,
        /// The text without case, for values that are compared as a whole.
        whole: String,
    },
    /// The value is this text.
    Exact(String),
    /// The number, time or level is within these bounds.
    Within(RangeBounds),
}

/// The bounds of a range.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::logs) struct RangeBounds {
    /// `None` is no bound. The second part is whether the bound itself is within.
    pub(in crate::logs) low: Option<(RangeBound, bool)>,
    pub(in crate::logs) high: Option<(RangeBound, bool)>,
}

/// A bound of a range.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub(in crate::logs) enum RangeBound {
    Integer(i64),
    Float(f64),
    /// Microseconds since the Unix epoch.
    Time(u64),
    Level(LogSeverity),
}

/// A level, the most severe one last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::logs) enum LogSeverity {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

impl LogSeverity {
    pub(in crate::logs) const ALL: [Self; 5] = [
        Self::Trace,
        Self::Debug,
        Self::Info,
        Self::Warn,
        Self::Error,
    ];

    /// As in the lines.
    pub(in crate::logs) fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "TRACE",
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
        }
    }

    /// The level with this name, whatever its case.
    pub(in crate::logs) fn parse(name: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|it| it.as_str().eq_ignore_ascii_case(name))
    }
}

impl RangeBounds {
    /// Whether a value is within.
    pub(in crate::logs) fn contain(&self, value: RangeBound) -> bool {
        let is_above = self
            .low
            .is_none_or(|(low, is_within)| is_ordered(low, value, is_within));
        let is_below = self
            .high
            .is_none_or(|(high, is_within)| is_ordered(value, high, is_within));
        is_above && is_below
    }
}

/// Whether the first bound is below the second one, or equal to it, if that counts. Those of different kinds are not
/// ordered.
fn is_ordered(first: RangeBound, second: RangeBound, or_equal: bool) -> bool {
    use std::cmp::Ordering::{Equal, Less};
    let ordering = match (first, second) {
        (RangeBound::Integer(a), RangeBound::Float(b)) => (a as f64).partial_cmp(&b),
        (RangeBound::Float(a), RangeBound::Integer(b)) => a.partial_cmp(&(b as f64)),
        (a, b) => a.partial_cmp(&b).filter(|_| same_kind(a, b)),
    };
    ordering == Some(Less) || or_equal && ordering == Some(Equal)
}

fn same_kind(a: RangeBound, b: RangeBound) -> bool {
    std::mem::discriminant(&a) == std::mem::discriminant(&b)
}
