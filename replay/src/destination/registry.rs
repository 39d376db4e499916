//! The destinations there are: declared in the configuration file (read-only), or made by REST or
//! SQL and stored in the lake.

use std::collections::BTreeMap;
use std::sync::Arc;

use eddy_connector::Providers;
use serde::{Deserialize, Serialize};

use super::file::File;
use super::health::{Check, Health};
use super::http::Http;
use super::kafka::Kafka;
use super::rabbitmq::RabbitMq;
use super::sqs::Sqs;
use super::stdout::Stdout;
use super::veil::Veil;
use super::{Checked, Definition, Destination, Kind, Reach, secret};
use crate::error::{Error, ErrorKind, Result};
use crate::request::{Options, is_name};
use crate::store::Store;

/// The register of a destination is `destinations/<name>`.
const FOLDER: &str = "destinations";

/// The destinations there are. Cheap to clone.
#[derive(Clone)]
pub struct Destinations(Arc<Inner>);

struct Inner {
    store: Store,
    kinds: Vec<Kind>,
    declared: BTreeMap<String, Definition>,
    health: Health,
    /// What references are looked up in.
    providers: Providers,
}

/// A destination in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// What is written down.
    pub definition: Definition,
    /// Whether it stands in the configuration file, and can't be changed but there.
    pub declared: bool,
}

/// What the register holds. A deleted destination leaves a last object that says so.
#[derive(Serialize, Deserialize)]
struct Stored {
    definition: Option<Definition>,
}

impl Destinations {
    /// The destinations of a lake, and those that the configuration file declares; `reach` says at
    /// which addresses they may be (Kafka's are not asked: its brokers say themselves where they
    /// are), `providers` what their references may name.
    ///
    /// # Errors
    /// `Invalid` when a declared one can't be right.
    pub fn open(
        lake: &eddy_engine::Lake,
        declared: Vec<Definition>,
        reach: &Reach,
        providers: Providers,
    ) -> Result<Self> {
        let clock = lake.clock();
        let kinds = vec![
            Kind::Kafka(Kafka::new(clock.clone())),
            Kind::Http(Http::new(clock.clone(), reach.clone())),
            Kind::RabbitMq(RabbitMq::new(clock.clone(), reach.clone())),
            Kind::Sqs(Sqs::new(clock.clone(), reach.clone())),
            Kind::File(File::new(lake.clone())),
            Kind::Stdout(Stdout::new(clock.clone())),
        ];
        Self::assembled(lake, declared, kinds, providers)
    }

    /// The same with other kinds of destination.
    ///
    /// # Errors
    /// As [`Destinations::open`].
    #[cfg(test)]
    pub(crate) fn with_kinds(
        lake: &eddy_engine::Lake,
        declared: Vec<Definition>,
        kinds: Vec<Kind>,
    ) -> Result<Self> {
        Self::assembled(lake, declared, kinds, Providers::default())
    }

    fn assembled(
        lake: &eddy_engine::Lake,
        declared: Vec<Definition>,
        kinds: Vec<Kind>,
        providers: Providers,
    ) -> Result<Self> {
        let mut inner = Inner {
            store: Store::new(lake),
            kinds,
            declared: BTreeMap::new(),
            health: Health::new(lake.clock().clone()),
            providers,
        };
        for definition in declared {
            definition.check_name()?;
            inner
                .kind(&definition)?
                .validate(&definition.options)
                .map_err(|error| in_destination(&definition.name, error))?;
            inner.declared.insert(definition.name.clone(), definition);
        }
        Ok(Self(Arc::new(inner)))
    }

    /// Makes a destination. Making the same one again changes nothing. The answer tells whether it
    /// is new.
    ///
    /// # Errors
    /// `Conflict` when there is another one of this name, `Invalid` when it can't be right or holds
    /// a literal secret.
    pub async fn create(&self, definition: Definition) -> Result<bool> {
        definition.check_name()?;
        self.0.kind(&definition)?.validate(&definition.options)?;
        if self.0.declared.contains_key(&definition.name) {
            return Err(read_only(&definition.name));
        }
        definition.check_storable()?;
        let name = definition.name.clone();
        let register = format!("{FOLDER}/{name}");
        let latest = self.0.store.latest::<Stored>(&register).await?;
        let number = latest.as_ref().map_or(0, |(number, _)| number + 1);
        if let Some(there) = latest.and_then(|(_, stored)| stored.definition) {
            if there == definition {
                return Ok(false);
            }
            return Err(exists(&name));
        }
        let stored = Stored {
            definition: Some(definition),
        };
        match self.0.store.write(&register, number, &stored).await {
            Err(error) if error.kind() == ErrorKind::Fenced => Err(exists(&name)),
            result => result.map(|()| true),
        }
    }

    /// Deletes a destination. Whether a replay still needs it is the caller's question.
    ///
    /// # Errors
    /// `NotFound`, and `Conflict` for a declared one.
    pub async fn delete(&self, name: &str) -> Result<()> {
        if self.0.declared.contains_key(name) {
            return Err(read_only(name));
        }
        let register = format!("{FOLDER}/{name}");
        let Some((number, stored)) = self.stored(name).await? else {
            return Err(not_found(name));
        };
        if stored.definition.is_none() {
            return Err(not_found(name));
        }
        let gone = Stored { definition: None };
        self.0.store.write(&register, number + 1, &gone).await?;
        self.0.health.forget(name);
        Ok(())
    }

