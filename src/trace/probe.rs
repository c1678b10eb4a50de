//! Whether `tracing` spans reach the monitor's layer, as far as the subscriber tells.

use std::cell::Cell;

use tracing::callsite::Identifier;
use tracing::field::FieldSet;
use tracing::level_filters::LevelFilter;
use tracing::metadata::Kind;
use tracing::subscriber::Interest;
use tracing::{Callsite, Level, Metadata, dispatcher};

/// No span of anybody else has this name.
const NAME: &str = "watchpost probe";

thread_local! {
    /// The monitor that asks, and whether its layer was asked meanwhile.
    static PROBING: Cell<Option<(u32, bool)>> = const { Cell::new(None) };
}

/// Where the probe seems to come from. It is registered nowhere.
struct Nowhere;

static NOWHERE: Nowhere = Nowhere;
static METADATA: Metadata<'static> = metadata("watchpost", Level::INFO);

impl Callsite for Nowhere {
    fn set_interest(&self, _: Interest) {}

    fn metadata(&self) -> &Metadata<'_> {
        &METADATA
    }
}

const fn metadata(target: &str, level: Level) -> Metadata<'_> {
    let fields = FieldSet::new(&[], Identifier(&NOWHERE));
    Metadata::new(NAME, target, level, None, None, None, fields, Kind::SPAN)
}

/// A monitor's layer was asked whether it wants a span or an event.
#[inline]
pub(crate) fn asked(monitor: u32, metadata: &Metadata<'_>) {
    if metadata.name() == NAME {
        // A thread that is ending asks nothing.
        let _ended = PROBING.try_with(|probing| {
            if probing.get() == Some((monitor, false)) {
                probing.set(Some((monitor, true)));
            }
        });
    }
}

/// Whether the thread has a subscriber.
pub(crate) fn is_in_use() -> bool {
    dispatcher::get_default(|subscriber| !subscriber.is::<tracing::subscriber::NoSubscriber>())
}

/// Whether a span of that target and level would reach the monitor's layer in the thread's subscriber.
pub(crate) fn reaches(monitor: u32, target: &str, level: LevelFilter) -> bool {
    let Some(level) = level.into_level() else {
        return true;
    };
    PROBING.set(Some((monitor, false)));
    let enabled =
        dispatcher::get_default(|subscriber| subscriber.enabled(&metadata(target, level)));
    let asked = PROBING.take() == Some((monitor, true));
    enabled && asked
}
