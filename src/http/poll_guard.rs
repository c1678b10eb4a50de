use super::request_guard::RequestGuard;
use crate::trace::AttachedContext;

/// Makes a request the current one of the thread while the host's code is polled. Dropped by an unwinding panic, it ends
/// the request as panicked; the panic goes on.
pub(super) struct PollGuard<'a> {
    request: &'a mut RequestGuard,
    /// The OpenTelemetry context of the request.
    attached: Option<AttachedContext>,
}

impl<'a> PollGuard<'a> {
    #[inline]
    pub(super) fn enter(request: &'a mut RequestGuard) -> Self {
        let mut attached = None;
        if let Some(request) = request.request() {
            request.enter();
            attached = request.trace.attach();
        }
        Self { request, attached }
    }

    /// The polled code has returned.
    #[inline]
    #[expect(
        clippy::mem_forget,
        reason = "nothing is left for the drop after a panic, and its test is saved"
    )]
    pub(super) fn leave(mut self) {
        // The context first: contexts are detached in the reverse order.
        self.attached = None;
        if let Some(request) = self.request.request() {
            request.leave();
        }
        std::mem::forget(self);
    }
}

impl Drop for PollGuard<'_> {
    fn drop(&mut self) {
        self.attached = None;
        if let Some(request) = self.request.request() {
            request.leave();
        }
        self.request.panicked();
    }
}
