//! Sends traces to a scripted receiver and checks the span IDs that it received.

use std::collections::BTreeSet;
use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use flate2::read::GzDecoder;
use http::{HeaderName, HeaderValue};
use opentelemetry::trace::{
    SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use prost::Message;

use super::super::{DecodeSpans, OtlpCompression, OtlpConfig};
use super::{Resource, remote};
use crate::clock::Clock;
use crate::model::{Diagnostics, DropReason, RecordCounters, RecordKind, RecordTotals};
use crate::worker::peer::{Authority, Certificate, Peer, Reply, Seen};
use crate::worker::{Record, RecordQueue, Worker, WorkerConfig, WorkerSetup};

#[cfg(unix)]
mod environment;
mod parts;

/// Decodes each eight bytes of a record into a span with that ID.
struct Ids;

impl DecodeSpans for Ids {
    fn spans(&mut self, record: &Record<'_>, out: &mut Vec<SpanData>) {
        let ids = record.body.chunks_exact(8);
        out.extend(ids.map(|id| span(u64::from_le_bytes(id.try_into().unwrap()))));
    }
}

fn span(id: u64) -> SpanData {
    SpanData {
        span_context: SpanContext::new(
            TraceId::from(77),
            SpanId::from(id),
            TraceFlags::SAMPLED,
            false,
            TraceState::default(),
        ),
        parent_span_id: SpanId::INVALID,
        parent_span_is_remote: false,
        span_kind: SpanKind::Server,
        name: "GET /things/{id}".into(),
        start_time: SystemTime::UNIX_EPOCH + Duration::from_secs(1),
        end_time: SystemTime::UNIX_EPOCH + Duration::from_secs(2),
        attributes: vec![
            KeyValue::new("http.response.status_code", 200_i64),
            KeyValue::new("http.request.method", "GET"),
        ],
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: Status::Unset,
        instrumentation_scope: InstrumentationScope::builder(if id.is_multiple_of(2) {
            "even"
        } else {
            "odd"
        })
        .build(),
    }
}

struct Rig {
    worker: Arc<Worker>,
    record_queue: Arc<RecordQueue>,
    counters: Arc<RecordCounters>,
    diagnostics: Arc<Diagnostics>,
}

fn config(peer: &Peer) -> OtlpConfig {
    OtlpConfig {
        endpoint: Some(peer.url("").parse().unwrap()),
        timeout: Duration::from_secs(2),
        ..OtlpConfig::default()
    }
}

fn rig(config: &OtlpConfig) -> Rig {
    let counters = Arc::new(RecordCounters::default());
    let diagnostics = Arc::new(Diagnostics::default());
    let record_queue = Arc::new(RecordQueue::new(8 << 20, Arc::clone(&counters)));
    let resource = Resource::builder_empty()
        .with_attribute(KeyValue::new("service.name", "shop"))
        .build();
    let remote = remote(config, &resource, Box::new(Ids), &diagnostics);
    let worker = Worker::start(WorkerSetup {
        observer: None,
        processors: Vec::new(),
        config: WorkerConfig::default(),
        clock: Clock::system(),
        record_queue: Arc::clone(&record_queue),
        counters: Arc::clone(&counters),
        diagnostics: Arc::clone(&diagnostics),
        sinks: Vec::new(),
        remotes: remote.into_iter().collect(),
        tasks: Vec::new(),
    });
    Rig {
        worker: worker.unwrap(),
        record_queue,
        counters,
        diagnostics,
    }
}

impl Rig {
    fn emit(&self, ids: std::ops::Range<u64>) {
        let items = u32::try_from(ids.end - ids.start).unwrap();
        self.record_queue
            .push_many(RecordKind::Span, items, 0, |out| {
                ids.for_each(|id| out.extend_from_slice(&id.to_le_bytes()));
            });
    }

    fn flush(&self) -> bool {
        self.worker.flush_blocking(Duration::from_secs(5))
    }

    fn totals(&self) -> RecordTotals {
        self.counters.totals(RecordKind::Span)
    }

    fn end(&self) -> RecordTotals {
        let report = self.worker.shutdown_blocking(Duration::from_millis(100));
        let totals = *report.totals(RecordKind::Span);
        assert_eq!(totals.in_flight(), 0, "{report}");
        totals
    }
}

fn request(seen: &Seen) -> ExportTraceServiceRequest {
    let mut plain = Vec::new();
    if seen.header("content-encoding") == Some("gzip") {
        GzDecoder::new(&seen.body[..])
            .read_to_end(&mut plain)
            .unwrap();
    } else {
        plain.clone_from(&seen.body);
    }
    ExportTraceServiceRequest::decode(&plain[..]).unwrap()
}

fn spans(seen: &Seen) -> Vec<Span> {
    let resources = request(seen).resource_spans.into_iter();
    let scopes = resources.flat_map(|it| it.scope_spans);
    scopes.flat_map(|it| it.spans).collect()
}

fn ids(seen: &Seen) -> Vec<u64> {
    let spans = spans(seen).into_iter();
    spans
        .map(|it| u64::from_be_bytes(it.span_id.try_into().unwrap()))
        .collect()
}

fn partial(rejected: i64, words: &str) -> Vec<u8> {
    let partial_success = Some(ExportTracePartialSuccess {
        rejected_spans: rejected,
        error_message: words.to_owned(),
    });
    ExportTraceServiceResponse { partial_success }.encode_to_vec()
}

#[test]
fn a_request_is_as_the_protocol_asks() {
    let peer = Peer::always(Reply::Answer(200, Vec::new(), vec![0x0a, 0]));
    for compression in [OtlpCompression::Gzip, OtlpCompression::None] {
        let rig = rig(&OtlpConfig {
            compression,
            headers: vec![
                (
                    HeaderName::from_static("x-tenant"),
                    HeaderValue::from_static("a b"),
                ),
                (
                    HeaderName::from_static("content-type"),
                    HeaderValue::from_static("x/y"),
                ),
            ],
            max_export_batch_size: 100,
            ..config(&peer)
        });
        let before = peer.seen().len();
        rig.emit(1..151);
        assert!(rig.flush());
        assert_eq!(rig.end().delivered(), 150);
        let seen = &peer.seen()[before..];
        assert_eq!(
            seen.iter().map(|it| ids(it).len()).collect::<Vec<_>>(),
            [100, 50]
        );
        let all: BTreeSet<_> = seen.iter().flat_map(ids).collect();
        assert_eq!(all, (1..151).collect());
        let first = &seen[0];
        assert_eq!(
            (first.method.as_str(), first.target.as_str()),
            ("POST", "/v1/traces")
        );
        assert_eq!(first.header("content-type"), Some("application/x-protobuf"));
        assert_eq!(first.header("x-tenant"), Some("a b"));
        assert!(
            first
                .header("user-agent")
                .unwrap()
                .starts_with("watchpost/")
        );
        let gzip = compression == OtlpCompression::Gzip;
        assert_eq!(first.header("content-encoding"), gzip.then_some("gzip"));
        let [resource] = &request(first).resource_spans[..] else {
            panic!("one resource")
        };
        let attributes = &resource.resource.as_ref().unwrap().attributes;
        assert_eq!(
            (attributes.len(), attributes[0].key.as_str()),
            (1, "service.name")
        );
        assert_eq!(resource.scope_spans.len(), 2);
        let status = spans(first)[0].attributes[0].value.clone();
        assert!(
            format!("{status:?}").contains("IntValue(200)"),
            "{status:?}"
        );
    }
}

#[test]
fn spans_are_sent_by_count_and_by_time() {
    let peer = Peer::always(Reply::status(200));
    let rig = rig(&OtlpConfig {
        max_export_batch_size: 10,
        schedule_delay: Duration::from_millis(200),
        ..config(&peer)
    });
    let begun = std::time::Instant::now();
    rig.emit(1..26);
    let seen = peer.await_seen(2, Duration::from_secs(1));
    assert!(
        begun.elapsed() < Duration::from_millis(190),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(
        seen.iter().map(|it| ids(it).len()).collect::<Vec<_>>(),
        [10, 10]
    );
    let seen = peer.await_seen(3, Duration::from_secs(2));
    assert!(begun.elapsed() >= Duration::from_millis(180));
    assert_eq!(ids(&seen[2]).len(), 5);
    rig.end();
}

/// The fate of a batch of two spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Taken,
    /// Accepted, except for this number of spans.
    But(u64),
    /// Retried; a flush retries immediately.
    Again,
    /// Retried when the receiver allows it.
    Later,
    Dropped,
    /// Dropped; the next request waits.
    Lasting,
    /// Sent as two requests.
    Halved,
}

fn cases() -> Vec<(Reply, Fate)> {
    use Fate::{Again, But, Dropped, Halved, Lasting, Later, Taken};

    let body = |status, body: Vec<u8>| Reply::Answer(status, Vec::new(), body);
    let after = |status, value: &str| Reply::with(status, "retry-after", value);
    vec![
        (Reply::status(200), Taken),
        (Reply::status(202), Taken),
        (Reply::status(204), Taken),
        (body(200, vec![0x0a, 0]), Taken),
        (body(200, b"not protobuf at all".to_vec()), Taken),
        (body(200, b"{\"partialSuccess\":{}}".to_vec()), Taken),
        (body(200, partial(0, "a warning")), Taken),
        (body(200, partial(-5, "nonsense")), Taken),
        (body(200, partial(1, "one\nis too old")), But(1)),
        (body(200, partial(2, "")), But(2)),
        (body(200, partial(99, "more than there were")), But(2)),
        (Reply::Huge(200, 200_000), Taken),
        (Reply::Short(200), Taken),
        (Reply::ResetInBody(200), Taken),
        (after(200, "60"), Taken),
        (Reply::status(301), Lasting),
        (Reply::with(307, "location", "http://127.0.0.1:1/"), Lasting),
        (Reply::status(400), Dropped),
        (after(400, "1"), Dropped),
        (Reply::status(401), Lasting),
        (Reply::status(403), Lasting),
        (Reply::status(404), Lasting),
        (Reply::status(405), Lasting),
        (Reply::status(408), Dropped),
        (Reply::status(413), Halved),
        (Reply::status(415), Dropped),
        (Reply::status(422), Dropped),
        (Reply::status(429), Again),
        (after(429, "60"), Later),
        (after(429, "Fri, 01 Jan 2100 00:00:00 GMT"), Later),
        (after(429, "-1"), Again),
        (after(429, "soon"), Again),
        (Reply::status(500), Dropped),
        (after(500, "1"), Dropped),
        (Reply::status(501), Dropped),
        (Reply::status(502), Again),
        (Reply::status(503), Again),
        (after(503, "3600"), Later),
        (Reply::ResetInBody(503), Again),
        (Reply::Huge(503, 200_000), Again),
        (Reply::status(504), Again),
        (after(504, "10"), Later),
        (Reply::status(505), Dropped),
        (Reply::Reset, Again),
        (Reply::Garbage, Again),
    ]
}

#[test]
fn answers_are_judged_as_the_protocol_says() {
    use Fate::{Again, But, Dropped, Halved, Lasting, Later, Taken};

    let cases = cases();
    assert!(cases.len() >= 30);
    for (reply, fate) in cases {
        // The first request gets the response under test; all others are accepted.
        let peer = Peer::replies([reply.clone(), Reply::status(200)]);
        let rig = rig(&config(&peer));
        rig.emit(1..3);
        if matches!(fate, Again | Later) {
            // The flush itself may have sent the request twice, since the first back-off is short.
            rig.worker.flush_blocking(Duration::from_millis(30));
            peer.await_seen(1, Duration::from_secs(2));
        } else {
            assert!(rig.flush(), "{reply:?}");
        }
        let requests = peer.seen().len();
        let (delivered, dropped) = match fate {
            Taken => (2, 0),
            But(rejected) => (2 - rejected, rejected),
            Dropped | Lasting => (0, 2),
            Halved => {
                let sizes: Vec<_> = peer.seen().iter().map(|it| ids(it).len()).collect();
                assert_eq!(sizes, [2, 1, 1], "{reply:?}");
                (2, 0)
            }
            Again => {
                assert!(rig.flush(), "{reply:?}");
                let seen = peer.seen();
                assert_eq!(seen[0].body, seen[1].body, "{reply:?}");
                assert_eq!(seen.len(), 2, "{reply:?}");
                (2, 0)
            }
            Later => {
                assert!(
                    !rig.worker.flush_blocking(Duration::from_millis(50)),
                    "{reply:?}"
                );
                assert_eq!(peer.seen().len(), 1, "{reply:?}");
                assert_eq!(rig.end().dropped(DropReason::Shutdown), 2, "{reply:?}");
                continue;
            }
        };
        let totals = rig.totals();
        assert_eq!(totals.delivered(), delivered, "{reply:?}");
        assert_eq!(totals.dropped(DropReason::SendError), dropped, "{reply:?}");
        if matches!(fate, Dropped | Lasting) {
            assert_eq!(requests, 1, "{reply:?}");
            let [said] = &rig.diagnostics.notices()[..] else {
                panic!("{:?}", rig.diagnostics.notices())
            };
            assert!(
                !said.contains(char::is_control) && said.contains("`otlp`"),
                "{said}"
            );
            rig.emit(3..4);
            // No flush here: a flush would retry immediately.
            std::thread::sleep(Duration::from_millis(50));
            assert_eq!(peer.seen().len(), 1, "{reply:?}");
            assert!(rig.flush());
            assert_eq!(rig.totals().delivered(), 1, "{reply:?}");
        }
        rig.end();
    }
}

#[test]
fn what_lasts_is_not_tried_for_each_batch() {
    for (status, requests) in [(404, 1), (400, 5)] {
        let peer = Peer::always(Reply::status(status));
        let rig = rig(&OtlpConfig {
            max_export_batch_size: 1,
            ..config(&peer)
        });
        rig.emit(1..6);
        let sent = peer.await_seen(requests, Duration::from_secs(2));
        std::thread::sleep(Duration::from_millis(100));
        assert_eq!((sent.len(), peer.seen().len()), (requests, requests));
        let totals = rig.end();
        assert_eq!(totals.dropped_total(), 5);
    }
}

#[test]
fn a_body_that_is_too_large_is_halved_until_it_fits() {
    for compression in [OtlpCompression::Gzip, OtlpCompression::None] {
        let peer = Peer::start(|seen| Reply::status(if ids(seen).len() > 3 { 413 } else { 200 }));
        let rig = rig(&OtlpConfig {
            compression,
            ..config(&peer)
        });
        rig.emit(1..20);
        assert!(rig.flush());
        let taken = peer.seen().into_iter().filter(|it| ids(it).len() <= 3);
        let all: Vec<_> = taken.flat_map(|it| ids(&it)).collect();
        assert_eq!(all.len(), 19);
        assert_eq!(all.into_iter().collect::<BTreeSet<_>>(), (1..20).collect());
        assert_eq!(rig.end().delivered(), 19);
    }
}

#[test]
fn it_goes_over_tls_and_never_beside_it() {
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let peer = Peer::tls(authority.server(Certificate::Good), |_| Reply::status(200));
    let config = OtlpConfig {
        certificate: Some(authority.file(directory.path())),
        ..config(&peer)
    };
    let good = rig(&config);
    good.emit(1..4);
    assert!(good.flush());
    assert_eq!((good.end().delivered(), ids(&peer.seen()[0]).len()), (3, 3));
    let stranger = rig(&OtlpConfig {
        certificate: None,
        ..config.clone()
    });
    stranger.emit(1..4);
    assert!(!stranger.worker.flush_blocking(Duration::from_millis(300)));
    assert_eq!(stranger.end().dropped(DropReason::Shutdown), 3);
    let said = stranger.diagnostics.notices();
    assert!(
        said[0].contains("an authority that is not trusted"),
        "{said:?}"
    );
    assert_eq!(peer.seen().len(), 1);
    // A file that cannot be read does not stop the monitor.
    let without = rig(&OtlpConfig {
        certificate: Some(directory.path().join("none")),
        ..config
    });
    without.emit(1..4);
    assert!(without.flush());
    assert_eq!(without.totals().emitted(), 0);
    assert!(without.diagnostics.notices()[0].contains("`otlp.certificate`"));
}

#[test]
fn a_decoder_that_panics_or_reads_less_costs_what_it_touches() {
    struct Odd;
    impl DecodeSpans for Odd {
        fn spans(&mut self, record: &Record<'_>, out: &mut Vec<SpanData>) {
            out.push(span(u64::from(record.items)));
            assert!(record.items != 4, "a planned panic");
            if record.items == 3 {
                out.push(span(33));
            }
        }
    }
    let peer = Peer::always(Reply::status(200));
    let diagnostics = Diagnostics::default();
    let resource = Resource::builder_empty().build();
    let counters = Arc::new(RecordCounters::default());
    let record_queue = Arc::new(RecordQueue::new(8 << 20, Arc::clone(&counters)));
    let remote = remote(&config(&peer), &resource, Box::new(Odd), &diagnostics);
    let worker = Worker::start(WorkerSetup {
        observer: None,
        processors: Vec::new(),
        config: WorkerConfig::default(),
        clock: Clock::system(),
        record_queue: Arc::clone(&record_queue),
        counters: Arc::clone(&counters),
        diagnostics: Arc::default(),
        sinks: Vec::new(),
        remotes: remote.into_iter().collect(),
        tasks: Vec::new(),
    })
    .unwrap();
    for items in [1, 4, 3, 1] {
        record_queue.push_many(RecordKind::Span, items, 0, |_| {});
    }
    assert!(worker.flush_blocking(Duration::from_secs(5)));
    let totals = counters.totals(RecordKind::Span);
    assert_eq!(
        (
            totals.emitted(),
            totals.delivered(),
            totals.dropped(DropReason::Panic)
        ),
        (9, 4, 5)
    );
    assert_eq!(ids(&peer.seen()[0]), [1, 3, 33, 1]);
}
