//! What becomes of today's schedules when certificates live shorter: which hosts would renew too
//! late, too close to the end, or too often.

use super::EXACT_SET;
use super::lead::Lead;
use crate::fleet::{
    Automation, Certificate, DAY, Fleet, HOUR, Host, HostName, Moment, Place, Scheduler, human,
};
use crate::text::SafeText;

/// A lifetime that comes, or can be chosen already.
#[derive(Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// How it is called.
    pub name: &'static str,
    /// How long certificates then live, in seconds.
    pub seconds: i64,
    /// From when on, as a date.
    pub from: &'static str,
    /// For whom.
    pub whose: &'static str,
    /// Who says so, and when it was read.
    pub source: &'static str,
}

/// Every lifetime that is tried, the first to come first.
pub static LIFETIMES: &[Lifetime] = &[
    Lifetime {
        name: "6 days",
        seconds: 160 * HOUR,
        from: "2026-01-15",
        whose: "Let's Encrypt, profile shortlived, by choice",
        source: "letsencrypt.org, post of 2026-01-15 and docs/profiles, page of 2026-07-14",
    },
    Lifetime {
        name: "64 days",
        seconds: 64 * DAY,
        from: "2027-02-10",
        whose: "Let's Encrypt, profile classic, the default",
        source: "letsencrypt.org, post of 2025-12-02 and upcoming features, page of 2026-07-22",
    },
    Lifetime {
        name: "45 days",
        seconds: 45 * DAY,
        from: "2028-02-16",
        whose: "Let's Encrypt, profile classic; tlsserver since 2026-05-13",
        source: "letsencrypt.org, post of 2025-12-02 and upcoming features, page of 2026-07-22",
    },
    Lifetime {
        name: "47 days",
        seconds: 47 * DAY,
        from: "2029-03-15",
        whose: "every public CA",
        source: "CA/Browser Forum, ballot SC-081, Baseline Requirements 6.3.2",
    },
];

/// A host whose schedule does not fit a lifetime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slow {
    /// The lifetime.
    pub lifetime: &'static Lifetime,
    /// The host.
    pub host: HostName,
    /// The client, as its source is called.
    pub client: &'static str,
    /// How many certificates that concerns.
    pub places: usize,
    /// How bad it is.
    pub grade: Grade,
    /// Why.
    pub why: SafeText,
}

/// What is wrong with a schedule, from bad to worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// A single failure makes it overdue.
    Tight,
    /// It orders more often than its CA allows.
    TooOften,
    /// It ends before it is renewed.
    TooLate,
}

impl Grade {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Tight => "tight",
            Self::TooOften => "too-often",
            Self::TooLate => "too-late",
        }
    }
}

/// A host of which it cannot be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Untold {
    /// The host.
    pub host: HostName,
    /// The client.
    pub client: &'static str,
    /// Why.
    pub why: SafeText,
}

/// Tries every lifetime on every client of the fleet.
pub(super) fn simulate(fleet: &Fleet, now: Moment) -> (Vec<Slow>, Vec<Untold>) {
    let (mut slow, mut untold) = (Vec::new(), Vec::new());
    for host in fleet.hosts() {
        for automation in &host.automation {
            let renewed = renewed(host, automation);
            if renewed.is_empty() {
                continue;
            }
            match Rhythm::of(automation, now) {
                Ok(rhythm) => {
                    let tried = LIFETIMES.iter();
                    slow.extend(tried.filter_map(|it| {
                        worst(&renewed, it, &rhythm).map(|(places, grade, why)| Slow {
                            lifetime: it,
                            host: host.name.clone(),
                            client: automation.source,
                            places,
                            grade,
                            why: SafeText::new(&why),
                        })
                    }));
                }
                Err(why) => untold.push(Untold {
                    host: host.name.clone(),
                    client: automation.source,
                    why: SafeText::new(&why),
                }),
            }
        }
    }
    let order = |it: &Slow| LIFETIMES.iter().position(|other| other == it.lifetime);
    slow.sort_by(|a, b| {
        (order(a), b.grade, &a.host, a.client).cmp(&(order(b), a.grade, &b.host, b.client))
    });
    (slow, untold)
}

/// What a client renews with nobody there, and when: the present lifetime, and the lead.
fn renewed(host: &Host, automation: &Automation) -> Vec<(i64, Lead)> {
    let own = host.places.iter().filter(|it| it.source == automation.source);
    let one = |place: &Place| {
        let renewal = place.renewal.as_ref()?;
        let leaf = &place.layers.disk.as_ref()?.chain.leaf;
        let is_renewed = renewal.is_enabled
            && renewal.is_unattended
            && !leaf.is_self_issued()
            && !leaf.is_of_staging();
        is_renewed.then(|| (leaf.lifetime(), Lead::of(place, leaf, automation)))
    };
    own.filter_map(one).collect()
}

