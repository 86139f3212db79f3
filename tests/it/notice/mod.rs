//! Notices to webhooks that answer in every way there is.

pub(crate) mod receiver;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use certdeck::clock::Clock;
use certdeck::inventory;
use certdeck::notice::{Event, Notices};
use certdeck::text::SafeText;

use crate::serve::{Home, binary, shown};
use receiver::{Got, Play, Receiver, SECRET, answer, fine};

/// An operator's machine with one webhook.
struct Desk {
    home: Home,
    inventory: PathBuf,
}

impl Desk {
    fn new(receiver: &Receiver) -> Self {
        Self::with(receiver, "")
    }

    /// The same with more lines in its table.
    fn with(receiver: &Receiver, more: &str) -> Self {
        let home = Home::new();
        let inventory = home.path().join("inventory.toml");
        fs::write(&inventory, table(&home, receiver, more)).unwrap();
        Self { home, inventory }
    }

    fn state(&self) -> PathBuf {
        self.home.path().join(".local/state/certdeck")
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = self.home.command(binary());
        command.arg("--inventory").arg(&self.inventory).args(words);
        command
    }

    fn certdeck(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    fn notices(&self) -> Notices {
        let text = fs::read_to_string(&self.inventory).unwrap();
        let (inventory, complaints) = inventory::read(&text);
        assert_eq!(complaints, []);
        Notices::of(&inventory, &self.state(), Clock::default())
    }

    /// Writes down that something has happened.
    fn tell(&self, id: &str) {
        let summary = SafeText::new("every node serves the new certificate");
        let event = Event::emergency_ended(id, "www.example.net", "ok", &summary);
        assert_eq!(self.notices().tell(&[event]).unwrap(), 1);
    }

    /// Sends for so long at the most.
    fn send(&self, seconds: u64) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(self.notices().send(Duration::from_secs(seconds)));
    }
}

/// The table of a webhook, whose key is in a file of that home.
fn table(home: &Home, receiver: &Receiver, more: &str) -> String {
    let key = home.path().join("webhook.key");
    fs::write(&key, format!("{SECRET}\n")).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    format!(
        "\n[[notice]]\nname = 'on-call'\nkind = 'webhook'\nurl = '{}'\nsecret-file = '{}'\n{more}\n",
        receiver.url,
        key.display()
    )
}

/// Everything in the files below a folder.
fn all_text(folder: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(folder).into_iter().flatten().map(|it| it.unwrap().path()) {
        if entry.is_dir() {
            text += &all_text(&entry);
        } else if entry.file_name().is_some_and(|it| it != "webhook.key" && it != "inventory.toml")
        {
            text += &String::from_utf8_lossy(&fs::read(&entry).unwrap());
        }
    }
    text
}

fn ids(got: &[Got]) -> BTreeSet<String> {
    got.iter().map(Got::id).collect()
}

