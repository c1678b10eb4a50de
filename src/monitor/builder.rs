use std::fmt;
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::current;
use super::data_dir::DataDir;
use super::doctor::{Doctor, Rounds};
use super::export;
use super::globals::Global;
use super::guard::MonitorGuard;
use super::handle::{Inner, Monitor};
use super::own;
use super::tracing::Tracing;
use crate::access::{self, Keys};
use crate::clock::{Clock, nanos};
use crate::config::{
    self, CodeSetting, Config, Environment, Propagators, Resolved, Settings, Sources,
};
use crate::db::Queries;
use crate::error::{Error, Result};
use crate::errors::{Backtraces, BeforeSend, ErrorEvent, ErrorTracker};
use crate::external::Calls;
use crate::health::{Health, HealthSetup};
use crate::http::{HttpConfig, LayerContext, RequestLogMode};
use crate::logs::{LogFormat, LogFormatter, RequestLogs, ServiceFields, read_crumb};
use crate::metrics::Metrics;
use crate::model::TraceId;
use crate::model::{Books, Life, Notices, Secret};
use crate::redact::RedactionRules;
use crate::request::{self, Requests};
use crate::trace::{Carried, Levels, Spans, Traces};
use crate::worker::{Console, Intake, Keeper, SinkSetup, Tap, Tick, Worker, WorkerSetup};

/// How often series are looked through for idle ones.
const EXPIRE_EVERY: Duration = Duration::from_secs(10);

/// Configures a monitor. Made by [`Monitor::builder`].
///
/// What is set here goes before the environment, the environment before the file, the file before the
/// defaults; [`config`](crate::config) has the table of all settings.
#[must_use = "a builder does nothing until `install` or `build`"]
pub struct MonitorBuilder {
    env: bool,
    environment: Option<Environment>,
    file: Option<PathBuf>,
    code: Vec<CodeSetting>,
    trace_rules: Vec<(String, f64)>,
    console: Option<Box<dyn Write + Send>>,
    before_send: Option<BeforeSend>,
    clock: Clock,
}

impl MonitorBuilder {
    pub(super) fn new(service: String) -> Self {
        let builder = Self {
            env: true,
            environment: None,
            file: None,
            code: Vec::new(),
            trace_rules: Vec::new(),
            console: None,
            before_send: None,
            clock: Clock::system(),
        };
        builder.set("service.name", service, "Monitor::builder(..)")
    }

    fn set(mut self, key: &'static str, value: impl Into<String>, call: &'static str) -> Self {
        self.code.push(CodeSetting {
            key,
            value: value.into(),
            call,
        });
        self
    }

    fn set_list<T: Into<String>>(
        self,
        key: &'static str,
        items: impl IntoIterator<Item = T>,
        call: &'static str,
    ) -> Self {
        let items: Vec<String> = items.into_iter().map(Into::into).collect();
        self.set(key, items.join(","), call)
    }

    fn set_time(self, key: &'static str, value: Duration, call: &'static str) -> Self {
        self.set(key, format!("{}ns", value.as_nanos()), call)
    }

    /// Whether the environment is read. By default, it is.
    pub fn env(mut self, env: bool) -> Self {
        self.env = env;
        self
    }

