//! What was ordered of a CA, as the audit log has it: enough to count it where the certificate
//! itself is gone.

use serde_json::{Value, json};

use crate::budget::{Account, Ca, NameSet, Wanted};
use crate::text::SafeText;

/// An order, for the intent of whoever places it.
pub(super) fn write(wanted: &Wanted) -> Value {
    let account = match &wanted.account {
        Account::Client(id) => format!("{CLIENT}{id}"),
        Account::Own => OWN.to_owned(),
        Account::Unknown => "unknown".to_owned(),
    };
    json!({
        "ca": wanted.ca.directory(),
        "account": account,
        "names": wanted.names.iter().take(MAX_NAMES).collect::<Vec<_>>(),
        "names-count": wanted.names.len(),
    })
}

/// Reads what an intent tells of its order; `None` where that is not enough to count it.
pub(super) fn read(value: &Value) -> Option<(Ca, NameSet, Account)> {
    let ca = value.get("ca")?.as_str()?;
    let names: Option<Vec<_>> = value.get("names")?.as_array()?.iter().map(Value::as_str).collect();
    let names = NameSet::new(names?);
    // Another set of names has another limit: one of which some were cut is of no use.
    let is_whole = value.get("names-count")?.as_u64() == u64::try_from(names.len()).ok();
    let is_whole = is_whole && names.iter().all(|it| !it.contains(['[', ' ']));
    let account = match value.get("account").and_then(Value::as_str).unwrap_or_default() {
        OWN => Account::Own,
        other => other
            .strip_prefix(CLIENT)
            .map_or(Account::Unknown, |id| Account::Client(SafeText::new(id))),
    };
    is_whole.then(|| (Ca::of_directory(ca), names, account))
}

const OWN: &str = "own";
const CLIENT: &str = "client ";
/// As many as Let's Encrypt puts into a certificate. A record has 16 KiB, and what is longer is
/// cut there.
const MAX_NAMES: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(count: usize, account: Account) -> Wanted {
        let names = NameSet::new((0..count).map(|it| format!("n{it}.example.net")));
        Wanted::new(Ca::of_directory("https://ca.test/dir"), names, account)
    }

    #[test]
    fn an_order_is_read_as_it_was_written() {
        for account in [Account::Own, Account::Unknown, Account::Client(SafeText::new("f00d"))] {
            let it = wanted(100, account);
            let read = read(&write(&it)).unwrap();
            assert_eq!(read, (it.ca, it.names, it.account));
        }
    }

    #[test]
    fn what_was_cut_is_no_set() {
        assert_eq!(read(&write(&wanted(101, Account::Own))), None);
        let mut value = write(&wanted(3, Account::Own));
        value["names"][2] = "[1 more cut]".into();
        assert_eq!(read(&value), None);
        for odd in [json!({}), json!({"ca": 1, "names": [], "names-count": 0}), Value::Null] {
            assert_eq!(read(&odd), None);
        }
        // A CA that is only known by its signatures has no directory.
        value["ca"] = Value::Null;
        assert_eq!(read(&value), None);
    }
}
