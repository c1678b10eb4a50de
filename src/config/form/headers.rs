use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, TE, TRAILER, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderName, HeaderValue};

use crate::config::attributes::decode;

use super::{Form, Raw, Takes, Type, quoted};

/// The most headers.
const MOST: usize = 64;

/// Headers that say how a request is sent: another value would break it.
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
pub(in crate::config) struct Headers;

impl Form for Headers {
    type Value = Vec<(HeaderName, HeaderValue)>;

    fn takes(&self) -> Takes {
        Takes {
            types: &[Type::String],
            array: false,
            example: "\"x-tenant=shop\"",
        }
    }

    fn read(&self, raw: &Raw) -> Result<Self::Value, String> {
        let line = raw.line();
        let pairs = line.split(',').map(str::trim).filter(|it| !it.is_empty());
        let headers: Vec<_> = (1..)
            .zip(pairs)
            .map(|(number, pair)| {
                header(pair)
                    .ok_or_else(|| format!("pair {number} is no header; write {}", self.describe()))
            })
            .collect::<Result<_, _>>()?;
        if headers.len() > MOST {
            return Err(format!("more than {MOST} headers; write fewer"));
        }
        Ok(headers)
    }

    fn print(&self, value: &Self::Value) -> Option<String> {
        // A secret: what stands here is masked.
        (!value.is_empty()).then(|| quoted("headers"))
    }

    fn describe(&self) -> String {
        "pairs such as `x-tenant=shop`, percent-encoded, separated by commas".to_owned()
    }
}

fn header(pair: &str) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = pair.split_once('=')?;
    let name = HeaderName::from_bytes(decode(name.trim())?.as_bytes()).ok()?;
    if FRAMING.contains(&name) {
        return None;
    }
    let mut value = HeaderValue::from_str(&decode(value.trim())?).ok()?;
    value.set_sensitive(true);
    Some((name, value))
}
