/// The limits of a span. What exceeds a limit is dropped when the span is recorded, and the span counts what was
/// dropped. The record of a request or of a `tracing` event is also that of its log line, which has limits of its own,
/// so the worker applies the limits to their attributes when it makes the span from the record.
///
/// A limit is at most [`MAX_ATTRIBUTES`](Self::MAX_ATTRIBUTES) or [`MAX_VALUE_LENGTH`](Self::MAX_VALUE_LENGTH). In
/// addition, the attributes of a span have at most 16 KiB in total, its events 8 KiB, its links 4 KiB, and the
/// attributes of an event or a link 4 KiB.
///
/// Set them with the methods of [`TraceConfig`](super::TraceConfig).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SpanLimits {
    /// The maximum number of attributes of a span. Default: 128.
    pub attributes: u32,
    /// The maximum length of an attribute's text, in characters. Default: 4096.
    pub value_length: u32,
    /// The maximum number of events of a span. Default: 128.
    pub events: u32,
    /// The maximum number of links of a span. Default: 128.
    pub links: u32,
    /// The maximum number of attributes of an event. Default: 128.
    pub event_attributes: u32,
    /// The maximum number of attributes of a link. Default: 128.
    pub link_attributes: u32,
}

impl SpanLimits {
    /// The default maximum number of attributes, of events and of links: 128 each, as in OpenTelemetry.
    pub const DEFAULT_ATTRIBUTES: u32 = 128;
    /// The default maximum length of a text: 4096 characters. OpenTelemetry sets no limit, but texts from outside need
    /// one.
    pub const DEFAULT_VALUE_LENGTH: u32 = 4096;
    /// The largest limit of attributes, of events and of links: 1000.
    pub const MAX_ATTRIBUTES: u32 = 1000;
    /// The largest limit of the length of a text: 4096 characters. A text also has at most 4096 bytes.
    pub const MAX_VALUE_LENGTH: u32 = 4096;
}

impl Default for SpanLimits {
    fn default() -> Self {
        Self {
            attributes: Self::DEFAULT_ATTRIBUTES,
            value_length: Self::DEFAULT_VALUE_LENGTH,
            events: Self::DEFAULT_ATTRIBUTES,
            links: Self::DEFAULT_ATTRIBUTES,
            event_attributes: Self::DEFAULT_ATTRIBUTES,
            link_attributes: Self::DEFAULT_ATTRIBUTES,
        }
    }
}
