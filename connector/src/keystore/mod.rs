//! Java's stores of certificates and keys, as PEM: what the clients of Kafka and of registries here
//! take.
//!
//! A store is what its first bytes say, whatever its name and its configured type: Java's own two
//! formats read each other, too. Stores are read anew whenever a client is made, so that a new
//! certificate counts from the next start of a connector. What is in PEM already is left alone.

mod jks;

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openssl::error::ErrorStack;
use openssl::pkcs12::Pkcs12;

use crate::error::{Error, Result};

/// Stores are some KiB; what is larger isn't one.
const MOST_BYTES: u64 = 16 << 20;

/// A store that was opened.
pub(crate) struct Store {
    path: String,
    contents: Contents,
}

/// What a store holds: DER, as it is written in PEM.
#[derive(Default)]
struct Contents {
    trusted: Vec<Vec<u8>>,
    identity: Option<Identity>,
}

/// A key (PKCS#8) and its certificates, its own first.
struct Identity {
    key: Vec<u8>,
    chain: Vec<Vec<u8>>,
}

/// Opens the store at `path`; `None` for a file in PEM, or what is no such store. The key within
/// may have a password of its own.
///
/// # Errors
/// `Invalid` when the file can't be read or the password is wrong; never says a password.
pub(crate) fn open(
    path: &str,
    password: Option<&str>,
    key_password: Option<&str>,
) -> Result<Option<Store>> {
    let wrong = |why: &str| {
        Error::invalid(format!(
            "the store `{path}` can't be opened: {why}; check the file and its password"
        ))
    };
    let size = std::fs::metadata(path).map_err(|error| wrong(&error.to_string()))?;
    if size.len() > MOST_BYTES {
        return Err(wrong("it is too large for a store of certificates"));
    }
    let bytes = std::fs::read(path).map_err(|error| wrong(&error.to_string()))?;
    let contents = match bytes.as_slice() {
        [0xFE, 0xED, 0xFE, 0xED, ..] => jks::read(&bytes, password, key_password),
        [0xCE, 0xCE, 0xCE, 0xCE, ..] => Err("it is of type JCEKS, which Eddy doesn't read".into()),
        // The first byte of every structure in DER, and of no text.
        [0x30, 0x80..=0x84, ..] => pkcs12(&bytes, password.unwrap_or_default()),
        _ => return Ok(None),
    };
    Ok(Some(Store {
        path: path.to_owned(),
        contents: contents.map_err(|why| wrong(&why))?,
    }))
}

/// Refuses a type of stores that can't be read.
///
/// # Errors
/// `Invalid`, naming the key.
pub(crate) fn check_type(key: &str, value: &str) -> Result<()> {
    let known = ["", "PEM", "JKS", "PKCS12"];
    if known.iter().any(|known| value.eq_ignore_ascii_case(known)) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "`{key}` is `{value}`; Eddy reads `JKS`, `PKCS12` and `PEM`: convert the store with \
         `keytool -importkeystore`"
    )))
}

impl Store {
    /// Every certificate that is trusted, in PEM.
    ///
    /// # Errors
    /// `Invalid` when there is none.
    pub(crate) fn trusted(&self) -> Result<String> {
        if self.contents.trusted.is_empty() {
            let path = &self.path;
            let message = format!("the store `{path}` has no trusted certificate");
            return Err(Error::invalid(message));
        }
        Ok(certificates(&self.contents.trusted))
    }

    /// The certificates that say who we are, our own first, and the key, in PEM.
    ///
    /// # Errors
    /// `Invalid` when there is no key.
    pub(crate) fn identity(&self) -> Result<(String, String)> {
        let identity = self.contents.identity.as_ref();
        let identity = identity.filter(|identity| !identity.chain.is_empty());
        let identity = identity.ok_or_else(|| {
            let path = &self.path;
            Error::invalid(format!("the store `{path}` has no key with a certificate"))
        })?;
        let key = pem("PRIVATE KEY", &identity.key);
        Ok((certificates(&identity.chain), key))
    }
}

fn pkcs12(bytes: &[u8], password: &str) -> Result<Contents, String> {
    let unread = |error: ErrorStack| match error.to_string() {
        // RC2, which OpenSSL and Java wrote until 2020.
        text if text.contains("unsupported") => {
            "it is encrypted in a way that is out of date: make it anew with `keytool \
             -importkeystore -deststoretype PKCS12`"
                .to_owned()
        }
        // The text may quote what it was given.
        _ => "the password is wrong, or the file is damaged".to_owned(),
    };
    let parsed = Pkcs12::from_der(bytes).and_then(|store| store.parse2(password));
    let parsed = parsed.map_err(unread)?;
    let others = parsed.ca.iter().flatten().map(|one| one.to_der());
    let mut others: Vec<Vec<u8>> = others.collect::<Result<_, _>>().map_err(unread)?;
    let (Some(key), Some(own)) = (&parsed.pkey, &parsed.cert) else {
        // Whatever is no key's is trusted, also what nothing marks as that.
        others.extend(
            parsed
                .cert
                .map(|own| own.to_der())
                .transpose()
                .map_err(unread)?,
        );
        return Ok(Contents {
            trusted: others,
            identity: None,
        });
    };
    let mut chain = vec![own.to_der().map_err(unread)?];
    chain.append(&mut others);
    let key = key.private_key_to_pkcs8().map_err(unread)?;
    Ok(Contents {
        trusted: Vec::new(),
        identity: Some(Identity { key, chain }),
    })
}

fn certificates(all: &[Vec<u8>]) -> String {
    all.iter().map(|der| pem("CERTIFICATE", der)).collect()
}

fn pem(what: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut out = format!("-----BEGIN {what}-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(64));
        // Text into a string never fails.
        let _ = writeln!(out, "{line}");
        rest = more;
    }
    let _ = writeln!(out, "-----END {what}-----");
    out
}

#[cfg(test)]
mod tests;
