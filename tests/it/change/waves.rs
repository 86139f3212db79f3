//! More than one place: the canary first, and nothing more once something has failed.

use super::{Told, verified};
use crate::lab::Lab;
use crate::lab::certbot_host::CertbotHost;

#[test]
fn a_canary_that_fails_keeps_the_others_from_beginning() {
    let Some(mut lab) = Lab::new() else { return };
    let Some(one) = CertbotHost::start(&mut lab, "web-01") else { return };
    let Some(two) = CertbotHost::start(&mut lab, "web-02") else { return };
    let mut inventory = String::new();
    for host in [&one, &two] {
        host.issue("a.test", &[]);
        host.reload_on_deploy();
        inventory += &(host.inventory() + &host.endpoint("a.test"));
    }
    let bad = one.hook("deploy", "20-bad", "echo 'no such fleet' >&2; exit 3");
    let certdeck =
        |words: &[&str]| Told::new(lab.certdeck(&inventory).args(words).output().unwrap());
    let targets = ["run", "force-renew", "web-01/a.test", "web-02/a.test", "--yes"];
    certdeck(&[&targets[..], &["3"]].concat()).check(2, &["2"]);
    certdeck(&[&targets[..], &["2"]].concat()).check(1, &["no such fleet", "web-02"]);
    assert_eq!((one.versions("a.test"), two.versions("a.test")), (2, 1));
    let records = verified(&lab);
    let intents: Vec<_> = records.iter().filter(|it| it.kind() == "intent").collect();
    // That the second was not begun is on record, too.
    let endings: Vec<_> =
        records.iter().filter(|it| it.kind() == "outcome").map(|it| &it.0["ending"]).collect();
    assert_eq!(endings, ["failed", "cancelled"]);
    let op = intents[0].0["op"].as_str().unwrap().to_owned();

    assert!(!two.path("root/var/lib/certdeck").exists(), "a job was there");

    // Mended, and what has failed or was not begun is done again.
    std::fs::remove_file(bad).unwrap();
    certdeck(&["run", "force-renew", "--failed-of", &op, "--yes", "2"]).check(0, &[]);
    assert_eq!((one.versions("a.test"), two.versions("a.test")), (3, 2));
    for host in [&one, &two] {
        host.assert_whole("a.test");
        assert_eq!(host.nginx.served("a.test"), Some(host.on_disk("a.test")));
    }
    verified(&lab);
}

#[test]
fn what_was_chosen_is_chosen_again() {
    let Some(mut lab) = Lab::new() else { return };
    let Some(host) = CertbotHost::start(&mut lab, "web-01") else { return };
    host.issue("a.test", &[]);
    let (mended, ran) = (lab.path("mended"), lab.path("ran"));
    let inventory = format!(
        "{}\n[[hook]]\nname = 'picky'\nrun = 'test -e {} && touch {}'\nimpact = 'none'\n",
        host.inventory(),
        mended.display(),
        ran.display()
    );
    let certdeck =
        |words: &[&str]| Told::new(lab.certdeck(&inventory).args(words).output().unwrap());
    certdeck(&["run", "hook", "web-01/a.test", "--hook", "picky", "--yes", "1"]).check(1, &[]);
    let records = verified(&lab);
    let op = records.iter().find(|it| it.kind() == "intent").unwrap().0["op"].clone();
    std::fs::write(mended, "").unwrap();
    // Without the choice, the deploy hooks would run.
    let again = ["run", "hook", "--failed-of", op.as_str().unwrap(), "--yes", "1"];
    certdeck(&again).check(0, &["test -e"]);
    assert!(ran.exists());
}
