//! Creates the parts of a monitor and connects them.

use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::alerts::AlertsHandle;
use super::current;
use super::dashboard::DashboardState;
use super::data_dir::DataDir;
use super::doctor::{Doctor, DoctorTask};
use super::export;
use super::handle::Monitor;
use super::history::HistoryState;
use super::log_files::LogFilesState;
use super::self_metrics;
use super::shipping::LogShipping;
use super::state::MonitorState;
use super::tracing::Tracing;
use crate::access::{self, TokenResolver, TokenSettings};
use crate::clock::{Clock, nanos};
use crate::config::{Config, Environment, ResolvedConfig, Settings};
use crate::content::ContentInstruments;
use crate::context::{self, Requests};
use crate::db::Queries;
use crate::error::{Error, Result};
use crate::errors::{Backtraces, BeforeSend, ErrorTracker, ErrorTrackerSetup};
use crate::external::ExternalCalls;
use crate::health::{Health, HealthSetup};
use crate::http::{HttpConfig, LayerContext, LayerSetup, RequestLogMode};
use crate::logs::{
    LogFormat, LogFormatter, LogLevels, LogSearch, RecentLogStore, RecentLogsObserver, RequestLogs,
    ServiceFields, decode_breadcrumb,
};
use crate::metrics::Metrics;
use crate::model::{
    Diagnostics, LevelDirectives, MonitorLifetime, RecordCounters, Secret, TraceId,
};
use crate::redact::RedactionRules;
use crate::system::{READ_EVERY, SystemReader};
use crate::trace::Traces;
use crate::users::{UserKey, UserStore, UserTracker};
use crate::worker::{
    Console, LineObserver, PeriodicTask, RecordProcessor, RecordQueue, RemoteSetup, SinkSetup,
    SpoolSetup, SpoolWriter, Worker, WorkerSetup,
};

/// The interval between searches for idle series, and between the upkeep of joined expositions.
const EXPIRE_EVERY: Duration = Duration::from_secs(10);

/// The interval at which the store of active users looks whether it has to write. It restores them after the first.
const STORE_USERS_EVERY: Duration = Duration::from_secs(5);

/// The inputs of [`assemble`].
pub(super) struct AssemblyInput {
    pub(super) resolved: ResolvedConfig,
    pub(super) environment: Environment,
    pub(super) console: Option<Box<dyn Write + Send>>,
    pub(super) before_send: Option<BeforeSend>,
    pub(super) clock: Clock,
}

/// The parts that most other parts use.
struct Foundation {
    config: Config,
    clock: Clock,
    diagnostics: Arc<Diagnostics>,
    counters: Arc<RecordCounters>,
    metrics: Metrics,
    requests: Arc<Requests>,
    record_queue: Arc<RecordQueue>,
}

impl Foundation {
    fn new(config: Config, warnings: Vec<String>, clock: Clock) -> Self {
        let diagnostics = Arc::new(Diagnostics::of(warnings));
        let counters = Arc::new(RecordCounters::default());
        let metrics = Metrics::new(
            config.metrics.clone(),
            clock.clone(),
            Arc::clone(&diagnostics),
        );
        let requests = Requests::with_trace_memory(clock.clone(), config.trace.max_open_bytes);
        let requests = requests.with_methods(&config.http.known_methods);
        let record_queue = RecordQueue::new(config.worker.max_queue_bytes, Arc::clone(&counters));
        Self {
            clock,
            diagnostics,
            counters,
            metrics,
            requests: Arc::new(requests),
            record_queue: Arc::new(record_queue),
            config,
        }
    }
}

