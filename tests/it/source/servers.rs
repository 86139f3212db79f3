//! Real servers on loopback, and what is read of them by every shell.

use std::fmt::Write as _;
use std::fs;
use std::net::TcpStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use certdeck::fleet::{Load, Problem, ProblemKind, Seen, Server, Site};
use rustix::process::{Pid, Signal, kill_process_group};

use super::tree::{Authority, Tree, answer, host, shells, visit};
use crate::lab::nginx::{self, Nginx};
use crate::lab::{are_here, free_port, wait_for};

/// Reads with every shell and gives what all of them saw of the server with that configuration.
#[track_caller]
fn look(source: &str, conf: &str) -> (Seen, Server) {
    let mut all: Vec<_> = shells()
        .iter()
        .map(|it| {
            let seen = visit(it, source, &host());
            let of = |it: &&Server| it.conf == *conf;
            let server = seen.servers.iter().find(of).cloned();
            (server.unwrap_or_else(|| panic!("{it:?}: {seen:#?}")), seen)
        })
        .collect();
    let (first, seen) = all.remove(0);
    for (mut other, _) in all {
        // A worker may have come between the two.
        other.read_by = first.read_by;
        assert_eq!(format!("{first:#?}"), format!("{other:#?}"));
    }
    (seen, first)
}

fn texts<T: ToString>(all: impl IntoIterator<Item = T>) -> Vec<String> {
    all.into_iter().map(|it| it.to_string()).collect()
}

#[test]
fn what_a_running_nginx_loads_is_read() {
    if !are_here(&[nginx::NGINX]) {
        return;
    }
    let tree = Tree::new();
    let authority = Authority::new();
    let nginx = Nginx::start(&tree.path("web"));
    for name in ["a.test", "b.test"] {
        let issued = authority.issue(&[name]);
        tree.lineage(name, &issued);
        let file = |kind| tree.path(&format!("le/live/{name}/{kind}.pem"));
        nginx.serve(name, &file("fullchain"), &file("privkey"));
    }
    let (seen, server) = look("kind = 'servers'\n", &tree.text("web/nginx.conf"));

    assert_eq!((server.kind, server.problems.as_slice()), ("nginx", &[][..]));
    assert_eq!(server.program.as_ref().unwrap().as_str(), "/usr/sbin/nginx");
    assert_eq!(server.args[..2], ["-p", &*tree.text("web")]);
    let pid = fs::read_to_string(tree.path("web/pid")).unwrap();
    assert_eq!(server.pid.unwrap().to_string(), pid.trim());
    assert_eq!(server.sites.len(), 2);
    for (site, name) in server.sites.iter().zip(["a.test", "b.test"]) {
        let listens: Vec<_> = site.listens.iter().map(|it| (it.address, it.port)).collect();
        assert_eq!(listens, [("127.0.0.1".parse().unwrap(), nginx.tls_port)]);
        let load = &site.loads[0];
        let live = |kind| tree.text(&format!("le/live/{name}/{kind}.pem"));
        assert_eq!(texts(&site.names), [name]);
        assert_eq!(load.certificate.as_str(), live("fullchain"));
        assert_eq!(load.key.as_ref().unwrap().as_str(), live("privkey"));
        assert_eq!(load.told_at.as_str(), tree.text(&format!("web/sites/{name}.conf:1")));
        let loaded = seen.loaded.iter().find(|it| it.path == load.certificate).unwrap();
        assert_eq!(texts(&loaded.chain.as_ref().unwrap().leaf.names), [name]);
        let changed = loaded.changed.unwrap();
        assert!(changed.since(server.read_by.unwrap()).abs() < 60, "{server:?} {changed:?}");
    }
    let listens = |port| seen.listeners.iter().any(|it| it.port == port);
    assert!(listens(nginx.tls_port) && listens(nginx.http_port));
    assert!(seen.addresses.contains(&"127.0.0.1".parse().unwrap()));
    assert!(seen.machine.is_some());
}

/// A server in the foreground, with all its processes, until it is dropped.
struct Running(Child);

impl Running {
    #[track_caller]
    fn start(program: &[&str], port: u16) -> Self {
        let child = Command::new(program[0])
            .args(&program[1..])
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let running = Self(child);
        wait_for(program[0], || TcpStream::connect(("127.0.0.1", port)).is_ok());
        running
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let group = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw);
        if let Some(group) = group {
            let _ = kill_process_group(group, Signal::KILL);
        }
        drop(self.0.wait());
    }
}

