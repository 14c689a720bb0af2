//! How often a property is tried.

use proptest::prelude::ProptestConfig;

/// As many times as PROPTEST_CASES says, or else so many.
pub(crate) fn cases(number: u32) -> ProptestConfig {
    if std::env::var_os("PROPTEST_CASES").is_some() {
        ProptestConfig::default()
    } else {
        ProptestConfig::with_cases(number)
    }
}
