//! The log as a file: one JSON line an entry. Written anew with what counts when it is opened.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind as IoErrorKind, Write as _};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::entry::Entry;
use crate::error::{Error, ErrorKind, Result};

/// An open file.
pub(in crate::connect) struct FileLog {
    path: PathBuf,
    file: File,
}

impl FileLog {
    /// Opens the file at `path`, or makes it, with what it holds.
    ///
    /// # Errors
    /// `Unavailable` when it can't be read or written, `Data` for a line that is no entry.
    pub(super) fn open(path: &Path) -> Result<(Self, Vec<Entry>)> {
        let entries = read(path)?;
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|error| failed(path, "made", error))?;
        }
        let beside = path.with_extension("new");
        let written = File::create(&beside).and_then(|mut file| {
            file.write_all(lines(&entries).as_bytes())?;
            file.sync_all()
        });
        written
            .and_then(|()| fs::rename(&beside, path))
            .map_err(|error| failed(path, "written", error))?;
        let file = OpenOptions::new()
            .append(true)
            .open(path)
            .map_err(|error| failed(path, "opened", error))?;
        let path = path.to_owned();
        Ok((Self { path, file }, entries))
    }

    /// Adds entries.
    ///
    /// # Errors
    /// `Unavailable` when they may not be there.
    pub(super) fn append(&mut self, entries: &[Entry]) -> Result<()> {
        let text = lines(entries);
        let written = self.file.write_all(text.as_bytes());
        written
            .and_then(|()| self.file.sync_data())
            .map_err(|error| failed(&self.path, "written", error))
    }
}

/// The last entry of each key, in the order in which they were written.
fn read(path: &Path) -> Result<Vec<Entry>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == IoErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(path, "read", error)),
    };
    let mut latest: BTreeMap<String, (usize, Entry)> = BTreeMap::new();
    let whole = text.ends_with('\n');
    let count = text.lines().count();
    for (number, line) in text.lines().enumerate() {
        match parse(line) {
            Some(entry) => {
                latest.insert(entry.key.clone(), (number, entry));
            }
            // A crash cut the last line short: nobody was told that it is there.
            None if !whole && number + 1 == count => {}
            None => {
                let message = format!("line {} of `{}` is no entry", number + 1, path.display());
                return Err(Error::new(ErrorKind::Data, message));
            }
        }
    }
    let mut latest: Vec<(usize, Entry)> = latest.into_values().collect();
    latest.retain(|(_, entry)| entry.value.is_some());
    latest.sort_by_key(|(number, _)| *number);
    Ok(latest.into_iter().map(|(_, entry)| entry).collect())
}

fn parse(line: &str) -> Option<Entry> {
    let json: Value = serde_json::from_str(line).ok()?;
    Some(Entry {
        key: json.get("key")?.as_str()?.to_owned(),
        value: json.get("value")?.as_str().map(str::to_owned),
    })
}

fn lines(entries: &[Entry]) -> String {
    let line = |entry: &Entry| format!("{}\n", json!({"key": entry.key, "value": entry.value}));
    entries.iter().map(line).collect()
}

fn failed(path: &Path, what: &str, error: std::io::Error) -> Error {
    let message = format!("the connectors' file `{}` can't be {what}", path.display());
    Error::unavailable(message).with_source(error)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn entry(key: &str, value: Option<&str>) -> Entry {
        Entry {
            key: key.to_owned(),
            value: value.map(str::to_owned),
        }
    }

    #[test]
    fn what_was_appended_is_there_after_a_restart_and_only_what_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep").join("connectors");
        let (mut log, entries) = FileLog::open(&path).unwrap();
        assert_eq!(entries, []);
        log.append(&[entry("a", Some("1")), entry("b", Some("\n\"x"))])
            .unwrap();
        log.append(&[entry("a", Some("2")), entry("c", None)])
            .unwrap();
        let (_, entries) = FileLog::open(&path).unwrap();
        assert_eq!(entries, [entry("b", Some("\n\"x")), entry("a", Some("2"))]);
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 2);
    }

    #[test]
    fn a_line_that_a_crash_cut_short_is_left_out_and_any_other_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("connectors");
        let (mut log, _) = FileLog::open(&path).unwrap();
        log.append(&[entry("a", Some("1"))]).unwrap();
        let whole = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{whole}{{\"key\":\"b\",\"va")).unwrap();
        let (_, entries) = FileLog::open(&path).unwrap();
        assert_eq!(entries, [entry("a", Some("1"))]);
        fs::write(&path, format!("nonsense\n{whole}")).unwrap();
        assert!(FileLog::open(&path).is_err());
    }
}