/// How often a client is started.
struct Rhythm {
    /// What starts it.
    name: SafeText,
    /// The longest pause between two runs, in seconds.
    pause: i64,
    /// By how much a run may be put off at random.
    jitter: i64,
    /// How long ago it ran, if that is longer than it should be.
    silent: Option<i64>,
}

impl Rhythm {
    fn of(automation: &Automation, now: Moment) -> Result<Self, String> {
        let schedule = &automation.schedule;
        if !schedule.triggers.iter().any(|it| it.is_armed) {
            return Err(match (schedule.scheduler, schedule.triggers.first()) {
                (Scheduler::None, _) => {
                    "no scheduler runs on the host: whatever starts it lies outside".to_owned()
                }
                (Scheduler::Unknown, _) => "what starts it could not be read".to_owned(),
                (_, Some(it)) => format!("nothing starts it: {} is {}", it.name, it.state),
                (_, None) => "nothing starts it: there is no timer and no cron line".to_owned(),
            });
        }
        let Some((trigger, pause)) = automation.pause() else {
            let named = schedule.triggers.iter().find(|it| it.is_armed);
            let words = named.and_then(|it| it.calendar.as_ref()).map(|it| format!(" ({it})"));
            let name = named.map_or("", |it| it.name.as_str());
            return Err(format!(
                "how often {name} fires is not known{}",
                words.unwrap_or_default()
            ));
        };
        let jitter = trigger.jitter.unwrap_or(0);
        let last = automation.last_run.max(trigger.last);
        let silent = last.map(|it| now.since(it)).filter(|it| *it > pause + jitter + DAY);
        Ok(Self { name: trigger.name.clone(), pause, jitter, silent })
    }

    /// The longest time without a run: as it is told, or as it was seen.
    fn longest(&self) -> i64 {
        self.silent.unwrap_or(0).max(self.pause)
    }

    fn told(&self) -> String {
        let every = format!("{} fires every {}", self.name, human(self.pause));
        match self.silent {
            Some(it) => format!("{every}, and the client ran last {} ago", human(it)),
            None => every,
        }
    }
}

/// The worst of what would become of these with that lifetime, for how many it is so bad, and why.
fn worst(
    renewed: &[(i64, Lead)],
    lifetime: &Lifetime,
    rhythm: &Rhythm,
) -> Option<(usize, Grade, String)> {
    // What lives shorter already is not touched by it.
    let touched = renewed.iter().filter(|it| it.0 >= lifetime.seconds - HOUR);
    let mut all: Vec<_> = touched.filter_map(|it| judge(lifetime.seconds, it.1, rhythm)).collect();
    all.sort_by_key(|it| it.0);
    let (grade, why) = all.last().cloned()?;
    Some((all.iter().filter(|it| it.0 == grade).count(), grade, why))
}

/// What would become of a certificate that lives so long.
fn judge(lifetime: i64, lead: Lead, rhythm: &Rhythm) -> Option<(Grade, String)> {
    let (_, closes) = Certificate::renewal_of(lifetime);
    let begins = lead.begins(lifetime);
    let (pause, told) = (rhythm.longest(), rhythm.told());
    if begins >= lifetime {
        return Some((Grade::TooLate, format!("the client {lead}, when it has ended already")));
    }
    // At worst it became due just after a run, and the next one is put off by all of the jitter.
    let first = begins.max(0).saturating_add(pause).saturating_add(rhythm.jitter);
    let second = first.saturating_add(pause);
    if first > lifetime {
        let after = format!("{} after it ended", human(first - lifetime));
        return Some((Grade::TooLate, format!("{told}: at worst it is first tried {after}")));
    }
    let orders = WEEK / rhythm.pause.max(1);
    if begins <= 0 && orders > EXACT_SET.burst {
        let text = format!(
            "the client {lead}, so at every run: {orders} orders in 7 days, where Let's Encrypt \
             takes {} for one set of names",
            EXACT_SET.burst
        );
        return Some((Grade::TooOften, text));
    }
    if second > closes {
        let left = lifetime.saturating_sub(second);
        let when = match left {
            ..0 => "there is no second try before its end".to_owned(),
            _ => format!("the second try may come {} before its end", human(left)),
        };
        let lead = if lead == Lead::Share { String::new() } else { format!(", the client {lead}") };
        return Some((Grade::Tight, format!("{told}{lead}: {when}")));
    }
    None
}

/// The week for which Let's Encrypt counts one set of names.
const WEEK: i64 = 7 * DAY;

#[cfg(test)]
mod tests {
    use super::super::sample::{NOW, fleet, host, leaf, place};
    use super::*;
    use crate::fleet::Schedule;

    fn rhythm(pause: i64, jitter: i64) -> Rhythm {
        Rhythm { name: SafeText::new("certbot.timer"), pause, jitter, silent: None }
    }

    #[track_caller]
    fn check(lead: Lead, pause: i64, jitter: i64, expect: [Option<Grade>; 4]) {
        let of = |it: &Lifetime| judge(it.seconds, lead, &rhythm(pause, jitter)).map(|it| it.0);
        let found: Vec<_> = LIFETIMES.iter().map(of).collect();
        assert_eq!(found, expect, "{lead}, every {}", human(pause));
    }

