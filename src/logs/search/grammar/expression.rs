use std::cmp::Ordering;

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
    /// Any integer of 64 bits, with or without a sign.
    Integer(i128),
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

impl RangeBound {
    /// The number that a text is, the same for what a query names and for what a line has.
    pub(in crate::logs) fn number(text: &str) -> Option<Self> {
        if let Ok(integer) = text.parse() {
            return Some(Self::Integer(integer));
        }
        let float: f64 = text.parse().ok()?;
        float.is_finite().then_some(Self::Float(float))
    }

    /// The order of two bounds. Those of different kinds are not ordered, except numbers.
    pub(in crate::logs) fn order(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Integer(a), Self::Float(b)) => order_of_numbers(a, b),
            (Self::Float(a), Self::Integer(b)) => order_of_numbers(b, a).map(Ordering::reverse),
            (a, b) => a.partial_cmp(&b).filter(|_| same_kind(a, b)),
        }
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

/// Whether the first bound is below the second one, or equal to it, if that counts.
fn is_ordered(first: RangeBound, second: RangeBound, or_equal: bool) -> bool {
    let order = first.order(second);
    order == Some(Ordering::Less) || or_equal && order == Some(Ordering::Equal)
}

/// The order of an integer and another number. It is exact: the float that is nearest to an integer may be another integer.
fn order_of_numbers(integer: i128, float: f64) -> Option<Ordering> {
    // These are powers of two. Between them, a float without its fraction is an integer of this size.
    if float >= i128::MAX as f64 {
        return Some(Ordering::Less);
    }
    if float < i128::MIN as f64 {
        return Some(Ordering::Greater);
    }
    let by_fraction = 0.0_f64.partial_cmp(&float.fract())?;
    Some(integer.cmp(&(float as i128)).then(by_fraction))
}

fn same_kind(a: RangeBound, b: RangeBound) -> bool {
    std::mem::discriminant(&a) == std::mem::discriminant(&b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared_exactly() {
        let order = |a: &str, b: &str| {
            let [a, b] = [a, b].map(|it| RangeBound::number(it).unwrap());
            assert_eq!(a.order(b), b.order(a).map(Ordering::reverse));
            a.order(b).unwrap()
        };
        for (a, b) in [
            ("9007199254740992", "9007199254740993"),
            ("9223372036854775807", "9223372036854775808"),
            ("18446744073709551614", "18446744073709551615"),
            ("9007199254740992.0", "9007199254740993"),
            ("-9007199254740993", "-9007199254740992.0"),
            ("-1", "-0.5"),
            ("-0.5", "0"),
            ("3", "3.25"),
            ("3.25", "4"),
            ("18446744073709551615", "1e300"),
            ("-1e300", "-9223372036854775808"),
        ] {
            assert_eq!(order(a, b), Ordering::Less, "{a} {b}");
        }
        for (a, b) in [("12", "12.0"), ("-0.0", "0"), ("1e3", "1000"), ("+5", "5")] {
            assert_eq!(order(a, b), Ordering::Equal, "{a} {b}");
        }
        for none in ["", "x", "inf", "NaN", "1e999"] {
            assert_eq!(RangeBound::number(none), None, "{none}");
        }
    }
}
