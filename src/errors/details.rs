use std::borrow::Cow;
use std::error::Error;
use std::panic::Location;
use std::sync::Arc;

use super::capture::{CaptureInput, CaptureState, ErrorTracker};
use super::chain::put_chain;
use super::durable::DurableCapture;
use crate::context::{DriverError, FailedQuery};
use crate::model::codec::put_str;
use crate::model::{Attributes, EventId, Level, Value, cut, prefix};
use crate::record::{ErrorKind, MAX_TAGS, put_attributes_within};
use crate::semconv;

/// Bytes of a tag's key and value; Sentry takes no longer ones.
const MAX_TAG_KEY: usize = 32;
const MAX_TAG: usize = 200;
/// Bytes of a user.
const MAX_USER: usize = 256;
/// Bytes of the extra attributes in all; those beyond are left out.
const MAX_EXTRA: usize = 12 * 1024;
/// Bytes of tags and extra attributes together, so that a record with all it can have is not too large.
const MAX_TAGS_AND_EXTRA: usize = 16 * 1024;
/// Parts of a fingerprint and bytes of one.
const MAX_PARTS: usize = 8;
const MAX_PART: usize = 256;

/// What a capture tells beside the error.
#[derive(Debug, Default)]
pub(super) struct CaptureDetails {
    pub(super) user: String,
    tags: Vec<(String, String)>,
    extra: Attributes,
    pub(super) fingerprint: Vec<u8>,
    parts: usize,
    /// Whether a text was cut or something was left out.
    shortened: bool,
}

/// Tags and extra attributes as a record has them.
#[derive(Debug, Default)]
pub(super) struct EncodedDetails {
    pub(super) tags: Vec<u8>,
    pub(super) extra: Vec<u8>,
    pub(super) shortened: bool,
}

impl CaptureDetails {
    fn cut(&mut self, text: &str, max: usize) -> String {
        self.shortened |= text.len() > max;
        cut(text, max).into_owned()
    }

    fn tag(&mut self, key: &str, value: &str) {
        self.shortened |= key.len() > MAX_TAG_KEY;
        let (key, value) = (prefix(key, MAX_TAG_KEY), self.cut(value, MAX_TAG));
        if let Some((_, old)) = self.tags.iter_mut().find(|(have, _)| have == key) {
            *old = value;
        } else if self.tags.len() < MAX_TAGS {
            self.tags.push((key.to_owned(), value));
        } else {
            self.shortened = true;
        }
    }

    fn part(&mut self, part: &str) {
        if self.parts < MAX_PARTS {
            self.parts += 1;
            let part = self.cut(part, MAX_PART);
            put_str(&mut self.fingerprint, &part);
        } else {
            self.shortened = true;
        }
    }

    /// What the record has of them: the attributes of a database's error and of its query stand before the extra
    /// attributes, but for those that the capture named itself.
    pub(super) fn told(
        &self,
        driver: Option<&DriverError>,
        query: Option<&FailedQuery>,
    ) -> EncodedDetails {
        let mut told = EncodedDetails::default();
        let is_plain = self.tags.is_empty() && self.extra.is_empty() && !self.extra.is_shortened();
        if is_plain && driver.is_none() && query.is_none() {
            told.shortened = self.shortened || self.extra.left_out() > 0;
            return told;
        }
        for text in self.tags.iter().flat_map(|(key, value)| [key, value]) {
            put_str(&mut told.tags, text);
        }
        let driver = query.map(|query| &query.driver).or(driver);
        let summary = query.map(|query| (semconv::DB_QUERY_SUMMARY, &*query.summary));
        let of_driver = driver.into_iter().flat_map(DriverError::attributes);
        let mut of_database = Attributes::default();
        for (key, value) in of_driver.chain(summary) {
            if self.extra.value(key).is_none() {
                of_database.insert(key, value.to_owned());
            }
        }
        let room = MAX_TAGS_AND_EXTRA.saturating_sub(told.tags.len());
        let room = room.min(MAX_EXTRA);
        let mut left_out = put_attributes_within(&mut told.extra, &of_database, room);
        let room = room.saturating_sub(told.extra.len());
        left_out += put_attributes_within(&mut told.extra, &self.extra, room);
        let is_whole = left_out == 0 && self.extra.left_out() == 0 && !self.extra.is_shortened();
        told.shortened = self.shortened || !is_whole;
        told
    }
}

/// A capture in the making. Made by [`Monitor::error_capture`](crate::Monitor::error_capture); nothing is captured before
/// [`capture`](Self::capture).
#[derive(Debug)]
#[must_use = "nothing is captured before `.capture()`"]
pub struct ErrorCapture<'a, E: ?Sized> {
    shared: Arc<CaptureState>,
    error: &'a E,
    level: Level,
    location: &'static Location<'static>,
    details: Box<CaptureDetails>,
}

impl<'a, E: Error + ?Sized> ErrorCapture<'a, E> {
    #[track_caller]
    pub(crate) fn new(errors: &ErrorTracker, error: &'a E) -> Self {
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

    /// Sets a tag, by which the event is found, in place of an earlier one of this key: at most 50 tags with keys of 32
    /// bytes and values of 200. A longer text is cut, and the event is marked as
    /// [`truncated`](crate::errors::ErrorEvent::truncated).
    pub fn tag(mut self, key: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        self.details.tag(key.as_ref(), value.as_ref());
        self
    }

    /// Sets an extra attribute in place of an earlier one of this key: at most 12 KiB in all. Where a tag has the same
    /// key, the log record, which has both in one object, shows the extra attribute.
    pub fn extra(mut self, key: impl Into<Cow<'static, str>>, value: impl Into<Value>) -> Self {
        self.details.extra.insert(key, value);
        self
    }

    /// Whom it concerns: an id rather than a name, at most 256 bytes. Default: the request's user.
    pub fn user(mut self, user: impl AsRef<str>) -> Self {
        self.details.user = self.details.cut(user.as_ref(), MAX_USER);
        self
    }

    /// A part of what makes events one group, in place of type, message, place and route: at most eight
    /// parts of 256 bytes.
    pub fn fingerprint(mut self, part: impl AsRef<str>) -> Self {
        self.details.part(part.as_ref());
        self
    }

    /// Captures the error, and waits until it is stored; see
    /// [`Monitor::capture_error_durable`](crate::Monitor::capture_error_durable).
    pub fn capture_durable(self) -> DurableCapture {
        let event = EventId::random();
        let captured = CaptureInput {
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
        let captured = CaptureInput {
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