    #[test]
    fn schedules_are_judged_by_every_lifetime() {
        use Grade::{Tight, TooLate, TooOften};
        // 160 hours, 64, 45 and 47 days. Debian's timer: twice a day, put off by up to 12 hours.
        check(Lead::Share, 12 * HOUR, 12 * HOUR, [None; 4]);
        check(Lead::Share, DAY, 0, [Some(Tight), None, None, None]);
        check(Lead::Share, 3 * DAY, 0, [Some(Tight), None, None, None]);
        check(Lead::Share, 4 * DAY, 0, [Some(TooLate), None, Some(Tight), Some(Tight)]);
        check(Lead::Share, 7 * DAY, 0, [Some(TooLate), Some(Tight), Some(Tight), Some(Tight)]);
        check(
            Lead::Share,
            31 * DAY,
            0,
            [Some(TooLate), Some(TooLate), Some(TooLate), Some(TooLate)],
        );
        // certbot before 4.0 renews in good time, and what lives for six days at every run.
        let before = Lead::BeforeEnd(30 * DAY);
        check(before, 12 * HOUR, 12 * HOUR, [Some(TooOften), None, None, None]);
        check(before, 2 * DAY, 0, [None, None, None, None]);
        check(before, 7 * DAY, 0, [Some(TooLate), None, None, None]);
        let after = Lead::AfterIssue(60 * DAY);
        check(after, DAY, 0, [Some(TooLate), Some(Tight), Some(TooLate), Some(TooLate)]);
        check(Lead::BeforeEnd(5 * DAY), DAY, 0, [None, Some(Tight), Some(Tight), Some(Tight)]);
    }

    fn weekly(calendar: &str, life: i64) -> Host {
        let mut it =
            host("web-01", vec![place("www", leaf("www", &["www.example.net"], life, 80))]);
        it.automation[0].version = Some(SafeText::new("5.6.0"));
        it.automation[0].schedule.triggers[0].calendar = Some(SafeText::new(calendar));
        it
    }

    #[test]
    fn hosts_that_are_too_slow_are_named_with_the_reason() {
        let (slow, untold) = simulate(&fleet([weekly("0 3 * * 1", 90)]), NOW);
        let told: Vec<_> = slow
            .iter()
            .map(|it| format!("{} {} {} {}", it.lifetime.name, it.host, it.grade.word(), it.why))
            .collect();
        insta::assert_snapshot!(told.join("\n"), @r"
        6 days web-01 too-late certbot.timer fires every 7.0d: at worst it is first tried 3.6d after it ended
        64 days web-01 tight certbot.timer fires every 7.0d: the second try may come 7.3d before its end
        45 days web-01 tight certbot.timer fires every 7.0d: the second try may come 24h before its end
        47 days web-01 tight certbot.timer fires every 7.0d: the second try may come 40h before its end
        ");
        assert_eq!(untold, []);
        // What lives for 45 days already is not touched by 64 and 47.
        let (slow, _) = simulate(&fleet([weekly("0 3 * * 1", 45)]), NOW);
        let names: Vec<_> = slow.iter().map(|it| it.lifetime.name).collect();
        assert_eq!(names, ["6 days", "45 days"]);
    }

    #[test]
    fn a_client_that_was_silent_is_as_slow_as_that() {
        let mut it = weekly("*-*-* 00,12:00:00", 90);
        assert_eq!(simulate(&fleet([it.clone()]), NOW).0, []);
        it.automation[0].last_run = Some(NOW.plus(-9 * DAY));
        let (slow, _) = simulate(&fleet([it]), NOW);
        let why = slow.last().unwrap().why.as_str();
        assert!(why.contains("every 12h, and the client ran last 9.0d ago"), "{why}");
    }

    #[test]
    fn what_cannot_be_told_says_why() {
        let with = |scheduler, armed: bool, calendar: &str| {
            let mut it = weekly(calendar, 90);
            let schedule = &mut it.automation[0].schedule;
            *schedule = Schedule { scheduler, ..schedule.clone() };
            schedule.triggers[0].is_armed = armed;
            let (slow, untold) = simulate(&fleet([it]), NOW);
            assert_eq!(slow, []);
            untold[0].why.to_string()
        };
        let systemd = Scheduler::Systemd;
        assert_eq!(with(systemd, false, "daily"), "nothing starts it: certbot.timer is active");
        let outside = "no scheduler runs on the host: whatever starts it lies outside";
        assert_eq!(with(Scheduler::None, false, "daily"), outside);
        let odd = "how often certbot.timer fires is not known (now and then)";
        assert_eq!(with(systemd, true, "now and then"), odd);
    }

    #[test]
    fn lifetimes_are_dated() {
        assert!(LIFETIMES.iter().all(|it| Moment::parse(it.from).is_some()));
        let order: Vec<_> = LIFETIMES.iter().map(|it| it.from).collect();
        assert!(order.is_sorted());
    }
}
