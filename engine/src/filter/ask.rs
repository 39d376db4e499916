//! Which rows may be those that a query wants: the packs of a table, asked with few requests.
//!
//! Footers and the sections that were read stay in memory, within a bound. What can't be read costs
//! a warning and nothing else: its files are read as if they had no filters.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use object_store::ObjectStoreExt;

use crate::error::Result;
use crate::filter::known::{Known, Pack};
use crate::filter::sections::{Key, Sections};
use crate::filter::slices::Allowed;
use crate::filter::wanted::{Probe, Wanted};
use crate::filter::words::UNICODE;
use crate::lake::Lake;
use crate::path::TablePath;

/// Requests under way at once.
pub(super) const AT_ONCE: usize = 16;

/// Values that one query asks for; more aren't worth the requests.
const PROBES_MOST: usize = 64;

/// Sections that one query reads; what the others would say is taken for a yes.
const SECTIONS_MOST: usize = 512;

/// Packs are looked for anew when the table has a newer version than at the last look, and at least
/// this often: filters come for files that are there, too.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// The filters of a lake's tables, as much of them as was asked for. Synchronised; share one.
pub struct Filters {
    lake: Lake,
    memory_bytes: usize,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    tables: BTreeMap<TablePath, (u64, Arc<Known>)>,
    sections: Sections,
    looks: u64,
}

/// What filters say of some files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// For each file that was asked about: which rows of each of its row groups may be wanted;
    /// `None` when nothing is known of it.
    pub row_groups: Vec<Option<Vec<Allowed>>>,
    /// Requests to the store that it took.
    pub requests: u64,
    /// Bytes that these read.
    pub bytes: u64,
}

impl fmt::Debug for Filters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Filters")
            .field("lake", &self.lake)
            .finish_non_exhaustive()
    }
}

impl Filters {
    /// Holds at most about `memory_bytes` of footers and sections.
    pub fn new(lake: &Lake, memory_bytes: usize) -> Self {
        Self {
            lake: lake.clone(),
            memory_bytes,
            held: Mutex::default(),
        }
    }

    /// Which rows of `files`, by their paths, may be `wanted`. The files are
    /// those of version `version` of `table`.
    pub async fn ask(
        &self,
        table: &TablePath,
        version: u64,
        files: &[&str],
        wanted: &Wanted,
    ) -> Verdict {
        let mut verdict = Verdict {
            row_groups: vec![None; files.len()],
            ..Verdict::default()
        };
        let probes = wanted.probes();
        if files.is_empty() || probes.is_empty() || probes.len() > PROBES_MOST {
            return verdict;
        }
        let known = match self.known(table, version, &mut verdict).await {
            Ok(known) => known,
            Err(error) => {
                let topic = table.topic();
                tracing::warn!(topic, %error, "filters can't be listed; files are read instead");
                return verdict;
            }
        };
        let mut by_pack: BTreeMap<usize, Vec<(usize, usize, usize)>> = BTreeMap::new();
        for (at, path) in files.iter().enumerate() {
            if let Some(place) = known.place(path) {
                let files = by_pack.entry(place.pack).or_default();
                files.push((at, place.first, place.file));
            }
        }
        let needed = by_pack.keys().filter_map(|pack| known.packs.get(*pack));
        let needed: Vec<&Arc<Pack>> = needed.collect();
        let sections = self.sections(table, &needed, &probes, &mut verdict).await;
        for (pack, files) in needed.iter().zip(by_pack.values()) {
            let answers = self.answers(table, pack, &probes, &sections);
            for (at, first, file) in files {
                let file = pack.footer.files.get(*file);
                let allowed =
                    file.map(|file| file.allowed(|slice| wanted.allows(&answers, first + slice)));
                if let Some(place) = verdict.row_groups.get_mut(*at) {
                    *place = allowed;
                }
            }
        }
        verdict
    }

