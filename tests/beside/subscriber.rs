//! Hosts with a `tracing` subscriber of their own: the input and output of their layers stay the same, byte for byte, for
//! each place of the monitor's layer, and so does the maximum level of `tracing`. console-subscriber is not included: its
//! layer panics in a process that is built without `tokio_unstable`.

use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Dispatch, Event, Metadata, Subscriber};
use tracing_error::{ErrorLayer, SpanTrace};
use tracing_subscriber::filter::{EnvFilter, Targets};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::{LookupSpan, Registry};
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt as _;
use watchpost::logs::TracingLayer;
use watchpost::{Monitor, MonitorGuard};

use crate::cases::{Case, host_output};
use crate::support::{Written, builder, records_of};

pub(crate) const CASES: [Case; 26] = [
    Case::unchanged("subscriber_fmt_below_ours", |added| {
        under(added, LevelFilter::TRACE, |host, ours| {
            tracing_subscriber::registry().with(fmt(host)).with(ours)
        });
    }),
    Case::unchanged("subscriber_fmt_above_ours", |added| {
        under(added, LevelFilter::TRACE, |host, ours| {
            tracing_subscriber::registry().with(ours).with(fmt(host))
        });
    }),
    Case::unchanged("subscriber_json_beside_ours", |added| {
        under(added, LevelFilter::TRACE, |host, ours| {
            let json = tracing_subscriber::fmt::layer().json().without_time();
            let json = json.with_current_span(true).with_span_list(true);
            let json = json.with_writer(host.clone());
            tracing_subscriber::registry().with(json).with(ours)
        });
    }),
    Case::unchanged("subscriber_boxed", |added| {
        under(added, LevelFilter::TRACE, |host, ours| {
            let ours = ours.map(Layer::boxed);
            tracing_subscriber::registry().with(ours).with(fmt(host))
        });
    }),
    Case::unchanged("subscriber_in_a_vec", |added| {
        under(added, LevelFilter::TRACE, |host, ours| {
            let mut all: Vec<Box<dyn Layer<Registry> + Send + Sync>> = vec![fmt(host).boxed()];
            all.extend(ours.map(Layer::boxed));
            tracing_subscriber::registry().with(all)
        });
    }),
    Case::unchanged("subscriber_first_in_a_vec", |added| {
        under(added, LevelFilter::TRACE, |host, ours| {
            let ours = ours.map(Layer::boxed);
            let all: Vec<Box<dyn Layer<Registry> + Send + Sync>> =
                ours.into_iter().chain([fmt(host).boxed()]).collect();
            tracing_subscriber::registry().with(all)
        });
    }),
    Case::unchanged("subscriber_vec_of_filtered", |added| {
        under(added, LevelFilter::DEBUG, |host, ours| {
            let filtered = fmt(host).with_filter(LevelFilter::DEBUG);
            let mut all: Vec<Box<dyn Layer<Registry> + Send + Sync>> = vec![filtered.boxed()];
            all.extend(ours.map(|ours| ours.filtered().boxed()));
            tracing_subscriber::registry().with(all)
        });
    }),
    Case::unchanged("subscriber_under_reload", |added| {
        under(added, LevelFilter::TRACE, |host, ours| {
            let (ours, handle) = reload::Layer::new(ours);
            std::mem::forget(handle);
            tracing_subscriber::registry().with(ours).with(fmt(host))
        });
    }),
    Case::unchanged("subscriber_vec_under_reload", |added| {
        under(added, LevelFilter::TRACE, |host, ours| {
            let mut all: Vec<Box<dyn Layer<_> + Send + Sync>> = Vec::new();
            all.extend(ours.map(Layer::boxed));
            all.push(fmt(host).boxed());
            let (all, handle) = reload::Layer::new(all);
            std::mem::forget(handle);
            tracing_subscriber::registry().with(all)
        });
    }),
    Case::unchanged("subscriber_reloaded_later", reloaded_later),
    Case::unchanged("subscriber_and_then", |added| {
        under(added, LevelFilter::TRACE, |host, ours| {
            tracing_subscriber::registry().with(match ours {
                Some(ours) => ours.and_then(fmt(host)).boxed(),
                None => fmt(host).boxed(),
            })
        });
    }),
    Case::unchanged("subscriber_and_then_behind", |added| {
        under(added, LevelFilter::TRACE, |host, ours| {
            tracing_subscriber::registry().with(match ours {
                Some(ours) => fmt(host).and_then(ours).boxed(),
                None => fmt(host).boxed(),
            })
        });
    }),
    Case::unchanged("subscriber_under_a_global_env_filter", |added| {
        under(added, LevelFilter::DEBUG, |host, ours| {
            let filter = EnvFilter::new("info,beside::subscriber=debug");
            let all = tracing_subscriber::registry().with(filter);
            all.with(fmt(host)).with(ours)
        });
    }),
    Case::unchanged("subscriber_with_an_env_filter_outside", |added| {
        under(added, LevelFilter::DEBUG, |host, ours| {
            let all = tracing_subscriber::registry().with(ours).with(fmt(host));
            all.with(EnvFilter::new("info,beside::subscriber=debug"))
        });
    }),
    Case::unchanged("subscriber_under_a_global_level", |added| {
        under(added, LevelFilter::WARN, |host, ours| {
            let all = tracing_subscriber::registry().with(LevelFilter::WARN);
            all.with(ours).with(fmt(host))
        });
    }),
    Case::unchanged("subscriber_beside_a_filtered_layer", |added| {
        // Without a filter of its own, the layer sets no maximum level.
        let level = if added {
            LevelFilter::TRACE
        } else {
            LevelFilter::WARN
        };
        under(added, level, |host, ours| {
            let filtered = fmt(host).with_filter(LevelFilter::WARN);
            tracing_subscriber::registry().with(filtered).with(ours)
        });
    }),
    Case::unchanged("subscriber_filtered_beside_a_filtered_layer", |added| {
        under(added, LevelFilter::DEBUG, |host, ours| {
            let filtered = fmt(host).with_filter(EnvFilter::new("debug"));
            let ours = ours.map(TracingLayer::filtered);
            tracing_subscriber::registry().with(filtered).with(ours)
        });
    }),
    Case::unchanged("subscriber_filtered_beside_an_unfiltered_layer", |added| {
        under(added, LevelFilter::TRACE, |host, ours| {
            let ours = ours.map(TracingLayer::filtered);
            tracing_subscriber::registry().with(ours).with(fmt(host))
        });
    }),
    Case::unchanged("subscriber_with_a_filter_of_the_hosts_on_ours", |added| {
        under(added, LevelFilter::TRACE, |host, ours| {
            let targets = Targets::new().with_target("beside", LevelFilter::INFO);
            let ours = ours.map(|ours| ours.with_filter(targets));
            tracing_subscriber::registry().with(fmt(host)).with(ours)
        });
    }),
    Case::unchanged("subscriber_beside_an_error_layer", error_layer),
    Case::unchanged("subscriber_beside_one_that_records_all", records_all),
    Case::unchanged("subscriber_beside_a_rolling_file", rolling_file),
    Case::unchanged("subscriber_of_fmt_itself", |added| {
        under(added, LevelFilter::TRACE, |host, ours| {
            let fmt = tracing_subscriber::fmt().with_max_level(LevelFilter::TRACE);
            let fmt = fmt.without_time().with_ansi(false);
            fmt.with_writer(host.clone()).finish().with(ours)
        });
    }),
    Case::new("subscriber_levels_of_ours_alone", levels_alone),
    Case::new("subscriber_of_this_crate_names_its_level", own_level),
    Case::unchanged("subscriber_with_two_monitors", two_monitors),
];

