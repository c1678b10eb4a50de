//! Responds to requests.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, LOCATION, RETRY_AFTER, SET_COOKIE, VARY,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};

use super::alert_requests::{self, AlertCall};
use super::assets::{Asset, INDEX, asset};
use super::audit::Requester;
use super::calls;
use super::database::{self, StatementName};
use super::documents::{self, OverviewRange, query_text};
use super::error_groups::{self, ErrorCall, ErrorRequest, InboxFilter};
use super::guard::{
    LoginError, NewSession, PageClient, Proof, claims_access, has_own_origin, is_same_origin,
};
use super::json::{self, only_text};
use super::live_state::LiveState;
use super::log_level;
use super::log_requests::{self, LogAction};
use super::page_server::{PageServer, spawn};
use super::route_documents;
use super::route_figures::RouteName;
use super::routes::{Action, AlertAction, ErrorAction, Need, PageTarget, Route, resolve};
use super::setup::{DashboardSetup, TestOutcome};
use super::socket::{self, LiveClient};
use super::status_page;
use super::traces::{self, TraceFilter, TraceRequest};
use super::websocket;
use crate::access::Role;
use crate::http::RequestSource;
use crate::metrics::accepts_gzip;
use crate::model::{is_media_type, lock, unsuppressed};

/// The maximum size of a request's body.
pub(super) const MAX_BODY: usize = 4096;

/// The maximum length of the mount that the pages show.
const MAX_MOUNT: usize = 256;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

type PageResponse = Response<Body>;

/// A request with what is known about it.
struct PageRequest {
    /// Where the pages are mounted, as the server sees it.
    mount: String,
    parts: Parts,
    body: Body,
    source: RequestSource,
}

/// Responds to any request. The one place that decides what a client without access receives.
pub(super) async fn respond(server: Arc<PageServer>, request: Request<Body>) -> PageResponse {
    let (parts, body) = request.into_parts();
    let source = server.guard.source(&parts);
    if !server.guard.is_open_for(&parts, &source) {
        return failure(StatusCode::NOT_FOUND, "closed", "There is nothing here.");
    }
    let place = resolve(&parts, &server.mount);
    let call = PageRequest {
        mount: place.mount,
        parts,
        body,
        source,
    };
    let is_get = matches!(call.parts.method, Method::GET | Method::HEAD);
    match place.target {
        PageTarget::Unknown => {
            failure(StatusCode::NOT_FOUND, "not_found", "There is no such page.")
        }
        PageTarget::Redirect(_) | PageTarget::Asset(_) if !is_get => wrong_method("GET, HEAD"),
        PageTarget::Redirect(to) => redirect(&to),
        PageTarget::Asset(file) => file_response(file, &call.parts.headers, true),
        PageTarget::Route(route) => respond_to(&server, route, call).await,
    }
}