    /// The packs of a table, looked for anew if need be.
    async fn known(
        &self,
        table: &TablePath,
        version: u64,
        verdict: &mut Verdict,
    ) -> Result<Arc<Known>> {
        let now = self.lake.clock().monotonic();
        let before = {
            let mut held = self.lock();
            held.looks += 1;
            let looks = held.looks;
            let entry = held.tables.get_mut(table);
            entry.map(|(used, known)| {
                *used = looks;
                Arc::clone(known)
            })
        };
        if let Some(known) = &before
            && version <= known.version
            && now.saturating_sub(known.looked_at) < LOOK_EVERY
        {
            return Ok(Arc::clone(known));
        }
        let most = self.memory_bytes / 2;
        let looked = Known::look(&self.lake, table, version, before.as_deref(), most).await?;
        verdict.requests += looked.requests;
        verdict.bytes += looked.bytes;
        let known = Arc::new(looked.known);
        let mut held = self.lock();
        held.looks += 1;
        let used = held.looks;
        held.tables
            .insert(table.clone(), (used, Arc::clone(&known)));
        while held.tables.len() > 1
            && held
                .tables
                .values()
                .map(|(_, known)| known.footer_bytes)
                .sum::<usize>()
                > most
        {
            let oldest = held.tables.iter().min_by_key(|(_, (used, _))| *used);
            let Some(oldest) = oldest.map(|(table, _)| table.clone()) else {
                break;
            };
            held.tables.remove(&oldest);
        }
        Ok(known)
    }

    /// The sections that answer for `probes`, from memory or from the store.
    async fn sections(
        &self,
        table: &TablePath,
        packs: &[&Arc<Pack>],
        probes: &[&Probe],
        verdict: &mut Verdict,
    ) -> BTreeMap<Key, Bytes> {
        let mut wanted = BTreeMap::new();
        for pack in packs {
            for (key, range) in probes.iter().filter_map(|probe| pack.section(probe)) {
                wanted.insert(key, (Arc::clone(pack), range));
            }
        }
        let mut found = BTreeMap::new();
        {
            let mut held = self.lock();
            wanted.retain(|key, _| match held.sections.get(key) {
                Some(bytes) => {
                    found.insert(*key, bytes);
                    false
                }
                None => true,
            });
        }
        let wanted = wanted.into_iter().take(SECTIONS_MOST);
        let reads = wanted.map(|(key, (pack, range))| {
            let store = Arc::clone(self.lake.store());
            async move {
                let read = store.get_range(&pack.location, range).await;
                (key, read)
            }
        });
        let mut reads = futures::stream::iter(reads).buffer_unordered(AT_ONCE);
        while let Some((key, read)) = reads.next().await {
            verdict.requests += 1;
            match read {
                Ok(bytes) => {
                    verdict.bytes += u64::try_from(bytes.len()).unwrap_or(0);
                    let mut held = self.lock();
                    held.sections.put(key, bytes.clone(), self.memory_bytes / 2);
                    found.insert(key, bytes);
                }
                Err(error) => {
                    unreadable(table, key, &error);
                    // It may have been replaced: the next query looks anew.
                    self.lock().tables.remove(table);
                }
            }
        }
        found
    }

    /// What one pack says of its slices; probes that it can't answer for are left out.
    fn answers<'a>(
        &self,
        table: &TablePath,
        pack: &Pack,
        probes: &[&'a Probe],
        sections: &BTreeMap<Key, Bytes>,
    ) -> BTreeMap<&'a Probe, Vec<bool>> {
        let mut answers = BTreeMap::new();
        let mut broken = BTreeSet::new();
        for probe in probes {
            let Some((key, _)) = pack.section(probe) else {
                continue;
            };
            let Some(section) = sections.get(&key).filter(|_| !broken.contains(&key)) else {
                continue;
            };
            match pack.answer(probe, section) {
                Ok(answer) => {
                    answers.insert(*probe, answer);
                }
                Err(error) => {
                    unreadable(table, key, &error);
                    self.lock().sections.forget(&key);
                    broken.insert(key);
                }
            }
        }
        answers
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pack {
    /// Where the section lies that answers for `probe`; `None` when none can.
    fn section(&self, probe: &Probe) -> Option<(Key, std::ops::Range<u64>)> {
        if self.footer.unicode != UNICODE && !probe.plain {
            return None;
        }
        let mut members = self.footer.members.iter().enumerate();
        let (member, found) = members.find(|(_, member)| member.of == probe.of)?;
        let section = found.section_of(probe.hash);
        let key = Key {
            pack: self.id,
            member,
            section,
        };
        Some((key, found.range(section..section + 1)))
    }

    fn answer(&self, probe: &Probe, section: &[u8]) -> Result<Vec<bool>> {
        let mut members = self.footer.members.iter();
        match members.find(|member| member.of == probe.of) {
            Some(member) => member.answer(section, probe.hash),
            None => Ok(Vec::new()),
        }
    }
}

fn unreadable(table: &TablePath, key: Key, error: &dyn std::error::Error) {
    tracing::warn!(
        topic = table.topic(),
        pack = %key.pack,
        %error,
        "filters can't be read; the row groups that they tell of are read instead"
    );
}
