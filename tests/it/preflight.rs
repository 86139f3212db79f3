//! What is said before an order, held against a real host, a real web server, a real name server
//! and a real CA, each of which is wrong in one way at a time.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use serde_json::Value;

use crate::dns::Named;
use crate::lab::certbot_host::CertbotHost;
use crate::lab::{Lab, are_here, free_port, wait_for};
use crate::truth::node;

/// A host with the lineage `www.a.test`, ordered by certbot over HTTP, and the name server of
/// `a.test`.
struct World {
    web: CertbotHost,
    names: Named,
    /// The resolver, if it is another one.
    resolver: Option<Named>,
    /// More lines for the inventory, before the host.
    more: String,
    /// Last, so that what is in it ends first.
    lab: Lab,
}

/// The zone: each name is wrong in its own way.
const ZONE: &str = "@ 60 SOA ns1 admin 7 2 1 3600 1\n@ 60 NS ns1\nns1 60 A 127.0.0.1\n\
    www 60 A 127.0.0.1\nother 60 A 127.0.0.1\nloop 60 A 127.0.0.1\ntls 60 A 127.0.0.1\n\
    alias 60 CNAME www\nbad6 60 A 127.0.0.1\nbad6 60 AAAA 2001:db8::dead\n\
    closed 60 A 127.0.0.9\nhangs 60 A 127.0.0.8\nbare 60 TXT \"x\"\n\
    caa 60 A 127.0.0.1\ncaa 60 CAA 0 issue \"other.test\"\n\
    caa2 60 A 127.0.0.1\ncaa2 60 CAA 0 issue \"ca.test; accounturi=https://ca.test/acct/99\"\n\
    caa3 60 A 127.0.0.1\ncaa3 60 CAA 0 issue \"ca.test; validationmethods=dns-01\"\n";

impl World {
    fn new() -> Option<Self> {
        if !are_here(&["named", "curl"]) {
            return None;
        }
        let zone = |name: &str, file: &str| {
            format!(
                "zone \"{name}\" {{ type primary; file \"{file}\"; notify no; \
                 update-policy {{ grant acme zonesub TXT; }}; }};\n"
            )
        };
        let key = format!(
            "key \"acme\" {{ algorithm hmac-sha256; secret \"{}\"; }};\n",
            crate::dns::SECRET
        );
        // A zone whose file is not there is refused with SERVFAIL.
        let config =
            [key, zone("a.test", "a.test.zone"), zone("broken.test", "gone.zone")].concat();
        // So that nothing above them is asked for in vain.
        let config = config + &zone("test", "test.zone");
        let top = "@ 60 SOA ns1 admin 1 2 1 3600 1\n@ 60 NS ns1\nns1 60 A 127.0.0.1\n";
        let names = Named::start(&config, &[("a.test", ZONE), ("test", top)])?;
        let mut lab = Lab::new()?;
        let web = CertbotHost::start(&mut lab, "web-01")?;
        node::machine(&web.path(""));
        node::found(&web.path(""), &web.path("nginx"));
        node::timer(&web.path(""));
        web.issue("www.a.test", &[]);
        Some(Self { web, names, resolver: None, more: String::new(), lab })
    }

    fn inventory(&self) -> String {
        let port = self.resolver.as_ref().unwrap_or(&self.names).port;
        let (ca, http_port) = (&self.web.ca, self.web.nginx.http_port);
        let mut text = format!(
            "[defaults]\nresolvers = ['127.0.0.1:{port}']\n[[issuer]]\nname = 'lab'\n\
             directory = '{}'\nroots = ['{}']\nhttp-port = {http_port}\n",
            ca.directory(),
            ca.trust().display(),
        );
        if !self.more.contains("[[dns]]") {
            text += &self.dns("acme-secret", crate::dns::SECRET);
        }
        write!(text, "{}{}", self.more, self.web.inventory()).unwrap();
        text
    }

