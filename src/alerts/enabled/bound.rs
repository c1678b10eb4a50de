use std::fmt;

/// A limit, and on which side of it a value has to be.
///
/// ```
/// use watchpost::alerts::Bound;
///
/// assert!(Bound::above(0.05).holds(0.06));
/// assert!(!Bound::above(0.05).holds(0.05));
/// assert!(Bound::at_most(0.0).holds(0.0));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bound {
    side: Side,
    limit: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Above,
    AtLeast,
    Below,
    AtMost,
}

impl Bound {
    /// Values greater than `limit`.
    pub const fn above(limit: f64) -> Self {
        Self::new(Side::Above, limit)
    }

    /// Values greater than or equal to `limit`.
    pub const fn at_least(limit: f64) -> Self {
        Self::new(Side::AtLeast, limit)
    }

    /// Values less than `limit`.
    pub const fn below(limit: f64) -> Self {
        Self::new(Side::Below, limit)
    }

    /// Values less than or equal to `limit`.
    pub const fn at_most(limit: f64) -> Self {
        Self::new(Side::AtMost, limit)
    }

    const fn new(side: Side, limit: f64) -> Self {
        Self { side, limit }
    }

    /// Returns whether a value is on the side of the limit. NaN is on neither side.
    pub fn holds(&self, value: f64) -> bool {
        match self.side {
            Side::Above => value > self.limit,
            Side::AtLeast => value >= self.limit,
            Side::Below => value < self.limit,
            Side::AtMost => value <= self.limit,
        }
    }

    /// The limit.
    pub const fn limit(&self) -> f64 {
        self.limit
    }

    /// The same side of another limit.
    pub(super) const fn with_limit(self, limit: f64) -> Self {
        Self { limit, ..self }
    }

    /// Whether values that are greater are on the side of the limit.
    pub(crate) const fn is_upper(self) -> bool {
        matches!(self.side, Side::Above | Side::AtLeast)
    }

    /// The operator, as `PromQL` and rule files write it.
    pub(super) const fn operator(self) -> &'static str {
        match self.side {
            Side::Above => ">",
            Side::AtLeast => ">=",
            Side::Below => "<",
            Side::AtMost => "<=",
        }
    }

    /// The bound of an operator.
    pub(super) fn of_operator(operator: &str, limit: f64) -> Option<Self> {
        let side = match operator {
            ">" => Side::Above,
            ">=" => Side::AtLeast,
            "<" => Side::Below,
            "<=" => Side::AtMost,
            _ => return None,
        };
        Some(Self::new(side, limit))
    }
}

/// Writes `> 0.05`.
impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.operator(), self.limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_belongs_to_one_side() {
        let below_at_above = |bound: Bound| [0.9, 1.0, 1.1].map(|value| bound.holds(value));
        assert_eq!(below_at_above(Bound::above(1.0)), [false, false, true]);
        assert_eq!(below_at_above(Bound::at_least(1.0)), [false, true, true]);
        assert_eq!(below_at_above(Bound::below(1.0)), [true, false, false]);
        assert_eq!(below_at_above(Bound::at_most(1.0)), [true, true, false]);
    }

    #[test]
    fn nan_is_on_no_side_and_operators_are_read_again() {
        for bound in [
            Bound::above(2.0),
            Bound::at_least(2.0),
            Bound::below(2.0),
            Bound::at_most(2.0),
        ] {
            assert!(!bound.holds(f64::NAN));
            assert_eq!(Bound::of_operator(bound.operator(), 2.0), Some(bound));
        }
        assert_eq!(Bound::of_operator("=", 2.0), None);
        assert_eq!(Bound::above(0.05).to_string(), "> 0.05");
    }
}
