use super::request_guard::RequestGuard;
use crate::model::EndOnPanic as _;
use crate::trace::Attached;

/// While it lives, the request is the current one of its thread. Dropped by an unwinding panic, it ends
/// the request as panicked; the panic goes on unchanged.
pub(super) struct PollGuard<'a> {
    track: &'a mut Option<RequestGuard>,
    /// The OpenTelemetry context of the request.
    attached: Option<Attached>,
}

impl<'a> PollGuard<'a> {
    #[inline]
    pub(super) fn enter(track: &'a mut Option<RequestGuard>) -> Self {
        let mut attached = None;
        if let Some(active) = track.as_mut().and_then(RequestGuard::active) {
            active.enter();
            attached = active.traced.attach();
        }
        Self { track, attached }
    }

    /// The code that was polled has returned.
    #[inline]
    #[expect(
        clippy::mem_forget,
        reason = "what a panic would leave to its drop is done, and the test for it is saved"
    )]
    pub(super) fn leave(mut self) {
        self.attached = None;
        if let Some(active) = self.track.as_mut().and_then(RequestGuard::active) {
            active.leave();
        }
        std::mem::forget(self);
    }
}

impl Drop for PollGuard<'_> {
    fn drop(&mut self) {
        self.attached = None;
        if let Some(mut track) = self.track.take() {
            if let Some(active) = track.active() {
                active.leave();
            }
            track.panicked();
        }
    }
}