    /// A `[[dns]]` of the inventory with that secret.
    fn dns(&self, file: &str, secret: &str) -> String {
        let path = self.lab.path(file);
        fs::write(&path, secret).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let port = self.names.port;
        format!(
            "[[dns]]\nname = 'zone'\nkind = 'rfc2136'\nzones = ['a.test']\n\
             server = '127.0.0.1:{port}'\nnameservers = ['127.0.0.1:{port}']\n\
             key-name = 'acme'\nsecret-file = '{}'\n",
            path.display()
        )
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = self.lab.certdeck(&self.inventory());
        command.arg("preflight").args(words);
        command
    }

    /// Checks the lineage, or other names of it.
    #[track_caller]
    fn check(&self, words: &[&str]) -> Checked {
        let words = [&["web-01/www.a.test", "--format", "json"], words].concat();
        let output = self.command(&words).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {said}"));
        Checked { code: output.status.code().unwrap(), value, said }
    }

    #[track_caller]
    fn named(&self, names: &str) -> Checked {
        self.check(&["--names", names])
    }

    /// A program of the host's own.
    fn program(&self, name: &str, text: &str) {
        let path = self.web.path(&format!("bin/{name}"));
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Everything below the folder of challenges of the host.
    fn placed(&self) -> Vec<PathBuf> {
        let folder = self.web.nginx.webroot().join(".well-known/acme-challenge");
        let files = fs::read_dir(folder).into_iter().flatten().flatten();
        files.map(|it| it.path()).collect()
    }

    fn audit(&self) -> String {
        let folder = self.lab.path("state/audit");
        let files = fs::read_dir(folder).unwrap().flatten().map(|it| it.path());
        let files = files.filter(|it| it.extension().is_some_and(|it| it == "jsonl"));
        files.map(|it| fs::read_to_string(it).unwrap()).collect()
    }
}

/// What was said.
struct Checked {
    code: i32,
    value: Value,
    said: String,
}

impl Checked {
    fn one(&self, name: &str) -> &Value {
        let checks = self.value["targets"][0]["checks"].as_array().unwrap();
        checks
            .iter()
            .find(|it| it["name"] == name)
            .unwrap_or_else(|| panic!("no {name}: {checks:#?}"))
    }

