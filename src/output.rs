//! Standard output, where a reader that has seen enough (`| head`) is no failure.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};

/// Prints one line.
///
/// # Errors
/// When standard output takes no more; see [`is_closed`].
pub(crate) fn line(text: impl Display) -> io::Result<()> {
    writeln!(io::stdout(), "{text}")
}

/// Prints text that has its line ends.
///
/// # Errors
/// When standard output takes no more; see [`is_closed`].
pub(crate) fn text(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Whether a command ended because the reader of its output went away.
pub(crate) fn is_closed(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_closed_pipe_is_a_reader_that_went_away() {
        let error = |kind| anyhow::Error::new(io::Error::from(kind)).context("printing");
        assert!(is_closed(&error(ErrorKind::BrokenPipe)));
        assert!(!is_closed(&error(ErrorKind::PermissionDenied)));
        assert!(!is_closed(&anyhow::anyhow!("something else")));
    }
}
