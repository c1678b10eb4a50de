//! The line of a captured error.

use tracing::Level;

use super::keys;
use super::line::Line;
use super::lines::{end_message, put_attributes, put_level};
use crate::model::wire::Text;
use crate::model::{Level as ErrorLevel, TraceId};
use crate::redact;
use crate::request::{AttributeRef, ErrorKind, ErrorRecord, Requests, RouteId};

pub(super) fn put_error(
    mut line: Line<'_>,
    record: &ErrorRecord<'_>,
    requests: &Requests,
    service: &[u8],
) {
    put_level(&mut line, level_of(record.level));
    let (kind, message) = record.first();
    let message = redact::text(message);
    line.text(Text::from(&*message));
    end_message(&mut line, service);
    line.plain(&keys::EVENT_ID, &record.event.hex());
    if record.trace != TraceId::NIL {
        line.plain(&keys::TRACE_ID, &record.trace.hex());
        line.plain(&keys::SPAN_ID, &record.span.hex());
        let route = requests.routes().name(RouteId(record.route));
        line.field(&keys::ROUTE, Text::from(&*route));
    }
    if record.kind != ErrorKind::Message {
        line.field(&keys::EXCEPTION_TYPE, kind.into());
        line.field(&keys::EXCEPTION_MESSAGE, Text::from(&*message));
    }
    let causes = record.chain.iter().skip(1).map(|(_, message)| message);
    let causes = causes.collect::<Vec<_>>().join(": ");
    line.field(&keys::CAUSES, Text::from(&*redact::text(&causes)));
    line.field(&keys::FILE, record.file.into());
    line.whole(&keys::LINE, record.line.into());
    line.field(&keys::USER, Text::from(&*redact::text(record.user())));
    let tags = record.tags.iter();
    put_attributes(
        &mut line,
        tags.map(|(key, value)| (key.into(), AttributeRef::Str(value.into()))),
    );
    put_attributes(&mut line, record.extra());
    line.end();
}

fn level_of(level: ErrorLevel) -> Level {
    match level {
        ErrorLevel::Fatal | ErrorLevel::Error => Level::ERROR,
        ErrorLevel::Warning => Level::WARN,
        ErrorLevel::Info => Level::INFO,
        ErrorLevel::Debug => Level::DEBUG,
    }
}
