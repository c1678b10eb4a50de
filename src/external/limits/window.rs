use std::time::Duration;

/// The maximum number of windows that are kept of one response.
pub(super) const MAX_WINDOWS: usize = 8;

/// One window of a service's rate limit, as a response reported it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LimitWindow {
    /// `default`, a policy's name, `requests`, `minute` and so on: at most 32 bytes of `a-z0-9_.-`.
    pub(crate) name: Box<str>,
    pub(crate) limit: Option<u64>,
    pub(crate) remaining: Option<u64>,
    /// The time until the window resets; zero if it has reset already.
    pub(crate) reset: Option<Duration>,
    /// How long the window lasts.
    pub(crate) length: Option<Duration>,
}

/// The limits that one response reported.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ResponseLimits {
    /// At most [`MAX_WINDOWS`], each name once; further windows are left out.
    pub(crate) windows: Vec<LimitWindow>,
    pub(crate) retry_after: Option<Duration>,
    /// The number of values that could not be parsed.
    pub(crate) parse_errors: u32,
}