type Fmt<S> = tracing_subscriber::fmt::Layer<
    S,
    tracing_subscriber::fmt::format::DefaultFields,
    tracing_subscriber::fmt::format::Format<tracing_subscriber::fmt::format::Full, ()>,
    Written,
>;

fn fmt<S>(host: &Written) -> Fmt<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    tracing_subscriber::fmt::layer()
        .without_time()
        .with_ansi(false)
        .with_writer(host.clone())
}

fn monitor(added: bool) -> (Option<MonitorGuard>, Written) {
    let (builder, written) = builder();
    (added.then(|| builder.build().unwrap()), written)
}

/// Emits an event at each level, in spans of each level.
fn speak() {
    let outer = tracing::info_span!("outer", item = 7);
    outer.in_scope(|| {
        tracing::error!(code = 5, "an error");
        tracing::warn!("a warning");
        tracing::info!(response = 42, "an event");
        tracing::debug_span!("middle").in_scope(|| {
            tracing::debug!("some detail");
            tracing::trace_span!("inner", deep = true).in_scope(|| tracing::trace!("all detail"));
        });
        tracing::event!(target: "beside::other", tracing::Level::TRACE, "of another target");
        log::warn!("a log record");
    });
}

/// The assertion of every case: the maximum level, and one record of each enabled event.
fn assert_heard(monitor: &MonitorGuard, written: &Written) {
    for (message, level) in [
        ("an error", LevelFilter::ERROR),
        ("a warning", LevelFilter::WARN),
        ("an event", LevelFilter::INFO),
    ] {
        let expected = usize::from(LevelFilter::current() >= level);
        assert_eq!(
            records_of(monitor, written, message).len(),
            expected,
            "{message}"
        );
    }
    // The monitor's own levels apply.
    assert_eq!(records_of(monitor, written, "some detail").len(), 0);
    assert_eq!(records_of(monitor, written, "all detail").len(), 0);
    let doctor: Vec<_> = monitor.doctor().iter().map(|it| it.about).collect();
    assert!(!doctor.contains(&"subscriber"), "{doctor:?}");
}

