use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;

use super::join::{self, SampleNames};
use super::negotiate::ExpositionFormat;
use super::source::{FULL_FRAME, FrameSource, MAX_FRAME, split_frame};
use super::write;
use crate::metrics::joined::JoinedExposition;
use crate::metrics::metric::Metric;
use crate::metrics::registry::{Family, Registry};
use crate::metrics::series::Series;
use crate::model::read_for_status;

/// An exposition in a text format that is being written.
///
/// It holds no lock between two frames. A series is read when it is written.
#[derive(Debug)]
pub(in crate::metrics) struct Exposition {
    registry: Arc<Registry>,
    format: ExpositionFormat,
    families: std::vec::IntoIter<Family>,
    /// The metric that is being written, and its series that are left.
    metric: Option<(Arc<Metric>, std::vec::IntoIter<Arc<Series>>)>,
    /// The joined expositions that are left.
    joined: std::vec::IntoIter<JoinedExposition>,
    names: SampleNames,
    has_ended: bool,
    out: String,
    /// Text that is written but not sent; it may be larger than one frame.
    rest: Bytes,
}

impl Exposition {
    pub(in crate::metrics) fn new(registry: &Arc<Registry>, format: ExpositionFormat) -> Self {
        let joined = read_for_status(&registry.joined).map(|joined| joined.clone());
        let joined = joined.unwrap_or_default();
        let families = registry.families();
        // Only joined expositions are compared with the names of the registry.
        let names = SampleNames::new(if joined.is_empty() { &[] } else { &families });
        Self {
            registry: Arc::clone(registry),
            format,
            families: families.into_iter(),
            metric: None,
            joined: joined.into_iter(),
            names,
            has_ended: false,
            out: String::new(),
            rest: Bytes::new(),
        }
    }

    /// The next frame, of at most [`MAX_FRAME`] bytes; `None` at the end.
    pub(in crate::metrics) fn next_frame(&mut self) -> Option<Bytes> {
        if self.rest.is_empty() {
            self.out.reserve(MAX_FRAME);
            // A frame is full before its maximum, so that one more series usually fits without growing the buffer.
            while self.out.len() < FULL_FRAME && self.write_next() {}
            self.rest = std::mem::take(&mut self.out).into();
        }
        split_frame(&mut self.rest)
    }

    /// Whether everything is written and sent.
    pub(in crate::metrics) fn is_at_end(&self) -> bool {
        self.has_ended && self.rest.is_empty()
    }

    /// Writes the next series, header, observable metric or joined exposition. Returns `false` at the end.
    fn write_next(&mut self) -> bool {
        if let Some((metric, series)) = &mut self.metric {
            match series.next() {
                Some(series) => write::series(&mut self.out, self.format, metric, &series),
                None => self.metric = None,
            }
            return true;
        }
        match self.families.next() {
            Some(Family::Metric(metric)) => {
                let series = metric.exposed_series();
                // All series of a metric may be idle. Then the family is left out with its header.
                if !series.is_empty() {
                    write::header(
                        &mut self.out,
                        self.format,
                        &metric.name,
                        metric.kind,
                        &metric.description(),
                    );
                    self.metric = Some((metric, series.into_iter()));
                }
                true
            }
            Some(Family::Observable(metric)) => {
                write::observable(&mut self.out, self.format, &metric);
                true
            }
            None => self.write_joined_or_end(),
        }
    }

    fn write_joined_or_end(&mut self) -> bool {
        if let Some(joined) = self.joined.next() {
            join::write(
                &joined,
                &self.registry,
                self.format,
                &mut self.names,
                &mut self.out,
            );
            return true;
        }
        if !std::mem::replace(&mut self.has_ended, true)
            && self.format == ExpositionFormat::OpenMetrics
        {
            self.out.push_str("# EOF\n");
        }
        false
    }
}

impl FrameSource for Exposition {
    fn content_type(&self) -> &'static str {
        self.format.content_type()
    }

    fn poll_frame(&mut self) -> Poll<Option<Bytes>> {
        Poll::Ready(self.next_frame())
    }

    fn is_at_end(&self) -> bool {
        self.is_at_end()
    }
}
