//! What the page of logs asks for: lines, histogram, facets, patterns, lines around a line, new lines, and a file of lines.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::body::Body;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderName};
use http::{HeaderValue, Response, StatusCode};

use super::documents::{OverviewRange, query_text, query_value};
use super::json::{self, ListWriter, ObjectWriter};
use super::past::time;
use super::publisher::Dashboard;
use super::times::millis;
use crate::error::Error;
use crate::logs::{
    FoundLine, FoundLogs, LogCursor, LogFacet, LogHistogram, LogPatterns, LogQuery, LogQueryError,
    LogTail, SearchEnd,
};
use crate::trace::AttributeValue;

/// The maximum number of lines of one document, and the default.
const MAX_LINES: usize = 500;
const DEFAULT_LINES: usize = 100;
/// The maximum number of lines of a file.
const MAX_EXPORT: usize = LogQuery::MAX_LIMIT;
/// The time limit of the search for a file. A response must begin within 20 seconds.
const EXPORT_TIME: Duration = Duration::from_secs(15);
/// Headers of a file: how the search ended, and the cursor of what is not in the file.
const EXPORT_END: HeaderName = HeaderName::from_static("watchpost-end");
const EXPORT_NEXT: HeaderName = HeaderName::from_static("watchpost-next");
/// The maximum number of intervals of a histogram, and the default.
const MAX_INTERVALS: usize = 500;
const DEFAULT_INTERVALS: usize = 60;
/// The maximum number of values of a facet and of patterns.
const MAX_ROWS: usize = 200;
/// The maximum number of lines before a line, and after it.
const MAX_AROUND: usize = 200;

/// What is asked about log records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LogAction {
    Lines,
    Histogram,
    Facet,
    Patterns,
    /// The lines around a line.
    Context,
    /// The lines after a place.
    Tail,
    /// A file of lines.
    Export,
}

/// Why a request is refused.
pub(super) struct LogRefusal {
    pub(super) status: StatusCode,
    pub(super) document: String,
}

impl LogRefusal {
    fn new(status: StatusCode, code: &str, message: &str) -> Self {
        Self {
            status,
            document: json::object(|it| {
                it.text("code", code);
                it.text("message", message);
            }),
        }
    }
}

impl From<Error> for LogRefusal {
    fn from(error: Error) -> Self {
        let (status, code) = if error.is_query() {
            (StatusCode::BAD_REQUEST, "bad_request")
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, "closed")
        };
        Self::new(status, code, &error.to_string())
    }
}

/// Responds to a request with this query of a URL. What is found is written on the blocking pool: it may have 8 MiB.
pub(super) async fn answer(
    dashboard: &Arc<Dashboard>,
    action: LogAction,
    query: &str,
) -> Result<Response<Body>, LogRefusal> {
    let setup = &dashboard.setup;
    let filter = LogRequest::of_query(query, action)?;
    let search = &setup.log_search;
    let selected = filter.select(setup.now());
    let document = match action {
        LogAction::Lines => {
            let found = search.search(selected).await?;
            written(dashboard, move || lines_document(&found)).await?
        }
        LogAction::Histogram => {
            let found = search.histogram(selected, filter.intervals).await?;
            written(dashboard, move || histogram_document(&found)).await?
        }
        LogAction::Facet => {
            let found = search.facet(selected, &filter.field).await?;
            written(dashboard, move || facet_document(&filter.field, &found)).await?
        }
        LogAction::Patterns => {
            let found = search.patterns(selected).await?;
            written(dashboard, move || patterns_document(&found)).await?
        }
        LogAction::Context => {
            let Some(cursor) = filter.cursor else {
                return Err(bad_request("The cursor of a line must be given."));
            };
            let lines = search.context(cursor, filter.before, filter.after).await?;
            let write = move || json::object(|it| it.list("lines", |list| put_lines(list, &lines)));
            written(dashboard, write).await?
        }
        LogAction::Tail => {
            let found = search.tail(selected, filter.cursor).await?;
            written(dashboard, move || tail_document(&found)).await?
        }
        LogAction::Export => {
            let found = search.search(selected.time_limit(EXPORT_TIME)).await?;
            let (end, next) = (found.end, found.next);
            let text = written(dashboard, move || file(&found)).await?;
            return Ok(file_response(text, end, next));
        }
    };
    let json = HeaderValue::from_static("application/json");
    Ok(response(document.into(), json))
}

async fn written(
    dashboard: &Dashboard,
    write: impl FnOnce() -> String + Send + 'static,
) -> Result<String, LogRefusal> {
    let document = dashboard.on_pool(write).await;
    document.ok_or_else(|| {
        let message = "The monitor does not respond, or has ended.";
        LogRefusal::new(StatusCode::SERVICE_UNAVAILABLE, "closed", message)
    })
}

