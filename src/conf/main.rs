//! What the directives say of the http block as a whole.

use crate::nginx::conf::{Answer, Conf};

/// The http block.
pub(crate) struct MainConf {}

impl MainConf {
    pub(crate) fn new() -> Self {
        Self {}
    }

    /// Sets what no directive has set.
    pub(crate) fn complete(&mut self, _conf: Conf) -> Answer {
        Ok(())
    }
}
