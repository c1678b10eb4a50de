use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Uri};

use crate::model::ExplicitKeys;

/// The configuration of the OTLP export of kept traces, and of [pushed metrics](crate::metrics#pushing-to-a-collector).
///
/// Every field is the setting of the same name under `otlp`. The [table](crate::config#the-settings) of settings also
/// lists their variables and ranges. Nothing is sent without an endpoint or without the feature `otlp`.
///
/// A field that begins with `traces_` or `metrics_` overrides, for this signal, the field that has the rest of the name.
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
    /// The base URL of the receiver, to which `/v1/traces` or `/v1/metrics` is appended. Default: none.
    pub endpoint: Option<Uri>,
    /// The full URL for traces, which overrides [`endpoint`](Self::endpoint). Default: none.
    pub traces_endpoint: Option<Uri>,
    /// The full URL for metrics, which overrides [`endpoint`](Self::endpoint). Default: none.
    pub metrics_endpoint: Option<Uri>,
    /// The headers of each request. Values are marked as sensitive. Default: none.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The headers of requests with traces, in place of [`headers`](Self::headers). Default: none.
    pub traces_headers: Vec<(HeaderName, HeaderValue)>,
    /// The headers of requests with metrics, in place of [`headers`](Self::headers). Default: none.
    pub metrics_headers: Vec<(HeaderName, HeaderValue)>,
    /// The timeout of one request, from 1 ms to 10 min. Default: 10 s.
    pub timeout: Duration,
    /// The timeout of one request with traces. Default: none.
    pub traces_timeout: Option<Duration>,
    /// The timeout of one request with metrics. Default: none.
    pub metrics_timeout: Option<Duration>,
    /// The compression of request bodies. Default: [`OtlpCompression::Gzip`].
    pub compression: OtlpCompression,
    /// The compression of request bodies with traces. Default: none.
    pub traces_compression: Option<OtlpCompression>,
    /// The compression of request bodies with metrics. Default: none.
    pub metrics_compression: Option<OtlpCompression>,
    /// The protocol of the receiver. Default: [`OtlpProtocol::HttpProtobuf`], the only one.
    pub protocol: OtlpProtocol,
    /// A file with the PEM certificates of the authorities that are trusted instead of the public ones.
    /// Default: none.
    pub certificate: Option<PathBuf>,
    /// The file with the certificates of the authorities of the receiver of traces. Default: none.
    pub traces_certificate: Option<PathBuf>,
    /// The file with the certificates of the authorities of the receiver of metrics. Default: none.
    pub metrics_certificate: Option<PathBuf>,
    /// The maximum time that a span waits for its batch to fill, from 10 ms to 10 min. Default: 5 s.
    pub schedule_delay: Duration,
    /// The maximum number of spans that wait to be sent. Their total size is also limited to 8 MiB. Default: 65,536.
    pub max_queue_size: u32,
    /// The maximum number of spans in one request. Default: 512.
    pub max_export_batch_size: u32,
    /// The upper limit of the timeout of a request with traces, from 1 ms to 10 min. Default: 30 s.
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

    /// Sets the base URL of the receiver, such as `http://localhost:4318`; `/v1/traces` or `/v1/metrics` is appended.
    /// Default: none.
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

    /// Sets the full URL for metrics, which overrides [`endpoint`](Self::endpoint). Default: none.
    pub fn metrics_endpoint(mut self, url: Uri) -> Self {
        self.explicit.add("otlp.metrics_endpoint");
        self.metrics_endpoint = Some(url);
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

    /// Adds a header of requests with traces. If there are any, requests with traces do not have those of
    /// [`header`](Self::header). Default: none.
    pub fn traces_header(mut self, name: HeaderName, mut value: HeaderValue) -> Self {
        self.explicit.add("otlp.traces_headers");
        value.set_sensitive(true);
        self.traces_headers.push((name, value));
        self
    }

    /// Adds a header of requests with metrics. If there are any, requests with metrics do not have those of
    /// [`header`](Self::header). Default: none.
    pub fn metrics_header(mut self, name: HeaderName, mut value: HeaderValue) -> Self {
        self.explicit.add("otlp.metrics_headers");
        value.set_sensitive(true);
        self.metrics_headers.push((name, value));
        self
    }

    /// Sets the timeout of one request, from 1 ms to 10 min. Default: 10 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.explicit.add("otlp.timeout");
        self.timeout = timeout;
        self
    }

    /// Sets the timeout of one request with traces, from 1 ms to 10 min. Default: that of all requests.
    pub fn traces_timeout(mut self, timeout: Duration) -> Self {
        self.explicit.add("otlp.traces_timeout");
        self.traces_timeout = Some(timeout);
        self
    }

    /// Sets the timeout of one request with metrics, from 1 ms to 10 min. Default: that of all requests.
    pub fn metrics_timeout(mut self, timeout: Duration) -> Self {
        self.explicit.add("otlp.metrics_timeout");
        self.metrics_timeout = Some(timeout);
        self
    }

    /// Sets the compression of request bodies. Default: [`OtlpCompression::Gzip`].
    pub fn compression(mut self, compression: OtlpCompression) -> Self {
        self.explicit.add("otlp.compression");
        self.compression = compression;
        self
    }

    /// Sets the compression of request bodies with traces. Default: that of all request bodies.
    pub fn traces_compression(mut self, compression: OtlpCompression) -> Self {
        self.explicit.add("otlp.traces_compression");
        self.traces_compression = Some(compression);
        self
    }

    /// Sets the compression of request bodies with metrics. Default: that of all request bodies.
    pub fn metrics_compression(mut self, compression: OtlpCompression) -> Self {
        self.explicit.add("otlp.metrics_compression");
        self.metrics_compression = Some(compression);
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

    /// Sets the file with the certificates of the authorities of the receiver of traces. Default: the file of all
    /// requests.
    pub fn traces_certificate(mut self, path: impl Into<PathBuf>) -> Self {
        self.explicit.add("otlp.traces_certificate");
        self.traces_certificate = Some(path.into());
        self
    }

    /// Sets the file with the certificates of the authorities of the receiver of metrics. Default: the file of all
    /// requests.
    pub fn metrics_certificate(mut self, path: impl Into<PathBuf>) -> Self {
        self.explicit.add("otlp.metrics_certificate");
        self.metrics_certificate = Some(path.into());
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

    /// Sets the upper limit of the timeout of a request with traces, from 1 ms to 10 min. Default: 30 s.
    pub fn export_timeout(mut self, timeout: Duration) -> Self {
        self.explicit.add("otlp.export_timeout");
        self.export_timeout = timeout;
        self
    }

    /// Returns where traces are sent: the URL for traces, or else the base URL with `/v1/traces`. Returns `None` if
    /// nothing is sent.
    pub(crate) fn traces(&self) -> Option<OtlpTarget> {
        let overrides = TargetOverrides {
            endpoint: self.traces_endpoint.as_ref(),
            headers: &self.traces_headers,
            timeout: self.traces_timeout,
            compression: self.traces_compression,
            certificate: self.traces_certificate.as_ref(),
        };
        self.target("/v1/traces", &overrides)
    }

    /// Returns where metrics are sent: the URL for metrics, or else the base URL with `/v1/metrics`. Returns `None` if
    /// there is no URL.
    pub(crate) fn metrics(&self) -> Option<OtlpTarget> {
        let overrides = TargetOverrides {
            endpoint: self.metrics_endpoint.as_ref(),
            headers: &self.metrics_headers,
            timeout: self.metrics_timeout,
            compression: self.metrics_compression,
            certificate: self.metrics_certificate.as_ref(),
        };
        self.target("/v1/metrics", &overrides)
    }

    fn target(&self, path: &str, overrides: &TargetOverrides<'_>) -> Option<OtlpTarget> {
        let base = || with_path(self.endpoint.as_ref()?, path);
        let url = overrides.endpoint.cloned().or_else(base)?;
        let headers = if overrides.headers.is_empty() {
            &self.headers
        } else {
            overrides.headers
        };
        let certificate = overrides.certificate.or(self.certificate.as_ref());
        Some(OtlpTarget {
            url,
            headers: headers.to_vec(),
            timeout: overrides.timeout.unwrap_or(self.timeout),
            compression: overrides.compression.unwrap_or(self.compression),
            certificate: certificate.cloned(),
        })
    }
}

/// Where one signal is sent, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OtlpTarget {
    pub(crate) url: Uri,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) timeout: Duration,
    pub(crate) compression: OtlpCompression,
    pub(crate) certificate: Option<PathBuf>,
}

