//! Values by reference: `${provider:key}` and `${provider:path:key}`, resolved where they are used,
//! so that configurations, logs and REST answers only ever hold the reference.
//!
//! | reference | is |
//! |---|---|
//! | `${env:NAME}` | an environment variable |
//! | `${file:PATH}` | a whole file, without the line's end |
//! | `${file:PATH:KEY}` | a key of a Java properties file |
//! | `${directory:PATH:NAME}` | a file of a folder, as it is |
//!
//! These names are always there. `config.providers` gives more names to Connect's three providers,
//! or limits what the ones above may read, by Connect's own keys.

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};

use fancy_regex::Regex;

use super::properties;
use crate::error::{Error, Result};

/// The providers of a worker, by name.
#[derive(Debug, Clone)]
pub struct Providers(BTreeMap<String, Provider>);

/// What to do with `${name:...}` where no provider has that name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// It is an error: nothing else can be meant.
    Refuse,
    /// It stays as it is, as in Connect: `${topic}` means something to a transform.
    Keep,
}

#[derive(Debug, Clone)]
enum Provider {
    Env(Option<Box<Regex>>),
    File(Allowed),
    Directory(Allowed),
}

/// The folders and files that may be read; all where none is named.
#[derive(Debug, Clone, Default)]
struct Allowed(Vec<PathBuf>);

impl Default for Providers {
    fn default() -> Self {
        let providers = [
            ("env", Provider::Env(None)),
            ("file", Provider::File(Allowed::default())),
            ("directory", Provider::Directory(Allowed::default())),
        ];
        let named = providers.map(|(name, provider)| (name.to_owned(), provider));
        Self(named.into())
    }
}

impl Providers {
    /// The providers of a worker's keys: `config.providers` and what is below it.
    ///
    /// # Errors
    /// `Invalid` for a class that isn't known, or a pattern that isn't one.
    pub fn read(map: &BTreeMap<String, String>) -> Result<Self> {
        let mut providers = Self::default();
        let names = map.get("config.providers").map_or("", String::as_str);
        for name in names
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
        {
            let prefix = format!("config.providers.{name}.");
            let text = |key: &str| map.get(&format!("{prefix}{key}")).map(|text| text.trim());
            let class = text("class").unwrap_or_default();
            let allowed = || Allowed::parse(text("param.allowed.paths").unwrap_or_default());
            let provider = match class.rsplit('.').next() {
                Some("EnvVarConfigProvider") => Provider::Env(
                    text("param.allowlist.pattern")
                        .map(|text| pattern(&prefix, text))
                        .transpose()?,
                ),
                Some("FileConfigProvider") => Provider::File(allowed()),
                Some("DirectoryConfigProvider") => Provider::Directory(allowed()),
                _ => {
                    return Err(Error::invalid(format!(
                        "`{prefix}class` is `{class}`; it takes `FileConfigProvider`, \
                         `DirectoryConfigProvider` and `EnvVarConfigProvider` of \
                         `org.apache.kafka.common.config.provider`"
                    )));
                }
            };
            providers.0.insert(name.to_owned(), provider);
        }
        Ok(providers)
    }

    /// The map with every reference in its values replaced by what it names.
    ///
    /// # Errors
    /// `Invalid`, naming the key and the reference that can't be resolved, never a value.
    pub fn resolve(
        &self,
        map: &BTreeMap<String, String>,
        unknown: Unknown,
    ) -> Result<BTreeMap<String, String>> {
        map.iter()
            .map(|(key, value)| {
                let text = self.resolve_text(value, unknown).map_err(|error| {
                    Error::invalid(format!("the value of `{key}`")).with_source(error)
                })?;
                Ok((key.clone(), text))
            })
            .collect()
    }

