//! A tracer for tracing-opentelemetry's layer, whose spans have each attribute once, with the value that was set last.
//! The SDK's own spans add one more attribute with every call, up to a limit, and ignore later ones.

use std::borrow::Cow;
use std::cell::Cell;
use std::time::SystemTime;

use opentelemetry::trace::{Span, SpanBuilder, SpanContext, Status, Tracer};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{SdkTracer, Span as SdkSpan};

use super::layer_probe;

/// The maximum number of `set_attribute` calls on one span that the SDK keeps. It keeps every call; if a
/// key is set repeatedly, its last call counts. A span has fewer keys.
pub(super) const MAX_SET: usize = 1024;

thread_local! {
    /// Whether the thread is starting a span of tracing-opentelemetry's layer.
    static STARTS: Cell<bool> = const { Cell::new(false) };
}

/// Whether the span that the thread is starting is one of tracing-opentelemetry's layer.
pub(super) fn is_made_of_tracing() -> bool {
    STARTS.try_with(Cell::get).unwrap_or(false)
}

#[derive(Debug, Clone)]
pub(super) struct UniqueTracer(pub(super) SdkTracer);

impl Tracer for UniqueTracer {
    type Span = UniqueSpan;

    fn build_with_context(&self, mut builder: SpanBuilder, parent: &Context) -> UniqueSpan {
        layer_probe::record_own_link();
        let set = builder.attributes.take().unwrap_or_default();
        let _ended = STARTS.try_with(|starts| starts.set(true));
        let started = self.0.build_with_context(builder, parent);
        let _ended = STARTS.try_with(|starts| starts.set(false));
        let mut span = UniqueSpan {
            span: started,
            attributes: Vec::with_capacity(set.len().min(MAX_SET)),
        };
        span.set_attributes(set);
        span
    }
}

/// A span that buffers its attributes until it ends.
#[derive(Debug)]
pub(super) struct UniqueSpan {
    span: SdkSpan,
    attributes: Vec<KeyValue>,
}

impl UniqueSpan {
    fn hand_over(&mut self) {
        self.span
            .set_attributes(std::mem::take(&mut self.attributes));
    }
}

impl Span for UniqueSpan {
    fn add_event_with_timestamp<T>(&mut self, name: T, at: SystemTime, attributes: Vec<KeyValue>)
    where
        T: Into<Cow<'static, str>>,
    {
        self.span.add_event_with_timestamp(name, at, attributes);
    }

    fn span_context(&self) -> &SpanContext {
        self.span.span_context()
    }

    fn is_recording(&self) -> bool {
        self.span.is_recording()
    }

    fn set_attribute(&mut self, attribute: KeyValue) {
        if !self.span.is_recording() {
            return;
        }
        let mut have = self.attributes.iter_mut();
        if let Some(old) = have.find(|have| have.key == attribute.key) {
            *old = attribute;
        } else if self.attributes.len() < MAX_SET {
            self.attributes.push(attribute);
        } else {
            // The SDK counts the attributes over its limit.
            self.span.set_attribute(attribute);
        }
    }

    fn set_status(&mut self, status: Status) {
        self.span.set_status(status);
    }

    fn update_name<T>(&mut self, name: T)
    where
        T: Into<Cow<'static, str>>,
    {
        self.span.update_name(name);
    }

    fn add_link(&mut self, to: SpanContext, attributes: Vec<KeyValue>) {
        self.span.add_link(to, attributes);
    }

    fn end_with_timestamp(&mut self, at: SystemTime) {
        self.hand_over();
        self.span.end_with_timestamp(at);
    }
}

impl Drop for UniqueSpan {
    /// The SDK's span ends when it is dropped.
    fn drop(&mut self) {
        self.hand_over();
    }
}
