use std::borrow::Cow;
use std::error::Error;
use std::panic::Location;
use std::sync::Arc;

use super::capture::{Captured, Errors, Shared};
use super::chain::put_chain;
use super::durable::DurableCapture;
use crate::model::wire::put_str;
use crate::model::{Attributes, EventId, Level, Value, cut, prefix};
use crate::request::{DriverError, ErrorKind, FailedQuery, MAX_TAGS, put_attributes};
use crate::semconv;

/// Bytes of a tag's key and value; Sentry takes no longer ones.
const MAX_TAG_KEY: usize = 32;
const MAX_TAG: usize = 200;
/// Bytes of a user.
const MAX_USER: usize = 256;
/// Bytes of the extra attributes in all; those beyond are left out.
const MAX_EXTRA: usize = 12 * 1024;
/// Parts of a fingerprint and bytes of one.
const MAX_PARTS: usize = 8;
const MAX_PART: usize = 256;

/// What a capture tells beside the error.
#[derive(Debug, Default)]
pub(super) struct Details {
    pub(super) user: String,
    pub(super) tags: Vec<u8>,
    tag_count: usize,
    extra: Attributes,
    pub(super) fingerprint: Vec<u8>,
    parts: usize,
}

impl Details {
    /// The extra attributes as a record has them: those of a database's error and of its query first, but for those that
    /// the capture named itself.
    pub(super) fn extra_bytes(
        &self,
        driver: Option<&DriverError>,
        query: Option<&FailedQuery>,
    ) -> Cow<'static, [u8]> {
        let driver = query.map(|query| &query.driver).or(driver);
        if self.extra.is_empty() && driver.is_none() {
            return Cow::Borrowed(&[]);
        }
        let summary = query.map(|query| (semconv::DB_QUERY_SUMMARY, &*query.summary));
        let told = driver.into_iter().flat_map(DriverError::attributes);
        let mut all = Attributes::default();
        for (key, value) in told.chain(summary) {
            if !self.extra.iter().any(|(own, _)| own == key) {
                all.insert(key, value.to_owned());
            }
        }
        let (mut out, mut whole) = (Vec::new(), 0);
        for (key, value) in all.iter().chain(self.extra.iter()) {
            let mut one = Attributes::default();
            one.insert(key.to_owned(), value.clone());
            put_attributes(&mut out, &one);
            if out.len() > MAX_EXTRA {
                break;
            }
            whole = out.len();
        }
        out.truncate(whole);
        Cow::Owned(out)
    }
}

/// A capture in the making. Made by [`Monitor::error`](crate::Monitor::error); nothing is captured before
/// [`capture`](Self::capture).
#[derive(Debug)]
#[must_use = "nothing is captured before `.capture()`"]
pub struct ErrorCapture<'a, E: ?Sized> {
    shared: Arc<Shared>,
    error: &'a E,
    level: Level,
    location: &'static Location<'static>,
    details: Box<Details>,
}

impl<'a, E: Error + ?Sized> ErrorCapture<'a, E> {
    #[track_caller]
    pub(crate) fn new(errors: &Errors, error: &'a E) -> Self {
        Self {
            shared: Arc::clone(&errors.shared),
            error,
            level: Level::Error,
            location: Location::caller(),
            details: Box::default(),
        }
    }

    /// How bad it is. Default: [`Level::Error`].
    pub fn level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// What the event is found by: at most 50 tags with keys of 32 bytes and values of 200; what is longer
    /// is cut.
    pub fn tag(mut self, key: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        let details = &mut *self.details;
        if details.tag_count < MAX_TAGS {
            details.tag_count += 1;
            put_str(&mut details.tags, prefix(key.as_ref(), MAX_TAG_KEY));
            put_str(&mut details.tags, &cut(value.as_ref(), MAX_TAG));
        }
        self
    }

    /// What else there is to tell: at most 12 KiB in all.
    pub fn extra(mut self, key: impl Into<Cow<'static, str>>, value: impl Into<Value>) -> Self {
        self.details.extra.insert(key, value);
        self
    }

    /// Whom it concerns: an id rather than a name, at most 256 bytes. Default: the request's user.
    pub fn user(mut self, user: impl AsRef<str>) -> Self {
        self.details.user = cut(user.as_ref(), MAX_USER).into_owned();
        self
    }

    /// A part of what makes events one group, in place of type, message, place and route: at most eight
    /// parts of 256 bytes.
    pub fn fingerprint(mut self, part: impl AsRef<str>) -> Self {
        let details = &mut *self.details;
        if details.parts < MAX_PARTS {
            details.parts += 1;
            put_str(&mut details.fingerprint, &cut(part.as_ref(), MAX_PART));
        }
        self
    }

    /// Captures the error, and waits until it is stored; see
    /// [`Monitor::capture_error_durable`](crate::Monitor::capture_error_durable).
    pub fn capture_durable(self) -> DurableCapture {
        let event = EventId::random();
        let captured = Captured {
            kind: ErrorKind::Error,
            event,
            level: self.level,
            location: self.location,
            details: Some(&self.details),
        };
        self.shared.capture_durable(&captured, |out| {
            put_chain(out, self.error, self.shared.read_driver)
        })
    }

    /// Captures the error. Never waits; the id is nil on a thread of this crate's own.
    pub fn capture(self) -> EventId {
        let captured = Captured {
            kind: ErrorKind::Error,
            event: EventId::random(),
            level: self.level,
            location: self.location,
            details: Some(&self.details),
        };
        self.shared.capture(&captured, |out| {
            put_chain(out, self.error, self.shared.read_driver)
        })
    }
}
