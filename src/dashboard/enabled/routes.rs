//! The paths of the dashboard, in one table. What is not in it does not exist.

use http::request::Parts;

use super::assets::{Asset, asset};
use super::log_requests::LogAction;

/// Where the dashboard's own router mounts it.
pub(super) const MOUNT: &str = "/monitoring";

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// Everyone for whom a login could succeed. Such a route shows nothing of the service.
    Nothing,
    Viewer,
    Operator,
}

/// What a route does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Page,
    Login,
    Logout,
    Session,
    Overview,
    Routes,
    OneRoute,
    Traces,
    TraceDifferences,
    OneTrace,
    Statements,
    OneStatement,
    Pools,
    Calls,
    Live,
    Poll,
    Status,
    Alerts(AlertAction),
    Errors,
    OneError,
    ChangeError(ErrorAction),
    Logs(LogAction),
    LogLevel,
    ChangeLogLevel,
    TestError,
    TestTrace,
}

/// What is asked about alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AlertAction {
    List,
    /// What a silence would hide.
    Preview,
    /// When a rule would have fired.
    Backtest,
    Acknowledge,
    Silence,
    EndSilence,
}

/// What is changed about a group of captured errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ErrorAction {
    Resolve,
    Mute,
    Reopen,
    Merge,
}

/// A route.
#[derive(Debug, Clone, Copy)]
pub(super) struct Route {
    /// Below the mount, without the leading slash.
    pub(super) path: &'static str,
    pub(super) action: Action,
    pub(super) need: Need,
    /// Whether it takes `POST`, and not `GET` and `HEAD`.
    pub(super) is_post: bool,
}

const fn get(path: &'static str, action: Action, need: Need) -> Route {
    Route {
        path,
        action,
        need,
        is_post: false,
    }
}

const fn post(path: &'static str, action: Action, need: Need) -> Route {
    Route {
        path,
        action,
        need,
        is_post: true,
    }
}

