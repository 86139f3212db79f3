//! What `certdeck budget` says of real hosts is what Boulder would say, which is simulated here
//! from its own source: bucket by bucket, to the minute.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use certdeck::fleet::Moment;
use rcgen::{CertificateParams, DnType, Issuer, KeyPair, date_time_ymd};
use serde_json::Value;

use crate::lab::Lab;

const NOW: &str = "2026-11-23T03:12:44Z";
const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";
const ACCOUNT: &str = "f00dfeedf00dfeedf00dfeedf00dfeed";

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// What was issued: hours ago, names, and at which hosts it lies.
const ISSUED: &[(i64, &[&str], &[usize])] = &[
    (100 * 24, &["www.shop.co.uk", "shop.co.uk"], &[0]),
    (40 * 24, &["www.shop.co.uk", "shop.co.uk"], &[0, 1]),
    (50, &["shop.co.uk", "WWW.shop.co.uk"], &[0, 1, 2]),
    (49, &["www.shop.co.uk", "shop.co.uk"], &[1]),
    (20, &["www.shop.co.uk", "shop.co.uk"], &[2, 0]),
    (19, &["www.shop.co.uk", "shop.co.uk"], &[0]),
    (3, &["www.shop.co.uk", "shop.co.uk"], &[1]),
    (2, &["www.shop.co.uk", "shop.co.uk"], &[2]),
    // Other sets under the same registered domain, and under a private suffix.
    (6, &["*.shop.co.uk"], &[0, 2]),
    (5, &["api.shop.co.uk", "alice.github.io"], &[1]),
    (4, &["bob.github.io"], &[1]),
    (1, &["a.bob.github.io", "other.co.uk"], &[0, 1, 2]),
    // Again after the time in which a set is renewed.
    (150 * 24, &["late.example.com"], &[2]),
    (1, &["late.example.com"], &[2]),
];

/// How many minutes ago a name could not be verified, by the log of which host.
const FAILED: &[(i64, &str, usize)] = &[
    (80, "www.shop.co.uk", 0),
    (50, "www.shop.co.uk", 0),
    (31, "www.shop.co.uk", 1),
    (20, "www.shop.co.uk", 0),
    (19, "www.shop.co.uk", 1),
    (7, "www.shop.co.uk", 0),
    (3, "www.shop.co.uk", 0),
    (30, "api.shop.co.uk", 1),
];