    /// Stops with an assertion unless a check ends so, and says that somewhere.
    #[track_caller]
    fn is(&self, name: &str, outcome: &str, words: &str) {
        let one = self.one(name);
        let told = one.to_string();
        assert_eq!(one["outcome"], outcome, "{told}\n{}", self.said);
        assert!(told.contains(words), "no `{words}` in {told}");
    }
}

#[test]
fn what_is_well_is_said_to_be() {
    let Some(world) = World::new() else { return };
    let good = world.check(&[]);
    good.is("addresses", "ok", "www.a.test leads to 127.0.0.1, web-01");
    good.is("authorities", "ok", "says 127.0.0.1 for www.a.test, serial 7");
    good.is("http", "ok", "from here: it is found");
    good.is("http", "ok", "from web-01 itself: it is found");
    good.is("dnssec", "ok", "not signed");
    good.is("dns-01", "not-needed", "no name is proven by a record");
    good.is("ca", "ok", "gives nonces");
    good.is("account", "ok", &format!("https://localhost:{}/my-account/", world.web.ca.port));
    good.is("hooks", "not-needed", "it has no hooks");
    good.is("automation", "ok", "certbot.timer starts certbot");
    for name in ["authenticator", "clock", "disk", "lock", "webserver"] {
        good.is(name, "ok", "");
    }
    assert!(good.code == 0, "{}: {:#}", good.code, good.value);
    assert_eq!(world.placed(), Vec::<PathBuf>::new());
    // What was placed is on record, and its name is not.
    let log = world.audit();
    assert!(log.contains("\"action\":\"preflight\""), "{log}");
    assert!(log.contains("\"sha256\""), "{log}");
    assert!(!log.contains("certdeck-") || !log.contains(".well-known"), "{log}");
    let orders = world.lab.path("state/orders");
    assert_eq!(fs::read_dir(orders).map_or(0, Iterator::count), 0);

    // A domain name and the text for people.
    let output = world.command(&["www.a.test"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.starts_with("web-01/www.a.test: www.a.test; ordered by certbot from"), "{text}");
    let unknown = world.command(&["nobody.a.test"]).output().unwrap();
    assert_eq!(unknown.status.code(), Some(2));
}

#[test]
fn other_hosts_look_and_other_servers_are_asked_too() {
    let Some(mut world) = World::new() else { return };
    let folder = world.lab.path("web-02");
    node::machine(&folder);
    let sshd = world.lab.sshd(&format!("SetEnv CERTDECK_ROOT={}/root", folder.display()));
    let nobody = free_port();
    let dns = world.dns("acme-secret", crate::dns::SECRET);
    let port = world.names.port;
    let both = format!("nameservers = ['127.0.0.1:{port}', '127.0.0.1:{nobody}']");
    world.more = dns.replace(&format!("nameservers = ['127.0.0.1:{port}']"), &both);
    write!(world.more, "[[host]]\nname = 'web-02'\naddress = '127.0.0.1'\nport = {}\n", sshd.port)
        .unwrap();
    let seen = world.check(&[]);
    seen.is("http", "ok", "from web-02: it is found");
    seen.is("authorities", "warning", &format!("127.0.0.1:{nobody} cannot be reached"));
    seen.is("authorities", "warning", "CAs look from several places (MPIC)");
    assert_eq!(seen.code, 0, "{:#}", seen.value);
}

#[test]
fn names_that_lead_astray_are_told_apart() {
    let Some(world) = World::new() else { return };
    let bad = world.named("bad6.a.test");
    bad.is("addresses", "failed", "2001:db8::dead: no known address of a host");
    bad.is("addresses", "failed", "remove the AAAA record 2001:db8::dead of bad6.a.test");
    assert_eq!(bad.code, 1);

    let gone = world.named("www.a.test,gone.a.test");
    gone.is("addresses", "failed", "gone.a.test: there is no such name (NXDOMAIN)");
    gone.is("addresses", "failed", "--names www.a.test ");
    gone.is("http", "unknown", "no address is known here");

    let bare = world.named("bare.a.test");
    bare.is("addresses", "failed", "neither an A nor an AAAA record");

    let broken = world.named("www.broken.test");
    broken.is("addresses", "failed", "the resolver answers SERVFAIL");
    broken.is("caa", "failed", "SERVFAIL");

    let alias = world.named("alias.a.test");
    alias.is("addresses", "ok", "leads by www.a.test to 127.0.0.1");
}

/// The zone is not signed, and the resolver was told by which key it should be.
#[test]
fn signatures_that_do_not_hold_are_told() {
    let Some(mut world) = World::new() else { return };
    world.resolver = world.names.resolver(KEY);
    let broken = world.check(&[]);
    broken.is("dnssec", "failed", "SERVFAIL with the check of signatures, an answer without");
    broken.is("addresses", "failed", "the resolver answers SERVFAIL");
    broken.is("authorities", "ok", "");
}

#[test]
fn what_stands_at_port_80_is_told_apart() {
    let Some(world) = World::new() else { return };
    let nginx = &world.web.nginx;
    let (port, tls) = (nginx.http_port, nginx.tls_port);
    let elsewhere = world.web.path("elsewhere");
    fs::create_dir_all(&elsewhere).unwrap();
    let pair = rcgen::generate_simple_self_signed(vec!["nobody.test".to_owned()]).unwrap();
    let [chain, key] = ["tls.pem", "tls.key"].map(|it| world.web.path(it));
    fs::write(&chain, pair.cert.pem()).unwrap();
    fs::write(&key, pair.signing_key.serialize_pem()).unwrap();
    let (webroot, elsewhere) = (nginx.webroot(), elsewhere.display());
    let listen = format!("listen 127.0.0.1:{port}");
    nginx.configure(
        "odd",
        &format!(
            "server {{ {listen}; server_name other.a.test; root {elsewhere}; }}\n\
             server {{ {listen}; server_name loop.a.test; \
               return 301 http://loop.a.test:{port}$request_uri; }}\n\
             server {{ {listen}; server_name tls.a.test; \
               return 301 https://tls.a.test:{tls}$request_uri; }}\n\
             server {{ listen 127.0.0.1:{tls} ssl; server_name tls.a.test; root {}; \
               ssl_certificate {}; ssl_certificate_key {}; }}\n",
            webroot.display(),
            chain.display(),
            key.display(),
        ),
    );
    wait_for("the sites", || {
        let host = format!("Host: loop.a.test:{port}");
        let url = format!("http://127.0.0.1:{port}/");
        let told = Command::new("curl").args(["-s", "-i", "-H", &host, &url]).output().unwrap();
        String::from_utf8_lossy(&told.stdout).contains("301")
    });
    let other = world.named("other.a.test");
    other.is("http", "failed", "answers 404, says nginx");
    other.is("http", "failed", "set `webroot`");
    let round = world.named("loop.a.test");
    round.is("http", "failed", "leads on and on, more than 10 times");
    // The certificate there is self-signed and of another name, which no CA looks at.
    let tls = world.named("tls.a.test");
    tls.is("http", "ok", "by https://tls.a.test:");
    let closed = world.named("closed.a.test");
    closed.is("http", "failed", &format!("nobody listens at port {port}"));
    assert_eq!(world.placed(), Vec::<PathBuf>::new());
}

#[test]
fn zones_that_forbid_are_told_with_the_record_that_allows() {
    let Some(mut world) = World::new() else { return };
    // Pebble does not say what it is called.
    let (directory, _serving) = authority(|path| {
        if path == "/dir" {
            let base = "{\"newNonce\":\"BASE/nonce\",\"newAccount\":\"BASE/a\",\"newOrder\":\"BASE/o\",\
                        \"meta\":{\"caaIdentities\":[\"ca.test\"]}}";
            ("200 OK", String::new(), base.to_owned())
        } else {
            ("200 OK", "Replay-Nonce: abc\r\n".to_owned(), String::new())
        }
    });
    world.more = format!("[[issuer]]\nname = 'named'\ndirectory = '{directory}'\n");
    let conf = world.web.path("le/renewal/www.a.test.conf");
    let text = fs::read_to_string(&conf).unwrap();
    let server = world.web.ca.directory();
    fs::write(&conf, text.replace(&server, &directory)).unwrap();

    let by_issuer = world.named("caa.a.test");
    by_issuer.is("caa", "failed", "publish `caa.a.test. CAA 0 issue \\\"ca.test\\\"`");
    let account = world.named("caa2.a.test");
    let url = format!("https://localhost:{}/my-account/", world.web.ca.port);
    account.is("caa", "failed", &format!("ca.test; accounturi={url}"));
    let method = world.named("caa3.a.test");
    method.is("caa", "failed", "CAA 0 issue \\\"ca.test; validationmethods=http-01\\\"");
    let free = world.named("www.a.test");
    free.is("caa", "ok", "no CAA record");
}

#[test]
fn a_ca_that_is_away_or_busy_is_told() {
    let Some(mut world) = World::new() else { return };
    world.web.ca.stop();
    let away = world.check(&[]);
    away.is("ca", "failed", "cannot be reached");
    away.is("ca", "failed", "from web-01, where its client orders");
    away.is("addresses", "ok", "");
    assert_eq!(away.code, 1);

    let (directory, _serving) =
        authority(|_| ("429 Too Many", "Retry-After: 4000\r\n".to_owned(), "{}".to_owned()));
    let conf = world.web.path("le/renewal/www.a.test.conf");
    let text = fs::read_to_string(&conf).unwrap();
    fs::write(&conf, text.replace(&world.web.ca.directory(), &directory)).unwrap();
    world.check(&[]).is("ca", "failed", "asks to be left alone until");
}

/// Hosts and CAs that several certificates share.
#[test]
fn what_is_shared_is_looked_at_once() {
    let Some(world) = World::new() else { return };
    let looks = world.lab.path("looks");
    let count = format!("#!/bin/sh\necho \"$*\" >> '{}'\nexec /bin/date \"$@\"\n", looks.display());
    world.program("date", &count);
    let looked = |targets: &[&str]| {
        fs::write(&looks, "").unwrap();
        let before = world.web.ca.directories();
        let rest = ["--names", "www.a.test", "--by", "certdeck", "--format", "json"];
        let output = world.command(&[targets, &rest[..]].concat()).output().unwrap();
        let value: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(value["targets"].as_array().unwrap().len(), targets.len(), "{value}");
        // Every script asks for the time at its beginning.
        let scripts = fs::read_to_string(&looks).unwrap().matches("%z").count();
        (scripts, world.web.ca.directories() - before)
    };
    // The first look at a host that nobody has looked at is one more.
    looked(&["web-01/one"]);
    let (one, of_one) = looked(&["web-01/one"]);
    let (three, of_three) = looked(&["web-01/one", "web-01/two", "web-01/three"]);
    let checks = one - 1;
    assert_eq!(three, 3 * checks + 1, "{one} scripts for one, {three} for three");
    assert_eq!((of_one, of_three), (1, 1));
}

#[test]
fn a_host_that_is_not_ready_is_told() {
    let Some(world) = World::new() else { return };
    world.program("date", "#!/bin/sh\nexec /bin/date -d \"@$(($(/bin/date +%s) + 90))\" \"$@\"\n");
    let late = world.check(&[]);
    late.is("clock", "failed", "ahead of that of this machine");
    late.is("clock", "failed", "certdeck run sync-clock web-01");
    fs::remove_file(world.web.path("bin/date")).unwrap();

    world.program("df", "#!/bin/sh\necho Filesystem; echo '/dev/x 100000 99990 10 100% /'\n");
    world.check(&[]).is("disk", "failed", "10 KiB are free");
    fs::remove_file(world.web.path("bin/df")).unwrap();

    let hook = world.web.hook("deploy", "10-x", "exit 0");
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o644)).unwrap();
    world.check(&[]).is("hooks", "warning", "passed over without a word");