/// Creates a monitor, starts its worker and registers it.
///
/// # Errors
///
/// Returns an error if a level directive is invalid, or if the worker thread cannot be started.
#[expect(
    clippy::too_many_lines,
    reason = "a list of all parts, in the order in which they are made"
)]
pub(super) fn assemble(input: AssemblyInput) -> Result<Monitor> {
    let AssemblyInput {
        resolved,
        environment,
        console: writer,
        before_send,
        clock,
    } = input;
    let ResolvedConfig {
        mut config,
        warnings,
        settings,
    } = resolved;
    // The worker, the health checks and the readers of kept traces inherit the redaction rules of the thread that
    // creates them.
    let _entered = RedactionRules::new(&config.redact).enter();
    apply_backtrace_variables(&mut config, &environment);
    let base = Foundation::new(config, warnings, clock);

    // Nothing reads the environment of the process after this. The tokens of pages are looked up in this copy.
    let keys = keys(&base, &settings, environment);
    // The parts that record come before the worker, which is started with their processors, tasks and receivers. A data
    // directory that cannot be used is reported and left out, because it must not keep the service from starting.
    let (data_dir, data_dir_problem) = open_data_dir(&base);
    let restarts = data_dir.as_ref().and_then(|it| count_start(&base, it));
    let system = Arc::new(SystemReader::new(base.clock.clone(), restarts));
    let levels = Arc::new(levels(&base)?);
    let tracing = tracing(&base, data_dir.as_ref())?;
    let users = user_tracker(&base, data_dir.as_ref());
    let errors = error_tracker(&base, data_dir.as_ref(), &tracing, &users);
    // The registry was made before the traces, so it learns only now where exemplars get their trace from.
    base.metrics
        .set_trace_source(trace_source(&base, tracing.traces.clone()));

    let (history, mut store_tasks) = history(&base, data_dir.as_ref());
    let (alerts, alert_tasks) = alerts(&base, &history, levels.directives(), data_dir.as_ref());
    store_tasks.extend(alert_tasks.into_iter().chain(errors.tasks()));
    store_tasks.extend(user_tasks(&base, data_dir.as_ref(), &users));
    store_tasks.push(levels.task());

    // The worker drains the queue from here on. The error store gets its deadlines from the worker, which did not exist
    // before.
    let doctor_task = DoctorTask::default();
    let recent_logs = recent_logs(&base);
    let (log_files, shipping) = log_receivers(&base, data_dir.as_ref(), &mut store_tasks);
    let setup = WorkerSetup {
        sinks: line_sinks(&base, writer, log_files.as_ref(), shipping.as_ref()),
        processors: processors(&base, &errors, &tracing),
        observer: observer(&base, &recent_logs),
        tasks: periodic_tasks(&base, &tracing, &doctor_task, &system, store_tasks),
        remotes: remotes(&base, &errors, &tracing, before_send),
        config: base.config.worker.clone(),
        clock: base.clock.clone(),
        record_queue: Arc::clone(&base.record_queue),
        counters: Arc::clone(&base.counters),
        diagnostics: Arc::clone(&base.diagnostics),
    };
    let worker = Worker::start(setup)
        .map_err(|error| Error::io("the worker's thread cannot be started", error))?;
    set_deadlines(&worker, &errors, &tracing);

    // The parts below need the worker's runtime, or only what stands already. None of them waits for anything.
    let health = health(&base, &worker, keys.clone());
    let log_search = log_search(log_files.as_ref(), &recent_logs, &worker);
    let inbound = layer_context(
        &base,
        &tracing,
        &users,
        log_files.is_some() || shipping.is_some(),
    );
    let (queries, calls) = outgoing(&base, &tracing);
    let content = ContentInstruments::new(&base.metrics, &base.clock);
    let Foundation {
        config,
        diagnostics,
        counters,
        metrics,
        requests,
        record_queue,
        ..
    } = base;
    let state = MonitorState {
        dashboard: DashboardState::new(&config, keys),
        requests,
        metrics,
        record_queue,
        counters,
        diagnostics,
        levels,
        tracing,
        inbound,
        queries,
        calls,
        content,
        errors,
        recent_logs,
        log_files,
        shipping,
        log_search,
        health,
        history,
        alerts,
        worker,
        settings,
        users,
        drain_wait: config.drain_wait,
        propagators: config.trace.propagators,
        install: config.install,
        installs: Mutex::default(),
        life: MonitorLifetime::default(),
        gave_layer: AtomicBool::new(false),
        data_dir,
        data_dir_problem,
        server_counters: Arc::default(),
        doctor: doctor_task,
        system,
    };

    // Both examine the complete monitor, but hold no part of it that the end of the monitor would wait for.
    self_metrics::observe(&state);
    state.history.begin();
    state.doctor.start(doctor(&state, config.data_dir));
    Ok(current::register(state))
}

