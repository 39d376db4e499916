//! As much of an S3 server as the engine needs, which remembers the head of every request.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// The head of a request.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) method: String,
    /// Behind the bucket.
    pub(super) path: String,
    pub(super) query: String,
    /// By their names in small letters.
    pub(super) headers: BTreeMap<String, String>,
}

/// A server on its own port; ends on drop.
pub(super) struct Recorder {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    ended: AtomicBool,
    requests: Mutex<Vec<Request>>,
    objects: Mutex<BTreeMap<String, Vec<u8>>>,
    /// Parts on their way, by path and number.
    parts: Mutex<BTreeMap<(String, u32), Vec<u8>>>,
}

impl Recorder {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State::default());
        let accepting = Arc::clone(&state);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                if accepting.ended.load(Ordering::SeqCst) {
                    return;
                }
                let state = Arc::clone(&accepting);
                std::thread::spawn(move || serve(&state, client.unwrap()));
            }
        });
        Self { address, state }
    }

    pub(super) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn requests(&self) -> Vec<Request> {
        self.state.requests.lock().unwrap().clone()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::SeqCst);
        // Wakes the accepting thread.
        drop(TcpStream::connect(self.address));
    }
}

/// Answers the requests of one connection until its client closes it.
fn serve(state: &State, client: TcpStream) {
    let mut answers = client.try_clone().unwrap();
    let mut client = BufReader::new(client);
    while let Some((request, body)) = read(&mut client) {
        state.requests.lock().unwrap().push(request.clone());
        let (status, headers, answer) = state.answer(&request, body);
        let length = match request.method.as_str() {
            "HEAD" => state
                .objects
                .lock()
                .unwrap()
                .get(&request.path)
                .map_or(0, Vec::len),
            _ => answer.len(),
        };
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{headers}\r\n");
        let sent = answers
            .write_all(head.as_bytes())
            .and_then(|()| answers.write_all(&answer));
        if sent.is_err() {
            return;
        }
    }
}

fn read(client: &mut impl BufRead) -> Option<(Request, Vec<u8>)> {
    let mut line = String::new();
    client
        .read_line(&mut line)
        .ok()
        .filter(|count| *count > 0)?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let path = path.trim_start_matches("/bucket").trim_start_matches('/');
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        client.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let length = headers
        .get("content-length")
        .map_or(0, |text| text.parse().unwrap());
    let mut body = vec![0; length];
    client.read_exact(&mut body).ok()?;
    let request = Request {
        method,
        path: plain(path),
        query: query.to_owned(),
        headers,
    };
    Some((request, body))
}

/// The text without percent escapes.
fn plain(text: &str) -> String {
    let pair = format!("x={}", text.replace('+', "%2B"));
    let mut pairs = url::form_urlencoded::parse(pair.as_bytes());
    pairs
        .next()
        .map_or_else(String::new, |(_, value)| value.into_owned())
}

