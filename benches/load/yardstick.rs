//! How fast this machine is, now: zstd(1) over the same events. Figures of one machine swing by
//! half from minute to minute, and machines differ; the ratio to this says what they share.

use std::time::Duration;

use crate::events::{Seeded, event};
use crate::thread_cpu;

/// Bytes of events, and of what is compressed in one go, as a page is.
const BYTES: usize = 64 << 20;
const BLOCK: usize = 1 << 20;

/// Bytes of events that zstd(1) compresses in a second of CPU time.
pub(crate) fn zstd_rate() -> f64 {
    let mut random = Seeded::new(20_251_124);
    let mut text = String::new();
    let mut index = 0;
    while text.len() < BYTES {
        event(&mut random, index, &mut text);
        index += 1;
    }
    let mut compressor = zstd::bulk::Compressor::new(1).unwrap();
    let mut packed = Vec::with_capacity(zstd::zstd_safe::compress_bound(BLOCK));
    let begun = thread_cpu();
    for block in text.as_bytes().chunks(BLOCK) {
        packed.clear();
        compressor.compress_to_buffer(block, &mut packed).unwrap();
    }
    let used: Duration = thread_cpu() - begun;
    text.len() as f64 / used.as_secs_f64()
}
