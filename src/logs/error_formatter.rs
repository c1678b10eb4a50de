//! The log line of a captured error.

use tracing::Level;

use super::attributes::put_attributes;
use super::field_names::FieldNames;
use super::keys;
use super::log_line::{LogLine, MAX_FIELD};
use crate::context::{Requests, RouteId};
use crate::model::codec::RecordText;
use crate::model::{Level as ErrorLevel, TraceId};
use crate::record::{AttributeRef, ErrorKind, ErrorRecord};
use crate::redact;

/// Appends the rest of a line that has its time.
pub(super) fn put_error(
    mut line: LogLine<'_>,
    record: &ErrorRecord<'_>,
    requests: &Requests,
    service: &[u8],
) {
    line.begin_message(tracing_level(record.level));
    let (type_name, message) = record.first();
    // The message is redacted as a whole before it is cut, or half a secret at the end would not be recognized.
    let message = redact::text(message);
    line.put_text_within(RecordText::from(&*message), MAX_FIELD);
    line.end_message(service);
    line.put_plain_field(&keys::EVENT_ID, &record.event.hex());
    if record.trace != TraceId::NIL {
        line.put_plain_field(&keys::TRACE_ID, &record.trace.hex());
        line.put_plain_field(&keys::SPAN_ID, &record.span.hex());
        let route = requests.routes().name(RouteId(record.route));
        line.put_field(&keys::ROUTE, RecordText::from(&*route));
    }
    // A captured text is no exception: its message is the message of the line.
    if record.kind != ErrorKind::Message {
        line.put_field(&keys::EXCEPTION_TYPE, type_name.into());
        line.put_field(&keys::EXCEPTION_MESSAGE, RecordText::from(&*message));
    }
    let causes = record.chain.iter().skip(1).map(|(_, message)| message);
    // The sources are one field, in the form in which `anyhow` prints a chain.
    let causes = causes.collect::<Vec<_>>().join(": ");
    line.put_field(&keys::CAUSES, RecordText::from(&*redact::text(&causes)));
    line.put_field(&keys::FILE, record.file.into());
    line.put_u64_field(&keys::LINE, record.line.into());
    line.put_field(&keys::USER, RecordText::from(&*redact::text(record.user())));
    // Tags and extra attributes share one set of names, so that each key occurs once in the line. They come last: a
    // full line loses the host's attributes first.
    let tags = record.tags.iter();
    let mut names = FieldNames::default();
    put_attributes(
        &mut line,
        &mut names,
        tags.map(|(key, value)| (key.into(), AttributeRef::Str(value.into()))),
    );
    put_attributes(&mut line, &mut names, record.extra());
    if record.shortened {
        line.mark_truncated();
    }
    line.finish();
}

pub(super) fn tracing_level(level: ErrorLevel) -> Level {
    match level {
        ErrorLevel::Fatal | ErrorLevel::Error => Level::ERROR,
        ErrorLevel::Warning => Level::WARN,
        ErrorLevel::Info => Level::INFO,
        ErrorLevel::Debug => Level::DEBUG,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::super::config::ServiceFields;
    use super::super::formatter::LogFormatter;
    use crate::clock::Clock;
    use crate::context::{Requests, UNMATCHED};
    use crate::model::codec::put_str;
    use crate::model::{Attributes, EventId, Level, RecordKind, SpanId, TraceId};
    use crate::record::{ErrorKind, ErrorRecord, TextPairs, put_attributes};
    use crate::worker::{Format, Record};

    fn line(pretty: bool, trace: TraceId, kind: ErrorKind) -> String {
        let pairs = |pairs: &[[&str; 2]]| {
            let mut out = Vec::new();
            for text in pairs.iter().flatten() {
                put_str(&mut out, text);
            }
            out
        };
        let chain = pairs(&[["a::E", "no \"b\""], ["io", "password=hunter2"]]);
        let tags = pairs(&[["tenant", "acme"], ["event_id", "mine"], ["api_key", "k"]]);
        let mut attributes = Attributes::default();
        attributes.insert("n", -3);
        let mut extra = Vec::new();
        put_attributes(&mut extra, &attributes);
        let record = ErrorRecord {
            event: EventId::from_u128(1),
            trace,
            span: SpanId::from_u64(3),
            route: UNMATCHED.0,
            kind,
            level: Level::Warning,
            backtrace: false,
            shortened: false,
            file: "src/a.rs",
            line: 5,
            column: 6,
            thread: "main",
            method: "GET",
            chain: TextPairs(&chain),
            texts: &[],
            more: &[],
            user: "ann",
            tags: TextPairs(&tags),
            extra: &extra,
            fingerprint: &[],
            breadcrumbs: &[],
        };
        let mut body = Vec::new();
        record.put(&mut body);
        let requests = Arc::new(Requests::new(Clock::driven(Duration::ZERO)));
        let record = Record {
            source: 0,
            kind: RecordKind::Error,
            items: 1,
            at: 0,
            body: &body,
        };
        let (service, mut out) = (ServiceFields::default(), Vec::new());
        assert!(LogFormatter::new(pretty, &service, requests).format(&record, &mut out));
        let line = String::from_utf8(out).unwrap();
        let (_, after_time) = line.split_once('Z').unwrap();
        after_time.to_owned()
    }

    #[test]
    fn a_line_has_everything_that_the_capture_set() {
        let in_request = line(false, TraceId::from_u128(2), ErrorKind::Error);
        assert_eq!(
            in_request,
            concat!(
                r#"","level":"WARN","message":"no \"b\"","#,
                r#""event_id":"00000000000000000000000000000001","#,
                r#""trace_id":"00000000000000000000000000000002","span_id":"0000000000000003","#,
                r#""http.route":"_unmatched","exception.type":"a::E","#,
                r#""exception.message":"no \"b\"","exception.causes":"password=[Filtered]","#,
                r#""code.file.path":"src/a.rs","code.line.number":5,"user.id":"ann","#,
                r#""tenant":"acme","attributes.event_id":"mine","api_key":"[Filtered]","n":-3}"#,
                "\n"
            )
        );
        let message = line(true, TraceId::NIL, ErrorKind::Message);
        assert_eq!(
            message,
            concat!(
                r#"  WARN no "b" event_id=00000000000000000000000000000001"#,
                r#" exception.causes="password=[Filtered]" code.file.path=src/a.rs"#,
                " code.line.number=5 user.id=ann",
                " tenant=acme attributes.event_id=mine api_key=[Filtered] n=-3\n"
            )
        );
    }
}
