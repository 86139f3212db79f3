//! Reviews of real hosts: two scans a week apart with known changes between them, and the page in a
//! real browser.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use certdeck::fleet::{DAY, Moment};
use resvg::tiny_skia::Pixmap;
use serde_json::Value;

use crate::lab::ca::{Ca, Checks};
use crate::lab::certbot_host::CertbotHost;
use crate::lab::{Lab, are_here};
#[cfg(feature = "practice")]
use crate::serve::Serve;

/// A command line at a moment.
#[track_caller]
fn run(lab: &Lab, inventory: &str, now: Moment, words: &[&str]) -> Output {
    let mut command = lab.certdeck(inventory);
    command.args(["--now", &now.to_string()]).args(words);
    command.output().unwrap()
}

/// What it prints, if it goes well.
#[track_caller]
fn told(lab: &Lab, inventory: &str, now: Moment, words: &[&str]) -> String {
    let output = run(lab, inventory, now, words);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// The present, by the clock of the certificates that are made here.
fn present() -> Moment {
    let output = Command::new("date").arg("+%s").output().unwrap();
    Moment::from_unix(String::from_utf8_lossy(&output.stdout).trim().parse().unwrap())
}

/// The changes of a review as lines: where, and in which respects.
fn changes(review: &Value) -> Vec<String> {
    let line = |it: &Value| {
        let what = it["what"].as_array().unwrap().iter();
        let what: Vec<_> = what.map(|it| it["aspect"].as_str().unwrap()).collect();
        let [host, place] = ["host", "place"].map(|key| it[key].as_str().unwrap());
        format!("{host}/{place}: {}", what.join(" "))
    };
    review["changes"].as_array().unwrap().iter().map(line).collect()
}

/// What is said of one respect of one place.
fn said<'r>(review: &'r Value, place: &str, aspect: &str) -> &'r str {
    let changes = review["changes"].as_array().unwrap();
    let change = changes.iter().find(|it| it["place"] == place).unwrap();
    let what = change["what"].as_array().unwrap();
    what.iter().find(|it| it["aspect"] == aspect).unwrap()["text"].as_str().unwrap()
}

#[test]
fn two_scans_a_week_apart_differ_in_what_was_changed() {
    let Some(mut lab) = Lab::new() else { return };
    let Some(web) = CertbotHost::start(&mut lab, "web-01") else { return };
    // A second host, which nobody can read in the second week.
    let silent = lab.sshd("");
    let pem = lab.path("vpn.pem");
    let inventory = format!(
        "{}[[host]]\nname = 'vpn-01'\naddress = '127.0.0.1'\nport = {}\n\
         [[host.source]]\nkind = 'pem'\npaths = ['{}']\n",
        web.inventory(),
        silent.port,
        pem.display()
    );
    for name in ["gone.test", "issuer.test", "key.test", "names.test", "renewed.test", "same.test"]
    {
        web.order(name, &["-d", name, "--key-type", "ecdsa"]);
    }
    fs::copy(web.live("same.test", "fullchain"), &pem).unwrap();

    let first_week = present();
    let first = told(&lab, &inventory, first_week, &["review"]);
    assert!(
        first.contains("This is the first review: there is nothing to compare with"),
        "{first}"
    );
    let before: Value =
        serde_json::from_str(&told(&lab, &inventory, first_week, &["review", "--format", "json"]))
            .unwrap();
    assert_eq!(before["since"]["from"], Value::Null);
    assert_eq!(before["places"], 7);
    let signed = run(&lab, &inventory, first_week, &["review", "sign-off", "--note", "all known"]);
    let words = String::from_utf8_lossy(&signed.stderr).into_owned();
    assert!(signed.status.success() && words.starts_with("review 1 is signed off: "), "{words}");

    // What happens within the week.
    let other = Ca::start(&lab.path("other-ca"), Checks::Http(web.nginx.http_port), 45);
    let again = |name: &str, more: &[&str]| {
        web.order(name, &[&["-d", name, "--force-renewal"], more].concat());
    };
    again("renewed.test", &["--key-type", "ecdsa"]);
    again("key.test", &["--key-type", "rsa"]);
    again("names.test", &["-d", "www.names.test", "--expand", "--reuse-key"]);
    let elsewhere = ["-d", "issuer.test", "--force-renewal", "--key-type", "ecdsa"];
    web.order_at(&other, "issuer.test", &elsewhere);
    web.order("new.test", &["-d", "new.test"]);
    assert!(web.certbot(&["delete", "--cert-name", "gone.test"]).status.success());
    lab.stop(silent.port);

    let second_week = first_week.plus(7 * DAY);
    let review = told(&lab, &inventory, second_week, &["review", "--format", "json"]);
    let review: Value = serde_json::from_str(&review).unwrap();
    assert_eq!(
        changes(&review),
        [
            "web-01/gone.test: gone",
            "web-01/issuer.test: renewed issuer key lifetime",
            "web-01/key.test: renewed key",
            "web-01/names.test: renewed names",
            "web-01/new.test: new",
            "web-01/renewed.test: renewed key",
        ]
    );
    assert_eq!(said(&review, "key.test", "key"), "from ecdsa-p256 to rsa-2048");
    assert_eq!(said(&review, "names.test", "names"), "+www.names.test");
    assert_eq!(said(&review, "issuer.test", "lifetime"), "from 90.0d to 45.0d");
    assert_eq!(review["unread"], serde_json::json!(["vpn-01"]));

    // By the archives the same is told of what was renewed, without any mark.
    let since = first_week.plus(-DAY).to_string();
    let by_date =
        told(&lab, &inventory, second_week, &["review", "--since", &since, "--format", "json"]);
    let by_date: Value = serde_json::from_str(&by_date).unwrap();
    assert!(by_date["since"]["text"].as_str().unwrap().contains("by the versions that hosts keep"));
    let all = changes(&by_date);
    assert_eq!(all.len(), 7, "{all:?}");
    assert!(all.contains(&"web-01/same.test: new".to_owned()), "{all:?}");

    findings_can_be_acknowledged(&lab, &inventory, second_week, &review);
}

