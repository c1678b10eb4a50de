use http::Uri;

use super::{Form, Raw, Takes, Type, quoted};

const MOST: usize = 2048;

/// An `http` or `https` URL.
pub(in crate::config) struct Url;

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
        let text = line.trim();
        let what = if text.len() > MOST {
            "too long"
        } else if text.contains('#') {
            "a URL with a fragment"
        } else {
            match text.parse::<Uri>() {
                Ok(url) if !is_http(&url) => "not a URL with `http://` or `https://`",
                Ok(url) if url.authority().is_some_and(|it| it.as_str().contains('@')) => {
                    "a URL with a password, which belongs into a header"
                }
                Ok(url) => return Ok(Some(url)),
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

fn is_http(url: &Uri) -> bool {
    matches!(url.scheme_str(), Some("http" | "https"))
        && url.host().is_some_and(|it| !it.is_empty())
}
