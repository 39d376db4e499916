//! [`Blocks`]: a block from memory, from disk or from the store, whichever has it first.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::Future;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use eddy_engine::Clock;
use foyer::{Cache, CacheBuilder};
use futures::{StreamExt, TryStreamExt};

use super::CacheOptions;
use super::disk::Disk;
use super::flights::{Claim, Flights, Key, Mine};
use super::measures::{self, Evictions, Tier};
use super::plan::{range_of, requests};
use crate::error::Result;

/// Requests, and reads of the disk, that one scan has under way at once.
const AT_ONCE: usize = 10;

/// Parts of the memory that have a lock each: so many bytes.
const SHARD_BYTES: usize = 16 << 20;

/// A file whose blocks are wanted.
pub(super) struct Wanted<'a> {
    /// The file: its lake, path, size and time.
    pub(super) object: &'a Arc<str>,
    /// Its size, in bytes.
    pub(super) size: u64,
}

/// Blocks that were wanted.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) blocks: BTreeMap<u64, Bytes>,
    /// Those of them that were read from the store for this.
    pub(super) read: BTreeSet<u64>,
}

/// The blocks of all files of all remote lakes.
pub(crate) struct Blocks {
    memory: Cache<Key, Bytes>,
    disk: Option<Arc<Disk>>,
    flights: Flights,
}

impl fmt::Debug for Blocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blocks")
            .field("memory_bytes", &self.memory.capacity())
            .field("disk", &self.disk.is_some())
            .finish_non_exhaustive()
    }
}

impl Blocks {
    /// A cache as `options` say, on the runtime that this runs on; `None` where it is off.
    ///
    /// # Errors
    /// `Invalid` when the folder on disk can't be used.
    pub(crate) async fn open(options: CacheOptions, clock: Clock) -> Result<Option<Arc<Self>>> {
        if options.memory_bytes == 0 {
            return Ok(None);
        }
        let disk = match &options.directory {
            Some(folder) if options.disk_bytes > 0 => {
                let disk = Disk::open(folder, options.disk_bytes, &clock).await?;
                let disk = Arc::new(disk);
                tokio::spawn(forgetting(Arc::downgrade(&disk), clock));
                Some(disk)
            }
            _ => None,
        };
        Ok(Some(Arc::new(Self::new(options.memory_bytes, disk))))
    }

    /// At most `memory_bytes` in memory.
    pub(super) fn new(memory_bytes: usize, disk: Option<Arc<Disk>>) -> Self {
        let memory = CacheBuilder::new(memory_bytes)
            .with_shards((memory_bytes / SHARD_BYTES).clamp(1, 8))
            .with_weighter(|key: &Key, block: &Bytes| key.object.len() + block.len())
            .with_event_listener(Arc::new(Evictions))
            .build();
        Self {
            memory,
            disk,
            flights: Flights::default(),
        }
    }

    /// The blocks `numbers` of a file. Those that nobody has are read by `fetch`, which is given a
    /// range of the file's bytes and gives all of them.
    ///
    /// # Errors
    /// Those of `fetch`.
    pub(super) async fn get<F>(
        &self,
        wanted: Wanted<'_>,
        numbers: Vec<u64>,
        fetch: impl Fn(Range<u64>) -> F,
    ) -> object_store::Result<Found>
    where
        F: Future<Output = object_store::Result<Bytes>>,
    {
        let mut found = Found::default();
        let mut left = numbers;
        while !left.is_empty() {
            let Claim {
                held,
                mut mine,
                others,
            } = self
                .flights
                .claim(wanted.object, &left, |key| self.held(key));
            count(Tier::Memory, held.values());
            found.blocks.extend(held);
            self.read_disk(&wanted, &mut mine, &mut found).await;
            self.read_store(&wanted, mine, &fetch, &mut found).await?;
            left.clear();
            for (number, other) in others {
                match other.landed().await {
                    Some(block) => {
                        count(Tier::Memory, [&block]);
                        found.blocks.insert(number, block);
                    }
                    // Who read it gave up: it is ours, or somebody else's again.
                    None => left.push(number),
                }
            }
        }
        Ok(found)
    }

    /// Gives up all that is in memory.
    #[cfg(test)]
    pub(super) fn forget_memory(&self) {
        self.memory.clear();
    }

    fn held(&self, key: &Key) -> Option<Bytes> {
        self.memory.get(key).map(|entry| entry.value().clone())
    }