/// Creates the alerts, and their tasks.
fn alerts(
    base: &Foundation,
    history: &HistoryState,
    levels: &Arc<LevelDirectives>,
    data_dir: Option<&DataDir>,
) -> (AlertsHandle, Vec<PeriodicTask>) {
    AlertsHandle::new(
        &base.config.alerts,
        (
            &base.config.service.name,
            base.config.service.environment.as_deref(),
        ),
        history,
        data_dir.map(DataDir::path),
        &base.clock,
        &base.diagnostics,
        (levels, &base.record_queue, &base.requests),
    )
}

/// Creates the resolver of the access tokens.
fn keys(base: &Foundation, settings: &Settings, environment: Environment) -> TokenResolver {
    let look_up = move |name: &str| environment.text(name).map(str::to_owned);
    let diagnostics = Arc::clone(&base.diagnostics);
    let tokens = TokenSettings {
        operator: token("access.token", base.config.access_token.as_ref(), settings),
        viewer: token(
            "access.viewer_token",
            base.config.access_viewer_token.as_ref(),
            settings,
        ),
    };
    TokenResolver::new(look_up, access::to_stderr, diagnostics, tokens)
}

/// Returns the name of a token's setting in diagnostics, and the token.
fn token(key: &str, token: Option<&Secret>, settings: &Settings) -> Option<(String, Secret)> {
    let origin = settings.origin(key).unwrap_or_default();
    Some((format!("{key} ({origin})"), token?.clone()))
}

/// Enables backtraces for all errors if the environment requests them.
fn apply_backtrace_variables(config: &mut Config, environment: &Environment) {
    if config.errors.backtraces == Backtraces::First && environment.asks_for_backtraces() {
        config.errors.backtraces = Backtraces::All;
    }
}

/// Opens the data directory. If that fails, reports and returns the reason.
fn open_data_dir(base: &Foundation) -> (Option<DataDir>, Option<String>) {
    let Some(path) = &base.config.data_dir else {
        return (None, None);
    };
    match DataDir::open(path) {
        Ok(data_dir) => (Some(data_dir), None),
        Err(error) => {
            let problem = format!(
                "the data directory `{}` cannot be used ({error}): nothing is kept on disk; make it writable or set `data_dir` to another",
                path.display()
            );
            base.diagnostics.report(problem.as_str());
            (None, Some(problem))
        }
    }
}

/// Counts this start in the data directory, and returns the number of earlier ones. A failure is only reported.
fn count_start(base: &Foundation, data_dir: &DataDir) -> Option<u64> {
    let counted = data_dir.count_start();
    if let Err(error) = &counted {
        base.diagnostics.report(format!(
            "restarts are not counted in the data directory `{}`: {error}",
            data_dir.path().display()
        ));
    }
    counted.ok()
}

fn levels(base: &Foundation) -> Result<LogLevels> {
    let levels = LogLevels::new(&base.config.logs.level, base.clock.clone());
    levels.map_err(|problem| Error::config(vec![problem]))
}

/// Creates the tracing parts, which store kept traces on disk if there is a data directory.
fn tracing(base: &Foundation, data_dir: Option<&DataDir>) -> Result<Tracing> {
    Tracing::new(
        &base.config,
        &base.requests,
        &base.record_queue,
        &base.diagnostics,
        data_dir.map(DataDir::path),
    )
}

/// Creates the error tracker, which stores errors on disk if there is a data directory.
fn error_tracker(
    base: &Foundation,
    data_dir: Option<&DataDir>,
    tracing: &Tracing,
    users: &Arc<UserTracker>,
) -> ErrorTracker {
    let spool = data_dir.map(|data_dir| {
        SpoolWriter::in_directory(SpoolSetup {
            name: "captured errors",
            path: data_dir.path().join("errors"),
            max_bytes: base.config.errors.max_stored_bytes as u64,
            clock: base.clock.clone(),
            record_queue: Arc::clone(&base.record_queue),
            diagnostics: Arc::clone(&base.diagnostics),
        })
    });
    ErrorTracker::new(ErrorTrackerSetup {
        config: &base.config.errors,
        record_queue: &base.record_queue,
        requests: &base.requests,
        store: spool,
        directory: data_dir.map(DataDir::path),
        users,
        release: base.config.service.version.as_deref().unwrap_or_default(),
        environment: base
            .config
            .service
            .environment
            .as_deref()
            .unwrap_or_default(),
        diagnostics: &base.diagnostics,
        traces: tracing.traces.clone(),
        read_driver_error: crate::db::driver_error,
    })
}