fn lines_document(found: &FoundLogs) -> String {
    json::object(|it| {
        it.list("lines", |list| put_lines(list, &found.lines));
        put_cursor(it, "next", found.next);
        it.text("end", found.end.as_str());
        put_time(it, "reached", found.reached);
        it.text("source", found.source.as_str());
        it.integer("looked_at", found.looked_at);
        it.integer("unreadable", u64::from(found.unreadable));
    })
}

fn histogram_document(found: &LogHistogram) -> String {
    json::object(|it| {
        put_time(it, "start", Some(found.start));
        it.number("step_ms", Some(found.step.as_secs_f64() * 1e3));
        it.list("counts", |list| {
            for counts in &found.counts {
                list.object(|it| {
                    it.integer("trace", counts.trace);
                    it.integer("debug", counts.debug);
                    it.integer("info", counts.info);
                    it.integer("warn", counts.warn);
                    it.integer("error", counts.error);
                });
            }
        });
        it.text("end", found.end.as_str());
        put_time(it, "reached", found.reached);
        it.integer("unreadable", u64::from(found.unreadable));
    })
}

fn facet_document(field: &str, found: &LogFacet) -> String {
    json::object(|it| {
        it.text("field", field);
        it.list("values", |list| {
            for (value, count) in &found.values {
                list.object(|it| {
                    it.text("value", value);
                    it.integer("count", *count);
                });
            }
        });
        it.integer("others", found.others);
        it.integer("missing", found.missing);
        it.text("end", found.end.as_str());
        put_time(it, "reached", found.reached);
        it.integer("unreadable", u64::from(found.unreadable));
    })
}

fn patterns_document(found: &LogPatterns) -> String {
    json::object(|it| {
        it.list("patterns", |list| {
            for pattern in &found.patterns {
                list.object(|it| {
                    it.long_text("template", &pattern.template);
                    it.integer("count", pattern.count);
                    it.text("level", pattern.level.as_str());
                    put_time(it, "first", Some(pattern.first));
                    put_time(it, "last", Some(pattern.last));
                    it.long_text("example", &pattern.example);
                });
            }
        });
        it.integer("others", found.others);
        it.text("end", found.end.as_str());
        put_time(it, "reached", found.reached);
        it.integer("unreadable", u64::from(found.unreadable));
    })
}

fn tail_document(found: &LogTail) -> String {
    json::object(|it| {
        it.list("lines", |list| put_lines(list, &found.lines));
        put_cursor(it, "next", Some(found.next));
        it.bool("has_more", found.has_more);
        it.integer("unreadable", u64::from(found.unreadable));
    })
}

/// The lines as a file: one JSON object a line.
fn file(found: &FoundLogs) -> String {
    let bytes = found.lines.iter().map(|line| line.json.len() + 1).sum();
    let mut file = String::with_capacity(bytes);
    for line in &found.lines {
        file.push_str(&line.json);
        file.push('\n');
    }
    file
}

/// A file to save. Its headers say how the search ended, and the cursor with which the rest is asked for.
fn file_response(text: String, end: SearchEnd, next: Option<LogCursor>) -> Response<Body> {
    let ndjson = HeaderValue::from_static("application/x-ndjson");
    let mut response = response(Body::from(text), ndjson);
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_DISPOSITION,
        HeaderValue::from_static("attachment; filename=\"logs.ndjson\""),
    );
    headers.insert(EXPORT_END, HeaderValue::from_static(end.as_str()));
    if let Some(next) = next.and_then(|it| HeaderValue::from_str(&it.to_string()).ok()) {
        headers.insert(EXPORT_NEXT, next);
    }
    response
}

