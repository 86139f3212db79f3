//! What the environment says of this terminal. Read once, here alone.

use std::ffi::OsString;

use super::When;
use crate::remote::Variables;
use crate::tui::bell::Bell;
use crate::tui::theme::Depth;

/// The variables that are looked at; those that are empty count as missing.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// What scripts on this machine see of it.
    pub variables: Variables,
    /// `CERTDECK_CONFIG_DIR`.
    pub config_dir: Option<OsString>,
    /// `CERTDECK_STATE_DIR`.
    pub state_dir: Option<OsString>,
    /// `HOME`.
    pub home: Option<OsString>,
    /// `SSH_AUTH_SOCK`.
    pub agent: Option<OsString>,
    /// `CERTDECK_SSH_CONFIG`.
    pub ssh_config: Option<OsString>,
    /// `CERTDECK_LOG`: off, error, warn, info, debug.
    pub log: Option<String>,
    /// `VISUAL` or `EDITOR`: a shell command.
    pub editor: Option<String>,
    /// `PAGER`: a shell command.
    pub pager: Option<String>,
    /// `USER` or `LOGNAME`.
    pub user: Option<OsString>,
    /// `SUDO_USER`.
    pub sudo_user: Option<OsString>,
    /// `SSH_CONNECTION`.
    pub ssh_connection: Option<OsString>,
    /// `TERM`.
    pub term: Option<OsString>,
    /// Whether the terminal is one of the GNOME family: `VTE_VERSION`.
    is_vte: bool,
    no_color: bool,
    force_color: bool,
    colorterm: Option<OsString>,
    colorfgbg: Option<String>,
    locale: Option<OsString>,
}

impl Environment {
    /// Reads the environment of this process.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks")]
    pub fn read() -> Self {
        let var = |name| std::env::var_os(name).filter(|it| !it.is_empty());
        let text = |name| var(name).and_then(|it| it.into_string().ok());
        Self {
            variables: Variables::of(std::env::vars_os()),
            config_dir: var("CERTDECK_CONFIG_DIR"),
            state_dir: var("CERTDECK_STATE_DIR"),
            home: var("HOME"),
            agent: var("SSH_AUTH_SOCK"),
            ssh_config: var("CERTDECK_SSH_CONFIG"),
            log: text("CERTDECK_LOG"),
            editor: text("VISUAL").or_else(|| text("EDITOR")),
            pager: text("PAGER"),
            user: var("USER").or_else(|| var("LOGNAME")),
            sudo_user: var("SUDO_USER"),
            ssh_connection: var("SSH_CONNECTION"),
            term: var("TERM"),
            is_vte: var("VTE_VERSION").is_some(),
            no_color: var("NO_COLOR").is_some(),
            force_color: var("FORCE_COLOR").is_some_and(|it| it != "0"),
            colorterm: var("COLORTERM"),
            colorfgbg: text("COLORFGBG"),
            locale: var("LC_ALL").or_else(|| var("LC_CTYPE")).or_else(|| var("LANG")),
        }
    }

    /// How many colours to use on something that is a terminal or not.
    pub fn depth(&self, when: When, is_terminal: bool) -> Depth {
        let is_wanted = match when {
            When::Always => true,
            When::Never => false,
            When::Auto if self.no_color => false,
            When::Auto => self.force_color || (is_terminal && !self.is_dumb()),
        };
        let is_true = self.colorterm.as_ref().is_some_and(|it| it == "truecolor" || it == "24bit");
        match (is_wanted, is_true) {
            (false, _) => Depth::None,
            (true, true) => Depth::True,
            (true, false) => Depth::Ansi16,
        }
    }

    /// Whether the terminal cannot move its cursor.
    pub fn is_dumb(&self) -> bool {
        self.term.as_ref().is_some_and(|it| it == "dumb")
    }

    /// How the terminal tells something to whoever does not look at it.
    pub fn bell(&self) -> Bell {
        let term = self.term.as_ref().map(|it| it.to_string_lossy()).unwrap_or_default();
        Bell::of(&term, self.is_vte)
    }

    /// Whether the terminal says that its background is light: rxvt and those who followed it
    /// set `COLORFGBG` to the numbers of two colours, the second of which is the background.
    pub fn is_light(&self) -> bool {
        let background = self.colorfgbg.as_ref().and_then(|it| it.rsplit(';').next());
        matches!(background, Some("7" | "15"))
    }

    /// Whether text may hold more than ASCII. A locale that is not set at all, as in many
    /// containers, says nothing about the terminal at the other end, and those are all UTF-8.
    pub fn is_unicode(&self) -> bool {
        let Some(locale) = &self.locale else { return true };
        let locale = locale.to_string_lossy().to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(environment: &Environment, when: When, is_terminal: bool, expect: Depth) {
        assert_eq!(environment.depth(when, is_terminal), expect);
    }

    #[test]
    fn colours_follow_what_is_asked_and_what_is_there() {
        let plain = Environment::default();
        check(&plain, When::Auto, true, Depth::Ansi16);
        check(&plain, When::Auto, false, Depth::None);
        check(&plain, When::Always, false, Depth::Ansi16);
        check(&plain, When::Never, true, Depth::None);

        let rich = Environment { colorterm: Some("truecolor".into()), ..Environment::default() };
        check(&rich, When::Auto, true, Depth::True);

        let refused = Environment { no_color: true, force_color: true, ..rich.clone() };
        check(&refused, When::Auto, true, Depth::None);
        check(&refused, When::Always, true, Depth::True);

        let forced = Environment { force_color: true, ..Environment::default() };
        check(&forced, When::Auto, false, Depth::Ansi16);

        let dumb = Environment { term: Some("dumb".into()), ..rich };
        check(&dumb, When::Auto, true, Depth::None);
    }

    #[test]
    fn ascii_follows_the_locale() {
        let with = |it: &str| Environment { locale: Some(it.into()), ..Environment::default() };
        assert!(Environment::default().is_unicode());
        assert!(with("de_DE.UTF-8").is_unicode());
        assert!(with("C.utf8").is_unicode());
        assert!(!with("C").is_unicode());
        assert!(!with("de_DE@euro").is_unicode());
    }
}
