use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, header};

use super::client_report::ClientReport;
use super::envelope::{put_item, timestamp};
use super::rate_limits::RateLimits;
use crate::clock::Clock;
use crate::errors::sentry::Dsn;
use crate::errors::shared::CaptureState;
use crate::model::DropReason;
use crate::worker::{Batch, BatchOutcome, Deliver, HttpResponse, Verdict};

/// The pause after a 429 without a time.
const DEFAULT_LIMIT: Duration = Duration::from_secs(60);
/// The pause after the server has refused the key.
const UNKNOWN_KEY: Duration = Duration::from_secs(300);
const AGENT: &str = concat!("watchpost/", env!("CARGO_PKG_VERSION"));

/// Sends envelopes of one event each, and evaluates the responses.
pub(super) struct SentryTransport {
    url: String,
    auth: HeaderValue,
    limits: RateLimits,
    report: Arc<ClientReport>,
    shared: Arc<CaptureState>,
    clock: Clock,
    /// Bytes of envelopes that the sink holds. The encoder adds each new one.
    queued_bytes: Arc<AtomicUsize>,
}

impl SentryTransport {
    pub(super) fn new(
        dsn: &Dsn,
        shared: &Arc<CaptureState>,
        report: &Arc<ClientReport>,
        clock: Clock,
    ) -> Self {
        let auth = format!(
            "Sentry sentry_version=7, sentry_client={AGENT}, sentry_key={}",
            dsn.key()
        );
        let mut auth = HeaderValue::from_str(&auth).unwrap_or(HeaderValue::from_static(""));
        auth.set_sensitive(true);
        Self {
            url: dsn.url().to_owned(),
            auth,
            limits: RateLimits::new(Clock::system()),
            report: Arc::clone(report),
            shared: Arc::clone(shared),
            clock,
            queued_bytes: Arc::default(),
        }
    }

    pub(super) fn queued_bytes(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.queued_bytes)
    }
}

impl Deliver for SentryTransport {
    fn request(&self, batch: &Batch) -> Request<Bytes> {
        let wall = Duration::from_nanos(self.clock.wall(self.clock.now()));
        let body = match self.report.attach(timestamp(UNIX_EPOCH + wall)) {
            None => batch.body.clone(),
            Some(report) => {
                let mut body = batch.body.to_vec();
                put_item(&mut body, "client_report", report.as_bytes());
                body.into()
            }
        };
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        if let Ok(url) = self.url.parse() {
            *request.uri_mut() = url;
        }
        let headers = request.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/x-sentry-envelope"),
        );
        headers.insert(header::USER_AGENT, HeaderValue::from_static(AGENT));
        headers.insert("x-sentry-auth", self.auth.clone());
        request
    }

    fn judge(&self, _: &Batch, response: &HttpResponse) -> Verdict {
        // Limits are read from every response, also from successful ones: servers announce them before they refuse.
        self.limits.update(&response.headers);
        let status = response.status;
        let why = format!("it responded {}", status.as_u16());
        if status.is_success() {
            self.report.accepted();
            return Verdict::Delivered;
        }
        let after = match status {
            StatusCode::TOO_MANY_REQUESTS => {
                if let Some(wait) = response.retry_after {
                    self.limits.extend(wait);
                }
                Some(self.limits.remaining().unwrap_or(DEFAULT_LIMIT))
            }
            // The key may be corrected on the server, so the event is not lost. The long pause spares the server.
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Some(UNKNOWN_KEY),
            _ if status.is_server_error() => response.retry_after.max(self.limits.remaining()),
            _ => {
                // The server refuses this event, and would refuse it again.
                let reason = if status == StatusCode::PAYLOAD_TOO_LARGE {
                    DropReason::TooLarge
                } else {
                    DropReason::SendError
                };
                return Verdict::Refused {
                    reason,
                    why,
                    pause: self.limits.remaining(),
                };
            }
        };
        Verdict::Retry { after, why }
    }

    fn pause(&self) -> Option<Duration> {
        self.limits.remaining()
    }

    fn is_stored(&self, batch: &Batch) -> bool {
        let store = self.shared.store.as_ref();
        batch.stored && store.is_some_and(|store| store.is_stored(batch.tag))
    }

    fn on_settled(&self, batch: &Batch, end: BatchOutcome) {
        let before = self.queued_bytes.fetch_sub(batch.body.len(), Relaxed);
        if before < batch.body.len() {
            self.queued_bytes.store(0, Relaxed);
        }
        if let BatchOutcome::Dropped(reason) = end {
            self.report.add(reason, batch.items);
        }
        // Acknowledging an event acknowledges all before it. A batch that the queue refused ended before earlier ones
        // that still wait.
        let in_order = !matches!(
            end,
            BatchOutcome::Spooled
                | BatchOutcome::Dropped(DropReason::QueueOverflow | DropReason::RatelimitBackoff)
        );
        if let Some(store) = &self.shared.store
            && batch.stored
            && in_order
        {
            store.ack(batch.tag);
        }
        // The queue may have room for stored events now.
        self.shared.record_queue.wake();
    }
}
