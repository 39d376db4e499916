//! Stores that Java's keytool and OpenSSL made, against the same in PEM.
#![allow(clippy::unwrap_used)]

use super::*;

fn path(name: &str) -> String {
    let folder = env!("CARGO_MANIFEST_DIR");
    format!("{folder}/../tests/fixtures/stores/{name}")
}

/// The same in PEM: our certificate, the authority's, our key.
fn in_pem() -> [String; 3] {
    let read = |name| std::fs::read_to_string(path(name)).unwrap();
    let (authority, client) = (read("authority.pem"), read("client.pem"));
    let (own, rest) = client.split_once(&authority).unwrap();
    [own.to_owned(), authority.clone(), rest.to_owned()]
}

fn opened(name: &str, password: Option<&str>, key: Option<&str>) -> Result<Store> {
    open(&path(name), password, key).map(Option::unwrap)
}

const STORE: Option<&str> = Some("changeit");

#[test]
fn what_is_trusted_is_read_from_both_of_javas_formats() {
    let [_, authority, _] = in_pem();
    for name in ["truststore.jks", "truststore.p12"] {
        assert_eq!(
            opened(name, STORE, None).unwrap().trusted().unwrap(),
            authority
        );
    }
    // As Java does without a password.
    let unchecked = opened("truststore.jks", None, None).unwrap();
    assert_eq!(unchecked.trusted().unwrap(), authority);
}

#[test]
fn a_key_and_its_certificates_are_read_from_both_of_javas_formats() {
    let [own, authority, key] = in_pem();
    let wanted = (format!("{own}{authority}"), key);
    for (name, of_key) in [("keystore.jks", Some("inside1")), ("keystore.p12", None)] {
        let identity = opened(name, STORE, of_key).unwrap().identity().unwrap();
        assert!(identity == wanted, "{name}");
    }
}

#[test]
fn a_wrong_password_a_damaged_file_and_a_missing_one_are_told_by_name_and_without_passwords() {
    let wrong = |name: &str, password, key| {
        let error = opened(name, password, key).err().unwrap().to_string();
        assert!(error.contains(name), "{error}");
        assert!(!error.contains("hush"), "{error}");
    };
    for name in ["truststore.jks", "truststore.p12", "keystore.p12"] {
        wrong(name, Some("hush"), None);
    }
    wrong("keystore.jks", STORE, Some("hush"));
    wrong("missing.jks", STORE, None);
    let trusted = opened("truststore.jks", STORE, None).unwrap();
    assert!(trusted.identity().is_err());
    let own = opened("keystore.jks", STORE, Some("inside1")).unwrap();
    assert!(own.trusted().is_err());
}

#[test]
fn any_damage_is_an_error_or_changes_nothing_and_never_a_panic() {
    let whole = std::fs::read(path("keystore.jks")).unwrap();
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        if let Some(byte) = damaged.get_mut(at) {
            *byte ^= 0x41;
        }
        assert!(jks::read(&damaged, STORE, Some("inside1")).is_err(), "{at}");
        // Unchecked it may be read, but ends.
        let _ = jks::read(&damaged, None, None);
        let _ = jks::read(whole.get(..at).unwrap(), STORE, Some("inside1"));
    }
}

#[test]
fn a_store_that_is_encrypted_as_of_old_is_refused_with_what_to_do() {
    let error = opened("keystore-of-old.p12", STORE, None).err().unwrap();
    assert!(error.to_string().contains("keytool"), "{error}");
}

#[test]
fn what_is_in_pem_is_left_alone() {
    assert!(open(&path("client.pem"), None, None).unwrap().is_none());
}