async fn respond_to(server: &Arc<PageServer>, route: Route, call: PageRequest) -> PageResponse {
    let client = if route.need == Need::Nothing {
        None
    } else {
        match server.guard.client(&call.parts, &call.source) {
            Err(wait) => return too_many_attempts(wait),
            // A page asks first whether it is logged in. No is no failure, and browsers report each one.
            Ok(None)
                if route.action == Action::Session
                    && matches!(call.parts.method, Method::GET | Method::HEAD)
                    && !claims_access(&call.parts, &call.source) =>
            {
                return json_response("null".to_owned());
            }
            Ok(None) => return unauthorized(),
            Ok(Some(client)) => Some(client),
        }
    };
    let role = client.map(|client| client.role);
    if route.need == Need::Operator && role != Some(Role::Operator) {
        let message = "Only an operator may do this.";
        return failure(StatusCode::FORBIDDEN, "forbidden", message);
    }
    let method = &call.parts.method;
    if route.is_post {
        if method != Method::POST {
            return wrong_method("POST");
        }
        if let Some(refusal) = refuse_post(&call, client) {
            return refusal;
        }
    } else if !matches!(*method, Method::GET | Method::HEAD) {
        return wrong_method("GET, HEAD");
    }
    match (route.action, client) {
        (Action::Page, _) => index(&call.parts.headers),
        (Action::Login, _) => log_in(server, call).await,
        (Action::Logout, _) => log_out(server, &call),
        (Action::Session, Some(client)) => {
            note_mount(server, call.mount);
            session(server, &client)
        }
        (Action::Alerts(action), Some(client)) => alerts(server, call, &client, action).await,
        (Action::ChangeError(action), Some(client)) => {
            change_error(server, call, &client, action).await
        }
        (Action::Errors, _) => errors(server, &call.parts).await,
        (Action::OneError, _) => one_error(server, &call.parts).await,
        (Action::Overview, _) => overview(server, &call.parts).await,
        (Action::Routes, _) => ranged(server, &call.parts, route_documents::list).await,
        (Action::OneRoute, _) => one_route(server, &call.parts).await,
        (Action::Traces, _) => traces(server, &call.parts).await,
        (Action::TraceDifferences, _) => trace_differences(server, &call.parts).await,
        (Action::OneTrace, _) => one_trace(server, &call.parts).await,
        (Action::Statements, _) => ranged(server, &call.parts, database::statements).await,
        (Action::OneStatement, _) => one_statement(server, &call.parts).await,
        (Action::Pools, _) => ranged(server, &call.parts, database::pools).await,
        (Action::Calls, _) => ranged(server, &call.parts, calls::calls).await,
        (Action::LogLevel, _) => json_response(log_level::document(&server.dashboard.setup)),
        (Action::ChangeLogLevel, Some(client)) => change_log_level(server, call, &client).await,
        (Action::Logs(action), _) => logs(server, &call.parts, action).await,
        (Action::Live, Some(client)) => live(server, call, client),
        (Action::Poll, _) => poll(server, &call.parts).await,
        (Action::Status, _) => status(server).await,
        (Action::TestError, _) => test(server, |setup| (setup.test_error)()).await,
        (Action::TestTrace, _) => test(server, |setup| (setup.test_trace)()).await,
        (
            Action::Session
            | Action::Alerts(_)
            | Action::ChangeError(_)
            | Action::ChangeLogLevel
            | Action::Live,
            None,
        ) => unauthorized(),
    }
}

/// Refuses a request that changes something, unless a page of the dashboard itself sent it, or a program with the token.
fn refuse_post(call: &PageRequest, client: Option<PageClient>) -> Option<PageResponse> {
    let is_program = client.is_some_and(|client| client.proof == Proof::Bearer);
    if !is_program && !is_same_origin(&call.parts, &call.source) {
        return Some(foreign_page());
    }
    let content_type = call
        .parts
        .headers
        .get(CONTENT_TYPE)
        .map(HeaderValue::as_bytes);
    let is_json = content_type.is_some_and(|it| is_media_type(it, "application/json"));
    (!is_json).then(|| {
        let message = "The content type must be application/json.";
        failure(StatusCode::UNSUPPORTED_MEDIA_TYPE, "bad_request", message)
    })
}