    /// The text with every reference in it replaced by what it names.
    ///
    /// # Errors
    /// `Invalid`, naming the reference that can't be resolved, never a value.
    pub(in crate::connect) fn resolve_text(&self, text: &str, unknown: Unknown) -> Result<String> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, from)) = rest.split_once("${") {
            out.push_str(before);
            let Some((reference, after)) = from.split_once('}') else {
                if unknown == Unknown::Refuse {
                    return Err(Error::invalid("a `${` without its `}`"));
                }
                out.push_str("${");
                rest = from;
                continue;
            };
            let named = reference.split_once(':');
            let named = named.and_then(|(name, path)| Some((self.0.get(name)?, path)));
            match (named, unknown) {
                (Some((provider, path)), _) => out.push_str(&provider.look_up(reference, path)?),
                (None, Unknown::Keep) => {
                    out.push_str("${");
                    out.push_str(reference);
                    out.push('}');
                }
                (None, Unknown::Refuse) => {
                    return Err(Error::invalid(format!(
                        "`${{{reference}}}` is unknown; use `${{env:NAME}}`, `${{file:PATH}}`, \
                         `${{file:PATH:KEY}}` or `${{directory:PATH:NAME}}`"
                    )));
                }
            }
            rest = after;
        }
        out.push_str(rest);
        Ok(out)
    }
}

impl Provider {
    /// What is at the path, which may end in a key.
    fn look_up(&self, reference: &str, path: &str) -> Result<String> {
        let refuse = |why: &str| Error::invalid(format!("`${{{reference}}}`: {why}"));
        match self {
            Self::Env(pattern) => {
                if pattern
                    .as_ref()
                    .is_some_and(|regex| !regex.is_match(path).unwrap_or(false))
                {
                    return Err(refuse("`allowlist.pattern` doesn't let it be read"));
                }
                std::env::var(path).map_err(|_| refuse("the environment variable isn't set"))
            }
            Self::File(allowed) => {
                let (path, key) = match path.split_once(':') {
                    Some((path, key)) => (path, Some(key)),
                    None => (path, None),
                };
                allowed.check(Path::new(path)).map_err(|why| refuse(&why))?;
                let text = read(Path::new(path))
                    .map_err(|error| refuse("the file can't be read").with_source(error))?;
                match key {
                    None => Ok(text.trim_end_matches(['\r', '\n']).to_owned()),
                    Some(key) => properties::parse(&text)
                        .remove(key)
                        .ok_or_else(|| refuse("the file has no such key")),
                }
            }
            Self::Directory(allowed) => {
                let (folder, name) = path
                    .split_once(':')
                    .ok_or_else(|| refuse("it needs a folder and a name, `PATH:NAME`"))?;
                let mut parts = Path::new(name).components();
                if !matches!(
                    (parts.next(), parts.next()),
                    (Some(Component::Normal(_)), None)
                ) {
                    return Err(refuse("the name must be that of a file in the folder"));
                }
                let file = Path::new(folder).join(name);
                allowed.check(&file).map_err(|why| refuse(&why))?;
                read(&file).map_err(|error| refuse("the file can't be read").with_source(error))
            }
        }
    }
}

/// More of a file, in bytes, is no secret.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The text of a file. Who writes a reference may name any: one that never ends or never begins,
/// like a device or a pipe, is not read.
fn read(path: &Path) -> io::Result<String> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut text = String::new();
    let file = std::fs::File::open(path)?;
    file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    match text.len() as u64 > FILE_BYTES_MAX {
        true => Err(io::Error::other("it has more than 1 MiB")),
        false => Ok(text),
    }
}

impl Allowed {
    fn parse(list: &str) -> Self {
        let paths = list
            .split(',')
            .map(str::trim)
            .filter(|path| !path.is_empty());
        Self(paths.map(PathBuf::from).collect())
    }

    /// A path is taken by what it is in the end, without `..` and links.
    fn check(&self, path: &Path) -> Result<(), String> {
        if self.0.is_empty() {
            return Ok(());
        }
        let real = path
            .canonicalize()
            .map_err(|error| format!("it can't be read: {error}"))?;
        let within = |allowed: &PathBuf| {
            allowed
                .canonicalize()
                .is_ok_and(|allowed| real.starts_with(allowed))
        };
        match self.0.iter().any(within) {
            true => Ok(()),
            false => Err("`allowed.paths` doesn't let it be read".to_owned()),
        }
    }
}