#[test]
fn a_test_shows_the_answer() {
    let (receiver, pem) = Receiver::start_tls(&[answer("200 OK", "", "thanks\u{1b}[2J")]);
    let desk = Desk::with(&receiver, "roots = ['root.pem']");
    fs::write(desk.home.path().join("root.pem"), pem).unwrap();
    insta::assert_snapshot!(shown(&desk.certdeck(&["notice", "test"])), @r"
    -- stdout
    on-call: taken (HTTP 200): thanks^[[2J
    -- exit status: 0
    ");
    let body = receiver.wait(1)[0].checked();
    assert_eq!((body["event"].as_str(), body["schema"].as_i64()), (Some("test"), Some(1)));
    // Whom nobody trusts is told nothing.
    let (stranger, _) = Receiver::start_tls(&[]);
    let desk = Desk::new(&stranger);
    let output = desk.certdeck(&["notice", "test", "on-call"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(shown(&output).contains("certificate"), "{}", shown(&output));
    assert!(stranger.got().is_empty());
    assert_eq!(desk.certdeck(&["notice", "test", "nobody"]).status.code(), Some(2));
}

/// Whatever a webhook does before it takes a notice, it is told the same, by the same identity.
#[test]
fn what_is_not_taken_is_sent_again_until_it_is() {
    let script = [
        answer("500 No", "", "<html>"),
        answer("429 No", "retry-after: 1\r\n", ""),
        Play::Reset,
        Play::Garbage,
        answer("503 No", "retry-after: soon\r\n", "x"),
        answer("200 OK", "", &"x".repeat(50 << 20)),
    ];
    let receiver = Receiver::start(&script);
    let desk = Desk::new(&receiver);
    desk.tell("1");
    desk.send(60);
    let got = receiver.got();
    assert_eq!((got.len(), ids(&got).len()), (6, 1));
    let body = got[5].checked();
    assert_eq!(body["items"][0]["about"], "www.example.net");
    assert!(desk.notices().pending().is_empty());
    assert!(desk.notices().last("on-call").unwrap().is_taken);
    // It knows that now.
    let again = Event::emergency_ended("1", "www.example.net", "ok", &SafeText::default());
    assert_eq!(desk.notices().tell(&[again]).unwrap(), 0);
}

#[test]
fn a_webhook_is_left_alone_as_long_as_it_says() {
    let receiver = Receiver::start(&[answer("429 No", "retry-after: 3600\r\n", "")]);
    let desk = Desk::new(&receiver);
    desk.tell("1");
    desk.send(2);
    desk.send(2);
    assert_eq!(receiver.got().len(), 1);
    let listed = shown(&desk.certdeck(&["notice"]));
    assert!(
        listed.contains("left alone for 59m") || listed.contains("left alone for 1h"),
        "{listed}"
    );
    assert!(
        listed.contains("waits    emergency-ended of ") && listed.contains("tried once"),
        "{listed}"
    );
}

#[test]
fn what_would_never_be_taken_is_given_up_and_nothing_is_followed() {
    let elsewhere = Receiver::start(&[]);
    for (status, words) in [
        ("302 Found", "points elsewhere, which is not followed"),
        ("403 No", "see the secret there and here"),
        ("404 No", "nothing at this address"),
    ] {
        let location = format!("location: {}\r\n", elsewhere.url);
        let receiver = Receiver::start(&[answer(status, &location, "")]);
        let desk = Desk::new(&receiver);
        desk.tell("1");
        let output = desk.certdeck(&["notice", "send"]);
        assert_eq!(output.status.code(), Some(0));
        assert!(shown(&output).contains(words), "{}", shown(&output));
        assert_eq!(receiver.got().len(), 1);
        let log = all_text(&desk.state().join("log"));
        assert!(log.contains("a notice was given up") && log.contains(words), "{log}");
    }
    assert!(elsewhere.got().is_empty());
}

#[test]
fn a_kill_while_it_is_sent_loses_nothing_and_tells_nothing_twice() {
    let receiver = Receiver::start(&[Play::Stall]);
    let desk = Desk::new(&receiver);
    desk.tell("1");
    let mut sender = desk
        .command(&["notice", "send"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    receiver.wait(1);
    sender.kill().unwrap();
    sender.wait().unwrap();
    assert_eq!(desk.notices().pending().len(), 1);
    for _ in 0..2 {
        assert_eq!(desk.certdeck(&["notice", "send"]).status.code(), Some(0));
    }
    let got = receiver.got();
    assert_eq!((got.len(), ids(&got).len()), (2, 1));
}

#[test]
fn two_senders_send_one_notice() {
    let receiver = Receiver::start(&[]);
    let desk = Desk::new(&receiver);
    for id in 0..20 {
        desk.tell(&id.to_string());
    }
    let senders: Vec<_> = (0..4)
        .map(|_| desk.command(&["notice", "send"]).stdout(Stdio::null()).spawn().unwrap())
        .collect();
    for mut sender in senders {
        sender.wait().unwrap();
    }
    // Whoever came while another was at it has left the rest to that one.
    desk.send(20);
    let got = receiver.got();
    assert_eq!((got.len(), ids(&got).len()), (20, 20));
}

/// A secret, and what in a URL may be one, stand nowhere but where they belong.
#[test]
fn secrets_stay_where_they_are() {
    let script = [answer("500 No", "", ""), Play::Reset, answer("302 No", "", ""), fine()];
    let receiver = Receiver::start(&script);
    let desk = Desk::new(&receiver);
    let mut said = String::new();
    for id in 0..3 {
        desk.tell(&id.to_string());
        for words in [&["notice", "send"][..], &["notice"], &["notice", "test"]] {
            said += &shown(&desk.command(words).env("CERTDECK_LOG", "debug").output().unwrap());
        }
    }
    let kept = all_text(desk.home.path());
    assert!(kept.contains("a notice was taken") && said.contains("taken"), "{kept}\n{said}");
    let hex = SECRET.bytes().map(|it| format!("{it:02x}")).collect::<Vec<_>>().concat();
    for secret in [SECRET, &hex, "path-canary-91"] {
        assert!(!kept.contains(secret) && !said.contains(secret), "{secret}");
    }
    let mode = fs::metadata(desk.state().join("notices")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

/// What the README shows takes what is sent, and nothing else.
#[test]
fn the_program_of_the_readme_knows_a_genuine_notice() {
    let receiver = Receiver::start(&[]);
    let desk = Desk::new(&receiver);
    assert_eq!(desk.certdeck(&["notice", "test"]).status.code(), Some(0));
    let got = receiver.wait(1).remove(0);
    let readme = fs::read_to_string("README.md").unwrap();
    let (_, program) = readme.split_once("```python\n").unwrap();
    let (program, _) = program.split_once("```").unwrap();
    let driver = "import sys, json\n\
                  secret, headers, body = json.load(sys.stdin)\n\
                  print(is_genuine(secret.encode(), headers, body.encode()))\n";
    let judge = |secret: &str, headers: &[(String, String)], body: &str| {
        let headers: serde_json::Map<_, _> = headers
            .iter()
            .map(|(name, value)| {
                let name: Vec<_> =
                    name.split('-').map(|it| it[..1].to_uppercase() + &it[1..]).collect();
                (name.join("-"), serde_json::json!(value))
            })
            .collect();
        let mut python = Command::new("python3")
            .args(["-c", &format!("{program}\n{driver}")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = serde_json::json!([secret, headers, body]).to_string();
        std::io::Write::write_all(&mut python.stdin.take().unwrap(), input.as_bytes()).unwrap();
        let output = python.wait_with_output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    assert_eq!(judge(SECRET, &got.headers, &got.body), "True");
    assert_eq!(judge("another", &got.headers, &got.body), "False");
    assert_eq!(judge(SECRET, &got.headers, &got.body.replace("test", "tset")), "False");
    let mut old = got.headers.clone();
    for (name, value) in &mut old {
        if name == "x-certdeck-timestamp" {
            *value = (value.parse::<i64>().unwrap() - 3600).to_string();
        }
    }
    assert_eq!(judge(SECRET, &old, &got.body), "False");
}

/// Critical findings of a real scan: told once, by whoever scans, and nobody waits for it.
#[cfg(feature = "practice")]
#[test]
fn a_scan_tells_what_is_critical_once_and_waits_for_nobody() {
    let serve = crate::serve::Serve::start(&[]);
    let receiver = Receiver::start(&[Play::Stall]);
    let home = Home::new();
    let table = table(&home, &receiver, "on = ['critical-finding']");
    let told = serve.command("sh").args(["-c", "cat $CERTDECK_INVENTORY"]).output().unwrap();
    let inventory = home.path().join("inventory.toml");
    fs::write(&inventory, String::from_utf8(told.stdout).unwrap() + &table).unwrap();
    let scan = |filter: &str| {
        let path = inventory.to_str().unwrap();
        serve.certdeck(&["--inventory", path, "check", filter])
    };
    let began = Instant::now();
    let output = scan("host:edge-*");
    let took = began.elapsed();
    assert_eq!(output.status.code(), Some(2), "{}", shown(&output));
    assert!(took < Duration::from_secs(20), "{took:?}");
    assert!(shown(&output).contains("1 notices to webhooks wait"), "{}", shown(&output));
    let first = receiver.wait(1)[0].checked();
    let hosts: BTreeSet<_> =
        first["items"].as_array().unwrap().iter().map(|it| it["host"].as_str().unwrap()).collect();
    assert!(
        hosts.contains("edge-ams-1") && hosts.iter().all(|it| it.starts_with("edge-")),
        "{hosts:?}"
    );
    assert_eq!(first["items"][0]["owner"], "web team");
    // The same scan again has nothing new to tell, and what waited is sent.
    scan("host:edge-*");
    let got = receiver.got();
    assert_eq!((got.len(), ids(&got).len()), (2, 1));
    // Elsewhere there is something new.
    scan("host:mail-*");
    let got = receiver.got();
    assert_eq!((got.len(), ids(&got).len()), (3, 2));
    assert!(!got[2].body.contains("edge-ams-1"), "{}", got[2].body);
}
