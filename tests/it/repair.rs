//! The practice fleet, seen by somebody who believes what is said and does it: every fault is
//! named, and the line that is shown first for it mends it.

use std::net::TcpListener;
use std::process::Stdio;

use serde_json::Value;

use crate::serve::Serve;

/// What must be said of a fault in the practice fleet.
struct Fault {
    host: &'static str,
    /// The end of the place's name; none if it is about the host.
    place: &'static str,
    verdict: &'static str,
    rule: &'static str,
    /// The action that is named first; none if nothing can be done from here.
    remedy: &'static str,
    /// What is said afterwards of the same place, as rules.
    left: &'static [&'static str],
}

const FAULTS: &[Fault] = &[
    Fault {
        host: "mail-hel-2",
        place: "mx2.example.com",
        verdict: "key",
        rule: "key",
        remedy: "rollback",
        left: &[],
    },
    Fault {
        host: "web-lhr-3",
        place: "forum.example.com",
        verdict: "unloaded",
        rule: "moved-back",
        remedy: "rollback",
        left: &[],
    },
    Fault {
        host: "web-lhr-1",
        place: "tickets.example.com",
        verdict: "unloaded",
        rule: "unloaded",
        remedy: "reload",
        left: &[],
    },
    Fault {
        host: "web-lhr-2",
        place: "rewards.example.com",
        verdict: "unloaded",
        rule: "unloaded",
        remedy: "reload",
        // The hook is as it was when it failed, and would fail again.
        left: &["hook-failed"],
    },
    Fault {
        host: "stage-fra-1",
        place: "beta.example.net",
        verdict: "staging",
        rule: "staging",
        remedy: "issue",
        left: &[],
    },
    Fault {
        host: "web-fra-2",
        place: "",
        verdict: "automation",
        rule: "hook",
        remedy: "enable-hook",
        left: &[],
    },
    Fault {
        host: "edge-gru-1",
        place: "",
        verdict: "clock",
        rule: "clock",
        remedy: "sync-clock",
        left: &[],
    },
    Fault {
        host: "vpn-hel-1",
        place: "vpn.example.com.pem",
        verdict: "chain",
        rule: "chain",
        remedy: "replace-chain",
        left: &[],
    },
    Fault {
        host: "vpn-fra-1",
        place: "sso.example.com.pem",
        verdict: "chain",
        rule: "chain",
        remedy: "replace-chain",
        left: &[],
    },
    Fault {
        host: "shop-lhr-1",
        place: "gift.example.com-0001",
        verdict: "unloaded",
        rule: "wrong-lineage",
        remedy: "repoint",
        left: &[],
    },
    Fault {
        host: "web-lhr-5",
        place: "promo.example.com",
        verdict: "automation",
        rule: "authenticator",
        remedy: "convert",
        left: &[],
    },
    Fault {
        host: "node-gru-4",
        place: "static.example.net.pem",
        verdict: "drift",
        rule: "drift",
        remedy: "transplant",
        left: &[],
    },
    Fault {
        host: "lb-fra-2",
        place: "portal.localhost.pem",
        verdict: "drift",
        rule: "drift",
        remedy: "transplant",
        left: &[],
    },
    Fault {
        host: "edge-lhr-1",
        place: "kiosk.localhost",
        verdict: "drift",
        rule: "elsewhere",
        remedy: "",
        left: &["elsewhere"],
    },
    Fault {
        host: "web-ams-1",
        place: "",
        verdict: "automation",
        rule: "schedule",
        remedy: "enable-timer",
        left: &[],
    },
    Fault {
        host: "web-lhr-4",
        place: "club.example.com",
        verdict: "name",
        rule: "name",
        remedy: "issue",
        left: &[],
    },
];

#[test]
fn what_is_named_first_mends_it() {
    let serve = Serve::start(&[]);
    let before = scan(&serve);
    let mut failed = Vec::new();
    let has_v6 = TcpListener::bind("[::1]:0").is_ok();
    let faults = || FAULTS.iter().filter(|it| has_v6 || it.rule != "elsewhere");
    for fault in faults() {
        if let Err(why) = mend(&serve, &before, fault) {
            failed.push(format!("{}/{}: {why}", fault.host, fault.place));
        }
    }
    let after = scan(&serve);
    for fault in faults() {
        let left = about(&after, fault);
        let rules: Vec<_> = left.iter().map(|it| it["rule"].as_str().unwrap()).collect();
        if rules != fault.left {
            failed.push(format!("{}/{} is left: {left:#?}", fault.host, fault.place));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

/// Does what is said first, which has to end well and with proof.
fn mend(serve: &Serve, before: &Value, fault: &Fault) -> Result<(), String> {
    let found = about(before, fault);
    let first = found.first().ok_or("nothing is found")?;
    let told = (first["verdict"].as_str(), first["rule"].as_str());
    let repair = &first["repairs"][0];
    let action = repair["action"].as_str().unwrap_or_default();
    if told != (Some(fault.verdict), Some(fault.rule)) || action != fault.remedy {
        return Err(format!("{first:#}"));
    }
    if action.is_empty() {
        return Ok(());
    }
    let yes = match (action, repair["place"].as_str()) {
        ("transplant", Some(place)) => format!("move key {place}"),
        (_, Some(place)) => place.to_owned(),
        (_, None) => repair["host"].as_str().unwrap().to_owned(),
    };
    let line = format!("{} --yes '{yes}'", repair["command"].as_str().unwrap());
    let output =
        serve.command("/bin/sh").args(["-c", &line]).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    if output.status.code() != Some(0) {
        return Err(format!("{line}\n{said}"));
    }
    Ok(())
}

fn scan(serve: &Serve) -> Value {
    let output = serve.certdeck(&["scan", "--format", "json"]);
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{} {}", output.status, String::from_utf8_lossy(&output.stderr)))
}

/// What is said of the place, or of the host as a whole, the worst first; what is only worth
/// knowing aside.
fn about<'s>(scan: &'s Value, fault: &Fault) -> Vec<&'s Value> {
    let is_place = |it: &Value| match it["place"].as_str() {
        Some(place) => !fault.place.is_empty() && place.ends_with(fault.place),
        None => fault.place.is_empty(),
    };
    let findings = scan["findings"].as_array().unwrap().iter();
    let here = findings.filter(|it| it["host"] == fault.host && is_place(it));
    here.filter(|it| it["severity"] != "info").collect()
}
