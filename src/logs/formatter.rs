//! Formats records as log lines.

use std::sync::Arc;

use tracing::Level;

use super::config::ServiceFields;
use super::error_formatter::put_error;
use super::event_formatter::EventFormatter;
use super::keys;
use super::log_line::LogLine;
use super::request_formatter::RequestFormatter;
use super::timestamp::TimestampWriter;
use crate::clock::Nanos;
use crate::context::Requests;
use crate::model::RecordKind;
use crate::record::{ErrorRecord, RequestRecord};
use crate::worker::{Format, Record};

/// Formats each record as one line.
#[derive(Debug)]
pub(crate) struct LogFormatter {
    pretty: bool,
    requests: Arc<Requests>,
    timestamps: TimestampWriter,
    /// The fields of the service, which are copied into every line.
    service: Vec<u8>,
    request_formatter: RequestFormatter,
    event_formatter: EventFormatter,
}

impl LogFormatter {
    pub(crate) fn new(pretty: bool, service: &ServiceFields, requests: Arc<Requests>) -> Self {
        let mut service_fields = Vec::new();
        if !pretty {
            let text = |text: &'_ Option<String>| text.clone().unwrap_or_default();
            let mut part = LogLine::fragment(&mut service_fields, false);
            part.put_field(&keys::SERVICE_NAME, (&*service.name).into());
            part.put_field(&keys::SERVICE_VERSION, (&*text(&service.version)).into());
            part.put_field(&keys::SERVICE_INSTANCE, (&*text(&service.instance)).into());
            part.put_field(&keys::ENVIRONMENT, (&*text(&service.environment)).into());
        }
        Self {
            pretty,
            timestamps: TimestampWriter::default(),
            service: service_fields,
            request_formatter: RequestFormatter::default(),
            event_formatter: EventFormatter::new(Arc::clone(&requests)),
            requests,
        }
    }
}

impl Format for LogFormatter {
    fn format(&mut self, record: &Record<'_>, out: &mut Vec<u8>) -> bool {
        let wall = self.requests.clock().wall(record.at);
        let line = LogLine::begin(out, self.pretty, &mut self.timestamps, wall);
        match record.kind {
            RecordKind::Request => {
                let Some(request) = RequestRecord::read(record.body) else {
                    return false;
                };
                self.request_formatter.put(line, &request, &self.service);
                true
            }
            RecordKind::Error => {
                let Some(error) = ErrorRecord::read(record.body) else {
                    return false;
                };
                put_error(line, &error, &self.requests, &self.service);
                true
            }
            _ => self
                .event_formatter
                .put(line, record.body, &self.service)
                .is_some(),
        }
    }

    fn notice(&mut self, at: Nanos, sentence: &str, out: &mut Vec<u8>) {
        let wall = self.requests.clock().wall(at);
        let mut line = LogLine::begin(out, self.pretty, &mut self.timestamps, wall);
        line.begin_message(Level::WARN);
        line.put_scrubbed(sentence.into());
        line.end_message(&self.service);
        line.put_field(&keys::TARGET, keys::OWN_TARGET.into());
        line.finish();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::model::codec::put_str;
    use crate::model::{Outcome, SpanId, TraceId};
    use crate::record::put_fixed;

    fn record(kind: usize, [route, path, query, agent]: [&str; 4]) -> Vec<u8> {
        let mut out = Vec::new();
        let fixed = RequestRecord {
            trace: TraceId::from_u128(kind as u128 + 1),
            span: SpanId::from_u64(7),
            duration: 1_500_000 * kind as u64,
            status: [Some(200), Some(503), None]
                .get(kind % 3)
                .copied()
                .flatten(),
            outcome: [Outcome::Completed, Outcome::Panicked][kind % 2],
            failed: kind % 2 == 1,
            ..RequestRecord::default()
        };
        put_fixed(&mut out, &fixed);
        for text in [route, path, query, agent, "::1", "", "", "ann", "503"] {
            put_str(&mut out, text);
        }
        out
    }

    #[test]
    fn the_cache_changes_no_line() {
        let long = "/long".repeat(1700);
        let odd = "/a\"b\n/é";
        let agent = "password=hunter2 \u{1b}";
        let mut records = Vec::new();
        for kind in 0..6 {
            for route in ["/a/{id}", odd, &long] {
                for path in ["/a/1", odd, &long] {
                    for query in ["", "q=1", &long] {
                        records.push(record(kind, [route, path, query, agent]));
                    }
                }
            }
        }
        let requests = || Arc::new(Requests::new(Clock::driven(std::time::Duration::ZERO)));
        for (pretty, name) in [(false, "shop"), (true, "shop"), (false, &long[..5000])] {
            let service = ServiceFields {
                name: name.to_owned(),
                ..ServiceFields::default()
            };
            let lines = || LogFormatter::new(pretty, &service, requests());
            let line = |lines: &mut LogFormatter, body: &[u8]| {
                let mut out = Vec::new();
                let record = Record {
                    source: 0,
                    kind: RecordKind::Request,
                    items: 1,
                    at: 5,
                    body,
                };
                assert!(lines.format(&record, &mut out));
                String::from_utf8(out).unwrap()
            };
            let mut cached = lines();
            for body in &records {
                let first = line(&mut lines(), body);
                assert_eq!(line(&mut cached, body), first);
                assert_eq!(line(&mut cached, body), first);
                assert!(!first.contains("hunter2") && first.len() <= 16 * 1024);
                assert!(pretty || serde_json::from_str::<serde_json::Value>(&first).is_ok());
            }
        }
    }
}
