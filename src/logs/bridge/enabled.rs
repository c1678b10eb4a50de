use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use tracing::level_filters::LevelFilter;
use tracing_log::{AsLog, LogTracer};

/// Whether the process's logger is ours.
static OURS: AtomicBool = AtomicBool::new(false);

/// Makes the process's logger one that turns records into `tracing` events, up to the level that the subscribers of the
/// process want. `false` if there is another logger.
pub(crate) fn install() -> bool {
    if LogTracer::builder().init().is_ok() {
        OURS.store(true, Relaxed);
    }
    follow_levels();
    OURS.load(Relaxed)
}

/// Makes no more records than the subscribers of the process want, if the process's logger is ours. To be called when
/// their levels have changed.
pub(crate) fn follow_levels() {
    if OURS.load(Relaxed) {
        log::set_max_level(LevelFilter::current().as_log());
    }
}
