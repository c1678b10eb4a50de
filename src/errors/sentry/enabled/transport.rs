use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, header};

use super::client_report::ClientReport;
use super::envelope::{put_item, timestamp};
use super::rate_limits::RateLimits;
use crate::clock::Clock;
use crate::errors::capture::CaptureState;
use crate::errors::sentry::Dsn;
use crate::model::DropReason;
use crate::worker::{Batch, BatchOutcome, Deliver, HttpResponse, Verdict};

/// How long the server is left alone that says 429 and no more.
const LIMITED: Duration = Duration::from_secs(60);
/// How long it is left alone when it does not know the key.
const UNKNOWN_KEY: Duration = Duration::from_secs(300);
const AGENT: &str = concat!("watchpost/", env!("CARGO_PKG_VERSION"));

/// How events are sent, one an envelope.
pub(super) struct SentryTransport {
    url: String,
    auth: HeaderValue,
    limits: RateLimits,
    report: Arc<ClientReport>,
    shared: Arc<CaptureState>,
    clock: Clock,
    /// Bytes of events that the sink has.
    waiting: Arc<AtomicUsize>,
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
            waiting: Arc::default(),
        }
    }

    pub(super) fn waiting(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.waiting)
    }
}

impl Deliver for SentryTransport {
    fn request(&self, batch: &Batch) -> Request<Bytes> {
        let wall = Duration::from_nanos(self.clock.wall(self.clock.now()));
        let body = match self.report.begin(timestamp(UNIX_EPOCH + wall)) {
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

    fn judge(&self, _: &Batch, answer: &HttpResponse) -> Verdict {
        self.limits.hear(&answer.headers);
        let status = answer.status;
        let why = format!("it answered {}", status.as_u16());
        if status.is_success() {
            self.report.taken();
            return Verdict::Delivered;
        }
        let after = match status {
            StatusCode::TOO_MANY_REQUESTS => {
                if let Some(wait) = answer.retry_after {
                    self.limits.hold(wait);
                }
                Some(self.limits.left().unwrap_or(LIMITED))
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Some(UNKNOWN_KEY),
            _ if status.is_server_error() => answer.retry_after.max(self.limits.left()),
            _ => {
                let reason = if status == StatusCode::PAYLOAD_TOO_LARGE {
                    DropReason::TooLarge
                } else {
                    DropReason::SendError
                };
                return Verdict::Refused {
                    reason,
                    why,
                    pause: self.limits.left(),
                };
            }
        };
        Verdict::Retry { after, why }
    }

    fn pause(&self) -> Option<Duration> {
        self.limits.left()
    }

    fn is_stored(&self, batch: &Batch) -> bool {
        let keeper = self.shared.keeper.as_ref();
        batch.stored && keeper.is_some_and(|keeper| keeper.is_stored(batch.tag))
    }

    fn settled(&self, batch: &Batch, end: BatchOutcome) {
        let before = self.waiting.fetch_sub(batch.body.len(), Relaxed);
        if before < batch.body.len() {
            self.waiting.store(0, Relaxed);
        }
        if let BatchOutcome::Dropped(reason) = end {
            self.report.add(reason, batch.items);
        }
        // What was turned away overtook those that wait, and must not acknowledge them.
        let in_order = !matches!(
            end,
            BatchOutcome::Spooled
                | BatchOutcome::Dropped(DropReason::QueueOverflow | DropReason::RatelimitBackoff)
        );
        if let Some(keeper) = &self.shared.keeper
            && batch.stored
            && in_order
        {
            keeper.ack(batch.tag);
        }
        // There may be room for what is in the store.
        self.shared.record_queue.ring();
    }
}