/// All routes but the files of the pages.
pub(super) const ROUTES: [Route; 51] = [
    get("", Action::Page, Need::Nothing),
    get("alerts", Action::Page, Need::Nothing),
    get("errors", Action::Page, Need::Nothing),
    get("error", Action::Page, Need::Nothing),
    get("routes", Action::Page, Need::Nothing),
    get("route", Action::Page, Need::Nothing),
    get("logs", Action::Page, Need::Nothing),
    get("traces", Action::Page, Need::Nothing),
    get("trace", Action::Page, Need::Nothing),
    get("database", Action::Page, Need::Nothing),
    get("statement", Action::Page, Need::Nothing),
    get("calls", Action::Page, Need::Nothing),
    post("login", Action::Login, Need::Nothing),
    post("logout", Action::Logout, Need::Viewer),
    get("live", Action::Live, Need::Viewer),
    get("status", Action::Status, Need::Viewer),
    get("data/v1/session", Action::Session, Need::Viewer),
    get("data/v1/overview", Action::Overview, Need::Viewer),
    get(
        "data/v1/alerts",
        Action::Alerts(AlertAction::List),
        Need::Viewer,
    ),
    get(
        "data/v1/alerts/preview",
        Action::Alerts(AlertAction::Preview),
        Need::Viewer,
    ),
    get(
        "data/v1/alerts/backtest",
        Action::Alerts(AlertAction::Backtest),
        Need::Viewer,
    ),
    post(
        "data/v1/alerts/acknowledge",
        Action::Alerts(AlertAction::Acknowledge),
        Need::Operator,
    ),
    post(
        "data/v1/alerts/silence",
        Action::Alerts(AlertAction::Silence),
        Need::Operator,
    ),
    post(
        "data/v1/alerts/end-silence",
        Action::Alerts(AlertAction::EndSilence),
        Need::Operator,
    ),
    get("data/v1/errors", Action::Errors, Need::Viewer),
    get("data/v1/error", Action::OneError, Need::Viewer),
    post(
        "data/v1/errors/resolve",
        Action::ChangeError(ErrorAction::Resolve),
        Need::Operator,
    ),
    post(
        "data/v1/errors/mute",
        Action::ChangeError(ErrorAction::Mute),
        Need::Operator,
    ),
    post(
        "data/v1/errors/reopen",
        Action::ChangeError(ErrorAction::Reopen),
        Need::Operator,
    ),
    post(
        "data/v1/errors/merge",
        Action::ChangeError(ErrorAction::Merge),
        Need::Operator,
    ),
    get("data/v1/routes", Action::Routes, Need::Viewer),
    get("data/v1/route", Action::OneRoute, Need::Viewer),
    get("data/v1/traces", Action::Traces, Need::Viewer),
    get(
        "data/v1/trace-differences",
        Action::TraceDifferences,
        Need::Viewer,
    ),
    get("data/v1/trace", Action::OneTrace, Need::Viewer),
    get("data/v1/statements", Action::Statements, Need::Viewer),
    get("data/v1/statement", Action::OneStatement, Need::Viewer),
    get("data/v1/pools", Action::Pools, Need::Viewer),
    get("data/v1/calls", Action::Calls, Need::Viewer),
    get("data/v1/logs", Action::Logs(LogAction::Lines), Need::Viewer),
    get(
        "data/v1/logs/histogram",
        Action::Logs(LogAction::Histogram),
        Need::Viewer,
    ),
    get(
        "data/v1/logs/facets",
        Action::Logs(LogAction::Facet),
        Need::Viewer,
    ),
    get(
        "data/v1/logs/patterns",
        Action::Logs(LogAction::Patterns),
        Need::Viewer,
    ),
    get(
        "data/v1/logs/context",
        Action::Logs(LogAction::Context),
        Need::Viewer,
    ),
    get(
        "data/v1/logs/tail",
        Action::Logs(LogAction::Tail),
        Need::Viewer,
    ),
    get(
        "data/v1/logs/export",
        Action::Logs(LogAction::Export),
        Need::Viewer,
    ),
    get("data/v1/log-level", Action::LogLevel, Need::Viewer),
    post(
        "data/v1/log-level/set",
        Action::ChangeLogLevel,
        Need::Operator,
    ),
    get("data/v1/live", Action::Poll, Need::Viewer),
    post("data/v1/test-error", Action::TestError, Need::Operator),
    post("data/v1/test-trace", Action::TestTrace, Need::Operator),
];

