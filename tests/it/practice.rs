//! The practice fleet, seen from outside: by the system's ssh, as any host would be.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use certdeck::clock::Clock;
use certdeck::fleet::{Fleet, HostName, Moment, Place, Reach, Scheduler};
use certdeck::practice::{ALL, Member, Practice};
use certdeck::remote::{Sessions, Settings, Variables};
use certdeck::scan::{Progress, Scan};
use certdeck::text::SafeText;
use certdeck::wire::probe;

/// Starts a fleet on a runtime of the caller's own.
fn start(hosts: usize) -> (tokio::runtime::Runtime, Practice) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let practice =
        runtime.block_on(Practice::start(hosts, Clock::default().now(), program())).unwrap();
    (runtime, practice)
}

/// What is certbot on the hosts.
pub(crate) fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_certdeck"))
}

fn ssh(practice: &Practice, options: &[&str]) -> Command {
    let mut command = Command::new("ssh");
    command.arg("-F").arg(practice.ssh_config()).arg("-oBatchMode=yes");
    command.args(options).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs a command with that input.
fn feed(mut command: Command, input: &[u8]) -> Output {
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input));
        child.wait_with_output().unwrap()
    })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn host_of<'a>(practice: &'a Practice, scenario: &str) -> &'a Member {
    let host = ALL.iter().find(|it| it.name == scenario).unwrap().host;
    practice.hosts().iter().find(|it| it.name == host).unwrap()
}

#[track_caller]
fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn every_host_answers_as_its_scenario_says() {
    let (_runtime, practice) = start(ALL.len());
    assert_eq!(practice.hosts().len(), ALL.len());
    std::thread::scope(|scope| {
        let visits: Vec<_> = ALL
            .iter()
            .map(|kind| {
                // Long for the slow one, and long enough to see that the silent one says nothing.
                let patience = if kind.name == "silent" { 1 } else { 20 };
                let patience = format!("-oConnectTimeout={patience}");
                let command = [&patience, kind.host, "pwd && certbot --version"];
                let mut command = ssh(&practice, &command);
                scope.spawn(move || (kind, command.output().unwrap()))
            })
            .collect();
        for visit in visits {
            let (kind, output) = visit.join().unwrap();
            let (out, err) = (text(&output.stdout), text(&output.stderr));
            let root = &host_of(&practice, kind.name).root;
            match kind.name {
                "down" => assert!(err.contains("Connection refused"), "{err}"),
                "silent" => assert!(err.contains("timed out"), "{err}"),
                "stranger" => assert!(err.contains("Host key verification failed"), "{err}"),
                "hostile" => assert!(out.contains("\u{1b}]52;"), "{out}"),
                _ => {
                    let has_certbot = root.join("etc/letsencrypt").exists();
                    assert_eq!(out.ends_with("certbot 2.1.0\n"), has_certbot, "{out}{err}");
                    assert!(out.starts_with('/'), "{}: {out}{err}", kind.name);
                }
            }
        }
    });
}

#[test]
fn scripts_and_bytes_pass_unchanged() {
    let (_runtime, practice) = start(1);
    let host = practice.hosts()[0].name.as_str();

    let mut script = String::new();
    while script.len() < 100_000 {
        script.push_str("# a line that a shell has to read and may not act on\n: nothing\n");
    }
    script.push_str("head -c 1048576 /dev/zero | tr '\\0' '\\377'\necho to stderr >&2\nexit 7\n");
    let output = feed(ssh(&practice, &[host, "exec /bin/sh -s"]), script.as_bytes());
    assert_eq!(output.status.code(), Some(7), "{}", text(&output.stderr));
    assert_eq!(output.stdout.len(), 1 << 20);
    assert!(output.stdout.iter().all(|it| *it == 0xff));
    assert_eq!(text(&output.stderr), "to stderr\n");

    // More than every window and every pipe between the two ends can hold, both ways at once.
    let bytes: Vec<u8> =
        (0..12_000_000_u32).map(|it| it.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    let output = feed(ssh(&practice, &[host, "cat"]), &bytes);
    assert!(output.stdout == bytes, "{} of {} bytes", output.stdout.len(), bytes.len());
}

#[test]
fn a_host_has_its_own_home_path_and_root() {
    let (_runtime, practice) = start(1);
    let Member { name, root, .. } = &practice.hosts()[0];
    let command =
        "printf '%s\\n' \"$HOME\" \"$CERTDECK_ROOT\" \"$(command -v systemctl)\"; env | wc -l";
    let output = ssh(&practice, &["-oSendEnv=LANG", name, command]).output().unwrap();
    let out = text(&output.stdout);
    let root = root.to_str().unwrap();
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines[..3], [root, root, &format!("{root}/bin/systemctl")]);
    assert!(lines[3].trim().parse::<u32>().unwrap() < 8, "{out}");
}

#[test]
fn ends_are_told_apart() {
    let (_runtime, practice) = start(1);
    let host = practice.hosts()[0].name.as_str();
    for (command, code) in [("exit 0", 0), ("no-such-program", 127), ("kill -9 $$", 137)] {
        let output = ssh(&practice, &[host, command]).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{command}");
    }
}