/// Every site as one line: names, ports, certificates, where that is told.
fn lines(server: &Server, tree: &Tree) -> Vec<String> {
    let line = |site: &Site| {
        let ports = texts(site.listens.iter().map(|it| format!("{}:{}", it.address, it.port)));
        let load = |it: &Load| {
            let more = [&it.key, &it.chain].into_iter().flatten();
            let files = [&it.certificate].into_iter().chain(more);
            format!("{} at {}", texts(files).join("+"), it.told_at)
        };
        let loads: Vec<_> = site.loads.iter().map(load).collect();
        format!("{} | {} | {}", texts(&site.names).join(" "), ports.join(" "), loads.join(", "))
            .replace(&tree.text(""), "")
    };
    server.sites.iter().map(line).collect()
}

#[test]
fn what_a_running_apache_loads_is_read() {
    if !are_here(&["apache2"]) {
        return;
    }
    let tree = Tree::new();
    let authority = Authority::new();
    let (one, two) = (authority.issue(&["a.test"]), authority.issue(&["b.test"]));
    tree.write("tls/a.pem", &one.cert);
    tree.write("tls/a.key", &one.key);
    tree.write("tls/chain.pem", &one.chain);
    tree.write("tls/b full.pem", two.fullchain());
    tree.write("tls/b.key", &two.key);
    let (root, port, other) = (tree.text("etc"), free_port(), free_port());
    let modules = "/usr/lib/apache2/modules";
    tree.write("etc/envvars", "export APACHE_RUN_USER=www-data$SUFFIX\nexport SECRET=s3cret\n");
    tree.write(
        "etc/apache2.conf",
        format!(
            "# Include nothing.conf\nPidFile {root}/pid\nErrorLog {root}/error.log\n\
             DefaultRuntimeDir {root}\nServerName here.test\nDefine TLS {}\n\
             IncludeOptional mods/*.load\nInclude ports.conf\nIncludeOptional none/*.conf\n\
             IncludeOptional \"sites/*.conf\"\n",
            tree.text("tls"),
        ),
    );
    tree.write(
        "etc/mods/all.load",
        format!(
            "LoadModule mpm_event_module {modules}/mod_mpm_event.so\n\
             LoadModule authz_core_module {modules}/mod_authz_core.so\n\
             LoadModule ssl_module {modules}/mod_ssl.so\n"
        ),
    );
    tree.write(
        "etc/ports.conf",
        format!(
            "<IfModule ssl_module>\n\tListen 127.0.0.1:{port}\n</IfModule>\n\
             <IfModule mod_gnutls.c>\n\tListen 1\n</IfModule>\nListen 127.0.0.1:{other}\n"
        ),
    );
    tree.write(
        "etc/sites/a.conf",
        format!(
            "<VirtualHost *:{port}>\n\
             ServerName https://a.test:{port}\n  ServerAlias www.a.test \\\n    *.a.test\n\
             sslengine ON\nSSLCertificateFile \"${{TLS}}/a.pem\"\n\
             SSLCertificateKeyFile ${{TLS}}/a.key\nSSLCertificateChainFile ${{TLS}}/chain.pem\n\
             <Directory /srv>\nRequire all denied\n</Directory>\n</VirtualHost>\n\
             <VirtualHost *:{other}>\nServerName plain.test\n</VirtualHost>\n"
        ),
    );
    tree.write(
        "etc/sites/b.conf",
        format!(
            "<IfDefine FOREGROUND>\n<VirtualHost _default_:{port}>\nServerName b.test\n\
             SSLEngine on\nInclude snippet.inc\n</VirtualHost>\n</IfDefine>\n\
             <IfDefine NEVER>\n<VirtualHost *:{port}>\nSSLEngine on\n\
             SSLCertificateFile /none.pem\n</VirtualHost>\n</IfDefine>\n"
        ),
    );
    tree.write(
        "etc/snippet.inc",
        "SSLCertificateFile '../tls/b full.pem'\nSSLCertificateKeyFile ../tls/b.key\n",
    );
    let conf = format!("{root}/apache2.conf");
    let _apache = Running::start(&["apache2", "-d", &root, "-f", &conf, "-D", "FOREGROUND"], port);
    let (seen, server) = look("kind = 'servers'\n", &conf);
    assert_eq!((server.kind, server.problems.as_slice()), ("apache", &[][..]));
    let expect = [
        format!(
            "a.test www.a.test *.a.test | 127.0.0.1:{port} | \
             tls/a.pem+tls/a.key+tls/chain.pem at etc/sites/a.conf:6"
        ),
        format!(
            "b.test | 127.0.0.1:{port} | \
             etc/../tls/b full.pem+etc/../tls/b.key at etc/snippet.inc:1"
        ),
    ];
    assert_eq!(lines(&server, &tree), expect);
    let chain = |path: &str| {
        let loaded = seen.loaded.iter().find(|it| it.path == *path).unwrap();
        loaded.chain.as_ref().unwrap().rest.len()
    };
    assert_eq!(chain(&tree.text("tls/a.pem")), 1);
    assert_eq!(chain(&tree.text("etc/../tls/b full.pem")), 1);
    let (answer, _) = answer(&["sh"], "kind = 'servers'\n", &host());
    assert!(!String::from_utf8_lossy(&answer).contains("s3cret"));
}

