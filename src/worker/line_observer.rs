use super::Record;
use crate::clock::Nanos;

/// Sees the records that become log lines inside the process, whatever becomes of them at the sinks.
///
/// It runs on the worker's thread and must not wait.
pub(crate) trait LineObserver: Send {
    /// Sees the records of a round, in the order of their times.
    fn records(&mut self, records: &[Record<'_>]);

    /// Sees a notice of this crate.
    fn notice(&mut self, at: Nanos, notice: &str);
}