#[test]
fn systemctl_tells_of_the_timer() {
    let (_runtime, practice) = start(ALL.len());
    let ask = |scenario: &str, command: &str| {
        let host = &host_of(&practice, scenario).name;
        text(&ssh(&practice, &[host, command]).output().unwrap().stdout)
    };
    let show = "systemctl show -p Id,ActiveState --property=UnitFileState certbot.timer none.timer";
    assert_eq!(
        ask("fine", show),
        "Id=certbot.timer\nActiveState=active\nUnitFileState=enabled\n\n\
         Id=none.timer\nActiveState=inactive\n"
    );
    assert_eq!(ask("timer disabled", "systemctl is-enabled certbot.timer"), "disabled\n");
    assert_eq!(
        ask("service failed", "systemctl show -pResult --value certbot.service"),
        "exit-code\n"
    );
    let next = "systemctl show --timestamp=unix -p NextElapseUSecRealtime certbot.timer";
    assert!(ask("fine", next).starts_with("NextElapseUSecRealtime=@1"), "{}", ask("fine", next));
}

#[test]
fn one_connection_carries_many_commands() {
    let (_runtime, practice) = start(1);
    let host = practice.hosts()[0].name.as_str();
    let socket = practice.folder().join("m");
    let control = format!("-oControlPath={}", socket.display());
    let master = ssh(&practice, &["-M", "-N", "-f", &control, "-oControlPersist=60", host])
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(master.success());
    let commands: Vec<_> = (0..8)
        .map(|it| {
            ssh(&practice, &[&control, host, &format!("sleep 0.1; echo {it}")]).spawn().unwrap()
        })
        .collect();
    for (number, command) in commands.into_iter().enumerate() {
        assert_eq!(text(&command.wait_with_output().unwrap().stdout), format!("{number}\n"));
    }
    // A command that reads nothing does not hold up the others.
    let mut stuck =
        ssh(&practice, &[&control, host, "sleep 600"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = stuck.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(&vec![b'x'; 8 << 20]));
    let output = ssh(&practice, &[&control, host, "echo free"]).output().unwrap();
    assert_eq!(text(&output.stdout), "free\n");
    stuck.kill().unwrap();
    stuck.wait().unwrap();
    drop(writer.join().unwrap());
    ssh(&practice, &[&control, "-O", "exit", host]).status().unwrap();
}

#[test]
fn only_the_key_of_this_run_is_let_in() {
    let (_runtime, practice) = start(1);
    let host = practice.hosts()[0].name.as_str();
    let other = practice.folder().join("other");
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(&other)
        .status()
        .unwrap();
    assert!(made.success());
    let identity = format!("-oIdentityFile={}", other.display());
    // A file given first does not keep ssh from trying the configured one as well.
    let config = fs::read_to_string(practice.ssh_config()).unwrap();
    let without: Vec<&str> = config.lines().filter(|it| !it.contains("IdentityFile")).collect();
    let path = practice.folder().join("other_config");
    fs::write(&path, without.join("\n") + "\n").unwrap();
    for options in [
        [identity.as_str(), "-oBatchMode=yes"],
        ["-oPreferredAuthentications=password,keyboard-interactive,none", "-oBatchMode=yes"],
    ] {
        let output = Command::new("ssh")
            .arg("-F")
            .arg(&path)
            .args(options)
            .args([host, "true"])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(255));
        let err = text(&output.stderr);
        assert!(err.contains("Permission denied (publickey)"), "{err}");
    }
    for request in [vec!["-s", host, "sftp"], vec!["-tt", host]] {
        let output = ssh(&practice, &request).output().unwrap();
        assert!(!output.status.success(), "{request:?}");
    }
}

#[test]
fn a_command_ends_with_its_client() {
    let (_runtime, practice) = start(1);
    let Member { name, root, .. } = &practice.hosts()[0];
    let pid_file = root.join("pid");
    let mut client = ssh(&practice, &[name, "sleep 600 & echo $! >pid.new; mv pid.new pid; wait"])
        .spawn()
        .unwrap();
    wait_until("the command runs", || pid_file.exists());
    let pid = fs::read_to_string(&pid_file).unwrap().trim().to_owned();
    assert!(is_alive(&pid));
    client.kill().unwrap();
    client.wait().unwrap();
    wait_until("the command is killed", || !is_alive(&pid));
}