async fn log_in(server: &PageServer, call: PageRequest) -> PageResponse {
    let Ok(body) = to_bytes(call.body, MAX_BODY).await else {
        let message = "The body is too long.";
        return failure(StatusCode::PAYLOAD_TOO_LARGE, "bad_request", message);
    };
    let Some(token) = only_text(&body, "token") else {
        let message = "The body must be {\"token\": \"..\"}.";
        return failure(StatusCode::BAD_REQUEST, "bad_request", message);
    };
    match server.guard.log_in(&call.parts, &call.source, token.trim()) {
        Ok(NewSession {
            session: new,
            set_cookie,
        }) => {
            note_mount(server, call.mount);
            let client = PageClient {
                role: new.role,
                proof: Proof::Session(new),
            };
            with_cookie(session(server, &client), &set_cookie)
        }
        Err(LoginError::WrongToken) => {
            let message = "This is not the token.";
            failure(StatusCode::UNAUTHORIZED, "wrong_token", message)
        }
        Err(LoginError::TooMany(wait)) => too_many_attempts(wait),
        Err(LoginError::Insecure) => failure(
            StatusCode::FORBIDDEN,
            "insecure",
            "This page came over plain HTTP from another machine, so the token could be read on its way. Open it over HTTPS, or through a tunnel such as `ssh -L 3000:localhost:3000`.",
        ),
        Err(LoginError::Unavailable) => {
            let message = "There is no login here.";
            failure(StatusCode::FORBIDDEN, "forbidden", message)
        }
    }
}

fn log_out(server: &PageServer, call: &PageRequest) -> PageResponse {
    let set_cookie = server.guard.log_out(&call.parts, &call.source);
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    with_cookie(response, &set_cookie)
}

fn with_cookie(mut response: PageResponse, set_cookie: &str) -> PageResponse {
    if let Ok(mut value) = HeaderValue::from_str(set_cookie) {
        value.set_sensitive(true);
        response.headers_mut().insert(SET_COOKIE, value);
    }
    response
}

/// Notes where the pages are mounted. Only a client with access is believed: the path may be what it likes.
fn note_mount(server: &PageServer, mount: String) {
    if mount.len() <= MAX_MOUNT {
        *lock(&server.dashboard.mount) = mount;
    }
}

fn session(server: &PageServer, client: &PageClient) -> PageResponse {
    let setup = &server.dashboard.setup;
    json_response(json::object(|it| {
        it.text("role", client.role.as_str());
        it.text("service", &setup.service);
        it.optional_text("version", setup.version.as_deref());
        it.optional_text("environment", setup.environment.as_deref());
        it.bool("can_log_out", matches!(client.proof, Proof::Session(_)));
        it.integer("now", setup.now());
    }))
}

async fn alerts(
    server: &PageServer,
    call: PageRequest,
    client: &PageClient,
    action: AlertAction,
) -> PageResponse {
    let Ok(body) = to_bytes(call.body, MAX_BODY).await else {
        let message = "The body is too long.";
        return failure(StatusCode::PAYLOAD_TOO_LARGE, "bad_request", message);
    };
    let call = AlertCall {
        action,
        query: call.parts.uri.query().unwrap_or_default().to_owned(),
        body,
        who: Requester::new(client, call.source.client),
    };
    match alert_requests::answer(&server.dashboard, call).await {
        Ok(document) => json_response(document),
        Err(refusal) => failure(refusal.status, refusal.code, &refusal.message),
    }
}

async fn errors(server: &PageServer, parts: &Parts) -> PageResponse {
    match InboxFilter::of_query(parts.uri.query().unwrap_or_default()) {
        Ok(filter) => {
            let write = move |setup: &DashboardSetup| error_groups::list(setup, &filter);
            document(server.dashboard.document(write).await)
        }
        Err(message) => failure(StatusCode::BAD_REQUEST, "bad_request", message),
    }
}

async fn one_error(server: &PageServer, parts: &Parts) -> PageResponse {
    match ErrorRequest::of_query(parts.uri.query().unwrap_or_default()) {
        Ok(request) => {
            let write = move |setup: &DashboardSetup| error_groups::one(setup, &request);
            document(server.dashboard.document(write).await)
        }
        Err(message) => failure(StatusCode::BAD_REQUEST, "bad_request", message),
    }
}

