//! Encoded files on their way out: journalled, uploaded a few at a time, called otherwise where a
//! name is taken.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::StreamExt;
use futures::future::try_join_all;
use object_store::TagSet;
use object_store::path::Path;
use uuid::Uuid;

use crate::commit::DataFile;
use crate::error::{Error, Result};
use crate::path::suffixed;
use crate::write::files::Part;
use crate::write::job::Run;
use crate::write::journal::{Named, write_journal_of};
use crate::write::upload::{Body, PART_BYTES, create, upload};

/// Files that are uploaded at once, which hides the store's latency: a few when they are small, one
/// when it is large.
const UPLOADS_AT_ONCE: usize = 8;

/// Journals that are written at once.
const JOURNALS_AT_ONCE: usize = 16;

/// What is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// Files of the table.
    Files,
    /// The same records in another format, instead of files.
    Objects,
    /// What lies beside either.
    Sides,
}

/// A file's bytes, its Kafka partition in a foreign layout, and what the store is told of it.
#[derive(Clone)]
pub(super) struct Going {
    partition: Option<i32>,
    bytes: Bytes,
    tags: Option<TagSet>,
}

/// Encoded files on their way out, each with its place among the cut's.
pub(super) struct Waiting {
    what: What,
    files: Vec<(usize, Going)>,
    bytes: usize,
}

impl Waiting {
    pub(super) fn new(what: What) -> Self {
        Self {
            what,
            files: Vec::new(),
            bytes: 0,
        }
    }

    fn push(&mut self, at: usize, going: Going) {
        self.bytes += going.bytes.len();
        self.files.push((at, going));
    }

    fn is_full(&self) -> bool {
        self.files.len() >= UPLOADS_AT_ONCE || self.bytes >= PART_BYTES
    }
}

impl Run {
    /// The bytes of a file of `part`, or of what lies beside it, which hold so many of its records.
    pub(super) fn going(&self, part: &Part, records: u64, bytes: Bytes) -> Going {
        let tags = self.plan.layout.foreign().and_then(|one| one.tags.as_ref());
        let tags = tags.map(|tags| {
            let mut set = TagSet::default();
            let (first, last) = part.ends;
            set.push("startOffset", &first.to_string());
            set.push("endOffset", &last.to_string());
            set.push("recordCount", &records.to_string());
            for (name, value) in &tags.more {
                set.push(name, value);
            }
            set
        });
        Going {
            partition: part.partition,
            bytes,
            tags,
        }
    }

    /// Uploads what waits, if that is enough.
    pub(super) fn finish_file(
        &mut self,
        file: DataFile,
        going: Going,
        waiting: &mut Waiting,
        files: &mut Vec<DataFile>,
    ) -> Result<()> {
        waiting.push(files.len(), going);
        files.push(file);
        match waiting.is_full() {
            true => {
                let next = Waiting::new(waiting.what);
                self.upload(std::mem::replace(waiting, next), files)
            }
            false => Ok(()),
        }
    }

    /// Names the files, which are `what`, and what lies beside them. Answers when they count as
    /// begun, in microseconds since the Unix epoch.
    pub(super) fn journal(&mut self, named: &[Part], what: What) -> Result<i64> {
        let begun_us = self.lake.clock().now_us();
        let mut files: BTreeMap<Option<i32>, Vec<String>> = BTreeMap::new();
        let mut sides = files.clone();
        for part in named {
            let of = part.partition;
            files.entry(of).or_default().push(part.path.clone());
            if !part.sides.is_empty() {
                sides
                    .entry(of)
                    .or_default()
                    .extend(part.sides.iter().cloned());
            }
        }
        self.write_journals(files, what, begun_us)?;
        if !sides.is_empty() {
            self.write_journals(sides, What::Sides, begun_us)?;
        }
        Ok(begun_us)
    }

