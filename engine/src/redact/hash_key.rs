//! The key of hashes: it goes in once and never comes out, not even in `Debug`.

use std::fmt;

use ring::hmac;

/// The hexadecimal digits of a hash.
pub(super) const HASH_DIGITS: usize = 64;

/// A secret key of HMAC-SHA-256.
#[derive(Clone)]
pub struct HashKey(hmac::Key);

impl HashKey {
    /// The fewest bytes of a key: fewer could be guessed, and with the key the values.
    pub const LEAST_BYTES: usize = 16;

    /// Takes the bytes of the key; `None` if there are too few.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let enough = bytes.len() >= Self::LEAST_BYTES;
        enough.then(|| Self(hmac::Key::new(hmac::HMAC_SHA256, bytes)))
    }

    /// The hash of the parts, one behind the other.
    pub(super) fn hash<'a>(&self, parts: impl IntoIterator<Item = &'a [u8]>) -> [u8; HASH_DIGITS] {
        let mut hash = hmac::Context::with_key(&self.0);
        for part in parts {
            hash.update(part);
        }
        let mut digits = [b'0'; HASH_DIGITS];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(hash.sign().as_ref()) {
            pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
        }
        digits
    }
}

fn digit(value: u8) -> u8 {
    if value < 10 {
        b'0' + value
    } else {
        b'a' + value - 10
    }
}

impl fmt::Debug for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashKey(hidden)")
    }
}
