/// How much a span may hold. What is beyond is left out, and the span says how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SpanLimits {
    /// Attributes of a span.
    pub(crate) attributes: u32,
    /// Characters of an attribute's text.
    pub(crate) value_length: u32,
    pub(crate) events: u32,
    pub(crate) links: u32,
    /// Attributes of one event.
    pub(crate) event_attributes: u32,
    /// Attributes of one link.
    pub(crate) link_attributes: u32,
}

impl Default for SpanLimits {
    fn default() -> Self {
        Self {
            attributes: 128,
            // OpenTelemetry knows no limit here: what comes from outside has to have one.
            value_length: 4096,
            events: 128,
            links: 128,
            event_attributes: 128,
            link_attributes: 128,
        }
    }
}
