use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, TE, TRAILER, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderName, HeaderValue};

use crate::config::attributes::decode;

use super::{RawValue, TomlShape, TomlType, ValueParser, quoted};

/// The maximum number of headers.
const MAX_HEADERS: usize = 64;

/// Headers that determine the framing of a request, which another value would break.
const FRAMING: [HeaderName; 7] = [
    CONNECTION,
    CONTENT_LENGTH,
    EXPECT,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Headers with their values: `name=value`, percent-encoded, separated by commas.
pub(in crate::config) struct HeadersParser;

impl ValueParser for HeadersParser {
    type Value = Vec<(HeaderName, HeaderValue)>;

    fn toml_shape(&self) -> TomlShape {
        TomlShape {
            types: &[TomlType::String],
            array: false,
            example: "\"x-tenant=shop\"",
        }
    }

    fn parse(&self, raw: &RawValue) -> Result<Self::Value, String> {
        let line = raw.line();
        let pairs = line.split(',').map(str::trim).filter(|it| !it.is_empty());
        (1..)
            .zip(pairs)
            .map(|(number, pair)| header(pair).ok_or_else(|| self.bad_pair(number)))
            .collect()
    }

    fn validate(&self, mut headers: Self::Value) -> Result<Self::Value, String> {
        if headers.len() > MAX_HEADERS {
            return Err(format!("more than {MAX_HEADERS} headers; write fewer"));
        }
        for (number, (name, value)) in (1..).zip(&mut headers) {
            if FRAMING.contains(name) {
                return Err(self.bad_pair(number));
            }
            value.set_sensitive(true);
        }
        Ok(headers)
    }

    fn print(&self, value: &Self::Value) -> Option<String> {
        // The value is a secret, so the caller masks it.
        (!value.is_empty()).then(|| quoted("headers"))
    }

    fn describe(&self) -> String {
        "pairs such as `x-tenant=shop`, percent-encoded, separated by commas".to_owned()
    }
}

impl HeadersParser {
    fn bad_pair(&self, number: usize) -> String {
        format!("pair {number} is no header; write {}", self.describe())
    }
}

fn header(pair: &str) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = pair.split_once('=')?;
    let name = HeaderName::from_bytes(decode(name.trim())?.as_bytes()).ok()?;
    let value = HeaderValue::from_str(&decode(value.trim())?).ok()?;
    Some((name, value))
}