    world.web.nginx.configure("wrong", "server { listen nonsense nonsense; }\n");
    world.check(&[]).is("webserver", "failed", "nonsense");

    let _holder = hold(&world.web.path("le/.certbot.lock"));
    let held = world.check(&[]);
    held.is("lock", "failed", ".certbot.lock is held by process");
    held.is("lock", "failed", "python3");
}

#[test]
fn a_record_is_tried_where_it_proves_a_name() {
    let Some(mut world) = World::new() else { return };
    let of_new = |world: &World| {
        let by = ["--by", "certdeck", "--format", "json"];
        let words = [&["web-01/new", "--names", "*.a.test"], &by[..]].concat();
        let output = world.command(&words).output().unwrap();
        let value: Value = serde_json::from_slice(&output.stdout).unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        Checked { code: output.status.code().unwrap(), value, said }
    };
    let good = of_new(&world);
    good.is("dns-01", "ok", "shows the record (1 of 1 answer)");
    good.is("addresses", "not-needed", "");
    good.is("http", "not-needed", "");
    // Another key of that name: it is refused before anything is written.
    world.more = world.dns("dead-secret", "YW5vdGhlci1zZWNyZXQtb2YtdGhpcy10ZXN0LTMyLWI=");
    let dead = of_new(&world);
    dead.is("dns-01", "failed", "BADSIG");
    assert_eq!(dead.code, 1);
    let records = Command::new("dig")
        .args(["@127.0.0.1", "-p", &world.names.port.to_string(), "+short", "TXT"])
        .arg("_acme-challenge.a.test")
        .output()
        .unwrap();
    assert!(!String::from_utf8_lossy(&records.stdout).contains("certdeck-probe"));
    let orders = world.lab.path("state/orders");
    assert_eq!(fs::read_dir(orders).map_or(0, Iterator::count), 0);
}