#[test]
fn real_hosts_have_the_budget_that_boulder_would_have() {
    let Some(mut lab) = Lab::new() else { return };
    let now = Moment::parse(NOW).unwrap().unix();
    let ca = authority();
    let mut inventory = String::new();
    let mut archives = [0, 1, 2].map(|_| BTreeMap::<String, Vec<String>>::new());
    let mut boulder = Boulder::default();
    for (hours, names, hosts) in ISSUED {
        let at = now - hours * HOUR;
        boulder.issue(names, at);
        let pem = mint(&ca, names, at);
        for host in *hosts {
            let lineage = names[0].to_lowercase().replace('*', "wild");
            archives[*host].entry(lineage).or_default().push(pem.clone());
        }
    }
    for (at, lineages) in archives.iter().enumerate() {
        let dir = lab.path(&format!("host-{at}"));
        for (name, versions) in lineages {
            plant(&dir, name, versions);
        }
        log(&dir, at, now);
        let port = lab.sshd("SetEnv TZ=UTC").port;
        write!(
            inventory,
            "[[host]]\nname = 'host-{at}'\naddress = '127.0.0.1'\nport = {port}\n\
             [[host.source]]\nkind = 'certbot'\nconfig-dir = '{0}'\nlogs-dir = '{0}/log'\n",
            dir.display()
        )
        .unwrap();
    }
    let mut failed: Vec<_> = FAILED.iter().map(|it| (now - it.0 * 60, it.1)).collect();
    failed.sort_unstable();
    for (at, name) in failed {
        boulder.spend(format!("failures {name}"), FAILURES, at);
    }

    let told = budget(&lab, &inventory, &["--scan"]);
    assert_eq!(told["not-counted"], Value::Array(Vec::new()), "{told:#}");
    let mut compared = 0;
    for bucket in told["buckets"].as_array().unwrap() {
        // The dry runs failed elsewhere.
        if bucket["ca"] != "Let's Encrypt" {
            assert_eq!(bucket["used"], 0, "{bucket:#}");
            continue;
        }
        let names: Vec<_> = bucket["scope"]["names"].as_array().unwrap().iter().map(text).collect();
        let (key, size) = match text(&bucket["kind"]).as_str() {
            "exact-set" => (format!("exact-set {}", names.join(",")), EXACT_SET),
            "registered-domain" => {
                (format!("registered-domain {}", text(&bucket["scope"]["domain"])), DOMAIN)
            }
            "failures" => (format!("failures {}", names[0]), FAILURES),
            _ => continue,
        };
        let (left, minutes) = boulder.check(&key, size, now);
        let free = bucket["free-at"]
            .as_str()
            .map_or(0, |it| (Moment::parse(it).unwrap().unix() - now + 59) / 60);
        assert_eq!((bucket["left"].as_i64().unwrap(), free), (left, minutes), "{key} {bucket:#}");
        assert_eq!(bucket["confidence"], "seen", "{key}");
        assert!(boulder.tats.remove(&key).is_some(), "Boulder knows no {key}");
        compared += 1;
    }
    // What is full again by now need not be told of.
    boulder.tats.retain(|_, tat| *tat > i128::from(now) * NANOS);
    assert!(boulder.tats.is_empty(), "nothing is told of {:?}", boulder.tats);
    assert!(compared > 10, "{compared}");

    // The set of which six were seen in a week: what nobody may order now, and until when.
    let one = budget(&lab, &inventory, &["www.SHOP.co.uk"]);
    let order = &one["plan"]["orders"][0];
    assert_eq!(
        (&order["fits-now"], &order["is-renewal"]),
        (&false.into(), &true.into()),
        "{one:#}"
    );
    let set = &one["buckets"][0];
    assert_eq!((&set["left"], &order["at"]), (&0.into(), &set["free-at"]));
    assert_eq!(set["counted"][0]["from"].as_array().unwrap().len(), 3, "{set:#}");

    // With a host that is down, what is counted is the least that there can be.
    let port: u16 = inventory
        .lines()
        .filter_map(|it| it.strip_prefix("port = "))
        .next_back()
        .unwrap()
        .parse()
        .unwrap();
    lab.stop(port);
    let told = budget(&lab, &inventory, &["--scan"]);
    assert_eq!(told["not-counted"][0]["host"], "host-2", "{told:#}");
    let sets = told["buckets"].as_array().unwrap().iter().filter(|it| it["kind"] == "exact-set");
    assert!(
        sets.clone().count() > 3
            && sets.clone().all(|it| it["confidence"] == "at-least" || it["confidence"] == "told")
    );
}

/// `certdeck budget` in JSON.
#[track_caller]
fn budget(lab: &Lab, inventory: &str, words: &[&str]) -> Value {
    let mut command = lab.certdeck(inventory);
    command.args(["--now", NOW, "budget", "--format", "json"]).args(words);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(matches!(output.status.code(), Some(0 | 1)), "{}: {said}", output.status);
    serde_json::from_slice(&output.stdout).unwrap()
}

/// An intermediate with the name of Let's Encrypt.
fn authority() -> Issuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CountryName, "US");
    params.distinguished_name.push(DnType::OrganizationName, "Let's Encrypt");
    params.distinguished_name.push(DnType::CommonName, "YE1");
    Issuer::new(params, KeyPair::generate().unwrap())
}

