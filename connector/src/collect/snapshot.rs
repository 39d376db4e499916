//! The collections at one moment, found by the tokens that open them: pure.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::collection::{Collection, Issued, State};
use super::declared::Declared;
use super::tokens::Digest;

/// The collections at one moment, and which tokens open them.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    pub(super) collections: BTreeMap<String, Collection>,
    /// Ids of issued tokens, each with its collection's name.
    issued: HashMap<String, String>,
    /// Declared tokens by their digests: collection and id.
    declared: HashMap<Digest, (String, String, Option<u32>)>,
    /// The number of the next object of those that are stored: more is newer.
    pub(super) number: u64,
    /// On the process's clock.
    pub(super) read_at: Duration,
}

impl Snapshot {
    /// What is stored, before object `number` is, and what the file declares, as it was at
    /// `read_at`.
    pub(super) fn new(
        stored: BTreeMap<String, Collection>,
        declared: &[Declared],
        number: u64,
        read_at: Duration,
    ) -> Self {
        let mut snapshot = Self {
            collections: stored,
            number,
            read_at,
            ..Self::default()
        };
        // The file has the last word on its names.
        for one in declared {
            let collection = Collection {
                name: one.name.clone(),
                topic: one.topic.clone(),
                state: State::Active,
                tokens: Vec::new(),
                declared: true,
            };
            snapshot.collections.insert(one.name.clone(), collection);
            for (id, token) in &one.tokens {
                let opens = (one.name.clone(), id.clone(), one.rate);
                snapshot.declared.insert(token.digest(), opens);
            }
        }
        for (name, collection) in &snapshot.collections {
            let ids = collection.tokens.iter();
            let ids = ids.map(|token| (token.id.clone(), name.clone()));
            snapshot.issued.extend(ids);
        }
        snapshot
    }

    /// The collection and the issued token with this id.
    pub(super) fn issued(&self, id: &str) -> Option<(&Collection, &Issued)> {
        let collection = self.collections.get(self.issued.get(id)?)?;
        let issued = collection.tokens.iter().find(|token| token.id == id)?;
        Some((collection, issued))
    }

    /// The collection that a declared token opens, the token's id and its rate.
    pub(super) fn declared(&self, token: &Digest) -> Option<(&Collection, &str, Option<u32>)> {
        let (name, id, rate) = self.declared.get(token)?;
        Some((self.collections.get(name)?, id, *rate))
    }

    /// Those that the lake has.
    pub(super) fn stored(&self) -> BTreeMap<String, Collection> {
        let all = self.collections.iter().filter(|(_, one)| !one.declared);
        all.map(|(name, one)| (name.clone(), one.clone())).collect()
    }
}
