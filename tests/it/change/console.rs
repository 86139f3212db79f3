//! Roll-outs in the console, in a real terminal: begun on the command line, paused and gone on
//! with by keys. The CA and certbot's archives count.

use std::fs;

use super::rollout::{Crowd, Gate};
use crate::lab::wait_for;
use crate::pty::Pty;

#[test]
fn what_somebody_else_is_at_waits_and_goes_on_by_a_key() {
    let Some(it) = Crowd::new(4) else { return };
    let gate = Gate::new(&it.hosts[1]);
    let mut program = it.child(&it.whole());
    gate.wait();
    let mut console = it.console();
    console.wait_for("4 hosts");
    console.send("4");
    console.wait_for("force-renew 4   1 done, 2 running, 1 wait; ");
    console.wait_for(" is at it");
    // Leaving asks nothing: it is theirs.
    console.send("aw");
    console.wait_for("waits, as ");
    wait_for("a word of it", || it.said().contains("wants it to wait: what runs ends"));
    gate.open();
    wait_for("what runs to end", || it.said().contains("it waits, as "));
    assert_eq!(it.renewed(), [1, 1, 1, 0]);
    console.send("4");
    console.wait_for("3 done, 1 wait; waits, as ");
    console.send("aw");
    console.wait_for("it goes on: 3 done, 1 wait");
    assert_eq!(program.wait().unwrap().code(), Some(0), "{}", it.said());
    // It has ended meanwhile, of which this console has not heard.
    console.send("aw");
    console.wait_for("nobody is at it any more");
    console.wait_until("what is over to go", |it| !it.contains("force-renew 4"));
    assert_eq!(it.renewed(), [1; 4]);
    console.send("q");
    assert_eq!(console.end(), 0);
    it.assert_proven();
}

#[test]
fn what_was_left_is_gone_on_with_by_keys_once_what_runs_has_ended() {
    let Some(it) = Crowd::new(6) else { return };
    let gates = [Gate::new(&it.hosts[1]), Gate::new(&it.hosts[2])];
    let last = Gate::new(&it.hosts[3]);
    let first = it.begin(&it.whole());
    gates.iter().for_each(Gate::wait);
    drop(first);

    let mut console = it.console();
    console.wait_for("a roll-out of force-renew was left: 1 done, 2 running, 3 wait");
    console.send("4");
    console.wait_for("force-renew 6   1 done, 2 running, 3 wait; nobody is at it");
    console.send("aw");
    console.wait_for("pause: nobody is at it; a a goes on with it");
    // Read-only is no state to go on in.
    console.send(":arm 15m\r");
    console.wait_for("ARMED");
    console.send("aa");
    console.wait_for("3 of 3 chosen");
    // Nothing counts that comes faster than anybody reads.
    console.wait_until_quiet();
    console.send("force-renew 3");
    console.wait_for("waits for what still runs");
    assert_eq!(it.renewed()[3..], [0, 0, 0]);
    gates.iter().for_each(Gate::open);
    last.wait();
    assert_eq!(it.renewed()[..3], [1, 1, 1]);
    console.send("4gg");
    console.wait_for("3 done, 1 running, 2 wait");
    // The rest of what it has begun waits, too, until it is let go.
    console.send("aw");
    console.wait_for("waits, as ");
    last.open();
    console.wait_for("4 done, 2 wait; waits, as ");
    assert_eq!(it.renewed(), [1, 1, 1, 1, 0, 0]);
    console.send("aw");
    console.wait_for("force-renew 3   3 ok");
    assert!(!console.screen().contains("nobody is at it"), "{}", console.screen());
    assert_eq!(it.renewed(), [1; 6]);
    assert!(it.open().is_empty());
    console.send("q");
    assert_eq!(console.end(), 0);
    it.assert_proven();
}

impl Crowd {
    fn console(&self) -> Pty {
        fs::create_dir_all(self.lab.path("home")).unwrap();
        let command = self.lab.certdeck(&self.inventory());
        let text = |it: &std::ffi::OsStr| it.to_str().unwrap().to_owned();
        let words: Vec<_> = command.get_args().map(text).collect();
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        let environment: Vec<_> = command
            .get_envs()
            .filter_map(|(name, value)| Some((text(name), text(value?))))
            .collect();
        Pty::with(&words, &environment)
    }
}
