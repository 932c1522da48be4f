//! What the directives say of the http block as a whole.

use std::rc::Rc;

use crate::nginx::conf::{Answer, Conf};
use crate::nginx::tokens::TokenFile;

/// The http block.
pub(crate) struct MainConf {
    /// Those of `websockify_token_file`, each once.
    pub(crate) token_files: Vec<Rc<TokenFile>>,
}

impl MainConf {
    pub(crate) fn new() -> Self {
        Self { token_files: Vec::new() }
    }

    /// Sets what no directive has set.
    pub(crate) fn complete(&mut self, _conf: Conf) -> Answer {
        Ok(())
    }
}
