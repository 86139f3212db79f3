//! A small HTTP server for what is asked as an API: JSON in, JSON out.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use serde_json::Value;

/// A request.
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    /// With small letters.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

/// A server, until it is dropped.
pub(crate) struct Web {
    pub(crate) url: String,
    address: SocketAddr,
    is_over: Arc<AtomicBool>,
    work: Option<JoinHandle<()>>,
}

impl Web {
    /// One that answers so: a status, and JSON; `null` is no body.
    pub(crate) fn start(answer: impl Fn(&Asked) -> (u16, Value) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let is_over = Arc::new(AtomicBool::new(false));
        let (mine, answer) = (Arc::clone(&is_over), Arc::new(answer));
        let work = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if mine.load(Ordering::SeqCst) {
                    return;
                }
                let answer = Arc::clone(&answer);
                std::thread::spawn(move || serve(&stream.unwrap(), &*answer));
            }
        });
        Self { url: format!("http://{address}"), address, is_over, work: Some(work) }
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        TcpStream::connect(self.address).ok();
        if let Some(work) = self.work.take() {
            work.join().ok();
        }
    }
}

/// Answers what comes on a connection, until the other side has had enough.
fn serve(stream: &TcpStream, answer: &dyn Fn(&Asked) -> (u16, Value)) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let [method, path] = [0, 1].map(|it| line.split(' ').nth(it).unwrap_or("").to_owned());
        let mut headers = BTreeMap::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            let Some((name, value)) = line.trim().split_once(':') else { break };
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        let length = headers.get("content-length").map_or(0, |it| it.parse().unwrap());
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let (status, answer) = answer(&Asked { method, path, headers, body });
        let body = if answer.is_null() { String::new() } else { answer.to_string() };
        let sent = write!(
            &mut &*stream,
            "HTTP/1.1 {status} x\r\ncontent-length: {}\r\ncontent-type: application/json\r\n\r\n{body}",
            body.len()
        );
        if sent.is_err() {
            return;
        }
    }
}
