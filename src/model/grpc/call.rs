use super::Status;

/// Whether a request is a gRPC call, and its status, in one byte as in records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Call(u8);

impl Call {
    /// Not a gRPC call.
    pub(crate) const NONE: Self = Self(u8::MAX);
    /// A call without a status.
    pub(crate) const OPEN: Self = Self(u8::MAX - 1);

    #[inline]
    pub(crate) fn ended(status: Status) -> Self {
        Self(status.code())
    }

    #[inline]
    pub(crate) fn byte(self) -> u8 {
        self.0
    }

    #[inline]
    pub(crate) fn from_byte(byte: u8) -> Self {
        Self(byte)
    }

    pub(crate) fn status(self) -> Option<Status> {
        (self != Self::NONE && self != Self::OPEN).then(|| Status::of(self.0))
    }
}

impl Default for Call {
    fn default() -> Self {
        Self::NONE
    }
}
