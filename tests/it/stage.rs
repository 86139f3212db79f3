//! A console with a sample fleet in it and somebody in front of it, without a terminal.

use std::sync::Arc;
use std::time::Duration;

use certdeck::acme::{self, Step};
use certdeck::budget::{Account, Ca, Event, NameSet, Origin, What};
use certdeck::diagnose::{Ack, AckKind};
use certdeck::drill::{Drill, Task};
use certdeck::explain::Explanation;
use certdeck::fleet::{Fingerprint, HOUR, HostName, Moment};
use certdeck::guide::Run;
use certdeck::job::{Look, State, Status};
use certdeck::perform::preflight::Progress as Looked;
use certdeck::perform::{Ending, Progress, Report};
use certdeck::preflight::{self, Outcome, Verdict};
use certdeck::review::{Mark, Spot};
use certdeck::rollout::{Became, Paused, Rollout, Target};
use certdeck::store::{Holder, Kept};
use certdeck::text::SafeText;
use certdeck::tui::Settings;
use certdeck::tui::app::App;
use certdeck::tui::bell::Bell;
use certdeck::tui::checks::ChecksId;
use certdeck::tui::desk::Desk;
use certdeck::tui::input::Parser;
use certdeck::tui::jobs::RunId;
use certdeck::tui::keys::Keymap;
use certdeck::tui::msg::{Effect, Msg, Reviews, Time};
use certdeck::tui::sample::{self, NOW};
use certdeck::tui::theme::{Depth, Theme};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use uuid::Uuid;

/// A drill about one of the sample's certificates.
static TASK: Task = Task {
    name: "sample-drill",
    page: "03:07 api.example.net refuses clients: browsers say that its certificate is about to end",
    about: "api.example.net",
    cause: "overdue",
    hints: [
        "Why did nobody renew it for weeks?",
        "Look at the client's log.",
        "Put the challenge where the CA looks for it.",
    ],
    orders: 1,
    wrong: &[],
    lesson: "Look at the log before you order.",
};

/// The console, and what time it is.
pub(crate) struct Stage {
    app: App,
    theme: Theme,
    size: (u16, u16),
    now: Moment,
    up: Duration,
    run: Option<RunId>,
    look: Option<ChecksId>,
}

impl Stage {
    pub(crate) fn new(theme: Theme, is_ascii: bool, size: (u16, u16)) -> Self {
        let (fleet, _) = sample::prod_eu();
        let desk = Desk::new(Arc::new(sample::inventory()), fleet, theme.clone(), NOW);
        let settings = Settings {
            fleet_name: "prod-eu".to_owned(),
            who: "ada@bastion".to_owned(),
            theme: theme.clone(),
            depth: Depth::True,
            is_ascii,
            mask: None,
            is_read_only: false,
            mouse: false,
            bell: Bell::Off,
            keys: Vec::new(),
            ssh_config: None,
            editor: None,
            pager: None,
        };
        let app = App::new(desk, settings, Keymap::default());
        let mut stage =
            Self { app, theme, size, now: NOW, up: Duration::ZERO, run: None, look: None };
        stage.tell(Msg::Resized(size.0, size.1));
        stage
    }

    /// Types, and reads what is shown after each key.
    pub(crate) fn press(&mut self, keys: &str) {
        // One by one, because what comes at once would be a sequence.
        for key in keys.chars() {
            for input in Parser::default().feed(key.to_string().as_bytes()) {
                self.app.drawn(self.up);
                self.up += Duration::from_secs(1);
                self.tell(Msg::Input(input));
            }
        }
    }

    pub(crate) fn draw(&self) -> Buffer {
        let area = Rect::new(0, 0, self.size.0, self.size.1);
        let mut buf = Buffer::empty(area);
        buf.set_style(area, self.theme.base());
        self.app.draw(area, &mut buf);
        buf
    }

    /// The audit log is open and read, and the console armed.
    pub(crate) fn arm(&mut self) {
        self.read_log();
        self.press(":arm 15m\r");
        self.wait(28);
    }

    pub(crate) fn read_log(&mut self) {
        self.tell(Msg::LogOpened(Ok(())));
        self.tell(Msg::LogRead(Box::new(sample::book())));
    }