/// Returns the trace of an exemplar: the current one, if its sampler keeps it or no traces are recorded.
fn trace_source(
    base: &Foundation,
    traces: Option<Arc<Traces>>,
) -> Arc<dyn Fn() -> Option<TraceId> + Send + Sync> {
    let number = base.requests.number();
    Arc::new(move || {
        context::with_current(Some(number), |slot, _| {
            let sampled = traces
                .as_ref()
                .is_none_or(|traces| traces.sampling(slot).is_sampled());
            sampled.then(|| slot.ids().trace)
        })?
    })
}

/// Creates the console sink, unless it is off.
fn console(base: &Foundation, writer: Option<Box<dyn Write + Send>>) -> Option<SinkSetup> {
    let config = &base.config;
    if !config.logs.console {
        return None;
    }
    // A writer of the host's is never a terminal, whatever standard output is.
    let terminal = writer.is_none() && Console::is_terminal();
    let pretty = match config.logs.format {
        LogFormat::Pretty => true,
        LogFormat::Json => false,
        LogFormat::Auto => terminal,
    };
    Some(SinkSetup {
        name: "console",
        format: Box::new(log_format(base, pretty)),
        writer: writer.unwrap_or_else(|| Box::new(Console::stdout())),
        flush_delay: Duration::ZERO,
    })
}

/// Creates the sinks of log lines.
fn line_sinks(
    base: &Foundation,
    console_writer: Option<Box<dyn Write + Send>>,
    files: Option<&LogFilesState>,
    shipping: Option<&LogShipping>,
) -> Vec<SinkSetup> {
    let files = files.map(|it| it.sink(log_format(base, false)));
    let shipping = shipping.and_then(|it| it.sink(log_format(base, false)));
    console(base, console_writer)
        .into_iter()
        .chain(files)
        .chain(shipping)
        .collect()
}

/// Creates the formatter of log lines.
fn log_format(base: &Foundation, pretty: bool) -> LogFormatter {
    LogFormatter::new(pretty, &service_fields(base), Arc::clone(&base.requests))
}

fn service_fields(base: &Foundation) -> ServiceFields {
    let service = &base.config.service;
    ServiceFields {
        name: service.name.clone(),
        version: service.version.clone(),
        environment: service.environment.clone(),
        instance: service.instance.clone(),
    }
}

/// Gives the stores that are read the deadlines of the worker.
fn set_deadlines(worker: &Worker, errors: &ErrorTracker, tracing: &Tracing) {
    errors.set_deadlines(worker.deadlines());
    tracing.set_deadlines(worker);
}

/// Creates the search of the log files, or of the last log records without them.
fn log_search(
    files: Option<&LogFilesState>,
    recent: &Arc<RecentLogStore>,
    worker: &Worker,
) -> LogSearch {
    LogSearch::new(
        files.map(LogFilesState::index),
        Arc::clone(recent),
        (worker.handle(), worker.deadlines()),
    )
}

/// Creates the log files and the shipping of log records, and adds their tasks.
fn log_receivers(
    base: &Foundation,
    data_dir: Option<&DataDir>,
    tasks: &mut Vec<PeriodicTask>,
) -> (Option<LogFilesState>, Option<LogShipping>) {
    let files = log_files(base, data_dir, tasks);
    let shipping = shipping(base, files.as_ref(), tasks);
    (files, shipping)
}

/// Creates the log files, if there is a directory for them, and adds their tasks.
fn log_files(
    base: &Foundation,
    data_dir: Option<&DataDir>,
    tasks: &mut Vec<PeriodicTask>,
) -> Option<LogFilesState> {
    let files = LogFilesState::open(
        &base.config.logs,
        data_dir.map(DataDir::path),
        &base.clock,
        &base.diagnostics,
    )?;
    tasks.extend(files.tasks());
    Some(files)
}

