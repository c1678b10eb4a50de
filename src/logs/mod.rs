//! Log records: one for each request, each `tracing` event and each captured error.
//!
//! ```no_run
//! use watchpost::logs::{LogFormat, LogsConfig, RequestLogs};
//!
//! # fn main() -> watchpost::Result<()> {
//! let monitor = watchpost::Monitor::builder("shop")
//!     .logs(
//!         LogsConfig::default()
//!             .format(LogFormat::Json)
//!             .level("info,hyper=off,shop::db=debug")
//!             .requests(RequestLogs::ErrorsAndSlow),
//!     )
//!     .install()?;
//! tracing::info!(order.id = 17, "the service has started");
//! # drop(monitor);
//! # Ok(())
//! # }
//! ```
//!
//! # What a log record contains
//!
//! If the output is not a terminal, each log record is one JSON object on one line. This is the record of a request:
//!
//! ```text
//! {"timestamp":"2026-11-29T11:06:11.621101Z","level":"ERROR","message":"GET /orders/{id} 500 1.101 ms","service.name":"shop","trace_id":"4433808d45890a008fb200197c911045","span_id":"22b5b5514c4d2b63","http.request.method":"GET","http.route":"/orders/{id}","http.response.status_code":500,"watchpost.outcome":"completed","error.type":"500","time_to_headers_ms":1.101,"duration_ms":1.101,"http.response.body.size":0,"url.path":"/orders/17","url.query":"token=REDACTED&page=REDACTED","user_agent.original":"curl/8.5.0"}
//! ```
//!
//! and this the record of an event in it, `tracing::info!(order.id = id, password, "loading the order")`:
//!
//! ```text
//! {"timestamp":"2026-11-29T11:06:11.620440Z","level":"INFO","message":"loading the order","service.name":"shop","target":"shop::orders","trace_id":"4433808d45890a008fb200197c911045","span_id":"22b5b5514c4d2b63","http.route":"/orders/{id}","order.id":17,"password":"[Filtered]"}
//! ```
//!
//! On a terminal, the same records have the format [`LogFormat::Pretty`]:
//!
//! ```text
//! 2026-11-29T11:06:06.047890Z  INFO GET /ok 200 0.650 ms trace_id=7c3954459849c4e588e82db30cae064f span_id=466ac9d34e1079c5 http.request.method=GET http.route=/ok http.response.status_code=200 watchpost.outcome=completed time_to_headers_ms=0.564 duration_ms=0.650 http.response.body.size=5 url.path=/ok
//! ```
//!
//! A field is omitted if its value is unknown.
//!
//! | record | level | fields |
//! |---|---|---|
//! | every one | | `timestamp` (RFC 3339, UTC), `level`, `message`, `service.name`, `service.version`, `service.instance.id`, `deployment.environment.name` |
//! | of a request | ERROR for a failure, otherwise INFO | `trace_id`, `span_id`, `parent_span_id` (the caller's span; with `watchpost.parent.trace_id` if the caller's trace was not continued), `http.request.method`, `http.route`, `http.response.status_code`, `rpc.system.name`, `rpc.method`, `rpc.response.status_code`, `watchpost.outcome`, `error.type`, `time_to_headers_ms`, `duration_ms`, `http.request.body.size`, `http.response.body.size`, `url.path`, `url.query`, `client.address`, `user_agent.original`, `user.id`, the query counts of [`db`](crate::db) with `watchpost.db.duration_ms`, and the attributes that hooks set |
//! | of the end of a stream | as of a request | those of the request's record, with duration, bytes and outcome of the stream and `watchpost.record` `stream_end`. Only event streams that last longer than a minute have it |
//! | of an event | the event's | `target`, `trace_id`, `span_id` and `http.route` of the request, and the event's fields |
//! | of a captured error | ERROR, or the capture's | `event_id`, `exception.type`, `exception.message`, `exception.causes` (messages of the sources), `code.file.path`, `code.line.number`, `trace_id`, `span_id`, `http.route`, `user.id`, tags and extra attributes. See [`errors`](crate::errors) |
//!
//! Every duration is in milliseconds, and its name ends in `_ms`. Sizes are in bytes. An event in a spawned task
//! has the IDs of the request if the task runs in a `tracing` span of the request.
//!
//! A record is one line of at most 16 KiB. Control characters are escaped in every text. A text that is too long is
//! cut after it is redacted, an attribute without room is left out, and the record then has `truncated`. Path,
//! query and user agent of a request have at most 4 KiB each, so that no client can make a record too large.
//!
//! Each key is unique. If fields, attributes, tags or extra attributes share a name, the last one is kept. A field or
//! an attribute of the host with the name of a field above gets the prefix `attributes.`.
//!
//! # What is redacted
//!
//! Every text of a request, an event, a span and an error is redacted on the worker's thread, before any sink
//! receives it:
//!
//! | what | before | after |
//! |---|---|---|
//! | values under sensitive keys | `password=hunter2`, `"apiKey":"x"`, `--token x` | `password=[Filtered]`, .. |
//! | tokens with a known form: JSON web tokens, cloud and vendor keys, private keys, card numbers | `ghp_..` | `[Filtered]` |
//! | query values, in every URL inside a text and in every query | `/cb?code=x&page=2` | `/cb?code=REDACTED&page=REDACTED` |
//! | values in a URL's fragment | `#access_token=x` | `#access_token=REDACTED` |
//! | user information | `postgres://app:x@db/app` | `postgres://REDACTED:REDACTED@db/app` |
//! | tokens in paths: webhooks, bots, links to reset, verify, invite | `/reset/4f9c..` | `/reset/REDACTED` |
//!
//! URLs are found with and without their scheme, percent-encoded, and escaped in JSON, HTML and Markdown. Parameter
//! names, hosts and the rest of a path are kept. A service can extend the rules and make exceptions, in code, in a
//! file (section `[redact]`) or by variables (`WATCHPOST_REDACT_KEYS`, ..):
//!
//! - [`redact_keys`](crate::MonitorBuilder::redact_keys): further keys whose values are secrets;
//! - [`redact_paths`](crate::MonitorBuilder::redact_paths): paths of the service that contain a secret;
//! - [`allow_query`](crate::MonitorBuilder::allow_query): query parameters whose values are shown, so that the log
//!   record shows which `page` failed.
//!
//! A secret without a key, a known form or a URL around it cannot be recognized, such as a bare password in a sentence.
//!
//! Headers are shown only if they are listed, see
//! [`EndpointLayer::allow_headers`](crate::http::EndpointLayer::allow_headers).
//!
//! # Records of the `log` crate
//!
//! With the feature `log`, which is on by default, [`install`](crate::Monitor::install) sets a logger that turns
//! records of the [`log`](https://docs.rs/log) crate into `tracing` events, unless the process has a logger. Their
//! log records have the record's own `target`, which directives match, `code.file.path`, `code.line.number`, and
//! `log.module_path` if it differs from the target. The same applies to events that another bridge makes, such as that
//! of tracing-subscriber's `init()`. Copies that `tracing` itself passes to `log` (its feature `log-always`) are not
//! recorded twice.
//!
//! # Levels
//!
//! Directives are a level for everything, and levels of targets: `info,hyper=off,shop::db=debug`. The longest
//! target that matches decides. [`Monitor::set_log_level`](crate::Monitor::set_log_level) changes them while the
//! service runs, and [`Monitor::set_log_level_for`](crate::Monitor::set_log_level_for) for a while: the levels from before
//! return by themselves. An operator does the same [on the dashboard](crate::dashboard#addresses).
//!
//! # What is not recorded
//!
//! Events on the monitor's own threads, and events while one of its endpoints responds, at any level. This covers
//! what libraries log there, and what a writer of yours logs while it writes. Two kinds are recorded all the same: events
//! of your health checks, and events of your own server about the connection on which it serves an endpoint of the
//! monitor.
//!
//! # Files
//!
//! With a data directory, log records are also written to files in its folder `logs`, or in `log.dir`. Each line is one JSON
//! object as above, whatever the format of the console is.
//!
//! | file | what it has |
//! |---|---|
//! | `combined.log` | every log record |
//! | `error.log` | a copy of those with level `ERROR` |
//! | `combined-2026-11-30-000017.log.gz` | a closed file, with the day on which it began (UTC) and its number |
//! | `combined.files`, `error.files` | the list of the files, with which the next process continues |
//!
//! A file is closed when it has `log.max_file_bytes` (64 MiB), or a quarter of its share of `log.max_bytes`, and at the first
//! record of another day (UTC). An eighth of `log.max_bytes` is for `error.log`, which is closed at 16 MiB by default. A closed
//! file is compressed within some seconds. All files together have at most `log.max_bytes` (512 MiB), and at most `log.max_files` (100) of each
//! name are closed ones; the oldest are removed first. `log.files = false` turns them off. Their permissions are
//! `log.permissions` (0640), in a directory with 0700: to let a group read them, set `log.dir` to a directory that exists.
//!
//! ## Durability
//!
//! A record is written within 100 ms and synced to the disk within 500 ms. A killed process loses at most the former, a power
//! failure the latter. A flush and a shutdown wait for the sync. A line that was written in part is cut off, at once or by the
//! next process, so that every line is complete. If the disk is full, read-only or removed, records are dropped with the
//! reason `io`; if it hangs, with `queue_overflow` or `shutdown`. What counts as delivered is in the files, each record once.
//! `watchpost_log_files_lost_copies_total` counts lines that are missing in `error.log` alone.
//!
//! ## Beside logrotate
//!
//! The files need no other program. One that renames or truncates them does no harm: before each write it is checked whether
//! the file at the name is the open one, and whether it has the expected length. After a rename or a removal, the next line
//! begins a new file; after a truncation, the file goes on at its beginning. With `copytruncate`, logrotate itself loses what
//! is written between its copy and the truncation. Its names, such as `combined.log.1`, do not count toward the limits.
//!
//! ## Names in the Elastic Common Schema
//!
//! | here | ECS |
//! |---|---|
//! | `timestamp` | `@timestamp` |
//! | `level`, `target` | `log.level`, `log.logger` |
//! | `message`, `service.name`, `service.version` | the same |
//! | `service.instance.id`, `deployment.environment.name` | `service.node.name`, `service.environment` |
//! | `trace_id`, `span_id`, `parent_span_id` | `trace.id`, `span.id`, `parent.id` |
//! | `http.request.method`, `http.response.status_code`, `url.path`, `url.query`, `client.address`, `user_agent.original`, `user.id` | the same |
//! | `http.request.body.size`, `http.response.body.size` | `http.request.body.bytes`, `http.response.body.bytes` |
//! | `duration_ms`, in milliseconds | `event.duration`, in nanoseconds |
//! | `error.type` | the same |
//! | `event_id`, `exception.type`, `exception.message` | `event.id`, `error.type`, `error.message` |
//! | `code.file.path`, `code.line.number` | `log.origin.file.name`, `log.origin.file.line` |
//! | `http.route`, `rpc.*`, `time_to_headers_ms`, `watchpost.*` and the host's own fields | none |
//!
//! A field of the host keeps its name, with three exceptions: `error` becomes `error.message`; a plain value under a name that
//! is an object in the schema, such as `user` or `url`, gets the prefix `attributes.`, as does a name that a field above has
//! already. What a field has as its first value decides its type in the server: a number first and a text later is refused,
//! unless the index template is stored (`elasticsearch.template`).
//!
//! # Elasticsearch and OpenSearch
//!
//! With the feature `elasticsearch` and a URL, each record of the files is sent to an Elasticsearch (8 or 9) or an OpenSearch
//! (2 or 3), as a document with the names above:
//!
//! ```sh
//! ELASTICSEARCH_URL=https://search-1:9200,https://search-2:9200
//! ELASTICSEARCH_API_KEY=VnVhQ2ZHY0JDZGJrUW0tZTVhT3g6dWkybHAyYXhUTm1zeWFrdzl0dk5udw==
//! ```
//!
//! If the service has another use for `ELASTICSEARCH_URL`, call
//! `.elasticsearch(ElasticsearchConfig::default().urls(Vec::<String>::new()))`: then no log record is sent there.
//!
//! Each document is there once, also after an outage, a restart and a `kill -9`; see [`guide::shipping`](crate::guide::shipping)
//! for each answer of a server, the books and the limits. The settings `elasticsearch.*` name the index, a data stream, an
//! authority of your own, and the size of a request; [`ElasticsearchConfig`] is the same in code. The user or the API key needs
//! the privileges `create_doc` and `auto_configure` on the index, and `manage_index_templates` if the template is to be stored.
//!
//! # Search
//!
//! [`Monitor::search_logs`](crate::Monitor::search_logs) finds lines in the files, or in memory without files; see
//! [how to search](crate::guide::search). A closed file is compressed block by block, so that a search reads a compressed file
//! from its end back; any program for gzip reads it as a whole. The folder `index` beside the files has what is known of each
//! block, about 3 % of the size of the lines. It can be removed at any time: it is made again.
//!
//! # The last log records
//!
//! The last log records stay in memory, up to `log.recent_bytes` (4 MiB by default, which is 10,000 records or more), also
//! if they are not written to the console. [`Monitor::recent_logs`](crate::Monitor::recent_logs) finds them by level,
//! trace, target and time, with the same fields as in the log record:
//!
//! ```
//! use tracing::Level;
//! use watchpost::logs::LogQuery;
//!
//! # fn main() -> watchpost::Result<()> {
//! let monitor = watchpost::Monitor::builder("shop").env(false).console(false).build()?;
//! let found = monitor.recent_logs(&LogQuery::default().level(Level::WARN).limit(10));
//! for record in &found.records {
//!     println!("{} {}", record.level, record.message);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! A request has a record only where it has a log record: with the console, and as `log.requests` says. What
//! was dropped before it reached the worker is missing. A console that is slow or fails does not matter.
//!
//! # With a subscriber of your own
//!
//! [`Monitor::tracing_layer`](crate::Monitor::tracing_layer) composes with other layers and disables nothing for
//! them. See [`TracingLayer`].