/// A certificate that was issued at that moment: its CA dates back by an hour.
fn mint(ca: &Issuer<'_, KeyPair>, names: &[&str], at: i64) -> String {
    let names: Vec<_> = names.iter().map(|it| (*it).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    let begins = u64::try_from(at - HOUR).unwrap();
    params.not_before = date_time_ymd(1970, 1, 1) + Duration::from_secs(begins);
    params.not_after = params.not_before + Duration::from_secs(90 * 86_400);
    params.distinguished_name.push(DnType::CommonName, "leaf");
    params.signed_by(&KeyPair::generate().unwrap(), ca).unwrap().pem()
}

/// A lineage as certbot keeps it, with these versions, the last of them live.
fn plant(config: &Path, name: &str, versions: &[String]) {
    let (archive, live) = (config.join("archive").join(name), config.join("live").join(name));
    for dir in [&archive, &live, &config.join("renewal"), &config.join("log")] {
        fs::create_dir_all(dir).unwrap();
    }
    for (number, pem) in (1..).zip(versions) {
        for kind in ["cert", "fullchain", "chain", "privkey"] {
            fs::write(archive.join(format!("{kind}{number}.pem")), pem).unwrap();
        }
    }
    let mut conf = "version = 2.1.0\n".to_owned();
    for kind in ["cert", "privkey", "chain", "fullchain"] {
        let link = live.join(format!("{kind}.pem"));
        symlink(format!("../../archive/{name}/{kind}{}.pem", versions.len()), &link).unwrap();
        writeln!(conf, "{kind} = {}", link.display()).unwrap();
    }
    write!(
        conf,
        "[renewalparams]\nauthenticator = webroot\nserver = {LETS_ENCRYPT}\naccount = {ACCOUNT}\n"
    )
    .unwrap();
    fs::write(config.join(format!("renewal/{name}.conf")), conf).unwrap();
}

/// The log of certbot on a host, one file for all runs, of which the last was a dry run.
fn log(config: &Path, host: usize, now: i64) {
    let mut text = String::new();
    let mut failed: Vec<_> =
        FAILED.iter().filter(|it| it.2 == host).map(|it| (it.0, it.1)).collect();
    failed.sort_unstable_by(|a, b| b.cmp(a));
    let dry = [(1, "www.shop.co.uk")];
    for (minutes, name) in failed.into_iter().chain(dry) {
        let at = Moment::from_unix(now - minutes * 60)
            .to_string()
            .replace('T', " ")
            .replace('Z', ",001");
        let option = if minutes == 1 { "'--dry-run', " } else { "" };
        write!(
            text,
            "{at}:DEBUG:certbot._internal.main:certbot version: 2.1.0\n\
             {at}:DEBUG:certbot._internal.main:Arguments: ['renew', {option}'-n']\n\
             {at}:DEBUG:certbot._internal.display.obj:Notifying user: Processing {0}/renewal/www.shop.co.uk.conf\n\
             {at}:DEBUG:certbot._internal.display.obj:Notifying user: \n\
             Certbot failed to authenticate some domains (authenticator: webroot). The Certificate Authority reported these problems:\n\
             \x20 Domain: {name}\n  Type:   connection\n  Detail: 192.0.2.1: Connection refused\n\
             {at}:ERROR:certbot._internal.renewal:Failed to renew certificate www.shop.co.uk with error: Some challenges have failed.\n",
            config.display()
        )
        .unwrap();
    }
    fs::write(config.join("log/letsencrypt.log"), text).unwrap();
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// Boulder, as far as these limits go, from wfe2/wfe.go, ra/ra.go and ratelimits/gcra.go: by key,
/// the theoretical arrival time in nanoseconds.
#[derive(Default)]
struct Boulder {
    tats: BTreeMap<String, i128>,
    issued: BTreeMap<String, Vec<i64>>,
}

/// A count and a period in seconds; the burst is the count.
type Size = (i128, i128);
const EXACT_SET: Size = (5, 168 * 3600);
const DOMAIN: Size = (50, 168 * 3600);
const FAILURES: Size = (5, 3600);
const NANOS: i128 = 1_000_000_000;

impl Boulder {
    /// `countCertificateIssued`: what is issued is spent where there is something left.
    fn issue(&mut self, names: &[&str], at: i64) {
        let mut names: Vec<_> = names.iter().map(|it| it.to_lowercase()).collect();
        names.sort();
        let key = names.join(",");
        let before = self.issued.entry(key.clone()).or_default();
        let is_renewal = before.iter().any(|it| at - it <= 120 * DAY);
        before.push(at);
        if !is_renewal {
            let mut domains: Vec<_> = names.iter().map(|it| domain(it)).collect();
            domains.sort_unstable();
            domains.dedup();
            for domain in domains {
                self.spend(format!("registered-domain {domain}"), DOMAIN, at);
            }
        }
        self.spend(format!("exact-set {key}"), EXACT_SET, at);
    }

    fn spend(&mut self, key: String, (count, period): Size, at: i64) {
        let interval = period * NANOS / count;
        let now = i128::from(at) * NANOS;
        let new = self.tats.get(&key).map_or(now, |it| now.max(*it)) + interval;
        if now - (new - interval * count) >= 0 {
            self.tats.insert(key, new);
        }
    }

    /// How many are left, and in how many minutes, rounded up, the next is allowed.
    fn check(&self, key: &str, (count, period): Size, at: i64) -> (i64, i64) {
        let interval = period * NANOS / count;
        let now = i128::from(at) * NANOS;
        let tat = self.tats.get(key).map_or(now, |it| now.max(*it));
        let left = (now - (tat - interval * count)) / interval;
        let retry = (tat + interval - interval * count - now).max(0);
        let minute = 60 * NANOS;
        (left.try_into().unwrap(), ((retry + minute - 1) / minute).try_into().unwrap())
    }
}

/// The registered domain of the names above, as a person reads the public suffix list.
fn domain(name: &str) -> &'static str {
    for known in ["shop.co.uk", "other.co.uk", "alice.github.io", "bob.github.io", "example.com"] {
        if name == known || name.ends_with(&format!(".{known}")) {
            return known;
        }
    }
    panic!("{name}")
}