#[test]
fn what_a_running_haproxy_loads_is_read() {
    if !are_here(&["haproxy"]) {
        return;
    }
    let tree = Tree::new();
    let authority = Authority::new();
    let issue = |name: &str, path: &str| {
        let issued = authority.issue(&[name]);
        tree.write(path, issued.fullchain() + &issued.key);
        issued
    };
    let key = issue("a.test", "tls/a.pem").key;
    issue("c.test", "tls/all/c.pem");
    issue("d.test", "tls/all/d");
    issue("e.test", "tls/e.pem.ecdsa");
    issue("f.test", "tls/f.pem");
    let (root, port, other) = (tree.text("tls"), free_port(), free_port());
    tree.write("list.txt", "# one a line\nf.pem [alpn h2] *.f.test !x.f.test f.test\ne.pem\n");
    tree.write(
        "etc/10-global.cfg",
        format!(
            "global\n\tcrt-base {root}\n\tssl-default-bind-options no-tlsv10\n\
             userlist x\n\tuser admin insecure-password s3cret\n"
        ),
    );
    tree.write(
        "etc/20-front.cfg",
        format!(
            "defaults\n mode http\n timeout connect 1s\n timeout client 1s\n timeout server 1s\n\
             frontend x # bind :1 ssl crt none.pem\n\
             \tbind 127.0.0.1:{port} ssl crt a.pem crt \"{root}/all\" alpn h2,http/1.1\n\
             \tbind 127.0.0.1:{other} ssl crt a.pem crt-list {}\n",
            tree.text("list.txt"),
        ),
    );
    let (conf, folder) = (tree.text("etc/10-global.cfg"), tree.text("etc"));
    let _haproxy = Running::start(&["haproxy", "-W", "-db", "-f", &folder], port);
    let (seen, server) = look("kind = 'servers'\n", &conf);
    assert_eq!((server.kind, server.problems.as_slice()), ("haproxy", &[][..]));
    let front = "etc/20-front.cfg";
    let (here, there) = (format!("127.0.0.1:{port}"), format!("127.0.0.1:{other}"));
    let expect = [
        format!("a.test | {here} {there} | tls/a.pem at {front}:7"),
        format!("c.test | {here} | tls/all/c.pem at {front}:7"),
        format!("d.test | {here} | tls/all/d at {front}:7"),
        format!("*.f.test f.test | {there} | tls/f.pem at list.txt:2"),
        format!("e.test | {there} | tls/e.pem.ecdsa at list.txt:3"),
    ];
    assert_eq!(lines(&server, &tree), expect);
    assert!(seen.loaded.iter().filter(|it| it.path.as_str().starts_with(&root)).count() == 5);
    let secret = key.lines().nth(1).unwrap().as_bytes();
    for shell in shells() {
        let (answer, _) = answer(&shell, "kind = 'servers'\n", &host());
        for part in secret[48..64].windows(12).chain([b"s3cret".as_slice()]) {
            assert!(!answer.windows(part.len()).any(|it| it == part), "{shell:?}");
        }
    }
}

/// A configuration of nginx that the inventory tells of, with no process.
fn told(tree: &Tree) -> String {
    format!("kind = 'servers'\nnginx-conf = ['{}']\n", tree.text("etc/nginx.conf"))
}