    /// Reads settings from a TOML file. By default, from the file that `WATCHPOST_CONFIG` names, if any.
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.file = Some(path.into());
        self
    }

    /// The service's version, which lines carry. By default, what the environment says.
    pub fn service_version(self, version: impl Into<String>) -> Self {
        self.set("service.version", version, ".service_version(..)")
    }

    /// Where the service runs, such as `production`. By default, what the environment says.
    pub fn service_environment(self, environment: impl Into<String>) -> Self {
        self.set("service.environment", environment, ".service_environment(..)")
    }

    /// Where what is kept on disk is kept. By default, `WATCHPOST_DATA_DIR`, else systemd's
    /// `STATE_DIRECTORY`, else nowhere.
    pub fn data_dir(self, path: impl Into<PathBuf>) -> Self {
        let path: PathBuf = path.into();
        self.set("data_dir", path.to_string_lossy(), ".data_dir(..)")
    }

    /// Which `tracing` events become lines: directives such as `info,hyper=off,shop::db=debug`.
    ///
    /// By default, `info`.
    pub fn log_level(self, directives: impl Into<String>) -> Self {
        self.set("log.level", directives, ".log_level(..)")
    }

    /// The form of the lines. By default, pretty on a terminal and JSON otherwise.
    pub fn log_format(self, format: LogFormat) -> Self {
        let text = match format {
            LogFormat::Json => "json",
            LogFormat::Pretty => "pretty",
            LogFormat::Auto => "auto",
        };
        self.set("log.format", text, ".log_format(..)")
    }

    /// Which requests get a line. By default, all.
    pub fn request_lines(self, requests: RequestLogs) -> Self {
        let text = match requests {
            RequestLogs::All => "all",
            RequestLogs::Off => "off",
            RequestLogs::ErrorsAndSlow => "errors",
        };
        self.set("log.requests", text, ".request_lines(..)")
    }

    /// From which duration on a request is slow. By default, 1 s.
    pub fn slow_request_threshold(self, slow: Duration) -> Self {
        self.set_time("log.slow", slow, ".slow_request_threshold(..)")
    }

    /// Whether lines are written. By default, they are, to stdout.
    pub fn console(self, console: bool) -> Self {
        self.set(
            "log.console",
            if console { "true" } else { "false" },
            ".console(..)",
        )
    }

    /// Writes lines to `writer` in place of stdout, from a thread of this crate's: it may block, fail and
    /// panic.
    pub fn console_to(mut self, writer: impl Write + Send + 'static) -> Self {
        self.console = Some(Box::new(writer));
        self
    }

    /// Which captured errors have a backtrace. By default, the first five of a kind, and all where
    /// `RUST_LIB_BACKTRACE` or `RUST_BACKTRACE` asks.
    pub fn backtraces(self, backtraces: Backtraces) -> Self {
        let text = match backtraces {
            Backtraces::First => "first",
            Backtraces::All => "all",
            Backtraces::Off => "off",
        };
        self.set("errors.backtraces", text, ".backtraces(..)")
    }

    /// Where captured errors are sent: a Sentry DSN. By default, what `SENTRY_DSN` says, else nowhere. Needs
    /// the feature `sentry`.
    pub fn sentry_dsn(self, dsn: impl Into<String>) -> Self {
        self.set("sentry.dsn", dsn, ".sentry_dsn(..)")
    }

    /// Is shown each event before it is sent to Sentry: may change it, and says whether it is sent. Runs on a
    /// thread of this crate's, and must be short. An event at which it panics is not sent and counted as
    /// dropped.
    pub fn before_send(
        mut self,
        before_send: impl Fn(&mut ErrorEvent) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.before_send = Some(Box::new(before_send));
        self
    }

    /// Further keys whose values are secrets, beside the built-in ones such as `password` and `api_key`. Case,
    /// `-_. []` and `camelCase` make no difference; a key also counts as whole words of a longer one: `ticket`
    /// hides `casTicket=..`, and not `ticket_count=..`. See [`logs`](crate::logs#what-is-redacted).
    ///
    /// They add to the keys of earlier calls, of a file and of the environment.
    pub fn redact_keys<K: Into<String>>(self, keys: impl IntoIterator<Item = K>) -> Self {
        self.set_list("redact.keys", keys, ".redact_keys(..)")
    }

    /// Paths with a secret in them, such as `/invites/{token}`: `{name}` is redacted, alone or beside literal
    /// text (`bot{token}`), `*` is any one segment, and `{*name}` the rest of the path. A pattern fits in any path and
    /// URL, also inside a text, wherever its segments follow each other.
    /// A literal may follow the secret: `/invites/{token}/accept`. They add to the paths of earlier calls, of a
    /// file and of the environment.
    ///
    /// ```
    /// # fn main() -> watchpost::Result<()> {
    /// let monitor = watchpost::Monitor::builder("shop")
    ///     .redact_paths(["/invites/{token}", "/users/*/keys/{key}"])
    ///     .allow_query(["offset", "page"])
    /// #   .env(false).console(false)
    ///     .build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn redact_paths<P: Into<String>>(self, paths: impl IntoIterator<Item = P>) -> Self {
        self.set_list("redact.paths", paths, ".redact_paths(..)")
    }

    /// Query parameters whose values are shown, in request log records, spans, errors and every URL inside a
    /// text; by default, none. A name is compared exactly.
    ///
    /// A value with a secret in it is redacted all the same. A name of secrets (`token`) is refused. Some names
    /// carry a grant in one query and a filter in another (`code`, `state`, `key`): their values are shown when they are a lower-case
    /// word of at most 16 letters or a number of at most five digits.
    pub fn allow_query<N: Into<String>>(self, names: impl IntoIterator<Item = N>) -> Self {
        self.set_list("redact.allow_query", names, ".allow_query(..)")
    }

    /// Whether answers carry `x-trace-id`. By default, they do.
    pub fn trace_header(self, trace_header: bool) -> Self {
        let text = if trace_header { "true" } else { "false" };
        self.set("http.trace_header", text, ".trace_header(..)")
    }

    /// Whether callers are strangers: each request then begins a trace of its own, and the caller's trace
    /// id stands beside it in the log record. Their baggage is ignored. By default, they are not.
    ///
    /// A [trusted proxy](crate::http::EndpointLayer::trusted_proxies) is no stranger: the trace and the baggage that it sends go
    /// on. A load balancer that is trusted and passes a client's `traceparent` through unchanged has to remove it.
    pub fn public_endpoint(self, public_endpoint: bool) -> Self {
        self.set(
            "http.public_endpoint",
            if public_endpoint { "true" } else { "false" },
            ".public_endpoint(..)",
        )
    }

    /// The request methods that can be labels; all others are `_OTHER`. By default, those of the semantic
    /// conventions, `GET` to `QUERY`.
    pub fn known_methods(self, methods: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let methods: Vec<_> = methods
            .into_iter()
            .map(|it| it.as_ref().to_owned())
            .collect();
        self.set(
            "http.known_methods",
            methods.join(","),
            ".known_methods(..)",
        )
    }

    /// Whether spans are recorded. By default, they are.
    pub fn record_spans(self, record: bool) -> Self {
        let text = if record { "false" } else { "true" };
        self.set("trace.disabled", text, ".record_spans(..)")
    }

    /// Who makes spans of `tracing` spans. By default, this crate's own layer.
    pub fn spans(self, spans: Spans) -> Self {
        let text = match spans {
            Spans::Watchpost => "watchpost",
            Spans::TracingOpentelemetry => "tracing-opentelemetry",
        };
        self.set("trace.spans", text, ".spans(..)")
    }

    /// The share of traces that are kept whatever happens in them, from 0 to 1. By default, all of them, up to
    /// 100 a second. What fails, panics, times out, is slow or has a captured error is kept beside.
    pub fn trace_ratio(self, ratio: f64) -> Self {
        self.set("trace.sampler", "traceidratio", ".trace_ratio(..)")
            .set("trace.sampler_arg", ratio.to_string(), ".trace_ratio(..)")
    }

    /// Another ratio for the routes that a pattern names: a route, or the beginning of one before a `*`. Of
    /// several that fit the first holds.
    pub fn trace_rule(mut self, route: impl Into<String>, ratio: f64) -> Self {
        self.trace_rules.push((route.into(), ratio));
        self
    }

    /// Traces that are kept by ratio or for a trusted caller in a second, at most. By default, 100. Routes and jobs
    /// [share](crate::trace#how-budgets-are-shared) them.
    pub fn max_traces_per_second(self, traces: u32) -> Self {
        let text = traces.to_string();
        self.set("trace.max_per_second", text, ".max_traces_per_second(..)")
    }

    /// From which duration on a trace is slow and kept. By default, from what 99 of 100 requests of its route
    /// take, once 500 were seen.
    pub fn slow_trace_threshold(self, slow: Duration) -> Self {
        self.set_time("trace.slow", slow, ".slow_trace_threshold(..)")
    }

    /// Series that one metric may have. By default, 2,000.
    pub fn max_series_per_metric(self, series: usize) -> Self {
        let text = series.to_string();
        self.set(
            "metrics.max_series_per_metric",
            text,
            ".max_series_per_metric(..)",
        )
    }

    /// Series that all metrics may have together. By default, 20,000.
    pub fn max_series(self, series: usize) -> Self {
        self.set("metrics.max_series", series.to_string(), ".max_series(..)")
    }

    /// Whether counters of the `metrics` facade keep their name on the page, without `_total`, as with
    /// metrics-exporter-prometheus. By default, `false`.
    pub fn keep_counter_names(self, keep: bool) -> Self {
        self.set(
            "metrics.keep_counter_names",
            if keep { "true" } else { "false" },
            ".keep_counter_names(..)",
        )
    }

    /// After which time without a change a series leaves the page. By default, 1 h.
    pub fn idle_after(self, idle: Duration) -> Self {
        self.set_time("metrics.idle_after", idle, ".idle_after(..)")
    }

    /// The upper bounds of a histogram's buckets, in its unit and in any order: at most 128 finite numbers. The name is
    /// one of the program (`http.server.request.duration`) or of the page
    /// (`http_server_request_duration_seconds`). The last call for a histogram wins, under either name, over those before
    /// it, the environment and the file. By default, the histogram's own.
    ///
    /// ```
    /// # fn main() -> watchpost::Result<()> {
    /// let monitor = watchpost::Monitor::builder("shop")
    ///     .histogram_bounds("http.server.request.duration", [0.05, 0.1, 0.2, 0.4, 0.8])
    ///     .histogram_off("http.server.request.body.size")
    ///     .build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn histogram_bounds(
        self,
        name: impl fmt::Display,
        bounds: impl IntoIterator<Item = f64>,
    ) -> Self {
        let bounds: Vec<_> = bounds.into_iter().map(|bound| bound.to_string()).collect();
        let text = format!("{name}={}", bounds.join(" "));
        self.set("metrics.histograms", text, ".histogram_bounds(..)")
    }

    /// Switches a histogram off: it records nothing and is not on the page. The name is as for
    /// [`histogram_bounds`](Self::histogram_bounds).
    pub fn histogram_off(self, name: impl fmt::Display) -> Self {
        let text = format!("{name}=off");
        self.set("metrics.histograms", text, ".histogram_off(..)")
    }

    /// The token of [`Access::from_settings`](crate::Access::from_settings) and of the monitor's own port. It goes before
    /// the variables `WATCHPOST_ACCESS_TOKEN` and `WATCHPOST_TOKEN`, and before the file. One of fewer than 32
    /// characters, or of few different ones, is an error of `build`; one that is easily guessed otherwise is replaced by a
    /// random token; see [`Access`](crate::Access).
    pub fn access_token(self, token: impl Into<String>) -> Self {
        self.set("access.token", token, ".access_token(..)")
    }

    /// The OTLP receiver to which kept traces are sent, such as `http://localhost:4318`: `/v1/traces` is
    /// added. By default, what the environment says, else none.
    pub fn otlp_endpoint(self, url: impl Into<String>) -> Self {
        self.set("otlp.endpoint", url, ".otlp_endpoint(..)")
    }

    /// Headers that the OTLP receiver asks for: `name=value`, percent-encoded, separated by commas. By
    /// default, what the environment says, else none.
    pub fn otlp_headers(self, headers: impl Into<String>) -> Self {
        self.set("otlp.headers", headers, ".otlp_headers(..)")
    }

    /// Bytes of records that may wait for the worker. By default, 8 MiB.
    pub fn max_queue_bytes(self, bytes: usize) -> Self {
        self.set(
            "worker.max_queue_bytes",
            bytes.to_string(),
            ".max_queue_bytes(..)",
        )
    }

    /// Bytes of lines that may wait for one sink. By default, 4 MiB.
    pub fn max_sink_bytes(self, bytes: usize) -> Self {
        self.set(
            "worker.max_sink_bytes",
            bytes.to_string(),
            ".max_sink_bytes(..)",
        )
    }

    /// How long [`Monitor::drain`] waits after `/readyz` answers 503. By default, 3 s.
    pub fn drain_wait(self, wait: Duration) -> Self {
        self.set_time("drain.wait", wait, ".drain_wait(..)")
    }

    #[cfg(feature = "testing")]
    pub(crate) fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Whether [`install`](Self::install) and [`Monitor::install`] set this global of the process. By default, each.
    ///
    /// ```no_run
    /// use watchpost::{Global, Monitor};
    ///
    /// # fn main() -> watchpost::Result<()> {
    /// let monitor = Monitor::builder("shop")
    ///     .install_global(Global::Recorder, false)
    ///     .install_global(Global::TracerProvider, false)
    ///     .install()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn install_global(self, global: Global, wanted: bool) -> Self {
        let text = if wanted { "true" } else { "false" };
        self.set(global.setting(), text, ".install_global(..)")
    }

    /// Builds the monitor and touches no global. A host with a `tracing` subscriber of its own adds
    /// [`tracing_layer`](Monitor::tracing_layer) to it, and then calls [`Monitor::install`] for the rest.
    ///
    /// # Errors
    ///
    /// If a setting is bad, with every problem at once; if the worker's thread cannot be started. A data
    /// directory that cannot be used is no error: nothing is then kept on disk, and a notice says so.
    pub fn build(self) -> Result<MonitorGuard> {
        Ok(MonitorGuard::new(self.assemble()?))
    }

    /// Builds the monitor and makes it the process's own, as [`build`](Self::build) and [`Monitor::install`] do one
    /// after the other. For a host that sets no `tracing` subscriber: this sets one, and a later `init()` of another
    /// fails. What was left alone stands in [`MonitorGuard::report`].
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build).
    pub fn install(self) -> Result<MonitorGuard> {
        let monitor = self.build()?;
        monitor.install();
        Ok(monitor)
    }

    /// The settings of all sources, and the environment.
    fn resolve(&mut self) -> Result<(Resolved, Environment)> {
        let env = self.env;
        let environment = self.environment.take();
        let environment = environment.unwrap_or_else(|| Environment::of_process(env));
        let sources = Sources {
            file: self.file.take(),
            environment: environment.clone(),
            code: std::mem::take(&mut self.code),
            trace_rules: std::mem::take(&mut self.trace_rules),
        };
        Ok((config::resolve(sources)?, environment))
    }

    fn assemble(mut self) -> Result<Monitor> {
        let (resolved, environment) = self.resolve()?;
        let Resolved {
            mut config,
            warnings,
            settings,
        } = resolved;
        // The worker, the checks and what reads kept traces take the rules of the thread that makes them.
        let _entered = RedactionRules::new(&config.redact).enter();
        let (clock, notices) = (self.clock, Arc::new(Notices::of(warnings)));
        let setting = access_token(&config, &settings);
        more_backtraces(&mut config, &environment);
        let look_up = move |name: &str| environment.text(name).map(str::to_owned);
        let keys = Keys::new(look_up, access::to_stderr, Arc::clone(&notices), setting);
        let (data_dir, data_dir_problem) = open_data_dir(&config, &notices);
        let books = Arc::new(Books::default());
        let metrics = Metrics::new(config.metrics.clone(), clock.clone(), Arc::clone(&notices));
        let room = config.trace.max_open_bytes;
        let requests = Requests::with_room(clock.clone(), room);
        let requests = Arc::new(requests.with_methods(&config.http.known_methods));
        let intake = Arc::new(Intake::new(
            config.worker.max_queue_bytes,
            Arc::clone(&books),
        ));
        let keeper = data_dir
            .as_ref()
            .map(|it| keeper(it, &config, &clock, (&intake, &notices)));
        let levels = Arc::new(levels(&config)?);
        let tracing = Tracing::new(&config, &requests, &intake)?;
        let errors = capture(&config, &intake, &requests, keeper, &tracing);
        metrics.trace_source(trace_source(&requests, tracing.traces.clone()));
        let mut remotes = tracing.remotes(&config, &notices);
        let told = (&clock, &books, &notices);
        remotes.extend(export::errors(&errors, &config, self.before_send, told));
        let rounds = Rounds::default();
        let setup = WorkerSetup {
            config: config.worker.clone(),
            clock: clock.clone(),
            intake: Arc::clone(&intake),
            books: Arc::clone(&books),
            notices: Arc::clone(&notices),
            sinks: console(&config, self.console, &requests),
            taps: taps(&errors, (&metrics, &notices), &tracing),
            ticks: ticks(&metrics, &tracing, rounds.tick(&notices)),
            remotes,
        };
        let worker = Worker::start(setup)
            .map_err(|error| Error::io("the worker's thread cannot be started", error))?;
        errors.keep_by(worker.deadlines());
        let health = Health::new(HealthSetup {
            config: config.health.clone(),
            clock,
            handle: worker.handle(),
            notices: Arc::clone(&notices),
            keys,
            service: config.service.name.clone(),
            release: config.service.version.clone(),
        });
        let lines = line_mode(&config);
        let inbound = LayerContext::new(
            &requests,
            &metrics,
            &intake,
            &notices,
            lines,
            http(&config),
            tracing.traces.clone(),
        );
        let (queries, calls) = outgoing(&config, &metrics, &requests, &tracing);
        let inner = Inner {
            requests,
            metrics,
            intake,
            books,
            notices,
            levels,
            tracing,
            inbound,
            queries,
            calls,
            errors,
            health,
            worker,
            settings,
            drain_wait: config.drain_wait,
            propagators: config.propagators,
            install: config.install,
            installs: Mutex::default(),
            life: Life::default(),
            gave_layer: AtomicBool::new(false),
            data_dir,
            data_dir_problem,
            server_counters: Arc::default(),
            rounds,
        };
        own::observe(&inner);
        inner.rounds.begin(Doctor::of(&inner, config.data_dir));
        Ok(current::known(inner))
    }
}

