//! A CA on a bad day: whatever comes in place of its answer, it is asked a bounded number of
//! times and never before the time it names, nothing is left in place, and once all is well the
//! next order comes to a certificate.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use certdeck::acme::order::Kind;
use futures_util::{StreamExt as _, stream};
use tempfile::TempDir;

use super::proxy::{Fault, Proxy, Strike, What};
use super::{Host, Machine, PROGRAMS, Told, issue, strict};
use crate::lab::are_here;
use crate::lab::ca::Ca;

/// What goes wrong, and what must come of it.
struct Case {
    fault: Fault,
    /// What is said in the end; `None` if the certificate comes all the same.
    expect: Option<&'static str>,
    /// How long nothing may be asked after the fault.
    quiet: Duration,
    /// How often it may happen before it is given up.
    most: usize,
}

fn case(at: &'static str, times: usize, what: What, expect: Option<&'static str>) -> Case {
    Case { fault: Fault { at, times, what }, expect, quiet: Duration::ZERO, most: times.min(6) }
}

fn answer(status: &str, headers: &str, body: &str) -> What {
    let length = body.len();
    What::Answer(format!(
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}"
    ))
}

fn busy(retry_after: &str) -> What {
    let body = r#"{"type": "urn:ietf:params:acme:error:rateLimited", "detail": "Service busy; retry later.", "status": 429}"#;
    answer("429 Too Many Requests", &format!("Retry-After: {retry_after}\r\n"), body)
}

/// What passes: the certificate comes.
fn passing() -> Vec<Case> {
    let later = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(20));
    let seconds = |quiet, case| Case { quiet: Duration::from_secs(quiet), ..case };
    let unavailable = answer("503 Service Unavailable", "Retry-After: 2\r\n", "<html>");
    let html = answer("502 Bad Gateway", "Content-Type: text/html\r\n", "<html>\u{1b}[2J</html>");
    let internal = r#"{"type": "urn:ietf:params:acme:error:serverInternal", "detail": "no"}"#;
    vec![
        seconds(2, case("POST /order-plz", 1, busy("2"), None)),
        seconds(2, case("POST /my-order/", 1, unavailable, None)),
        // A date has whole seconds, and the fault comes some time after the start.
        seconds(1, case("POST /chalZ/", 1, busy(&later), None)),
        seconds(2, case("POST /finalize-order/", 1, busy("2"), None)),
        case("POST /order-plz", 1, answer("500 Internal Server Error", "", internal), None),
        case("POST /authZ/", 2, answer("500 Internal Server Error", "", internal), None),
        case("POST /my-order/", 2, html.clone(), None),
        case("POST /finalize-order/", 1, html, None),
        case("POST /order-plz", 1, What::Lost, None),
        case("POST /chalZ/", 1, What::Lost, None),
        case("POST /finalize-order/", 1, What::Lost, None),
        case("POST /certZ/", 1, What::Lost, None),
        case("POST /order-plz", 1, What::Cut, None),
        case("POST /finalize-order/", 1, What::Cut, None),
        case("POST /certZ/", 1, What::Cut, None),
        case("POST /certZ/", 1, What::Silence, None),
        case("GET /dir", 1, What::Noise, None),
        case("POST /my-order/", 1, What::Noise, None),
    ]
}

/// What does not pass: it is told, and given up.
fn lasting() -> Vec<Case> {
    let many = usize::MAX;
    let once = |it| Case { most: 1, ..it };
    let garbage = busy("soon");
    let huge = answer("200 OK", "", &"x".repeat(50 << 20));
    let half = answer("201 Created", "Location: https://localhost/x\r\n", "{\"status\": \"pen");
    let limit = r#"{"type": "urn:ietf:params:acme:error:rateLimited", "detail": "too many new orders (300) from this account in the last 3h0m0s, retry after 2099-11-25 12:00:00 UTC: see https://letsencrypt.org/docs/rate-limits/"}"#;
    let html = answer("200 OK", "Content-Type: text/html\r\n", "<html>log in\u{1b}[31m</html>");
    vec![
        once(case("GET /dir", many, busy("3600"), Some("asks to be left alone until"))),
        once(case("POST /order-plz", many, busy("3600"), Some("Busy"))),
        once(case("POST /order-plz", many, garbage, Some("is_told: false"))),
        once(case("POST /chalZ/", many, busy("3600"), Some("Busy"))),
        once(case("POST /finalize-order/", many, busy("86400"), Some("Busy"))),
        once(case("POST /order-plz", many, answer("429 No", "", limit), Some("too many new"))),
        once(case("POST /order-plz", many, half, Some("no ACME"))),
        once(case("POST /certZ/", many, huge, Some("more than 1 MiB"))),
        once(case("GET /dir", many, html.clone(), Some("ACME"))),
        once(case("POST /certZ/", many, html, Some("Wrong"))),
    ]
}

async fn check(ca: &Arc<Ca>, number: usize, case: Case, dir: &Path) {
    let Case { fault, expect, quiet, most } = case;
    let told = format!("{number}: {} {} times", fault.at, fault.times);
    let proxy = Proxy::start_with(ca, Strike::Never, vec![fault]).await;
    let machine = Machine::new(&dir.join(number.to_string()), ca, proxy.directory());
    let host = Host::new(&[&format!("n{number}.test")]);
    let mut solver = Told::new(ca, Kind::Http01);
    let issued = issue(&machine, &host, &mut solver).await;
    match (issued, expect) {
        (Ok(_), None) => {}
        (Err(text), Some(words)) => {
            assert!(text.contains(words), "{told}: {text}");
            assert!(text.chars().all(|it| !it.is_control()), "{told}: {text:?}");
        }
        (issued, _) => panic!("{told}: {issued:?}"),
    }
    let seen = proxy.seen();
    assert!(seen.len() < 60, "{told}: {} requests", seen.len());
    let faulty = seen.iter().filter(|it| it.is_faulty).count();
    assert!((1..=most).contains(&faulty), "{told}: happened {faulty} times");
    for pair in seen.windows(2).filter(|it| it[0].is_faulty) {
        let waited = pair[1].at - pair[0].at;
        assert!(waited >= quiet, "{told}: {} after {waited:?}", pair[1].line);
    }
    if expect.is_some() {
        // Whoever was told to come back in an hour, or heard nonsense, asks nothing more at all.
        assert!(seen.last().unwrap().is_faulty, "{told}: {:?} after it", seen.last());
    }
    if !solver.ever.lock().unwrap().is_empty() {
        solver.assert_clear();
    }
    // Once all is well.
    proxy.mend();
    let mut solver = Told::new(ca, Kind::Http01);
    let issued = issue(&machine, &host, &mut solver).await;
    issued.unwrap_or_else(|it| panic!("{told}: and then: {it}"));
    // Told to use no proof again, Pebble does so once in a hundred times (2.4.0, `wfe/wfe.go`).
    if !solver.ever.lock().unwrap().is_empty() {
        solver.assert_clear();
    }
}

async fn check_all(cases: Vec<Case>) {
    if !are_here(PROGRAMS) {
        return;
    }
    let dir = TempDir::new().unwrap();
    let ca = strict(&dir.path().join("ca"), &[]);
    let (ca, dir) = (&ca, dir.path());
    let count = cases.len();
    let all = stream::iter(cases.into_iter().enumerate())
        .map(|(number, case)| check(ca, number, case, dir))
        .buffer_unordered(9);
    assert_eq!(all.count().await, count);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_passes_costs_no_certificate() {
    check_all(passing()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lasts_is_told_and_given_up() {
    check_all(lasting()).await;
}
