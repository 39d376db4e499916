//! Which resource a path means, and which methods it has. Pure.

use axum::http::Method;

use super::Part;
use super::answer::Answer;
use super::path;

/// A resource of the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Resource {
    Root,
    Health,
    Connectors,
    Connector(String),
    Config(String),
    Status(String),
    Tasks(String),
    TaskStatus(String, i32),
    TaskRestart(String, i32),
    Restart(String),
    Pause(String),
    Resume(String),
    Stop(String),
    Topics(String),
    TopicsReset(String),
    Offsets(String),
    Plugins,
    PluginConfig(String),
    Validate(String),
    Loggers,
    Logger(String),
}

/// Where a request goes.
#[derive(Debug, PartialEq)]
pub(super) enum Routed {
    /// To this resource, with this method.
    To(Resource, Method),
    /// It asks which methods there are.
    Options(&'static str),
    /// Nowhere.
    Refused(Answer),
}

/// Routes a request to what a listener with `part` of the API has.
pub(super) fn route(method: &Method, path: &str, part: Part) -> Routed {
    let Some(segments) = path::segments(path) else {
        return Routed::Refused(Answer::error(400, "HTTP 400 Bad Request: ambiguous path"));
    };
    let here = |resource: &Resource| match part {
        Part::Everything => true,
        Part::ButAdmin => !resource.is_admin(),
        Part::Admin => resource.is_admin(),
    };
    let Some(resource) = resource(&segments).filter(here) else {
        return Routed::Refused(Answer::error(404, "HTTP 404 Not Found"));
    };
    let allowed = resource.methods();
    if method == Method::OPTIONS {
        return Routed::Options(allowed);
    }
    if !allowed.split(',').any(|allowed| allowed == method.as_str()) {
        return Routed::Refused(Answer::error(405, "HTTP 405 Method Not Allowed"));
    }
    let method = match *method {
        Method::HEAD => Method::GET,
        _ => method.clone(),
    };
    Routed::To(resource, method)
}

fn resource(segments: &[String]) -> Option<Resource> {
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    Some(match segments.as_slice() {
        [] => Resource::Root,
        ["health"] => Resource::Health,
        ["connectors"] => Resource::Connectors,
        ["connectors", name, rest @ ..] => return connector((*name).to_owned(), rest),
        ["connector-plugins"] => Resource::Plugins,
        ["connector-plugins", plugin, "config"] => Resource::PluginConfig((*plugin).to_owned()),
        ["connector-plugins", plugin, "config", "validate"] => {
            Resource::Validate((*plugin).to_owned())
        }
        ["admin", "loggers"] => Resource::Loggers,
        ["admin", "loggers", logger] => Resource::Logger((*logger).to_owned()),
        _ => return None,
    })
}

fn connector(name: String, rest: &[&str]) -> Option<Resource> {
    Some(match rest {
        [] => Resource::Connector(name),
        ["config"] => Resource::Config(name),
        ["status"] => Resource::Status(name),
        ["tasks"] => Resource::Tasks(name),
        ["tasks", task, "status"] => Resource::TaskStatus(name, task.parse().ok()?),
        ["tasks", task, "restart"] => Resource::TaskRestart(name, task.parse().ok()?),
        ["restart"] => Resource::Restart(name),
        ["pause"] => Resource::Pause(name),
        ["resume"] => Resource::Resume(name),
        ["stop"] => Resource::Stop(name),
        ["topics"] => Resource::Topics(name),
        ["topics", "reset"] => Resource::TopicsReset(name),
        ["offsets"] => Resource::Offsets(name),
        _ => return None,
    })
}

impl Resource {
    /// Whether it is one of those that a listener of their own may have.
    pub(super) fn is_admin(&self) -> bool {
        matches!(self, Self::Loggers | Self::Logger(_))
    }

    fn methods(&self) -> &'static str {
        match self {
            Self::Connectors => "GET,HEAD,OPTIONS,POST",
            Self::Connector(_) => "DELETE,GET,HEAD,OPTIONS",
            Self::Config(_) => "GET,HEAD,OPTIONS,PATCH,PUT",
            Self::Offsets(_) => "DELETE,GET,HEAD,OPTIONS,PATCH",
            Self::Restart(_) | Self::TaskRestart(..) => "OPTIONS,POST",
            Self::Pause(_)
            | Self::Resume(_)
            | Self::Stop(_)
            | Self::TopicsReset(_)
            | Self::Validate(_) => "OPTIONS,PUT",
            Self::Logger(_) => "GET,HEAD,OPTIONS,PUT",
            _ => "GET,HEAD,OPTIONS",
        }
    }
}
