//! How a step looks line by line: no cursor movement, no colour, nothing that a screen reader
//! would stumble over.

use crate::guide::{Does, Step};
use crate::preflight::{Kind, Verdict};

/// A step as text. `width` is how many columns there are, where that is known; commands are never
/// broken, so that they can be copied.
pub(super) fn step(step: &Step, number: usize, width: Option<usize>) -> String {
    let mut text = format!("\nStep {number}: {}\n", step.kind.title);
    let mut last = None;
    for (label, line) in step.lines() {
        // What is seen stands apart from what to think of it.
        if !label.is_empty() && last.is_none_or(str::is_empty) {
            text.push('\n');
        }
        let shown = if last == Some(label) { "" } else { label };
        last = Some(label);
        let head = if label.is_empty() { String::new() } else { format!("{shown:<8}") };
        let own = line.as_str().chars().take_while(|it| *it == ' ').count();
        let indent = head.chars().count() + if label.is_empty() { own + 2 } else { 0 };
        match width {
            Some(width) if label != "Command" => {
                text.push_str(&wrapped(&format!("{head}{line}"), indent, width));
            }
            _ => text.extend([head.as_str(), line.as_str()]),
        }
        text.push('\n');
    }
    text
}

/// What can be answered to a step.
pub(super) fn question(step: &Step) -> String {
    match step.does {
        Does::Blocked => "n: look again, skip: override it for a reason, back, quit, ?".to_owned(),
        Does::Change(_) => {
            format!("y: {}, n or skip: leave it out for a reason, back, quit, ?", step.yes)
        }
        Does::Other => {
            format!(
                "y: {}, n: look again, skip: order all the same for a reason, back, quit, ?",
                step.yes
            )
        }
        Does::Look | Does::Check(_) | Does::Wait | Does::End => {
            format!("y: {}, n: look again, skip, back, quit, ?", step.yes)
        }
    }
}

/// What every answer means, and how somebody else goes on.
pub(super) fn help(resume: &str) -> String {
    format!(
        "  y      does what the step says. What changes something asks once more, for a word.\n\
         \x20 n      looks again: the hosts are read anew. Of a change: the same as skip.\n\
         \x20 skip   leaves the step out. It asks why; the reason is in the audit log.\n\
         \x20 back   shows the step before once more. What was done stays done.\n\
         \x20 quit   leaves the run open. So does the end of the input, or a dropped line.\n\
         \x20 ?      this.\n\
         Anybody on this machine goes on with: {resume}\n"
    )
}

/// A check that has ended, in a line.
pub(super) fn check(kind: &Kind, verdict: &Verdict) -> String {
    format!("  {:<10}  {:<13}  {}\n", verdict.outcome.name(), kind.name, verdict.text)
}

/// So many hosts.
pub(super) fn hosts(many: usize) -> String {
    if many == 1 { "1 host".to_owned() } else { format!("{many} hosts") }
}

/// Breaks a line between words, the following ones indented.
fn wrapped(text: &str, indent: usize, width: usize) -> String {
    let lead: String = text.chars().take_while(|it| *it == ' ').collect();
    let mut out = lead.clone();
    let mut column = lead.chars().count();
    let mut is_first = true;
    for word in text.trim_start_matches(' ').split(' ') {
        let size = word.chars().count();
        if !is_first && column + 1 + size > width {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent));
            column = indent;
        } else if !is_first {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += size;
        is_first = false;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_between_words_and_stay_under_their_label() {
        let text = "Why     The obvious repair is wrong often enough.";
        let expected = "Why     The obvious\n        repair is wrong\n        often enough.";
        assert_eq!(wrapped(text, 8, 23), expected);
        assert_eq!(wrapped("  a b", 4, 80), "  a b");
    }
}
