use super::routes::RouteId;
use crate::model::{SpanId, TraceId};

/// The IDs of an operation: its trace, its span, and the route of its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OperationIds {
    pub(crate) trace: TraceId,
    pub(crate) span: SpanId,
    pub(crate) route: RouteId,
}