/// What is said about a finding is seen everywhere, ends by itself, and is on record.
fn findings_can_be_acknowledged(lab: &Lab, inventory: &str, now: Moment, review: &Value) {
    let findings = review["findings"].as_array().unwrap();
    let id =
        findings.iter().find(|it| it["host"] == "web-01").unwrap()["finding"].as_str().unwrap();
    let scan = |now: Moment| {
        let output = run(lab, inventory, now, &["scan", "--format", "json"]);
        let value: Value = serde_json::from_slice(&output.stdout).unwrap();
        let found = value["findings"].as_array().unwrap().clone();
        let known = found.iter().find(|it| it["finding"] == id).map(|it| it["known"].clone());
        (output.status.code(), found.len(), known.unwrap())
    };
    let (status, count, before) = scan(now);
    assert_eq!(before, Value::Null);
    let ack = ["review", "ack", id, "--until", "3d", "--reason", "the clock is a test's"];
    told(lab, inventory, now, &ack);
    let (marked, marked_count, known) = scan(now);
    assert_eq!((marked, marked_count), (status, count), "it is marked and nothing else");
    assert_eq!(known["reason"], "the clock is a test's");
    let text = run(lab, inventory, now, &["scan"]);
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(text.contains("  known   ") && text.contains("the clock is a test's"), "{text}");
    let page = told(lab, inventory, now, &["review"]);
    assert!(page.contains("acknowledged by"), "{page}");
    let list = told(lab, inventory, now, &["review", "acks"]);
    assert!(list.starts_with(&format!("counts  {id}  acknowledged by ")), "{list}");

    assert_eq!(scan(now.plus(3 * DAY)).2, Value::Null, "it has come back by itself");
    told(lab, inventory, now, &["review", "snooze", id, "--until", "2d", "--reason", "later"]);
    assert_eq!(scan(now).2["kind"], "snoozed");
    told(lab, inventory, now, &["review", "unack", id]);
    assert_eq!(scan(now).2, Value::Null);
    let log = told(lab, inventory, now, &["audit", "export", "--format", "json"]);
    let log: Vec<Value> = serde_json::from_str(&log).unwrap();
    let changed = log.iter().filter(|it| it["kind"] == "change");
    let what: Vec<_> = changed.map(|it| it["what"].as_str().unwrap()).collect();
    assert_eq!(
        what,
        ["review-signed-off", "finding-acknowledged", "finding-snoozed", "finding-taken-back"]
    );

    // What is wrong is refused with what could have been meant.
    let wrong = run(lab, inventory, now, &["review", "unack", id]);
    assert_eq!(wrong.status.code(), Some(2));
    let wrong = run(
        lab,
        inventory,
        now,
        &["review", "ack", "overdue@web-01/nowhere", "--until", "3d", "--reason", "x"],
    );
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains(id));
    // Nobody signs off what was read long ago.
    let late = run(lab, inventory, now.plus(9 * DAY), &["review", "sign-off", "--note", "x"]);
    let words = String::from_utf8_lossy(&late.stderr);
    assert_eq!(late.status.code(), Some(2), "{words}");
    assert!(words.contains("nothing was signed off"), "{words}");
    assert_eq!(told(lab, inventory, now, &["review", "marks"]).lines().count(), 1);
}

