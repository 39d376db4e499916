//! The log as a file: one JSON line an entry. Written anew with what counts when it is opened.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind as IoErrorKind, Write as _};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::entry::Entry;
use crate::error::{Error, ErrorKind, Result};

/// An open file.
pub(in crate::connect) struct FileLog {
    path: PathBuf,
    file: File,
    /// The length of what was acknowledged.
    whole: u64,
    /// Beyond it may be something of an entry that wasn't.
    torn: bool,
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
        let written = create(&beside).and_then(|mut file| {
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
        let length = file.metadata().map(|metadata| metadata.len());
        let log = Self {
            whole: length.map_err(|error| failed(path, "read", error))?,
            path: path.to_owned(),
            file,
            torn: false,
        };
        Ok((log, entries))
    }

    /// Adds entries.
    ///
    /// # Errors
    /// `Unavailable` when they may not be there.
    pub(super) fn append(&mut self, entries: &[Entry]) -> Result<()> {
        self.mend()?;
        let text = lines(entries);
        let written = self.file.write_all(text.as_bytes());
        match written.and_then(|()| self.file.sync_data()) {
            Ok(()) => {
                self.whole += text.len() as u64;
                Ok(())
            }
            Err(error) => {
                self.torn = true;
                if let Err(error) = self.mend() {
                    tracing::warn!(%error, "nothing is added before it can be");
                }
                Err(failed(&self.path, "written", error))
            }
        }
    }

    /// Cuts off what an append that failed has left: the next line must begin a line.
    fn mend(&mut self) -> Result<()> {
        if self.torn {
            let cut = self.file.set_len(self.whole);
            cut.map_err(|error| failed(&self.path, "cut back", error))?;
            self.torn = false;
        }
        Ok(())
    }
}

/// Makes an empty file that only its owner reads: passwords stand in it as they were given.
fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    // One that a crash has left keeps the mode that it was made with.
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(file)
}

/// The last entry of each key, in the order in which they were written.
fn read(path: &Path) -> Result<Vec<Entry>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == IoErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(path, "read", error)),
    };
    let mut latest: BTreeMap<String, (usize, Entry)> = BTreeMap::new();
    let mut lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    let whole = lines.pop_if(|last| last.is_empty()).is_some();
    let count = lines.len();
    for (number, line) in lines.into_iter().enumerate() {
        match parse(line) {
            Some(entry) => {
                latest.insert(entry.key.clone(), (number, entry));
            }
            // A crash cut the last line short, within a character maybe: nobody was told that it
            // is there.
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

fn parse(line: &[u8]) -> Option<Entry> {
    let json: Value = serde_json::from_slice(line).ok()?;
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

    #[cfg(unix)]
    #[test]
    fn nobody_else_reads_it_also_where_it_was_open_to_all() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("connectors");
        let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        for file in [&path, &path.with_extension("new")] {
            fs::write(file, "").unwrap();
            fs::set_permissions(file, fs::Permissions::from_mode(0o644)).unwrap();
        }
        FileLog::open(&path).unwrap();
        assert_eq!(mode(), 0o600);
        fs::remove_file(&path).unwrap();
        FileLog::open(&path).unwrap();
        assert_eq!(mode(), 0o600);
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
        let within_a_character = [
            whole.as_bytes(),
            b"{\"key\":\"b\",\"value\":\"\xc3".as_slice(),
        ]
        .concat();
        fs::write(&path, within_a_character).unwrap();
        let (_, entries) = FileLog::open(&path).unwrap();
        assert_eq!(entries, [entry("a", Some("1"))]);
        fs::write(&path, format!("nonsense\n{whole}")).unwrap();
        assert!(FileLog::open(&path).is_err());
    }

    #[test]
    fn what_an_append_that_failed_has_left_does_not_spoil_the_next_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("connectors");
        let (mut log, _) = FileLog::open(&path).unwrap();
        log.append(&[entry("a", Some("1"))]).unwrap();
        // Neither writing nor cutting succeeds with a file that is only read.
        let file = std::mem::replace(&mut log.file, File::open(&path).unwrap());
        assert!(log.append(&[entry("b", Some("2"))]).is_err());
        assert!(log.append(&[entry("b", Some("2"))]).is_err());
        log.file = file;
        let whole = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{whole}{{\"key\":\"b\",\"va")).unwrap();
        log.append(&[entry("c", Some("3"))]).unwrap();
        let (_, entries) = FileLog::open(&path).unwrap();
        assert_eq!(entries, [entry("a", Some("1")), entry("c", Some("3"))]);
    }
}
