//! Kafka Connect's REST API, version 4.3.1, for the connectors of one worker.
//!
//! ```text
//! request -> guard, users -> route (what is asked for) -> negotiate (media types) -> handler
//!                                                                             -> answer
//! ```
//!
//! Handlers are plain functions from a request to an answer; they may wait for broker or lake, so
//! they run where blocking is fine. Texts and status codes are Connect's, those of a client's
//! mistakes too, since tools look at them. `connectors` and `lifecycle` are about connectors,
//! `offsets` about positions, `plugins` about classes, `loggers` about logs; `body` reads JSON as
//! Connect does, `path` what a URL may look like. `users` and `origins` say who may ask.

mod answer;
mod body;
mod connectors;
mod guard;
mod lifecycle;
mod loggers;
mod negotiate;
mod offsets;
mod origins;
mod path;
mod plugins;
mod route;
mod users;

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Method, Uri, header};
use axum::response::Response;

use crate::connect::validate::Defaults;
use crate::connect::worker::Worker;
use crate::kafka::KafkaConfig;
use answer::Answer;
pub use loggers::Loggers;
pub use origins::Origins;
use route::{Resource, Routed};
pub use users::Users;

/// The version of Connect whose API this is: tools turn features on by it.
pub(super) const CONNECT_VERSION: &str = "4.3.1";
/// The version of every class that is built in.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");
/// No configuration is larger.
const BODY_MOST_BYTES: usize = 16 << 20;

/// What the API says about its worker.
#[derive(Debug, Clone)]
pub struct RestOptions {
    /// `host:port` under which others reach the worker.
    pub advertised: String,
    /// The workers' group, which no connector may use.
    pub group: String,
    /// The class of the key converter that connectors have unless they name one.
    pub key_converter: String,
    /// The class of the value converter that connectors have unless they name one.
    pub value_converter: String,
    /// The class of the header converter that connectors have unless they name one.
    pub header_converter: String,
    /// Who may ask; everybody without.
    pub users: Option<Users>,
    /// Which sites' pages may.
    pub origins: Origins,
    /// The levels of loggers.
    pub loggers: Loggers,
}

impl RestOptions {
    /// A worker reached at `advertised`, of the group `group`, with Eddy's own converters.
    pub fn new(advertised: impl Into<String>, group: impl Into<String>) -> Self {
        Self {
            advertised: advertised.into(),
            group: group.into(),
            key_converter: "io.eddy.AutoConverter".to_owned(),
            value_converter: "io.eddy.AutoConverter".to_owned(),
            header_converter: "org.apache.kafka.connect.storage.SimpleHeaderConverter".to_owned(),
            users: None,
            origins: Origins::default(),
            loggers: Loggers::default(),
        }
    }
}

/// The API, to be served by any number of listeners.
#[derive(Clone)]
pub struct Rest(Arc<Api>);

/// What a listener has of the API, and how it is reached.
#[derive(Debug, Clone, Copy)]
pub struct Door {
    /// What it serves.
    pub part: Part,
    /// Only this machine can reach it, so a foreign `Host` is a trick.
    pub loopback: bool,
    /// It speaks TLS.
    pub tls: bool,
}

/// `admin.listeners`: `/admin` may be apart from the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Everything,
    /// All but `/admin`.
    ButAdmin,
    /// `/admin` alone.
    Admin,
}

impl Rest {
    /// The API of `worker`.
    pub fn new(worker: Worker, kafka: KafkaConfig, options: RestOptions) -> Self {
        Self(api(worker, kafka, options))
    }

    /// The routes for a listener.
    pub fn router(&self, door: Door) -> Router {
        // One handler for all: which of 404, 405, 406 and 415 an answer is follows Connect's order.
        let state = (Arc::clone(&self.0), door);
        Router::new().fallback(serve).with_state(state)
    }
}

fn api(worker: Worker, kafka: KafkaConfig, options: RestOptions) -> Arc<Api> {
    let defaults = Defaults {
        group: options.group.clone(),
        key_converter: options.key_converter.clone(),
        value_converter: options.value_converter.clone(),
        header_converter: options.header_converter.clone(),
        providers: worker.providers().clone(),
        version: VERSION,
    };
    let loggers = options.loggers.clone();
    let clock = worker.clock();
    worker.on_level(move |logger, level| {
        loggers.hear(logger, level, clock.now_us() / 1_000);
    });
    Arc::new(Api {
        worker,
        kafka,
        options,
        defaults,
        cluster_id: OnceLock::new(),
    })
}

/// What handlers work with.
struct Api {
    worker: Worker,
    kafka: KafkaConfig,
    options: RestOptions,
    defaults: Defaults,
    cluster_id: OnceLock<String>,
}

/// A request that has been read.
struct Call {
    uri: Uri,
    /// Where the client thinks it is.
    host: Option<String>,
    /// Whether it came over TLS.
    tls: bool,
    body: Vec<u8>,
}

impl Call {
    /// The first value of a query parameter, decoded.
    fn query(&self, name: &str) -> Option<String> {
        self.queries(name).into_iter().next()
    }