    /// Nothing is real, and somebody is to find out what is wrong.
    pub(crate) fn practise(&mut self) {
        let (fleet, _) = sample::prod_eu();
        let mut inventory = sample::inventory();
        inventory.defaults.practice = true;
        let mut settings = self.app.settings().clone();
        "practice".clone_into(&mut settings.fleet_name);
        let mut desk = Desk::new(Arc::new(inventory), fleet, self.theme.clone(), NOW);
        desk.drill = Some(Drill::new(&TASK, Some(7), NOW.plus(-130)));
        self.app = App::new(desk, settings, Keymap::default());
        self.tell(Msg::Resized(self.size.0, self.size.1));
        self.tell(Msg::LogOpened(Ok(())));
    }

    /// A guided run about a certificate that is overdue has begun.
    pub(crate) fn guide(&mut self) {
        self.read_log();
        let about = "edge-fra-2/api.example.net";
        let id = Uuid::from_u128(0x0193_a1b2_7c3d_7e00_8000_0000_004f_1c09);
        self.tell(Msg::Guide(Run::new(id, about, "ada@bastion", NOW)));
    }

    /// A guided run has come to an order, and what is before it is being looked at.
    pub(crate) fn guide_to_checks(&mut self) {
        self.arm();
        let id = Uuid::from_u128(0x0193_a1b2_7c3d_7e00_8000_0000_004f_1c0a);
        let about = "edge-ams-1/legacy.example.org";
        self.tell(Msg::Guide(Run::new(id, about, "ada@bastion", NOW)));
        for _ in 0..4 {
            self.press("\r");
        }
        self.checked("dnssec", Outcome::Ok, "no signature is in the way", &[]);
        self.checked("dns-01", Outcome::NotNeeded, "no name is proven by a record", &[]);
    }

    /// The same, once all of it is known.
    pub(crate) fn guide_past_checks(&mut self) {
        self.guide_to_checks();
        let text = "legacy.example.org: there is no such name (NXDOMAIN)";
        self.checked("addresses", Outcome::Failed, text, &["publish it, or leave it out"]);
        let text = "ns2.example.org answers SERVFAIL";
        self.checked("authorities", Outcome::Warning, text, &[]);
        self.checked("http", Outcome::Unknown, "no address is known here", &[]);
        let known = ["addresses", "authorities", "dnssec", "dns-01", "http"];
        for kind in preflight::ALL.iter().filter(|it| !known.contains(&it.name)) {
            self.checked(kind.name, Outcome::Ok, "well", &[]);
        }
        let id = self.look.expect("something is looked at");
        self.tell(Msg::Looked(id, Looked::Ended { at: 0 }));
    }

    /// The CA has asked to be left alone, and the console is armed.
    pub(crate) fn refuse(&mut self) {
        self.arm();
        let ca = Ca::of_directory("https://acme-v02.api.letsencrypt.org/directory");
        let until = Some(NOW.plus(2 * HOUR));
        let what = What::Refused { limit: "limit", about: None, until };
        let event = Event::noted(NOW, ca, what, NameSet::default(), Account::Own);
        let event = event.seen(Origin::Ledger);
        self.tell(Msg::LogRead(Box::new(sample::book().with(vec![event]))));
    }

    /// A week ago a review was signed off, and since then somebody has said that a finding is
    /// known.
    pub(crate) fn review(&mut self) {
        self.arm();
        let (fleet, _) = sample::prod_eu();
        let found = &self.app.desk().diagnosis.findings;
        let said = ("alice@laptop", "the zone moves on Monday");
        let end = (NOW.plus(-86_400), NOW.plus(6 * 86_400));
        let ack = found.iter().find(|it| it.rule == "overdue");
        let acks =
            ack.map(|it| Ack::of(it, AckKind::Acknowledged, end, said)).into_iter().collect();
        let mut mark = Mark::of(&fleet, 7, NOW.plus(-7 * 86_400), "alice@laptop", "all known");
        mark.hosts.values_mut().for_each(|it| *it = Some(NOW.plus(-8 * 86_400)));
        let mut spots = mark.places.keys().cloned();
        let (new, gone) = (spots.next().unwrap(), spots.next().unwrap());
        mark.places.remove(&new);
        let place = SafeText::new("old.example.org");
        let kept = mark.places[&gone].clone();
        mark.places.insert(Spot { place, ..gone.clone() }, kept);
        if let Some(Some(was)) = mark.places.get_mut(&gone) {
            was.sha256 = Fingerprint::of(b"before");
            was.names.push(SafeText::new("zz.example.net"));
            was.not_before = was.not_before.plus(-60 * 86_400);
            was.not_after = was.not_after.plus(-60 * 86_400);
        }
        let reviews = Reviews { acks, mark: Some(mark), problem: None };
        self.tell(Msg::ReviewsRead(Box::new(reviews)));
        self.app.refresh();
    }

