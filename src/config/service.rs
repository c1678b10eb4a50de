/// What the service is called, in lines, series and pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServiceConfig {
    pub(crate) name: String,
    pub(crate) version: Option<String>,
    pub(crate) environment: Option<String>,
    pub(crate) instance: Option<String>,
    /// Attributes that the environment gives all telemetry, those of the fields above among them.
    pub(crate) attributes: Vec<(String, String)>,
}

impl ServiceConfig {
    /// OpenTelemetry's name for a service that has none.
    pub(crate) const DEFAULT_NAME: &'static str = "unknown_service";
}

impl Default for ServiceConfig {
    fn default() -> Self {
        Self {
            name: Self::DEFAULT_NAME.to_owned(),
            version: None,
            environment: None,
            instance: None,
            attributes: Vec::new(),
        }
    }
}

/// Which headers carry a trace from service to service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Propagators {
    /// W3C `traceparent` and `tracestate`.
    pub(crate) trace_context: bool,
    /// W3C `baggage`.
    pub(crate) baggage: bool,
}

impl Default for Propagators {
    fn default() -> Self {
        Self {
            trace_context: true,
            baggage: true,
        }
    }
}
