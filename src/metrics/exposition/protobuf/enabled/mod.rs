mod frames;
mod joined;
mod native;
#[cfg(test)]
mod tests;
mod wire;
mod write;

use std::sync::Arc;

use http::HeaderMap;

use self::frames::ProtobufExposition;
use crate::metrics::exposition::negotiate::prefers_protobuf;
use crate::metrics::exposition::source::FrameSource;
use crate::metrics::registry::Registry;

/// Returns the protobuf exposition if the client prefers it to the text formats.
pub(in crate::metrics::exposition) fn requested(
    registry: &Arc<Registry>,
    headers: &HeaderMap,
) -> Option<Box<dyn FrameSource>> {
    prefers_protobuf(headers).then(|| {
        let exposition: Box<dyn FrameSource> = Box::new(ProtobufExposition::new(registry));
        exposition
    })
}
