//! Whether what should happen after an order will: hooks that are there and can run.

use super::verdict::Tally;
use super::{Case, Client, Evidence, Kind, Outcome, Part, Verdict};
use crate::fleet::{NeedKind, NeedState};
use crate::text::SafeText;

pub(super) const KIND: Kind = Kind {
    name: "hooks",
    about: "are the hooks there, and will they run?",
    needs: &[Part::Host],
    judge,
};

fn judge(case: &Case, evidence: &Evidence) -> Verdict {
    let Client::OnHost(client) = case.client else {
        return Verdict::not_needed("certdeck itself reloads what loads the files");
    };
    if let Err(why) = &evidence.host {
        return Verdict::unknown(why);
    }
    let Some(renewal) = case.renewal() else {
        return Verdict::unknown("how it is renewed is not known");
    };
    let mut tally = Tally::default();
    for need in &renewal.needs {
        let NeedKind::Hook(stage) = need.kind else { continue };
        let path = &need.path;
        match need.state {
            NeedState::There => tally.add(Outcome::Ok, format!("{stage}: {path}")),
            NeedState::Unseen => {
                tally.add(Outcome::Unknown, format!("{stage}: {path} could not be seen"));
            }
            NeedState::NotExecutable => tally.mend(
                Outcome::Failed,
                format!("{stage}: {path} is not executable"),
                format!("chmod +x {path}"),
            ),
            NeedState::Missing | NeedState::Different => tally.mend(
                Outcome::Failed,
                format!("{stage}: {path} is not there"),
                format!("put {path} back, or take it out of the renewal file"),
            ),
        }
    }
    let automation = case.host.automation.iter().find(|it| it.source == client);
    for hook in automation.into_iter().flat_map(|it| &it.hooks) {
        let (stage, path) = (hook.stage, &hook.path);
        if hook.is_executable {
            tally.add(Outcome::Ok, format!("{stage}: {path}"));
        } else {
            tally.mend(
                Outcome::Warning,
                format!("{stage}: {path} is passed over without a word: it is not executable"),
                format!("certdeck run enable-hook {}", case.target()),
            );
        }
    }
    if let Some(failed) = renewal.failed_hook.as_ref().filter(|it| !it.is_changed()) {
        let command = failed.command.as_ref().map_or("its hook", SafeText::as_str);
        tally.mend(
            Outcome::Warning,
            format!("{}: {command} ended with {} the last time", failed.stage, failed.code),
            format!("try it: certdeck run hook {}", case.target()),
        );
    }
    if tally.is_empty() {
        return Verdict::not_needed("it has no hooks");
    }
    tally.verdict("the hooks are there and will run")
}

#[cfg(test)]
mod tests {
    use super::super::sample::*;
    use super::*;
    use crate::fleet::{Hook, HookStage, Need};

    fn theirs() -> Case {
        let mut case = Case { client: Client::OnHost("certbot"), ..case() };
        renewal_of(&mut case);
        case
    }

    #[track_caller]
    fn check(case: &Case, outcome: Outcome, text: &str) {
        judged(&KIND, case, &read(), outcome, text);
    }

    #[test]
    fn hooks_are_there_and_run_or_not() {
        let (kind, path) = (NeedKind::Hook(HookStage::Deploy), SafeText::new("/x/reload"));
        let with = |state| {
            let mut case = theirs();
            let need = Need { kind, path: path.clone(), state, mode: None };
            renewal_of(&mut case).needs.push(need);
            case
        };
        check(&theirs(), Outcome::NotNeeded, "it has no hooks");
        let good = "the hooks are there and will run";
        check(&with(NeedState::There), Outcome::Ok, good);
        check(&with(NeedState::Missing), Outcome::Failed, "deploy: /x/reload is not there");
        check(
            &with(NeedState::NotExecutable),
            Outcome::Failed,
            "deploy: /x/reload is not executable",
        );
        let mut case = theirs();
        let hook = Hook { stage: HookStage::Deploy, path, mode: 0o644, is_executable: false };
        automation_of(&mut case).hooks.push(hook);
        check(
            &case,
            Outcome::Warning,
            "deploy: /x/reload is passed over without a word: it is not executable",
        );
    }

    #[test]
    fn ours_need_none() {
        check(&case(), Outcome::NotNeeded, "certdeck itself reloads what loads the files");
    }
}
