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

/// A worker under load frees and takes tens of megabytes many times a second. Given back after
/// mimalloc's second, the same pages would be cleared again and again, which was an eighth of a
/// sink's CPU; what is bounded anyway may as well stay for as long as committed rows do.
const KEEP_MS: c_long = 10_000;

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
