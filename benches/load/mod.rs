//! What the benches have in common: events, a topic full of them, the worker process.

pub(crate) mod audit;
pub(crate) mod beside;
pub(crate) mod bluesky;
pub(crate) mod cached;
pub(crate) mod events;
pub(crate) mod haystack;
pub(crate) mod pair;
pub(crate) mod reading;
pub(crate) mod s3;
pub(crate) mod services;
pub(crate) mod usage;
pub(crate) mod worker;