    /// Three rows are marked, and the filter hides one of them.
    pub(crate) fn mark_three(&mut self) {
        self.arm();
        self.press("   /host:edge-fra*\r");
    }

    /// One job runs, of two that were confirmed together one has failed.
    pub(crate) fn run_jobs(&mut self) {
        self.arm();
        self.press("  ar");
        self.press("renew 2");
        let op = Uuid::from_u128(0x0192_7f3e);
        self.ran(Progress::Wave(1, 2));
        self.ran(Progress::Began { at: 0, op });
        self.wait(9);
        self.ran(Progress::Ended { at: 0, report: failed(op) });
        let why = "legacy.example.org failed, and nothing is begun after a failure";
        self.ran(Progress::NotBegun { at: 1, why: SafeText::new(why) });
        self.press("1\\ary");
        let op = Uuid::from_u128(0x0192_7f3f);
        self.ran(Progress::Began { at: 0, op });
        self.wait(4);
        let text = "Saving debug log to /var/log/letsencrypt/letsencrypt.log\n\n- - -\n\
                    Processing /etc/letsencrypt/renewal/cdn.example.net.conf\n- - -\n\
                    Renewing an existing certificate for *.cdn.example.net\n";
        self.ran(Progress::Looked { at: 0, look: look(text) });
    }

    /// Somebody has begun a roll-out, and is or is not at it any more.
    fn rollout(&mut self, is_there: bool) {
        let target = |(wave, host, lineage, became): (usize, &str, &str, Became)| Target {
            host: HostName::new(host),
            lineage: Some(lineage.to_owned()),
            wave,
            became,
            op: (became != Became::Waiting).then(|| Uuid::from_u128(0x0192_7f42 + wave as u128)),
        };
        let targets = [
            (1, "edge-ams-1", "legacy.example.org", Became::Done),
            (2, "edge-fra-2", "api.example.net", Became::Failed),
            (2, "edge-sin-1", "shop.example.sg", Became::Done),
            (3, "edge-nyc-1", "us.example.com", Became::Waiting),
            (3, "mail-hel-1", "smtp.example.com", Became::Waiting),
        ];
        let who = SafeText::new("ben@bastion");
        let run = Rollout {
            action: "renew".to_owned(),
            targets: targets.into_iter().map(target).collect(),
            paused: is_there.then(|| Paused { who: who.clone(), since: self.now }),
            ..Rollout::new(Uuid::from_u128(0x0192_7f41), &[], None, "ben@bastion", self.now)
        };
        let holder = Some(Holder { who, since: self.now, is_there });
        self.arm();
        self.wait(60);
        let took = |it: &Target| {
            let begun = self.now.plus(-300 + 60 * i64::try_from(it.wave).ok()?);
            Some((it.op?, (begun, Some(begun.plus(41)))))
        };
        let times = run.targets.iter().filter_map(took).collect();
        self.tell(Msg::RolloutsRead(vec![Kept { run, holder }], times));
    }

    /// A roll-out was left, and nobody is at it.
    pub(crate) fn left_rollout(&mut self) {
        self.rollout(false);
    }

    /// Somebody else is at a roll-out, and wants it to wait.
    pub(crate) fn paused_rollout(&mut self) {
        self.rollout(true);
    }

    /// A CA is asked for a certificate that certdeck itself orders, and asks to be left alone for a
    /// moment.
    pub(crate) fn order(&mut self) {
        self.arm();
        self.press("jaicertdeck\rapi.example.net\r\r/var/www\r");
        self.press(&"\r".repeat(9));
        self.press("api.example.net");
        let op = Uuid::from_u128(0x0192_7f40);
        self.ran(Progress::Began { at: 0, op });
        self.wait(3);
        for (stage, text) in [
            (acme::Stage::Begun, "the host makes key and request; the key stays there"),
            (acme::Stage::Begun, "the account at letsencrypt is opened"),
            (acme::Stage::Begun, "acme-v02.api.letsencrypt.org is asked for an order"),
            (acme::Stage::Ordered, "acme-v02.api.letsencrypt.org has the order: 1 name to prove"),
            (acme::Stage::Placed, "the answer lies in /var/www on edge-fra-2"),
            (acme::Stage::Placed, "api.example.net: 192.0.2.7 serves the answer"),
            (
                acme::Stage::Triggered,
                "acme-v02.api.letsencrypt.org looks at api.example.net over HTTP",
            ),
        ] {
            self.ran(Progress::Ordering { at: 0, step: Step { stage, text: SafeText::new(text) } });
        }
        self.wait(2);
    }

