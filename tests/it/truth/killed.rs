//! What puts a certificate in place is killed before each program that it runs: whatever a server
//! would load then is a whole pair, and whoever comes next comes to the end of it.

use std::fs;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;
use tempfile::TempDir;

use super::authority::{Authority, Issued, Life};
use super::scene::program;
use super::shop::{NAME, Shop, files};
use crate::job::rounds;
use crate::lab::nginx::NGINX;
use crate::lab::{are_here, free_port};

/// The command of a plan for a host, and everything on that host that it is about: both can be had
/// again in any folder.
struct Act {
    argv: Vec<String>,
    env: Vec<(String, String)>,
    /// The folder of the host.
    dir: PathBuf,
    /// The port at which its nginx ends TLS.
    port: u16,
    lineage: String,
    /// What the servers may load before it.
    before: Issued,
}

/// Programs that it runs.
const PROGRAMS: &[&str] = &[
    "awk", "cat", "certtool", "chmod", "cp", "diff", "id", "ln", "mkdir", "mv", "openssl",
    "readlink", "rm", "rmdir", "sed", "sh", "sleep", "sync", "tr",
];

impl Act {
    /// What that line would do on the host of a shop.
    fn of(shop: &Shop, line: &str, before: Issued) -> Self {
        let told = shop.scene.shell(&format!("{line} --format json"));
        let plan: Value = serde_json::from_slice(&told.stdout).unwrap();
        let command = &plan["plans"][0]["commands"][0];
        let text = |it: &Value| it.as_str().unwrap().to_owned();
        let env = command["env"].as_object().unwrap();
        Self {
            lineage: text(&command["argv"][6]),
            argv: command["argv"].as_array().unwrap().iter().map(text).collect(),
            env: env.iter().map(|(name, value)| (name.clone(), text(value))).collect(),
            dir: shop.host.path(""),
            port: shop.nginx.tls_port,
            before,
        }
    }

    /// Tries it, killed before its program of that number; whether it was killed at all.
    #[track_caller]
    fn check(&self, at: usize, new: &Issued) -> bool {
        let stand = Stand::new(self, new);
        let killed = stand.run(at);
        stand.assert_whole(&self.before, new, killed.then_some(at));
        killed
    }

    /// Tries it on a host without openssl.
    #[track_caller]
    fn check_without_openssl(&mut self) {
        for it in &mut self.argv {
            *it = it.replace("command -v openssl", "false");
        }
        let new = Authority::new("New House").issue(&[NAME], Life(1, 89));
        let stand = Stand::new(self, &new);
        assert!(!stand.run(usize::MAX >> 1));
        stand.assert_whole(&self.before, &new, None);
        let trace = stand.trace();
        assert!(trace.contains("certtool ") && !trace.contains("openssl "), "{trace}");
    }

