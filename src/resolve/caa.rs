//! Who may issue for a name: CAA records (RFC 8659) with accounts and methods (RFC 8657). Pure.

use hickory_proto::rr::rdata::CAA;

use crate::text::SafeText;

/// The CAA records that hold for a name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caa {
    /// The name that has them; none where anybody may issue.
    pub at: Option<SafeText>,
    pub(super) records: Vec<Record>,
}

/// What CAA records say to an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ruling {
    /// It may go on.
    Allowed,
    /// The CA will refuse, and this is what it will say no to.
    Forbidden(SafeText),
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    is_critical: bool,
    tag: String,
    value: String,
}

impl Record {
    pub(super) fn read(caa: &CAA) -> Self {
        Self {
            is_critical: caa.issuer_critical,
            tag: caa.tag.to_ascii_lowercase(),
            value: String::from_utf8_lossy(&caa.value).into_owned(),
        }
    }
}

impl Caa {
    /// What a record would have to say for the CA to be allowed: as narrow as those that are there.
    pub fn to_publish(
        &self,
        is_wildcard: bool,
        identity: &str,
        account: Option<&str>,
        method: &str,
    ) -> String {
        let lines = self.lines();
        let has = |key: &str| lines.iter().any(|it| it.as_str().contains(key));
        let tag = if is_wildcard && has(" issuewild ") { "issuewild" } else { "issue" };
        let account = account.filter(|_| has("accounturi="));
        let account = account.map(|it| format!("; accounturi={it}")).unwrap_or_default();
        let method = if has("validationmethods=") {
            format!("; validationmethods={method}")
        } else {
            String::new()
        };
        format!("0 {tag} \"{identity}{account}{method}\"")
    }

    /// Whether a CA that goes by one of these names (`caaIdentities` of its directory) may issue
    /// for the name, for this account, by this method (`dns-01`).
    pub fn judge(
        &self,
        is_wildcard: bool,
        identities: &[&str],
        account: Option<&str>,
        method: &str,
    ) -> Ruling {
        let Some(at) = &self.at else { return Ruling::Allowed };
        let forbidden =
            |why: &str| Ruling::Forbidden(SafeText::new(&format!("CAA of {at}: {why}")));
        let known = [
            "issue",
            "issuewild",
            "iodef",
            "issuemail",
            "issuevmc",
            "contactemail",
            "contactphone",
        ];
        let strange = |it: &&Record| it.is_critical && !known.contains(&it.tag.as_str());
        if let Some(record) = self.records.iter().find(strange) {
            let tag = SafeText::capped(&record.tag, 32);
            return forbidden(&format!("a critical property `{tag}`, which CAs do not know"));
        }
        // RFC 8659, section 4.3: for wildcards `issuewild` counts alone where there is one.
        let of = |tag: &'static str| self.records.iter().filter(move |it| it.tag == tag);
        let has_wild = is_wildcard && of("issuewild").next().is_some();
        let tag = if has_wild { "issuewild" } else { "issue" };
        let mut told = Vec::new();
        for record in of(tag) {
            let mut parts = record.value.split(';').map(str::trim);
            let issuer = parts.next().unwrap_or_default().trim_end_matches('.');
            told.push(SafeText::capped(&record.value, 200));
            let is_ours = identities.iter().any(|it| it.eq_ignore_ascii_case(issuer));
            if is_ours && parts.all(|it| permits(it, account, method)) {
                return Ruling::Allowed;
            }
        }
        match told.as_slice() {
            // Only other properties: they restrict nothing.
            [] => Ruling::Allowed,
            told => {
                let told: Vec<_> = told.iter().map(|it| format!("\"{it}\"")).collect();
                forbidden(&format!("{tag} {}", told.join(", ")))
            }
        }
    }

    /// The records, as they stand in a zone file.
    pub fn lines(&self) -> Vec<SafeText> {
        let line = |it: &Record| {
            let flags = if it.is_critical { 128 } else { 0 };
            SafeText::new(&format!("{flags} {} \"{}\"", it.tag, it.value))
        };
        self.records.iter().map(line).collect()
    }
}

#[cfg(test)]
impl Caa {
    /// The records of a name, as a test has them.
    pub fn sample(at: &str, records: &[(&str, &str)]) -> Self {
        let record = |(tag, value): &(&str, &str)| Record {
            is_critical: tag.starts_with('!'),
            tag: tag.trim_start_matches('!').to_owned(),
            value: (*value).to_owned(),
        };
        let at = (!records.is_empty()).then(|| SafeText::new(at));
        Self { at, records: records.iter().map(record).collect() }
    }
}

/// Whether one parameter of a record lets the order pass (RFC 8657, sections 3 and 4).
fn permits(parameter: &str, account: Option<&str>, method: &str) -> bool {
    let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
    let value = value.trim();
    match key.trim().to_ascii_lowercase().as_str() {
        "accounturi" => account == Some(value),
        "validationmethods" => value.split(',').any(|it| it.trim() == method),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(records: &[(&str, &str)], is_wildcard: bool, is_allowed: bool) {
        let caa = Caa::sample("a.test", records);
        let account = Some("https://ca.test/acct/1");
        let ruling = caa.judge(is_wildcard, &["ca.test"], account, "dns-01");
        assert_eq!(ruling == Ruling::Allowed, is_allowed, "{ruling:?}");
    }

    #[test]
    fn who_may_issue_is_judged_as_cas_judge() {
        assert_eq!(Caa::default().judge(false, &["x"], None, "dns-01"), Ruling::Allowed);
        check(&[("issue", "ca.test")], false, true);
        check(&[("issue", "CA.test")], true, true);
        check(&[("issue", "other.test")], false, false);
        check(&[("issue", ";")], false, false);
        check(&[("issue", "other.test"), ("issue", "ca.test")], false, true);
        check(&[("iodef", "mailto:a@b.test")], false, true);
        check(&[("issuewild", ";")], false, true);
        check(&[("issue", "ca.test"), ("issuewild", ";")], true, false);
        check(&[("!tbs", "x"), ("issue", "ca.test")], false, false);
        check(&[("tbs", "x"), ("issue", "ca.test")], false, true);
    }

    #[test]
    fn accounts_and_methods_count() {
        check(&[("issue", "ca.test; accounturi=https://ca.test/acct/1")], false, true);
        check(&[("issue", "ca.test; accounturi=https://ca.test/acct/2")], false, false);
        check(&[("issue", "ca.test;validationmethods=http-01,dns-01")], false, true);
        check(&[("issue", "ca.test;validationmethods=http-01")], false, false);
    }
}
