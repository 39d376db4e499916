//! An HTTP server that misbehaves on command: it may answer anything, close without an answer or
//! before it has read the body, or let the connection break in the middle of its answer. It
//! remembers what it was sent.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// A server on its own port; ends on drop.
pub struct Web {
    address: SocketAddr,
    inner: Arc<Inner>,
}

/// What was sent.
#[derive(Debug, Clone)]
pub struct Request {
    /// As `POST`.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Names in lower case, in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// The number of its connection.
    pub connection: usize,
    /// Whether the server did what was asked for, however it replied.
    pub done: bool,
}

/// What the server does.
pub enum Reply {
    /// It does what was asked for and answers 200.
    Done,
    /// It does what was asked for, and its answer gets lost.
    Lost,
    /// It does what was asked for, and the connection breaks in the middle of the answer's head.
    Broken,
    /// It does nothing and closes the connection.
    Closed,
    /// It answers so, with a body; a 2xx means that it did what was asked for.
    Answer(u16, Vec<(&'static str, String)>, String),
}

type Script = dyn Fn(&Request, usize) -> Reply + Send + Sync;

struct Inner {
    script: Box<Script>,
    requests: AtomicUsize,
    /// Every so many requests one is not read to its end; 0: none.
    unread_each: AtomicUsize,
    connections: AtomicUsize,
    received: Mutex<Vec<Request>>,
    closed: AtomicBool,
}

impl Request {
    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.all(name).first().copied()
    }

    /// All headers of this name.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let named = self.headers.iter().filter(|(known, _)| known == name);
        named.map(|(_, value)| value.as_str()).collect()
    }
}

impl Reply {
    /// An answer with nothing beside its status.
    pub fn status(status: u16) -> Self {
        Self::Answer(status, Vec::new(), String::new())
    }
}

impl Web {
    /// A server that asks `script` for the reply to each request, with the number of those before
    /// it. `HEAD` is answered with 200, and neither asked about nor remembered.
    pub fn start(script: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        let inner = Arc::new(Inner {
            script: Box::new(script),
            requests: AtomicUsize::new(0),
            unread_each: AtomicUsize::new(0),
            connections: AtomicUsize::new(0),
            received: Mutex::new(Vec::new()),
            closed: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&inner);
        thread::spawn(move || {
            for client in listener.incoming() {
                if accepting.closed.load(Ordering::SeqCst) {
                    return;
                }
                if let Ok(client) = client {
                    let inner = Arc::clone(&accepting);
                    // A connection that breaks is the client's matter.
                    thread::spawn(move || serve(&inner, client));
                }
            }
        });
        Self { address, inner }
    }

    /// From now on every `each`th request finds its connection closed before its body is read.
    pub fn close_unread(&self, each: usize) {
        self.inner.unread_each.store(each, Ordering::SeqCst);
    }

    /// `http://127.0.0.1:port` and the path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Everything that was sent, in the order in which it was read.
    pub fn received(&self) -> Vec<Request> {
        self.inner
            .received
            .lock()
            .expect("no test panicked")
            .clone()
    }

    /// What was done of it.
    pub fn done(&self) -> Vec<Request> {
        let received = self.received().into_iter();
        received.filter(|request| request.done).collect()
    }

    /// How many connections there were.
    pub fn connections(&self) -> usize {
        self.inner.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        self.inner.closed.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(inner: &Inner, client: TcpStream) -> Option<()> {
    let connection = inner.connections.fetch_add(1, Ordering::SeqCst);
    let mut reader = BufReader::new(client.try_clone().ok()?);
    let mut client = client;
    loop {
        let (mut request, length) = head(&mut reader, connection)?;
        if request.method == "HEAD" {
            client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").ok()?;
            continue;
        }
        let number = inner.requests.fetch_add(1, Ordering::SeqCst);
        let each = inner.unread_each.load(Ordering::SeqCst);
        if each > 0 && number % each == each - 1 {
            return None;
        }
        request.body = vec![0; length];
        reader.read_exact(&mut request.body).ok()?;
        let reply = (inner.script)(&request, number);
        request.done = match &reply {
            Reply::Done | Reply::Lost | Reply::Broken => true,
            Reply::Answer(status, ..) => (200..300).contains(status),
            Reply::Closed => false,
        };
        inner
            .received
            .lock()
            .expect("no test panicked")
            .push(request);
        let text = match reply {
            Reply::Done => "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".to_owned(),
            Reply::Answer(status, headers, body) => answer(status, &headers, &body),
            Reply::Broken => "HTTP/1.1 200 O".to_owned(),
            Reply::Lost | Reply::Closed => String::new(),
        };
        client.write_all(text.as_bytes()).ok()?;
        if !text.ends_with("ok") && !text.contains("content-length") {
            let _ = client.shutdown(Shutdown::Both);
            return None;
        }
    }
}

fn answer(status: u16, headers: &[(&str, String)], body: &str) -> String {
    let mut text = format!("HTTP/1.1 {status} Said\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
    text
}

/// A request's head and the length of its body; `None` once the client is gone.
fn head(reader: &mut impl BufRead, connection: usize) -> Option<(Request, usize)> {
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let mut words = first.split_whitespace();
    let mut request = Request {
        method: words.next()?.to_owned(),
        path: words.next()?.to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
        connection,
        done: false,
    };
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let line = line.trim_end_matches(['\r', '\n']);
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':')?;
        let header = (name.to_ascii_lowercase(), value.trim().to_owned());
        request.headers.push(header);
    }
    let length = request.header("content-length");
    let length = length.map_or(Some(0), |length| length.parse().ok())?;
    Some((request, length))
}
