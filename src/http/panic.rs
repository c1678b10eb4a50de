use crate::context;
use crate::model::record_layer_panic;

/// Counts a panic that ended a request or a connection of this monitor. Where several lie inside each other on one thread,
/// all see the same panic, and the outermost counts it.
#[cold]
pub(super) fn count_panic(monitor: u32) {
    let is_inside_request = context::with_current(Some(monitor), |slot, _| slot.is_request());
    if is_inside_request != Some(true) {
        record_layer_panic(monitor);
    }
}
