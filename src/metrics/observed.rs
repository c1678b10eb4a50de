use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::common::Common;
use super::labels::Labels;
use super::name::{Kind, Name};
use crate::model::catch_panic;

/// Tells the values of one metric now: calls what it is given once a label set.
pub(crate) type Observer = Arc<dyn Fn(&mut dyn FnMut(&[(&str, &str)], f64)) + Send + Sync>;

/// A metric whose values are read when somebody asks.
pub(super) struct Observed {
    pub(super) common: Arc<Common>,
    pub(super) name: Name,
    pub(super) kind: Kind,
    pub(super) description: String,
    pub(super) read: Observer,
}

impl Observed {
    /// The values now, by canonical labels. An observer that panics tells what it told before.
    pub(super) fn values(&self) -> BTreeMap<String, f64> {
        let mut values = BTreeMap::new();
        let limit = self.common.config.max_series_per_metric;
        let mut take = |labels: &[(&str, &str)], value: f64| {
            let labels = labels.iter().map(|(k, v)| ((*k).into(), (*v).into()));
            let labels = Labels::new("", labels, None);
            if values.len() < limit || values.contains_key(&labels.text) {
                values.insert(labels.text, value);
            } else {
                self.common.truncated.fetch_add(1, Relaxed);
            }
        };
        // The observer is only called again: whatever state it was in is its own.
        if catch_panic(|| (self.read)(&mut take)).is_none() {
            self.common.diagnostics.report(format!(
                "What reads the metric `{}` panicked: its values may be missing on the page.",
                self.name.family
            ));
        }
        values
    }
}

impl fmt::Debug for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observed")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}
