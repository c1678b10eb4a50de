//! Whether `tracing` spans and events reach the monitor's layer, as far as the subscriber tells. A subscriber is asked
//! what it wants, never given a span or an event: another layer would write it.

use std::cell::Cell;
use std::sync::mpsc;
use std::time::Duration;

use tracing::callsite::Identifier;
use tracing::field::FieldSet;
use tracing::level_filters::LevelFilter;
use tracing::metadata::Kind;
use tracing::subscriber::Interest;
use tracing::{Callsite, Dispatch, Level, Metadata};

/// No span of anybody else has this name.
const NAME: &str = "watchpost probe";
/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(1);

thread_local! {
    /// The monitor that asks, and whether its layer was asked meanwhile.
    static PROBING: Cell<Option<(u32, bool)>> = const { Cell::new(None) };
}

/// Where the probe seems to come from. It is registered nowhere.
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

/// Whether a span or an event of that target and level would reach the monitor's layer in a subscriber. It is asked on a thread
/// of its own: a question that nothing follows leaves traces in the thread's filters. A subscriber that does not
/// answer within a second hides nothing.
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
        // Nobody may wait any more.
        let _late = answer.send(enabled && asked);
    };
    let thread = std::thread::Builder::new().name("watchpost-probe".to_owned());
    thread.spawn(ask).is_err() || answered.recv_timeout(PATIENCE).unwrap_or(true)
}