async fn change_error(
    server: &PageServer,
    call: PageRequest,
    client: &PageClient,
    action: ErrorAction,
) -> PageResponse {
    let Ok(body) = to_bytes(call.body, MAX_BODY).await else {
        let message = "The body is too long.";
        return failure(StatusCode::PAYLOAD_TOO_LARGE, "bad_request", message);
    };
    let call = ErrorCall {
        action,
        body,
        who: Requester::new(client, call.source.client),
    };
    match error_groups::change(&server.dashboard, &call).await {
        Ok(document) => json_response(document),
        Err(refusal) => failure(refusal.status, refusal.code, &refusal.message),
    }
}

async fn change_log_level(
    server: &PageServer,
    call: PageRequest,
    client: &PageClient,
) -> PageResponse {
    let Ok(body) = to_bytes(call.body, MAX_BODY).await else {
        let message = "The body is too long.";
        return failure(StatusCode::PAYLOAD_TOO_LARGE, "bad_request", message);
    };
    let who = Requester::new(client, call.source.client);
    match log_level::change(&server.dashboard, &body, who).await {
        Ok(document) => json_response(document),
        Err(refusal) => failure(refusal.status, refusal.code, &refusal.message),
    }
}

async fn logs(server: &PageServer, parts: &Parts, action: LogAction) -> PageResponse {
    let query = parts.uri.query().unwrap_or_default();
    let answer = log_requests::answer(&server.dashboard, action, query).await;
    answer.unwrap_or_else(|refusal| {
        let mut response = json_response(refusal.document);
        *response.status_mut() = refusal.status;
        response
    })
}

async fn overview(server: &PageServer, parts: &Parts) -> PageResponse {
    let Some(range) = range_of(parts) else {
        return bad_range();
    };
    let state = server.dashboard.recent_state().await;
    // Not after the range was read: that may take longer than a state counts as current.
    if !is_current(server, &state) {
        return not_available();
    }
    document(server.dashboard.overview(&state, range).await)
}

/// Responds with a document that depends on the range alone.
async fn ranged(
    server: &PageServer,
    parts: &Parts,
    write: fn(&DashboardSetup, OverviewRange) -> String,
) -> PageResponse {
    let Some(range) = range_of(parts) else {
        return bad_range();
    };
    let write = move |setup: &DashboardSetup| write(setup, range);
    document(server.dashboard.document(write).await)
}

async fn one_route(server: &PageServer, parts: &Parts) -> PageResponse {
    let Some(range) = range_of(parts) else {
        return bad_range();
    };
    let query = parts.uri.query().unwrap_or_default();
    let value = |name| documents::query_value(query, name).and_then(query_text);
    let (Some(route), Some(method)) = (value("route"), value("method")) else {
        let message = "The route and the method must be given.";
        return failure(StatusCode::BAD_REQUEST, "bad_request", message);
    };
    let name = RouteName { route, method };
    let write = move |setup: &DashboardSetup| route_documents::route(setup, &name, range);
    document(server.dashboard.document(write).await)
}

async fn traces(server: &PageServer, parts: &Parts) -> PageResponse {
    match TraceFilter::of_query(parts.uri.query().unwrap_or_default()) {
        Ok(filter) => document(traces::list(&server.dashboard, filter).await),
        Err(message) => failure(StatusCode::BAD_REQUEST, "bad_request", message),
    }
}

async fn trace_differences(server: &PageServer, parts: &Parts) -> PageResponse {
    match TraceFilter::of_query(parts.uri.query().unwrap_or_default()) {
        Ok(filter) => document(traces::differences(&server.dashboard, filter).await),
        Err(message) => failure(StatusCode::BAD_REQUEST, "bad_request", message),
    }
}

async fn one_trace(server: &PageServer, parts: &Parts) -> PageResponse {
    match TraceRequest::of_query(parts.uri.query().unwrap_or_default()) {
        Ok(request) => document(traces::trace(&server.dashboard, request).await),
        Err(message) => failure(StatusCode::BAD_REQUEST, "bad_request", message),
    }
}

