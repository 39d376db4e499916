//! A TCP connection that fails on command, whatever is spoken over it, once so many bytes of a
//! client have passed: it is cut, and perhaps none is made again; or what the server says gets
//! lost. A Kafka broker says itself where it is reached; there the cable puts its own port.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// A proxy on its own port; ends on drop.
pub struct Cable {
    address: SocketAddr,
    state: Arc<State>,
}

struct State {
    server: String,
    /// What a broker says of itself, and what its clients hear instead.
    said: Option<[Vec<u8>; 2]>,
    closed: AtomicBool,
    refusing: AtomicBool,
    /// What the server says gets lost.
    deaf: AtomicBool,
    /// After how many bytes of a client something happens.
    after: AtomicUsize,
    /// To how many connections.
    times: AtomicUsize,
    what: Mutex<What>,
    open: Mutex<Vec<TcpStream>>,
}

/// What happens to a connection.
#[derive(Clone, Copy, PartialEq)]
enum What {
    Cut,
    Refuse,
    Deafen,
}

impl Cable {
    /// A cable to the server at `host:port`.
    pub fn to(server: &str) -> Self {
        Self::saying(server, |_| None)
    }

    /// A cable to the Kafka broker at `host:port`, by which it is reached from then on.
    pub fn to_broker(server: &str) -> Self {
        let (host, port) = server.rsplit_once(':').expect("a host and its port");
        let named = |port: i32| [host.as_bytes(), &port.to_be_bytes()].concat();
        let port: i32 = port.parse().expect("a port");
        Self::saying(server, |own| Some([named(port), named(own.into())]))
    }

    fn saying(server: &str, said: impl FnOnce(u16) -> Option<[Vec<u8>; 2]>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        let state = Arc::new(State {
            server: server.to_owned(),
            said: said(address.port()),
            closed: AtomicBool::new(false),
            refusing: AtomicBool::new(false),
            deaf: AtomicBool::new(false),
            after: AtomicUsize::new(0),
            times: AtomicUsize::new(0),
            what: Mutex::new(What::Cut),
            open: Mutex::new(Vec::new()),
        });
        let accepting = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming() {
                if accepting.closed.load(Ordering::SeqCst) {
                    return;
                }
                if let Ok(client) = client {
                    accept(&accepting, client);
                }
            }
        });
        Self { address, state }
    }

    /// `host:port` of this end.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Cuts every connection.
    pub fn cut(&self) {
        self.state.cut();
    }

    /// Cuts the next `times` connections, each after so many bytes of its client.
    pub fn cut_each(&self, bytes: usize, times: usize) {
        self.plan(What::Cut, bytes, times);
    }

    /// Cuts all connections after so many bytes of one of them, and closes new ones at once.
    pub fn refuse_after(&self, bytes: usize) {
        self.plan(What::Refuse, bytes, 1);
    }

    /// Loses what the server says after so many bytes of a client.
    pub fn deafen_after(&self, bytes: usize) {
        self.plan(What::Deafen, bytes, 1);
    }

    /// Whether what was asked for has happened as often as asked for.
    pub fn has_happened(&self) -> bool {
        self.state.times.load(Ordering::SeqCst) == 0
    }

    /// It works again: new connections are made, and what the server says is heard.
    pub fn mend(&self) {
        self.state.deaf.store(false, Ordering::SeqCst);
        self.state.refusing.store(false, Ordering::SeqCst);
    }

    fn plan(&self, what: What, bytes: usize, times: usize) {
        *self.state.what.lock().expect("the cable's state") = what;
        self.state.after.store(bytes, Ordering::SeqCst);
        self.state.times.store(times, Ordering::SeqCst);
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        self.state.closed.store(true, Ordering::SeqCst);
        self.cut();
        // Wakes the accepting thread, which then ends.
        let _ = TcpStream::connect(self.address);
    }
}

fn accept(state: &Arc<State>, client: TcpStream) {
    if state.refusing.load(Ordering::SeqCst) {
        return;
    }
    let Ok(server) = TcpStream::connect(&state.server) else {
        return;
    };
    let clones = (client.try_clone(), server.try_clone(), client.try_clone());
    let (Ok(client_reads), Ok(server_reads), Ok(held)) = clones else {
        return;
    };
    state.open.lock().expect("the cable's state").push(held);
    let (there, back) = (Arc::clone(state), Arc::clone(state));
    thread::spawn(move || pass_there(&there, client_reads, server));
    thread::spawn(move || pass_back(&back, server_reads, client));
}

fn pass_there(state: &State, mut client: TcpStream, mut server: TcpStream) {
    let mut buffer = vec![0; 16 * 1024];
    let mut passed = 0;
    while let Ok(count @ 1..) = client.read(&mut buffer) {
        let over = state.over(passed + count);
        let count = match over {
            // Up to that byte, which is in the middle of something.
            Some(What::Cut | What::Refuse) => {
                count.min(state.after.load(Ordering::SeqCst).saturating_sub(passed))
            }
            _ => count,
        };
        if over == Some(What::Deafen) {
            state.deaf.store(true, Ordering::SeqCst);
        }
        if server.write_all(&buffer[..count]).is_err() {
            break;
        }
        passed += count;
        match over {
            Some(What::Cut) => break,
            Some(What::Refuse) => {
                state.refusing.store(true, Ordering::SeqCst);
                state.cut();
                break;
            }
            _ => {}
        }
    }
    close(&client, &server);
}

fn pass_back(state: &State, mut server: TcpStream, mut client: TcpStream) {
    let mut buffer = vec![0; 16 * 1024];
    // What may be the beginning of something that is said otherwise waits for the rest.
    let mut heard = Vec::new();
    while let Ok(count @ 1..) = server.read(&mut buffer) {
        if state.deaf.load(Ordering::SeqCst) {
            continue;
        }
        heard.extend_from_slice(&buffer[..count]);
        let kept = state.say_otherwise(&mut heard);
        let rest = heard.split_off(heard.len() - kept);
        if client.write_all(&heard).is_err() {
            break;
        }
        heard = rest;
    }
    close(&client, &server);
}

impl State {
    /// Replaces what a broker says of itself. The answer is how many of the last bytes may be the
    /// beginning of it.
    fn say_otherwise(&self, heard: &mut [u8]) -> usize {
        let Some([said, instead]) = &self.said else {
            return 0;
        };
        for at in 0..heard.len() {
            if heard[at..].starts_with(said) {
                heard[at..at + said.len()].copy_from_slice(instead);
            }
        }
        let most = heard.len().min(said.len() - 1);
        let begins = |count: &usize| said.starts_with(&heard[heard.len() - count..]);
        (0..=most).rev().find(begins).unwrap_or(0)
    }

    /// What happens now that so many bytes of a client have come.
    fn over(&self, passed: usize) -> Option<What> {
        if passed < self.after.load(Ordering::SeqCst) {
            return None;
        }
        let less = |times: usize| times.checked_sub(1);
        let counted = self
            .times
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, less);
        counted
            .ok()
            .map(|_| *self.what.lock().expect("the cable's state"))
    }

    fn cut(&self) {
        for stream in self.open.lock().expect("the cable's state").drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn close(client: &TcpStream, server: &TcpStream) {
    let _ = client.shutdown(Shutdown::Both);
    let _ = server.shutdown(Shutdown::Both);
}
