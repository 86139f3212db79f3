//! What the kernel tells: listeners, addresses, processes; and when files were changed.

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::super::Section;
use super::super::script::number;
use crate::fleet::{Listen, Moment};
use crate::text::SafeText;

/// What was told of the running system.
#[derive(Debug, Default)]
pub(super) struct System {
    pub(super) listeners: BTreeSet<Listen>,
    pub(super) addresses: BTreeSet<IpAddr>,
    pub(super) machine: Option<SafeText>,
    boot: Option<i64>,
    processes: HashMap<u32, Process>,
    units: HashMap<u32, SafeText>,
    changed: HashMap<String, Moment>,
}

#[derive(Debug, Clone, Copy)]
struct Process {
    parent: u32,
    /// Ticks after the boot.
    start: i64,
}

impl System {
    pub(super) fn read(section: &Section<'_>) -> Self {
        let mut system = Self::default();
        let look = String::from_utf8_lossy(section.body("look").unwrap_or_default());
        for line in look.lines() {
            system.take(line);
        }
        for file in section.with("file") {
            system.take_cgroup(file.key, file.body);
        }
        let mut net = None;
        let stamps = String::from_utf8_lossy(section.body("stamps").unwrap_or_default());
        for line in stamps.lines() {
            // Type and mode, inode, size, times of content and state, name.
            let mut words = line.splitn(6, ' ').skip(1);
            let (inode, changed) = (words.next(), words.nth(1));
            let Some(path) = words.nth(1) else { continue };
            if path == "/proc/self/ns/net" {
                net = inode;
                system.machine = boot(section, net);
            } else if let Some(at) = changed.and_then(|it| number(it.as_bytes())) {
                system.changed.insert(path.to_owned(), Moment::from_unix(at));
            }
        }
        // A link that was turned to another file changes what is loaded as much.
        for line in String::from_utf8_lossy(section.body("links").unwrap_or_default()).lines() {
            let Some((at, path)) = line.split_once(' ') else { continue };
            let Some(at) = number(at.as_bytes()).map(Moment::from_unix) else { continue };
            system.changed.entry(path.to_owned()).and_modify(|it| *it = at.max(*it));
        }
        if net.is_none() {
            system.machine = boot(section, None);
        }
        system
    }

    fn take(&mut self, line: &str) {
        let mut words = line.split(' ');
        match (words.next(), words.next()) {
            (Some("listen"), Some(word)) => self.listeners.extend(listener(word)),
            (Some("inet"), Some(word)) => self.addresses.extend(word.parse::<IpAddr>().ok()),
            (Some("inet6"), Some(word)) => {
                let bits = u128::from_str_radix(word, 16).ok();
                self.addresses.extend(bits.map(|it| IpAddr::V6(Ipv6Addr::from_bits(it))));
            }
            (Some("btime"), Some(word)) => self.boot = number(word.as_bytes()),
            (Some("process"), Some(pid)) => {
                let mut numbers = words.map(|it| number::<i64>(it.as_bytes()));
                let (Some(pid), Some(Some(parent)), Some(Some(start))) =
                    (number(pid.as_bytes()), numbers.next(), numbers.next())
                else {
                    return;
                };
                let Ok(parent) = u32::try_from(parent) else { return };
                self.processes.insert(pid, Process { parent, start });
            }
            _ => {}
        }
    }

    /// The unit is the last part of a path that ends so, in version 1 (`1:name=systemd:/…`) and 2
    /// (`0::/…`) of cgroups.
    fn take_cgroup(&mut self, path: &[u8], body: &[u8]) {
        // A practice host has its own `proc` below its root.
        let mut parts = path.rsplit(|it| *it == b'/');
        let (Some(b"cgroup"), Some(pid), Some(b"proc")) =
            (parts.next(), parts.next(), parts.next())
        else {
            return;
        };
        let Some(pid) = number(pid) else { return };
        let text = String::from_utf8_lossy(body);
        let mut paths = text.lines().filter_map(|it| {
            let (_, rest) = it.split_once(':')?;
            let (controller, path) = rest.split_once(':')?;
            matches!(controller, "" | "name=systemd").then_some(path)
        });
        let is_unit = |it: &&str| it.ends_with(".service");
        let unit = paths.find_map(|it| it.rsplit('/').find(is_unit));
        self.units.extend(unit.map(|it| (pid, SafeText::new(it))));
    }

    pub(super) fn unit(&self, pid: u32) -> Option<SafeText> {
        self.units.get(&pid).cloned()
    }

    /// How long after the boot a process started, in ticks.
    pub(super) fn start(&self, pid: u32) -> Option<i64> {
        self.processes.get(&pid).map(|it| it.start)
    }

    /// When the newest process of a server started: later it has not read its files.
    pub(super) fn read_by(&self, master: u32) -> Option<Moment> {
        let family = |(pid, it): &(&u32, &Process)| **pid == master || it.parent == master;
        let newest = self.processes.iter().filter(family).map(|it| it.1.start).max()?;
        Some(Moment::from_unix(self.boot?.checked_add(newest / TICKS)?))
    }

    /// When a file was changed.
    pub(super) fn changed(&self, path: &str) -> Option<Moment> {
        self.changed.get(path).copied()
    }
}

/// Ticks in a second, as Linux counts them for programs (`USER_HZ`) wherever servers run.
const TICKS: i64 = 100;

/// Two containers on one machine share its boot id, and listen each in a network of its own.
fn boot(section: &Section<'_>, net: Option<&str>) -> Option<SafeText> {
    let id = String::from_utf8_lossy(section.key("boot")?);
    let id = id.trim();
    if id.is_empty() {
        return None;
    }
    Some(net.map_or_else(|| SafeText::new(id), |it| SafeText::new(&format!("{id}/{it}"))))
}

/// An address and a port as `/proc/net/tcp` has them: the address is one word, or four words, of
/// 32 bits each in the order of the machine's bytes, which is taken to be little-endian.
fn listener(word: &str) -> Option<Listen> {
    let (address, port) = word.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let part = |at: usize| {
        let hex = address.get(at * 8..at * 8 + 8)?;
        Some(u32::from_str_radix(hex, 16).ok()?.swap_bytes())
    };
    let address = match address.len() {
        8 => IpAddr::V4(Ipv4Addr::from_bits(part(0)?)),
        32 => {
            let mut bits = 0;
            for at in 0..4 {
                bits = bits << 32 | u128::from(part(at)?);
            }
            IpAddr::V6(Ipv6Addr::from_bits(bits)).to_canonical()
        }
        _ => return None,
    };
    Some(Listen { address, port })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(word: &str, expect: &str) {
        let text = listener(word).map(|it| format!("{} {}", it.address, it.port));
        assert_eq!(text.as_deref().unwrap_or("-"), expect);
    }

    #[test]
    fn listeners_are_read_as_the_kernel_writes_them() {
        check("00000000:01BB", "0.0.0.0 443");
        check("0100007F:0050", "127.0.0.1 80");
        check("00000000000000000000000000000000:01BB", ":: 443");
        check("00000000000000000000000001000000:0016", "::1 22");
        check("0000000000000000FFFF00000100007F:2328", "127.0.0.1 9000");
        check("B80D0120000000000000000001000000:0016", "2001:db8::1 22");
        check("0100007F:10000", "-");
        check("0100007:1", "-");
        check("é100007F:1", "-");
    }
}