async fn one_statement(server: &PageServer, parts: &Parts) -> PageResponse {
    let Some(range) = range_of(parts) else {
        return bad_range();
    };
    let query = parts.uri.query().unwrap_or_default();
    let value = |name| documents::query_value(query, name).and_then(query_text);
    let (Some(system), Some(summary)) = (value("system"), value("summary")) else {
        let message = "The system and the summary of the statement must be given.";
        return failure(StatusCode::BAD_REQUEST, "bad_request", message);
    };
    let name = StatementName {
        system,
        namespace: value("namespace").unwrap_or_default(),
        summary,
    };
    let write = move |setup: &DashboardSetup| database::statement(setup, &name, range);
    document(server.dashboard.document(write).await)
}

fn document(written: Option<String>) -> PageResponse {
    written.map_or_else(not_available, json_response)
}

fn range_of(parts: &Parts) -> Option<OverviewRange> {
    OverviewRange::of_query(parts.uri.query().unwrap_or_default())
}

fn bad_range() -> PageResponse {
    let message = "The range must be 15m, 1h, 6h, 24h, 7d or 30d, or from and to.";
    failure(StatusCode::BAD_REQUEST, "bad_request", message)
}

async fn poll(server: &PageServer, parts: &Parts) -> PageResponse {
    let state = server.dashboard.recent_state().await;
    if !is_current(server, &state) {
        return not_available();
    }
    let query = parts.uri.query().unwrap_or_default();
    json_response(state.poll(
        documents::query_value(query, "epoch"),
        documents::query_value(query, "after").and_then(|after| after.parse().ok()),
    ))
}

async fn status(server: &PageServer) -> PageResponse {
    let state = server.dashboard.recent_state().await;
    if !is_current(server, &state) {
        return not_available();
    }
    let page = status_page::write(&server.dashboard.setup, &state);
    with_type(page.into(), TEXT)
}

fn is_current(server: &PageServer, state: &LiveState) -> bool {
    state.is_current(server.dashboard.setup.now())
}

/// Upgrades the connection.
fn live(server: &Arc<PageServer>, mut call: PageRequest, client: PageClient) -> PageResponse {
    let is_program = client.proof == Proof::Bearer;
    let is_foreign = call
        .parts
        .headers
        .get("sec-fetch-site")
        .is_some_and(|site| site.as_bytes() != b"same-origin");
    // A program has no origin. If one is there, a browser sent it.
    let has_origin = call.parts.headers.contains_key(http::header::ORIGIN);
    let is_own = has_own_origin(&call.parts, &call.source) && !is_foreign;
    if !(is_own || is_program && !has_origin) {
        return foreign_page();
    }
    let accepted = websocket::accept(call.parts.version, &call.parts.headers);
    let (Some(response), true) = (accepted, call.parts.method == Method::GET) else {
        let mut response = failure(
            StatusCode::UPGRADE_REQUIRED,
            "bad_request",
            "This address is a WebSocket.",
        );
        let headers = response.headers_mut();
        headers.insert(http::header::UPGRADE, HeaderValue::from_static("websocket"));
        return response;
    };
    let config = &server.dashboard.setup.config;
    let permit = server.dashboard.clients.acquire(
        call.source.client,
        config.max_clients,
        config.max_clients_per_address,
    );
    let Some(permit) = permit else {
        let message = "Too many live connections are open.";
        return failure(StatusCode::SERVICE_UNAVAILABLE, "too_many_clients", message);
    };
    let query = call.parts.uri.query().unwrap_or_default();
    let is_ours = documents::query_value(query, "epoch") == Some(server.dashboard.epoch().as_str());
    let after = documents::query_value(query, "after").and_then(|after| after.parse().ok());
    let Some(upgrade) = call.parts.extensions.remove::<hyper::upgrade::OnUpgrade>() else {
        let message = "This server cannot upgrade connections.";
        return failure(StatusCode::NOT_IMPLEMENTED, "bad_request", message);
    };
    let live = LiveClient {
        dashboard: Arc::clone(&server.dashboard),
        guard: Arc::clone(&server.guard),
        client,
        held: after.filter(|_| is_ours),
        permit,
    };
    spawn(async move {
        if let Ok(upgraded) = upgrade.await {
            socket::serve(live, upgraded).await;
        }
    });
    response
}