/// Runs a host under the subscriber that `make` composes.
fn under<S>(added: bool, level: LevelFilter, make: impl FnOnce(&Written, Option<TracingLayer>) -> S)
where
    S: Subscriber + Send + Sync + Into<Dispatch>,
{
    let host = Written::default();
    let (monitor, written) = monitor(added);
    let ours = monitor.as_deref().map(Monitor::tracing_layer);
    make(&host, ours).init();
    assert_eq!(LevelFilter::current(), level);
    speak();
    if let Some(monitor) = &monitor {
        assert_heard(monitor, &written);
    }
    host_output(&host.bytes());
}

fn reloaded_later(added: bool) {
    let host = Written::default();
    let (ours, handle) = reload::Layer::new(None::<TracingLayer>);
    tracing_subscriber::registry()
        .with(ours)
        .with(fmt(&host))
        .init();
    assert_eq!(LevelFilter::current(), LevelFilter::TRACE);
    let (monitor, written) = monitor(added);
    if let Some(monitor) = &monitor {
        let doctor: Vec<_> = monitor.doctor().iter().map(|it| it.about).collect();
        assert!(doctor.contains(&"subscriber"), "{doctor:?}");
        handle.reload(Some(monitor.tracing_layer())).unwrap();
        assert_eq!(LevelFilter::current(), LevelFilter::TRACE);
        let doctor: Vec<_> = monitor.doctor().iter().map(|it| it.about).collect();
        assert!(!doctor.contains(&"subscriber"), "{doctor:?}");
    }
    speak();
    if let Some(monitor) = &monitor {
        assert_heard(monitor, &written);
    }
    host_output(&host.bytes());
}

fn error_layer(added: bool) {
    let (monitor, written) = monitor(added);
    tracing_subscriber::registry()
        .with(monitor.as_deref().map(Monitor::tracing_layer))
        .with(ErrorLayer::default())
        .init();
    assert_eq!(LevelFilter::current(), LevelFilter::TRACE);
    speak();
    let all = tracing::trace_span!("first", n = 1)
        .in_scope(|| tracing::info_span!("second").in_scope(|| SpanTrace::capture().to_string()));
    if let Some(monitor) = &monitor {
        assert_heard(monitor, &written);
    }
    host_output(all.as_bytes());
}

/// A layer like that of tracing-bunyan-formatter, which records everything.
#[derive(Clone, Default)]
struct RecordsAll(Arc<Mutex<String>>);

impl RecordsAll {
    fn note(&self, what: &str, metadata: &Metadata<'_>, record: impl FnOnce(&mut Fields<'_>)) {
        use std::fmt::Write as _;
        let mut out = self.0.lock().unwrap();
        let (level, target, name) = (metadata.level(), metadata.target(), metadata.name());
        // Line numbers change with the file.
        let name = if name.starts_with("event ") || name.starts_with("log event") {
            "event"
        } else {
            name
        };
        write!(out, "{what} {level} {target} {name}").unwrap();
        record(&mut Fields(&mut out));
        out.push('\n');
    }
}

struct Fields<'a>(&'a mut String);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        use std::fmt::Write as _;
        if !field.name().starts_with("log.") {
            write!(self.0, " {}={value:?}", field.name()).unwrap();
        }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for RecordsAll {
    fn on_new_span(&self, attributes: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        self.note("new", attributes.metadata(), |fields| {
            attributes.record(fields)
        });
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let metadata = context.metadata(id).unwrap();
        self.note("record", metadata, |fields| values.record(fields));
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        self.note("event", event.metadata(), |fields| event.record(fields));
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        self.note("enter", context.metadata(id).unwrap(), |_| {});
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        self.note("exit", context.metadata(id).unwrap(), |_| {});
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        self.note("close", context.metadata(&id).unwrap(), |_| {});
    }
}

