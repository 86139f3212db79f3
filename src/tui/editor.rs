//! How an editor is started at a line.

use std::path::Path;

use tokio::process::Command;

use crate::fleet::HostName;

/// The editor on that file. `editor` is a shell command, as in `$EDITOR`.
pub(super) fn command(editor: &str, path: &Path, line: Option<usize>) -> Command {
    let mut command = shell(&format!("{editor} \"$@\""));
    command.arg("editor");
    if let Some(line) = line.filter(|_| takes_line(editor)) {
        command.arg(format!("+{line}"));
    }
    command.arg(path);
    command
}

/// A shell that runs that text.
#[expect(clippy::disallowed_methods, reason = "editor and pager are programs of the operator")]
pub(super) fn shell(text: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(text).kill_on_drop(true);
    command
}

/// The line in which the inventory begins to speak of a host, counted from 1.
pub(super) fn line_of(text: &str, host: &HostName) -> Option<usize> {
    let is_name = |line: &str| {
        let value = line.trim().strip_prefix("name")?.trim_start().strip_prefix('=')?.trim();
        let quote = value.chars().next().filter(|it| matches!(it, '"' | '\''))?;
        let name = value.get(1..)?.split(quote).next()?;
        (name == host.as_str()).then_some(())
    };
    // Groups and hooks have names too.
    let mut in_host = false;
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim_start().starts_with('[') {
            in_host = line.contains("[[host]]");
        }
        if in_host && is_name(line).is_some() {
            return Some(number);
        }
    }
    None
}

/// Whether an editor takes `+7` for the seventh line.
fn takes_line(editor: &str) -> bool {
    let program = editor.split_whitespace().next().unwrap_or_default();
    let name = program.rsplit('/').next().unwrap_or_default();
    TAKE_LINE.contains(&name)
}

const TAKE_LINE: [&str; 13] = [
    "vi",
    "vim",
    "nvim",
    "view",
    "vim.basic",
    "vim.tiny",
    "nano",
    "emacs",
    "emacsclient",
    "mg",
    "micro",
    "kak",
    "joe",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_found_by_its_name() {
        let text = "[[group]]\nname = 'web'\n[[host]]\nname = \"db\"\n[[host]]\n  name='web' # x\n";
        assert_eq!(line_of(text, &HostName::new("web")), Some(6));
        assert_eq!(line_of(text, &HostName::new("db")), Some(4));
        assert_eq!(line_of(text, &HostName::new("mail")), None);
    }

    #[test]
    fn lines_are_given_to_editors_that_take_them() {
        for (editor, takes) in [("vi", true), ("/usr/bin/nano -w", true), ("code --wait", false)] {
            assert_eq!(takes_line(editor), takes, "{editor}");
        }
    }
}
