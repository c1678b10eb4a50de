use crate::context;
use crate::model::record_layer_panic;

/// A panic ended a request or a connection of this monitor. Of several inside each other on one thread the outermost counts
/// it: each sees the same panic.
#[cold]
pub(super) fn saw_panic(monitor: u32) {
    let lies_in_request = context::with_current(Some(monitor), |slot, _| slot.is_request());
    if lies_in_request != Some(true) {
        record_layer_panic(monitor);
    }
}
