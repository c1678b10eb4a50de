//! Checks whether `tracing` spans and events reach the monitor's layer. The check calls only `enabled` of the
//! subscriber. It never sends a span or an event, because another layer would write it.

use std::cell::Cell;
use std::sync::mpsc;
use std::time::Duration;

use tracing::callsite::Identifier;
use tracing::field::FieldSet;
use tracing::level_filters::LevelFilter;
use tracing::metadata::Kind;
use tracing::subscriber::Interest;
use tracing::{Callsite, Dispatch, Level, Metadata};

/// No other span has this name.
const NAME: &str = "watchpost probe";
/// How long to wait for the subscriber's result.
const PATIENCE: Duration = Duration::from_secs(1);

thread_local! {
    /// The monitor that probes, and whether the probe has reached its layer.
    static PROBING: Cell<Option<(u32, bool)>> = const { Cell::new(None) };
}

/// The callsite of the probe. It is never registered.
struct ProbeCallsite;

static CALLSITE: ProbeCallsite = ProbeCallsite;
static METADATA: Metadata<'static> = metadata("watchpost", Level::INFO, Kind::SPAN);

impl Callsite for ProbeCallsite {
    fn set_interest(&self, _: Interest) {}

    fn metadata(&self) -> &Metadata<'_> {
        &METADATA
    }
}

const fn metadata(target: &str, level: Level, kind: Kind) -> Metadata<'_> {
    let fields = FieldSet::new(&[], Identifier(&CALLSITE));
    Metadata::new(NAME, target, level, None, None, None, fields, kind)
}

/// Records that a probe has reached the layer of `monitor`. The layer calls it from `enabled`.
#[inline]
pub(crate) fn asked(monitor: u32, metadata: &Metadata<'_>) {
    if metadata.name() == NAME {
        // A thread that is ending runs no probe.
        let _ended = PROBING.try_with(|probing| {
            if probing.get() == Some((monitor, false)) {
                probing.set(Some((monitor, true)));
            }
        });
    }
}

/// Whether a span or an event of that target and level would reach the monitor's layer in a subscriber. The probe runs
/// on its own thread, because an `enabled` call without a following event leaves state in the thread's filters. A
/// subscriber that does not respond within a second counts as reaching the layer.
pub(crate) fn reaches(
    subscriber: &Dispatch,
    monitor: u32,
    target: &str,
    level: LevelFilter,
    kind: Kind,
) -> bool {
    let Some(level) = level.into_level() else {
        return true;
    };
    let (answer, answered) = mpsc::channel();
    let (subscriber, target) = (subscriber.clone(), target.to_owned());
    let ask = move || {
        PROBING.set(Some((monitor, false)));
        let enabled = subscriber.enabled(&metadata(&target, level, kind));
        let asked = PROBING.take() == Some((monitor, true));
        // The receiver may no longer be waiting.
        let _late = answer.send(enabled && asked);
    };
    let thread = std::thread::Builder::new().name("watchpost-probe".to_owned());
    thread.spawn(ask).is_err() || answered.recv_timeout(PATIENCE).unwrap_or(true)
}
