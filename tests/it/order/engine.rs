//! Every manner of Pebble: nonces that are refused, what was proven before, chains of any length.

use std::time::Duration;

use certdeck::acme::order::Kind;
use futures_util::{StreamExt as _, stream};
use tempfile::TempDir;

use super::{Host, Machine, PROGRAMS, Told, issue, strict};
use crate::lab::are_here;

/// Issues that many certificates from a CA of these manners, some at once, of one account: how
/// many came, and what was said of the others.
async fn crowd(env: &[(&str, &str)], count: usize) -> (usize, Vec<String>) {
    let dir = TempDir::new().unwrap();
    let ca = strict(&dir.path().join("ca"), env);
    let machine = Machine::new(&dir.path().join("state"), &ca, ca.directory());
    let (machine, ca) = (&machine, &ca);
    let all = stream::iter(0..count).map(|at| async move {
        let mut solver = Told::new(ca, Kind::Http01);
        let issued = issue(machine, &Host::new(&[&format!("n{at}.test")]), &mut solver).await;
        if issued.is_ok() {
            solver.assert_clear();
        }
        issued
    });
    let all: Vec<_> = all.buffer_unordered(10).collect().await;
    let failures: Vec<_> = all.into_iter().filter_map(Result::err).collect();
    assert_eq!(ca.issued().len(), count - failures.len(), "{failures:#?}");
    (count - failures.len(), failures)
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_nonces_cost_no_certificate() {
    if !are_here(PROGRAMS) {
        return;
    }
    for (refused, least) in [("0", 50), ("5", 50), ("20", 50), ("50", 50), ("90", 45)] {
        let (came, failures) = crowd(&[("PEBBLE_WFE_NONCEREJECT", refused)], 50).await;
        assert!(came >= least, "{refused} %: {came} of 50: {failures:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_proven_before_is_not_proven_again() {
    if !are_here(PROGRAMS) {
        return;
    }
    let dir = TempDir::new().unwrap();
    let ca = strict(&dir.path().join("ca"), &[("PEBBLE_AUTHZREUSE", "100")]);
    let machine = Machine::new(&dir.path().join("state"), &ca, ca.directory());
    let mut first = Told::new(&ca, Kind::Http01);
    issue(&machine, &Host::new(&["a.test"]), &mut first).await.unwrap();
    first.assert_clear();
    // The order is ready as soon as it is there.
    let mut second = Told::new(&ca, Kind::Http01);
    issue(&machine, &Host::new(&["a.test"]), &mut second).await.unwrap();
    assert!(second.ever.lock().unwrap().is_empty());
    // One name is proven already, the other is not.
    let mut third = Told::new(&ca, Kind::Http01);
    issue(&machine, &Host::new(&["a.test", "b.test"]), &mut third).await.unwrap();
    assert_eq!(third.ever.lock().unwrap().len(), 1);
    third.assert_clear();
    assert_eq!(ca.issued().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn chains_of_any_length_and_other_roots_are_taken() {
    if !are_here(PROGRAMS) {
        return;
    }
    let manners: [(&[_], _); 3] = [
        (&[("PEBBLE_CHAIN_LENGTH", "1")], 2),
        (&[("PEBBLE_CHAIN_LENGTH", "3")], 4),
        (&[("PEBBLE_CHAIN_LENGTH", "3"), ("PEBBLE_ALTERNATE_ROOTS", "2")], 4),
    ];
    for (env, length) in manners {
        let dir = TempDir::new().unwrap();
        let ca = strict(&dir.path().join("ca"), env);
        let machine = Machine::new(&dir.path().join("state"), &ca, ca.directory());
        let mut solver = Told::new(&ca, Kind::Http01);
        let chain = issue(&machine, &Host::new(&["a.test"]), &mut solver).await.unwrap();
        assert_eq!(chain.matches("-----BEGIN CERTIFICATE-----").count(), length, "{env:?}");
        solver.assert_clear();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wildcard_and_its_apex_share_a_record() {
    if !are_here(PROGRAMS) {
        return;
    }
    let dir = TempDir::new().unwrap();
    let ca = strict(&dir.path().join("ca"), &[]);
    let machine = Machine::new(&dir.path().join("state"), &ca, ca.directory());
    let mut solver = Told::new(&ca, Kind::Dns01);
    issue(&machine, &Host::new(&["a.test", "*.a.test"]), &mut solver).await.unwrap();
    assert_eq!(solver.ever.lock().unwrap().len(), 2);
    solver.assert_clear();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ca_that_takes_its_time_is_waited_for() {
    if !are_here(PROGRAMS) {
        return;
    }
    let dir = TempDir::new().unwrap();
    let slow = [("PEBBLE_VA_NOSLEEP", "0"), ("PEBBLE_VA_SLEEPTIME", "5")];
    let ca = strict(&dir.path().join("ca"), &slow);
    let machine = Machine::new(&dir.path().join("state"), &ca, ca.directory());
    let mut solver = Told::new(&ca, Kind::Http01);
    let host = Host::new(&["a.test", "b.test", "c.test"]);
    let issued = tokio::time::timeout(Duration::from_secs(60), issue(&machine, &host, &mut solver));
    issued.await.unwrap().unwrap();
    solver.assert_clear();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_not_proven_is_told_and_nothing_is_left() {
    if !are_here(PROGRAMS) {
        return;
    }
    let dir = TempDir::new().unwrap();
    let ca = strict(&dir.path().join("ca"), &[]);
    let machine = Machine::new(&dir.path().join("state"), &ca, ca.directory());
    // The record is written, and the CA looks for it where somebody else is authoritative.
    ca.tell("set-servfail", &serde_json::json!({"host": "_acme-challenge.b.test."}));
    let mut solver = Told::new(&ca, Kind::Dns01);
    let failure = issue(&machine, &Host::new(&["a.test", "b.test"]), &mut solver).await;
    let failure = failure.unwrap_err();
    assert!(failure.contains("Unproven") && failure.contains("b.test"), "{failure}");
    assert!(ca.issued().is_empty());
    ca.tell("clear-servfail", &serde_json::json!({"host": "_acme-challenge.b.test."}));
    solver.assert_clear();
}
