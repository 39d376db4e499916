//! The allocator of the process, and how long it keeps memory that nobody uses.

#![expect(
    unsafe_code,
    reason = "mimalloc's options have no safe wrapper, and its environment is read before `main`"
)]

use std::ffi::{c_int, c_long};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay` of mimalloc 3: milliseconds until free memory goes back to the system.
const PURGE_DELAY: c_int = 15;

/// What mimalloc holds for its second counts as little in the worker's budget as in its needs, and
/// is a hundred megabytes and more where many small columns come and go (`make bench T=memory`).
const KEEP_MS: c_long = 100;

// SAFETY: the signatures are those of mimalloc.h; both only read and write one entry of a static
// table, and do nothing for an option that doesn't exist.
unsafe extern "C" {
    safe fn mi_option_set_default(option: c_int, value: c_long);
    #[cfg(test)]
    safe fn mi_option_get(option: c_int) -> c_long;
}

/// Keeps free memory for [`KEEP_MS`], unless `MIMALLOC_PURGE_DELAY` says otherwise. Call it first.
pub(crate) fn start() {
    mi_option_set_default(PURGE_DELAY, KEEP_MS);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_is_the_one_whose_default_is_a_second() {
        assert_eq!(mi_option_get(PURGE_DELAY), 1_000);
        start();
        assert_eq!(mi_option_get(PURGE_DELAY), KEEP_MS);
    }
}