    fn land(&self, wanted: &Wanted<'_>, number: u64, block: &Bytes, mine: &mut Mine<'_>) -> Key {
        let key = wanted.key(number);
        drop(self.memory.insert(key.clone(), block.clone()));
        measures::held(self.memory.usage());
        mine.land(&key, block);
        key
    }

    async fn read_disk(&self, wanted: &Wanted<'_>, mine: &mut Mine<'_>, found: &mut Found) {
        let Some(disk) = &self.disk else {
            return;
        };
        let reads = mine.left().into_iter().map(|number| async move {
            let block = disk.get(&wanted.key(number)).await;
            (number, block)
        });
        let mut reads = futures::stream::iter(reads).buffer_unordered(AT_ONCE);
        while let Some((number, block)) = reads.next().await {
            let range = range_of(number, wanted.size);
            // What is shorter than it should be is no block of this file.
            let whole = |block: &Bytes| is_long(block, range.end - range.start);
            if let Some(block) = block.filter(whole) {
                count(Tier::Disk, [&block]);
                self.land(wanted, number, &block, mine);
                found.blocks.insert(number, block);
            }
        }
    }

    async fn read_store<F>(
        &self,
        wanted: &Wanted<'_>,
        mut mine: Mine<'_>,
        fetch: &impl Fn(Range<u64>) -> F,
        found: &mut Found,
    ) -> object_store::Result<()>
    where
        F: Future<Output = object_store::Result<Bytes>>,
    {
        let missing: BTreeSet<u64> = mine.left().into_iter().collect();
        let reads = requests(&mine.left()).into_iter().map(|request| async {
            let bytes = wanted.bytes_of(&request);
            let read = fetch(bytes.clone()).await?;
            match is_long(&read, bytes.end - bytes.start) {
                true => Ok((request, bytes.start, read)),
                false => Err(short(wanted.object, &bytes, read.len())),
            }
        });
        let mut reads = futures::stream::iter(reads).buffer_unordered(AT_ONCE);
        while let Some((request, start, read)) = reads.try_next().await? {
            for number in missing.range(request) {
                let range = range_of(*number, wanted.size);
                let part = within(&range, start);
                let block = match read.get(part) {
                    Some(all) if all.len() == read.len() => read.clone(),
                    // A copy: a slice would keep all that was read for as long as it is kept.
                    Some(part) => Bytes::copy_from_slice(part),
                    None => return Err(short(wanted.object, &range, read.len())),
                };
                count(Tier::Store, [&block]);
                let key = self.land(wanted, *number, &block, &mut mine);
                if let Some(disk) = &self.disk {
                    disk.put(&key, &block);
                }
                found.read.insert(*number);
                found.blocks.insert(*number, block);
            }
        }
        Ok(())
    }
}

impl Wanted<'_> {
    fn key(&self, number: u64) -> Key {
        Key {
            object: Arc::clone(self.object),
            number,
        }
    }

    /// The bytes of a range of blocks.
    fn bytes_of(&self, blocks: &Range<u64>) -> Range<u64> {
        let last = range_of(blocks.end.saturating_sub(1), self.size);
        range_of(blocks.start, self.size).start..last.end
    }
}

/// Where `range` of a file lies in what was read of it from `start` on.
fn within(range: &Range<u64>, start: u64) -> Range<usize> {
    let at = |offset: u64| usize::try_from(offset.saturating_sub(start)).unwrap_or(usize::MAX);
    at(range.start)..at(range.end)
}

fn is_long(bytes: &Bytes, length: u64) -> bool {
    u64::try_from(bytes.len()) == Ok(length)
}

fn count<'a>(from: Tier, blocks: impl IntoIterator<Item = &'a Bytes>) {
    let (mut number, mut bytes) = (0, 0);
    for block in blocks {
        number += 1;
        bytes += block.len();
    }
    if number > 0 {
        measures::found(from, number, bytes);
    }
}

fn short(object: &str, range: &Range<u64>, got: usize) -> object_store::Error {
    object_store::Error::Generic {
        store: "blocks",
        source: format!("of bytes {range:?} of `{object}` the store gave {got}").into(),
    }
}

/// Forgets what is too old also when nobody asks for anything.
async fn forgetting(disk: std::sync::Weak<Disk>, clock: Clock) {
    while let Some(wait) = disk.upgrade().map(|disk| disk.forget()) {
        clock.sleep(wait).await;
    }
}
