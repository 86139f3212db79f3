//! What a command line that starts certbot renews: everything, or only what it names.

use crate::fleet::Scope;
use crate::text::SafeText;

/// What the command names, if it is certain that it renews no more than that; empty if that is
/// everything, or if it cannot be told: a script may do anything, and so may a variable.
pub(super) fn read(command: &str) -> Vec<Scope> {
    let mut words = command.split_whitespace().map(|it| it.trim_matches(QUOTES));
    let mut scopes = Vec::new();
    while words.by_ref().any(|it| it == "certbot" || it.ends_with("/certbot")) {
        let Some(run) = run(&mut words) else { return Vec::new() };
        scopes.extend(run);
    }
    scopes
}

/// What one call names, the words read up to its end.
fn run<'a>(words: &mut impl Iterator<Item = &'a str>) -> Option<Vec<Scope>> {
    let mut verb = None;
    let (mut lineage, mut names) = (None, Vec::new());
    let mut is_over = false;
    while !is_over && let Some(word) = words.next() {
        if matches!(word, "&&" | "||" | "|" | ";" | "&") {
            break;
        }
        let (option, joined) = match word.split_once('=') {
            Some((option, value)) if option.starts_with("--") => (option, Some(value)),
            _ => (word, None),
        };
        if !matches!(option, "--cert-name" | "-d" | "--domain" | "--domains") {
            is_over = word.ends_with(';');
            verb = verb.or_else(|| VERBS.into_iter().find(|it| *it == word.trim_end_matches(';')));
            continue;
        }
        let value = joined.map_or_else(|| words.next(), Some)?;
        is_over = value.ends_with(';');
        let value = value.trim_end_matches(';').trim_matches(QUOTES);
        if value.is_empty() || !value.chars().all(is_of_names) {
            return None;
        }
        if option == "--cert-name" {
            lineage = Some(Scope::Lineage(SafeText::new(value)));
        } else {
            names.extend(value.split(',').map(|it| Scope::Name(SafeText::new(it))));
        }
    }
    // The name of a lineage decides, whatever names are given for it besides.
    let scopes: Vec<_> = lineage.map_or(names, |it| vec![it]);
    let is_order = verb? != "renew";
    let is_told = is_order || matches!(scopes.as_slice(), [Scope::Lineage(_)]);
    (is_told && !scopes.is_empty()).then_some(scopes)
}

/// What certbot is told to do where it renews; what else it can do is no renewal.
const VERBS: [&str; 3] = ["renew", "certonly", "run"];

const QUOTES: [char; 4] = ['\'', '"', '(', ')'];

/// Whether a name may hold it. A variable does not tell what it stands for.
fn is_of_names(it: char) -> bool {
    it.is_alphanumeric() || matches!(it, '.' | '-' | '_' | '*' | ',')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(command: &str, expected: &[&str]) {
        let told = |it: Scope| match it {
            Scope::Lineage(it) => format!("={it}"),
            Scope::Name(it) => it.to_string(),
        };
        let found: Vec<_> = read(command).into_iter().map(told).collect();
        assert_eq!(found, expected, "{command}");
    }

    #[test]
    fn what_a_line_names_is_all_that_it_renews() {
        check("0 3 * * * root certbot -q renew --cert-name a.test", &["=a.test"]);
        check("/usr/bin/certbot renew --cert-name=a.test --quiet", &["=a.test"]);
        check("certbot renew --cert-name 'a.test'; systemctl reload nginx", &["=a.test"]);
        let two = "certbot renew --cert-name a && certbot renew --cert-name b";
        check(two, &["=a", "=b"]);
        check(&two.replace(" &&", ";"), &["=a", "=b"]);
        check(
            "/bin/sh -c certbot renew --cert-name a ; certbot renew --cert-name b",
            &["=a", "=b"],
        );
        check("certbot certonly -n --webroot -w /srv -d a.test,b.test", &["a.test", "b.test"]);
        check("certbot run --nginx -n -d a.test --domains b.test", &["a.test", "b.test"]);
        check("certbot certonly -n --cert-name a -d a.test -d b.test", &["=a"]);
    }

    #[test]
    fn what_cannot_be_told_may_renew_everything() {
        check("certbot -q renew", &[]);
        check("certbot -q renew; certbot renew --cert-name a", &[]);
        check("certbot renew --cert-name a && certbot renew", &[]);
        check("certbot renew --cert-name a; certbot renew", &[]);
        check("for it in a b; do certbot renew --cert-name $it; done", &[]);
        check("certbot renew --cert-name \"$(hostname -f)\"", &[]);
        check("certbot renew --cert-name", &[]);
        check("certbot certonly -c /etc/le/web.ini", &[]);
        check("certbot $OPTIONS", &[]);
        check("test -x /usr/bin/certbot && /srv/renew --cert-name a", &[]);
        check("/usr/local/bin/renew-certs", &[]);
    }
}