#[test]
fn nothing_is_left_of_a_fleet() {
    let (_runtime, practice) = start(3);
    let Member { name, root, port } = practice.hosts()[0].clone();
    let folder = practice.folder().to_owned();
    let pid_file = root.join("pid");
    let mut client =
        ssh(&practice, &[&name, "echo $$ >pid.new; mv pid.new pid; sleep 600"]).spawn().unwrap();
    wait_until("the command runs", || pid_file.exists());
    let pid = fs::read_to_string(&pid_file).unwrap().trim().to_owned();
    drop(practice);
    assert!(!folder.exists());
    wait_until("the command is killed", || !is_alive(&pid));
    assert_eq!(client.wait().unwrap().code(), Some(255));
    wait_until("the port is closed", || std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
fn folders_of_dead_runs_are_swept() {
    let (_runtime, first) = start(1);
    let mut child = Command::new("true").spawn().unwrap();
    let dead = std::env::temp_dir().join(format!("certdeck-practice-{}-swept", child.id()));
    child.wait().unwrap();
    fs::create_dir(&dead).unwrap();
    let (_runtime, second) = start(1);
    assert!(!dead.exists());
    assert!(first.folder().exists() && second.folder().exists());
}

#[test]
fn three_hundred_hosts_start_soon_and_only_on_loopback() {
    let began = Instant::now();
    let (_runtime, practice) = start(300);
    let took = began.elapsed();
    eprintln!("300 hosts after {took:.2?}");
    assert_eq!(practice.hosts().len(), 300);
    let last = &practice.hosts().last().unwrap().name;
    let output = ssh(&practice, &[last, "echo here"]).output().unwrap();
    assert_eq!(text(&output.stdout), "here\n", "{}", text(&output.stderr));
    for (address, port) in listening() {
        if practice.hosts().iter().any(|it| it.port == port) {
            assert_eq!(address, "0100007F", "port {port}");
        }
    }
}

#[test]
fn secrets_are_for_this_user_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_runtime, practice) = start(1);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(practice.folder()), 0o700);
    assert_eq!(mode(&practice.folder().join("id_ed25519")), 0o600);
    let key = practice.hosts()[0].root.join("etc/letsencrypt/live/cdn.example.net/privkey.pem");
    assert_eq!(mode(&key), 0o600);
    assert_eq!(mode(&practice.folder().join("ca/public.key")), 0o600);
    assert_eq!(mode(&practice.folder().join("ca/public.pem")), 0o644);
}

#[test]
fn trees_are_as_certbot_writes_them() {
    let (_runtime, practice) = start(ALL.len());
    let etc = |scenario: &str| host_of(&practice, scenario).root.join("etc/letsencrypt");

    let fine = etc("fine");
    let link = fs::read_link(fine.join("live/cdn.example.net/fullchain.pem")).unwrap();
    assert_eq!(link.to_str(), Some("../../archive/cdn.example.net/fullchain3.pem"));
    let full = fs::read_to_string(fine.join("live/cdn.example.net/fullchain.pem")).unwrap();
    assert_eq!(full.matches("BEGIN CERTIFICATE").count(), 2);
    let conf = fs::read_to_string(fine.join("renewal/cdn.example.net.conf")).unwrap();
    assert!(conf.contains("authenticator = dns-rfc2136"), "{conf}");
    assert!(conf.contains(&format!("archive_dir = {}/archive/", fine.display())), "{conf}");

    let link = fs::read_link(etc("stale key").join("live/mx2.example.com/privkey.pem")).unwrap();
    assert_eq!(link.to_str(), Some("../../archive/mx2.example.com/privkey2.pem"));
    let conf =
        fs::read_to_string(etc("broken conf").join("renewal/graphql.example.com.conf")).unwrap();
    assert!(!conf.contains("\nfullchain ="), "{conf}");
    assert!(etc("duplicate").join("live/www.example.com-0001/cert.pem").exists());

    let log = |scenario: &str| {
        fs::read_to_string(
            host_of(&practice, scenario).root.join("var/log/letsencrypt/letsencrypt.log"),
        )
        .unwrap()
    };
    assert!(log("fine").contains("Congratulations, all renewals succeeded"));
    assert!(log("overdue").trim_end().ends_with("1 renew failure(s), 0 parse failure(s)"));
    assert!(log("expired").contains("NXDOMAIN"));
    assert!(log("due").contains("Could not bind TCP port 80"));

    assert!(host_of(&practice, "manual").root.join("etc/cron.d/certbot").exists());
    assert!(!host_of(&practice, "manual").root.join("run/systemd/system").exists());
}

fn is_alive(pid: &str) -> bool {
    // A zombie has ended; only its parent does not know yet.
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|it| !it.contains(") Z "))
}

/// Address and port of every IPv4 socket that listens, as the kernel prints addresses, and
/// every IPv6 one with its own address.
fn listening() -> Vec<(String, u16)> {
    ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|it| fs::read_to_string(it).ok())
        .flat_map(|table| table.lines().skip(1).map(str::to_owned).collect::<Vec<_>>())
        .filter_map(|line| {
            let mut fields = line.split_whitespace().skip(1);
            let (address, port) = fields.next()?.split_once(':')?;
            let state = fields.nth(1)?;
            let port = u16::from_str_radix(port, 16).ok()?;
            (state == "0A").then(|| (address.to_owned(), port))
        })
        .collect()
}

