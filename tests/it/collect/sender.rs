//! Whoever sends events: a plain HTTP client.

use std::time::Duration;

use serde_json::Value;

use crate::harness::block_on;
use crate::harness::process::free_port;

/// A client of one collector, with its token.
#[derive(Clone)]
pub struct Sender {
    pub address: String,
    path: String,
    token: String,
    bearer: bool,
    client: reqwest::Client,
}

/// What the collector answered; status 0 is no answer.
#[derive(Debug)]
pub struct Answered {
    pub status: u16,
    pub retry_after: Option<u64>,
    pub body: Value,
}

impl Answered {
    pub fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }
}

impl Sender {
    /// The `[collector]` of a configuration file with these settings, and who sends to it.
    pub fn configured(settings: &str) -> (String, Self) {
        let address = format!("127.0.0.1:{}", free_port());
        let toml =
            format!("[collector]\nhttp_listen = \"{address}\"\ngrpc_listen = \"\"\n{settings}\n");
        let client = client();
        let sender = Self {
            address,
            path: String::new(),
            token: String::new(),
            bearer: false,
            client,
        };
        (toml, sender)
    }

    pub fn with_token(&self, token: &str) -> Self {
        Self {
            token: token.to_owned(),
            ..self.clone()
        }
    }

    /// The same, with connections of its own.
    pub fn anew(&self) -> Self {
        Self {
            client: client(),
            ..self.clone()
        }
    }

    /// The same, with `Authorization: Bearer`.
    pub fn bearer(&self) -> Self {
        Self {
            bearer: true,
            ..self.clone()
        }
    }

    /// The same to another place: `?batch=true`.
    pub fn to(&self, path: &str) -> Self {
        Self {
            path: path.to_owned(),
            ..self.clone()
        }
    }

    pub fn send(&self, headers: &[(&str, &str)], body: &[u8]) -> Answered {
        block_on(self.sending(headers, body.to_vec().into()))
    }

    /// The same, in parts whose number nobody announces.
    pub fn send_in_parts(&self, part: &[u8], parts: usize) -> Answered {
        let part = part.to_vec();
        let parts = (0..parts).map(move |_| Ok::<_, std::io::Error>(part.clone()));
        let body = reqwest::Body::wrap_stream(futures::stream::iter(parts));
        block_on(self.sending(&[], body))
    }

    pub async fn sending(&self, headers: &[(&str, &str)], body: reqwest::Body) -> Answered {
        let url = format!("http://{}/v1/collection{}", self.address, self.path);
        let mut request = self.client.post(url).body(body);
        if self.bearer {
            request = request.bearer_auth(&self.token);
        } else if !self.token.is_empty() {
            request = request.header("Batch-Token", &self.token);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        match request.send().await {
            Ok(answer) => {
                let retry_after = answer.headers().get("retry-after");
                let retry_after = retry_after.and_then(|value| value.to_str().ok()?.parse().ok());
                Answered {
                    status: answer.status().as_u16(),
                    retry_after,
                    body: answer.json().await.unwrap_or_default(),
                }
            }
            Err(error) => Answered {
                status: 0,
                retry_after: None,
                body: error.to_string().into(),
            },
        }
    }
}

fn client() -> reqwest::Client {
    // Longer than Kafka is away in any test, also where a body waits to be read.
    let client = reqwest::Client::builder().timeout(Duration::from_secs(600));
    let client = client.tcp_user_timeout(None::<Duration>);
    client.build().expect("an HTTP client")
}

/// A zstd frame that holds up to 255 bytes as they are.
pub fn zstd(bytes: &[u8]) -> Vec<u8> {
    let length = u8::try_from(bytes.len()).expect("a short body");
    let block = (u32::from(length) << 3 | 1).to_le_bytes();
    let head = [0x28, 0xb5, 0x2f, 0xfd, 0x20, length];
    [&head, &block[..3], bytes].concat()
}