fn http(config: &Config) -> HttpConfig {
    let Propagators {
        trace_context,
        baggage,
    } = config.propagators;
    let http = config.http.clone();
    http.trace_context(trace_context).baggage(baggage)
}

/// The token of the setting, and how notices name it.
fn access_token(config: &Config, settings: &Settings) -> Option<(String, Secret)> {
    let origin = settings.origin("access.token").unwrap_or_default();
    let token = config.access_token.clone()?;
    Some((format!("access.token ({origin})"), token))
}

/// What watches queries and calls to elsewhere.
fn outgoing(
    config: &Config,
    metrics: &Metrics,
    requests: &Arc<Requests>,
    tracing: &Tracing,
) -> (Arc<Queries>, Arc<Calls>) {
    let carried = Carried {
        trace_context: config.propagators.trace_context,
        baggage: config.propagators.baggage,
    };
    let traces = tracing.traces.as_ref();
    (
        Arc::new(Queries::new(metrics, requests, traces)),
        Arc::new(Calls::new(metrics, requests, traces, carried)),
    )
}

/// Where errors are captured; those of database drivers are read.
fn capture(
    config: &Config,
    intake: &Arc<Intake>,
    requests: &Arc<Requests>,
    keeper: Option<Keeper>,
    tracing: &Tracing,
) -> ErrorTracker {
    let traces = tracing.traces.clone();
    let read_driver = crate::db::driver_error;
    ErrorTracker::new(
        &config.errors,
        intake,
        requests,
        keeper,
        traces,
        read_driver,
    )
}