    /// Writes a journal for the files of each Kafka partition; in the native layout, for all.
    fn write_journals(
        &mut self,
        journals: BTreeMap<Option<i32>, Vec<String>>,
        what: What,
        begun_us: i64,
    ) -> Result<()> {
        let (mark, apart) = (self.plan.id, what != What::Files);
        let journals: Vec<_> = journals
            .into_iter()
            .map(|(partition, files)| match partition {
                None => (mark, None, files),
                Some(partition) => (self.lake.clock().new_id(), Some((partition, mark)), files),
            })
            .collect();
        let ids: Vec<Uuid> = journals.iter().map(|(id, _, _)| *id).collect();
        self.until_settled("journal an upload", |run| {
            let (lake, table) = (run.lake.clone(), run.plan.table.clone());
            let journals = journals.clone();
            let written = async move {
                let writes = journals.iter().map(|(id, foreign, files)| {
                    let named = Named {
                        files,
                        foreign: *foreign,
                        apart,
                        ..Named::default()
                    };
                    write_journal_of(&lake, &table, *id, named, begun_us)
                });
                let writes: Vec<_> = writes.collect();
                let mut writes = futures::stream::iter(writes).buffer_unordered(JOURNALS_AT_ONCE);
                while let Some(written) = writes.next().await {
                    written?;
                }
                Ok(())
            };
            run.lake.wait(written)?
        })?;
        self.journals.extend(ids);
        Ok(())
    }

    /// Uploads what waits. A foreign name that is taken gets a suffix, and the file its new name
    /// (P13).
    pub(super) fn upload(&mut self, waiting: Waiting, files: &mut [DataFile]) -> Result<()> {
        let (what, mut left) = (waiting.what, waiting.files);
        while !left.is_empty() {
            let mut named = Vec::with_capacity(left.len());
            for (at, going) in &left {
                let path = files
                    .get(*at)
                    .map(|file| file.path.as_str())
                    .unwrap_or_default();
                named.push((*at, self.plan.table.object(path), going.clone()));
            }
            let taken = self.send(named, what)?;
            left.retain(|(at, _)| taken.contains(at));
            let mut journals: BTreeMap<Option<i32>, Vec<String>> = BTreeMap::new();
            for (at, going) in &left {
                if let Some(file) = files.get_mut(*at) {
                    let path = suffixed(&file.path, self.lake.clock().new_id());
                    tracing::warn!(taken = file.path, %path, "a file's name is taken");
                    file.path.clone_from(&path);
                    journals.entry(going.partition).or_default().push(path);
                }
            }
            if !journals.is_empty() {
                let begun_us = files.first().map_or(0, |file| file.modified_ms * 1_000);
                self.write_journals(journals, what, begun_us)?;
            }
        }
        Ok(())
    }

    /// Answers which of the files' names are taken.
    fn send(&mut self, named: Vec<(usize, Path, Going)>, what: What) -> Result<Vec<usize>> {
        let foreign = self.plan.layout.foreign();
        let mark = foreign.map(|_| self.plan.id);
        let tags = foreign.and_then(|foreign| foreign.tags.as_ref());
        let may_miss = tags.is_some_and(|tags| tags.may_miss);
        self.until_settled("upload files", |run| {
            let (lake, files) = (run.lake.clone(), named.clone());
            let sent = async move {
                let uploads = files.into_iter().map(|(at, object, going)| {
                    let lake = &lake;
                    async move {
                        let Some(mark) = mark else {
                            upload(lake, &object, going.bytes).await?;
                            return Ok(None);
                        };
                        let body = Body {
                            bytes: going.bytes,
                            mark,
                            bare: what != What::Files,
                            tags: going.tags,
                        };
                        let created = create(lake, &object, body, may_miss).await?;
                        Ok::<_, Error>((!created).then_some(at))
                    }
                });
                let sent = try_join_all(uploads).await?;
                Ok(sent.into_iter().flatten().collect())
            };
            run.lake.wait(sent)?
        })
    }
}
