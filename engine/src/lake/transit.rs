//! The way of the bytes to S3: who may read or change them between here and there?
//!
//! A signed request has a SHA-256 of the object in its signature, so that nobody changes it on the
//! way. TLS promises that already, and nobody is between two processes of one machine: there the
//! hash is a thirtieth of a worker's CPU for nothing (`benches/README.md`).

use std::collections::BTreeMap;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use url::{Host, Url};

/// Leaves the hash out where the way is private, unless `options` or the environment say
/// otherwise.
pub(super) fn without_needless_hash(
    builder: AmazonS3Builder,
    options: &BTreeMap<String, String>,
) -> AmazonS3Builder {
    let said = |key: &String| {
        let key = key.to_ascii_lowercase().parse::<AmazonS3ConfigKey>();
        matches!(key, Ok(AmazonS3ConfigKey::UnsignedPayload))
    };
    if options.keys().any(said) || std::env::var_os("AWS_UNSIGNED_PAYLOAD").is_some() {
        return builder;
    }
    // Without an endpoint it is Amazon's, by TLS.
    let endpoint = builder.get_config_value(&AmazonS3ConfigKey::Endpoint);
    let private = endpoint.is_none_or(|endpoint| is_private(&endpoint));
    builder.with_unsigned_payload(private)
}

/// Nobody else reads or changes what goes to `endpoint`: TLS, or this machine.
pub(super) fn is_private(endpoint: &str) -> bool {
    let Ok(url) = Url::parse(endpoint) else {
        return false;
    };
    let is_here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    url.scheme() == "https" || is_here
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn unsigned(endpoint: Option<&str>, options: &[(&str, &str)]) -> Option<String> {
        let mut builder = AmazonS3Builder::new().with_bucket_name("lake");
        if let Some(endpoint) = endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        let mut said = BTreeMap::new();
        for (key, value) in options {
            let known: AmazonS3ConfigKey = key.to_ascii_lowercase().parse().unwrap();
            builder = builder.with_config(known, *value);
            said.insert((*key).to_owned(), (*value).to_owned());
        }
        let builder = without_needless_hash(builder, &said);
        builder.get_config_value(&AmazonS3ConfigKey::UnsignedPayload)
    }

    #[test]
    fn objects_are_hashed_only_where_somebody_else_could_change_them_on_the_way() {
        for (endpoint, expected) in [
            (None, "true"),
            (Some("https://minio.example:9000"), "true"),
            (Some("http://127.0.0.1:7070"), "true"),
            (Some("http://[::1]:7070"), "true"),
            (Some("http://localhost:7070"), "true"),
            (Some("http://minio.example:9000"), "false"),
            (Some("http://10.0.0.7:9000"), "false"),
            (Some("minio.example:9000"), "false"),
        ] {
            assert_eq!(
                unsigned(endpoint, &[]).as_deref(),
                Some(expected),
                "{endpoint:?}"
            );
        }
    }

    #[test]
    fn what_the_operator_says_stands() {
        for key in ["aws_unsigned_payload", "UNSIGNED_PAYLOAD"] {
            let signed = unsigned(None, &[(key, "false")]);
            assert_eq!(signed.as_deref(), Some("false"), "{key}");
        }
        let unsigned = unsigned(
            Some("http://10.0.0.7:9000"),
            &[("unsigned_payload", "true")],
        );
        assert_eq!(unsigned.as_deref(), Some("true"));
    }
}
