//! Encryption at rest by the store: are S3's options for it complete, and right?
//!
//! object_store sends what they say with each object that is made, but passes over what doesn't fit
//! together: a KMS key without `aws_server_side_encryption` would encrypt nothing, in silence. Its
//! errors may also quote a customer's key. So the options are checked before it sees them.

use std::collections::BTreeMap;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};

use crate::error::{Error, Result};
use crate::lake::transit::is_private;

const TYPE: &str = "aws_server_side_encryption";
const KMS_KEY: &str = "aws_sse_kms_key_id";
const BUCKET_KEY: &str = "aws_sse_bucket_key_enabled";
const CUSTOMER_KEY: &str = "aws_sse_customer_key_base64";

/// Checks the options of encryption, wherever they came from: the configuration or `AWS_...`
/// variables.
///
/// # Errors
/// `Invalid`, naming the option and what is allowed; never a customer's key.
pub(super) fn check(builder: &AmazonS3Builder) -> Result<()> {
    let kind = value(builder, TYPE)?;
    let kms_key = value(builder, KMS_KEY)?;
    let bucket_key = value(builder, BUCKET_KEY)?;
    let customer_key = value(builder, CUSTOMER_KEY)?;
    let allows = match kind.as_deref() {
        None => "",
        Some("AES256") => "s3",
        Some("aws:kms" | "aws:kms:dsse") => "kms",
        Some("sse-c") => "customer",
        Some(other) => {
            return Err(Error::invalid(format!(
                "`{TYPE}` under [lake.options] is `{other}`; allowed is `AES256`, `aws:kms`, \
                 `aws:kms:dsse` or `sse-c`"
            )));
        }
    };
    let belongs = [
        (
            KMS_KEY,
            kms_key.is_some(),
            "kms",
            "`aws:kms` or `aws:kms:dsse`",
        ),
        (
            BUCKET_KEY,
            bucket_key.is_some(),
            "kms",
            "`aws:kms` or `aws:kms:dsse`",
        ),
        (CUSTOMER_KEY, customer_key.is_some(), "customer", "`sse-c`"),
    ];
    for (key, is_set, with, kinds) in belongs {
        if is_set && allows != with {
            return Err(Error::invalid(format!(
                "`{key}` under [lake.options] encrypts nothing unless `{TYPE}` is {kinds}"
            )));
        }
    }
    if kms_key.is_some_and(|key| key.trim().is_empty()) {
        return Err(Error::invalid(format!(
            "`{KMS_KEY}` under [lake.options] is empty; remove it for the bucket's own key"
        )));
    }
    if !matches!(bucket_key.as_deref(), None | Some("true" | "false")) {
        return Err(Error::invalid(format!(
            "`{BUCKET_KEY}` under [lake.options] is neither `true` nor `false`"
        )));
    }
    if allows == "customer" {
        check_customer(customer_key.as_deref(), builder)?;
    }
    Ok(())
}

fn value(builder: &AmazonS3Builder, key: &str) -> Result<Option<String>> {
    let known: AmazonS3ConfigKey = key
        .parse()
        .map_err(|_| Error::internal(format!("object_store has no option `{key}` any more")))?;
    Ok(builder.get_config_value(&known))
}

fn check_customer(key: Option<&str>, builder: &AmazonS3Builder) -> Result<()> {
    if !key.is_some_and(is_256_bits) {
        return Err(Error::invalid(format!(
            "`{TYPE}` is `sse-c`, so `{CUSTOMER_KEY}` under [lake.options] has to be 32 bytes in \
             base64, by reference as `${{file:PATH}}` or `${{env:NAME}}`; make them with \
             `openssl rand -base64 32`"
        )));
    }
    let endpoint = builder.get_config_value(&AmazonS3ConfigKey::Endpoint);
    if endpoint.is_some_and(|endpoint| !is_private(&endpoint)) {
        return Err(Error::invalid(
            "`sse-c` sends the key with each request, so `aws_endpoint` under [lake.options] has \
             to begin with `https://` unless it is on this machine",
        ));
    }
    Ok(())
}

/// 32 bytes as base64 has them: 43 symbols, of which the last has two bits of nothing, and `=`.
fn is_256_bits(text: &str) -> bool {
    let symbol = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/');
    let symbols = text.strip_suffix('=').filter(|symbols| symbols.len() == 43);
    symbols.is_some_and(|symbols| {
        symbols.chars().all(symbol) && symbols.ends_with(|c| "AEIMQUYcgkosw048".contains(c))
    })
}

/// Refuses options of encryption for a store that has none, where they would be passed over.
///
/// # Errors
/// `Invalid`, naming the option.
pub(super) fn refuse_on_disk(options: &BTreeMap<String, String>) -> Result<()> {
    let encrypts = |key: &&String| {
        let key = key.to_ascii_lowercase();
        key.contains("encryption") || key.contains("sse_")
    };
    match options.keys().find(encrypts) {
        Some(key) => Err(Error::invalid(format!(
            "`{key}` under [lake.options] is an option of S3; on local disk encryption is the file \
             system's matter"
        ))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
