//! Several packs become one, section by section: what is in memory is a window of each.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use object_store::buffered::BufWriter;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use tokio::io::AsyncWriteExt;
use uuid::Uuid;

use super::Pack;
use crate::error::{Error, ErrorKind};
use crate::filter::{BLOCK_BYTES, Footer, MAGIC, Member, Of, PackedFile, part, section};
use crate::write::PART_BYTES;

/// What is read ahead of all packs together.
const WINDOWS_BYTES: usize = 32 << 20;

/// Why several packs did not become one.
pub(super) enum Failed {
    /// One of them is broken.
    Pack(Uuid, Error),
    /// The store.
    Store(Error),
}

/// Packs, and what is kept of them.
pub(super) struct Repack {
    inputs: Vec<Input>,
    footer: Footer,
}

struct Input {
    pack: Pack,
    /// For each of its slices: whether it is kept.
    kept: Vec<bool>,
}

impl Repack {
    /// Of `packs`, which are of one edition of Unicode, the filters of the files that `keep` says,
    /// each once.
    pub(super) fn new(packs: &[&Pack], keep: &dyn Fn(&str) -> bool) -> Self {
        let (mut files, mut seen) = (Vec::new(), BTreeSet::new());
        let mut inputs = Vec::new();
        for pack in packs {
            let mut kept = Vec::new();
            for file in &pack.footer.files {
                let keeps = keep(&file.path) && seen.insert(file.path.as_str());
                kept.extend(std::iter::repeat_n(keeps, file.slices()));
                files.extend(keeps.then(|| file.clone()));
            }
            inputs.push(Input {
                pack: (*pack).clone(),
                kept,
            });
        }
        let footer = footer(files, &inputs);
        Self { inputs, footer }
    }

    /// Nothing is kept.
    pub(super) fn is_empty(&self) -> bool {
        self.footer.files.is_empty()
    }

    /// Bytes of the new pack, its footer left out.
    pub(super) fn bytes(&self) -> u64 {
        let members = self.footer.members.iter();
        let ends = members.map(|member| member.range(0..member.sections()).end);
        ends.max().unwrap_or(0)
    }

    /// Writes the pack to `location`.
    pub(super) async fn write(
        self,
        store: &Arc<dyn ObjectStore>,
        location: Path,
    ) -> Result<(), Failed> {
        let mut upload = BufWriter::with_capacity(Arc::clone(store), location, PART_BYTES);
        let written = self.write_all(store, &mut upload).await;
        let written = match written {
            Ok(()) => upload.shutdown().await.map_err(|error| {
                let text = "the store did not complete an upload";
                Failed::Store(Error::unavailable(text).with_source(error))
            }),
            Err(error) => Err(error),
        };
        if written.is_err() {
            // Parts that stay are the store's to expire.
            let _ = upload.abort().await;
        }
        written
    }

    async fn write_all(
        &self,
        store: &Arc<dyn ObjectStore>,
        upload: &mut BufWriter,
    ) -> Result<(), Failed> {
        send(upload, MAGIC.to_vec()).await?;
        let window_bytes = WINDOWS_BYTES / self.inputs.len().max(1);
        for member in &self.footer.members {
            let mut sources: Vec<Source<'_>> = self
                .inputs
                .iter()
                .filter_map(|input| Source::of(input, &member.of, window_bytes))
                .collect();
            for at in 0..member.sections() {
                let mut blocks = Vec::with_capacity(member.section_bytes());
                for source in &mut sources {
                    source.copy(store, member.cuts, at, &mut blocks).await?;
                }
                send(upload, section(blocks)).await?;
            }
        }
        let footer = self.footer.encode().map_err(Failed::Store)?;
        send(upload, footer).await
    }
}

