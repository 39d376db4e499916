//! How a registry is reached: the keys of Confluent's client, as configurations have them.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::keystore;

/// How a registry is reached. `Debug` shows no secret.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct RegistrySettings {
    /// Asked in turn until one answers.
    pub(crate) urls: Vec<String>,
    pub(crate) auth: Auth,
    /// Sent with every request.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) tls: Tls,
    pub(crate) proxy: Option<String>,
    /// Attempts of one request after its first.
    pub(crate) retries: u32,
    pub(crate) retry_wait: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) read_timeout: Duration,
    /// Schemas that are kept.
    pub(crate) kept: usize,
    /// How long the registry's word counts that a schema doesn't exist.
    pub(crate) missing_for: Duration,
}

/// Who asks.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Auth {
    None,
    Basic {
        user: String,
        password: String,
    },
    Bearer(String),
    /// A token from an issuer, renewed before it ends.
    Issued {
        url: String,
        client: String,
        secret: String,
        scope: Option<String>,
    },
}

/// How the registry proves who it is, and we.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Tls {
    /// The certificates that are trusted beside the system's.
    pub(crate) trusted: Option<Store>,
    /// Our certificate and key.
    pub(crate) identity: Option<Store>,
    /// The certificate's name need not be the host's.
    pub(crate) any_name: bool,
}

/// A file of certificates and keys: PEM, or one of Java's stores.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Store {
    pub(crate) path: String,
    pub(crate) password: Option<String>,
    /// The key within may have one of its own.
    pub(crate) key_password: Option<String>,
}

impl fmt::Debug for RegistrySettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistrySettings")
            .field("urls", &self.urls)
            .finish_non_exhaustive()
    }
}

/// The keys of a registry below a converter's prefix, and what else begins like one.
pub(crate) fn is_key(key: &str) -> bool {
    const PREFIXES: [&str; 10] = [
        "schema.registry.",
        "basic.auth.",
        "bearer.auth.",
        "request.header.",
        "proxy.",
        "latest.",
        "rule.",
        "sasl.",
        "auto.register.",
        "use.",
    ];
    const WORDS: [&str; 12] = [
        "max.retries",
        "retries.wait.ms",
        "retries.max.wait.ms",
        "http.connect.timeout.ms",
        "http.read.timeout.ms",
        "missing.schema.cache.ttl.sec",
        "missing.id.cache.ttl.sec",
        "max.schemas.per.subject",
        "normalize.schemas",
        "id.compatibility.strict",
        "key.subject.name.strategy",
        "value.subject.name.strategy",
    ];
    PREFIXES.iter().any(|prefix| key.starts_with(prefix))
        || WORDS.contains(&key)
        || matches!(key, "context.name.strategy" | "schema.format")
}

impl RegistrySettings {
    /// Reads the keys of one converter, without their prefix.
    ///
    /// # Errors
    /// `Invalid`, with what is missing or wrong.
    pub(crate) fn read(keys: &BTreeMap<String, String>) -> Result<Self> {
        let keys = Keys(keys);
        let listed = keys.text("schema.registry.url").unwrap_or_default();
        let urls = listed
            .split(',')
            .map(str::trim)
            .filter(|url| !url.is_empty());
        let mut urls: Vec<String> = urls
            .map(|url| url.trim_end_matches('/').to_owned())
            .collect();
        if urls.is_empty() {
            return Err(Error::invalid(
                "`schema.registry.url` is missing; give the registry's address",
            ));
        }
        let auth = keys.auth(&mut urls)?;
        for url in &urls {
            if !url.starts_with("http://") && !url.starts_with("https://") {
                return Err(Error::invalid(format!(
                    "`schema.registry.url` is `{url}`; it begins with `http://` or `https://`"
                )));
            }
        }
        let milliseconds = |key, default| keys.number(key, default).map(Duration::from_millis);
        Ok(Self {
            auth,
            urls,
            headers: keys.headers(),
            tls: keys.tls()?,
            proxy: keys.proxy()?,
            retries: u32::try_from(keys.number("max.retries", 3)?.min(100)).unwrap_or(100),
            retry_wait: milliseconds("retries.wait.ms", 1_000)?.min(Duration::from_secs(60)),
            connect_timeout: milliseconds("http.connect.timeout.ms", 60_000)?,
            read_timeout: milliseconds("http.read.timeout.ms", 60_000)?,
            kept: usize::try_from(keys.number("schemas.cache.config", 1_000)?).unwrap_or(1_000),
            missing_for: Duration::from_secs(keys.number("missing.id.cache.ttl.sec", 30)?),
        })
    }
}