fn response(body: Body, content_type: HeaderValue) -> Response<Body> {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

/// What a URL asks for.
struct LogRequest {
    query: LogQuery,
    /// Lines around a line and after a place are read whatever their times are.
    range: Option<OverviewRange>,
    cursor: Option<LogCursor>,
    /// Whether the cursor is where a search goes on.
    is_search: bool,
    intervals: usize,
    field: String,
    before: usize,
    after: usize,
}

impl LogRequest {
    fn of_query(url: &str, action: LogAction) -> Result<Self, LogRefusal> {
        let text = |name: &str| match query_value(url, name) {
            None | Some("") => Ok(None),
            Some(value) => query_text(value).map(Some).ok_or_else(|| {
                bad_request("A part of the query is not encoded as the query of a URL.")
            }),
        };
        let number = |name, default: usize, max: usize| match text(name)? {
            None => Ok(default),
            Some(value) => {
                let number = value.parse().ok().filter(|it| (1..=max).contains(it));
                number.ok_or_else(|| {
                    bad_request(&format!("{name} must be a number from 1 to {max}."))
                })
            }
        };
        let range = if matches!(action, LogAction::Context | LogAction::Tail) {
            None
        } else {
            let message = "The range must be 15m, 1h, 6h, 24h, 7d or 30d, or from and to.";
            Some(OverviewRange::of_query(url).ok_or_else(|| bad_request(message))?)
        };
        let limit = match action {
            LogAction::Export => number("limit", MAX_EXPORT, MAX_EXPORT)?,
            LogAction::Facet | LogAction::Patterns => number("limit", 10, MAX_ROWS)?,
            _ => number("limit", DEFAULT_LINES, MAX_LINES)?,
        };
        let mut query = LogQuery::default().limit(limit);
        let level = |name| {
            let message = "The level must be trace, debug, info, warn or error.";
            let level = text(name)?.map(|it| it.parse().map_err(|_| bad_request(message)));
            level.transpose()
        };
        if let Some(level) = level("level")? {
            query = query.level(level);
        }
        if let Some(level) = level("exact_level")? {
            query = query.exact_level(level);
        }
        if let Some(text) = text("text")? {
            query = query.text(&text).map_err(|error| bad_text(&error))?;
        }
        let cursor = text("cursor")?.map(|cursor| {
            let message = "The cursor must be one of an earlier response.";
            cursor.parse().map_err(|_| bad_request(message))
        });
        let field = text("field")?.unwrap_or_default();
        if action == LogAction::Facet && field.is_empty() {
            return Err(bad_request("The field must be given."));
        }
        Ok(Self {
            query,
            range,
            cursor: cursor.transpose()?,
            is_search: matches!(action, LogAction::Lines | LogAction::Export),
            intervals: number("intervals", DEFAULT_INTERVALS, MAX_INTERVALS)?,
            field,
            before: number("before", 10, MAX_AROUND)?,
            after: number("after", 10, MAX_AROUND)?,
        })
    }

    /// The query with its times. The end of a range up to now is open, so that it has the newest records.
    fn select(&self, now: u64) -> LogQuery {
        let mut query = self.query.clone();
        query = match self.range {
            Some(OverviewRange::Last(length)) => query.since(time(now.saturating_sub(length))),
            Some(OverviewRange::Between(from, to)) => query.since(time(from)).until(time(to)),
            None => query,
        };
        match self.cursor {
            Some(cursor) if self.is_search => query.before(cursor),
            _ => query,
        }
    }
}

fn put_lines(list: &mut ListWriter<'_>, lines: &[FoundLine]) {
    for line in lines {
        list.object(|it| {
            it.text("cursor", &line.cursor.to_string());
            put_time(it, "at", Some(line.at));
            it.text("level", line.level.as_str());
            let mut message = String::new();
            it.object("fields", |it| {
                for (name, value) in line.fields() {
                    match (&*name, value) {
                        ("timestamp" | "level", _) => {}
                        ("message", AttributeValue::Str(text)) => message = text,
                        (_, value) => put_value(it, &name, &value),
                    }
                }
            });
            it.long_text("message", &message);
        });
    }
}

/// The value of a field. A file may have any text, so it is not copied as it is.
fn put_value(object: &mut ObjectWriter<'_>, name: &str, value: &AttributeValue) {
    match value {
        AttributeValue::Str(text) => object.long_text(name, text),
        AttributeValue::I64(number) => object.signed(name, *number),
        AttributeValue::F64(number) if number.is_finite() => object.raw(name, &number.to_string()),
        AttributeValue::Bool(is) => object.bool(name, *is),
        _ => object.raw(name, "null"),
    }
}

fn put_cursor(object: &mut ObjectWriter<'_>, name: &str, cursor: Option<LogCursor>) {
    let text = cursor.map(|it| it.to_string());
    object.optional_text(name, text.as_deref());
}

/// A time in milliseconds since the Unix epoch.
fn put_time(object: &mut ObjectWriter<'_>, name: &str, at: Option<SystemTime>) {
    object.integer(name, at.map(millis));
}

fn bad_request(message: &str) -> LogRefusal {
    LogRefusal::new(StatusCode::BAD_REQUEST, "bad_request", message)
}

/// A text of a search that is not valid: the page marks the place.
fn bad_text(error: &LogQueryError) -> LogRefusal {
    LogRefusal {
        status: StatusCode::BAD_REQUEST,
        document: json::object(|it| {
            it.text("code", "bad_query");
            it.text("message", &error.to_string());
            it.integer("position", error.position() as u64);
            it.text("expected", error.expected());
        }),
    }
}
