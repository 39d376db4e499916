//! Topics whose positions were altered although the connector doesn't record them (yet): Connect
//! shows such positions, so they are remembered.

use std::collections::BTreeSet;
use std::fmt::Write;

use eddy_engine::Lake;
use eddy_engine::state::Register;

use crate::error::{Error, ErrorKind, Result};

/// As many attempts to note a topic while others note theirs.
const ATTEMPTS: usize = 32;

/// The topics that were noted for a connector. Blocks.
///
/// # Errors
/// `Unavailable`; `Data` for what can't be read.
pub(super) fn noted(lake: &Lake, connector: &str) -> Result<BTreeSet<String>> {
    Ok(newest(lake, connector)?.map_or_else(BTreeSet::new, |(_, topics)| topics))
}

/// Notes topics. Blocks.
///
/// # Errors
/// As [`noted`].
pub(super) fn note<'a>(
    lake: &Lake,
    connector: &str,
    topics: impl IntoIterator<Item = &'a String>,
) -> Result<()> {
    let topics: BTreeSet<String> = topics.into_iter().cloned().collect();
    for _ in 0..ATTEMPTS {
        let newest = newest(lake, connector)?;
        let number = newest.as_ref().map_or(0, |(number, _)| number + 1);
        let known = newest.map_or_else(BTreeSet::new, |(_, topics)| topics);
        if topics.is_subset(&known) {
            return Ok(());
        }
        let all: BTreeSet<&String> = known.union(&topics).collect();
        let text = serde_json::json!(all).to_string();
        let register = Register::new(lake, name(connector));
        match lake.runtime().block_on(register.put(number, text.into())) {
            Err(error) if error.kind() == eddy_engine::ErrorKind::Fenced => {}
            put => return Ok(put?),
        }
    }
    Err(Error::unavailable(
        "topics could not be noted: others were always faster",
    ))
}

fn newest(lake: &Lake, connector: &str) -> Result<Option<(u64, BTreeSet<String>)>> {
    let register = Register::new(lake, name(connector));
    let Some((number, bytes)) = lake.runtime().block_on(register.latest())? else {
        return Ok(None);
    };
    let topics = serde_json::from_slice(&bytes).map_err(|error| {
        let message = format!("what is noted of connector `{connector}` can't be read");
        Error::new(ErrorKind::Data, message).with_source(error)
    })?;
    Ok(Some((number, topics)))
}

/// The register of a connector: any name makes one of its own.
fn name(connector: &str) -> String {
    let mut name = String::from("beside/");
    for byte in connector.bytes() {
        match byte.is_ascii_alphanumeric() || byte == b'-' {
            true => name.push(char::from(byte)),
            false => {
                // Writing to a string can't fail.
                let _ = write!(name, "_{byte:02x}");
            }
        }
    }
    name
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use eddy_engine::Clock;
    use eddy_engine::testing::disk_lake;

    use super::*;

    #[test]
    fn what_is_noted_of_a_connector_comes_back_whatever_its_name() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let guard = runtime.enter();
        let lake = disk_lake(folder.path(), Clock::system());
        drop(guard);
        let [a, b] = ["a", "b"].map(str::to_owned);
        note(&lake, "x/{y}", [&a]).unwrap();
        note(&lake, "x/{y}", [&b, &a]).unwrap();
        assert_eq!(noted(&lake, "x/{y}").unwrap(), BTreeSet::from([a, b]));
        assert!(noted(&lake, "x_2f").unwrap().is_empty());
    }
}
