//! Canaries: what is secret, in every form, through every door of the log.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use certdeck::audit::{Secret, read, verify};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use super::log;

const SECRETS: usize = 50;

/// Letters, digits, and what forms treat in their own ways.
fn secret(number: usize) -> String {
    format!(
        "cAnary{number:02}/ü+\"\\ {:x}=&?",
        0x9e37_79b9_7f4a_7c15_u64.rotate_left(number as u32)
    )
}

fn forms(secret: &str) -> [String; 6] {
    let hex =
        |prefix: &str| -> String { secret.bytes().map(|it| format!("{prefix}{it:02x}")).collect() };
    [
        secret.to_owned(),
        // As in an Authorization header, where a name stands before.
        STANDARD.encode(format!("user:{secret}")),
        URL_SAFE_NO_PAD.encode(secret),
        hex(""),
        hex("%").to_uppercase(),
        json!({ "a": secret }).to_string(),
    ]
}

/// The bytes that stay the same wherever a form stands.
fn core(form: &str) -> &[u8] {
    let bytes = form.as_bytes();
    &bytes[bytes.len() / 3..bytes.len() * 2 / 3]
}

#[test]
fn no_canary_gets_out() {
    let state = TempDir::new().unwrap();
    let mut log = log(state.path());
    let mut all = Vec::new();
    for secret in (0..SECRETS).map(secret) {
        log.protect(&Secret::new(secret.clone()));
        all.extend(forms(&secret));
    }
    let mut doors = 0;
    for (form, at) in all.iter().zip(0..) {
        let text = format!("before {form} after");
        let body: Map<String, Value> = match at % 4 {
            0 => json!({"summary": text}),
            1 => json!({"argv": [["certbot", "renew", text]]}),
            2 => json!({"nested": {"deep": [{"reason": text}]}}),
            _ => json!({text.as_str(): "as a name"}),
        }
        .as_object()
        .unwrap()
        .clone();
        match at % 6 {
            0 => drop(log.change(&body).unwrap()),
            1 => drop(log.begin_session(&body).unwrap()),
            2 => {
                let permit = log.intent(&body).unwrap();
                log.step(&permit, &body).unwrap();
                log.outcome(permit, &body).unwrap();
            }
            3 => log.reconcile(uuid::Uuid::nil(), &body).unwrap(),
            _ => drop(log.keep(text.as_bytes()).unwrap()),
        }
        doors += 1;
    }
    // All at once, so long that the middle is left out.
    let long = all.join("\n").repeat(1 + (2 << 20) / all.join("\n").len());
    log.keep(long.as_bytes()).unwrap();
    // And so long that a record is cut.
    log.change(json!({"names": all, "text": all.join(" ")}).as_object().unwrap()).unwrap();
    let written = files(state.path());
    let mut hits = Vec::new();
    for form in &all {
        let core = core(form);
        hits.extend(
            written.iter().filter(|it| it.windows(core.len()).any(|it| it == core)).map(|_| form),
        );
    }
    assert!(hits.is_empty(), "{} of {}: {:?}", hits.len(), all.len(), &hits[..1]);
    assert!(verify::verify(state.path()).state.is_sound());
    assert!(read::records(state.path()).unwrap().iter().any(|it| it.line.contains("[redacted]")));
    eprintln!("audit: {SECRETS} canaries in 6 forms through {doors} doors, 0 hits");
}

fn files(folder: &Path) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { all.extend(files(&path)) } else { all.push(fs::read(path).unwrap()) }
    }
    all
}
