//! The fields of a request that changes something, and why such a request is refused.

use std::time::Duration;

use http::StatusCode;

use super::flat_json::{FlatValue, flat_object};

/// The longest comment, and the longest name of a person, in bytes.
const MAX_COMMENT: usize = 500;
const MAX_NAME: usize = 100;
/// The limits of a time in seconds: a minute and a year.
const LEAST_SECONDS: u64 = 60;
pub(super) const MOST_SECONDS: u64 = 366 * 86_400;
/// The name of somebody who gives none.
const NOBODY: &str = "operator";

/// Why a request is refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
        }
    }
}

/// The members of a body.
pub(super) struct ChangeFields(Vec<(String, FlatValue)>);

impl ChangeFields {
    /// Reads a body.
    ///
    /// # Errors
    ///
    /// Returns an error if it is no such object.
    pub(super) fn read(body: &[u8]) -> Result<Self, Refusal> {
        let read = flat_object(body).map(Self);
        read.ok_or_else(|| {
            bad("The body must be a JSON object of texts, whole numbers and lists of texts.")
        })
    }

    pub(super) fn get(&self, name: &str) -> Option<&FlatValue> {
        let found = self.0.iter().find(|(other, _)| other == name);
        found
            .map(|(_, value)| value)
            .filter(|value| **value != FlatValue::Null)
    }

    pub(super) fn text(&self, name: &str, most: usize) -> Result<String, Refusal> {
        match self.get(name) {
            Some(FlatValue::Text(text)) if text.len() <= most => Ok(text.clone()),
            Some(FlatValue::Text(_)) => Err(bad(&format!("`{name}` is longer than {most} bytes."))),
            _ => Err(bad(&format!("`{name}` must be given, as a text."))),
        }
    }

    /// Who asks, and the comment. Control characters are removed.
    pub(super) fn who_and_why(&self) -> Result<(String, String), Refusal> {
        let optional = |name, most| match self.get(name) {
            None => Ok(String::new()),
            Some(_) => self.text(name, most),
        };
        let plain = |text: String| {
            let is_plain = |char: &char| !char.is_control();
            text.chars()
                .filter(is_plain)
                .collect::<String>()
                .trim()
                .to_owned()
        };
        let by = plain(optional("by", MAX_NAME)?);
        let by = if by.is_empty() { NOBODY.to_owned() } else { by };
        Ok((by, plain(optional("comment", MAX_COMMENT)?)))
    }

    pub(super) fn seconds(&self, name: &str) -> Result<Option<Duration>, Refusal> {
        match self.get(name) {
            None => Ok(None),
            Some(FlatValue::Number(seconds))
                if (LEAST_SECONDS..=MOST_SECONDS).contains(seconds) =>
            {
                Ok(Some(Duration::from_secs(*seconds)))
            }
            Some(_) => Err(bad(&format!(
                "`{name}` must be a whole number from {LEAST_SECONDS} to {MOST_SECONDS}."
            ))),
        }
    }
}

pub(super) fn bad(message: &str) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, "bad_request", message)
}

pub(super) fn unavailable() -> Refusal {
    let message = "The monitor does not respond, or has ended.";
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "closed", message)
}