fn levels(config: &Config) -> Result<Levels> {
    Levels::parse(&config.logs.level).map_err(|problem| Error::config(vec![problem]))
}

fn taps(
    errors: &ErrorTracker,
    (metrics, notices): (&Metrics, &Arc<Notices>),
    tracing: &Tracing,
) -> Vec<Box<dyn Tap>> {
    let mut taps: Vec<Box<dyn Tap>> = vec![Box::new(errors.tap(metrics, notices, read_crumb))];
    taps.extend(tracing.tap());
    taps
}

fn ticks(metrics: &Metrics, tracing: &Tracing, rounds: Tick) -> Vec<Tick> {
    let expire = metrics.clone();
    let mut ticks: Vec<Tick> = vec![(EXPIRE_EVERY, Box::new(move || expire.expire())), rounds];
    ticks.extend(tracing.tick());
    ticks
}

/// Where the environment asks for backtraces, every error has one.
fn more_backtraces(config: &mut Config, environment: &Environment) {
    if config.errors.backtraces == Backtraces::First && environment.asks_for_backtraces() {
        config.errors.backtraces = Backtraces::All;
    }
}

/// The data directory, or why it cannot be used.
fn open_data_dir(config: &Config, notices: &Notices) -> (Option<DataDir>, Option<String>) {
    let Some(path) = &config.data_dir else {
        return (None, None);
    };
    match DataDir::open(path) {
        Ok(data_dir) => (Some(data_dir), None),
        Err(error) => {
            let problem = format!(
                "the data directory `{}` cannot be used ({error}): nothing is kept on disk; make it writable or set `data_dir` to another",
                path.display()
            );
            notices.say(problem.as_str());
            (None, Some(problem))
        }
    }
}

