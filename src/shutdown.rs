//! Signals: the first SIGTERM or SIGINT asks for an orderly end, a second one ends at once.

use tokio::signal::unix::{SignalKind, signal};

/// Completes at the first SIGTERM or SIGINT, and from then on ends the process at the second.
///
/// # Errors
/// When the process may not install signal handlers.
pub(crate) async fn requested() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping: committing what is buffered; a second signal ends at once");
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        // Nothing is lost by this: what isn't committed is read again from the table's position.
        std::process::exit(130);
    });
    Ok(())
}