    /// All values of a query parameter, decoded.
    fn queries(&self, name: &str) -> Vec<String> {
        let pairs = self.uri.query().unwrap_or_default().split('&');
        let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let ours = pairs.filter(|(key, _)| *key == name);
        ours.map(|(_, value)| path::decode(&value.replace('+', "%20")).unwrap_or_default())
            .collect()
    }

    /// Whether a query parameter is true, as Java reads booleans.
    fn flag(&self, name: &str) -> bool {
        self.query(name)
            .is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }
}

async fn serve(State((api, door)): State<(Arc<Api>, Door)>, request: Request<Body>) -> Response {
    let (method, headers) = (request.method(), request.headers());
    let origin = api.options.origins.of(headers).cloned();
    let preflight = origin.is_some() && Origins::is_preflight(method, headers);
    let mut response = match guard::check(headers, door.loopback, origin.is_some()) {
        Err(refused) => refused.response(),
        Ok(()) if preflight => Answer::empty(200).response(),
        Ok(()) => admitted(Arc::clone(&api), door, request).await,
    };
    if let Some(origin) = origin {
        let marked = response.headers_mut();
        api.options.origins.mark(marked, origin, preflight);
    }
    response
}

/// Answers a request that may come from there.
async fn admitted(api: Arc<Api>, door: Door, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let users = api.options.users.as_ref();
    if let Some(Err(refused)) = users.map(|users| users.check(&parts.headers)) {
        return refused.response();
    }
    let (resource, method) = match route::route(&parts.method, parts.uri.path(), door.part) {
        Routed::To(resource, method) => (resource, method),
        Routed::Options(allowed) => return Answer::options(allowed).response(),
        Routed::Refused(answer) => return answer.response(),
    };
    let Ok(body) = to_bytes(body, BODY_MOST_BYTES).await else {
        return Answer::error(413, "the request is too large or broke off").response();
    };
    if let Err(refused) = negotiate::check(&parts.headers, !body.is_empty()) {
        return refused.response();
    }
    let host = parts.headers.get(header::HOST);
    let call = Call {
        host: host.and_then(|host| Some(host.to_str().ok()?.to_owned())),
        tls: door.tls,
        uri: parts.uri,
        body: body.to_vec(),
    };
    let answered = tokio::task::spawn_blocking(move || api.answer(&method, &resource, &call));
    let mut response = match answered.await {
        Ok(answer) => answer.response(),
        Err(error) => {
            tracing::error!(%error, "a REST request broke off");
            Answer::error(500, "the request broke off; this is a bug of Eddy").response()
        }
    };
    if parts.method == Method::HEAD {
        *response.body_mut() = Body::empty();
    }
    response
}

impl Api {
    fn answer(&self, method: &Method, resource: &Resource, call: &Call) -> Answer {
        let needs_worker = !matches!(
            resource,
            Resource::Root
                | Resource::Health
                | Resource::Plugins
                | Resource::PluginConfig(_)
                | Resource::Validate(_)
                | Resource::Loggers
                | Resource::Logger(_)
        );
        if needs_worker && !self.worker.is_ready() {
            return Answer::error(503, "Worker is still starting up.");
        }
        let answer = match resource {
            Resource::Root => Ok(self.root()),
            Resource::Health => Ok(self.health()),
            Resource::Connectors if *method == Method::POST => self.create(call),
            Resource::Connectors => Ok(self.list(call)),
            Resource::Connector(name) if *method == Method::DELETE => self.delete(name),
            Resource::Connector(name) => self.info(name),
            Resource::Config(name) if *method == Method::PUT => self.put_config(name, call),
            Resource::Config(name) if *method == Method::PATCH => self.patch_config(name, call),
            Resource::Config(name) => self.config(name),
            Resource::Status(name) => self.status(name),
            Resource::Tasks(name) => self.tasks(name),
            Resource::TaskStatus(name, task) => self.task_status(name, *task),
            Resource::TaskRestart(name, task) => self.restart_task(name, *task),
            Resource::Restart(name) => self.restart(name, call),
            Resource::Pause(name) => self.pause(name),
            Resource::Resume(name) => self.resume(name),
            Resource::Stop(name) => self.stop(name),
            Resource::Topics(name) => Ok(self.topics(name)),
            Resource::TopicsReset(name) => self.reset_topics(name),
            Resource::Offsets(name) if *method == Method::PATCH => self.alter_offsets(name, call),
            Resource::Offsets(name) if *method == Method::DELETE => self.reset_offsets(name),
            Resource::Offsets(name) => self.offsets(name),
            Resource::Plugins => Ok(self.plugins(call)),
            Resource::PluginConfig(plugin) => self.plugin_config(plugin, call),
            Resource::Validate(plugin) => self.validate(plugin, call),
            Resource::Loggers => Ok(self.loggers()),
            Resource::Logger(name) if *method == Method::PUT => self.set_logger(name, call),
            Resource::Logger(name) => self.logger(name),
        };
        answer.unwrap_or_else(|refused| refused)
    }
}