#[test]
fn a_scan_sees_what_every_scenario_shows() {
    let (runtime, practice) = start(ALL.len());
    let fleet = scan(&runtime, &practice);
    let diagnosis = certdeck::diagnose::diagnose(&fleet, Clock::default().now());
    let verdicts: Vec<_> =
        fleet.places().map(|it| it.0.name.as_str()).zip(&diagnosis.places).collect();
    let seen = |scenario: &str| {
        let name = host_of(&practice, scenario).name.as_str();
        if let Reach::Down(it) = &fleet.host(&HostName::new(name)).unwrap().reach {
            return format!("{:?}", it.why);
        }
        let here = verdicts.iter().filter(|it| it.0 == name);
        here.map(|it| it.1.word()).collect::<Vec<_>>().join(" ")
    };
    // One word for each place, in the order of their names.
    let expected = [
        ("fine", "ok ok"),
        ("overdue", "overdue ok"),
        ("expired", "expired ok"),
        ("due", "due automation"),
        ("45 days", "ok ok"),
        ("silent", "TimedOut"),
        ("6 days", "automation automation"),
        ("hostile", "unknown automation"),
        ("timer disabled", "automation automation"),
        ("staging", "staging ok"),
        ("private CA", "ok ok"),
        ("down", "Refused"),
        ("hook not executable", "automation"),
        ("stale key", "ok key"),
        ("no intermediate", "ok chain"),
        ("slow", "ok"),
        ("service failed", "automation ok"),
        ("duplicate", "ok ok"),
        ("broken conf", "automation ok"),
        ("not yet valid", "clock ok"),
        ("stranger", "UnknownKey"),
        ("clock off", "clock"),
        ("manual", "automation ok"),
        ("rsa", "ok ok ok"),
        ("not reloaded", "ok unloaded"),
        ("hook failed", "unloaded"),
        ("moved back", "unloaded"),
        ("other lineage", "ok unloaded"),
        ("name not covered", "name"),
        ("emergency", "ok automation"),
        ("expired intermediate", "chain"),
        ("other address", "drift"),
        ("origin", "ok"),
        ("balancer", "drift"),
        ("node 1", "ok"),
        ("node 2", "ok"),
        ("node 3", "ok"),
        ("node missed", "drift"),
        ("node 5", "ok"),
    ];
    let found: Vec<_> = ALL.iter().map(|it| (it.name, seen(it.name))).collect();
    let found: Vec<_> = found.iter().map(|it| (it.0, it.1.as_str())).collect();
    assert_eq!(found, expected);

    // What the system of a host says comes from its folder, not from this machine.
    let host = |scenario| fleet.host(&HostName::new(&host_of(&practice, scenario).name)).unwrap();
    let schedule = &host("manual").automation[0].schedule;
    assert_eq!(schedule.scheduler, Scheduler::Cron);
    assert_eq!(schedule.triggers[0].name.as_str(), "/etc/cron.d/certbot:5");
    assert!(schedule.triggers[0].is_armed);
    let timer = &host("service failed").automation[0].schedule.triggers[0];
    assert_eq!(timer.result.as_ref().unwrap().as_str(), "exit-code");
    // The hosts that were meant, and not one server of this machine.
    let [nginx] = host("node 1").servers.as_slice() else { panic!("{:?}", host("node 1").servers) };
    assert_eq!(nginx.unit.as_ref().unwrap(), "nginx.service");
    let root = &host_of(&practice, "node 1").root;
    assert_eq!(nginx.program.as_ref().unwrap().as_str(), root.join("bin/nginx").to_str().unwrap());
    assert_eq!(nginx.sites[0].names, [SafeText::new("static.example.net")]);
    assert!(host("private CA").servers.is_empty());
    assert!((172_780..=172_820).contains(&host("clock off").clock_offset.unwrap()));
}

#[test]
fn time_can_be_any() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let now = Moment::parse("2031-05-06T07:08:09Z").unwrap();
    let practice = runtime.block_on(Practice::start(1, now, program())).unwrap();
    let host = practice.hosts()[0].name.as_str();
    let output = ssh(&practice, &[host, "date -u +%Y-%m-%dT%H"]).output().unwrap();
    assert_eq!(text(&output.stdout), "2031-05-06T07\n");
    let log = practice.hosts()[0].root.join("var/log/letsencrypt/letsencrypt.log");
    assert!(fs::read_to_string(log).unwrap().contains("\n2031-05-06 01:51:01"));
}

fn sessions(practice: &Practice) -> Arc<Sessions> {
    Sessions::open(Settings {
        runtime_dir: practice.folder().join("run"),
        ssh_config: Some(practice.ssh_config().to_owned()),
        keep_warm: 0,
        variables: Variables::default(),
    })
    .unwrap()
}

/// Reads every host of a fleet once.
pub(crate) fn scan(runtime: &tokio::runtime::Runtime, practice: &Practice) -> Fleet {
    let (inventory, complaints) = certdeck::inventory::read(practice.inventory_text());
    assert!(complaints.is_empty(), "{complaints:?}");
    let inventory = Arc::new(inventory);
    let sessions = sessions(practice);
    let mut fleet = inventory.fleet();
    let hosts = inventory.hosts.iter().map(|it| it.name.clone()).collect();
    runtime.block_on(async {
        let mut scan =
            Scan::start(inventory, Arc::clone(&sessions), &fleet, hosts, Clock::default());
        while let Some(progress) = scan.next().await {
            if let Progress::Ended(visit) = progress {
                fleet.apply(visit);
            }
        }
        sessions.close().await;
    });
    fleet
}

