//! The host, beyond what a scan reads of it.

use std::time::Duration;

use uuid::Uuid;

use crate::action;
use crate::fleet::{NeedKind, NeedState, is_example};
use crate::job::State;
use crate::perform::{Tools, jobs};
use crate::preflight::host::{Ask, Sight};
use crate::preflight::{Case, Client, Found, Proven};
use crate::remote::Limits;
use crate::source::{self, Nonce};
use crate::text::SafeText;

pub(super) async fn look(case: &Case, tools: &Tools) -> Found<Sight> {
    let ask = ask(case);
    let nonce = Nonce::new(Uuid::new_v4().into_bytes());
    let limits = Limits { time: PATIENCE, cap: ANSWER_CAP };
    let script = ask.script(&nonce);
    let (answer, listed) = tokio::join!(
        tools.sessions.visit(&case.told, &script, limits),
        jobs::list(&tools.sessions, &case.told),
    );
    let answer = answer.map_err(|it| it.unreached(&case.told).text)?;
    let read = ask.read(&answer.bytes, &nonce);
    let mut sight = read.map_err(|it| SafeText::new(&format!("{}: {it}", case.told.name)))?;
    let listed = listed.map_err(|it| it.text)?;
    let running = listed.into_iter().map(|it| it.status);
    let running = running.filter(|it| matches!(it.state, State::Running | State::Starting));
    sight.jobs = running.map(|it| (it.title, it.who, it.began)).collect();
    Ok(sight)
}

fn ask(case: &Case) -> Ask {
    let clients = case.told.sources.iter().filter_map(|it| it.client());
    let mut folders: Vec<String> = clients.flat_map(|it| folders(it, case.client)).collect();
    for proof in &case.proofs {
        if let Proven::Files { spots, .. } = &proof.by {
            let here = spots.iter().filter(|it| it.host == case.host.name);
            folders.extend(here.map(|it| it.folder.clone()));
        }
    }
    folders.push(JOBS.to_owned());
    folders.sort();
    folders.dedup();
    let tests = case.host.servers.iter().filter_map(|server| {
        let command = action::configuration_test(server).ok()?;
        Some((SafeText::new(&format!("{} ({})", server.kind, server.conf)), command))
    });
    let locks = case.host.automation.iter().filter_map(|it| it.lock.as_ref()?.pid);
    let account = case.renewal().into_iter().flat_map(|it| &it.needs).find_map(|it| {
        let is_there = it.kind == NeedKind::Account && it.state == NeedState::There;
        let folder = it.path.as_str().strip_suffix("private_key.json")?;
        is_there.then(|| format!("{folder}regr.json"))
    });
    let is_theirs = matches!(case.client, Client::OnHost(_));
    let ca = (is_theirs && !is_example(&case.ca.directory)).then(|| case.ca.directory.clone());
    Ask { folders, tests: tests.collect(), holder: locks.into_iter().next(), account, ca }
}

/// Where whoever orders writes.
fn folders(client: source::Client<'_>, who: Client) -> Vec<String> {
    let all = match (client, who) {
        (source::Client::Certbot { config_dir, work_dir, logs_dir }, Client::OnHost("certbot")) => {
            vec![config_dir, work_dir, logs_dir]
        }
        (source::Client::Certdeck { dir }, Client::Us) => vec![dir],
        _ => vec![],
    };
    all.into_iter().map(str::to_owned).collect()
}

/// Where root's jobs are kept; those of others lie in their homes, on the same disk mostly.
const JOBS: &str = "/var/lib/certdeck";

/// apache and haproxy take some seconds for a large configuration, and curl waits for ten.
const PATIENCE: Duration = Duration::from_secs(40);

/// Some lines for each test.
const ANSWER_CAP: usize = 512 * 1024;
