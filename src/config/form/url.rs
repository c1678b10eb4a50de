use std::borrow::Cow;

use http::Uri;

use crate::model::port_of;

use super::{Form, Raw, Takes, Type, quoted};

const MOST: usize = 2048;

/// An `http` or `https` URL.
pub(in crate::config) struct Url {
    /// Whether it may have a query: to one that gets a path, a query has no place.
    pub(in crate::config) query: bool,
}

impl Form for Url {
    type Value = Option<Uri>;

    fn takes(&self) -> Takes {
        Takes {
            types: &[Type::String],
            array: false,
            example: "\"http://localhost:4318\"",
        }
    }

    fn read(&self, raw: &Raw) -> Result<Option<Uri>, String> {
        let line = raw.line();
        let text = with_plain_scheme(line.trim());
        let what = if text.len() > MOST {
            "too long"
        } else if text.contains('#') {
            "a URL with a fragment"
        } else {
            match text.parse::<Uri>() {
                Ok(url) => match self.problem(&url) {
                    Some(what) => what,
                    None => return Ok(Some(url)),
                },
                Err(_) => "not a URL",
            }
        };
        Err(format!(
            "{what}; write {} such as `http://localhost:4318`",
            self.describe()
        ))
    }

    fn print(&self, value: &Option<Uri>) -> Option<String> {
        value.as_ref().map(|url| quoted(&url.to_string()))
    }

    fn describe(&self) -> String {
        "a URL".to_owned()
    }
}

impl Url {
    fn problem(&self, url: &Uri) -> Option<&'static str> {
        let is_http = matches!(url.scheme_str(), Some("http" | "https"));
        let Some(authority) = url.authority().filter(|_| is_http) else {
            return Some("not a URL with `http://` or `https://`");
        };
        if authority.as_str().contains('@') {
            Some("a URL with a password, which belongs into a header")
        } else if url.query().is_some() && !self.query {
            Some("a URL with a query, which `otlp.traces_endpoint` may have")
        } else {
            port_of(authority).err()
        }
    }
}

/// The text with its scheme in lower case, as schemes have none.
fn with_plain_scheme(text: &str) -> Cow<'_, str> {
    for scheme in ["http://", "https://"] {
        if let Some((written, rest)) = text.split_at_checked(scheme.len())
            && written.eq_ignore_ascii_case(scheme)
        {
            return format!("{scheme}{rest}").into();
        }
    }
    text.into()
}