/// What a path leads to.
pub(super) enum PageTarget {
    /// The mount without a slash at its end, which relative addresses need. Holds the relative address with one.
    Redirect(String),
    Route(Route),
    Asset(&'static Asset),
    Unknown,
}

/// The path of a request below the mount.
pub(super) struct Place {
    /// The mount, as the server sees it.
    pub(super) mount: String,
    pub(super) target: PageTarget,
}

/// Resolves the path of a request. A path that does not begin with `mount` was stripped of it by a router.
pub(super) fn resolve(request: &Parts, mount: &str) -> Place {
    let path = request.uri.path();
    let original = request
        .extensions
        .get::<axum::extract::OriginalUri>()
        .map_or(path, |original| original.0.path());
    let below = |path: &str| {
        let rest = path.strip_prefix(mount)?;
        (rest.is_empty() || rest.starts_with('/')).then(|| rest.to_owned())
    };
    let relative = match below(path).filter(|_| !mount.is_empty()) {
        Some(relative) => relative,
        // A router that strips the mount makes `/` of the mount itself, with or without a slash.
        None if path == "/" && !original.ends_with('/') => String::new(),
        None => path.to_owned(),
    };
    let mount = original.strip_suffix(relative.as_str()).unwrap_or(original);
    Place {
        mount: mount.to_owned(),
        target: target(&relative, mount, request.uri.query()),
    }
}

fn target(relative: &str, mount: &str, query: Option<&str>) -> PageTarget {
    let Some(path) = relative.strip_prefix('/') else {
        let last = mount.rsplit('/').next().unwrap_or_default();
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        // `./` keeps a name with a colon from being read as a scheme.
        return PageTarget::Redirect(format!("./{last}/{query}"));
    };
    if let Some(route) = ROUTES.iter().find(|route| route.path == path) {
        return PageTarget::Route(*route);
    }
    let file = path.strip_prefix("assets/").and_then(asset);
    match file.filter(|file| file.name != super::assets::INDEX) {
        Some(file) => PageTarget::Asset(file),
        None => PageTarget::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use axum::extract::OriginalUri;

    use super::*;

    /// Describes where a request leads to. `original` is the path before a router stripped it.
    fn of(path: &str, original: Option<&str>) -> (String, String) {
        let mut parts = http::Request::get(path).body(()).unwrap().into_parts().0;
        if let Some(original) = original {
            parts
                .extensions
                .insert(OriginalUri(original.parse().unwrap()));
        }
        let place = resolve(&parts, MOUNT);
        let target = match place.target {
            PageTarget::Redirect(to) => format!("-> {to}"),
            PageTarget::Route(route) => format!("{:?}", route.action),
            PageTarget::Asset(asset) => asset.name.to_owned(),
            PageTarget::Unknown => "404".to_owned(),
        };
        (place.mount, target)
    }

    #[test]
    fn every_way_to_mount_it() {
        for (path, original, mount, target) in [
            ("/monitoring", None, "/monitoring", "-> ./monitoring/"),
            (
                "/monitoring?range=6h",
                None,
                "/monitoring",
                "-> ./monitoring/?range=6h",
            ),
            ("/monitoring/", None, "/monitoring", "Page"),
            ("/monitoring/live", None, "/monitoring", "Live"),
            (
                "/monitoring/data/v1/overview?range=1h",
                None,
                "/monitoring",
                "Overview",
            ),
            // Nested at `/admin`.
            (
                "/monitoring",
                Some("/admin/monitoring"),
                "/admin/monitoring",
                "-> ./monitoring/",
            ),
            (
                "/monitoring/",
                Some("/admin/monitoring/"),
                "/admin/monitoring",
                "Page",
            ),
            // A service at `/ops`, whose router strips it.
            ("/", Some("/ops"), "/ops", "-> ./ops/"),
            ("/", Some("/ops/"), "/ops", "Page"),
            ("/live", Some("/ops/live"), "/ops", "Live"),
            // A proxy or a router without a trace of what it strips.
            ("/", None, "", "Page"),
            ("/status", None, "", "Status"),
            // What does not exist.
            ("/monitoring/unknown", None, "/monitoring", "404"),
            ("/monitoring/live/", None, "/monitoring", "404"),
            ("/monitoring//", None, "/monitoring", "404"),
            ("/monitoringx", None, "", "404"),
            ("/monitoring/assets/index.html", None, "/monitoring", "404"),
        ] {
            let found = of(path, original);
            assert_eq!(
                found,
                (mount.to_owned(), target.to_owned()),
                "{path} {original:?}"
            );
        }
    }

    #[test]
    fn no_path_leads_out_of_the_table() {
        for path in [
            "../Cargo.toml",
            "..%2fCargo.toml",
            "%2e%2e/Cargo.toml",
            "..%5cCargo.toml",
            "assets/../index.html",
            "assets/%2e%2e/index.html",
            "assets//etc/passwd",
            "assets/index.html%00",
            "assets/c:/windows",
            "assets/",
            "assets",
            "data/v1/",
            "data/v1/session/",
            "DATA/v1/session",
            "data/v1/session%20",
            "data/../status",
            "debug/pprof",
            "env",
            "heapdump",
            ".git/config",
        ] {
            assert_eq!(of(&format!("/monitoring/{path}"), None).1, "404", "{path}");
        }
    }

    #[test]
    fn nothing_that_reads_or_changes_is_open() {
        use AlertAction::{Acknowledge, EndSilence, Silence};
        for route in ROUTES {
            let is_open = matches!(route.action, Action::Page | Action::Login);
            assert_eq!(route.need == Need::Nothing, is_open, "{}", route.path);
            let changes = matches!(
                route.action,
                Action::TestError
                    | Action::TestTrace
                    | Action::ChangeError(_)
                    | Action::ChangeLogLevel
                    | Action::Alerts(Acknowledge | Silence | EndSilence)
            );
            assert_eq!(route.need == Need::Operator, changes, "{}", route.path);
            assert!(!changes || route.is_post);
        }
    }
}