/// Makes something that the pages must show, as code of the host would: it is recorded.
async fn test(
    server: &PageServer,
    run: impl FnOnce(&DashboardSetup) -> TestOutcome + Send + 'static,
) -> PageResponse {
    let dashboard = Arc::clone(&server.dashboard);
    let made = server
        .dashboard
        .on_pool(move || unsuppressed(|| run(&dashboard.setup)))
        .await;
    let Some(made) = made else {
        return not_available();
    };
    let mut response = json_response(json::object(|it| {
        let trace_id = made.trace_id.map(|id| id.to_string());
        it.optional_text("trace_id", trace_id.as_deref());
        let event_id = made.event_id.map(|id| id.to_string());
        it.optional_text("event_id", event_id.as_deref());
    }));
    *response.status_mut() = StatusCode::ACCEPTED;
    response
}

fn index(headers: &HeaderMap) -> PageResponse {
    match asset(INDEX) {
        Some(page) => file_response(page, headers, false),
        None => not_available(),
    }
}

fn file_response(file: &Asset, headers: &HeaderMap, is_immutable: bool) -> PageResponse {
    let gzip = file.gzip.as_ref().filter(|_| accepts_gzip(headers));
    let is_compressed = gzip.is_some();
    let mut response = Response::new(Body::from(gzip.unwrap_or(&file.plain).clone()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(file.content_type));
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    if is_compressed {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    if is_immutable {
        let forever = "public, max-age=31536000, immutable";
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(forever));
    }
    response
}

fn redirect(to: &str) -> PageResponse {
    let Ok(location) = HeaderValue::from_str(to) else {
        return failure(StatusCode::NOT_FOUND, "not_found", "There is no such page.");
    };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    response.headers_mut().insert(LOCATION, location);
    response
}

fn json_response(document: String) -> PageResponse {
    with_type(document.into(), JSON)
}

fn with_type(body: Body, content_type: HeaderValue) -> PageResponse {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

/// The response to a request that is refused.
pub(super) fn failure(status: StatusCode, code: &str, message: &str) -> PageResponse {
    let mut response = json_response(json::object(|it| {
        it.text("code", code);
        it.text("message", message);
    }));
    *response.status_mut() = status;
    response
}

pub(super) fn foreign_page() -> PageResponse {
    let message = "The request does not come from a page of this dashboard. If a proxy stands between, it must pass on the Host header.";
    failure(StatusCode::FORBIDDEN, "forbidden", message)
}

fn unauthorized() -> PageResponse {
    let mut response = failure(StatusCode::UNAUTHORIZED, "unauthorized", "Log in first.");
    let bearer = HeaderValue::from_static("Bearer");
    response
        .headers_mut()
        .insert(http::header::WWW_AUTHENTICATE, bearer);
    response
}

fn too_many_attempts(wait: Duration) -> PageResponse {
    let message = "Too many wrong tokens. Try again in a minute.";
    let mut response = failure(StatusCode::TOO_MANY_REQUESTS, "too_many_attempts", message);
    let seconds = HeaderValue::from(wait.as_secs().max(1));
    response.headers_mut().insert(RETRY_AFTER, seconds);
    response
}

fn wrong_method(allowed: &'static str) -> PageResponse {
    let message = "This address does not support the method.";
    let mut response = failure(StatusCode::METHOD_NOT_ALLOWED, "bad_request", message);
    response
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

pub(super) fn not_available() -> PageResponse {
    let message = "The monitor does not respond, or has ended.";
    failure(StatusCode::SERVICE_UNAVAILABLE, "closed", message)
}