/// Where captured errors are stored.
fn keeper(
    data_dir: &DataDir,
    config: &Config,
    clock: &Clock,
    (intake, notices): (&Arc<Intake>, &Arc<Notices>),
) -> Keeper {
    Keeper::in_directory(
        "captured errors",
        data_dir.path().join("errors"),
        config.errors.max_stored_bytes as u64,
        clock,
        (intake, notices),
    )
}

/// Who is asked for the trace of an exemplar: where traces are kept, it is one that is known to be.
fn trace_source(
    requests: &Requests,
    traces: Option<Arc<Traces>>,
) -> Arc<dyn Fn() -> Option<TraceId> + Send + Sync> {
    let number = requests.number();
    Arc::new(move || {
        request::with_current(Some(number), |slot, _| {
            let sampled = traces
                .as_ref()
                .is_none_or(|traces| traces.sampling(slot).is_sampled());
            sampled.then(|| slot.ids().trace)
        })?
    })
}

fn console(
    config: &Config,
    writer: Option<Box<dyn Write + Send>>,
    requests: &Arc<Requests>,
) -> Vec<SinkSetup> {
    if !config.logs.console {
        return Vec::new();
    }
    let terminal = writer.is_none() && Console::is_terminal();
    let pretty = match config.logs.format {
        LogFormat::Pretty => true,
        LogFormat::Json => false,
        LogFormat::Auto => terminal,
    };
    let service = ServiceFields {
        name: config.service.name.clone(),
        version: config.service.version.clone(),
        environment: config.service.environment.clone(),
        instance: config.service.instance.clone(),
    };
    let format = LogFormatter::new(pretty, &service, Arc::clone(requests));
    let writer = writer.unwrap_or_else(|| Box::new(Console::stdout()));
    vec![SinkSetup {
        name: "console",
        format: Box::new(format),
        writer,
    }]
}

fn line_mode(config: &Config) -> RequestLogMode {
    match config.logs.requests {
        _ if !config.logs.console => RequestLogMode::Off,
        RequestLogs::Off => RequestLogMode::Off,
        RequestLogs::All => RequestLogMode::All,
        RequestLogs::ErrorsAndSlow => RequestLogMode::ErrorsAndSlow(nanos(config.logs.slow)),
    }
}

impl fmt::Debug for MonitorBuilder {
    /// Values are left out: some are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<_> = self.code.iter().map(|setting| setting.key).collect();
        f.debug_struct("MonitorBuilder")
            .field("set", &keys)
            .finish_non_exhaustive()
    }
}
