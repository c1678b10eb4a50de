use std::fmt;

use http::Uri;

use crate::model::{Secret, port_of};

/// A Sentry DSN, `https://key@host/project`: the server, the project and the key that events are sent with.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Dsn {
    key: Secret,
    /// The URL to which the project's envelopes are sent.
    url: String,
}

impl Dsn {
    /// Parses a DSN.
    ///
    /// # Errors
    ///
    /// Describes the problem with the text without quoting any part of it.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        const FORM: &str = "it is not of the form `https://key@host/project`";
        // The parser drops a fragment.
        if text.contains('#') {
            return Err(FORM);
        }
        let uri: Uri = text.trim().parse().map_err(|_| FORM)?;
        let scheme = uri.scheme_str().ok_or(FORM)?.to_ascii_lowercase();
        if !matches!(scheme.as_str(), "http" | "https") {
            return Err("its scheme is neither `https` nor `http`");
        }
        let authority = uri.authority().ok_or(FORM)?;
        port_of(authority)?;
        let (user, host) = authority.as_str().rsplit_once('@').ok_or("it has no key")?;
        // Old DSNs have a secret after the key, which servers no longer need.
        let key = user.split(':').next().unwrap_or_default();
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if key.is_empty() || !key.bytes().all(is_allowed) {
            return Err(
                "its key is missing, or has other characters than letters, digits, `-` and `_`",
            );
        }
        if uri.query().is_some() {
            return Err(FORM);
        }
        let path = uri.path().trim_end_matches('/');
        let (prefix, project) = path.rsplit_once('/').ok_or(FORM)?;
        if project.is_empty() || !project.bytes().all(is_allowed) {
            return Err("it has no project at its end");
        }
        Ok(Self {
            key: Secret::new(key),
            url: format!("{scheme}://{host}{prefix}/api/{project}/envelope/"),
        })
    }

    #[cfg_attr(
        not(feature = "sentry"),
        expect(dead_code, reason = "this build cannot send")
    )]
    pub(super) fn key(&self) -> &str {
        self.key.reveal()
    }

    #[cfg_attr(
        not(feature = "sentry"),
        expect(dead_code, reason = "this build cannot send")
    )]
    pub(super) fn url(&self) -> &str {
        &self.url
    }
}

impl fmt::Debug for Dsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[REDACTED]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_are_parsed_and_nothing_is_printed() {
        for (text, key, url) in [
            (
                "https://abc@o1.ingest.sentry.io/42",
                "abc",
                "https://o1.ingest.sentry.io/api/42/envelope/",
            ),
            (
                "http://abc:old@127.0.0.1:8000/sub/path/7/",
                "abc",
                "http://127.0.0.1:8000/sub/path/api/7/envelope/",
            ),
            (
                "HTTPS://abc@[::1]:9000/1",
                "abc",
                "https://[::1]:9000/api/1/envelope/",
            ),
        ] {
            let dsn = Dsn::parse(text).unwrap();
            assert_eq!((dsn.key.reveal(), dsn.url.as_str()), (key, url));
            assert_eq!(format!("{dsn:?}"), "[REDACTED]");
        }
        for text in [
            "",
            "abc",
            "https://host/1",
            "https://@host/1",
            "https://abc@host",
            "https://abc@host/",
            "ftp://abc@host/1",
            "https://a b@host/1",
            "https://abc@host/1?x=y",
            "https://abc@host/1#x",
            "https://abc@host:0/1",
            "https://abc@host:65536/1",
            "https://abc@host:+80/1",
            "https://abc@[::g]/1",
        ] {
            let error = Dsn::parse(text).unwrap_err();
            assert!(!error.contains("abc"), "{text}: {error}");
        }
    }
}
