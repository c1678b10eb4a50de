use std::borrow::Cow;

use http::Uri;

use crate::model::port_of;

use super::{RawValue, TomlShape, TomlType, ValueParser, quoted};

/// The maximum length of a URL, in bytes.
const MAX_LENGTH: usize = 2048;

/// An `http` or `https` URL.
pub(in crate::config) struct UrlParser {
    /// Whether the URL may have a query. A URL to which a path is appended may not.
    pub(in crate::config) query: bool,
}

impl ValueParser for UrlParser {
    type Value = Option<Uri>;

    fn toml_shape(&self) -> TomlShape {
        TomlShape {
            types: &[TomlType::String],
            array: false,
            example: "\"http://localhost:4318\"",
        }
    }

    fn parse(&self, raw: &RawValue) -> Result<Option<Uri>, String> {
        let line = raw.line();
        let text = with_lower_case_scheme(line.trim());
        let what = if text.len() > MAX_LENGTH {
            "too long"
        } else if text.contains('#') {
            "a URL with a fragment"
        } else {
            match text.parse::<Uri>() {
                Ok(url) => return Ok(Some(url)),
                Err(_) => "not a URL",
            }
        };
        Err(self.advice(what))
    }

    fn validate(&self, value: Option<Uri>) -> Result<Option<Uri>, String> {
        match value.as_ref().and_then(|url| self.problem(url)) {
            Some(what) => Err(self.advice(what)),
            None => Ok(value),
        }
    }

    fn print(&self, value: &Option<Uri>) -> Option<String> {
        value.as_ref().map(|url| quoted(&url.to_string()))
    }

    fn describe(&self) -> String {
        "a URL".to_owned()
    }
}

impl UrlParser {
    fn advice(&self, what: &str) -> String {
        format!(
            "{what}; write {} such as `http://localhost:4318`",
            self.describe()
        )
    }

    fn problem(&self, url: &Uri) -> Option<&'static str> {
        let is_http = matches!(url.scheme_str(), Some("http" | "https"));
        let Some(authority) = url.authority().filter(|_| is_http) else {
            return Some("not a URL with `http://` or `https://`");
        };
        if url.to_string().len() > MAX_LENGTH {
            Some("too long")
        } else if authority.as_str().contains('@') {
            Some("a URL with a password, which belongs into a header")
        } else if url.query().is_some() && !self.query {
            Some(
                "a URL with a query, which only `otlp.traces_endpoint` and `otlp.metrics_endpoint` may have",
            )
        } else {
            port_of(authority).err()
        }
    }
}

/// Converts the scheme to lower case, because schemes are case-insensitive.
fn with_lower_case_scheme(text: &str) -> Cow<'_, str> {
    for scheme in ["http://", "https://"] {
        if let Some((written, rest)) = text.split_at_checked(scheme.len())
            && written.eq_ignore_ascii_case(scheme)
        {
            return format!("{scheme}{rest}").into();
        }
    }
    text.into()
}