/// What a command on a host printed, on stdout and then on stderr, and its exit code.
fn on(practice: &Practice, scenario: &str, command: &str) -> (String, Option<i32>) {
    let output = ssh(practice, &[&host_of(practice, scenario).name, command]).output().unwrap();
    (text(&output.stdout) + &text(&output.stderr), output.status.code())
}

/// certbot as jobs start it.
fn renew(name: &str, more: &str) -> String {
    format!("certbot renew -n --no-random-sleep-on-renew --cert-name {name} {more}")
}

#[test]
fn renewals_end_as_their_scenarios_say_and_a_scan_sees_it() {
    let (runtime, practice) = start(ALL.len());
    let before = scan(&runtime, &practice);
    let cases = [
        ("fine", "www.example.net", "--force-renewal", 0, "Congratulations, all renewals"),
        ("rsa", "old.example.com", "--force-renewal", 0, "Congratulations, all renewals"),
        ("rsa", "shop.example.de", "--force-renewal", 1, "down for maintenance"),
        ("rsa", "shop.example.de", "--dry-run", 0, "all simulated renewals succeeded"),
        ("fine", "cdn.example.net", "", 0, "Certificate not yet due for renewal"),
        ("due", "smtp.example.com", "", 0, "Congratulations, all renewals"),
        ("overdue", "api.example.net", "", 1, "  Type:   unauthorized"),
        ("expired", "legacy.example.org", "", 1, "NXDOMAIN looking up A for legacy"),
        ("service failed", "jobs.example.com", "", 1, "  Type:   connection"),
        (
            "duplicate",
            "www.example.com",
            "--force-renewal",
            1,
            "too many certificates (5) already \
            issued for this exact set of identifiers in the last 168h0m0s, retry after 20",
        ),
        ("timer disabled", "docs.example.com", "--dry-run", 1, "docs.example.com/.well-known/"),
        ("45 days", "pay.example.sg", "--force-renewal", 0, "'deploy-hook' reported error code 1"),
        ("hook not executable", "app.example.com", "--force-renewal", 0, "all renewals succeeded"),
        ("manual", "build.example.net", "--force-renewal", 1, "--manual-auth-hook when using"),
        ("manual", "git.example.net", "--force-renewal", 0, "Congratulations, all renewals"),
        ("broken conf", "graphql.example.com", "", 1, "0 renew failure(s), 1 parse failure(s)"),
        ("stale key", "mx2.example.com", "", 0, "Found a new certificate /archive/"),
        ("fine", "none.example.net", "", 1, "No certificate found with name none.example.net"),
        ("fine", "../../../x", "", 1, "No certificate found with name ../../../x"),
        ("hostile", "guest.example.net", "", 1, "\u{1b}[2J"),
    ];
    // What is on one host comes one after the other: certbot has a lock.
    std::thread::scope(|scope| {
        for scenario in ALL {
            let here: Vec<_> = cases.iter().filter(|it| it.0 == scenario.name).collect();
            let practice = &practice;
            scope.spawn(move || {
                for (_, lineage, more, code, expect) in here {
                    let (out, ended) = on(practice, scenario.name, &renew(lineage, more));
                    assert_eq!(ended, Some(*code), "{lineage}: {out}");
                    assert!(out.contains(expect), "{lineage}: {out}");
                }
            });
        }
    });

    let after = scan(&runtime, &practice);
    let place = |fleet: &Fleet, lineage: &str| {
        let (_, place) = fleet.places().find(|it| it.1.name.as_str() == lineage).unwrap();
        place.clone()
    };
    for (lineage, versions) in [
        ("www.example.net", 1),
        ("old.example.com", 1),
        ("smtp.example.com", 1),
        ("pay.example.sg", 1),
        ("app.example.com", 1),
        ("cdn.example.net", 0),
        ("shop.example.de", 0),
        ("api.example.net", 0),
        ("www.example.com", 0),
    ] {
        let (before, after) = (place(&before, lineage), place(&after, lineage));
        assert_eq!(after.versions.len(), before.versions.len() + versions, "{lineage}");
        // What is on disk: that nobody told nginx is another matter.
        let disk = |it: &Place| it.layers.disk.as_ref().unwrap().chain.leaf.clone();
        let (old, new) = (disk(&before), disk(&after));
        assert_eq!(after.key_matches(), Some(true), "{lineage}");
        assert_eq!(new.spki_sha256 != old.spki_sha256, versions > 0, "{lineage}");
        assert_eq!(new.not_after > old.not_after, versions > 0, "{lineage}");
        assert_eq!(new.names, old.names);
        let life = |it: &certdeck::fleet::Certificate| it.not_after.since(it.not_before);
        assert_eq!(life(&new), life(&old), "{lineage}");
    }
    let failure =
        |lineage: &str| place(&after, lineage).last_failure().map(|it| it.text.as_str().to_owned());
    assert_eq!(failure("smtp.example.com"), None);
    assert!(failure("api.example.net").unwrap().contains("unauthorized: 192.0.2.44"));
    assert!(failure("pay.example.sg").unwrap().contains("deploy-hook failed with exit code 1"));
    assert!(failure("www.example.com").unwrap().contains("too many certificates (5)"));
    assert_eq!(failure("docs.example.com"), None, "a dry run is no failure");
    assert_eq!(place(&after, "mx2.example.com").key_matches(), Some(true));
}

