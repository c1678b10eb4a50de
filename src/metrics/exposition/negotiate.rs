use http::HeaderMap;
use http::header::{ACCEPT, ACCEPT_ENCODING, HeaderName};

/// The format of an exposition.
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
        let mut text = Preference::default();
        let mut open_metrics = Preference::default();
        for (range, q, version) in ranges(headers, &ACCEPT) {
            let (preference, specificity) = match range {
                // A version that is not spoken here is as if the range were not there.
                range if range.eq_ignore_ascii_case("application/openmetrics-text") => {
                    if version.is_none_or(|version| version == "1.0.0") {
                        open_metrics.update(3, q);
                    }
                    continue;
                }
                range if range.eq_ignore_ascii_case("text/plain") => {
                    if version.is_none_or(|version| version == "0.0.4") {
                        text.update(3, q);
                    }
                    continue;
                }
                range if range.eq_ignore_ascii_case("application/*") => (&mut open_metrics, 2),
                range if range.eq_ignore_ascii_case("text/*") => (&mut text, 2),
                "*/*" => {
                    open_metrics.update(1, q);
                    (&mut text, 1)
                }
                _ => continue,
            };
            preference.update(specificity, q);
        }
        // A browser accepts everything alike and should get the text format, which it can show.
        let is_named = open_metrics.specificity > 1;
        if open_metrics.q > text.q || (is_named && open_metrics.q > 0 && open_metrics.q == text.q) {
            Self::OpenMetrics
        } else {
            Self::Text
        }
    }
}

/// Whether the client accepts gzip and prefers it at least equally to no compression.
pub(super) fn accepts_gzip(headers: &HeaderMap) -> bool {
    let (mut gzip, mut identity) = (Preference::default(), Preference::default());
    for (coding, q, _) in ranges(headers, &ACCEPT_ENCODING) {
        match coding {
            coding if coding.eq_ignore_ascii_case("gzip") => gzip.update(2, q),
            coding if coding.eq_ignore_ascii_case("x-gzip") => gzip.update(2, q),
            coding if coding.eq_ignore_ascii_case("identity") => identity.update(2, q),
            "*" => gzip.update(1, q),
            _ => {}
        }
    }
    gzip.q > 0 && gzip.q >= identity.q
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

/// The ranges of a header, each with its weight and its `version`. A range that cannot be parsed is skipped.
fn ranges<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = (&'a str, u16, Option<&'a str>)> {
    let values = headers.get_all(name).into_iter();
    let values = values.filter_map(|value| value.to_str().ok());
    let ranges = values.flat_map(|value| value.split(','));
    ranges.filter_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let range = parts.next().filter(|range| !range.is_empty())?;
        let (mut q, mut version) = (1000, None);
        for (key, value) in parts.filter_map(|part| part.split_once('=')) {
            let key = key.trim_end();
            if key.eq_ignore_ascii_case("q") {
                q = thousandths(value.trim())?;
            } else if key.eq_ignore_ascii_case("version") {
                version = Some(value.trim().trim_matches('"'));
            }
        }
        Some((range, q, version))
    })
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
