//! The routes, called without a socket.

#![allow(clippy::unwrap_used)]
