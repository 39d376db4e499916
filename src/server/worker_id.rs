//! The worker's id: made once and kept on disk, so that a restarted worker is the same static
//! member of its consumer group and goes on at once instead of waiting for a rebalance.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result, bail};
use eddy_engine::Clock;

/// The id kept in `folder`, made when there is none.
///
/// # Errors
/// When the folder can't be written or holds something else.
pub(crate) fn load_or_make(folder: &Path, clock: &Clock) -> Result<String> {
    let file = folder.join("worker-id");
    match fs::read_to_string(&file) {
        Ok(text) => {
            let id = text.trim();
            if id.is_empty() || !id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
                bail!(
                    "`{}` holds no worker id; remove it to get a new one",
                    file.display()
                );
            }
            Ok(id.to_owned())
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let id = clock.new_id().to_string();
            fs::create_dir_all(folder)
                .and_then(|()| fs::write(&file, &id))
                .with_context(|| format!("worker.state: `{}` can't be written", file.display()))?;
            Ok(id)
        }
        Err(error) => {
            Err(error).with_context(|| format!("worker.state: `{}` can't be read", file.display()))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_restart_finds_the_same_id() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let first = load_or_make(&state, &Clock::system()).unwrap();
        assert_eq!(load_or_make(&state, &Clock::system()).unwrap(), first);
        fs::write(state.join("worker-id"), "a b").unwrap();
        assert!(load_or_make(&state, &Clock::system()).is_err());
    }
}
