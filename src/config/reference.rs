//! Secrets by reference: `${env:NAME}` and `${file:PATH}`, resolved when they are used, so that the
//! configuration, logs and REST answers only ever hold the reference: passwords, a connector's
//! `redact.key`, the store's keys (`aws_secret_access_key`, and `aws_sse_customer_key_base64`, with
//! which S3 encrypts).

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};

/// The map with every reference in its values replaced by what it names.
///
/// # Errors
/// Names the key and the reference that can't be resolved, never a value.
pub(crate) fn resolve(map: &BTreeMap<String, String>) -> Result<BTreeMap<String, String>> {
    map.iter()
        .map(|(key, value)| {
            let text = resolve_text(value).with_context(|| format!("the value of `{key}`"))?;
            Ok((key.clone(), text))
        })
        .collect()
}

fn resolve_text(text: &str) -> Result<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let (before, from) = rest.split_at(start);
        out.push_str(before);
        let Some(end) = from.find('}') else {
            bail!("a `${{` without its `}}`");
        };
        let (reference, after) = from.split_at(end + 1);
        out.push_str(&look_up(
            reference.trim_start_matches("${").trim_end_matches('}'),
        )?);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

fn look_up(reference: &str) -> Result<String> {
    match reference.split_once(':') {
        Some(("env", name)) => std::env::var(name)
            .with_context(|| format!("`${{env:{name}}}`: the environment variable isn't set")),
        Some(("file", path)) => std::fs::read_to_string(path)
            .map(|text| text.trim_end_matches(['\r', '\n']).to_owned())
            .with_context(|| format!("`${{file:{path}}}`: the file can't be read")),
        _ => bail!("`${{{reference}}}` is unknown; use `${{env:NAME}}` or `${{file:PATH}}`"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_reference_is_replaced_and_the_text_around_it_kept() {
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("secret");
        std::fs::write(&secret, "s3cret\n").unwrap();
        let text = format!("user:${{file:{}}}@host", secret.display());
        assert_eq!(resolve_text(&text).unwrap(), "user:s3cret@host");
        assert_eq!(resolve_text("plain $ text").unwrap(), "plain $ text");
    }

    #[test]
    fn a_missing_variable_is_named() {
        let error = resolve_text("${env:EDDY_NO_SUCH_VARIABLE}").unwrap_err();
        assert!(format!("{error:#}").contains("EDDY_NO_SUCH_VARIABLE"));
        assert!(resolve_text("${vault:x}").is_err());
        assert!(resolve_text("${env:X").is_err());
    }
}
