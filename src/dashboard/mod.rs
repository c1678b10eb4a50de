//! The live dashboard: what the service does now, what is wrong and since when, as pages in a browser.
//!
//! It needs the feature `dashboard`, which `full` contains.
//!
//! ```
//! # #[cfg(feature = "dashboard")]
//! # fn main() -> watchpost::Result<()> {
//! use watchpost::{Access, Monitor};
//! use axum::{Router, routing::get};
//!
//! let monitor = Monitor::builder("shop").env(false).console(false).build()?;
//! let app: Router = Router::new()
//!     .route("/orders", get(|| async { "orders" }))
//!     .layer(monitor.layer())
//!     .merge(monitor.dashboard(Access::from_settings()));
//! // The access depends on the address of the client:
//! let service = app.into_make_service_with_connect_info::<std::net::SocketAddr>();
//! # drop(service);
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "dashboard"))]
//! # fn main() {}
//! ```
//!
//! # Where it is served
//!
//! | how | at |
//! |---|---|
//! | `Router::merge(monitor.dashboard(access))` | `/monitoring` of the router; `nest` the router to put a prefix in front |
//! | `monitor.dashboard_service(access)` | any path: mount it with `nest_service("/ops", ..)`, or send all requests below a path to it |
//! | `dashboard.serve = true` | `/monitoring` on the port of [`Monitor::serve`](crate::Monitor::serve), which responds even while the host's runtime is blocked |
//!
//! All addresses in the pages are relative, so any prefix works, also behind a proxy that removes it. The pages load
//! nothing from another server.
//!
//! # Who may see it
//!
//! | [`Access`](crate::Access) | who |
//! |---|---|
//! | `from_settings` with `access.token`, `token`, `token_env` | who has the token, or the viewer's token, from any address |
//! | one of these without a token, so that one was generated for this run | who has that token, from this machine alone |
//! | `Access::by` | whom the host's function admits; there is no login |
//! | `open_to_anyone` | everyone who reaches it, as a viewer |
//!
//! - A viewer's token (`access.viewer_token`) without a token opens from this machine alone.
//! - The token opens everything ([`Role::Operator`](crate::Role::Operator)), the viewer's token only what reads.
//! - A browser exchanges the token for a cookie on the login page, or by a link that ends with `#token=..`: what stands
//!   behind `#` reaches no server and no log. The cookie is `HttpOnly` and `SameSite=Strict`, is sent for the pages of the
//!   dashboard alone, is `Secure` if the browser used `https`, and ends after 12 hours. Programs send the token as
//!   `Authorization: Bearer`.
//! - With `Access::by`, a live connection lasts a minute: then the page connects again, and the host judges that request.
//! - With a token of the settings, a session outlives a restart. It ends with a logout, and once the token is changed. A
//!   logout is not remembered over a restart.
//! - A login over plain HTTP from another machine is refused, because the network between would read the token. Whether a
//!   browser used `https` is what it says itself in the header `Origin`.
//! - After ten wrong tokens in a minute from one address, or a hundred from all others together, tokens are refused for the
//!   rest of that minute. Behind a proxy, all clients have the proxy's address unless `http.trusted_proxies` names it.
//! - With a token, the address of the client must be known: serve with
//!   `into_make_service_with_connect_info::<SocketAddr>()`, or insert [`PeerAddr`](crate::http::PeerAddr). Without it
//!   everything responds with 404, and a notice says so.
//! - A generated token does not open if the request has passed through a proxy (`Forwarded`, `X-Forwarded-For`, `Via` or
//!   `X-Real-IP`), or is for another name than this machine's (`localhost` and loopback addresses).
//! - A proxy must pass on the `Host` header: requests that change something, and live connections, are accepted from pages
//!   of the same origin alone.
//!
//! # Addresses
//!
//! Relative to the mount:
//!
//! | path | |
//! |---|---|
//! | `/`, `/alerts`, `/errors`, `/error?id=..` (or `?event=..`), `/routes`, `/route?method=GET&route=..`, `/database`, `/statement?system=..&namespace=..&summary=..`, `/calls`, `/traces`, `/trace?id=..`, `/logs?text=..` | the pages |
//! | `/status` | the state as text, for `curl -H "Authorization: Bearer $TOKEN"` |
//! | `/live` | a WebSocket: the whole state once, then what changes, each second |
//! | `/data/v1/live?epoch=..&after=..` | the same for clients without WebSocket |
//! | `/data/v1/overview?range=1h` or `?from=..&to=..` | the overview with the curves of a range, in JSON: `15m`, `1h`, `6h`, `24h`, `7d`, `30d`, or milliseconds since the epoch |
//! | `/data/v1/alerts` | alerts, silences, the last changes of alerts, rules with their values now, objectives |
//! | `/data/v1/alerts/preview?matcher=alertname%3Dslow-response` | what a silence with these matchers would hide |
//! | `/data/v1/alerts/backtest?rule=slow-response&hours=24` | when a rule would have fired within 24 hours at most |
//! | `/data/v1/alerts/acknowledge`, `/silence`, `/end-silence` | `POST` by an operator, see [alerts](#alerts) |
//! | `/data/v1/errors?range=1h` | the [inbox of errors](#errors) with the number of groups in each state; also by `state` (`open`, `new`, `spiking`, `regressed`, `muted`, `resolved`, `all`), `route`, `release`, `kind` (`error`, `message`, `panic`) and `text`; `sort` by `change`, `last`, `count`, `users` or `first`; `limit` up to 200 |
//! | `/data/v1/error?id=..&range=1h` | one group: events over time, routes, releases, environments, stack, breadcrumbs, sample events with their traces, state and its last changes; with `event=..` in place of `id`, the group of a captured error |
//! | `/data/v1/errors/resolve`, `/mute`, `/reopen`, `/merge` | `POST` by an operator, see [errors](#errors) |
//! | `/data/v1/traces?range=1h` | [kept traces](#traces) of a range, the latest first; also by `route`, `min_ms`, `max_ms`, `status` (`5xx` or a code), `kept`, `id`; `limit` up to 200, and `cursor` with the `next` of the response before |
//! | `/data/v1/trace?id=..` | one trace: spans as a tree, critical path, log lines, captured errors, a typical trace |
//! | `/data/v1/trace-differences?range=1h` | attributes by their share in the traces of a filter and in all; without a filter, in those that failed or were slow |
//! | `/data/v1/routes?range=1h` | all routes with requests in a range: rates, errors, quantiles, the same of the period before |
//! | `/data/v1/route?method=GET&route=..&range=1h` | one route: curves, the cells of a heat map, status codes, statements, outgoing calls, errors, slowest traces, log lines, before and after the last deploy |
//! | `/data/v1/statements?range=1h` | the statements with queries in a range: counts, time, quantiles, errors; their callers and rows since the start; the routes that run one in a loop |
//! | `/data/v1/statement?system=postgresql&namespace=shop&summary=..&range=1h` | one statement: curves, texts, callers, traces in which it took longest |
//! | `/data/v1/pools?range=1h` | the connection pools: used, maximum, waiting, waits, timeouts, with curves |
//! | `/data/v1/calls?range=1h` | the called services: calls, errors, quantiles, state, rate limits, callers; the models with tokens and cost, by route |
//! | `/data/v1/logs?range=1h` | log records of a range, the newest first, see [how to search](crate::guide::search); also by `text`, `level` (at least) or `exact_level`; `limit` up to 500, and `cursor` with the `next` of the response before. `end` says whether all were looked at (`complete`), or which limit came first |
//! | `/data/v1/logs/histogram`, `/facets?field=..`, `/patterns` | the same records by time and level in up to 500 `intervals`, by the values of a field, and by the templates of their messages |
//! | `/data/v1/logs/context?cursor=..&before=10&after=10` | the records around one |
//! | `/data/v1/logs/tail?text=..` | the newest records; with `cursor`, those after the response before |
//! | `/data/v1/logs/export?range=1h` | up to 10,000 records as a file, one JSON object a line. Its headers are `watchpost-end`, as `end` above, and `watchpost-next`, the `cursor` for the rest |
//! | `/data/v1/log-level` | which records are kept: the directives `level`, `until` when they hold, and the `lasting` ones that return then |
//! | `/data/v1/log-level/set` | `POST` by an operator: `{"level": "info,shop=debug", "seconds": 600, "by": "dana", "comment": ".."}` changes it for a minute to a day; without `level`, the lasting one returns at once. Each change is a record of the target `audit`, see [alerts](#alerts) |
//! | `/data/v1/session` | whose session it is; `null` for a request without a token or a cookie |
//! | `/data/v1/test-error`, `/data/v1/test-trace` | `POST` by an operator: captures an error, records a trace |
//!
//! In the JSON documents, times are milliseconds since the epoch, durations are seconds, shares are from 0 to 1, sizes are
//! bytes, and `null` means unknown. IDs are strings. New fields and words may be added.
//!
//! Figures of a range come from the [history](crate::history), so they include earlier runs if there is a data directory.
//! What ends with `_since_start`, the callers, the texts of statements and the states of services are those of this process
//! alone. `is_other` marks what stands for all that has no series of its own. The cells of a heat map, `heat`, have one count
//! more than `bounds` has values: below the first bound, between each two, and from the last one on. A request within 1.1 %
//! of a bound may count on its other side.
//!
//! # Traces
//!
//! The list has the [kept traces](crate::trace#which-traces-are-kept) of memory and of the [data
//! directory](crate::trace#kept-traces-in-the-data-directory), those that ended last first. The search field of each page takes
//! a trace ID, its lower 64 bits as 16 hexadecimal digits or as a decimal number, or a request ID, and opens the trace. A
//! request ID is known if its header is recorded (`http.allow_headers = ["x-request-id"]`).
//!
//! | in the waterfall | |
//! |---|---|
//! | solid | the time of the span itself on the critical path: what the trace waited for. Going back from the end, it is the child that ended last, then the child that ended last before that one began. The solid parts of a finished trace add up to its duration |
//! | pale | the span waited for spans below it, or nothing waited for the span |
//! | tick | where the span ends in a typical trace: the one with the median duration of the same name, among the random samples in memory if there are three, or else among all kept ones. Spans correspond if the names from the top down are equal |
//! | dot | a log line |
//!
//! A child that ends after its parent is not on the critical path. A span whose parent is missing stands at the top. Equal
//! spans that follow each other are one row. In a trace of more than 100 spans, parts with more than 20 spans and little of
//! the time begin closed. A document has at most 10,000 spans, and attributes of 512 KiB; those of other spans are read when
//! they are opened (`&span=`). Log lines come from memory (`log.recent_bytes`), and the page says if they were removed from
//! there.
//!
//! "What differs" counts the attributes of the requests and topmost spans of the latest 2,000 kept traces in memory. An
//! attribute that 9 of 10 failures have and 1 of 10 of all traces comes before one with a smaller difference. Kept traces are
//! not a sample of all requests: slow and failed ones are kept first.
//!
//! # Alerts
//!
//! With the feature `alerts`, an operator acknowledges and silences alerts. Each change is a log record of the target
//! `audit`, level `INFO`, whatever `log.level` is: what was done (`action`, `subject`), the name that the operator gave (`by`) and the `comment`,
//! the `role`, whether a session, a token or the host gave the access (`access`), and the address of the client (`client`).
//!
//! | `POST` | body |
//! |---|---|
//! | `acknowledge` | `{"alert": "00f3..", "seconds": 3600, "by": "dana", "comment": ".."}`; without `seconds`, until the alert ends |
//! | `silence` | `{"matchers": ["alertname=slow-response"], "seconds": 7200, "by": "dana", "comment": ".."}` |
//! | `end-silence` | `{"silence": "1767229620000", "by": "dana"}` |
//!
//! A request that cannot be carried out changes nothing, and its response says what to change.
//!
//! # Errors
//!
//! The inbox lists the [groups of captured errors](crate::errors#which-events-form-a-group). Events over time are those of the
//! last hour by minutes, and of the last week by hours: `curve` has one count for each step from `start` on, `in_range` is
//! their sum, and `is_cut` says that the range begins before them. Groups do not depend on the history. An operator changes
//! the state of a group; each change is a log record of the target `audit`, as for [alerts](#alerts), and the last twelve are
//! kept with the group.
//!
//! | `POST` | body |
//! |---|---|
//! | `resolve` | `{"error": "17", "in": "next_release", "by": "dana", "comment": ".."}`; `in` is `now`, `this_release` or `next_release` |
//! | `mute` | `{"error": "17", "until": 1767229620000, "by": "dana", "comment": ".."}`; or `"events": 100, "period": 3600`: until there are more than 100 events in an hour |
//! | `reopen` | `{"error": "17", "by": "dana"}` |
//! | `merge` | `{"error": "17", "others": ["18"], "by": "dana", "comment": ".."}`: the events of the others join the first one, for good |
//!
//! The page of a group finds that of a captured error by its ID (`event=..`) if the event is a sample or the last one of its
//! group, or while its log record is in memory (`log.recent_bytes`).
//!
//! # Cost
//!
//! A request of the service pays nothing for the dashboard. While somebody looks, one computation each second makes the
//! state for all clients, on the monitor's own threads; without a client nothing is computed. A connection that reads too
//! slowly receives only the latest state, and is closed if it reads nothing for ten seconds.

mod config;
#[cfg(feature = "dashboard")]
mod enabled;

pub use self::config::{DashboardCard, DashboardConfig, DashboardLine};
#[cfg(feature = "dashboard")]
pub use self::enabled::DashboardService;

#[cfg(feature = "dashboard")]
pub(crate) use self::enabled::{
    AlertSource, Dashboard, DashboardSetup, MonitorPart, PartState, TestOutcome,
};
