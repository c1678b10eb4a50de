use http::HeaderMap;
use http::header::{ACCEPT, ACCEPT_ENCODING, HeaderName};

/// The text format of an exposition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::metrics) enum ExpositionFormat {
    /// Prometheus' text format, version 0.0.4.
    Text,
    /// `OpenMetrics` 1.0.0, which has exemplars.
    OpenMetrics,
}

impl ExpositionFormat {
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// Selects the format by the `Accept` header: `OpenMetrics` if the client names it and prefers it at least equally.
    /// A client that accepts neither gets the text format.
    pub(super) fn negotiate(headers: &HeaderMap) -> Self {
        let TextPreferences { text, open_metrics } = TextPreferences::of(headers);
        // A browser accepts everything alike and should get the text format, which it can show.
        let is_named = open_metrics.specificity > ANYTHING;
        if open_metrics.q > text.q || (is_named && open_metrics.q > 0 && open_metrics.q == text.q) {
            Self::OpenMetrics
        } else {
            Self::Text
        }
    }
}

/// Whether the client names the protobuf format and prefers it to the text formats. It is also preferred to a text
/// format with the same weight that the client does not name.
#[cfg(feature = "native-histograms")]
pub(super) fn prefers_protobuf(headers: &HeaderMap) -> bool {
    let mut protobuf = Preference::default();
    for range in ranges(headers, &ACCEPT) {
        // The type alone says neither which messages are meant nor how one ends.
        if range.is("application/vnd.google.protobuf")
            && range.parameter("proto") == Some("io.prometheus.client.MetricFamily")
            && range.parameter("encoding") == Some("delimited")
        {
            protobuf.update(NAMED, range.q);
        }
    }
    let TextPreferences { text, open_metrics } = TextPreferences::of(headers);
    protobuf.q > 0
        && [text, open_metrics].iter().all(|other| {
            other.q < protobuf.q || (other.q == protobuf.q && other.specificity < NAMED)
        })
}

/// Whether the client accepts gzip and prefers it at least equally to no compression.
pub(crate) fn accepts_gzip(headers: &HeaderMap) -> bool {
    let (mut gzip, mut identity) = (Preference::default(), Preference::default());
    for coding in ranges(headers, &ACCEPT_ENCODING) {
        if coding.is("gzip") || coding.is("x-gzip") {
            gzip.update(NAMED, coding.q);
        } else if coding.is("identity") {
            identity.update(NAMED, coding.q);
        } else if coding.is("*") {
            gzip.update(ANYTHING, coding.q);
        }
    }
    gzip.q > 0 && gzip.q >= identity.q
}

/// The specificity of a range that covers everything, that covers several formats, and that names one.
const ANYTHING: u8 = 1;
const SEVERAL: u8 = 2;
const NAMED: u8 = 3;

/// A client's preferences for the text formats.
#[derive(Debug, Default, Clone, Copy)]
struct TextPreferences {
    text: Preference,
    open_metrics: Preference,
}

impl TextPreferences {
    fn of(headers: &HeaderMap) -> Self {
        let mut all = Self::default();
        for range in ranges(headers, &ACCEPT) {
            let version = range.parameter("version");
            // A version that is not spoken here is as if the range were not there.
            let speaks = |spoken: &str| version.is_none_or(|version| version == spoken);
            if range.is("application/openmetrics-text") {
                if speaks("1.0.0") {
                    all.open_metrics.update(NAMED, range.q);
                }
            } else if range.is("text/plain") {
                if speaks("0.0.4") {
                    all.text.update(NAMED, range.q);
                }
            } else if range.is("application/*") {
                all.open_metrics.update(SEVERAL, range.q);
            } else if range.is("text/*") {
                all.text.update(SEVERAL, range.q);
            } else if range.is("*/*") {
                all.open_metrics.update(ANYTHING, range.q);
                all.text.update(ANYTHING, range.q);
            }
        }
        all
    }
}

/// A client's preference for something, by the most specific range that covers it.
#[derive(Debug, Default, Clone, Copy)]
struct Preference {
    specificity: u8,
    /// The weight, in thousandths.
    q: u16,
}

impl Preference {
    fn update(&mut self, specificity: u8, q: u16) {
        if specificity > self.specificity {
            *self = Self { specificity, q };
        } else if specificity == self.specificity {
            self.q = self.q.max(q);
        }
    }
}

/// One range of a header.
#[derive(Debug, Clone, Copy)]
struct AcceptRange<'a> {
    name: &'a str,
    /// What follows the name: `;version=1.0.0;q=0.5`.
    parameters: &'a str,
    /// The weight, in thousandths.
    q: u16,
}

impl<'a> AcceptRange<'a> {
    /// `None` if it cannot be parsed.
    fn parse(text: &'a str) -> Option<Self> {
        let end = text.find(';').unwrap_or(text.len());
        let (name, parameters) = text.split_at_checked(end)?;
        let mut range = Self {
            name: name.trim(),
            parameters,
            q: 1000,
        };
        if let Some(q) = range.parameter("q") {
            range.q = thousandths(q)?;
        }
        (!range.name.is_empty()).then_some(range)
    }

    fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// The value of a parameter.
    fn parameter(&self, name: &str) -> Option<&'a str> {
        let parts = self.parameters.split(';');
        let mut parts = parts.filter_map(|part| part.split_once('='));
        let (_, value) = parts.find(|(key, _)| key.trim().eq_ignore_ascii_case(name))?;
        Some(value.trim().trim_matches('"'))
    }
}

