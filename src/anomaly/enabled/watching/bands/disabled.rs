use std::sync::Arc;

use super::super::series::SeriesIdentity;

/// Stands for the bands in a build without pages, which nobody reads.
#[derive(Debug, Default)]
pub(in crate::anomaly::enabled::watching) struct BandHistory;

impl BandHistory {
    #[expect(clippy::unused_self, reason = "the other build needs it")]
    pub(in crate::anomaly::enabled::watching) fn add(&mut self, _: &[Arc<SeriesIdentity>]) {}
}
