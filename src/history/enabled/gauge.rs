use super::column::GaugeSteps;
use super::numbers::{MISSING, is_missing};

/// The values of a gauge in a step of several snapshots, or in the window of a query.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct GaugeValues {
    /// The number of values. A float, as in a column.
    pub(super) count: f64,
    pub(super) sum: f64,
    pub(super) min: f64,
    pub(super) max: f64,
    pub(super) last: f64,
}

impl GaugeValues {
    /// One value.
    pub(super) fn one(value: f64) -> Self {
        Self {
            count: 1.0,
            sum: value,
            min: value,
            max: value,
            last: value,
        }
    }

    /// These values, and later ones.
    pub(super) fn then(&self, later: &Self) -> Self {
        Self {
            count: self.count + later.count,
            sum: self.sum + later.sum,
            min: self.min.min(later.min),
            max: self.max.max(later.max),
            last: later.last,
        }
    }
}

impl GaugeSteps {
    /// The values of one step. `None` if it has none.
    pub(super) fn at(&self, index: usize) -> Option<GaugeValues> {
        let count = *self.count.get(index)?;
        if is_missing(count) {
            return None;
        }
        Some(GaugeValues {
            count,
            sum: *self.sum.get(index)?,
            min: *self.min.get(index)?,
            max: *self.max.get(index)?,
            last: *self.last.get(index)?,
        })
    }

    /// Adds values to the step `index`, after those that it has. Steps without values are added before it.
    pub(super) fn add(&mut self, index: usize, values: &GaugeValues) {
        let all = self.at(index).map_or(*values, |before| before.then(values));
        let parts = [
            (&mut self.count, all.count),
            (&mut self.sum, all.sum),
            (&mut self.min, all.min),
            (&mut self.max, all.max),
            (&mut self.last, all.last),
        ];
        for (part, value) in parts {
            if part.len() <= index {
                part.resize(index + 1, MISSING);
            }
            if let Some(slot) = part.get_mut(index) {
                *slot = value;
            }
        }
    }
}
