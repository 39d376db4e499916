//! Tokens: how one is made, what is stored of it, and how it is recognised.
//!
//! `eddy_<id>_<secret>`: the id finds the stored hash, the secret has 256 random bits. Nobody can
//! guess it whatever a guess costs, so argon2 is asked for little here; it keeps what is stored in
//! a lake from being of use to whoever reads it.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};

const PREFIX: &str = "eddy_";
const ID_BYTES: usize = 8;
const SECRET_BYTES: usize = 32;
const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 32;
/// A verification takes this much memory for some milliseconds.
const MEMORY_KIB: u32 = 8 << 10;
const PASSES: u32 = 2;
/// What this build agrees to spend on a stored hash, whoever wrote it.
const MEMORY_KIB_MOST: u32 = 64 << 10;
const PASSES_MOST: u32 = 10;

/// A token as its owner has it. `Debug` doesn't show it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Token(String);

impl Token {
    /// A token that somebody sent or wrote down.
    pub(super) fn given(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// A new one, and its id.
    ///
    /// # Errors
    /// `Internal` when the machine has no random numbers.
    pub(super) fn random() -> Result<(String, Self)> {
        let id: String = random::<ID_BYTES>()?
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let secret = BASE64_URL_SAFE_NO_PAD.encode(random::<SECRET_BYTES>()?);
        let token = Self(format!("{PREFIX}{id}_{secret}"));
        Ok((id, token))
    }

    /// The text, for its owner.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }

    /// The id within it, if it looks like one of ours.
    pub(super) fn id(&self) -> Option<&str> {
        let (id, secret) = self.0.strip_prefix(PREFIX)?.split_once('_')?;
        (id.len() == 2 * ID_BYTES && !secret.is_empty()).then_some(id)
    }

    /// What stands for it in memory.
    pub(super) fn digest(&self) -> Digest {
        let mut bytes = [0; 32];
        let digest = digest(&SHA256, self.0.as_bytes());
        bytes.copy_from_slice(digest.as_ref());
        bytes
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// SHA-256 of a token.
pub(super) type Digest = [u8; 32];

/// What is stored of a token: argon2id with its costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Hashed {
    memory_kib: u32,
    passes: u32,
    salt: String,
    hash: String,
}

impl Hashed {
    /// Hashes a token with a new salt. Takes milliseconds of a processor.
    ///
    /// # Errors
    /// `Internal` when the machine has no random numbers or no memory.
    pub(super) fn new(token: &Token) -> Result<Self> {
        let salt = random::<SALT_BYTES>()?;
        let hash = argon2id(token, &salt, MEMORY_KIB, PASSES)?;
        Ok(Self {
            memory_kib: MEMORY_KIB,
            passes: PASSES,
            salt: BASE64_STANDARD.encode(salt),
            hash: BASE64_STANDARD.encode(hash),
        })
    }

    /// Whether it is this token's. Takes milliseconds of a processor.
    ///
    /// # Errors
    /// `Data` for a stored hash that this build can't compute.
    pub(super) fn is_of(&self, token: &Token) -> Result<bool> {
        let wrong = || Error::new(ErrorKind::Data, "the stored hash of a token can't be read");
        if self.memory_kib > MEMORY_KIB_MOST || self.passes > PASSES_MOST {
            return Err(wrong());
        }
        let salt = BASE64_STANDARD.decode(&self.salt).map_err(|_| wrong())?;
        let stored = BASE64_STANDARD.decode(&self.hash).map_err(|_| wrong())?;
        let hash = argon2id(token, &salt, self.memory_kib, self.passes)?;
        // Takes as long wherever the first difference is.
        let differences = hash
            .iter()
            .zip(&stored)
            .fold(0, |all, (a, b)| all | (a ^ b));
        Ok(stored.len() == HASH_BYTES && differences == 0)
    }
}

fn argon2id(token: &Token, salt: &[u8], memory_kib: u32, passes: u32) -> Result<[u8; HASH_BYTES]> {
    let failed = |error: argon2::Error| {
        Error::new(
            ErrorKind::Internal,
            format!("a token can't be hashed: {error}"),
        )
    };
    let params = Params::new(memory_kib, passes, 1, Some(HASH_BYTES)).map_err(failed)?;
    let mut hash = [0; HASH_BYTES];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(token.0.as_bytes(), salt, &mut hash)
        .map_err(failed)?;
    Ok(hash)
}

fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| Error::new(ErrorKind::Internal, "the machine has no random numbers"))?;
    Ok(bytes)
}

/// What argon2 said of a token and a stored hash, so that a request needn't ask it again. It never
/// changes; what does (revoked, expired) is asked each time. Forgotten after a while, the oldest
/// first.
#[derive(Debug)]
pub(super) struct Memory {
    most: usize,
    keep: Duration,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    hashes: HashMap<Digest, Hashed>,
    order: VecDeque<(Duration, Digest)>,
}

impl Memory {
    pub(super) fn new(most: usize, keep: Duration) -> Self {
        Self {
            most,
            keep,
            known: Mutex::default(),
        }
    }

    /// Whether this token and this hash were noted together.
    pub(super) fn has(&self, now: Duration, token: &Digest, hash: &Hashed) -> bool {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.forget(now, self.keep, self.most);
        known.hashes.get(token) == Some(hash)
    }

    pub(super) fn note(&self, now: Duration, token: Digest, hash: Hashed) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.hashes.insert(token, hash).is_none() {
            known.order.push_back((now, token));
        }
        known.forget(now, self.keep, self.most);
    }
}

impl Known {
    fn forget(&mut self, now: Duration, keep: Duration, most: usize) {
        while let Some((noted, token)) = self.order.front() {
            if self.order.len() <= most && now < noted.saturating_add(keep) {
                return;
            }
            self.hashes.remove(token);
            self.order.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_token_is_found_by_its_id_and_known_by_its_hash_alone() {
        let (id, token) = Token::random().unwrap();
        let (_, other) = Token::random().unwrap();
        assert_eq!(token.id(), Some(id.as_str()));
        assert_eq!(Token::given("eddy_short_x").id(), None);
        assert!(token.reveal().len() >= 64);
        let hash = Hashed::new(&token).unwrap();
        assert!(hash.is_of(&token).unwrap());
        assert!(!hash.is_of(&other).unwrap());
        let stored = serde_json::to_string(&hash).unwrap();
        let secret = token.reveal().rsplit_once('_').unwrap().1;
        assert!(!stored.contains(secret) && !format!("{token:?}").contains(secret));
        assert_ne!(Hashed::new(&token).unwrap(), hash, "each has a salt");
        let mut dear = hash;
        dear.memory_kib = u32::MAX;
        assert!(dear.is_of(&token).is_err());
    }

    #[test]
    fn what_is_remembered_of_tokens_is_bounded_in_number_and_time() {
        let memory = Memory::new(2, Duration::from_secs(10));
        let hash = Hashed {
            memory_kib: 8,
            passes: 1,
            salt: String::new(),
            hash: String::new(),
        };
        let second = Duration::from_secs;
        for token in 0..3_u8 {
            memory.note(second(u64::from(token)), [token; 32], hash.clone());
        }
        let has = |now, token: u8| memory.has(second(now), &[token; 32], &hash);
        assert!(!has(3, 0) && has(3, 1) && has(3, 2));
        assert!(!has(11, 1) && has(11, 2));
        let mut other = hash.clone();
        other.salt.push('x');
        assert!(!memory.has(second(11), &[2; 32], &other));
    }
}
