//! Hosts that are out to harm whoever reads them: a row says what is wrong, memory stays bounded,
//! and nothing that a terminal would obey is printed in any format.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::{Lab, scan_json};
use rcgen::{CertificateParams, DnType, DnValue, KeyPair, date_time_ymd};

/// What sshd runs instead of the shell, and what must be said of the host.
const ANSWERS: [(&str, &str, &str); 5] = [
    ("drips", "while printf x; do sleep 0.1; done", "no complete answer within 4 s"),
    ("endless", "exec cat /dev/zero", "the answer is larger than 8192 KiB"),
    ("escapes", r"printf '\033]52;c;QUFB\007\033[2J\342\200\256'; exit 1", "no POSIX shell"),
    ("nuls", "head -c 100000 /dev/zero; exit 0", "no answer from a POSIX shell"),
    ("yells", "exec yes >&2", "no complete answer within 4 s"),
];

/// Files where PEM files should be, and what must be said of each.
const FILES: [(&str, &str); 7] = [
    ("bundle", "the first 20 certificates were read"),
    ("fifo", ", not a file"),
    ("foul", ""),
    ("large", "more than 64 KiB"),
    ("long", ""),
    ("noise", "certificate"),
    ("zero", ", not a file"),
];

#[test]
fn foul_hosts_are_rows_with_words_and_nothing_of_them_gets_through() {
    let Some(mut lab) = Lab::new() else { return };
    write_files(&lab);
    let (mut inventory, paths) = (String::new(), lab.path("tls/*.pem"));
    let mut add = |name: &str, port: u16, deadline: &str| {
        writeln!(
            inventory,
            "[[host]]\nname = '{name}'\naddress = '127.0.0.1'\nport = {port}\n{deadline}\n\
             [[host.source]]\nkind = 'pem'\npaths = ['{}']",
            paths.display()
        )
        .unwrap();
    };
    for (name, command, _) in ANSWERS {
        let is_slow = ["drips", "yells"].contains(&name);
        let port = lab_script(&mut lab, name, command);
        add(name, port, if is_slow { "connect-timeout = '3s'\nscan-timeout = '4s'" } else { "" });
    }
    add("files", lab.sshd("").port, "");

    let told = scan_json(&lab, &inventory);
    let rows = told["hosts"].as_array().unwrap();
    for (name, _, words) in ANSWERS {
        let row = rows.iter().find(|it| it["name"] == name).unwrap();
        assert!(row["error"].as_str().unwrap().contains(words), "{row:#}");
    }
    let files = rows.iter().find(|it| it["name"] == "files").unwrap();
    for (name, words) in FILES {
        let path = lab.path(&format!("tls/{name}.pem")).display().to_string();
        let places = files["places"].as_array().unwrap();
        let place = places.iter().find(|it| it["name"] == path.as_str()).unwrap();
        let problems = place["problems"].to_string();
        assert!(
            if words.is_empty() { problems == "[]" } else { problems.contains(words) },
            "{place:#}"
        );
        match name {
            "foul" => {
                assert!(place["layers"]["disk"]["issuer"].as_str().unwrap().contains("]52;c;QUFB"))
            }
            "long" => assert_eq!(place["layers"]["disk"]["not-after"], "9999-12-31T00:00:00Z"),
            _ => {}
        }
    }
    harmless("json", &told);
    for format in ["text", "csv", "prometheus"] {
        let output = lab.certdeck(&inventory).args(["scan", "--format", format]).output().unwrap();
        harmless_text(format, &String::from_utf8(output.stdout).unwrap());
        harmless_text(format, &String::from_utf8(output.stderr).unwrap());
    }
    lab.no_ssh_is_left();
}

#[test]
fn memory_stays_bounded_whatever_hosts_send() {
    let Some(mut lab) = Lab::new() else { return };
    let mut inventory = String::from("[defaults]\nscan-timeout = '60s'\n");
    for at in 0..12 {
        let port = lab_script(&mut lab, &format!("endless-{at}"), "exec cat /dev/zero");
        writeln!(
            inventory,
            "[[host]]\nname = 'endless-{at}'\naddress = '127.0.0.1'\nport = {port}\n\
             [[host.source]]\nkind = 'certbot'"
        )
        .unwrap();
    }
    let mut scan = lab
        .certdeck(&inventory)
        .args(["scan", "--format", "csv"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", scan.id());
    let mut peak = 0;
    while scan.try_wait().unwrap().is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|it| it.strip_prefix("VmHWM:"));
        let kib = line.and_then(|it| it.split_whitespace().next()).map(|it| it.parse().unwrap());
        peak = peak.max(kib.unwrap_or(0));
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let rows = std::io::read_to_string(scan.stdout.take().unwrap()).unwrap();
    assert_eq!(rows.matches("the answer is larger than").count(), 12, "{rows}");
    // Twelve answers at their cap of 8 MiB each, held in buffers that double, and the program.
    assert!(peak > 0 && peak < 300 * 1024, "{peak} KiB");
    lab.no_ssh_is_left();
}

/// Starts a server that runs this instead of what it is asked to.
fn lab_script(lab: &mut Lab, name: &str, command: &str) -> u16 {
    let file = lab.path(&format!("{name}.sh"));
    fs::write(&file, format!("{command}\n")).unwrap();
    lab.sshd(&format!("ForceCommand exec /bin/sh {}", file.display())).port
}

fn write_files(lab: &Lab) {
    let file = |name: &str| lab.path(&format!("tls/{name}.pem"));
    fs::create_dir_all(lab.path("tls")).unwrap();
    let signed = |change: &dyn Fn(&mut CertificateParams)| {
        let mut params = CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
        change(&mut params);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()
    };
    let named = |text: String| {
        signed(&|it| {
            let value = DnValue::Utf8String(text.clone());
            it.distinguished_name.push(DnType::CommonName, value);
        })
    };
    let foul = "a\x1b]52;c;QUFB\x07\x1b[2J\u{202e}\u{9b}2J\r\nb\0c";
    fs::write(file("foul"), named(foul.to_owned())).unwrap();
    fs::write(file("large"), named("x".repeat(64 * 1024))).unwrap();
    fs::write(file("long"), signed(&|it| it.not_after = date_time_ymd(9999, 12, 31))).unwrap();
    fs::write(file("bundle"), signed(&|_| ()).repeat(5000)).unwrap();
    fs::write(file("noise"), "\x1b]52;c;QUFB\x07\0\x1b[2J\n".repeat(1000)).unwrap();
    symlink("/dev/zero", file("zero")).unwrap();
    assert!(Command::new("mkfifo").arg(file("fifo")).status().unwrap().success());
    // A name is foreign text, too.
    File::create(lab.path("tls/\x1b[31m\u{202e}.pem")).unwrap();
}

/// Every string in it, keys and all.
#[track_caller]
fn harmless(what: &str, value: &Value) {
    match value {
        Value::String(text) => harmless_line(what, text),
        Value::Array(all) => all.iter().for_each(|it| harmless(what, it)),
        Value::Object(all) => all.values().for_each(|it| harmless(what, it)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[track_caller]
fn harmless_text(what: &str, text: &str) {
    text.lines().for_each(|it| harmless_line(what, it));
}

#[track_caller]
fn harmless_line(what: &str, text: &str) {
    let is_foul = |it: char| it.is_control() || ('\u{202a}'..='\u{202e}').contains(&it);
    assert!(!text.contains(is_foul), "{what}: {text:?}");
}
