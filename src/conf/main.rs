//! What the directives say of the http block as a whole.

use std::rc::Rc;

use super::zone::ZoneConf;
use crate::nginx::conf::{Answer, Conf};
use crate::nginx::tokens::TokenFile;

/// The http block.
pub(crate) struct MainConf {
    /// Those of `websockify_token_file`, each once.
    pub(crate) token_files: Vec<Rc<TokenFile>>,
    pub(crate) zone: ZoneConf,
}

impl MainConf {
    pub(crate) fn new() -> Self {
        Self { token_files: Vec::new(), zone: ZoneConf::unset() }
    }

    /// Sets what no directive has set.
    pub(crate) fn complete(&mut self, conf: Conf) -> Answer {
        self.zone.complete(conf)
    }
}