/// Creates the shipping of log records, if a server is set, and adds its tasks.
fn shipping(
    base: &Foundation,
    files: Option<&LogFilesState>,
    tasks: &mut Vec<PeriodicTask>,
) -> Option<LogShipping> {
    let shipping = LogShipping::new(&base.config.elasticsearch, files, &base.diagnostics)?;
    tasks.extend(shipping.tasks());
    Some(shipping)
}

/// Creates the record processors of this process.
fn processors(
    base: &Foundation,
    errors: &ErrorTracker,
    tracing: &Tracing,
) -> Vec<Box<dyn RecordProcessor>> {
    let of_errors = errors.processor(&base.metrics, &base.diagnostics, decode_breadcrumb);
    let mut all: Vec<Box<dyn RecordProcessor>> = vec![Box::new(of_errors)];
    all.extend(tracing.tap());
    all
}

/// Creates the memory of the last log records. It stays empty if `log.recent_bytes` is 0.
fn recent_logs(base: &Foundation) -> Arc<RecentLogStore> {
    let max_bytes = base.config.logs.recent_bytes;
    Arc::new(RecentLogStore::new(
        max_bytes,
        Arc::clone(&base.requests),
        service_fields(base),
    ))
}

/// Creates the observer that keeps the last log records, unless none are kept.
fn observer(base: &Foundation, recent: &Arc<RecentLogStore>) -> Option<Box<dyn LineObserver>> {
    let kept = base.config.logs.recent_bytes > 0;
    kept.then(|| Box::new(RecentLogsObserver::new(Arc::clone(recent))) as Box<_>)
}

/// Creates the periodic tasks of the worker.
fn periodic_tasks(
    base: &Foundation,
    tracing: &Tracing,
    doctor: &DoctorTask,
    system: &Arc<SystemReader>,
    stores: Vec<PeriodicTask>,
) -> Vec<PeriodicTask> {
    let metrics = base.metrics.clone();
    let expire = PeriodicTask::new(EXPIRE_EVERY, move || metrics.expire());
    let (system, metrics) = (Arc::clone(system), base.metrics.clone());
    let read_system = PeriodicTask::new(READ_EVERY, move || {
        system.tick();
        metrics.measure_runtimes();
    });
    // A function of the host, which may hang.
    let metrics = base.metrics.clone();
    let upkeep = PeriodicTask::on_pool(EXPIRE_EVERY, move || metrics.upkeep());
    let mut all = vec![expire, read_system, doctor.tick(&base.diagnostics), upkeep];
    all.extend(tracing.tick());
    // After the system is read, so that a snapshot has the rates of the same interval.
    all.extend(stores);
    all
}

/// Creates the remote receivers of traces, metrics and errors.
fn remotes(
    base: &Foundation,
    errors: &ErrorTracker,
    tracing: &Tracing,
    before_send: Option<BeforeSend>,
) -> Vec<RemoteSetup> {
    let (config, diagnostics) = (&base.config, &base.diagnostics);
    let resource = export::resource(config);
    let traces = tracing.remote(config, &resource, diagnostics);
    let metrics = export::metrics(&base.metrics, config, &resource, diagnostics);
    let shared = export::ExportState {
        clock: &base.clock,
        counters: &base.counters,
        diagnostics: &base.diagnostics,
    };
    let errors = export::errors(errors, config, before_send, &shared);
    [traces, metrics, errors].into_iter().flatten().collect()
}

fn health(base: &Foundation, worker: &Worker, keys: TokenResolver) -> Health {
    let config = &base.config;
    Health::new(HealthSetup {
        config: config.health.clone(),
        clock: base.clock.clone(),
        handle: worker.handle(),
        diagnostics: Arc::clone(&base.diagnostics),
        keys,
        service: config.service.name.clone(),
        release: config.service.version.clone(),
    })
}

