use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Uri};

/// Where kept traces are sent, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OtlpConfig {
    /// The receiver's base: `/v1/traces` is added.
    pub(crate) endpoint: Option<Uri>,
    /// The whole URL for traces, which goes before the base.
    pub(crate) traces_endpoint: Option<Uri>,
    /// Their values are marked as sensitive.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    /// What one request may take.
    pub(crate) timeout: Duration,
    pub(crate) compression: Compression,
    /// PEM certificates of the authorities that are believed in place of the public ones.
    pub(crate) certificate: Option<PathBuf>,
    pub(crate) protocol: Protocol,
    /// How long a span may wait for others before it is sent.
    pub(crate) schedule_delay: Duration,
    /// Spans that may wait.
    pub(crate) max_queue_size: u32,
    /// Spans of one request.
    pub(crate) max_export_batch_size: u32,
    /// What one request may take at most, whatever `timeout` says.
    pub(crate) export_timeout: Duration,
}

/// How bodies are made smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    Gzip,
}

/// The one that is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    HttpProtobuf,
}

impl OtlpConfig {
    /// The URL to which traces go: the one for traces as it is, else the base with `/v1/traces`. None means
    /// that nothing is sent.
    pub(crate) fn traces_url(&self) -> Option<Uri> {
        self.traces_endpoint
            .clone()
            .or_else(|| with_path(self.endpoint.as_ref()?))
    }
}

fn with_path(base: &Uri) -> Option<Uri> {
    let mut parts = base.clone().into_parts();
    let path = format!("{}/v1/traces", base.path().trim_end_matches('/'));
    parts.path_and_query = Some(path.parse().ok()?);
    Uri::from_parts(parts).ok()
}

impl Default for OtlpConfig {
    fn default() -> Self {
        Self {
            endpoint: None,
            traces_endpoint: None,
            headers: Vec::new(),
            timeout: Duration::from_secs(10),
            compression: Compression::Gzip,
            certificate: None,
            protocol: Protocol::HttpProtobuf,
            schedule_delay: Duration::from_secs(5),
            // Some minutes of an outage at a hundred kept traces a second; the bytes are bounded apart.
            max_queue_size: 65_536,
            max_export_batch_size: 512,
            export_timeout: Duration::from_secs(30),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_gets_a_path_and_the_other_is_taken_as_it_is() {
        let url = |endpoint: &str, traces: Option<&str>| {
            let config = OtlpConfig {
                endpoint: Some(endpoint.parse().unwrap()),
                traces_endpoint: traces.map(|it| it.parse().unwrap()),
                ..OtlpConfig::default()
            };
            config.traces_url().unwrap().to_string()
        };
        assert_eq!(url("http://a:4318", None), "http://a:4318/v1/traces");
        assert_eq!(url("http://a:4318/", None), "http://a:4318/v1/traces");
        assert_eq!(url("https://a/in/", None), "https://a/in/v1/traces");
        assert_eq!(url("http://a:4318", Some("http://b/")), "http://b/");
        assert_eq!(url("http://a", Some("http://b/x?y=1")), "http://b/x?y=1");
        assert_eq!(OtlpConfig::default().traces_url(), None);
    }
}
