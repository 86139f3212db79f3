//! Whom to call about a run that has gone on for long.

use crate::fleet::HostName;
use crate::inventory::Inventory;

/// Whom to call about these hosts, line by line: the owners and runbooks of their groups.
pub fn whom_to_call(hosts: &[HostName], inventory: &Inventory) -> Vec<String> {
    let told = hosts.iter().filter_map(|it| inventory.host(it.as_str()));
    let names: Vec<&String> = told.flat_map(|it| &it.groups).collect();
    let groups = inventory.groups.iter().filter(|it| names.contains(&&it.name));
    let mut lines = Vec::new();
    let mut is_known = false;
    for it in groups {
        if let Some(owner) = &it.owner {
            is_known = true;
            lines.push(format!("Call     {owner} (group {})", it.name));
        }
        lines.extend(it.runbook.iter().map(|it| format!("Runbook  {it}")));
    }
    if !is_known {
        let text = "Call     whoever owns these hosts: no group of them names an `owner`";
        lines.push(text.to_owned());
    }
    lines
}
