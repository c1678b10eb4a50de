//! The page: written family by family, in frames, while it is sent.

mod body;
pub(super) mod join;
mod negotiate;
pub(super) mod number;
mod service;
#[cfg(test)]
mod strict;
mod write;

use std::sync::Arc;

use bytes::Bytes;

use self::join::Seen;
pub(super) use self::negotiate::Form;
use super::metric::Metric;
use super::registry::{Family, Registry};
use super::series::Series;
use crate::model::read_for_status;

pub use self::body::PageBody;
pub use self::service::Prometheus;

/// Bytes of one frame at most.
pub(super) const MAX_FRAME: usize = 64 * 1024;
/// A frame is sent when it has grown to this; one more series mostly fits.
const FULL: usize = 56 * 1024;

/// A page that is being written. It holds no lock between two frames; each series is read when its
/// line is written.
#[derive(Debug)]
pub(super) struct Page {
    registry: Arc<Registry>,
    form: Form,
    families: std::vec::IntoIter<Family>,
    /// The metric whose series are being written, and those that are left.
    metric: Option<(Arc<Metric>, std::vec::IntoIter<Arc<Series>>)>,
    /// The hosts' own pages that are left.
    joined: std::vec::IntoIter<join::Joined>,
    seen: Seen,
    ended: bool,
    out: String,
    /// What is written and larger than one frame.
    rest: Bytes,
}

impl Page {
    pub(super) fn new(registry: &Arc<Registry>, form: Form) -> Self {
        let joined = read_for_status(&registry.joined).map(|joined| joined.clone());
        let joined = joined.unwrap_or_default();
        let families = registry.families();
        let seen = Seen::new(if joined.is_empty() { &[] } else { &families });
        Self {
            registry: Arc::clone(registry),
            form,
            families: families.into_iter(),
            metric: None,
            joined: joined.into_iter(),
            seen,
            ended: false,
            out: String::new(),
            rest: Bytes::new(),
        }
    }

    /// The next frame; `None` at the end.
    pub(super) fn frame(&mut self) -> Option<Bytes> {
        if self.rest.is_empty() {
            self.out.reserve(MAX_FRAME);
            while self.out.len() < FULL && self.step() {}
            self.rest = std::mem::take(&mut self.out).into();
        }
        let size = self.rest.len().min(MAX_FRAME);
        (size > 0).then(|| self.rest.split_to(size))
    }

    /// Whether all is written and taken.
    pub(super) fn is_at_end(&self) -> bool {
        self.ended && self.rest.is_empty()
    }

    /// Writes one more piece; `false` at the end.
    fn step(&mut self) -> bool {
        if let Some((metric, series)) = &mut self.metric {
            match series.next() {
                Some(series) => write::series(&mut self.out, self.form, metric, &series),
                None => self.metric = None,
            }
            return true;
        }
        match self.families.next() {
            Some(Family::Metric(metric)) => {
                let shown = metric.shown();
                if !shown.is_empty() {
                    write::header(
                        &mut self.out,
                        self.form,
                        &metric.name,
                        metric.kind,
                        &metric.description(),
                    );
                    self.metric = Some((metric, shown.into_iter()));
                }
                true
            }
            Some(Family::Observed(observed)) => {
                write::observed(&mut self.out, self.form, &observed);
                true
            }
            None => self.finish(),
        }
    }

    fn finish(&mut self) -> bool {
        if let Some(page) = self.joined.next() {
            page.write(&self.registry, self.form, &mut self.seen, &mut self.out);
            return true;
        }
        if !std::mem::replace(&mut self.ended, true) && self.form == Form::OpenMetrics {
            self.out.push_str("# EOF\n");
        }
        false
    }
}
