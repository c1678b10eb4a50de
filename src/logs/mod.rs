//! Lines: one a request, one a `tracing` event.
//!
//! # What a line holds
//!
//! On a terminal a line is for the eye; elsewhere it is one JSON object. Every line has `timestamp` (RFC
//! 3339, UTC), `level`, `message`, `service.name` and, where they are set, `service.version`,
//! `service.instance.id` and `deployment.environment.name`.
//!
//! A request's line adds, where they are known: `trace_id`, `span_id`, `parent_span_id`,
//! `http.request.method`, `http.route`, `http.response.status_code`, `watchpost.outcome`, `error.type`,
//! `time_to_headers_ms`, `duration_ms`, `http.request.body.size`, `http.response.body.size`, `url.path`,
//! `url.query`, `client.address`, `user_agent.original`, `user.id`, and the attributes that hooks added. Its
//! level is ERROR for a failure and INFO otherwise.
//!
//! An event stream that lasts longer than a minute has a second log record when it ends, with the fields of its
//! request's, `watchpost.record` `stream_end`, and the duration, bytes and outcome of the stream.
//!
//! An event's line adds `target`, the trace id and route of the request in which it came, and its fields.
//! An event in a spawned task has them too if the task runs in a `tracing` span made in the request.
//!
//! The line of a captured error adds `event_id`, `exception.type`, `exception.message`, the messages of its
//! sources as `exception.causes`, `code.file.path`, `code.line.number`, the ids and route of the request, the
//! user, and what the capture told. See [`errors`](crate::errors).
//!
//! One record is one line of at most 16 KiB. Control characters are escaped in every text. A text that is too long is
//! cut after it was scrubbed, an attribute without room is left out, and the record has `truncated` then. The path, the
//! query and the user agent of a request have at most 4 KiB each, so that no client can make a record too large.
//!
//! A key is there once. Of two fields, attributes, tags or extra attributes of one name the last stays. A field or an
//! attribute that is named as one of the fields above gets `attributes.` before its name.
//!
//! # What is redacted
//!
//! Every text of a request, an event, a span and an error is redacted on the worker, before any sink sees it:
//!
//! | what | before | after |
//! |---|---|---|
//! | values under sensitive keys | `password=hunter2`, `"apiKey":"x"`, `--token x` | `password=[Filtered]`, .. |
//! | tokens known by their shape: JSON web tokens, cloud and vendor keys, private keys, card numbers | `ghp_..` | `[Filtered]` |
//! | query values, in every URL inside a text and in every query | `/cb?code=x&page=2` | `/cb?code=REDACTED&page=REDACTED` |
//! | values in a URL's fragment | `#access_token=x` | `#access_token=REDACTED` |
//! | user information | `postgres://app:x@db/app` | `postgres://REDACTED:REDACTED@db/app` |
//! | tokens in paths: webhooks, bots, links to reset, verify, invite | `/reset/4f9c..` | `/reset/REDACTED` |
//!
//! A URL is found with and without its scheme, percent-encoded, escaped in JSON, HTML and Markdown. Parameter names stay,
//! and so do hosts and the rest of the path. A host adds to the rules and makes exceptions, in code, in a file
//! (section `[redact]`) or by variables (`WATCHPOST_REDACT_KEYS`, ..):
//!
//! - [`redact_keys`](crate::MonitorBuilder::redact_keys): further keys whose values are secrets;
//! - [`redact_paths`](crate::MonitorBuilder::redact_paths): paths of yours with a secret in them;
//! - [`allow_query`](crate::MonitorBuilder::allow_query): query parameters whose values are shown, so that the log says
//!   which `page` failed.
//!
//! What redaction cannot know is a secret without a key, a shape or a URL around it: a password alone in a sentence.
//!
//! Headers are shown only by name, see
//! [`EndpointLayer::allow_headers`](crate::http::EndpointLayer::allow_headers).
//!
//! # Records of the `log` crate
//!
//! With the feature `log`, which is on by default, [`install`](crate::Monitor::install) makes the process's
//! logger one that turns records of the [`log`](https://docs.rs/log) crate into `tracing` events, unless a logger was
//! set before. Such a log record has the record's own `target`, by which levels go, `code.file.path` and
//! `code.line.number`, and `log.module_path` where that is not the target. The same holds for records that a bridge of
//! the host's turns into events, such as the one of tracing-subscriber's `init()`. Copies that `tracing` itself hands
//! to `log` (its feature `log-always`) are not recorded twice.
//!
//! # Levels
//!
//! Directives are a level for all, and levels of targets: `info,hyper=off,shop::db=debug`. The longest
//! target that fits decides. [`Monitor::set_log_level`](crate::Monitor::set_log_level) changes them while
//! the service runs.
//!
//! # What is about the monitor itself
//!
//! Nothing that is logged on the monitor's own threads or while one of its pages answers becomes a line,
//! whatever the levels are: not what its libraries say, nor what a writer of yours says while it writes. A
//! health check of yours is heard. What a server of yours logs of the connection on which it serves a page
//! of ours is the server's, and a line.
//!
//! # Beside a subscriber of your own
//!
//! [`Monitor::tracing_layer`](crate::Monitor::tracing_layer) composes with other layers and disables
//! nothing for them: what it does not want it leaves to them.

mod breadcrumb;
mod bridge;
mod cache;
mod config;
mod digits;
mod error_formatter;
mod escape;
mod event_formatter;
mod field_names;
mod formatter;
mod installed;
mod keys;
mod layer;
mod log_line;
mod request_formatter;
mod timestamp;

pub use self::config::{LogFormat, LogsConfig, RequestLogs};
pub(crate) use self::layer::EventListener;
pub use self::layer::TracingLayer;

pub(crate) use self::breadcrumb::read_crumb;
pub(crate) use self::bridge::{BridgeState, follow_levels, install as install_log_bridge};
pub(crate) use self::config::ServiceFields;
pub(crate) use self::formatter::LogFormatter;
pub(crate) use self::installed::{InstalledLayer, has_layer_of, monitor_of};