fn records_all(added: bool) {
    let all = RecordsAll::default();
    let (monitor, written) = monitor(added);
    tracing_subscriber::registry()
        .with(monitor.as_deref().map(Monitor::tracing_layer))
        .with(all.clone())
        .init();
    assert_eq!(LevelFilter::current(), LevelFilter::TRACE);
    if let Some(monitor) = &monitor {
        // Neither the doctor nor the installation emits anything to the host's layers.
        let _findings = monitor.doctor();
        monitor.install();
        let _findings = monitor.doctor();
    }
    speak();
    if let Some(monitor) = &monitor {
        assert_heard(monitor, &written);
    }
    host_output(all.0.lock().unwrap().as_bytes());
}

fn rolling_file(added: bool) {
    let directory = std::env::temp_dir().join(format!("beside-rolling-{}", std::process::id()));
    let (writer, guard) =
        tracing_appender::non_blocking(tracing_appender::rolling::never(&directory, "host.log"));
    let (monitor, written) = monitor(added);
    let fmt = tracing_subscriber::fmt::layer().without_time();
    tracing_subscriber::registry()
        .with(fmt.with_ansi(false).with_writer(writer))
        .with(monitor.as_deref().map(Monitor::tracing_layer))
        .init();
    assert_eq!(LevelFilter::current(), LevelFilter::TRACE);
    speak();
    if let Some(monitor) = &monitor {
        assert_heard(monitor, &written);
    }
    drop(guard);
    let output = std::fs::read(directory.join("host.log")).unwrap();
    std::fs::remove_dir_all(&directory).unwrap();
    host_output(&output);
}

/// The layer sets no maximum level in any composition; with its filter it sets the level that is recorded.
fn levels_alone() {
    let monitor = builder().0.log_level("info,beside=debug").build().unwrap();
    let level = |make: &dyn Fn() -> Dispatch| {
        let dispatch = make();
        let level = tracing::dispatcher::with_default(&dispatch, LevelFilter::current);
        drop(dispatch);
        tracing::callsite::rebuild_interest_cache();
        level
    };
    let registry = tracing_subscriber::registry;
    let ours = || monitor.tracing_layer();
    let expected = LevelFilter::DEBUG;
    for (name, expected, make) in [
        (
            "alone",
            LevelFilter::TRACE,
            &(|| registry().with(ours()).into()) as &dyn Fn() -> Dispatch,
        ),
        ("boxed", LevelFilter::TRACE, &|| {
            registry().with(ours().boxed()).into()
        }),
        ("vec", LevelFilter::TRACE, &|| {
            registry().with(vec![ours()]).into()
        }),
        ("option", LevelFilter::TRACE, &|| {
            registry().with(Some(ours())).into()
        }),
        ("reload", LevelFilter::TRACE, &|| {
            registry().with(reload::Layer::new(ours()).0).into()
        }),
        ("filtered", expected, &|| {
            registry().with(ours().filtered()).into()
        }),
        ("filtered, boxed", expected, &|| {
            registry().with(ours().filtered().boxed()).into()
        }),
        ("filtered, option", expected, &|| {
            registry().with(Some(ours().filtered())).into()
        }),
        ("filtered, vec", expected, &|| {
            registry().with(vec![ours().filtered()]).into()
        }),
        ("under a filter of the host's", LevelFilter::WARN, &|| {
            registry()
                .with(ours().with_filter(LevelFilter::WARN))
                .into()
        }),
    ] {
        assert_eq!(level(make), expected, "{name}");
    }
}

/// The subscriber of `install` has no other layers, so the maximum level is the level that is recorded.
fn own_level() {
    let (builder, written) = builder();
    let monitor = builder.log_level("info").install().unwrap();
    // SQLx's events have the level `DEBUG`.
    assert_eq!(LevelFilter::current(), LevelFilter::DEBUG);
    speak();
    assert_heard(&monitor, &written);
}

fn two_monitors(added: bool) {
    let host = Written::default();
    let (first, first_written) = monitor(added);
    let (second, second_written) = monitor(added);
    tracing_subscriber::registry()
        .with(first.as_deref().map(Monitor::tracing_layer))
        .with(fmt(&host))
        .with(second.as_deref().map(Monitor::tracing_layer))
        .init();
    assert_eq!(LevelFilter::current(), LevelFilter::TRACE);
    for (monitor, _) in [(&first, &first_written), (&second, &second_written)] {
        let Some(monitor) = monitor else { continue };
        let doctor: Vec<_> = monitor.doctor().iter().map(|it| it.about).collect();
        assert!(!doctor.contains(&"subscriber"), "{doctor:?}");
    }
    speak();
    for (monitor, written) in [(&first, &first_written), (&second, &second_written)] {
        if let Some(monitor) = monitor {
            assert_heard(monitor, written);
        }
    }
    host_output(&host.bytes());
}
