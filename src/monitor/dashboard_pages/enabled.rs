use std::convert::Infallible;
use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tower::Service;

use crate::access::{Access, to_stderr};
use crate::context::{self, Requests};
use crate::dashboard::{
    Dashboard, DashboardService, DashboardSetup, MonitorPart, PartState, TestOutcome,
};
use crate::errors::{ErrorTracker, has_installed};
use crate::logs::OwnLog;
use crate::model::{EventId, TraceId};
use crate::monitor::dashboard::DashboardState;
use crate::monitor::handle::Monitor;
use crate::monitor::serve::{PageHandler, RequestBody, ServedBody};
use crate::monitor::state::MonitorState;
use crate::trace::{SpanBuilder, Traces};

impl Monitor {
    /// Returns a router with the live dashboard at `/monitoring`, to be merged into the host's router. See
    /// [`dashboard`](crate::dashboard) for who sees it.
    ///
    /// Merge it after the router's other layers, so that a compression or a login of the host does not apply to it; or
    /// before, if the host's own login should.
    ///
    /// ```
    /// # fn main() -> watchpost::Result<()> {
    /// # let monitor = watchpost::Monitor::builder("shop").env(false).console(false).build()?;
    /// use watchpost::Access;
    ///
    /// let app: axum::Router = axum::Router::new()
    ///     .layer(monitor.layer())
    ///     .merge(monitor.dashboard(Access::from_settings()));
    /// # drop(app);
    /// # Ok(())
    /// # }
    /// ```
    pub fn dashboard<S>(&self, access: Access) -> Router<S>
    where
        S: Clone + Send + Sync + 'static,
    {
        self.dashboard_service(access).into_router()
    }

    /// Returns the live dashboard as a tower service, to be mounted at any path. See [`dashboard`](crate::dashboard).
    ///
    /// ```
    /// # fn main() -> watchpost::Result<()> {
    /// # let monitor = watchpost::Monitor::builder("shop").env(false).console(false).build()?;
    /// use watchpost::Access;
    ///
    /// let service = monitor.dashboard_service(Access::from_settings());
    /// let app: axum::Router = axum::Router::new().nest_service("/ops", service);
    /// # drop(app);
    /// # Ok(())
    /// # }
    /// ```
    pub fn dashboard_service(&self, access: Access) -> DashboardService {
        DashboardService::new(&self.shared_dashboard(), access)
    }

    /// Writes the address of the dashboard to standard error. With a token that was generated for this run, it is a link
    /// that logs in: `http://127.0.0.1:3000/monitoring#token=..`. A token of the settings is not written.
    ///
    /// `address` is where a browser reaches the dashboard. Returns at once: a thread of its own writes.
    pub fn print_dashboard_link(&self, address: &str) {
        let keys = &self.inner.dashboard.keys;
        to_stderr(match keys.made_up() {
            Some(token) => format!("  dashboard   {address}#token={}\n", token.reveal()),
            None => format!("  dashboard   {address}   with the token of the settings\n"),
        });
    }

    /// The pages of the own port, if the settings ask for it.
    pub(in crate::monitor) fn dashboard_pages(&self) -> Vec<(&'static str, PageHandler)> {
        if !self.inner.dashboard.config.serve {
            return Vec::new();
        }
        let service = self.dashboard_service(Access::from_settings());
        let page = |service: DashboardService| -> PageHandler {
            Box::new(move |request: Request<RequestBody>| {
                let mut service = service.clone();
                let responding: Pin<Box<dyn Future<Output = _> + Send>> = Box::pin(async move {
                    let request = request.map(Body::new);
                    let Ok(response) = service.call(request).await;
                    served(response)
                });
                responding
            })
        };
        vec![
            ("/monitoring", page(service.clone())),
            ("/monitoring/", page(service)),
        ]
    }

    fn shared_dashboard(&self) -> Arc<Dashboard> {
        let state = &self.inner.dashboard;
        let made = state
            .dashboard
            .get_or_init(|| Dashboard::new(setup(state, &self.inner)));
        if self.inner.life.has_ended() {
            made.end();
        }
        Arc::clone(made)
    }
}