    /// Tries it killed before each of its programs, and once to the end.
    fn check_all(&self) {
        let new = Authority::new("New House").issue(&[NAME], Life(1, 89));
        let (next, end) = (AtomicUsize::new(1), AtomicUsize::new(usize::MAX));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    loop {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        if at > end.load(Ordering::Relaxed) {
                            return;
                        }
                        if !self.check(at, &new) {
                            end.fetch_min(at, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        let count = end.load(Ordering::Relaxed);
        eprintln!("killed before each of {count} programs");
        assert!(count > 30, "{count}");
    }
}

/// A copy of a host, on which a command is run.
struct Stand {
    dir: TempDir,
    argv: Vec<String>,
    env: Vec<(String, String)>,
    lineage: String,
}

impl Stand {
    fn new(act: &Act, new: &Issued) -> Self {
        let dir = TempDir::new().unwrap();
        let from = act.dir.to_str().unwrap().trim_end_matches('/');
        let to = dir.path().join("host");
        let moved = |text: &str| {
            // Nobody listens there: it is the files that count.
            let text = text.replace(&act.port.to_string(), &free_port().to_string());
            text.replace(from, to.to_str().unwrap())
        };
        for folder in ["certdeck", "nginx", "tls"] {
            copy(&act.dir.join(folder), &to.join(folder), &moved);
        }
        let order = to.join("certdeck/orders/op");
        fs::create_dir_all(&order).unwrap();
        fs::write(order.join("privkey.pem"), &new.key).unwrap();
        fs::create_dir_all(to.join("jobs/op")).unwrap();
        fs::write(to.join("jobs/op/input"), new.full()).unwrap();
        let bin = to.join("bin");
        fs::create_dir_all(&bin).unwrap();
        watch(&to, &bin);
        let reload = format!(
            "#!/bin/dash\nfor last; do :; done\n[ \"$last\" = reload ] || exec {NGINX} \"$@\"\n"
        );
        program(&to.join("nginx.sh"), &reload);
        let nginx = to.join("nginx.sh").display().to_string();
        let argv = act.argv.iter().map(|it| moved(it).replace(NGINX, &nginx)).collect();
        Self { dir, argv, env: act.env.clone(), lineage: act.lineage.clone() }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join("host").join(path)
    }

    /// Runs it; whether it was killed before its program of that number.
    #[track_caller]
    fn run(&self, limit: usize) -> bool {
        fs::write(self.path("limit"), format!("{limit}\n")).unwrap();
        let said = fs::File::create(self.path("said")).unwrap();
        let status = Command::new(&self.argv[0])
            .args(&self.argv[1..])
            .env_clear()
            .envs(self.env.iter().cloned())
            .env("PATH", format!("{}:/usr/bin:/bin", self.path("bin").display()))
            .env("CERTDECK_ROOT", self.path("root"))
            .env("CERTDECK_INPUT", self.path("jobs/op/input"))
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(said.try_clone().unwrap())
            .stderr(said)
            .status()
            .unwrap();
        let is_killed = status.signal() == Some(9);
        let said = fs::read_to_string(self.path("said")).unwrap();
        assert!(is_killed || status.success(), "{status}: {said}\n{}", self.trace());
        is_killed
    }

    fn trace(&self) -> String {
        fs::read_to_string(self.path("trace")).unwrap_or_default()
    }

    /// Stops with an assertion unless what servers would load now is whole.
    #[track_caller]
    fn assert_whole(&self, old: &Issued, new: &Issued, killed: Option<usize>) {
        let when = killed.map_or_else(
            || "at the end".to_owned(),
            |at| {
                let trace = self.trace();
                format!("killed before {at}: {}", trace.lines().last().unwrap_or_default())
            },
        );
        let read = |path: &str| fs::read_to_string(self.path(path)).ok();
        let pair = |certificate: &str, key: &str| (read(certificate), read(key));
        let [old, new] = [old, new].map(|it| (Some(it.full()), Some(it.key.clone())));
        let live = |kind: &str| format!("certdeck/live/{}/{kind}.pem", self.lineage);
        let live = pair(&live("fullchain"), &live("privkey"));
        let is_there = [&old, &new].contains(&&live);
        // Nothing loads it before the certificate is there.
        assert!(is_there || (live.0.is_none() && killed.is_some()), "{when}: {live:?}");
        assert!(killed.is_some() || live == new, "{when}: {live:?}");
        // Two files at fixed paths are two renames, one right after the other.
        let fixed = pair(&format!("tls/{NAME}.pem"), &format!("tls/{NAME}.key"));
        let trace = self.trace();
        let mut last = trace.lines().rev().take(2);
        if fixed == (old.0, new.1) && last.all(|it| it.starts_with("mv ")) {
            return;
        }
        // What nginx is told to load.
        let test = Command::new(NGINX)
            .args(["-t", "-p"])
            .arg(self.path("nginx"))
            .arg("-c")
            .arg(self.path("nginx/nginx.conf"))
            .arg("-e")
            .arg(self.path("nginx/error.log"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&test.stderr);
        assert!(test.status.success(), "{when}: {said}");
        // Servers load whole folders, but for files that begin with a dot.
        for folder in ["nginx/sites", "tls"] {
            for it in fs::read_dir(self.path(folder)).unwrap() {
                let name = it.unwrap().file_name().into_string().unwrap();
                let is_known =
                    ["conf", "pem", "key"].iter().any(|it| name.ends_with(&format!("test.{it}")));
                assert!(is_known || name.starts_with('.'), "{when}: {folder}/{name}");
            }
        }
    }
}

/// Puts programs in front of those of the system that count how many of them ran, as long as they
/// are run by an activation, and kill all of their group before that of the number in `limit`.
fn watch(dir: &Path, bin: &Path) {
    let dir = dir.display();
    let text = format!(
        "#!/bin/dash\np=${{0##*/}}\nfor last; do :; done\n\
         [ -z \"$RENEWED_DOMAINS\" ] || {{\n\
         printf '%s %.200s\\n' \"$p\" \"${{last%%\n*}}\" >>{dir}/trace\nread limit <{dir}/limit\n\
         [ \"$(/usr/bin/wc -l <{dir}/trace)\" -lt \"$limit\" ] || kill -KILL 0\n}}\n\
         [ -x \"/usr/bin/$p\" ] && exec \"/usr/bin/$p\" \"$@\"\nexec \"/bin/$p\" \"$@\"\n"
    );
    for name in PROGRAMS {
        program(&bin.join(name), &text);
    }
}

/// Copies a folder with its links, and tells files that they are elsewhere.
fn copy(from: &Path, to: &Path, moved: &dyn Fn(&str) -> String) {
    let Ok(entries) = fs::read_dir(from) else { return };
    fs::create_dir_all(to).unwrap();
    for it in entries.map(|it| it.unwrap()) {
        let (kind, to) = (it.file_type().unwrap(), to.join(it.file_name()));
        if kind.is_dir() {
            copy(&it.path(), &to, moved);
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(it.path()).unwrap(), to).unwrap();
        } else if kind.is_file() {
            let text = String::from_utf8_lossy(&fs::read(it.path()).unwrap()).into_owned();
            fs::write(to, moved(&text)).unwrap();
        }
    }
}

/// The files of a certificate that is in place there.
pub(super) fn issued(certificate: &Path, key: &Path) -> Issued {
    let [full, key] = [certificate, key].map(|it| fs::read_to_string(it).unwrap());
    let end = "-----END CERTIFICATE-----\n";
    let at = full.find(end).unwrap() + end.len();
    Issued { leaf: full[..at].to_owned(), chain: full[at..].to_owned(), key }
}

#[test]
fn a_pair_is_whole_wherever_its_activation_is_killed() {
    let Some(shop) = Shop::open() else { return };
    let place = |kind: &str| shop.host.path(&format!("tls/{NAME}.{kind}"));
    let before = issued(&place("pem"), &place("key"));
    let plan = "certdeck plan issue shop-1/shop --names shop.example.test";
    let first = Act::of(&shop, plan, before);
    first.check_all();
    shop.scene.repair(Shop::ISSUE.split_once(" --yes").unwrap().0, "shop");
    let before =
        issued(&shop.store("live/shop/fullchain.pem"), &shop.store("live/shop/privkey.pem"));
    let mut again = Act::of(&shop, "certdeck plan force-renew shop-1/shop", before);
    again.check_all();
    if are_here(&["certtool"]) {
        again.check_without_openssl();
    }
}

#[test]
fn files_at_fixed_paths_are_whole_but_between_two_renames() {
    let Some(mut shop) = Shop::open() else { return };
    let place = |kind: &str| shop.host.path(&format!("tls/{NAME}.{kind}"));
    let before = issued(&place("pem"), &place("key"));
    let file = place("pem").display().to_string();
    let dir = shop.host.path("tls");
    shop.scene.tell(&format!(
        "[[host.source]]\nkind = 'pem'\npaths = ['{0}/*.pem']\nkey = '{0}/{{name}}.key'",
        dir.display()
    ));
    Act::of(&shop, &format!("certdeck plan issue shop-1/{file}"), before).check_all();
}

/// Somebody orders; the job is killed before its program of that number, and they order again.
/// Tells how many programs there were.
#[track_caller]
fn order_again(killed: Option<usize>) -> usize {
    let shop = Shop::open().unwrap();
    let (dir, limit) = (shop.host.path(""), shop.host.path("limit"));
    fs::write(&limit, format!("{}\n", killed.unwrap_or(usize::MAX >> 1))).unwrap();
    watch(&dir, &dir.join("bin"));
    let trace = || fs::read_to_string(dir.join("trace")).unwrap();
    let run = || {
        let output = shop.scene.shell(Shop::ISSUE);
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.code(), said)
    };
    let before = shop.served();
    let (code, said) = run();
    let count = trace().lines().count();
    // How often it is looked at what is served is another number each time.
    let Some(killed) = killed.filter(|it| *it <= count) else {
        assert_eq!(code, Some(0), "{said}");
        return count;
    };
    let when = format!("killed before {killed}: {}", trace().lines().last().unwrap());
    assert_eq!(code, Some(1), "{when}: {said}");
    assert!(said.contains("it was ended from outside while it ran"), "{when}: {said}");
    shop.assert_clear();
    fs::write(&limit, format!("{}\n", usize::MAX >> 1)).unwrap();
    let (code, said) = run();
    assert_eq!(code, Some(0), "{when}: {said}");
    assert!(said.contains("and is served"), "{when}: {said}");
    assert_ne!(shop.served(), before, "{when}: {said}");
    assert_eq!(shop.ca.issued().len(), 2, "{when}: {said}");
    shop.assert_clear();
    for folder in [shop.store(""), dir.join("nginx/sites")] {
        let odd = |it: &PathBuf| {
            !["pem", "conf", "current"]
                .iter()
                .any(|end| it.ends_with(end) || it.extension().is_some_and(|it| it == *end))
        };
        let left: Vec<_> = files(&folder).into_iter().filter(odd).collect();
        assert!(left.is_empty(), "{when}: {left:?}");
    }
    let verified = shop.scene.shell("certdeck audit verify");
    assert!(verified.status.success(), "{when}: {}", String::from_utf8_lossy(&verified.stdout));
    count
}

#[test]
fn whoever_comes_after_a_killed_job_comes_to_its_end() {
    if Shop::open().is_none() {
        return;
    }
    let count = order_again(None);
    let rounds = rounds(8);
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                loop {
                    let round = next.fetch_add(1, Ordering::Relaxed);
                    if round >= rounds {
                        return;
                    }
                    order_again(Some(1 + round * (count - 1) / (rounds - 1)));
                }
            });
        }
    });
}
