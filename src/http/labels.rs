//! The labels of a request's series.

use crate::context::RouteId;
use crate::model::Outcome;
use crate::model::grpc::{Call, Status};
use crate::record::{self, Method, Scheme};

/// The label set of `http_server_request_duration_seconds` of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct RequestLabels {
    pub(super) route: RouteId,
    pub(super) method: Method,
    pub(super) scheme: Scheme,
    pub(super) version: ProtocolVersion,
    pub(super) status: Option<u16>,
    pub(super) outcome: Outcome,
    pub(super) error: ErrorType,
}

/// The version of HTTP, for `network.protocol.version`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct ProtocolVersion(u8);

/// `error.type`, from a closed set of texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum ErrorType {
    Absent,
    /// The status of HTTP.
    Status,
    Outcome,
    /// `failure`: the `classify` hook alone made it one.
    Failure,
    /// The status of a gRPC call.
    Grpc(Status),
}

impl ProtocolVersion {
    #[inline]
    pub(super) fn of(version: http::Version) -> Self {
        Self(match version {
            http::Version::HTTP_09 => 0,
            http::Version::HTTP_10 => 1,
            http::Version::HTTP_2 => 3,
            http::Version::HTTP_3 => 4,
            _ => 2,
        })
    }

    /// Whether it is HTTP/1.1 or older.
    pub(super) fn is_http1(self) -> bool {
        self.0 < 3
    }

    /// Whether it is HTTP/1.1, which has `Transfer-Encoding: chunked`.
    pub(super) fn has_chunks(self) -> bool {
        self.0 == 2
    }

    pub(super) fn as_str(self) -> &'static str {
        record::VERSIONS
            .get(usize::from(self.0))
            .copied()
            .unwrap_or("1.1")
    }
}

impl ErrorType {
    /// The status for a 5xx, else the gRPC status of a failure, else the outcome if it is an error type.
    #[inline]
    pub(super) fn of(status: Option<u16>, call: Call, outcome: Outcome, is_failure: bool) -> Self {
        match status {
            Some(500..) if is_failure => Self::Status,
            _ if is_failure && call != Call::NONE => Self::of_call(call, outcome),
            _ if outcome.is_error_type() => Self::Outcome,
            _ if is_failure => Self::Failure,
            _ => Self::Absent,
        }
    }

    #[cold]
    fn of_call(call: Call, outcome: Outcome) -> Self {
        match call.status() {
            Some(status) if status != Status::OK => Self::Grpc(status),
            _ if outcome.is_error_type() => Self::Outcome,
            _ => Self::Failure,
        }
    }

    #[inline]
    fn packed(self) -> u64 {
        match self {
            Self::Absent => 0,
            Self::Status => 1,
            Self::Outcome => 2,
            Self::Failure => 3,
            Self::Grpc(status) => 4 + u64::from(status.code()),
        }
    }

    /// The label's text, empty for none; `status` is the text for [`Status`](Self::Status).
    pub(super) fn text(self, status: &'static str, outcome: Outcome) -> &'static str {
        match self {
            Self::Absent => "",
            Self::Status => status,
            Self::Outcome => outcome.as_str(),
            Self::Failure => "failure",
            Self::Grpc(status) => status.name(),
        }
    }
}

impl RequestLabels {
    /// All labels in one number, the key of the series in the caches of threads. A status has ten bits: the `http` crate
    /// makes none above 999.
    #[inline]
    pub(super) fn packed(self) -> u64 {
        const { assert!(Method::COUNT <= 256 && Outcome::ALL.len() <= 16) };
        u64::from(self.route.0) << 32
            | u64::from(self.method.index()) << 24
            | u64::from(self.scheme == Scheme::Https) << 23
            | u64::from(self.version.0) << 20
            | u64::from(self.status.unwrap_or(0)) << 10
            | u64::from(self.outcome.index()) << 6
            | self.error.packed()
    }
}
