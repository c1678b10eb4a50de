//! The additions of a capture to its error: tags, extra attributes, a user, a fingerprint.

use crate::context::{DriverError, FailedQuery};
use crate::model::codec::put_str;
use crate::model::{Attributes, Value, cut, prefix};
use crate::record::{MAX_TAGS, put_attributes_within};
use crate::semconv;
use std::borrow::Cow;

/// The maximum number of bytes of a tag's key and of its value, which are Sentry's limits.
const MAX_TAG_KEY: usize = 32;
const MAX_TAG: usize = 200;
/// The maximum number of bytes of a user.
const MAX_USER: usize = 256;
/// The maximum number of bytes of all extra attributes; further attributes are left out.
const MAX_EXTRA: usize = 12 * 1024;
/// The maximum number of bytes of tags and extra attributes together. It keeps a record that has everything within the
/// queue's limit for one record.
const MAX_TAGS_AND_EXTRA: usize = 16 * 1024;
/// The maximum number of parts of a fingerprint, and of bytes of one part.
const MAX_PARTS: usize = 8;
const MAX_PART: usize = 256;

/// The additions of one capture, each within its limit.
#[derive(Debug, Default)]
pub(super) struct CaptureDetails {
    pub(super) user: String,
    tags: Vec<(String, String)>,
    extra: Attributes,
    /// The encoded parts of the fingerprint.
    pub(super) fingerprint: Vec<u8>,
    parts: usize,
    /// Whether a text was cut or something was left out.
    shortened: bool,
}

/// Tags and extra attributes as bytes of a record.
#[derive(Debug, Default)]
pub(super) struct EncodedDetails {
    pub(super) tags: Vec<u8>,
    pub(super) extra: Vec<u8>,
    /// Whether a text was cut or something was left out.
    pub(super) shortened: bool,
}

impl CaptureDetails {
    fn cut(&mut self, text: &str, max: usize) -> String {
        self.shortened |= text.len() > max;
        cut(text, max).into_owned()
    }

    pub(super) fn set_tag(&mut self, key: &str, value: &str) {
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

    pub(super) fn set_extra(&mut self, key: impl Into<Cow<'static, str>>, value: impl Into<Value>) {
        self.extra.insert(key, value);
    }

    pub(super) fn set_user(&mut self, user: &str) {
        self.user = self.cut(user, MAX_USER);
    }

    pub(super) fn push_fingerprint_part(&mut self, part: &str) {
        if self.parts < MAX_PARTS {
            self.parts += 1;
            let part = self.cut(part, MAX_PART);
            put_str(&mut self.fingerprint, &part);
        } else {
            self.shortened = true;
        }
    }

    /// Encodes tags and extra attributes. The attributes of a database's error and of its query come first, except
    /// those whose keys the capture set itself.
    pub(super) fn encode(
        &self,
        driver: Option<&DriverError>,
        query: Option<&FailedQuery>,
    ) -> EncodedDetails {
        let mut encoded = EncodedDetails::default();
        let is_plain = self.tags.is_empty() && self.extra.is_empty() && !self.extra.is_shortened();
        if is_plain && driver.is_none() && query.is_none() {
            encoded.shortened = self.shortened || self.extra.left_out() > 0;
            return encoded;
        }
        for text in self.tags.iter().flat_map(|(key, value)| [key, value]) {
            put_str(&mut encoded.tags, text);
        }
        // The query has what its driver reported, even if the error was wrapped since.
        let driver = query.map(|query| &query.driver).or(driver);
        let summary = query.map(|query| (semconv::DB_QUERY_SUMMARY, &*query.summary));
        let of_driver = driver.into_iter().flat_map(DriverError::attributes);
        let mut of_database = Attributes::default();
        for (key, value) in of_driver.chain(summary) {
            if self.extra.value(key).is_none() {
                of_database.insert(key, value.to_owned());
            }
        }
        // Tags and extra attributes share one limit, so that the record stays within its maximum. Those of the database
        // are few and come first; what is left out is counted as shortened.
        let room = MAX_TAGS_AND_EXTRA.saturating_sub(encoded.tags.len());
        let room = room.min(MAX_EXTRA);
        let mut left_out = put_attributes_within(&mut encoded.extra, &of_database, room);
        let room = room.saturating_sub(encoded.extra.len());
        left_out += put_attributes_within(&mut encoded.extra, &self.extra, room);
        let is_whole = left_out == 0 && self.extra.left_out() == 0 && !self.extra.is_shortened();
        encoded.shortened = self.shortened || !is_whole;
        encoded
    }
}
