//! The keys in force: those of the table, and what `[keys]` says instead.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Chord, Command, Place, Stroke, binding, table};
use crate::action;
use crate::spanned::{Diagnostic, did_you_mean};

/// Which keys do what.
#[derive(Debug, Clone)]
pub struct Keymap {
    bound: Vec<(Command, Place, Vec<Chord>)>,
}

/// What the keys that were pressed so far mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// They do that.
    Command(Command),
    /// They are the beginning of others: the key that would follow, and what it would do.
    Prefix(Vec<(Stroke, Command)>),
    /// They mean nothing at all.
    Unknown,
    /// They mean something at another place.
    Elsewhere(Command, Place),
}

impl Keymap {
    /// The table with some commands on other keys, and every conflict.
    pub fn new(overrides: &[(Command, Vec<Chord>)]) -> (Self, Vec<String>) {
        let bound = table()
            .iter()
            .map(|it| {
                let own = overrides.iter().find(|(command, _)| *command == it.command);
                let chords = own.map_or_else(
                    || it.keys.iter().filter_map(|key| Chord::parse(key)).collect(),
                    |(_, chords)| chords.clone(),
                );
                (it.command, it.place, chords)
            })
            .collect();
        let keymap = Self { bound };
        let complaints = keymap.conflicts();
        (keymap, complaints)
    }

    /// What these keys do there.
    pub fn lookup(&self, pressed: &[Stroke], place: Place) -> Lookup {
        let mut follow = Vec::new();
        let mut elsewhere = None;
        for (command, at, chords) in &self.bound {
            for chord in chords {
                let Some(rest) = chord.0.strip_prefix(pressed) else { continue };
                match rest.first() {
                    None if at.is_on(place) => return Lookup::Command(*command),
                    None => elsewhere = Some(Lookup::Elsewhere(*command, *at)),
                    Some(next) if at.is_on(place) => follow.push((*next, *command)),
                    Some(_) => {}
                }
            }
        }
        if follow.is_empty() {
            elsewhere.unwrap_or(Lookup::Unknown)
        } else {
            Lookup::Prefix(follow)
        }
    }

    /// The key to show for a command, if it has one.
    pub fn key(&self, command: Command) -> Option<String> {
        self.chords(command).first().map(Chord::to_string)
    }

    /// Every key of a command, as people read it.
    pub fn keys(&self, command: Command) -> String {
        self.chords(command).iter().map(Chord::to_string).collect::<Vec<_>>().join("  ")
    }

    /// The key to show for an action, by its name.
    pub fn key_of_action(&self, name: &str) -> Option<String> {
        let number = action::ALL.iter().position(|it| it.name == name)?;
        self.key(Command::Act(number))
    }

    fn chords(&self, command: Command) -> &[Chord] {
        self.bound.iter().find(|it| it.0 == command).map_or(&[], |it| &it.2)
    }

    fn conflicts(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        let all: Vec<_> = self
            .bound
            .iter()
            .flat_map(|(command, place, chords)| {
                chords.iter().map(move |it| (*command, *place, it))
            })
            .collect();
        for (position, (command, place, chord)) in all.iter().enumerate() {
            for (other, at, longer) in all.iter().skip(position + 1) {
                let collide = longer.0.starts_with(&chord.0) || chord.0.starts_with(&longer.0);
                if collide && place.meets(*at) {
                    complaints.push(format!(
                        "key `{chord}` of `{}` and key `{longer}` of `{}` get in each other's way",
                        name(*command),
                        name(*other)
                    ));
                }
            }
        }
        complaints
    }
}

impl Default for Keymap {
    fn default() -> Self {
        Self::new(&[]).0
    }
}

impl Place {
    /// Whether a binding of this place works on a screen, which is one place of its own: the
    /// timeline is a list, the other lists are no timeline.
    pub fn is_on(self, screen: Self) -> bool {
        match self {
            Self::Everywhere => true,
            Self::Lists => matches!(screen, Self::Lists | Self::Timeline),
            Self::Timeline | Self::Details | Self::Cause | Self::Guide | Self::Job => {
                self == screen
            }
        }
    }
}