#[test]
fn new_lineages_can_be_ordered() {
    let (runtime, practice) = start(ALL.len());
    let webroot = "certbot certonly -n --agree-tos -m ops@example.net --webroot -w /var/www/html";
    let dns = "certbot certonly -n --dns-rfc2136 --dns-rfc2136-credentials /etc/letsencrypt/d.ini";
    let cases = [
        (format!("{webroot} --cert-name new -d new.example.net -d b.example.net"), 0, "/live/new/"),
        (format!("{webroot} --cert-name new"), 0, "not yet due for renewal; no action taken"),
        (format!("{webroot} --cert-name new -d new.example.net"), 0, "Renewing an existing cert"),
        (format!("{webroot} -d '*.example.net'"), 1, "does not support any combination"),
        ("certbot certonly -n --webroot -w /none -d a.example.net".into(), 1, "/none does not exi"),
        (format!("{dns} -d '*.wild.example.net' --key-type rsa"), 0, "/live/wild.example.net/"),
        (format!("{dns} --dry-run -d '*.dry.example.net'"), 0, "The dry run was successful."),
        ("certbot certonly -n --standalone -d a.example.net".into(), 1, "Could not bind TCP port"),
        (
            "certbot certonly -n --dns-rfc2136 -d a.example.net --server \
          https://acme.rehearsal.example/directory"
                .into(),
            1,
            "You should register before",
        ),
        ("certbot certonly -n -d a.example.net".into(), 1, "Could not choose appropriate plugin"),
        ("certbot renew --run-deploy-hooks".into(), 2, "unrecognized arguments: --run-deploy-ho"),
    ];
    for (command, code, expect) in cases {
        let (out, ended) = on(&practice, "not yet valid", &command);
        assert_eq!(ended, Some(code), "{command}: {out}");
        assert!(out.contains(expect), "{command}: {out}");
    }
    let fleet = scan(&runtime, &practice);
    let place = |name: &str| fleet.places().find(|it| it.1.name.as_str() == name).unwrap().1;
    let names: Vec<_> = place("new").leaf().unwrap().names.iter().map(SafeText::as_str).collect();
    assert_eq!((names, place("new").versions.len()), (vec!["new.example.net"], 2));
    let wild = place("wild.example.net");
    assert_eq!(wild.leaf().unwrap().key.to_string(), "rsa-2048");
    assert_eq!(wild.renewal.as_ref().unwrap().authenticator.as_ref().unwrap(), "dns-rfc2136");
    let (out, _) = on(&practice, "not yet valid", "certbot certificates");
    assert!(out.contains("  Certificate Name: new\n") && out.contains("(VALID: 89 days)"), "{out}");
}

#[test]
fn hooks_run_in_certbots_order_with_its_environment() {
    let (_runtime, practice) = start(1);
    let root = &practice.hosts()[0].root;
    let setup = "cd etc/letsencrypt && for kind in pre post; do
        printf '#!/bin/sh\\necho %s\\n' $kind >renewal-hooks/$kind/1.sh
        chmod +x renewal-hooks/$kind/1.sh; done
        printf '#!/bin/sh\\necho \"$RENEWED_LINEAGE\"; echo \"$RENEWED_DOMAINS\" >&2; exit 7\\n' \
            >renewal-hooks/deploy/1.sh
        chmod +x renewal-hooks/deploy/1.sh; rm renewal-hooks/deploy/10*
        sed -i 's/^key_type/renew_hook = echo from conf\\n&/' renewal/www.example.net.conf";
    assert_eq!(on(&practice, "fine", setup).1, Some(0));
    let command = renew("www.example.net", "--force-renewal");
    let output = ssh(&practice, &[&practice.hosts()[0].name, &command]).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let live = root.join("etc/letsencrypt/live/www.example.net");
    let out = text(&output.stdout);
    let told: Vec<_> = out.lines().filter(|it| it.starts_with([' ', 'H', 'R'])).collect();
    assert_eq!(
        told,
        [
            "Hook 'pre-hook' ran with output:",
            " pre",
            "Renewing an existing certificate for www.example.net and example.net",
            "Hook 'deploy-hook' ran with output:",
            &format!(" {}", live.display()),
            "Hook 'deploy-hook' ran with output:",
            " from conf",
            &format!("  {}/fullchain.pem (success)", live.display()),
            "Hook 'post-hook' ran with output:",
            " post",
        ]
    );
    let err = text(&output.stderr);
    let expect = "Hook 'deploy-hook' reported error code 7\nHook 'deploy-hook' ran with error \
        output:\n www.example.net example.net\n";
    assert!(err.ends_with(expect), "{err}");
    let (out, _) = on(&practice, "fine", &renew("www.example.net", "--dry-run"));
    assert!(out.contains("Hook 'pre-hook'") && !out.contains("deploy-hook"), "{out}");
}

