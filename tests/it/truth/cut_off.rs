//! The program is killed at each request to the CA, before the CA gets it and after it has
//! answered: whoever orders next comes to one certificate of that order, and nothing is left of it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use super::shop::Shop;
use crate::order::proxy::{Proxy, Strike};

/// Orders, is killed at that request, and orders again; whether it was killed at all.
#[track_caller]
fn check(strike: Strike) -> bool {
    let mut shop = Shop::open().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let proxy = runtime.block_on(Proxy::start(&shop.ca, strike));
    shop.scene.edit(&shop.ca.directory(), &proxy.directory());
    let before = shop.served();
    let mut child = shop.scene.spawn(&format!("exec {}", Shop::ISSUE));
    let is_killed = runtime.block_on(async {
        loop {
            let struck = tokio::time::timeout(Duration::from_millis(50), proxy.struck()).await;
            if struck.is_ok() {
                return true;
            }
            if let Some(status) = child.try_wait().unwrap() {
                assert!(status.success(), "{strike:?}: {status}");
                return false;
            }
        }
    });
    child.kill().ok();
    child.wait().unwrap();
    if !is_killed {
        return false;
    }
    let output = shop.scene.shell(Shop::ISSUE);
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert_eq!(output.status.code(), Some(0), "{strike:?}: {said}");
    assert_ne!(shop.served(), before, "{strike:?}: {said}");
    shop.assert_clear();
    // No more than one of each action.
    let log = shop.scene.shell("certdeck audit list --format json");
    let log = String::from_utf8(log.stdout).unwrap();
    let actions = log.matches("\"intent\"").count();
    let issued = shop.ca.issued().len();
    assert!((1..=2).contains(&issued) && issued <= actions, "{strike:?}: {issued}\n{said}\n{log}");
    let verified = shop.scene.shell("certdeck audit verify");
    assert!(verified.status.success(), "{strike:?}: {}", String::from_utf8_lossy(&verified.stdout));
    true
}

#[test]
fn whoever_comes_after_a_killed_program_comes_to_one_certificate() {
    if Shop::open().is_none() {
        return;
    }
    let (next, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let request = 1 + at / 2;
                    let strike =
                        if at % 2 == 0 { Strike::Before(request) } else { Strike::After(request) };
                    if !check(strike) {
                        is_over.store(true, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let count = next.load(Ordering::Relaxed);
    eprintln!("{count} requests");
    assert!(count > 20, "{count}");
}
