//! The client side of Eddy's own HTTP API, for `eddy sql` and `eddy replay`.

use anyhow::{Context, Result, bail};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;

use crate::cli::Server;

/// One server.
pub(crate) struct Client {
    http: reqwest::Client,
    url: String,
    token: Option<String>,
}

impl Client {
    /// A client for `server`.
    ///
    /// # Errors
    /// When the address isn't one that this client speaks.
    pub(crate) fn new(server: &Server) -> Result<Self> {
        let url = server.url.trim_end_matches('/').to_owned();
        if !url.starts_with("http://") {
            bail!("`{url}` is not an http:// address");
        }
        Ok(Self {
            http: reqwest::Client::new(),
            url,
            token: server.token.clone(),
        })
    }

    /// Sends a JSON body and returns the answer, whatever its length.
    ///
    /// # Errors
    /// When the server isn't there, or answers with an error, whose message and hint are told.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Response> {
        self.send(self.request(Method::POST, path).json(body)).await
    }

    /// Fetches an answer, whatever its length.
    ///
    /// # Errors
    /// As [`Client::post`].
    pub(crate) async fn get<'a>(
        &self,
        path: &str,
        headers: impl IntoIterator<Item = (&'static str, &'a str)>,
    ) -> Result<Response> {
        let mut request = self.request(Method::GET, path);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        self.send(request).await
    }

    /// Fetches a JSON document.
    ///
    /// # Errors
    /// As [`Client::post`].
    pub(crate) async fn get_json(&self, path: &str) -> Result<Value> {
        Ok(self
            .send(self.request(Method::GET, path))
            .await?
            .json()
            .await?)
    }

    /// Sends a JSON body and returns the answer's JSON document.
    ///
    /// # Errors
    /// As [`Client::post`].
    pub(crate) async fn post_json(&self, path: &str, body: &Value) -> Result<Value> {
        Ok(self.post(path, body).await?.json().await?)
    }

    /// Removes a resource.
    ///
    /// # Errors
    /// As [`Client::post`].
    pub(crate) async fn delete(&self, path: &str) -> Result<()> {
        self.send(self.request(Method::DELETE, path)).await?;
        Ok(())
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response> {
        let response = request.send().await.with_context(|| {
            format!(
                "no answer from `{}`; is `eddy dev` or `eddy serve` running there?",
                self.url
            )
        })?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let text = response.text().await.unwrap_or_default();
        bail!(
            "{}",
            told(&text).unwrap_or_else(|| format!("the server answered {status}: {text}"))
        )
    }
}

/// The message and hint of an error body in the API's one shape.
fn told(text: &str) -> Option<String> {
    let body: Value = serde_json::from_str(text).ok()?;
    let error = body.get("error")?;
    let message = error.get("message")?.as_str()?;
    match error.get("hint").and_then(Value::as_str) {
        Some(hint) => Some(format!("{message}\n  hint: {hint}")),
        None => Some(message.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_answer_is_told_with_its_hint() {
        let text = r#"{"error":{"code":"x","message":"no table `a`","hint":"try `b`"}}"#;
        assert_eq!(told(text).as_deref(), Some("no table `a`\n  hint: try `b`"));
        assert_eq!(told("oops"), None);
    }
}