/// Reads the `[keys]` table of the configuration: `command = "key"` or `command = ["key", …]`.
/// Every complaint at once; what is wrong keeps its keys of the table.
pub fn parse_overrides(text: &str) -> (Vec<(Command, Vec<Chord>)>, Vec<Diagnostic>) {
    let (mut overrides, mut complaints) = (Vec::new(), Vec::new());
    let Ok(mut document) = DeTable::parse(text).map(Spanned::into_inner) else {
        // Whoever reads the rest of the configuration complains about the text itself.
        return (overrides, complaints);
    };
    let Some(keys) = document.remove("keys") else { return (overrides, complaints) };
    let at = keys.span();
    let DeValue::Table(keys) = keys.into_inner() else {
        complaints.push(Diagnostic::new("expected a table", at));
        return (overrides, complaints);
    };
    for (name, value) in keys {
        let Some(known) = table().iter().find(|it| it.name == name.get_ref().as_ref()) else {
            let near = did_you_mean(name.get_ref(), table().iter().map(|it| it.name));
            let complaint =
                Diagnostic::new(format!("unknown command `{}`", name.get_ref()), name.span());
            complaints.push(match near {
                Some(near) => complaint.with_hint(format!("did you mean `{near}`?")),
                None => complaint.with_hint("`certdeck keys` lists every command"),
            });
            continue;
        };
        match chords(&value) {
            Ok(chords) => overrides.push((known.command, chords)),
            Err(complaint) => complaints.push(complaint),
        }
    }
    let (_, conflicts) = Keymap::new(&overrides);
    complaints.extend(conflicts.into_iter().map(|it| Diagnostic::new(it, at.clone())));
    (overrides, complaints)
}

fn chords(value: &Spanned<DeValue<'_>>) -> Result<Vec<Chord>, Diagnostic> {
    match value.get_ref() {
        DeValue::String(text) => Ok(vec![chord(text, value)?]),
        DeValue::Array(items) => items
            .iter()
            .map(|item| match item.get_ref() {
                DeValue::String(text) => chord(text, item),
                _ => Err(Diagnostic::new("expected a key in quotes", item.span())),
            })
            .collect(),
        _ => Err(Diagnostic::new("expected a key in quotes, or a list of them", value.span())),
    }
}

fn chord(text: &str, value: &Spanned<DeValue<'_>>) -> Result<Chord, Diagnostic> {
    Chord::parse(text).ok_or_else(|| {
        Diagnostic::new(format!("`{text}` is no key"), value.span())
            .with_hint("keys are written as in: j, G, ctrl-d, s-tab, f12, \"g g\"")
    })
}

fn name(command: Command) -> &'static str {
    binding(command).map_or("", |it| it.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pressed(text: &str) -> Vec<Stroke> {
        Chord::parse(text).unwrap().0
    }

    #[test]
    fn keys_mean_what_the_table_says() {
        let keys = Keymap::default();
        assert_eq!(keys.lookup(&pressed("j"), Place::Details), Lookup::Command(Command::Down));
        assert_eq!(keys.lookup(&pressed("g g"), Place::Lists), Lookup::Command(Command::Top));
        assert!(
            matches!(keys.lookup(&pressed("y"), Place::Lists), Lookup::Prefix(it) if it.len() == 5)
        );
        assert_eq!(keys.lookup(&pressed("Q"), Place::Lists), Lookup::Unknown);
        assert!(
            matches!(keys.lookup(&pressed("a"), Place::Lists), Lookup::Prefix(it) if it.len() > 5)
        );
        assert_eq!(
            keys.lookup(&pressed("z"), Place::Lists),
            Lookup::Elsewhere(Command::Fold, Place::Timeline)
        );
    }

    #[test]
    fn keys_can_be_configured() {
        let (overrides, complaints) = parse_overrides("[keys]\nfold = ['Z', 'ctrl-f']\n");
        assert_eq!(complaints, []);
        let (keys, _) = Keymap::new(&overrides);
        assert_eq!(keys.keys(Command::Fold), "Z  ctrl-f");
        assert_eq!(keys.lookup(&pressed("z"), Place::Timeline), Lookup::Unknown);
    }

    #[track_caller]
    fn check(text: &str, message: &str, culprit: &str) {
        let (_, complaints) = parse_overrides(text);
        let [it] = complaints.as_slice() else { panic!("{complaints:?}") };
        assert_eq!((it.message.as_str(), &text[it.span.clone()]), (message, culprit));
    }

    #[test]
    fn complaints_point_at_the_culprit() {
        check("[keys]\nfodl = 'z'", "unknown command `fodl`", "fodl");
        check("[keys]\nfold = 'zz'", "`zz` is no key", "'zz'");
        check("[keys]\nfold = 3", "expected a key in quotes, or a list of them", "3");
        check(
            "[keys]\nfold = 'j'",
            "key `j` of `down` and key `j` of `fold` get in each other's way",
            "[keys]",
        );
    }
}
