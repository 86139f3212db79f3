//! The printed unit, judged by systemd itself.

use std::fs;

use crate::lab::are_here;
use crate::serve::Home;

#[test]
fn the_unit_is_hardened() {
    if !are_here(&["systemd-analyze"]) {
        return;
    }
    let home = Home::new();
    for (name, way) in [
        ("http", &["--listen", "127.0.0.1:9117"][..]),
        ("file", &["--textfile", "/var/lib/node_exporter/certdeck.prom", "group=prod"]),
    ] {
        let printed = home.certdeck(&[&["export", "--unit"], way].concat());
        assert!(printed.status.success() && printed.stderr.is_empty(), "{printed:?}");
        let file = format!("certdeck-{name}.service");
        fs::write(home.path().join(&file), &printed.stdout).unwrap();
        let analyze = |arguments: &[&str]| {
            let mut command = home.command("systemd-analyze");
            let output = command.args(arguments).arg(&file).output().unwrap();
            let text = [output.stdout, output.stderr].concat();
            (output.status.success(), String::from_utf8(text).unwrap())
        };
        let (is_fine, said) = analyze(&["security", "--offline=true", "--threshold=15"]);
        assert!(is_fine, "{said}");
        let (_, said) = analyze(&["verify", "--man=no"]);
        // It is not installed here, and so is no program.
        let complaints: Vec<_> = said.lines().filter(|it| it.contains(&file)).collect();
        assert!(complaints.iter().all(|it| it.contains("is not executable")), "{said}");
    }
}
