use super::BridgeState;

/// Sets no logger: without the feature `log` there is none.
pub(crate) fn install() -> BridgeState {
    BridgeState::Unavailable
}

pub(crate) fn follow_levels() {}
