//! Panics on demand, so that a test can show that one ends one session. Empty but with the feature `test-faults`,
//! which gives the directive `websockify_test_panic place`.

use crate::conf::LocConf;

/// Panics if the location's configuration names this place.
#[cfg(feature = "test-faults")]
pub(crate) fn place(conf: &LocConf, name: &str) {
    assert!(conf.panic_at.as_bytes() != name.as_bytes(), "on demand: {name}");
}

/// Does nothing.
#[cfg(not(feature = "test-faults"))]
pub(crate) fn place(_conf: &LocConf, _name: &str) {}
