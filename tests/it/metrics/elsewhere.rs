//! A fleet that is read elsewhere: what a real Prometheus holds of it is the same timeline as that
//! of a scan.

use std::fs;

use serde_json::{Value, json};

use super::query;
use super::scrape::{Exporter, prometheus};
use crate::lab::{are_here, wait_for};
use crate::pty::{Fixture, Pty};
use crate::serve::{Home, Serve};

#[test]
fn what_prometheus_holds_is_the_same_timeline_as_a_scan() {
    if !are_here(&["prometheus"]) {
        return;
    }
    let fleet = Serve::start(&[]);
    let exporter = Exporter::start(&fleet, "127.0.0.1:0");
    wait_for("the first scan", || exporter.metrics().is_some());
    let (address, _prometheus) = prometheus(&fleet, exporter.address, "");
    wait_for("what was scraped", || !query(address, "certdeck_finding").is_empty());

    // It knows nothing but the server: no host, no key.
    let inventory = format!("[[fleet]]\nname = \"practice\"\nprometheus = \"http://{address}\"\n");
    let home = Home::new();
    fs::write(home.path().join("far.toml"), &inventory).unwrap();
    let scan = |output: &[u8]| serde_json::from_slice::<Value>(output).unwrap();
    let far = home.certdeck(&["--inventory", "far.toml", "scan", "--format", "json"]);
    assert!(far.stderr.is_empty(), "{}", String::from_utf8_lossy(&far.stderr));
    let far = scan(&far.stdout);
    let near = scan(&fleet.certdeck(&["scan", "--format", "json"]).stdout);
    let (near, far) = (timeline(&near), timeline(&far));
    assert!(near.len() > 30, "{near:?}");
    let odd: Vec<_> = near.iter().zip(&far).filter(|(near, far)| near != far).collect();
    assert!(odd.is_empty() && near.len() == far.len(), "{odd:#?}");

    let check = home.certdeck(&["--inventory", "far.toml", "check", "host:web-lhr-1"]);
    assert_eq!(check.status.code(), Some(1), "{check:?}");
    let plan = &["--inventory", "far.toml", "plan", "renew", "web-lhr-1/tickets.example.com"];
    let plan = home.certdeck(plan);
    let said = String::from_utf8_lossy(&plan.stderr);
    assert!(plan.status.code() == Some(2) && said.contains("needs a [[host]]"), "{said}");

    let fixture = Fixture::new();
    fixture.write("inventory.toml", &inventory);
    let mut console = Pty::of(fixture, 120, 40);
    console.wait_for("web-lhr-1");
    console.send("/web-lhr-1 state:unloaded\r");
    console.wait_for("1 of ");
    console.send("ar");
    console.wait_for("is read by practice");
    console.send("\x1b\x1bq");
    console.end();
}

/// A server that is not there is told, and what else there is is shown.
#[test]
fn a_server_that_is_silent_costs_its_fleet_alone() {
    let fleet = Serve::start(&["--hosts", "2"]);
    let inventory = fleet.command("sh").args(["-c", "cat \"$CERTDECK_INVENTORY\""]).output();
    let mut text = String::from_utf8(inventory.unwrap().stdout).unwrap();
    text.push_str("\n[[fleet]]\nname = 'far'\nprometheus = 'http://127.0.0.1:1'\n");
    fs::write(fleet.home().join("both.toml"), text).unwrap();
    let output = fleet.certdeck(&["--inventory", "both.toml", "scan", "--format", "json"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("warning: far cannot be asked: "), "{said}");
    let scan: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(scan["hosts"].as_array().unwrap().len(), 2);
}

/// What a timeline is drawn from: each place with its verdict, and what ends when by which layer.
fn timeline(scan: &Value) -> Vec<Value> {
    let mut rows = Vec::new();
    for host in scan["hosts"].as_array().unwrap() {
        let places = host["places"].as_array().unwrap();
        rows.push(json!({ "host": host["name"], "reach": host["reach"], "groups": host["groups"],
            "places": places.len() }));
        for place in places {
            let layers = &place["layers"];
            let ends = |it: &Value| json!([it["sha256"], it["not-before"], it["not-after"]]);
            let wire = layers["wire"].as_array().into_iter().flatten().map(ends);
            // Of several addresses, metrics tell what ends first.
            let wire = wire.min_by_key(|it| it[2].to_string());
            let own = ["issued", "disk", "loaded"].map(|it| ends(&layers[it]));
            rows.push(json!({
                "host": host["name"],
                "place": place["name"],
                "source": place["source"],
                "verdict": place["verdict"],
                "layers": own,
                "wire": wire,
            }));
        }
    }
    rows
}
