//! Who reads a block: of all that want one at once a single one does, and the others wait for it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::watch;

/// A block of a file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    /// The file: its lake, path, size and time.
    pub(super) object: Arc<str>,
    /// The block, by its place in the file.
    pub(super) number: u64,
}

impl Key {
    /// The same as text.
    pub(super) fn text(&self) -> String {
        format!("{}#{}", self.object, self.number)
    }
}

/// The blocks that are being read.
#[derive(Debug, Default)]
pub(super) struct Flights(Mutex<HashMap<Key, Flight>>);

/// A block that another one reads.
type Flight = watch::Receiver<Option<Bytes>>;

/// What became of the blocks that somebody wanted.
pub(super) struct Claim<'a> {
    /// Those that are there.
    pub(super) held: BTreeMap<u64, Bytes>,
    /// Those that the caller has to read now.
    pub(super) mine: Mine<'a>,
    /// Those that others read.
    pub(super) others: Vec<(u64, Others)>,
}

/// A block that another one reads.
pub(super) struct Others(Flight);

/// Blocks that are their holder's to read. What it doesn't [`Mine::land`] until it is dropped is
/// anybody's again.
pub(super) struct Mine<'a> {
    flights: &'a Flights,
    object: Arc<str>,
    blocks: BTreeMap<u64, watch::Sender<Option<Bytes>>>,
}

impl Flights {
    /// Parts the blocks `wanted` of `object` into those that `held` has, and who reads the others.
    pub(super) fn claim(
        &self,
        object: &Arc<str>,
        wanted: &[u64],
        held: impl Fn(&Key) -> Option<Bytes>,
    ) -> Claim<'_> {
        let mut claim = Claim {
            held: BTreeMap::new(),
            mine: Mine {
                flights: self,
                object: Arc::clone(object),
                blocks: BTreeMap::new(),
            },
            others: Vec::new(),
        };
        let mut flights = self.lock();
        for number in wanted {
            let key = Key {
                object: Arc::clone(object),
                number: *number,
            };
            // Within the lock: who lands a block makes it held first, and then ends its flight.
            if let Some(bytes) = held(&key) {
                claim.held.insert(*number, bytes);
            } else if let Some(flight) = flights.get(&key) {
                claim.others.push((*number, Others(flight.clone())));
            } else {
                let (tx, rx) = watch::channel(None);
                flights.insert(key, rx);
                claim.mine.blocks.insert(*number, tx);
            }
        }
        claim
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Flight>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Mine<'_> {
    /// The blocks that haven't landed.
    pub(super) fn left(&self) -> Vec<u64> {
        self.blocks.keys().copied().collect()
    }

    /// Gives a block to those that wait for it. It is held already.
    pub(super) fn land(&mut self, key: &Key, bytes: &Bytes) {
        self.flights.lock().remove(key);
        if let Some(waiting) = self.blocks.remove(&key.number) {
            waiting.send_replace(Some(bytes.clone()));
        }
    }
}

impl Drop for Mine<'_> {
    fn drop(&mut self) {
        let mut flights = self.flights.lock();
        for number in self.blocks.keys() {
            flights.remove(&Key {
                object: Arc::clone(&self.object),
                number: *number,
            });
        }
    }
}

impl Others {
    /// The block, once it is there; `None` when who read it gave up.
    pub(super) async fn landed(mut self) -> Option<Bytes> {
        let landed = self.0.wait_for(Option::is_some).await.ok()?;
        landed.clone()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use futures::FutureExt;

    use super::*;

    fn none(_: &Key) -> Option<Bytes> {
        None
    }

    #[tokio::test]
    async fn a_block_has_one_reader_at_a_time_and_the_others_get_what_it_read() {
        let flights = Flights::default();
        let object: Arc<str> = "file".into();
        let mut first = flights.claim(&object, &[1, 2], none);
        let second = flights.claim(&object, &[2, 3], none);
        assert_eq!(
            (first.mine.left(), second.mine.left()),
            (vec![1, 2], vec![3])
        );
        let (number, others) = second.others.into_iter().next().unwrap();
        assert_eq!(number, 2);
        let mut landed = Box::pin(others.landed());
        assert!(landed.as_mut().now_or_never().is_none());
        let key = Key {
            object: Arc::clone(&object),
            number: 2,
        };
        let bytes = Bytes::from_static(b"two");
        first.mine.land(&key, &bytes);
        assert_eq!(landed.await, Some(bytes));
        let other: Arc<str> = "other".into();
        assert_eq!(flights.claim(&other, &[1], none).mine.left(), [1]);
    }

    #[tokio::test]
    async fn what_a_reader_gave_up_is_anybodys_again() {
        let flights = Flights::default();
        let object: Arc<str> = "file".into();
        let first = flights.claim(&object, &[1], none);
        let second = flights.claim(&object, &[1], none);
        drop(first);
        for (_, others) in second.others {
            assert_eq!(others.landed().await, None);
        }
        let third = flights.claim(&object, &[1], none);
        assert_eq!(third.mine.left(), [1]);
        drop((second.mine, third.mine));
        assert!(flights.lock().is_empty());
    }
}
