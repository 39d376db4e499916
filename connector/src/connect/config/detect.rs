//! What is looked for in the strings of a connector's values.

use eddy_engine::schema::Detect;

use super::Reader;
use crate::error::{Error, Result};

/// `timestamps`, `decimals` or both, with a comma between; nothing by default.
const KEY: &str = "value.detect";

/// Reads and checks the key.
pub(super) fn read(reader: &Reader<'_>) -> Result<Detect> {
    let mut detect = Detect::default();
    let words = reader.text(KEY).unwrap_or_default();
    for word in words
        .split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty())
    {
        match word {
            "timestamps" => detect.timestamps = true,
            "decimals" => detect.decimals = true,
            other => {
                return Err(Error::invalid(format!(
                    "`{KEY}` has `{other}`; it takes `timestamps`, `decimals` or both"
                )));
            }
        }
    }
    Ok(detect)
}
