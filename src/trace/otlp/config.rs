use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Uri};

use crate::model::ExplicitKeys;

/// The configuration of the OTLP export of kept traces.
///
/// Every field is the setting of the same name under `otlp`. The [table](crate::config#the-settings) of settings also
/// lists their variables and ranges. Nothing is sent without an endpoint or without the feature `otlp`.
///
/// ```
/// use http::{HeaderName, HeaderValue, Uri};
/// use watchpost::Monitor;
/// use watchpost::trace::OtlpConfig;
///
/// # fn main() -> watchpost::Result<()> {
/// let config = OtlpConfig::default()
///     .endpoint(Uri::from_static("http://localhost:4318"))
///     .header(HeaderName::from_static("x-tenant"), HeaderValue::from_static("shop"));
/// let monitor = Monitor::builder("shop").otlp(config).env(false).console(false).build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[must_use]
pub struct OtlpConfig {
    /// The base URL of the receiver, to which `/v1/traces` is appended. Default: none.
    pub endpoint: Option<Uri>,
    /// The full URL for traces, which overrides [`endpoint`](Self::endpoint). Default: none.
    pub traces_endpoint: Option<Uri>,
    /// The headers of each request. Values are marked as sensitive. Default: none.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The timeout of one request, from 1 ms to 10 min. Default: 10 s.
    pub timeout: Duration,
    /// The compression of request bodies. Default: [`OtlpCompression::Gzip`].
    pub compression: OtlpCompression,
    /// The protocol of the receiver. Default: [`OtlpProtocol::HttpProtobuf`], the only one.
    pub protocol: OtlpProtocol,
    /// A file with the PEM certificates of the authorities that are trusted instead of the public ones.
    /// Default: none.
    pub certificate: Option<PathBuf>,
    /// The maximum time that a span waits for its batch to fill, from 10 ms to 10 min. Default: 5 s.
    pub schedule_delay: Duration,
    /// The maximum number of spans that wait to be sent. Their total size is also limited to 8 MiB. Default: 65,536.
    pub max_queue_size: u32,
    /// The maximum number of spans in one request. Default: 512.
    pub max_export_batch_size: u32,
    /// The upper limit of [`timeout`](Self::timeout), from 1 ms to 10 min. Default: 30 s.
    pub export_timeout: Duration,
    pub(crate) explicit: ExplicitKeys,
}

/// The compression of the request bodies that are sent to an OTLP receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OtlpCompression {
    /// No compression.
    None,
    /// Compression with gzip.
    #[default]
    Gzip,
}

/// The protocol of an OTLP receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OtlpProtocol {
    /// Protocol buffers over HTTP.
    #[default]
    HttpProtobuf,
}

impl OtlpConfig {
    /// The default of `timeout`: 10 s.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
    /// The default of `schedule_delay`: 5 s.
    pub const DEFAULT_SCHEDULE_DELAY: Duration = Duration::from_secs(5);
    /// The default of `max_queue_size`: 65,536 spans, enough for an outage of some minutes at 100 kept traces per
    /// second.
    pub const DEFAULT_MAX_QUEUE_SIZE: u32 = 65_536;
    /// The default of `max_export_batch_size`: 512 spans.
    pub const DEFAULT_MAX_EXPORT_BATCH_SIZE: u32 = 512;
    /// The default of `export_timeout`: 30 s.
    pub const DEFAULT_EXPORT_TIMEOUT: Duration = Duration::from_secs(30);

    /// Sets the base URL of the receiver, such as `http://localhost:4318`; `/v1/traces` is appended. Default: none.
    pub fn endpoint(mut self, url: Uri) -> Self {
        self.explicit.add("otlp.endpoint");
        self.endpoint = Some(url);
        self
    }

    /// Sets the full URL for traces, which overrides [`endpoint`](Self::endpoint). Default: none.
    pub fn traces_endpoint(mut self, url: Uri) -> Self {
        self.explicit.add("otlp.traces_endpoint");
        self.traces_endpoint = Some(url);
        self
    }

    /// Adds a header, such as an authentication header. Headers set in code replace those from other sources. Default:
    /// none.
    pub fn header(mut self, name: HeaderName, mut value: HeaderValue) -> Self {
        self.explicit.add("otlp.headers");
        value.set_sensitive(true);
        self.headers.push((name, value));
        self
    }

    /// Sets the timeout of one request, from 1 ms to 10 min. Default: 10 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.explicit.add("otlp.timeout");
        self.timeout = timeout;
        self
    }

    /// Sets the compression of request bodies. Default: [`OtlpCompression::Gzip`].
    pub fn compression(mut self, compression: OtlpCompression) -> Self {
        self.explicit.add("otlp.compression");
        self.compression = compression;
        self
    }

    /// Sets the protocol. Default: [`OtlpProtocol::HttpProtobuf`], the only one.
    pub fn protocol(mut self, protocol: OtlpProtocol) -> Self {
        self.explicit.add("otlp.protocol");
        self.protocol = protocol;
        self
    }

    /// Sets the file with the PEM certificates of the trusted authorities. Default: the public authorities.
    pub fn certificate(mut self, path: impl Into<PathBuf>) -> Self {
        self.explicit.add("otlp.certificate");
        self.certificate = Some(path.into());
        self
    }

    /// Sets the maximum time that a span waits for its batch to fill, from 10 ms to 10 min. Default: 5 s.
    pub fn schedule_delay(mut self, delay: Duration) -> Self {
        self.explicit.add("otlp.schedule_delay");
        self.schedule_delay = delay;
        self
    }

    /// Sets the maximum number of spans that wait to be sent, from 1 to 10,000,000. Default: 65,536.
    pub fn max_queue_size(mut self, spans: u32) -> Self {
        self.explicit.add("otlp.max_queue_size");
        self.max_queue_size = spans;
        self
    }

    /// Sets the maximum number of spans in one request, from 1 to 100,000. Default: 512.
    pub fn max_export_batch_size(mut self, spans: u32) -> Self {
        self.explicit.add("otlp.max_export_batch_size");
        self.max_export_batch_size = spans;
        self
    }

    /// Sets the upper limit of [`timeout`](Self::timeout), from 1 ms to 10 min. Default: 30 s.
    pub fn export_timeout(mut self, timeout: Duration) -> Self {
        self.explicit.add("otlp.export_timeout");
        self.export_timeout = timeout;
        self
    }

    /// Returns the URL to which traces are sent: the URL for traces, or else the base URL with `/v1/traces`. Returns
    /// `None` if nothing is sent.
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
            timeout: Self::DEFAULT_TIMEOUT,
            compression: OtlpCompression::default(),
            protocol: OtlpProtocol::default(),
            certificate: None,
            schedule_delay: Self::DEFAULT_SCHEDULE_DELAY,
            max_queue_size: Self::DEFAULT_MAX_QUEUE_SIZE,
            max_export_batch_size: Self::DEFAULT_MAX_EXPORT_BATCH_SIZE,
            export_timeout: Self::DEFAULT_EXPORT_TIMEOUT,
            explicit: ExplicitKeys::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_gets_a_path_and_the_traces_endpoint_does_not() {
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
