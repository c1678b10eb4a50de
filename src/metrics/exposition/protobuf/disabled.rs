use std::sync::Arc;

use http::HeaderMap;

use crate::metrics::exposition::source::FrameSource;
use crate::metrics::registry::Registry;

/// Returns `None`: this build has only the text formats.
pub(in crate::metrics::exposition) fn requested(
    _: &Arc<Registry>,
    _: &HeaderMap,
) -> Option<Box<dyn FrameSource>> {
    None
}
