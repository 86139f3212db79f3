//! What is served, looked at from here and through a real sshd: by openssl, nginx and servers
//! that do everything wrong.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use certdeck::clock::Clock;
use certdeck::fleet::{self, ChainFault, Moment, NotServed, Outcome, Probe, Vantage};
use certdeck::inventory::{Door, Endpoint, Host, StartTls};
use certdeck::remote::Sessions;
use certdeck::scan;
use certdeck::wire::probe;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};

use super::authority::{Authority, Order};
use super::nginx::{self, Nginx};
use super::{Lab, are_here, free_port, host, wait_for};
use crate::certificate;

/// An `openssl s_server`, until it is dropped.
struct Server {
    port: u16,
    child: Child,
}

impl Server {
    fn start(words: &[&str]) -> Self {
        let port = free_port();
        let child = Command::new("openssl")
            .args(["s_server", "-quiet", "-accept", &format!("127.0.0.1:{port}")])
            .args(words)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self { port, child };
        wait_for("s_server", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A server of our own: does something with each connection, for as long as the test lives.
fn serve(talk: impl Fn(TcpStream) -> io::Result<()> + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let talk = Arc::new(talk);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let talk = Arc::clone(&talk);
            thread::spawn(move || talk(stream));
        }
    });
    port
}

/// Takes what the client says first.
fn hear(stream: &mut TcpStream) -> io::Result<()> {
    stream.read(&mut [0; 4096]).map(drop)
}

fn endpoint(port: u16, vantage: Vantage) -> Endpoint {
    let name = "localhost".to_owned();
    Endpoint {
        name,
        port,
        starttls: StartTls::None,
        probe: vec![vantage],
        listen: None,
        addresses: Vec::new(),
    }
}

/// Looks at a port of this machine, directly.
async fn look(sessions: &Sessions, at: Endpoint) -> Vec<Probe> {
    let mut web = host("web-01", 1);
    web.connect_timeout = Duration::from_secs(2);
    look_from(sessions, &web, at).await
}

async fn look_from(sessions: &Sessions, host: &Host, at: Endpoint) -> Vec<Probe> {
    let mut probes = probe(sessions, host, &[], &at, Moment::from_unix(7)).await;
    // The name has an IPv6 address too, where nobody listens.
    probes.retain(|it| it.address.as_str().starts_with("127.0.0.1:"));
    for it in &probes {
        assert_eq!((it.name.as_str(), it.at), ("localhost", Moment::from_unix(7)));
        assert_eq!(it.address.as_str(), format!("127.0.0.1:{}", at.port));
        assert_eq!(it.vantage, at.probe[0]);
    }
    probes
}

/// Stops with an assertion unless the first certificates of these files are shown.
#[track_caller]
fn check_shown(probes: &[Probe], files: &[&Path]) {
    let mut expect: Vec<_> =
        files.iter().map(|it| certificate::openssl(it).unwrap().sha256).collect();
    let leaf = |it: &Probe| it.leaf().unwrap_or_else(|| panic!("{it:?}")).to_string();
    let mut shown: Vec<_> = probes.iter().map(leaf).collect();
    expect.sort();
    shown.sort();
    assert_eq!(shown, expect);
}