/// The settings of one signal that override those of all signals.
struct TargetOverrides<'a> {
    endpoint: Option<&'a Uri>,
    headers: &'a [(HeaderName, HeaderValue)],
    timeout: Option<Duration>,
    compression: Option<OtlpCompression>,
    certificate: Option<&'a PathBuf>,
}

fn with_path(base: &Uri, path: &str) -> Option<Uri> {
    let mut parts = base.clone().into_parts();
    let path = format!("{}{path}", base.path().trim_end_matches('/'));
    parts.path_and_query = Some(path.parse().ok()?);
    Uri::from_parts(parts).ok()
}

impl Default for OtlpConfig {
    fn default() -> Self {
        Self {
            endpoint: None,
            traces_endpoint: None,
            metrics_endpoint: None,
            headers: Vec::new(),
            traces_headers: Vec::new(),
            metrics_headers: Vec::new(),
            timeout: Self::DEFAULT_TIMEOUT,
            traces_timeout: None,
            metrics_timeout: None,
            compression: OtlpCompression::default(),
            traces_compression: None,
            metrics_compression: None,
            protocol: OtlpProtocol::default(),
            certificate: None,
            traces_certificate: None,
            metrics_certificate: None,
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
    fn the_base_gets_a_path_and_the_endpoint_of_a_signal_does_not() {
        let urls = |endpoint: &str, own: Option<&str>| {
            let own: Option<Uri> = own.map(|it| it.parse().unwrap());
            let config = OtlpConfig {
                endpoint: Some(endpoint.parse().unwrap()),
                traces_endpoint: own.clone(),
                metrics_endpoint: own,
                ..OtlpConfig::default()
            };
            let url = |target: Option<OtlpTarget>| target.unwrap().url.to_string();
            [url(config.traces()), url(config.metrics())]
        };
        let both = |base: &str| [format!("{base}/v1/traces"), format!("{base}/v1/metrics")];
        assert_eq!(urls("http://a:4318", None), both("http://a:4318"));
        assert_eq!(urls("http://a:4318/", None), both("http://a:4318"));
        assert_eq!(urls("https://a/in/", None), both("https://a/in"));
        let own = ["http://b/", "http://b/x?y=1"];
        for own in own {
            assert_eq!(urls("http://a:4318", Some(own)), [own, own]);
        }
        let none = OtlpConfig::default();
        assert_eq!((none.traces(), none.metrics()), (None, None));
    }

    #[test]
    fn the_settings_of_a_signal_apply_to_it_alone() {
        let header = |name| (HeaderName::from_static(name), HeaderValue::from_static("v"));
        let config = OtlpConfig::default()
            .endpoint(Uri::from_static("http://a"))
            .timeout(Duration::from_secs(1))
            .header(header("x-all").0, header("x-all").1)
            .metrics_header(header("x-metrics").0, header("x-metrics").1)
            .metrics_timeout(Duration::from_secs(2))
            .traces_compression(OtlpCompression::None)
            .traces_certificate("/traces.pem")
            .certificate("/all.pem");
        let (traces, metrics) = (config.traces().unwrap(), config.metrics().unwrap());
        assert_eq!(traces.headers, [header("x-all")]);
        assert_eq!(metrics.headers, [header("x-metrics")]);
        assert_eq!(
            [traces.timeout, metrics.timeout],
            [1, 2].map(Duration::from_secs)
        );
        let compressions = [traces.compression, metrics.compression];
        assert_eq!(compressions, [OtlpCompression::None, OtlpCompression::Gzip]);
        let certificates = [traces.certificate.unwrap(), metrics.certificate.unwrap()];
        assert_eq!(certificates, ["/traces.pem", "/all.pem"].map(PathBuf::from));
    }
}