#[test]
fn one_certbot_runs_at_a_time() {
    let (_runtime, practice) = start(1);
    let slow = format!(
        "printf '#!/bin/sh\\ntouch ran; sleep 600\\n' >etc/letsencrypt/renewal-hooks/deploy/2.sh; \
         chmod +x etc/letsencrypt/renewal-hooks/deploy/2.sh; {}",
        renew("www.example.net", "--force-renewal")
    );
    let mut first = ssh(&practice, &[&practice.hosts()[0].name, &slow]).spawn().unwrap();
    let ran = practice.hosts()[0].root.join("ran");
    wait_until("the hook runs", || ran.exists());
    let (out, code) = on(&practice, "fine", "certbot renew -n");
    assert!(out.starts_with("Another instance of Certbot is already running.\n"), "{out}");
    assert_eq!(code, Some(1));
    first.kill().unwrap();
    first.wait().unwrap();
    let (out, code) = on(&practice, "fine", "certbot renew -n");
    assert_eq!(code, Some(0), "{out}");
}

#[test]
fn certbot_of_a_practice_host_works_nowhere_else() {
    let (_runtime, practice) = start(1);
    let other = tempfile::tempdir().unwrap();
    let path = other.path().display();
    for option in ["--config-dir", "--work-dir", "--logs-dir"] {
        let (out, code) = on(&practice, "fine", &format!("certbot renew -n {option} {path}"));
        assert!(out.contains(&format!("Permission denied: '{path}'")), "{out}");
        assert_eq!(code, Some(1));
    }
    let link = format!("ln -s {path} away && certbot renew -n --config-dir $CERTDECK_ROOT/away");
    assert_eq!(on(&practice, "fine", &link).1, Some(1));
    let output = Command::new(program())
        .args(["practice-certbot", other.path().to_str().unwrap(), "0", "renew"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert_eq!(fs::read_dir(other.path()).unwrap().count(), 0);
    // What goes to the machine's own log or services elsewhere stays in the folder here.
    let (out, _) = on(&practice, "fine", "logger -t certdeck done && cat var/log/syslog");
    assert!(out.ends_with("-t certdeck done\n"), "{out}");
}

#[test]
fn a_timer_can_be_enabled() {
    let (runtime, practice) = start(ALL.len());
    let (out, code) = on(
        &practice,
        "timer disabled",
        "systemctl enable --now certbot.timer && systemctl is-active certbot.timer",
    );
    assert_eq!(code, Some(0), "{out}");
    assert!(out.starts_with("active\nCreated symlink /etc/systemd/system/timers.target"), "{out}");
    let fleet = scan(&runtime, &practice);
    let trigger = |scenario: &str| {
        let name = HostName::new(&host_of(&practice, scenario).name);
        fleet.host(&name).unwrap().automation[0].schedule.triggers[0].clone()
    };
    let timer = trigger("timer disabled");
    assert!(timer.is_armed && timer.next > Some(Clock::default().now()), "{timer:?}");
    // Units are the same file on many hosts until they differ.
    let disabled = "systemctl disable --now certbot.timer; systemctl is-enabled certbot.timer";
    assert!(on(&practice, "fine", disabled).0.starts_with("disabled\n"));
    assert_eq!(on(&practice, "rsa", "systemctl is-enabled certbot.timer").0, "enabled\n");
    assert_eq!(on(&practice, "fine", "systemctl restart postfix").1, Some(5));
    assert_eq!(on(&practice, "due", "systemctl restart postfix").1, Some(0));
    let (out, code) = on(&practice, "45 days", "systemctl reload nginx");
    assert!(out.contains("Job for nginx.service failed"), "{out}");
    assert_eq!(code, Some(1));
    assert_eq!(on(&practice, "manual", "systemctl reload nginx").1, Some(1));
    assert_eq!(on(&practice, "private CA", "systemctl reload nginx").1, Some(127));
}

#[test]
fn a_reload_decides_what_is_served() {
    let (runtime, practice) = start(5);
    let (inventory, _) = certdeck::inventory::read(practice.inventory_text());
    let sessions = sessions(&practice);
    let served = |scenario: &str| {
        let name = host_of(&practice, scenario).name.as_str();
        let host = inventory.hosts.iter().find(|it| it.name.as_str() == name).unwrap();
        let now = Clock::default().now();
        let probes = probe(&sessions, host, &[], &host.endpoints[0], now);
        runtime.block_on(probes)[0].served.clone().unwrap().leaf.clone()
    };
    for (scenario, lineage, is_reloaded) in
        [("fine", "www.example.net", true), ("45 days", "pay.example.sg", false)]
    {
        let before = served(scenario);
        assert!(before.names.iter().any(|it| it.as_str() == lineage), "{:?}", before.names);
        assert_eq!(on(&practice, scenario, &renew(lineage, "--force-renewal")).1, Some(0));
        assert_eq!(served(scenario) != before, is_reloaded, "{scenario}");
    }
    // Once the site of the lineage that is gone is gone as well, nginx takes what there is.
    let before = served("45 days");
    let repair = "rm etc/nginx/sites-enabled/old.conf; systemctl reload nginx";
    assert_eq!(on(&practice, "45 days", repair).1, Some(0));
    assert_ne!(served("45 days"), before);
    // No other port of this machine can be reached through a host.
    let port = practice.hosts()[1].port.to_string();
    for target in [format!("127.0.0.1:{port}"), "192.0.2.1:443".into()] {
        let output = ssh(&practice, &["-W", &target, "edge-fra-1"]).output().unwrap();
        assert!(!output.status.success() && output.stdout.is_empty(), "{target}");
    }
    runtime.block_on(sessions.close());
}

#[test]
fn what_is_detached_outlives_its_connection_and_not_the_fleet() {
    let (_runtime, practice) = start(2);
    let folder = practice.folder().to_owned();
    let detach = "setsid sh -c 'trap : HUP; echo $$ >pid.new; mv pid.new pid; while :; do sleep \
        0.05; date >>log; done' </dev/null >/dev/null 2>&1 &";
    let Member { name, root, .. } = &practice.hosts()[0];
    assert!(ssh(&practice, &[name, detach]).status().unwrap().success());
    wait_until("the job runs", || root.join("pid").exists());
    let pid = fs::read_to_string(root.join("pid")).unwrap().trim().to_owned();
    let length = || fs::metadata(root.join("log")).map_or(0, |it| it.len());
    let before = length();
    wait_until("it runs on without a connection", || length() > before + 100);
    assert!(is_alive(&pid));
    drop(practice);
    wait_until("the job is ended", || !is_alive(&pid));
    assert!(!folder.exists());
}

#[test]
fn the_readme_counts_the_hosts_and_names_only_those_there_are() {
    let readme = fs::read_to_string("README.md").unwrap();
    assert!(readme.contains(&format!("a practice fleet: {} SSH servers", ALL.len())));
    let table = readme.split("what is wrong there").nth(1).unwrap().split("\n\n").next().unwrap();
    let rows: Vec<_> = table.lines().skip(2).filter_map(|it| it.split('|').nth(1)).collect();
    assert!(rows.len() > 15, "{table}");
    for host in rows.iter().flat_map(|it| it.split('`').skip(1).step_by(2)) {
        let is_host = ALL.iter().any(|it| it.host == host) || host == "5";
        assert!(is_host, "no scenario has the host {host}");
    }
}

#[test]
fn nothing_is_said_of_a_healthy_crowd() {
    let (runtime, practice) = start(ALL.len() + 50);
    let fleet = scan(&runtime, &practice);
    let diagnosis = certdeck::diagnose::diagnose(&fleet, Clock::default().now());
    let crowd: Vec<_> = practice.hosts()[ALL.len()..].iter().map(|it| it.name.as_str()).collect();
    let reached = |name: &&str| fleet.host(&HostName::new(name)).unwrap().reach == Reach::Up;
    let up = crowd.iter().filter(|it| reached(it)).count();
    // In a hundred, two are down and two are due: 7, 23.
    assert_eq!(up, 49);
    let found: Vec<_> =
        diagnosis.findings.iter().filter(|it| crowd.contains(&it.host.as_str())).collect();
    let rules: Vec<_> = found.iter().map(|it| it.rule).collect();
    assert_eq!(rules, ["unreachable", "due"], "{found:#?}");
    for name in ["fine", "slow", "rsa", "node 1", "node 2", "node 3", "node 5"] {
        let host = host_of(&practice, name).name.as_str();
        let found: Vec<_> =
            diagnosis.findings.iter().filter(|it| it.host.as_str() == host).collect();
        assert!(found.is_empty(), "{found:#?}");
    }
}

#[test]
fn nginx_refuses_what_it_cannot_load() {
    let (_runtime, practice) = start(ALL.len());
    let check = |scenario: &str, command: &str, code: i32, expect: &str| {
        let (out, ended) = on(&practice, scenario, command);
        assert_eq!(ended, Some(code), "{command}: {out}");
        assert!(out.contains(expect), "{command}: {out}");
    };
    check("fine", "nginx -t", 0, "test is successful\n");
    check("fine", "nginx -q -c etc/nginx/nginx.conf -g 'daemon on;' -t", 0, "syntax is ok");
    check("stale key", "nginx -s reload", 1, "key values mismatch)\nnginx: configuration file");
    check("45 days", "nginx -t", 1, "No such file or directory:calling fopen(");
    let live = "etc/letsencrypt/live/www.example.net";
    let break_it = |file: &str| format!("rm {live}/{file}.pem; : >{live}/{file}.pem; nginx -t");
    check("fine", &break_it("fullchain"), 1, "Expecting: TRUSTED CERTIFICATE)");
    let mend = format!("cp {live}/cert.pem {live}/fullchain.pem");
    check("fine", &format!("{mend}; nginx -t"), 0, "test is successful");
    check("fine", &break_it("privkey"), 1, "Expecting: ANY PRIVATE KEY)");
    check("node 1", "echo 'server {' >>etc/nginx/sites-enabled/x; nginx -t", 1, "unexpected end");
    check("rsa", "nginx -s stop", 1, "can only be tested and reloaded");
    check("rsa", "nginx -x", 1, "invalid option: \"-x\"");
    // Nothing of the machine is ever loaded or written.
    let other = tempfile::tempdir().unwrap();
    let output = Command::new(program())
        .args(["practice-nginx", other.path().to_str().unwrap(), "-s", "reload"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(fs::read_dir(other.path()).unwrap().count(), 0);
}