/// Where the pictures are laid, to be looked at.
#[cfg(feature = "practice")]
fn pictures() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("review");
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// The browser, which looks at a file and loads nothing else.
#[cfg(feature = "practice")]
fn browse(profile: &Path, page: &Path, more: &[&str]) {
    let output = Command::new(BROWSER)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"])
        .args(["--disable-dev-shm-usage", "--host-resolver-rules=MAP * ~NOTFOUND"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .args(more)
        .arg(format!("file://{}", page.display()))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[cfg(feature = "practice")]
const BROWSER: &str = "chromium-headless-shell";

/// How many of so many sampled points have which brightness: dark, light; and how many colours
/// there are.
#[cfg(feature = "practice")]
fn looked_at(path: &Path) -> (usize, usize, usize) {
    let picture = Pixmap::decode_png(&fs::read(path).unwrap()).unwrap();
    let mut colours = std::collections::HashSet::new();
    let (mut dark, mut light) = (0, 0);
    for pixel in picture.pixels().iter().step_by(7) {
        let sum = u32::from(pixel.red()) + u32::from(pixel.green()) + u32::from(pixel.blue());
        dark += usize::from(sum < 150);
        light += usize::from(sum > 700);
        colours.insert((pixel.red() / 16, pixel.green() / 16, pixel.blue() / 16));
    }
    (dark, light, colours.len())
}

#[cfg(feature = "practice")]
#[test]
fn a_browser_shows_it_in_light_in_dark_and_on_paper() {
    if !are_here(&[BROWSER, "pdftoppm"]) {
        return;
    }
    let serve = Serve::start(&[]);
    assert_eq!(serve.certdeck(&["review", "--format", "json"]).status.code(), Some(0));
    let signed = serve.certdeck(&["review", "sign-off", "--note", "practice"]);
    assert_eq!(signed.status.code(), Some(0), "{}", String::from_utf8_lossy(&signed.stderr));
    let output = serve.certdeck(&["review", "--format", "html"]);
    assert_eq!(output.status.code(), Some(0));
    let folder = pictures();
    let page = folder.join("review.html");
    fs::write(&page, &output.stdout).unwrap();
    let profile = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.join(name);
    for (name, scheme) in [("light", 1), ("dark", 0)] {
        let picture = file(&format!("{name}.png"));
        fs::remove_file(&picture).ok();
        browse(
            profile.path(),
            &page,
            &[
                "--window-size=1100,2600",
                &format!("--blink-settings=preferredColorScheme={scheme}"),
                &format!("--screenshot={}", picture.display()),
            ],
        );
        let (dark, light, colours) = looked_at(&picture);
        assert!(colours > 12, "{name} has {colours} colours");
        assert!(
            if name == "dark" { dark > 4 * light } else { light > 4 * dark },
            "{name}: {dark} {light}"
        );
    }
    let paper = file("print.pdf");
    fs::remove_file(&paper).ok();
    browse(
        profile.path(),
        &page,
        // A reader who likes it dark prints on white paper all the same.
        &[
            "--no-pdf-header-footer",
            "--blink-settings=preferredColorScheme=0",
            &format!("--print-to-pdf={}", paper.display()),
        ],
    );
    let drawn = Command::new("pdftoppm")
        .args(["-png", "-r", "60", "-f", "1", "-l", "3"])
        .arg(&paper)
        .arg(file("print"))
        .status()
        .unwrap();
    assert!(drawn.success());
    let pages: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|it| it.unwrap().path())
        .filter(|it| it.file_name().unwrap().to_str().unwrap().starts_with("print-"))
        .collect();
    assert!(!pages.is_empty());
    for page in pages {
        let (dark, light, colours) = looked_at(&page);
        assert!(light > 4 * dark && colours > 8, "{}: {dark} {light} {colours}", page.display());
    }
}