fn pattern(prefix: &str, text: &str) -> Result<Box<Regex>> {
    Regex::new(&format!("^(?:{text})$"))
        .map(Box::new)
        .map_err(|error| {
            let message =
                format!("`{prefix}param.allowlist.pattern` is `{text}`, which is no pattern");
            Error::invalid(message).with_source(error)
        })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn map(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
        let entries = entries.iter();
        entries
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn a_reference_is_replaced_and_the_text_around_it_kept() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), "s3cret\n").unwrap();
        std::fs::write(folder.path().join("keys"), "user = ann\npass = a:b\n").unwrap();
        let at = folder.path().display();
        let providers = Providers::default();
        for (text, resolved) in [
            (
                format!("user:${{file:{at}/secret}}@host"),
                "user:s3cret@host",
            ),
            (
                format!("${{file:{at}/keys:user}}/${{file:{at}/keys:pass}}"),
                "ann/a:b",
            ),
            (format!("${{directory:{at}:secret}}"), "s3cret\n"),
            ("plain $ text".to_owned(), "plain $ text"),
        ] {
            for unknown in [Unknown::Refuse, Unknown::Keep] {
                assert_eq!(providers.resolve_text(&text, unknown).unwrap(), resolved);
            }
        }
    }

    #[test]
    fn what_no_provider_is_named_by_stays_where_it_may_mean_something() {
        for text in [
            "${topic}-${timestamp}",
            "${vault:x:y}",
            "${open",
            "$1 ${name}",
        ] {
            let kept = Providers::default().resolve_text(text, Unknown::Keep);
            assert_eq!(kept.unwrap(), text);
        }
        for text in ["${vault:x}", "${topic}", "${open"] {
            assert!(
                Providers::default()
                    .resolve_text(text, Unknown::Refuse)
                    .is_err(),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_missing_is_named_with_its_key() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys");
        std::fs::write(&file, "a=1").unwrap();
        let at = folder.path().display();
        for reference in [
            "env:EDDY_NO_SUCH_VARIABLE".to_owned(),
            format!("file:{at}/none"),
            format!("file:{at}/keys:b"),
            format!("directory:{at}:none"),
            format!("directory:{at}:../keys"),
            format!("directory:{at}"),
        ] {
            let map = map(&[("password", &format!("${{{reference}}}"))]);
            let error = Providers::default()
                .resolve(&map, Unknown::Keep)
                .unwrap_err()
                .to_string();
            assert!(
                error.contains("`password`") && error.contains(&reference),
                "{error}"
            );
        }
    }

    #[test]
    fn what_is_no_file_or_too_long_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().display();
        std::fs::write(folder.path().join("long"), "a".repeat((1 << 20) + 1)).unwrap();
        for (reference, why) in [
            ("${file:/dev/zero}".to_owned(), "no regular file"),
            ("${directory:/dev:zero}".to_owned(), "no regular file"),
            (format!("${{file:{at}}}"), "no regular file"),
            (format!("${{file:{at}/long}}"), "more than 1 MiB"),
        ] {
            let error = Providers::default().resolve_text(&reference, Unknown::Keep);
            let error = error.unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn providers_get_their_names_and_limits_from_the_worker() {
        let folder = tempfile::tempdir().unwrap();
        let (open, shut) = (folder.path().join("open"), folder.path().join("shut"));
        for path in [&open, &shut] {
            std::fs::create_dir(path).unwrap();
            std::fs::write(path.join("k"), "a=1").unwrap();
        }
        let package = "org.apache.kafka.common.config.provider.";
        let worker = map(&[
            ("config.providers", "secrets, env"),
            (
                "config.providers.secrets.class",
                &format!("{package}FileConfigProvider"),
            ),
            (
                "config.providers.secrets.param.allowed.paths",
                &open.display().to_string(),
            ),
            (
                "config.providers.env.class",
                &format!("{package}EnvVarConfigProvider"),
            ),
            (
                "config.providers.env.param.allowlist.pattern",
                "EDDY_NONE_.*",
            ),
        ]);
        let providers = Providers::read(&worker).unwrap();
        let resolve = |text: &str| providers.resolve_text(text, Unknown::Keep);
        let at = open.display();
        assert_eq!(resolve(&format!("${{secrets:{at}/k:a}}")).unwrap(), "1");
        for hidden in [
            format!("${{secrets:{}/k:a}}", shut.display()),
            format!("${{secrets:{at}/../shut/k:a}}"),
            "${env:PATH}".to_owned(),
        ] {
            let error = resolve(&hidden).unwrap_err().to_string();
            assert!(error.contains("doesn't let it"), "{error}");
        }
        let unknown = map(&[
            ("config.providers", "v"),
            ("config.providers.v.class", "Vault"),
        ]);
        let error = Providers::read(&unknown).unwrap_err().to_string();
        assert!(error.contains("`Vault`"), "{error}");
    }
}
