//! Hooks that failed, in what certbot prints: it exits with 0 all the same (certbot 2.1.0,
//! `compat/misc.py` and `display/ops.py`: `report_executed_command`).

use crate::text::SafeText;

/// A hook that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failed {
    /// `deploy-hook`, `pre-hook`, `post-hook`.
    pub(super) hook: SafeText,
    /// Its exit code, as it is told.
    pub(super) code: SafeText,
    /// What it printed as errors, on one line.
    pub(super) said: SafeText,
}

/// Every hook of which the output says that it failed.
pub(super) fn failed(output: &str) -> Vec<Failed> {
    let lines: Vec<&str> = output.lines().collect();
    let mut all = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some((hook, code)) = failure(line) else { continue };
        let rest = lines.get(at + 1..).unwrap_or_default();
        let said = said(rest, hook);
        let [hook, code] = [hook, code].map(|it| SafeText::capped(it, MAX_NAME));
        all.push(Failed { hook, code, said: SafeText::capped(&said, MAX_SAID) });
        if all.len() == MAX_HOOKS {
            break;
        }
    }
    all
}

/// `Hook 'deploy-hook' reported error code 7`, and before certbot 1.10 `deploy-hook command "…"
/// returned error code 7`.
fn failure(line: &str) -> Option<(&str, &str)> {
    if let Some((hook, code)) = line.split_once(" reported error code ") {
        let (_, hook) = hook.split_once("Hook '")?;
        return Some((hook.split('\'').next()?, code.trim()));
    }
    let (command, code) = line.split_once(" returned error code ")?;
    Some((command.split_once("-hook command ").map_or("hook", |it| word(it.0)), code.trim()))
}

fn word(text: &str) -> &str {
    match text.rsplit([' ', ':']).next() {
        Some("pre") => "pre-hook",
        Some("post") => "post-hook",
        _ => "deploy-hook",
    }
}

/// The indented lines below `Hook '…' ran with output:` and `… ran with error output:`, if they
/// come next.
fn said(lines: &[&str], hook: &str) -> String {
    let mut said = Vec::new();
    let mut rest = lines;
    for kind in ["ran with output:", "ran with error output:"] {
        let [head, below @ ..] = rest else { break };
        if head.contains(&format!("Hook '{hook}'")) && head.trim_end().ends_with(kind) {
            let body: Vec<_> = below.iter().map_while(|it| it.strip_prefix(' ')).collect();
            rest = below.get(body.len()..).unwrap_or_default();
            said.extend(body);
        }
    }
    let said = said.into_iter().map(str::trim).filter(|it| !it.is_empty());
    said.take(MAX_LINES).collect::<Vec<_>>().join(" | ")
}

const MAX_HOOKS: usize = 16;
const MAX_LINES: usize = 20;
const MAX_NAME: usize = 40;
const MAX_SAID: usize = 400;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(output: &str, expect: &[(&str, &str, &str)]) {
        let failed = failed(output);
        let failed: Vec<_> = failed
            .iter()
            .map(|it| (it.hook.as_str(), it.code.as_str(), it.said.as_str()))
            .collect();
        assert_eq!(failed, expect);
    }

    #[test]
    fn a_hook_that_failed_is_told_with_its_own_words() {
        let output = "Saving debug log\nHook 'deploy-hook' reported error code 7\n\
                      Hook 'deploy-hook' ran with error output:\n oops\n\n- - -\nProcessing\n\
                      Hook 'deploy-hook' ran with output:\n fine\n";
        check(output, &[("deploy-hook", "7", "oops")]);
        check("Hook 'post-hook' reported error code 1\n", &[("post-hook", "1", "")]);
        let two = "Hook 'pre-hook' reported error code 2\nHook 'pre-hook' ran with output:\n x\n\
                   Hook 'deploy-hook' reported error code 3\n\
                   Hook 'deploy-hook' ran with output:\n a\n\
                   Hook 'deploy-hook' ran with error output:\n b\nnext\n";
        check(two, &[("pre-hook", "2", "x"), ("deploy-hook", "3", "a | b")]);
        check("deploy-hook command \"x\" returned error code 4\n", &[("deploy-hook", "4", "")]);
        check("Hook 'deploy-hook' ran with output:\n error code 7\n", &[]);
        check("Congratulations, all renewals succeeded", &[]);
    }

    #[test]
    fn what_a_host_prints_without_end_is_bounded() {
        let output = "Hook 'deploy-hook' reported error code 7\n".repeat(10_000);
        assert_eq!(failed(&output).len(), MAX_HOOKS);
    }
}