#[test]
fn what_is_not_there_or_goes_round_is_told() {
    let tree = Tree::new();
    let issued = Authority::new().issue(&["a.test"]);
    tree.write("etc/good.pem", issued.fullchain());
    tree.write("etc/key.pem", &issued.key);
    tree.link("etc/broken.pem", "nowhere.pem");
    tree.write(
        "etc/nginx.conf",
        "events {}\nhttp {\n  include round.conf;\n  include absent.conf;\n  include absent/*.conf;\n\
         server {\n  listen 443 ssl; ssl_certificate good.pem; ssl_certificate_key key.pem;\n\
         ssl_certificate gone.pem; ssl_certificate broken.pem; ssl_certificate key.pem;\n\
         ssl_certificate $ssl_server_name.pem; ssl_certificate etc; }\n}\n",
    );
    tree.write("etc/round.conf", "include round.conf;\ninclude ./round.conf;\n");
    let (seen, server) = look(&told(&tree), &tree.text("etc/nginx.conf"));
    assert_eq!((server.pid, server.sites.len()), (None, 1));
    let problems: Vec<_> = server.problems.iter().map(|it| it.text.as_str()).collect();
    let is_told = |text: &str| problems.iter().any(|it| it.ends_with(text));
    assert!(is_told("etc/absent.conf is missing"), "{problems:?}");
    assert!(is_told("etc/round.conf includes itself"), "{problems:?}");
    let loaded = |name: &str| {
        let path = tree.text(&format!("etc/{name}"));
        let loaded = seen.loaded.iter().find(|it| it.path == *path).unwrap();
        loaded.chain.as_ref().map(|it| it.rest.len()).map_err(|it| it.kind)
    };
    assert_eq!(loaded("good.pem"), Ok(1));
    assert_eq!(loaded("gone.pem"), Err(ProblemKind::Missing));
    assert_eq!(loaded("broken.pem"), Err(ProblemKind::BrokenLink));
    assert_eq!(loaded("key.pem"), Err(ProblemKind::BadCertificate));
    assert_eq!(server.sites[0].loads.len(), 5);
}

/// The user `nobody` for one command, if this is root.
const NOBODY: [&str; 4] = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];

#[test]
fn what_may_not_be_read_is_not_missing() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let tree = Tree::new();
    tree.chmod("", 0o755);
    let issued = Authority::new().issue(&["a.test"]);
    tree.lineage("a.test", &issued);
    tree.write("open/all/a.pem", issued.fullchain());
    tree.link("open/linked.pem", "../le/archive/a.test/fullchain1.pem");
    let live = tree.text("le/live/a.test/fullchain.pem");
    tree.write(
        "etc/nginx.conf",
        format!(
            "events {{}}\nhttp {{ include sites/*.conf; include sites/a.conf; server {{\n\
             listen 443 ssl; ssl_certificate {live}; ssl_certificate {}; }} }}\n",
            tree.text("open/linked.pem"),
        ),
    );
    tree.write("etc/sites/a.conf", "");
    for closed in ["le", "etc/sites"] {
        tree.chmod(closed, 0o700);
    }
    for shell in shells() {
        let seen = visit(&[&NOBODY[..], &shell].concat(), &told(&tree), &host());
        let server = seen.servers.iter().find(|it| it.conf == *tree.text("etc/nginx.conf"));
        let kinds = |all: &[Problem]| all.iter().map(|it| it.kind).collect::<Vec<_>>();
        let unreadable = ProblemKind::Unreadable;
        let sites = tree.text("etc/sites");
        let closed =
            seen.problems.iter().find(|it| it.path.as_ref().is_some_and(|it| *it == *sites));
        assert_eq!(closed.unwrap().kind, unreadable, "{shell:?}");
        assert_eq!(kinds(&server.unwrap().problems), [unreadable], "{shell:?} {server:?}");
        let loaded = |path: &str| {
            let loaded = seen.loaded.iter().find(|it| it.path == *path);
            loaded.unwrap().chain.as_ref().unwrap_err().kind
        };
        assert_eq!(loaded(&live), unreadable, "{shell:?}");
        assert_eq!(loaded(&tree.text("open/linked.pem")), unreadable, "{shell:?}");
    }
}