fn footer(files: Vec<PackedFile>, inputs: &[Input]) -> Footer {
    let of: BTreeSet<&Of> = inputs
        .iter()
        .flat_map(Input::members)
        .map(|m| &m.of)
        .collect();
    let mut members: BTreeMap<&Of, (u8, Vec<Option<u8>>)> =
        of.into_iter().map(|of| (of, (0, Vec::new()))).collect();
    for input in inputs {
        for (of, (cuts, filters)) in &mut members {
            let member = input.members().find(|member| member.of == **of);
            // A section of the new pack comes from one of each old one.
            *cuts = member.map_or(*cuts, |member| member.cuts.max(*cuts));
            let slices = input.kept.iter().enumerate().filter(|(_, kept)| **kept);
            filters.extend(slices.map(|(at, _)| *member?.filters.get(at)?));
        }
    }
    let members = members.into_iter();
    let members = members.map(|(of, (cuts, filters))| (of.clone(), cuts, filters));
    let mut footer = Footer::new(files, members.collect());
    if let Some(input) = inputs.first() {
        footer.unicode = input.pack.footer.unicode;
    }
    footer
}

impl Input {
    fn members(&self) -> impl Iterator<Item = &Member> {
        self.pack.footer.members.iter()
    }
}

/// One member of one pack, read from its first section to its last.
struct Source<'a> {
    input: &'a Input,
    member: &'a Member,
    /// What is read at once, one section at least.
    window_bytes: usize,
    /// The sections in memory, and their bytes.
    window: Range<usize>,
    bytes: Bytes,
    /// The section whose checksum was looked at last.
    checked: Option<usize>,
}

impl<'a> Source<'a> {
    fn of(input: &'a Input, of: &Of, window_bytes: usize) -> Option<Self> {
        Some(Self {
            input,
            member: input.members().find(|member| member.of == *of)?,
            window_bytes,
            window: 0..0,
            bytes: Bytes::new(),
            checked: None,
        })
    }

    /// Appends its part of section `at` of 2^`cuts` to `blocks`.
    async fn copy(
        &mut self,
        store: &Arc<dyn ObjectStore>,
        cuts: u8,
        at: usize,
        blocks: &mut Vec<u8>,
    ) -> Result<(), Failed> {
        let old = at >> cuts.saturating_sub(self.member.cuts);
        self.load(store, old).await?;
        let bytes = self.section(old).map_err(|error| self.broken(error))?;
        let mut begin = 0;
        for (bits, kept) in self.member.filters.iter().zip(&self.input.kept) {
            let Some(bits) = *bits else { continue };
            let (there, wanted) = (part(bits, self.member.cuts, old), part(bits, cuts, at));
            if *kept {
                let from = begin + wanted.start.saturating_sub(there.start);
                let range = from * BLOCK_BYTES..(from + wanted.len()) * BLOCK_BYTES;
                let some = bytes
                    .get(range)
                    .ok_or_else(|| self.broken(Error::data("a section of filters is too short")))?;
                blocks.extend_from_slice(some);
            }
            begin += there.len();
        }
        Ok(())
    }

    /// Brings section `at` into memory, and those that follow.
    async fn load(&mut self, store: &Arc<dyn ObjectStore>, at: usize) -> Result<(), Failed> {
        if !self.window.contains(&at) {
            let ahead = (self.window_bytes / self.member.section_bytes()).max(1);
            self.window = at..(at + ahead).min(self.member.sections());
            let range = self.member.range(self.window.clone());
            let location = &self.input.pack.listed.object.location;
            let read = store.get_range(location, range).await;
            self.bytes = read.map_err(|error| match Error::from(error) {
                error if error.kind() == ErrorKind::NotFound => self.broken(error),
                error => Failed::Store(error),
            })?;
        }
        if self.checked != Some(at) {
            let section = self.section(at).map_err(|error| self.broken(error))?;
            let checked = self.member.checked(section).map(drop);
            checked.map_err(|error| self.broken(error))?;
            self.checked = Some(at);
        }
        Ok(())
    }

    /// A section that is in memory, its checksum included.
    fn section(&self, at: usize) -> Result<&[u8], Error> {
        let bytes = self.member.section_bytes();
        let from = at.saturating_sub(self.window.start) * bytes;
        let section = self.bytes.get(from..from + bytes);
        section.ok_or_else(|| Error::data("a pack of filters is too short"))
    }

    fn broken(&self, error: Error) -> Failed {
        Failed::Pack(self.input.pack.listed.id, error)
    }
}

async fn send(upload: &mut BufWriter, bytes: Vec<u8>) -> Result<(), Failed> {
    let sent = upload.put(bytes.into()).await;
    sent.map_err(|error| Failed::Store(error.into()))
}
