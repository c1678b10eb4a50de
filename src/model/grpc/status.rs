use http::HeaderMap;

/// The status of a gRPC call: one of the 17 codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Status(u8);

impl Status {
    pub(crate) const OK: Self = Self(0);
    /// Clients also use it for a status that they cannot parse, and for a response that ends without one.
    pub(crate) const UNKNOWN: Self = Self(2);
    pub(crate) const RESOURCE_EXHAUSTED: Self = Self(8);
    pub(crate) const UNIMPLEMENTED: Self = Self(12);

    /// The number of codes.
    pub(crate) const COUNT: usize = NAMES.len();

    /// The status with this code. A code that gRPC does not define yields UNKNOWN.
    #[inline]
    pub(crate) fn of(code: u8) -> Self {
        if usize::from(code) < Self::COUNT {
            Self(code)
        } else {
            Self::UNKNOWN
        }
    }

    /// The status in `grpc-status` of headers or trailers: `None` if there is no such header, UNKNOWN if it cannot be
    /// parsed, as in gRPC clients.
    pub(crate) fn of_headers(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get("grpc-status")?;
        Some(Self::parse(value.as_bytes()))
    }

    /// Parses the value of `grpc-status`.
    pub(super) fn parse(value: &[u8]) -> Self {
        let text = std::str::from_utf8(value).unwrap_or_default();
        let plain = !text.is_empty() && text.len() <= 3 && text.bytes().all(|b| b.is_ascii_digit());
        let code = text.parse().ok().filter(|_| plain);
        code.map_or(Self::UNKNOWN, Self::of)
    }

    #[inline]
    pub(crate) fn code(self) -> u8 {
        self.0
    }

    /// The name in the semantic conventions, such as `NOT_FOUND`.
    pub(crate) fn name(self) -> &'static str {
        NAMES.get(usize::from(self.0)).copied().unwrap_or("UNKNOWN")
    }

    /// Whether the semantic conventions classify the status as an [error of the server]: UNKNOWN, `DEADLINE_EXCEEDED`,
    /// UNIMPLEMENTED, INTERNAL, UNAVAILABLE and `DATA_LOSS`. For a client every status but OK is an error.
    ///
    /// [error of the server]: https://opentelemetry.io/docs/specs/semconv/rpc/grpc/
    #[inline]
    pub(crate) fn blames_server(self) -> bool {
        matches!(self.0, 2 | 4 | 12..=15)
    }
}

const NAMES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// The maximum number of bytes of a method's path.
const MAX_PATH: usize = 256;

/// Whether a path has the form `/package.Service/Method` and at most 256 bytes.
pub(crate) fn is_method(path: &str) -> bool {
    let name = |name: &str| {
        !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_'))
    };
    let parts = path.strip_prefix('/').and_then(|path| path.split_once('/'));
    path.len() <= MAX_PATH && parts.is_some_and(|(service, method)| name(service) && name(method))
}

/// The value of `rpc.method` for a call with this route.
pub(crate) fn rpc_method(route: &str) -> &str {
    let method = route.strip_prefix('/').filter(|_| is_method(route));
    method.unwrap_or("_OTHER")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_code_is_unknown_as_clients_read_it() {
        for (value, name) in [
            ("0", "OK"),
            ("00", "OK"),
            ("5", "NOT_FOUND"),
            ("16", "UNAUTHENTICATED"),
            ("17", "UNKNOWN"),
            ("255", "UNKNOWN"),
            ("256", "UNKNOWN"),
            ("00000005", "UNKNOWN"),
            ("-1", "UNKNOWN"),
            ("+1", "UNKNOWN"),
            ("1.0", "UNKNOWN"),
            ("OK", "UNKNOWN"),
            ("", "UNKNOWN"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-status", value.parse().unwrap());
            let status = Status::of_headers(&headers).unwrap();
            assert_eq!(status.name(), name, "{value:?}");
        }
        assert_eq!(Status::of_headers(&HeaderMap::new()), None);
        assert_eq!(Status::parse(b"\xff"), Status::UNKNOWN);
    }

    #[test]
    fn six_statuses_blame_the_server() {
        let all = (0..=u8::MAX).map(Status::of).take(Status::COUNT);
        let names: Vec<_> = all
            .filter(|s| s.blames_server())
            .map(Status::name)
            .collect();
        let expected = [
            "UNKNOWN",
            "DEADLINE_EXCEEDED",
            "UNIMPLEMENTED",
            "INTERNAL",
            "UNAVAILABLE",
            "DATA_LOSS",
        ];
        assert_eq!(names, expected);
    }
}