struct Keys<'a>(&'a BTreeMap<String, String>);

impl Keys<'_> {
    /// The value of a key, which may stand behind `schema.registry.` too.
    fn text(&self, key: &str) -> Option<&str> {
        let found = self.0.get(key);
        let found = found.or_else(|| self.0.get(&format!("schema.registry.{key}")));
        found
            .map(|value| value.trim())
            .filter(|value| !value.is_empty())
    }

    fn number(&self, key: &str, default: u64) -> Result<u64> {
        let Some(text) = self.text(key) else {
            return Ok(default);
        };
        text.parse()
            .map_err(|_| Error::invalid(format!("`{key}` is `{text}`; allowed is a whole number")))
    }

    fn auth(&self, urls: &mut [String]) -> Result<Auth> {
        let mut of_url = None;
        for url in urls.iter_mut() {
            // Whoever is named in an address must not be shown with it.
            if let Some((scheme, rest)) = url.clone().split_once("://")
                && let Some((user, host)) = rest.split_once('@')
            {
                of_url = Some(user.to_owned());
                *url = format!("{scheme}://{host}");
            }
        }
        let basic = |info: &str| {
            let (user, password) = info.split_once(':').unwrap_or((info, ""));
            Auth::Basic {
                user: user.to_owned(),
                password: password.to_owned(),
            }
        };
        let issuer = self.text("bearer.auth.issuer.endpoint.url");
        if let Some(url) = issuer {
            let needed = |key: &str| {
                let found = self.text(key).map(str::to_owned);
                found.ok_or_else(|| Error::invalid(format!("`{key}` is missing beside the issuer")))
            };
            return Ok(Auth::Issued {
                url: url.to_owned(),
                client: needed("bearer.auth.client.id")?,
                secret: needed("bearer.auth.client.secret")?,
                scope: self.text("bearer.auth.scope").map(str::to_owned),
            });
        }
        if let Some(token) = self.text("bearer.auth.token") {
            return Ok(Auth::Bearer(token.to_owned()));
        }
        let source = self.text("basic.auth.credentials.source").unwrap_or("URL");
        match (source, self.text("basic.auth.user.info")) {
            ("URL", None) => Ok(of_url.map_or(Auth::None, |user| basic(&user))),
            ("URL" | "USER_INFO", Some(info)) => Ok(basic(info)),
            ("USER_INFO", None) => Err(Error::invalid(
                "`basic.auth.user.info` is missing, which `basic.auth.credentials.source` names",
            )),
            ("SASL_INHERIT", _) => {
                let jaas = self.text("sasl.jaas.config");
                let login = jaas.and_then(crate::kafka::login);
                let (user, password) = login.ok_or_else(|| {
                    Error::invalid(
                        "`basic.auth.credentials.source` is `SASL_INHERIT`, but `sasl.jaas.config` \
                         has no `username` and `password`",
                    )
                })?;
                Ok(Auth::Basic { user, password })
            }
            (other, _) => Err(Error::invalid(format!(
                "`basic.auth.credentials.source` is `{other}`; allowed is `URL`, `USER_INFO` or \
                 `SASL_INHERIT`"
            ))),
        }
    }

    fn headers(&self) -> Vec<(String, String)> {
        let mut headers: Vec<(String, String)> = self
            .0
            .iter()
            .filter_map(|(key, value)| {
                let key = key.strip_prefix("schema.registry.").unwrap_or(key);
                Some((
                    key.strip_prefix("request.header.")?.to_owned(),
                    value.clone(),
                ))
            })
            .collect();
        for (key, header) in [
            ("bearer.auth.logical.cluster", "target-sr-cluster"),
            ("bearer.auth.identity.pool.id", "Confluent-Identity-Pool-Id"),
        ] {
            if let Some(value) = self.text(key) {
                headers.push((header.to_owned(), value.to_owned()));
            }
        }
        headers
    }

    fn proxy(&self) -> Result<Option<String>> {
        match (self.text("proxy.host"), self.number("proxy.port", 0)?) {
            (None, _) => Ok(None),
            (Some(_), 0) => Err(Error::invalid("`proxy.host` is set without `proxy.port`")),
            (Some(host), port) => Ok(Some(format!("http://{host}:{port}"))),
        }
    }

    fn tls(&self) -> Result<Tls> {
        let owned = |key: String| self.text(&key).map(str::to_owned);
        let store = |kind: &str| -> Result<Option<Store>> {
            let named = format!("ssl.{kind}.type");
            if let Some(format) = self.text(&named) {
                keystore::check_type(&format!("schema.registry.{named}"), format)?;
            }
            Ok(owned(format!("ssl.{kind}.location")).map(|path| Store {
                path,
                password: owned(format!("ssl.{kind}.password")),
                key_password: owned("ssl.key.password".to_owned()),
            }))
        };
        Ok(Tls {
            trusted: store("truststore")?,
            identity: store("keystore")?,
            any_name: self
                .0
                .get("schema.registry.ssl.endpoint.identification.algorithm")
                .is_some_and(|algorithm| matches!(algorithm.trim(), "" | "none")),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(keys: &[(&str, &str)]) -> Result<RegistrySettings> {
        let keys = keys.iter();
        let keys = keys.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        RegistrySettings::read(&keys.collect())
    }

    #[test]
    fn addresses_are_a_list_and_credentials_in_them_are_taken_out() {
        let url = ("schema.registry.url", "http://a:b@x:8081/ , https://y");
        let settings = read(&[url]).unwrap();
        assert_eq!(settings.urls, ["http://x:8081", "https://y"]);
        let (user, password) = ("a".to_owned(), "b".to_owned());
        assert!(settings.auth == Auth::Basic { user, password });
        assert!(!format!("{settings:?}").contains("a:b"));
    }

    #[test]
    fn credentials_come_from_where_the_configuration_says() {
        let url = ("schema.registry.url", "http://x");
        let info = ("schema.registry.basic.auth.user.info", "me:se:cret");
        let source = ("basic.auth.credentials.source", "USER_INFO");
        let (user, password) = ("me".to_owned(), "se:cret".to_owned());
        let auth = read(&[url, info, source]).unwrap().auth;
        assert!(auth == Auth::Basic { user, password });
        let auth = read(&[url, ("bearer.auth.token", "t")]).unwrap().auth;
        assert!(auth == Auth::Bearer("t".to_owned()));
        let jaas = "x.PlainLoginModule required username=\"u\" password=\"p\";";
        let inherit = ("basic.auth.credentials.source", "SASL_INHERIT");
        let auth = read(&[url, inherit, ("sasl.jaas.config", jaas)])
            .unwrap()
            .auth;
        let (user, password) = ("u".to_owned(), "p".to_owned());
        assert!(auth == Auth::Basic { user, password });
    }

    #[test]
    fn what_is_missing_or_wrong_is_refused_with_its_key() {
        let url = ("schema.registry.url", "http://x");
        for (keys, needle) in [
            (&[][..], "schema.registry.url"),
            (&[("schema.registry.url", "x:8081")], "`x:8081`"),
            (&[url, ("max.retries", "many")], "max.retries"),
            (
                &[url, ("basic.auth.credentials.source", "USER_INFO")],
                "user.info",
            ),
            (
                &[url, ("schema.registry.ssl.truststore.type", "BCFKS")],
                "`BCFKS`",
            ),
            (&[url, ("proxy.host", "p")], "proxy.port"),
            (
                &[url, ("bearer.auth.issuer.endpoint.url", "http://i")],
                "client.id",
            ),
        ] {
            let error = read(keys).unwrap_err().to_string();
            assert!(error.contains(needle), "{error}");
        }
    }
}