#[test]
fn nothing_is_placed_where_nothing_may_be() {
    let Some(mut world) = World::new() else { return };
    let looked = world.check(&["--read-only"]);
    looked.is("http", "unknown", "no file was placed: --read-only");
    assert_eq!(looked.code, 3, "{:#}", looked.value);
    assert!(!world.audit().contains("\"action\":\"preflight\""));
    let host = world.web.inventory();
    world.more = format!(
        "[[group]]\nname = 'frozen'\nprotect = 'read-only'\n{}",
        host.replace("\n[[host.source]]", "\ngroups = ['frozen']\n[[host.source]]")
            .replace("name = 'web-01'", "name = 'web-02'")
    );
    let output = world.command(&["web-02/www.a.test", "--format", "json"]).output().unwrap();
    let value = serde_json::from_slice(&output.stdout).unwrap();
    let guarded = Checked { code: 3, value, said: String::new() };
    guarded.is("http", "unknown", "no file was placed: the group frozen is read-only");
    assert!(!world.audit().contains("\"action\":\"preflight\""));
}

#[test]
fn a_file_goes_also_after_the_program_was_killed() {
    let Some(world) = World::new() else { return };
    let port = world.web.nginx.http_port;
    // A server that takes connections and never says anything.
    let _mute = TcpListener::bind(("127.0.0.8", port)).unwrap();
    let mut child = world
        .command(&["web-01/www.a.test", "--names", "hangs.a.test"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_for("the file", || !world.placed().is_empty());
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!world.placed().is_empty());
    // Whoever comes next takes it away, whatever they came for.
    world.check(&[]).is("http", "ok", "");
    assert_eq!(world.placed(), Vec::<PathBuf>::new());
    assert!(world.audit().contains("remove-challenges"));

    // Who is asked to end takes it away at once.
    let mut child = world
        .command(&["web-01/www.a.test", "--names", "hangs.a.test"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_for("the file", || !world.placed().is_empty());
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(world.placed(), Vec::<PathBuf>::new());
}

/// Nobody answers for the names of the practice fleet, and nobody is asked for them.
#[cfg(feature = "practice")]
#[test]
fn in_practice_nothing_is_made_up() {
    let serve = crate::serve::Serve::start(&[]);
    let output = serve.certdeck(&["preflight", "blog.example.com", "--format", "json"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let value = serde_json::from_slice(&output.stdout).unwrap_or_else(|it| panic!("{it}: {said}"));
    let told = Checked { code: output.status.code().unwrap(), value, said };
    told.is("addresses", "unknown", "127.0.0.1:53");
    told.is("ca", "unknown", "kept for examples");
    told.is("webserver", "ok", "");
    told.is("account", "ok", "");
    assert_eq!(told.code, 3, "{:#}", told.value);
}

/// A CA of which nobody orders: what its paths answer with, `BASE` in it being its own address.
fn authority(
    answer: impl Fn(&str) -> (&'static str, String, String) + Send + 'static,
) -> (String, thread::JoinHandle<()>) {
    let listener = TcpListener::bind(("127.0.0.1", free_port())).unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let directory = format!("{base}/dir");
    // It ends with the tests.
    let serving = thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let Some(Ok(first)) = lines.next() else { continue };
            while lines.next().is_some_and(|it| it.is_ok_and(|it| !it.is_empty())) {}
            let path = first.split(' ').nth(1).unwrap_or_default();
            let (status, headers, body) = answer(path);
            let body = body.replace("BASE", &base);
            let length = body.len();
            let text = format!(
                "HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            );
            stream.write_all(text.as_bytes()).ok();
        }
    });
    (directory, serving)
}

/// Some public key of ECDSA on P-256, as a DNSKEY record has it.
const KEY: &str =
    "XK4IINJPuDqpz5qABXh0sSrpQcRimn0ATEkdDuyMYyrGKd048RvXtbJc9TgOs9vrERNOLm5D/NWJp3usmN8N1Q==";

/// A process that holds a lock, until it is dropped.
struct Holder(Child);

impl Drop for Holder {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Holds the lock of a certbot, as another run would.
fn hold(path: &Path) -> Holder {
    let program = "import fcntl, sys\nf = open(sys.argv[1], 'w')\nfcntl.lockf(f, fcntl.LOCK_EX)\n\
                   print('held', flush=True)\nsys.stdin.read()";
    let mut child = Command::new("python3")
        .args(["-c", program])
        .arg(path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut held = [0; 4];
    child.stdout.as_mut().unwrap().read_exact(&mut held).unwrap();
    assert_eq!(&held, b"held");
    Holder(child)
}
