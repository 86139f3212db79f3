//! Metrics, alert rules and the dashboard, judged by Prometheus' own programs.

#[cfg(feature = "practice")]
mod check;
#[cfg(feature = "practice")]
mod elsewhere;
mod rules;
#[cfg(feature = "practice")]
mod scrape;
#[cfg(feature = "practice")]
mod textfile;
mod unit;

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// Asks for a path: the status and the body.
fn get(address: SocketAddr, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    // With the older version the answer ends where the connection does.
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

/// What Prometheus answers to an expression: each series with its value.
fn query(address: SocketAddr, expr: &str) -> Vec<Value> {
    let mut path = String::from("/api/v1/query?query=");
    for byte in expr.bytes() {
        write!(path, "%{byte:02X}").unwrap();
    }
    let answer = get(address, &path).map(|it| it.1).unwrap_or_default();
    let answer: Value = serde_json::from_str(&answer).unwrap_or_default();
    answer["data"]["result"].as_array().cloned().unwrap_or_default()
}
