//! Java's own format of stores, JKS: certificates in plain, keys behind a stream of SHA-1.
//!
//! No kept crate reads it. The format is Java's since 1998 and has never changed; the digest at its
//! end covers all of it, and a key has one of its own.

use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY as SHA1};

use super::{Contents, Identity};

const DIGEST: usize = 20;
/// Entries of a store, and certificates of a chain: more is no store.
const MOST: u32 = 10_000;
/// The object identifier of Java's own way to keep a key, in DER.
const PROTECTOR: &[u8] = &[0x2B, 0x06, 0x01, 0x04, 0x01, 0x2A, 0x02, 0x11, 0x01, 0x01];

type Read<T> = Result<T, String>;

/// What the store in `bytes` holds. Without a password it isn't checked, and has no key for us.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read(bytes: &[u8], password: Option<&str>, key: Option<&str>) -> Read<Contents> {
    let cut = "it ends in the middle";
    let split = bytes.len().checked_sub(DIGEST).ok_or(cut)?;
    let (body, digest) = bytes.split_at_checked(split).ok_or(cut)?;
    if let Some(password) = password
        && hash(&[&utf16(password), b"Mighty Aphrodite", body]) != digest
    {
        return Err("the password is wrong, or the file is damaged".to_owned());
    }
    let mut rest = Bytes(body);
    let (_magic, version) = (rest.number()?, rest.number()?);
    if !(1..=2).contains(&version) {
        return Err(format!("it is JKS of version {version}"));
    }
    let mut contents = Contents::default();
    for _ in 0..rest.count()? {
        let tag = rest.number()?;
        let _alias = rest.short()?;
        let _made = rest.take(8)?;
        match tag {
            1 => {
                let protected = rest.long()?;
                let mut chain = Vec::new();
                for _ in 0..rest.count()? {
                    chain.push(rest.certificate(version)?);
                }
                let password = key.or(password);
                if let Some(password) = password.filter(|_| contents.identity.is_none()) {
                    let key = reveal(protected, password)?;
                    contents.identity = Some(Identity { key, chain });
                }
            }
            2 => contents.trusted.push(rest.certificate(version)?),
            other => return Err(format!("it has an entry of the unknown kind {other}")),
        }
    }
    Ok(contents)
}

/// The key behind its password: salt, key and check follow one another, and the key is mixed with
/// a stream of digests that begins with the salt.
fn reveal(protected: &[u8], password: &str) -> Read<Vec<u8>> {
    let strange = "its key is kept in an unknown way";
    let (outer, _) = element(protected, 0x30).ok_or(strange)?;
    let (algorithm, rest) = element(outer, 0x30).ok_or(strange)?;
    let (kind, _) = element(algorithm, 0x06).ok_or(strange)?;
    let (data, _) = element(rest, 0x04).ok_or(strange)?;
    if kind != PROTECTOR {
        return Err(strange.to_owned());
    }
    let (salt, rest) = data.split_at_checked(DIGEST).ok_or(strange)?;
    let split = rest.len().checked_sub(DIGEST).ok_or(strange)?;
    let (mixed, check) = rest.split_at_checked(split).ok_or(strange)?;
    let password = utf16(password);
    let mut stream = salt.to_vec();
    let mut key = Vec::with_capacity(mixed.len());
    for part in mixed.chunks(DIGEST) {
        stream = hash(&[&password, &stream]);
        key.extend(part.iter().zip(&stream).map(|(byte, mask)| byte ^ mask));
    }
    match hash(&[&password, &key]) == check {
        true => Ok(key),
        false => Err("the key's password is wrong (`ssl.key.password`)".to_owned()),
    }
}

fn hash(parts: &[&[u8]]) -> Vec<u8> {
    let mut context = Context::new(&SHA1);
    parts.iter().for_each(|part| context.update(part));
    context.finish().as_ref().to_vec()
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

/// The rest of a store, as Java's `DataInput` reads it.
struct Bytes<'b>(&'b [u8]);

impl<'b> Bytes<'b> {
    fn take(&mut self, count: usize) -> Read<&'b [u8]> {
        let split = self.0.split_at_checked(count);
        let (taken, rest) = split.ok_or("it ends in the middle")?;
        self.0 = rest;
        Ok(taken)
    }

    fn number(&mut self) -> Read<u32> {
        let bytes = self.take(4)?.iter();
        Ok(bytes.fold(0, |number, byte| number << 8 | u32::from(*byte)))
    }

    fn count(&mut self) -> Read<u32> {
        match self.number()? {
            count if count <= MOST => Ok(count),
            count => Err(format!("it says that it has {count} parts")),
        }
    }

    fn short(&mut self) -> Read<&'b [u8]> {
        let bytes = self.take(2)?.iter();
        let length = bytes.fold(0, |number, byte| number << 8 | usize::from(*byte));
        self.take(length)
    }

    fn long(&mut self) -> Read<&'b [u8]> {
        let length = usize::try_from(self.number()?).unwrap_or(usize::MAX);
        self.take(length)
    }

    fn certificate(&mut self, version: u32) -> Read<Vec<u8>> {
        if version == 2 && self.short()? != b"X.509" {
            return Err("it has a certificate that is not of X.509".to_owned());
        }
        self.long().map(<[u8]>::to_vec)
    }
}

/// What is inside the first element of some DER, which must be of `tag`, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (head, rest) = der.split_at_checked(2)?;
    let [found, length] = head else { return None };
    if *found != tag {
        return None;
    }
    let (length, rest) = match length {
        ..=0x7F => (usize::from(*length), rest),
        0x81..=0x84 => {
            let (long, rest) = rest.split_at_checked(usize::from(length & 0x7F))?;
            let bytes = long.iter();
            let length = bytes.fold(0, |number, byte| number << 8 | usize::from(*byte));
            (length, rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}