mod attributes;
mod breadcrumb;
mod bridge;
mod cache;
mod config;
mod digits;
mod elasticsearch;
mod error_formatter;
mod escape;
mod event_formatter;
mod field_names;
mod files;
mod formatter;
mod installed;
mod keys;
mod layer;
mod line_fields;
mod log_levels;
mod log_line;
mod log_query;
pub(crate) mod otel_versions;
#[cfg(any(feature = "alerts", feature = "dashboard"))]
mod own_log;
mod recent;
mod request_formatter;
mod search;
pub(crate) mod subscriber_probe;
mod timestamp;

pub use self::config::{LogFormat, LogsConfig, RequestLogs};
pub use self::elasticsearch::ElasticsearchConfig;
pub(crate) use self::layer::EventListener;
pub use self::layer::TracingLayer;
pub use self::log_levels::LogLevel;
pub use self::log_query::LogQuery;
pub use self::recent::{LogRecord, RecentLogs};
pub use self::search::{
    FoundLine, FoundLogs, LevelCounts, LogCursor, LogFacet, LogHistogram, LogPattern, LogPatterns,
    LogQueryError, LogSource, LogTail, SearchEnd,
};

pub(crate) use self::breadcrumb::decode_breadcrumb;
pub(crate) use self::bridge::{BridgeState, install as install_log_bridge};
pub(crate) use self::config::ServiceFields;
pub(crate) use self::elasticsearch::{Shipping, ShippingSetup, ShippingStatus};
pub(crate) use self::files::{LogFileWriter, LogFiles, LogFilesSetup, LogFilesStatus};
pub(crate) use self::formatter::LogFormatter;
pub(crate) use self::installed::{InstalledLayer, has_layer_of, monitor_of};
pub(crate) use self::log_levels::LogLevels;
#[cfg(any(feature = "alerts", feature = "dashboard"))]
pub(crate) use self::own_log::OwnLog;
pub(crate) use self::recent::{RecentLogStore, RecentLogsObserver};
pub(crate) use self::search::{LogIndex, LogSearch};
#[cfg(feature = "serde")]
pub(crate) use self::timestamp::TimestampWriter;
