//! Ports for processes that a test starts.

use std::time::Duration;

use super::wait::poll;

/// A port that is free now, below the range from which the kernel takes outgoing ones, so that a
/// process that was killed finds it free again.
pub fn free_port() -> u16 {
    let mut attempt = 0_u32;
    poll(Duration::from_secs(5), &mut || {
        attempt += 1;
        let seed = eddy_engine::Clock::system().new_id().as_u128();
        let port = 15_000 + u16::try_from((seed ^ u128::from(attempt)) % 17_000).ok()?;
        std::net::TcpListener::bind(("127.0.0.1", port)).ok()?;
        Some(port)
    })
    .expect("a free port")
}