/// Creates the tracker of active users. Its key is stored in the data directory, so that what it counts can be merged
/// with what later processes count.
fn user_tracker(base: &Foundation, data_dir: Option<&DataDir>) -> Arc<UserTracker> {
    let new = UserKey::random();
    let stored = data_dir.map(|data_dir| data_dir.stored_key("users.key", new.as_bytes()));
    let key = match stored {
        None => new,
        Some(Ok(stored)) => UserKey::from_bytes(stored),
        Some(Err(error)) => {
            base.diagnostics.report(format!(
                "the key for the hashes of users cannot be stored in the data directory ({error}): the count of active users begins again with each start"
            ));
            new
        }
    };
    Arc::new(UserTracker::new(base.clock.clone(), key))
}

/// Creates the history, and its tasks.
fn history(base: &Foundation, data_dir: Option<&DataDir>) -> (HistoryState, Vec<PeriodicTask>) {
    HistoryState::new(
        &base.config,
        &base.metrics,
        data_dir.map(DataDir::path),
        &base.clock,
        &base.diagnostics,
    )
}

/// Creates the tasks that store the active users, if there is a data directory.
fn user_tasks(
    base: &Foundation,
    data_dir: Option<&DataDir>,
    users: &Arc<UserTracker>,
) -> Vec<PeriodicTask> {
    let Some(data_dir) = data_dir else {
        return Vec::new();
    };
    let path = data_dir.path();
    let store = UserStore::in_directory(path, users, &base.clock, &base.diagnostics);
    let store = Arc::new(store);
    let last = Arc::clone(&store);
    vec![
        PeriodicTask::on_pool(STORE_USERS_EVERY, move || store.tick()),
        PeriodicTask::at_end("the active users", move || last.finish()),
    ]
}

/// Creates the state that all endpoint layers share.
fn layer_context(
    base: &Foundation,
    tracing: &Tracing,
    users: &Arc<UserTracker>,
    has_line_receivers: bool,
) -> LayerContext {
    LayerContext::new(LayerSetup {
        requests: &base.requests,
        metrics: &base.metrics,
        record_queue: &base.record_queue,
        diagnostics: &base.diagnostics,
        log_mode: request_log_mode(&base.config, base.config.logs.console || has_line_receivers),
        config: http(&base.config),
        traces: tracing.traces.clone(),
        users: Arc::clone(users),
    })
}

/// Returns the settings of the endpoint layers, with the propagators of `trace.propagators`.
fn http(config: &Config) -> HttpConfig {
    let mut http = config.http.clone();
    http.trace_context = config.trace.propagators.trace_context;
    http.baggage = config.trace.propagators.baggage;
    http
}

/// Returns which requests get a log record.
fn request_log_mode(config: &Config, has_lines: bool) -> RequestLogMode {
    match config.logs.requests {
        _ if !has_lines => RequestLogMode::Off,
        RequestLogs::Off => RequestLogMode::Off,
        RequestLogs::All => RequestLogMode::All,
        RequestLogs::ErrorsAndSlow => RequestLogMode::ErrorsAndSlow(nanos(config.logs.slow)),
    }
}

/// Creates the parts that record queries and outgoing calls.
fn outgoing(base: &Foundation, tracing: &Tracing) -> (Arc<Queries>, Arc<ExternalCalls>) {
    let propagators = base.config.trace.propagators;
    let (metrics, requests, traces) = (&base.metrics, &base.requests, tracing.traces.as_ref());
    (
        Arc::new(Queries::new(metrics, requests, traces)),
        Arc::new(ExternalCalls::new(metrics, requests, traces, propagators)),
    )
}

/// Creates the monitor's doctor. `data_dir` is the configured directory.
fn doctor(state: &MonitorState, data_dir: Option<PathBuf>) -> Doctor {
    Doctor {
        monitor: state.requests.number(),
        propagators: state.propagators,
        install: state.install,
        layer: Arc::clone(&state.tracing.layer),
        inbound: state.inbound.clone(),
        metrics: state.metrics.clone(),
        clock: state.requests.clock().clone(),
        began: state.requests.clock().now(),
        errors: state.errors.clone(),
        queries: Arc::downgrade(&state.queries),
        data_dir: data_dir.map(|path| (path, state.data_dir.is_some())),
        worker: state.worker.sink_observer(),
    }
}