/// What the dashboard reads of a monitor.
fn setup(plan: &DashboardState, state: &MonitorState) -> DashboardSetup {
    let doctor = state.doctor.clone();
    let test = TestSource {
        errors: state.errors.clone(),
        traces: state.tracing.traces.clone(),
        requests: Arc::clone(&state.requests),
    };
    let test_trace = test.clone();
    let mut parts = plan.parts.clone();
    parts.push(MonitorPart {
        name: "data_dir",
        state: match (&state.data_dir_problem, plan.data_dir) {
            (Some(_), _) => PartState::Problem,
            (None, true) => PartState::On,
            (None, false) => PartState::Off,
        },
        text: state.data_dir_problem.clone().unwrap_or_default(),
    });
    DashboardSetup {
        config: plan.config.clone(),
        http: plan.http.clone(),
        service: plan.service.clone(),
        version: plan.version.clone(),
        environment: plan.environment.clone(),
        clock: state.requests.clock().clone(),
        handle: state.worker.handle(),
        diagnostics: Arc::clone(&state.diagnostics),
        keys: plan.keys.clone(),
        metrics: state.metrics.clone(),
        history: state.history.history.clone(),
        anomalies: state.history.anomalies.clone(),
        alerts: super::alert_source(state),
        health: state.health.clone(),
        system: Arc::clone(&state.system),
        users: Arc::clone(&state.users),
        calls: Arc::clone(&state.calls),
        queries: Arc::clone(&state.queries),
        requests: Arc::clone(&state.requests),
        recent: Arc::clone(&state.tracing.recent),
        trace_store: state.tracing.store.clone(),
        traces: state.tracing.traces.clone(),
        errors: state.errors.clone(),
        logs: Arc::clone(&state.recent_logs),
        log_search: state.log_search.clone(),
        log_levels: Arc::clone(&state.levels),
        log: OwnLog {
            record_queue: Arc::clone(&state.record_queue),
            requests: Arc::clone(&state.requests),
            // What an operator has changed is recorded whatever `log.level` is.
            levels: None,
        },
        counters: Arc::clone(&state.counters),
        sinks: state.worker.sink_observer(),
        parts,
        findings: Box::new(move || {
            let findings = doctor.findings();
            findings.iter().map(ToString::to_string).collect()
        }),
        is_installed: Box::new(has_installed),
        test_error: Box::new(move || test.error()),
        test_trace: Box::new(move || test_trace.trace()),
    }
}

/// A response of the own port. Its bodies come from memory and do not fail.
fn served(response: Response<Body>) -> Response<ServedBody> {
    response.map(|body| Box::pin(NeverFails(body)) as ServedBody)
}

struct NeverFails(Body);

impl HttpBody for NeverFails {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let frame = Pin::new(&mut self.0).poll_frame(context);
        frame.map(|frame| frame.and_then(Result::ok).map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

/// Makes what an operator asks for on the dashboard, to see that it arrives.
#[derive(Clone)]
struct TestSource {
    errors: ErrorTracker,
    traces: Option<Arc<Traces>>,
    requests: Arc<Requests>,
}

impl TestSource {
    /// Captures an error in a trace.
    fn error(&self) -> TestOutcome {
        self.in_span(|| Some(self.errors.capture_error(&DashboardTest)))
    }

    /// Records a trace that is kept, because it fails.
    fn trace(&self) -> TestOutcome {
        self.in_span(|| None)
    }

    fn in_span(&self, run: impl FnOnce() -> Option<EventId>) -> TestOutcome {
        let mut outcome = TestOutcome::default();
        let number = Some(self.requests.number());
        let span = SpanBuilder::new(self.traces.clone(), "test of the dashboard".into());
        let work = async {
            outcome.trace_id = context::with_current(number, |slot, _| slot.ids().trace)
                .filter(|id| *id != TraceId::NIL);
            outcome.event_id = run();
            Err::<(), DashboardTest>(DashboardTest)
        };
        {
            let mut running = pin!(span.try_run(work));
            // It is ready at once.
            drop(
                running
                    .as_mut()
                    .poll(&mut Context::from_waker(Waker::noop())),
            );
        }
        outcome
    }
}

/// The error of a test.
#[derive(Debug)]
struct DashboardTest;

impl fmt::Display for DashboardTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a test that was started on the dashboard")
    }
}

impl StdError for DashboardTest {}
