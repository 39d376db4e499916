//! What the benches have in common: events, a topic full of them, the worker process.

pub mod events;
pub mod services;
pub mod worker;
