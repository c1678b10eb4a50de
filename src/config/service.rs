/// The identity of the service in log records, resource attributes and pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServiceConfig {
    pub(crate) name: String,
    pub(crate) version: Option<String>,
    pub(crate) environment: Option<String>,
    pub(crate) instance: Option<String>,
    /// The attributes of `OTEL_RESOURCE_ATTRIBUTES`, including those of the fields above.
    pub(crate) attributes: Vec<(String, String)>,
}

impl ServiceConfig {
    /// The default service name that OpenTelemetry specifies.
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