/// Stops with an assertion unless no certificate is shown, for that reason.
#[track_caller]
fn check_fault(probes: &[Probe], expect: &str) {
    let [Probe { served: Err(why), .. }] = probes else { panic!("{probes:?}") };
    assert!(why.text.as_str().starts_with(expect), "{why}");
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Files of a leaf and its chain, made by openssl.
fn issue(authority: &Authority, lab: &Lab, key: &str, name: &str) -> PathBuf {
    let leaf = authority.issue(Order { key, days: 30, names: &[name] });
    let path = lab.path(&format!("{key}.pem"));
    fs::write(&path, leaf + &authority.chain()).unwrap();
    path
}

#[tokio::test]
async fn what_is_served_is_what_openssl_serves() {
    let Some(lab) = Lab::new() else { return };
    let authority = Authority::new(lab.path("ca"));
    let sessions = lab.sessions();
    let keys = ["rsa-2048", "ecdsa-p256", "ecdsa-p384", "ed25519"];
    let files = keys.map(|key| issue(&authority, &lab, key, "DNS:localhost"));
    for (kind, file) in keys.into_iter().zip(&files) {
        for version in ["-tls1_2", "-tls1_3"] {
            let key = authority.key(kind);
            let words = ["-cert", text(file), "-cert_chain", text(file), "-key", text(&key)];
            let server = Server::start(&[&words[..], &[version]].concat());
            let probes = look(&sessions, endpoint(server.port, Vantage::Public)).await;
            check_shown(&probes, &[file]);
            let chain = probes[0].served.as_ref().unwrap();
            assert_eq!(chain.leaf.key.to_string(), kind);
        }
    }
    // One for each kind of client.
    let [key, other_key] = ["rsa-2048", "ecdsa-p256"].map(|it| authority.key(it));
    let words = ["-cert", text(&files[0]), "-key", text(&key), "-dcert", text(&files[1])];
    let server = Server::start(&[&words[..], &["-dkey", text(&other_key)]].concat());
    let probes = look(&sessions, endpoint(server.port, Vantage::Public)).await;
    check_shown(&probes, &[&files[0], &files[1]]);
}

#[tokio::test]
async fn a_certificate_is_shown_however_bad_it_is() {
    let Some(lab) = Lab::new() else { return };
    let authority = Authority::new(lab.path("ca"));
    let sessions = lab.sessions();
    // Self-signed, expired, and for another name.
    let mut params = CertificateParams::new(vec!["other.test".to_owned()]).unwrap();
    params.not_after = date_time_ymd(2001, 1, 1);
    params.not_before = date_time_ymd(2000, 1, 1);
    let key_pair = KeyPair::generate().unwrap();
    let [bad, key] = ["bad.pem", "bad.key"].map(|it| lab.path(it));
    fs::write(&bad, params.self_signed(&key_pair).unwrap().pem()).unwrap();
    fs::write(&key, key_pair.serialize_pem()).unwrap();
    let server = Server::start(&["-cert", text(&bad), "-key", text(&key)]);
    let probes = look(&sessions, endpoint(server.port, Vantage::Public)).await;
    check_shown(&probes, &[&bad]);
    assert_eq!(probes[0].served.as_ref().unwrap().leaf.names[0].as_str(), "other.test");

    // No intermediate; and a server that wants to see a certificate too.
    let file = issue(&authority, &lab, "rsa-2048", "DNS:localhost");
    let key = authority.key("rsa-2048");
    for version in ["-tls1_2", "-tls1_3"] {
        let words = ["-cert", text(&file), "-key", text(&key), "-Verify", "1", version];
        let server = Server::start(&words);
        let probes = look(&sessions, endpoint(server.port, Vantage::Public)).await;
        check_shown(&probes, &[&file]);
        let fault = probes[0].served.as_ref().unwrap().fault;
        assert_eq!(fault, Some(ChainFault::NoIntermediate));
    }
}

#[tokio::test]
async fn why_there_is_no_certificate_is_said() {
    let Some(lab) = Lab::new() else { return };
    let authority = Authority::new(lab.path("ca"));
    let sessions = lab.sessions();
    let see = async |port| look(&sessions, endpoint(port, Vantage::Public)).await;
    check_fault(&see(free_port()).await, "connection refused");

    let file = issue(&authority, &lab, "rsa-2048", "DNS:localhost");
    let key = authority.key("rsa-2048");
    let words = ["-cert", text(&file), "-key", text(&key), "-cipher", "ALL:@SECLEVEL=0"];
    let old = Server::start(&[&words[..], &["-tls1_1"]].concat());
    check_fault(&see(old.port).await, "TLS is too old there");
    let other = Server::start(&[&words[..4], &["-cipher", "AES128-SHA", "-tls1_2"]].concat());
    check_fault(&see(other.port).await, "nothing in common with the server");

    let http = serve(|mut it| {
        hear(&mut it)?;
        it.write_all(b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n")
    });
    let expect = "this is not TLS: the server says HTTP/1.1 400 Bad Request";
    check_fault(&see(http).await, expect);
    let ssh = serve(|mut it| {
        it.write_all(b"SSH-2.0-\x1b[31mOpenSSH\r\n")?;
        hear(&mut it)
    });
    check_fault(&see(ssh).await, "this is not TLS");
    let garbage = serve(|mut it| it.write_all(&[0xff; 4096]));
    check_fault(&see(garbage).await, "this is not TLS");
    let shy = serve(|mut it| hear(&mut it));
    check_fault(&see(shy).await, "the server closed the connection before");
}

#[tokio::test]
async fn a_server_without_end_costs_its_deadline_and_little_memory() {
    let Some(lab) = Lab::new() else { return };
    let sessions = lab.sessions();
    let see = async |port| {
        let begin = Instant::now();
        let probes = look(&sessions, endpoint(port, Vantage::Public)).await;
        assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
        probes
    };
    let silent = serve(|mut it| it.read_to_end(&mut Vec::new()).map(drop));
    check_fault(&see(silent).await, "no answer within 2 s");
    let dripping = serve(|mut it| {
        // A record of TLS that never is complete.
        it.write_all(&[22, 3, 3, 0x40, 0])?;
        loop {
            it.write_all(b"x")?;
            thread::sleep(Duration::from_millis(50));
        }
    });
    check_fault(&see(dripping).await, "no answer within 2 s");
    // Records that are in order, and mean nothing: an empty part of a handshake of 16 MiB.
    let streaming = serve(|mut it| {
        it.write_all(&[22, 3, 3, 0, 4, 2, 0xff, 0xff, 0xff])?;
        let record = [&[22, 3, 3, 0x40, 0][..], &[0; 0x4000]].concat();
        loop {
            it.write_all(&record)?;
        }
    });
    check_fault(&see(streaming).await, "the server ");
}

/// What a server says, and what it waits for before it says the next.
type Lines = &'static [(&'static [u8], &'static [u8])];

#[tokio::test]
async fn tls_begins_after_words_where_a_protocol_wants_it() {
    let Some(lab) = Lab::new() else { return };
    let authority = Authority::new(lab.path("ca"));
    let sessions = lab.sessions();
    let file = issue(&authority, &lab, "ecdsa-p256", "DNS:localhost");
    let key = authority.key("ecdsa-p256");
    let server = Server::start(&["-cert", text(&file), "-key", text(&key)]);

    let smtp: Lines = &[
        (b"220-hello\r\n220 there\r\n", b"EHLO [127.0.0.1]\r\n"),
        (b"250-there\r\n250-starttls\r\n250 SIZE\r\n", b"STARTTLS\r\n"),
        (b"220 go on\r\n", b""),
    ];
    let imap: Lines =
        &[(b"* OK hello\r\n", b"a STARTTLS\r\n"), (b"* BYE not\r\na OK begin\r\n", b"")];
    let postgres: Lines = &[(b"", b"\0\0\0\x08\x04\xd2\x16\x2f"), (b"S", b"")];
    let ldap: Lines = &[
        (b"", b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037"),
        (b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00", b""),
    ];
    let talk = |lines: Lines, behind: u16| {
        serve(move |mut it| {
            for (said, heard) in lines {
                it.write_all(said)?;
                let mut bytes = vec![0; heard.len()];
                it.read_exact(&mut bytes)?;
                assert_eq!(bytes, *heard);
            }
            let mut tls = TcpStream::connect(("127.0.0.1", behind))?;
            let (mut from, mut to) = (it.try_clone()?, tls.try_clone()?);
            thread::spawn(move || io::copy(&mut from, &mut to));
            io::copy(&mut tls, &mut it).map(drop)
        })
    };
    let at = |port, starttls| Endpoint { starttls, ..endpoint(port, Vantage::Public) };
    for (starttls, lines) in [
        (StartTls::Smtp, smtp),
        (StartTls::Imap, imap),
        (StartTls::Postgres, postgres),
        (StartTls::Ldap, ldap),
    ] {
        let probes = look(&sessions, at(talk(lines, server.port), starttls)).await;
        check_shown(&probes, &[&file]);
    }
    for (starttls, said, why) in [
        (StartTls::Smtp, "220 a\r\n250 b\r\n", "the mail server does not offer STARTTLS"),
        (StartTls::Smtp, "554 no\r\n", "the server does not begin TLS in SMTP: it says 554 no"),
        (StartTls::Imap, "* OK\r\na NO not\r\n", "the server does not begin TLS in IMAP"),
        (StartTls::Postgres, "N", "the database server does not offer TLS"),
        (StartTls::Ldap, "\x30\x08\x02\x01\x01\x78\x03\x0a\x01\x02", "the directory server does"),
        (StartTls::Ldap, "HTTP/1.1", "the server does not begin TLS in LDAP"),
    ] {
        let port = serve(move |mut it| {
            it.write_all(said.as_bytes())?;
            it.read_to_end(&mut Vec::new()).map(drop)
        });
        check_fault(&look(&sessions, at(port, starttls)).await, why);
    }
    let endless = serve(|mut it| {
        loop {
            it.write_all(b"220-x\r\n")?;
        }
    });
    let probes = look(&sessions, at(endless, StartTls::Smtp)).await;
    check_fault(&probes, "the server talks without end");
    let one_line = serve(|mut it| {
        loop {
            it.write_all(b"220-xxxxx")?;
        }
    });
    let probes = look(&sessions, at(one_line, StartTls::Imap)).await;
    check_fault(&probes, "the server talks without end");
}

#[tokio::test]
async fn the_loopback_of_a_host_is_looked_at_through_its_session() {
    let Some(mut lab) = Lab::new() else { return };
    if !are_here(&[nginx::NGINX]) {
        return;
    }
    let authority = Authority::new(lab.path("ca"));
    let file = issue(&authority, &lab, "ecdsa-p256", "DNS:localhost");
    let nginx = Nginx::start(&lab.path("nginx"));
    nginx.serve("localhost", &file, &authority.key("ecdsa-p256"));
    let (open, closed) = (lab.sshd(""), lab.sshd("AllowTcpForwarding no"));
    let sessions = lab.sessions();
    let web = host("web-01", open.port);
    let at = |port| endpoint(port, Vantage::Loopback);
    for _ in 0..3 {
        let probes = look_from(&sessions, &web, at(nginx.tls_port)).await;
        check_shown(&probes, &[&file]);
    }
    assert_eq!(lab.logins(open.port), 1);

    let nobody = free_port();
    let expect = format!("nothing listens at 127.0.0.1:{nobody} on the host");
    check_fault(&look_from(&sessions, &web, at(nobody)).await, &expect);
    let probes = look_from(&sessions, &web, at(nginx.http_port)).await;
    check_fault(&probes, "this is not TLS: the server says HTTP/1.1 400 Bad Request");
    let shy = serve(|mut it| hear(&mut it));
    let probes = look_from(&sessions, &web, at(shy)).await;
    check_fault(&probes, "the server closed the connection before");
    let mut hasty = host("web-01", open.port);
    hasty.connect_timeout = Duration::from_secs(1);
    let silent = serve(|mut it| it.read_to_end(&mut Vec::new()).map(drop));
    let probes = look_from(&sessions, &hasty, at(silent)).await;
    check_fault(&probes, "no answer within 1 s");

    let guarded = host("web-02", closed.port);
    let probes = look_from(&sessions, &guarded, at(nginx.tls_port)).await;
    let expect = format!("sshd does not let anybody through to 127.0.0.1:{}", nginx.tls_port);
    check_fault(&probes, &expect);
    let down = host("web-03", free_port());
    check_fault(&look_from(&sessions, &down, at(nginx.tls_port)).await, "connection refused");

    // A look that is dropped ends what is behind it.
    let endpoint = at(silent);
    let look = probe(&sessions, &web, &[], &endpoint, Moment::default());
    assert!(tokio::time::timeout(Duration::from_millis(300), look).await.is_err());
    sessions.close().await;
    lab.no_ssh_is_left();
}

/// What a scan says is served: from where, at which address, and what is shown or why nothing is.
async fn scanned(sessions: &Sessions, host: &Host) -> (bool, Vec<Probe>) {
    let known = fleet::Host::new(host.name.clone(), &host.address, &host.groups);
    let visit = scan::visit(sessions, host, known, Clock::default()).await;
    (matches!(visit.outcome, Outcome::Seen(_)), visit.probes.unwrap())
}

#[tokio::test]
async fn a_scan_looks_from_everywhere_with_one_session() {
    let Some(mut lab) = Lab::new() else { return };
    let authority = Authority::new(lab.path("ca"));
    let files = ["rsa-2048", "ecdsa-p256"].map(|it| issue(&authority, &lab, it, "DNS:localhost"));
    let [key, other_key] = ["rsa-2048", "ecdsa-p256"].map(|it| authority.key(it));
    let words = ["-cert", text(&files[0]), "-key", text(&key), "-dcert", text(&files[1])];
    let server = Server::start(&[&words[..], &["-dkey", text(&other_key)]].concat());
    let (open, closed) = (lab.sshd(""), lab.sshd("AllowTcpForwarding no"));
    let sessions = lab.sessions();
    let with_endpoint = |name: &str, port| {
        let mut host = host(name, port);
        let added = Door { host: "127.0.0.2".to_owned(), port: None };
        host.endpoints = vec![Endpoint {
            probe: vec![Vantage::Loopback, Vantage::Public],
            addresses: vec![added],
            ..endpoint(server.port, Vantage::Public)
        }];
        host
    };
    let at = |probes: &[Probe], vantage, address: &str| {
        let address = format!("{address}:{}", server.port);
        let is_there = |it: &&Probe| it.vantage == vantage && it.address.as_str() == address;
        probes.iter().filter(is_there).cloned().collect::<Vec<_>>()
    };
    let shown = [&*files[0], &*files[1]];
    let check_public = |probes: &[Probe]| {
        check_shown(&at(probes, Vantage::Public, "127.0.0.1"), &shown);
        // The name has an IPv6 address too, and the inventory adds one; nobody listens there.
        for (address, is_added) in [("[::1]", false), ("127.0.0.2", true)] {
            let [it] = &at(probes, Vantage::Public, address)[..] else { panic!("{probes:?}") };
            let why = it.served.as_ref().unwrap_err().why;
            // Not every machine has IPv6, which is no fault of the server.
            assert!(why == NotServed::Refused || (!is_added && why == NotServed::NoRoute));
            assert_eq!((it.is_told, it.is_added), (true, is_added));
        }
    };

    let (is_read, probes) = scanned(&sessions, &with_endpoint("web-01", open.port)).await;
    assert!(is_read);
    check_shown(&at(&probes, Vantage::Loopback, "127.0.0.1"), &shown);
    check_public(&probes);
    assert_eq!(lab.logins(open.port), 1);

    // No way through the host, which says nothing about its server.
    let (is_read, probes) = scanned(&sessions, &with_endpoint("web-02", closed.port)).await;
    assert!(is_read);
    let [it] = &at(&probes, Vantage::Loopback, "127.0.0.1")[..] else { panic!("{probes:?}") };
    assert_eq!(it.served.as_ref().unwrap_err().why, NotServed::NoRoute);
    check_public(&probes);

    // A host that is down still shows what clients get.
    let (is_read, probes) = scanned(&sessions, &with_endpoint("web-03", free_port())).await;
    assert!(!is_read && probes.iter().all(|it| it.vantage == Vantage::Public));
    check_public(&probes);
    sessions.close().await;
    lab.no_ssh_is_left();
}

#[tokio::test]
async fn a_session_that_died_is_replaced_for_a_look() {
    let Some(mut lab) = Lab::new() else { return };
    let authority = Authority::new(lab.path("ca"));
    let file = issue(&authority, &lab, "ecdsa-p256", "DNS:localhost");
    let key = authority.key("ecdsa-p256");
    let server = Server::start(&["-cert", text(&file), "-key", text(&key)]);
    let sshd = lab.sshd("");
    let sessions = lab.sessions();
    let web = host("web-01", sshd.port);
    let parent = super::visit(&sessions, &web, "echo $PPID\n").await.unwrap();
    let parent = rustix::process::Pid::from_raw(parent.trim().parse().unwrap()).unwrap();
    rustix::process::kill_process(parent, rustix::process::Signal::KILL).unwrap();
    let probes = look_from(&sessions, &web, endpoint(server.port, Vantage::Loopback)).await;
    check_shown(&probes, &[&file]);
    assert_eq!(lab.logins(sshd.port), 2);
    sessions.close().await;
    lab.no_ssh_is_left();
}