/// The ranges of a header. One that cannot be parsed is skipped.
fn ranges<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = AcceptRange<'a>> {
    let values = headers.get_all(name).into_iter();
    let values = values.filter_map(|value| value.to_str().ok());
    let ranges = values.flat_map(|value| value.split(','));
    ranges.filter_map(AcceptRange::parse)
}

/// Parses a weight of at most three decimals, in thousandths.
fn thousandths(q: &str) -> Option<u16> {
    let (whole, decimals) = q.split_once('.').unwrap_or((q, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let thousandths = format!("{decimals:0<3}").parse().ok()?;
    match whole {
        "0" => Some(thousandths),
        "1" if thousandths == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn format(accept: &str) -> ExpositionFormat {
        ExpositionFormat::negotiate(&HeaderMap::from_iter([(ACCEPT, accept.parse().unwrap())]))
    }

    fn gzip(accept: &str) -> bool {
        accepts_gzip(&HeaderMap::from_iter([(
            ACCEPT_ENCODING,
            accept.parse().unwrap(),
        )]))
    }

    #[test]
    fn the_format_is_what_the_client_prefers() {
        assert_eq!(
            ExpositionFormat::negotiate(&HeaderMap::new()),
            ExpositionFormat::Text
        );
        let prometheus = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
            application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
            text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        assert_eq!(format(prometheus), ExpositionFormat::OpenMetrics);
        let text = [
            "",
            "*/*",
            "text/plain",
            "text/html,application/xhtml+xml,*/*;q=0.8",
            "image/png",
            ";;;q=,",
            "application/openmetrics-text;q=0.5, text/plain",
            "application/openmetrics-text;version=2.0.0",
            "application/openmetrics-text;q=0",
            "application/openmetrics-text;q=7",
            "application/*;q=0.1, text/*;q=0.2",
        ];
        for accept in text {
            assert_eq!(format(accept), ExpositionFormat::Text, "{accept}");
        }
        let open = [
            "application/openmetrics-text",
            "Application/OpenMetrics-Text; version=\"1.0.0\", */*",
            "text/plain;q=0.5,application/openmetrics-text;q=0.501",
            "application/*",
            "text/plain, application/openmetrics-text",
        ];
        for accept in open {
            assert_eq!(format(accept), ExpositionFormat::OpenMetrics, "{accept}");
        }
    }

    #[cfg(feature = "native-histograms")]
    #[test]
    fn protobuf_is_sent_if_the_client_prefers_it() {
        const PROTOBUF: &str = "application/vnd.google.protobuf;\
            proto=io.prometheus.client.MetricFamily;encoding=delimited";
        let prefers = |accept: &str| {
            let accept = accept.replace("PROTOBUF", PROTOBUF);
            prefers_protobuf(&HeaderMap::from_iter([(ACCEPT, accept.parse().unwrap())]))
        };
        for accept in [
            // Prometheus 2.42 and 3, with native histograms.
            "PROTOBUF,application/openmetrics-text;version=1.0.0;q=0.8,\
             application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            "PROTOBUF;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
             application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,\
             text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
            "PROTOBUF",
            "PROTOBUF, */*",
            "application/*, PROTOBUF",
            "PROTOBUF;q=0.1",
            "application/vnd.google.protobuf; PROTO=\"io.prometheus.client.MetricFamily\" ; encoding=\"delimited\"",
            // A version that is not spoken here.
            "PROTOBUF;q=0.5, application/openmetrics-text;version=2.0.0",
        ] {
            assert!(prefers(accept), "{accept}");
        }
        for accept in [
            "",
            "*/*",
            "application/*",
            "PROTOBUF;q=0",
            "PROTOBUF;q=0.5,text/plain;q=0.6",
            "PROTOBUF;q=0.5,*/*;q=0.6",
            "PROTOBUF,application/openmetrics-text",
            "PROTOBUF;q=0.3,text/plain;version=0.0.4;q=0.3",
            "application/vnd.google.protobuf",
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text",
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily",
            "application/vnd.google.protobuf;encoding=delimited",
            "application/vnd.google.protobuf;proto=other.Message;encoding=delimited",
        ] {
            assert!(!prefers(accept), "{accept}");
        }
        // A client that prefers a text format gets that one.
        assert_eq!(
            format(&format!("{PROTOBUF};q=0.5,application/openmetrics-text")),
            ExpositionFormat::OpenMetrics
        );
    }

    #[test]
    fn gzip_is_used_if_the_client_prefers_it() {
        for accept in [
            "gzip",
            "GZIP;q=0.1",
            "br, gzip;q=0.5, identity;q=0.5",
            "*",
            "x-gzip",
        ] {
            assert!(gzip(accept), "{accept}");
        }
        for accept in [
            "",
            "br",
            "gzip;q=0",
            "identity, gzip;q=0.5",
            "*;q=0",
            "gzip;q=0, *",
            "gzip;q=x",
        ] {
            assert!(!gzip(accept), "{accept}");
        }
    }

    proptest! {
        #[test]
        fn no_header_is_too_odd(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                let headers = HeaderMap::from_iter([(ACCEPT, value.clone()), (ACCEPT_ENCODING, value)]);
                let _ = (ExpositionFormat::negotiate(&headers), accepts_gzip(&headers));
            }
        }
    }
}