/// What has to do with TLS arrives whole, however it is written; the words around it stay there.
#[test]
fn secrets_of_a_configuration_stay_on_the_host() {
    let tree = Tree::new();
    let key = Authority::new().issue(&["a.test"]).key;
    tree.write("etc/key.pem", &key);
    let secret = "a1b2c3d4e5f6";
    tree.write(
        "etc/nginx.conf",
        format!(
            "http {{\n include key.pem; # }}\n log_format x '{secret} {{ '\n  \"; # }} {secret}\";\n\
             server {{\n  proxy_set_header Authorization \"Bearer {secret}\"; # ssl\n\
             server_name a.test\n    b.test # a comment {{\n    \"c.test\"\n    ;\n\
             auth_basic_user_file /{secret};\n  rewrite \"^/{secret}{{1,2}}$\" /x;\n\
             set $token '{secret}'; location /x {{ return 200 \"{secret} }} \"; }}\n\
             map $x ${{y}} {{ ~*{secret}\"x 1;\n include /absent.map; }}\n\
             access_by_lua_block {{\n   local t = \"{secret} }}\"\n  }}\n\
             listen\n   443\n   ssl;\n  ssl_certificate\n  'x y.pem'\n;\n}}\n}}\n"
        ),
    );
    tree.write(
        "etc/httpd.conf",
        format!(
            "Include key.pem\nSetEnv TOKEN {secret}\nListen 443\n<Location /x>\n\
             RequestHeader set X {secret} \\\n ServerName {secret}\n</Location>\n\
             <VirtualHost *:443>\nServerName a.test\nServerAlias b.test \\\n  c.test\n\
             SSLEngine on\nSSLCertificateFile \"x y.pem\"\n</VirtualHost>\n"
        ),
    );
    tree.write(
        "etc/haproxy.cfg",
        format!(
            "global\n setenv TOKEN {secret}\nuserlist x\n user u password {secret}\n\
             frontend x\n http-request set-header X {secret}\n\
             bind :443 ssl crt \"x y.pem\" crt-list key.pem\n"
        ),
    );
    let mut source = "kind = 'servers'\n".to_owned();
    for (kind, file) in
        [("nginx", "nginx.conf"), ("apache", "httpd.conf"), ("haproxy", "haproxy.cfg")]
    {
        writeln!(source, "{kind}-conf = ['{}']", tree.text(&format!("etc/{file}"))).unwrap();
    }
    let mut kept = key.lines().filter(|it| !it.starts_with('-')).collect::<Vec<_>>();
    kept.push(secret);
    for shell in shells() {
        let (answer, _) = answer(&shell, &source, &host());
        let answer = String::from_utf8_lossy(&answer);
        for secret in &kept {
            assert!(!answer.contains(secret), "{shell:?}: {answer}");
        }
    }
    for (file, names) in [
        ("nginx.conf", "a.test b.test c.test"),
        ("httpd.conf", "a.test b.test c.test"),
        ("haproxy.cfg", ""),
    ] {
        let (_, server) = look(&source, &tree.text(&format!("etc/{file}")));
        let told: Vec<_> = lines(&server, &tree).into_iter().take(1).collect();
        let told = told.concat();
        let expect = format!("{names} | 0.0.0.0:443 | etc/x y.pem at etc/{file}:");
        assert!(told.starts_with(&expect), "{told} {server:?}");
    }
}

/// systemd gives a namespace of mounts to every unit with `PrivateTmp=`: Debian's Apache has it.
#[test]
fn a_server_with_mounts_of_its_own_is_found() {
    if !are_here(&[nginx::NGINX]) || !rustix::process::geteuid().is_root() {
        return;
    }
    let tree = Tree::new();
    let (dir, port) = (tree.text("web"), free_port());
    let log = format!("{dir}/error.log");
    tree.write("web/error.log", "");
    let conf = format!(
        "daemon off;\nuser root;\npid {dir}/pid;\nevents {{}}\nhttp {{\n\
         access_log off; client_body_temp_path {dir}/1; proxy_temp_path {dir}/2;\n\
         fastcgi_temp_path {dir}/3; uwsgi_temp_path {dir}/4; scgi_temp_path {dir}/5;\n\
         server {{ listen 127.0.0.1:{port}; }} }}\n"
    );
    tree.write("web/nginx.conf", conf);
    let conf = format!("{dir}/nginx.conf");
    let program = ["unshare", "-m", nginx::NGINX, "-p", &dir, "-c", &conf, "-e", &log];
    let _nginx = Running::start(&program, port);
    let (_, server) = look("kind = 'servers'\n", &conf);
    assert_eq!((server.kind, server.sites.len()), ("nginx", 0));
}
