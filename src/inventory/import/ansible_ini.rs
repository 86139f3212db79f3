//! Ansible's INI: sections of hosts, of groups within groups, and of variables.

use super::ansible::{Draft, Vars};

/// Adds everything in the text to the draft.
pub(super) fn read(text: &str, draft: &mut Draft) {
    let mut section = Some(Section { kind: SectionKind::Hosts, group: "ungrouped".to_owned() });
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if line.starts_with('[') && !is_range_first(line) {
            section = Section::read(line);
            if section.is_none() {
                let text = format!("`{line}` is no section; what follows it is left out");
                draft.imported.skip(Some(number), &text);
            }
            continue;
        }
        let Some(Section { kind, group }) = &section else { continue };
        match kind {
            SectionKind::Children => {
                draft.add_child(group, first_word(line), Some(number));
            }
            SectionKind::Hosts => add_hosts(line, group, number, draft),
            SectionKind::Vars => {
                if let Some((key, value)) = line.split_once('=') {
                    draft.add_var(group, key.trim(), unquoted(value.trim()), Some(number));
                }
            }
        }
    }
}

struct Section {
    kind: SectionKind,
    group: String,
}

#[derive(Clone, Copy)]
enum SectionKind {
    Children,
    Hosts,
    Vars,
}

impl Section {
    fn read(line: &str) -> Option<Self> {
        let (name, after) = line.strip_prefix('[')?.split_once(']')?;
        let after = after.trim();
        let (group, kind) = match name.split_once(':') {
            None => (name, SectionKind::Hosts),
            Some((group, "children")) => (group, SectionKind::Children),
            Some((group, "vars")) => (group, SectionKind::Vars),
            Some(_) => return None,
        };
        let is_section = !group.is_empty() && (after.is_empty() || after.starts_with(['#', ';']));
        is_section.then(|| Self { kind, group: group.to_owned() })
    }
}

/// Whether a line begins with a range, as in `[a:c].example.net`, and not with a section.
fn is_range_first(line: &str) -> bool {
    Range::find(line).is_some_and(|it| it.before.is_empty()) && Section::read(line).is_none()
}

fn add_hosts(line: &str, group: &str, number: usize, draft: &mut Draft) {
    let Some(words) = words(line) else {
        return draft.imported.skip(Some(number), "a quote is never closed");
    };
    let Some((pattern, settings)) = words.split_first() else { return };
    let mut vars = Vars::new();
    let (pattern, port) = split_port(pattern);
    if let Some(port) = port {
        vars.insert("ansible_port".to_owned(), port.to_owned());
    }
    for setting in settings {
        match setting.split_once('=') {
            Some((key, value)) => {
                vars.insert(key.to_owned(), value.to_owned());
            }
            None => draft.imported.skip(Some(number), &format!("`{setting}` has no value")),
        }
    }
    draft.add_host(group, pattern, &vars, Some(number));
}

/// The port of `host:22`; colons in ranges and in IPv6 addresses are none.
fn split_port(pattern: &str) -> (&str, Option<&str>) {
    match pattern.rsplit_once(':') {
        Some((host, port))
            if !port.is_empty()
                && port.bytes().all(|it| it.is_ascii_digit())
                && (!host.contains(':') || host.ends_with(']')) =>
        {
            (host, Some(port))
        }
        _ => (pattern, None),
    }
}

fn first_word(line: &str) -> &str {
    line.split_whitespace().next().unwrap_or_default()
}

fn unquoted(text: &str) -> &str {
    let inner = |quote| text.strip_prefix(quote)?.strip_suffix(quote);
    inner('"').or_else(|| inner('\'')).unwrap_or(text)
}

/// The words of a line as a shell cuts them; a `#` at the beginning of a word ends the line.
fn words(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '#' if word.is_none() => break,
            '"' | '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        it if it == c => break,
                        '\\' if c == '"' => word.push(chars.next()?),
                        it => word.push(it),
                    }
                }
            }
            '\\' => word.get_or_insert_default().push(chars.next()?),
            _ if c.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Some(words)
}

