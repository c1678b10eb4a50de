/// Which globals of the process `install` sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a setting of its own"
)]
pub(crate) struct InstallConfig {
    pub(crate) subscriber: bool,
    pub(crate) log: bool,
    pub(crate) recorder: bool,
    pub(crate) propagator: bool,
    pub(crate) tracer_provider: bool,
    pub(crate) panic_hook: bool,
    pub(crate) capture_error: bool,
}

impl Default for InstallConfig {
    fn default() -> Self {
        Self {
            subscriber: true,
            log: true,
            recorder: true,
            propagator: true,
            tracer_provider: true,
            panic_hook: true,
            capture_error: true,
        }
    }
}