    /// What a CA will look at is being looked at, and some of it is known.
    pub(crate) fn look(&mut self) {
        self.arm();
        self.press("jp");
        self.checked("addresses", Outcome::Failed, AAAA, &["remove the AAAA record"]);
        self.checked("authorities", Outcome::Warning, "ns2.example.net answers SERVFAIL", &[]);
        self.checked("dnssec", Outcome::Ok, "no signature is in the way", &[]);
        self.checked("dns-01", Outcome::NotNeeded, "no name is proven by a record", &[]);
        self.wait(2);
    }

    /// All of it is known.
    pub(crate) fn look_to_the_end(&mut self) {
        self.look();
        let fix =
            "publish `example.net. CAA 0 issue \"ca.test\"`, or order from a CA that they allow";
        let text = "api.example.net: CAA of example.net: 0 issue \"other.test\": forbids ca.test";
        self.checked("caa", Outcome::Failed, text, &[fix]);
        let known = ["addresses", "authorities", "dnssec", "dns-01", "caa"];
        for kind in preflight::ALL.iter().filter(|it| !known.contains(&it.name)) {
            let why = "edge-fra-2: connection timed out";
            self.checked(kind.name, Outcome::Unknown, why, &[]);
        }
        let id = self.look.expect("something is looked at");
        self.tell(Msg::Looked(id, Looked::Ended { at: 0 }));
    }

    fn checked(&mut self, name: &str, outcome: Outcome, text: &str, fix: &[&str]) {
        let id = self.look.expect("something is looked at");
        let kind = preflight::ALL.iter().find(|it| it.name == name).unwrap();
        let text = SafeText::new(text);
        let evidence = vec![text.clone(), SafeText::new("and some more that was seen")];
        let fix = fix.iter().map(|it| SafeText::new(it)).collect();
        let verdict = Verdict { outcome, text, evidence, fix };
        self.tell(Msg::Looked(id, Looked::Checked { at: 0, kind, verdict }));
    }

    fn wait(&mut self, seconds: i64) {
        self.now = self.now.plus(seconds);
        self.up += Duration::from_secs(seconds.unsigned_abs());
        self.tell(Msg::Second);
    }

    fn ran(&mut self, progress: Progress) {
        let run = self.run.expect("something was confirmed");
        self.tell(Msg::Ran(run, progress));
    }

    fn tell(&mut self, msg: Msg) {
        for effect in self.app.update(msg, Time { now: self.now, up: self.up }) {
            match effect {
                Effect::Preflight(look, ..) => self.look = Some(look),
                Effect::Run(run, _) => self.run = Some(run),
                _ => {}
            }
        }
    }
}

const AAAA: &str =
    "api.example.net leads to 2001:db8::dead: no known address of a host of the fleet";

fn failed(op: Uuid) -> Box<Report> {
    let safe = |it: &str| SafeText::new(it);
    Box::new(Report {
        op: Some(op),
        ending: Ending::Failed,
        summary: safe("certbot ended with exit code 1"),
        state: vec![safe("the certificate from before is still in place, and its key fits")],
        explanation: Some(Explanation {
            name: "http-404",
            cause: safe(
                "the server that answers for legacy.example.org does not find the test file",
            ),
            next: safe("serve /.well-known/acme-challenge/ from the webroot, then do a dry run"),
        }),
        log: Some(safe("/var/log/letsencrypt/letsencrypt.log")),
        before: Some(Fingerprint::of(b"before")),
        after: Some(Fingerprint::of(b"before")),
        probes: Vec::new(),
        tail: vec![safe("Some challenges have failed.")],
    })
}

fn look(text: &str) -> Look {
    let status = Status {
        state: State::Running,
        began: Some(NOW),
        ended: None,
        before: None,
        after: None,
        command: 1,
        is_stopped: false,
        printed: text.len() as u64,
        is_cut: false,
        title: SafeText::new("renew"),
        who: SafeText::new("alice@laptop"),
        witness: None,
    };
    Look { status, output: text.as_bytes().to_vec() }
}