type Answer = (&'static str, String, Vec<u8>);

const STAMP: &str = "ETag: \"x\"\r\nLast-Modified: Mon, 23 Nov 2026 12:00:00 GMT\r\n";

impl State {
    fn answer(&self, request: &Request, body: Vec<u8>) -> Answer {
        let argument = |name: &str| {
            let mut all = url::form_urlencoded::parse(request.query.as_bytes());
            all.find(|(key, _)| key == name)
                .map(|(_, value)| value.into_owned())
        };
        let (path, mut objects) = (request.path.clone(), self.objects.lock().unwrap());
        match request.method.as_str() {
            "PUT" if argument("partNumber").is_some() => {
                let number = argument("partNumber").unwrap().parse().unwrap();
                self.parts.lock().unwrap().insert((path, number), body);
                ok(Vec::new())
            }
            "PUT" => {
                if request.headers.contains_key("if-none-match") && objects.contains_key(&path) {
                    return ("412 Precondition Failed", String::new(), Vec::new());
                }
                objects.insert(path, body);
                ok(Vec::new())
            }
            "POST" if request.query.starts_with("uploads") => {
                xml("InitiateMultipartUploadResult", "<UploadId>u</UploadId>")
            }
            "POST" if argument("uploadId").is_some() => {
                let mut parts = self.parts.lock().unwrap();
                let (done, rest) = std::mem::take(&mut *parts)
                    .into_iter()
                    .partition(|((of, _), _)| *of == path);
                *parts = rest;
                let done: BTreeMap<(String, u32), Vec<u8>> = done;
                objects.insert(path, done.into_values().flatten().collect());
                xml("CompleteMultipartUploadResult", "<ETag>\"x\"</ETag>")
            }
            "POST" => {
                let body = String::from_utf8(body).unwrap();
                let keys = body.split("<Key>").skip(1);
                let keys = keys.filter_map(|rest| rest.split_once("</Key>"));
                let deleted = keys.map(|(key, _)| {
                    objects.remove(key);
                    format!("<Deleted><Key>{key}</Key></Deleted>")
                });
                xml("DeleteResult", &deleted.collect::<String>())
            }
            "GET" if argument("list-type").is_some() => {
                let prefix = argument("prefix").unwrap_or_default();
                let after = argument("start-after").unwrap_or_default();
                listing(&objects, &prefix, &after, argument("delimiter").as_deref())
            }
            "GET" | "HEAD" => match objects.get(&path) {
                Some(bytes) => ranged(bytes, request),
                None => ("404 Not Found", String::new(), Vec::new()),
            },
            _ => ("204 No Content", String::new(), Vec::new()),
        }
    }
}

fn ok(body: Vec<u8>) -> Answer {
    ("200 OK", STAMP.to_owned(), body)
}

fn xml(name: &str, content: &str) -> Answer {
    ok(format!("<{name}>{content}</{name}>").into_bytes())
}

fn ranged(bytes: &[u8], request: &Request) -> Answer {
    if request.method == "HEAD" {
        return ok(Vec::new());
    }
    let range = request.headers.get("range").and_then(|range| {
        let (from, to) = range.strip_prefix("bytes=")?.split_once('-')?;
        let last = bytes.len() - 1;
        Some(match (from.parse::<usize>(), to.parse::<usize>()) {
            (Ok(from), Ok(to)) => (from, to.min(last)),
            (Ok(from), Err(_)) => (from, last),
            (Err(_), suffix) => (bytes.len() - suffix.ok()?.min(bytes.len()), last),
        })
    });
    let Some((from, to)) = range else {
        return ok(bytes.to_vec());
    };
    let content = format!(
        "Content-Range: bytes {from}-{to}/{}\r\n{STAMP}",
        bytes.len()
    );
    ("206 Partial Content", content, bytes[from..=to].to_vec())
}

fn listing(
    objects: &BTreeMap<String, Vec<u8>>,
    prefix: &str,
    after: &str,
    delimiter: Option<&str>,
) -> Answer {
    let (mut contents, mut folders) = (String::new(), BTreeSet::new());
    let listed = objects
        .iter()
        .filter(|(key, _)| key.starts_with(prefix) && key.as_str() > after);
    for (key, bytes) in listed {
        let below = delimiter.and_then(|delimiter| key[prefix.len()..].split_once(delimiter));
        if let Some((folder, _)) = below {
            folders.insert(format!("{prefix}{folder}/"));
            continue;
        }
        contents.push_str(&format!(
            "<Contents><Key>{key}</Key><LastModified>2026-11-23T12:00:00.000Z</LastModified>\
             <ETag>\"x\"</ETag><Size>{}</Size></Contents>",
            bytes.len()
        ));
    }
    for folder in folders {
        contents.push_str(&format!(
            "<CommonPrefixes><Prefix>{folder}</Prefix></CommonPrefixes>"
        ));
    }
    xml(
        "ListBucketResult",
        &format!("<IsTruncated>false</IsTruncated>{contents}"),
    )
}
