use crate::monitor::handle::Monitor;
use crate::monitor::serve::PageHandler;

impl Monitor {
    /// The pages of the own port: none in this build.
    #[expect(clippy::unused_self, reason = "it has pages in other builds")]
    pub(in crate::monitor) fn dashboard_pages(&self) -> Vec<(&'static str, PageHandler)> {
        Vec::new()
    }
}