    /// One destination.
    ///
    /// # Errors
    /// `NotFound`, naming those that are there.
    pub async fn get(&self, name: &str) -> Result<Listed> {
        if let Some(definition) = self.0.declared.get(name) {
            return Ok(Listed {
                definition: definition.clone(),
                declared: true,
            });
        }
        let stored = self.stored(name).await?;
        if let Some(definition) = stored.and_then(|(_, stored)| stored.definition) {
            return Ok(Listed {
                definition,
                declared: false,
            });
        }
        let there = self.list().await?;
        let names: Vec<&str> = there
            .iter()
            .map(|listed| listed.definition.name.as_str())
            .collect();
        let hint = if names.is_empty() {
            "there are no destinations; make one by POST /api/v1/destinations".to_owned()
        } else {
            format!("the destinations are: {}", names.join(", "))
        };
        Err(not_found(name).with_hint(hint))
    }

    /// What is stored of a name; the store isn't asked for what it may have no word for.
    async fn stored(&self, name: &str) -> Result<Option<(u64, Stored)>> {
        match is_name(name) {
            true => self.0.store.latest(&format!("{FOLDER}/{name}")).await,
            false => Ok(None),
        }
    }

    /// All destinations by name.
    ///
    /// # Errors
    /// When the store doesn't answer.
    pub async fn list(&self) -> Result<Vec<Listed>> {
        let mut listed: BTreeMap<String, Listed> = BTreeMap::new();
        for name in self.0.store.names(FOLDER).await? {
            let stored = self
                .0
                .store
                .latest::<Stored>(&format!("{FOLDER}/{name}"))
                .await?;
            if let Some(definition) = stored.and_then(|(_, stored)| stored.definition) {
                let declared = false;
                listed.insert(
                    name,
                    Listed {
                        definition,
                        declared,
                    },
                );
            }
        }
        for (name, definition) in &self.0.declared {
            let definition = definition.clone();
            let declared = true;
            listed.insert(
                name.clone(),
                Listed {
                    definition,
                    declared,
                },
            );
        }
        Ok(listed.into_values().collect())
    }

    /// Asks the destination whether it is there and can take records.
    ///
    /// # Errors
    /// `NotFound` when there is none of this name, else what the destination answers.
    pub async fn check(&self, name: &str) -> Result<Checked> {
        let destination = self.connect(name, &Options::default()).await?;
        self.ask(name, destination.as_ref()).await
    }

    /// The same of one that is open. What it answers is among its [`Destinations::checks`].
    pub(crate) async fn ask(&self, name: &str, destination: &dyn Destination) -> Result<Checked> {
        self.0.health.ask(name, destination).await
    }

    /// The newest checks of a destination in this process, oldest first.
    pub fn checks(&self, name: &str) -> Vec<Check> {
        self.0.health.of(name)
    }

    /// Opens the destination for a replay; references are resolved here.
    pub(crate) async fn connect(
        &self,
        name: &str,
        replay: &Options,
    ) -> Result<Arc<dyn Destination>> {
        let listed = self.get(name).await?;
        let kind = self.0.kind(&listed.definition)?;
        let written = &listed.definition.options;
        let options = self.resolved(written).await?;
        let veil = Veil::between(written, &options);
        let opened = kind.open(written, options, replay);
        let opened = opened.map_err(|error| in_destination(name, veil.error(error)))?;
        Ok(veil.around(opened))
    }

    /// The options with what their references stand for. Files are read where nobody waits for the
    /// thread: it may take long.
    async fn resolved(
        &self,
        written: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, String>> {
        let written = written.clone();
        if written.values().all(|value| !value.contains("${")) {
            return Ok(written);
        }
        let providers = self.0.providers.clone();
        tokio::task::spawn_blocking(move || secret::resolve(&written, &providers))
            .await
            .map_err(|error| Error::internal("references are not resolved").with_source(error))?
    }
}

impl Inner {
    fn kind(&self, definition: &Definition) -> Result<&Kind> {
        let found = self
            .kinds
            .iter()
            .find(|kind| kind.name() == definition.kind);
        if let Some(kind) = found {
            return Ok(kind);
        }
        let names: Vec<&str> = self.kinds.iter().map(|kind| kind.name()).collect();
        let kind = &definition.kind;
        Err(
            Error::invalid(format!("there is no type `{kind}` of destinations"))
                .with_hint(format!("the types are: {}", names.join(", "))),
        )
    }
}

fn in_destination(name: &str, error: Error) -> Error {
    let wrapped = Error::new(error.kind(), format!("destination `{name}`: {error}"));
    match error.hint() {
        Some(hint) => wrapped.with_hint(hint),
        None => wrapped,
    }
}

fn not_found(name: &str) -> Error {
    Error::not_found(format!("there is no destination `{name}`"))
}

fn exists(name: &str) -> Error {
    Error::conflict(format!("there is another destination `{name}`"))
        .with_hint("delete it first, or choose another name")
}

fn read_only(name: &str) -> Error {
    Error::conflict(format!(
        "destination `{name}` stands in the configuration file and can't be changed here"
    ))
}

#[cfg(test)]
mod tests;
