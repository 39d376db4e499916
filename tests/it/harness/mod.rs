//! What every integration test stands on: services, topics, lakes, `eddy` processes, answers.
//!
//! Everything a test makes is its own (names are unique), so tests run at once and in any order.
//! Waiting happens in [`wait`] only. The calls block; the few asynchronous clients run on one
//! runtime in here.
//!
//! ```text
//! services   where Kafka, S3 and Python are      kafka    topics, records in, records out
//! lake       a place for tables, local or S3     process  an `eddy` process and its life
//! http       SQL and JSON from that process      proxy    an S3 connection that fails on command
//! python     the lake readers of other people    wait     conditions with deadlines
//! queues     RabbitMQ and SQS, as others see them    cable    any connection, cut on command
//! web        an HTTP server that misbehaves on command
//! tls        TLS before a server that has none
//! invariants what must hold of a table, checked from outside
//! ```
#![allow(
    dead_code,
    reason = "a promise takes what it needs; not every tool has a user at all times"
)]

pub mod cable;
pub mod http;
pub mod invariants;
pub mod kafka;
pub mod lake;
pub mod port;
pub mod process;
pub mod proxy;
pub mod python;
pub mod queues;
pub mod services;
pub mod tls;
pub mod wait;
pub mod web;

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use eddy_engine::Clock;

static RUNTIME: LazyLock<tokio::runtime::Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a tokio runtime")
});

/// Runs a future to its end on the harness's runtime.
pub fn block_on<F: Future>(future: F) -> F::Output {
    RUNTIME.block_on(future)
}

/// A name that no other test, and no other run on the same services, uses. SQL takes it unquoted.
pub fn unique(prefix: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    // The time alone isn't unique between processes that start together, a pid alone not over time.
    let moment = Clock::system().now_us() / 1_000 % 10_000_000_000;
    format!("{prefix}_{:x}_{moment:x}_{number}", std::process::id())
}