/// Every name that a pattern with ranges stands for; `None` if there are more than `max`.
pub(super) fn expand(pattern: &str, max: usize) -> Option<Vec<String>> {
    let Some(range) = Range::find(pattern) else { return Some(vec![pattern.to_owned()]) };
    let after = expand(range.after, max)?;
    let items = range.items(max)?;
    if items.len().checked_mul(after.len())? > max {
        return None;
    }
    let join = |item: &String| {
        let start = format!("{}{item}", range.before);
        after.iter().map(move |it| format!("{start}{it}")).collect::<Vec<_>>()
    };
    Some(items.iter().flat_map(join).collect())
}

/// The first range of a pattern: `[01:20]`, `[a:f]`, `[1:9:2]`.
struct Range<'p> {
    before: &'p str,
    first: &'p str,
    last: &'p str,
    step: usize,
    after: &'p str,
}

impl<'p> Range<'p> {
    fn find(pattern: &'p str) -> Option<Self> {
        let (before, rest) = pattern.split_once('[')?;
        let (inside, after) = rest.split_once(']')?;
        let mut parts = inside.split(':');
        let (first, last) = (parts.next()?, parts.next()?);
        let step = parts.next().map_or(Some(1), |it| it.parse().ok()).filter(|it| *it > 0)?;
        let is_number = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit());
        let is_letter = |it: &str| it.len() == 1 && it.bytes().all(|it| it.is_ascii_alphabetic());
        let is_range =
            (is_number(first) && is_number(last)) || (is_letter(first) && is_letter(last));
        let is_range = is_range && parts.next().is_none();
        is_range.then_some(Self { before, first, last, step, after })
    }

    fn items(&self, max: usize) -> Option<Vec<String>> {
        let Self { first, last, step, .. } = *self;
        if let (Ok(from), Ok(to)) = (first.parse::<u64>(), last.parse::<u64>()) {
            // A leading zero asks for as many digits as there are.
            let width = if first.starts_with('0') { first.len() } else { 0 };
            let items: Vec<_> =
                (from..=to).step_by(step).take(max + 1).map(|it| format!("{it:0width$}")).collect();
            return (items.len() <= max).then_some(items);
        }
        let (from, to) = (first.chars().next()?, last.chars().next()?);
        Some((from..=to).step_by(step).map(String::from).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, expect: &[&str]) {
        assert_eq!(expand(pattern, 20).unwrap(), expect);
    }

    #[test]
    fn ranges_are_expanded() {
        check("web", &["web"]);
        check("web[08:11].x", &["web08.x", "web09.x", "web10.x", "web11.x"]);
        check("[a:c]", &["a", "b", "c"]);
        check("w[1:6:2]", &["w1", "w3", "w5"]);
        check("w[1:2]-[x:y]", &["w1-x", "w1-y", "w2-x", "w2-y"]);
        check("w[3:1]", &[]);
        check("w[1]", &["w[1]"]);
        check("[2001:db8::1]", &["[2001:db8::1]"]);
        check("w[", &["w["]);
        assert_eq!(expand("w[0:20]", 20), None);
        assert_eq!(expand("w[1:5][1:5]", 20), None);
        assert_eq!(expand("w[0:18446744073709551615]", 20), None);
    }

    #[test]
    fn words_are_cut_as_a_shell_does() {
        let cut = |line| words(line).map(|it| it.join("|"));
        assert_eq!(cut(r#"a b="c d" e='f "g' # h"#).as_deref(), Some(r#"a|b=c d|e=f "g"#));
        assert_eq!(cut(r#"a\ b "c\"d" x#y"#).as_deref(), Some(r#"a b|c"d|x#y"#));
        assert_eq!(cut("a 'b"), None);
    }

    #[test]
    fn ports_are_told_from_ranges_and_addresses() {
        assert_eq!(split_port("a:22"), ("a", Some("22")));
        assert_eq!(split_port("a[1:2]:22"), ("a[1:2]", Some("22")));
        assert_eq!(split_port("a[1:2]"), ("a[1:2]", None));
        assert_eq!(split_port("fe80::1"), ("fe80::1", None));
    }
}
