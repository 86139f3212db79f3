//! Rehearsals at a CA that believes what was proven before: proof is asked for all the same.

use std::path::Path;
use std::sync::Arc;

use certdeck::acme::order::{Kept, Kind, Work};
use tempfile::TempDir;
use tokio::sync::Notify;

use super::proxy::{Fault, Proxy, Strike, What};
use super::{Machine, PROGRAMS, Told, strict};
use crate::lab::are_here;
use crate::lab::ca::Ca;

/// A CA that believes whatever was proven before, as most do for some weeks.
fn trusting(dir: &Path) -> Arc<Ca> {
    strict(dir, &[("PEBBLE_AUTHZREUSE", "100")])
}

/// Rehearses an order: what is kept of it and what was told, or what went wrong.
async fn rehearse(
    machine: &Machine,
    names: &[&str],
    solver: &mut Told,
    mut tell: impl FnMut(&str) + Send,
) -> Result<(Kept, Vec<String>), String> {
    let names: Vec<_> = names.iter().map(|it| (*it).to_owned()).collect();
    let permit = machine.permit();
    let account = machine.account(&permit).await.map_err(|it| it.to_string())?;
    let mut kept = machine.kept(&permit, &names);
    kept.is_rehearsal = true;
    let mut told = Vec::new();
    let mut work = Work { office: &machine.office, account: &account, csr: None, solver };
    let mut tell = |it: certdeck::acme::Step| {
        tell(it.text.as_str());
        told.push(it.text.to_string());
    };
    match work.obtain(&mut kept, &mut tell, &permit).await {
        Ok(_) => Ok((kept, told)),
        Err(it) => Err(format!("{it:?}")),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_proven_before_is_proven_again() {
    if !are_here(PROGRAMS) {
        return;
    }
    let dir = TempDir::new().unwrap();
    let ca = trusting(&dir.path().join("ca"));
    let machine = Machine::new(&dir.path().join("state"), &ca, ca.directory());
    let names = ["a.test", "b.test"];
    for count in [2, 4] {
        let mut solver = Told::new(&ca, Kind::Http01);
        let (kept, told) = rehearse(&machine, &names, &mut solver, |_| ()).await.unwrap();
        assert_eq!(solver.ever.lock().unwrap().len(), 2, "{told:#?}");
        assert!(kept.unasked.is_empty(), "{kept:?}");
        let earlier = "control of a.test, b.test was proven earlier: ";
        assert_eq!(told.iter().any(|it| it.starts_with(earlier)), count == 4, "{told:#?}");
        assert!(told.iter().any(|it| it == "control of every name is proven"), "{told:#?}");
        solver.assert_clear();
    }
    // It fails where nothing answers any more, however often it has gone well.
    ca.tell("set-servfail", &serde_json::json!({"host": "b.test."}));
    let mut solver = Told::new(&ca, Kind::Http01);
    let failure = rehearse(&machine, &names, &mut solver, |_| ()).await.unwrap_err();
    assert!(failure.contains("Unproven") && failure.contains("b.test"), "{failure}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_asked_again_is_told_as_that() {
    if !are_here(PROGRAMS) {
        return;
    }
    let dir = TempDir::new().unwrap();
    let ca = trusting(&dir.path().join("ca"));
    let proxy = Proxy::start(&ca, Strike::Never).await;
    let machine = Machine::new(&dir.path().join("state"), &ca, proxy.directory());
    let mut solver = Told::new(&ca, Kind::Http01);
    rehearse(&machine, &["a.test"], &mut solver, |_| ()).await.unwrap();
    // It is read, and cannot be given back.
    let body = r#"{"type": "urn:ietf:params:acme:error:malformed", "detail": "no such thing"}"#;
    let no = format!(
        "HTTP/1.1 400 Bad Request\r\nContent-Type: application/problem+json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let at = "POST /authZ/";
    let refused = [What::Nothing, What::Answer(no)].map(|what| Fault { at, times: 1, what });
    proxy.spoil(refused.to_vec());
    let mut solver = Told::new(&ca, Kind::Http01);
    let (kept, told) = rehearse(&machine, &["a.test"], &mut solver, |_| ()).await.unwrap();
    assert_eq!(kept.unasked, ["a.test"]);
    assert!(solver.ever.lock().unwrap().is_empty(), "{told:#?}");
    let words = "control of a.test was proven earlier, and is not asked for again";
    assert!(told.iter().any(|it| it == words), "{told:#?}");
    assert!(!told.iter().any(|it| it == "control of every name is proven"), "{told:#?}");
    // Once it takes it back, it is asked for.
    let mut solver = Told::new(&ca, Kind::Http01);
    let (kept, _) = rehearse(&machine, &["a.test"], &mut solver, |_| ()).await.unwrap();
    assert!(kept.unasked.is_empty());
    solver.assert_clear();
}

/// Of two at once, the second gives back what the first has proven only once that has ended.
#[tokio::test(flavor = "multi_thread")]
async fn two_at_once_do_not_spoil_each_other() {
    if !are_here(PROGRAMS) {
        return;
    }
    let dir = TempDir::new().unwrap();
    let ca = trusting(&dir.path().join("ca"));
    // The first does not learn that the CA looks, and comes back a little later.
    let fault = Fault { at: "POST /chalZ/", times: 1, what: What::Lost };
    let proxy = Proxy::start_with(&ca, Strike::Never, vec![fault]).await;
    let machine = Machine::new(&dir.path().join("state"), &ca, proxy.directory());
    let is_waiting = Notify::new();
    let names = ["a.test"];
    let [mut first, mut second] = [(); 2].map(|()| Told::new(&ca, Kind::Http01));
    let first = rehearse(&machine, &names, &mut first, |text| {
        if text.contains("the order is looked at again") {
            is_waiting.notify_one();
        }
    });
    let second = async {
        is_waiting.notified().await;
        rehearse(&machine, &names, &mut second, |_| ()).await
    };
    let (first, second) = tokio::join!(first, second);
    let told = second.unwrap().1;
    assert!(told.iter().any(|it| it.contains("is to ask anew")), "{told:#?}");
    let (kept, told) = first.unwrap();
    assert!(kept.unasked.is_empty(), "{told:#?}");
}
