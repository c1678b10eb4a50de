/// How much a span may hold. What is beyond a limit is left out when the span is recorded, and the span counts what it
/// left out.
///
/// Each limit has a ceiling: [`MAX_ATTRIBUTES`](Self::MAX_ATTRIBUTES) or [`MAX_VALUE_LENGTH`](Self::MAX_VALUE_LENGTH).
/// Besides, the attributes of a span have at most 16 KiB together, its events 8 KiB, its links 4 KiB, and the attributes
/// of an event or a link 4 KiB.
///
/// Set them with the methods of [`TraceConfig`](super::TraceConfig).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SpanLimits {
    /// Attributes of a span.
    pub attributes: u32,
    /// Characters of the text of an attribute.
    pub value_length: u32,
    /// Events of a span.
    pub events: u32,
    /// Links of a span.
    pub links: u32,
    /// Attributes of an event.
    pub event_attributes: u32,
    /// Attributes of a link.
    pub link_attributes: u32,
}

impl SpanLimits {
    /// 128, as in OpenTelemetry: attributes, events and links, each.
    pub const DEFAULT_ATTRIBUTES: u32 = 128;
    /// 4096 characters. OpenTelemetry has no limit, but texts from outside need one.
    pub const DEFAULT_VALUE_LENGTH: u32 = 4096;
    /// The ceiling of the numbers of attributes, events and links: 1000.
    pub const MAX_ATTRIBUTES: u32 = 1000;
    /// The ceiling of the length of a text: 4096 characters. A text also has at most 4096 bytes.
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
