//! The grammar of single values: what a host, a user, a URL, a length of time may look like, and
//! how to say in words why something is none. The same definitions make the JSON Schema.

use std::borrow::Cow;
use std::marker::PhantomData;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error as _};

use super::Door;
use crate::budget::Limit;
use crate::fleet::{self, DAY, Moment, seconds};
use crate::text::SafeText;

/// Text that keeps to the grammar `G`.
#[derive(Debug, Clone)]
pub(super) struct Checked<G>(String, PhantomData<G>);

/// What texts of one kind look like.
pub(super) trait Grammar {
    /// What it is, with its article.
    const NAME: &'static str;
    /// The same rule for editors, as far as ECMA-262 can say it.
    const PATTERN: &'static str;
    /// Why a text is none.
    fn fault(text: &str) -> Option<String>;
}

/// The name of a host or what ssh is given. The ssh client is called without `--`, so what
/// begins with a dash would be an option.
#[derive(Debug, Clone)]
pub(super) enum HostText {}

/// An IP address.
#[derive(Debug, Clone, Copy)]
pub(super) enum AddressText {}

/// An IP address or a name, perhaps with a port.
#[derive(Debug, Clone, Copy)]
pub(super) enum DoorText {}
/// A user as ssh and useradd(8) take it.
#[derive(Debug, Clone)]
pub(super) enum UserText {}
/// Text that people read.
#[derive(Debug, Clone)]
pub(super) enum LabelText {}
/// A path; `~` at the beginning is the home folder.
#[derive(Debug, Clone)]
pub(super) enum PathText {}
/// A command line.
#[derive(Debug, Clone)]
pub(super) enum CommandText {}
/// The name of an environment variable (POSIX, section 8.1).
#[derive(Debug, Clone)]
pub(super) enum VariableText {}
/// Where an ACME directory is.
#[derive(Debug, Clone)]
pub(super) enum UrlText {}
/// Where a server is that is asked over HTTP.
#[derive(Debug, Clone)]
pub(super) enum ServerText {}
/// The URL of a webhook.
#[derive(Debug, Clone)]
pub(super) enum HookUrlText {}
/// The URL of a store of secrets.
#[derive(Debug, Clone)]
pub(super) enum StoreUrlText {}
/// A length of time.
#[derive(Debug, Clone)]
pub(super) enum LengthText {}
/// A length of time, or never.
#[derive(Debug, Clone)]
pub(super) enum PatienceText {}
/// So many in a length of time.
#[derive(Debug, Clone)]
pub(super) enum RateText {}
/// A mail address, as CAs take one.
#[derive(Debug, Clone)]
pub(super) enum MailText {}
/// The address of a DNS server, perhaps with a port.
#[derive(Debug, Clone)]
pub(super) enum SocketText {}

impl<G> Checked<G> {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn into_string(self) -> String {
        self.0
    }
}

impl Checked<RateText> {
    pub(super) fn limit(&self) -> Option<Limit> {
        Limit::parse(&self.0)
    }
}

impl Checked<PatienceText> {
    /// How many seconds; `None` is never.
    pub(super) fn seconds(&self) -> Option<i64> {
        seconds(&self.0)
    }
}

impl Checked<LengthText> {
    pub(super) fn duration(&self) -> Duration {
        let length = seconds(&self.0).and_then(|it| u64::try_from(it).ok());
        Duration::from_secs(length.unwrap_or_default())
    }
}

impl<'de, G: Grammar> Deserialize<'de> for Checked<G> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match G::fault(&text) {
            None => Ok(Self(text, PhantomData)),
            Some(fault) => Err(D::Error::custom(fault)),
        }
    }
}

impl<G: Grammar> JsonSchema for Checked<G> {
    fn schema_name() -> Cow<'static, str> {
        G::NAME.into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": G::PATTERN })
    }
}

impl Grammar for HostText {
    const NAME: &'static str = "a host name";
    const PATTERN: &'static str = "^[A-Za-z0-9._:][A-Za-z0-9._:-]{0,252}$";

    fn fault(text: &str) -> Option<String> {
        let wrong = |c: &char| !(c.is_ascii_alphanumeric() || "._:-".contains(*c));
        sized("a host name", text, 253).or_else(|| {
            if text.starts_with('-') {
                Some("a host name cannot begin with `-`: ssh would take it for an option".into())
            } else if text.contains('@') {
                Some("a host name cannot hold `@`: the user goes into `user = \"…\"`".into())
            } else {
                text.chars().find(wrong).map(|c| {
                    format!(
                        "a host name cannot hold {}: only letters, digits and `.` `_` `:` `-`",
                        quoted(c)
                    )
                })
            }
        })
    }
}

impl Grammar for AddressText {
    const NAME: &'static str = "an IP address";
    const PATTERN: &'static str = "^[0-9A-Fa-f:.]{2,45}$";

    fn fault(text: &str) -> Option<String> {
        let is_one = text.parse::<IpAddr>().is_ok();
        (!is_one).then(|| "this is no IP address: write it as 127.0.0.2 or ::1".into())
    }
}

impl Grammar for DoorText {
    const NAME: &'static str = "an address, or a name";
    const PATTERN: &'static str =
        r"^(\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?|[A-Za-z0-9._:][A-Za-z0-9._:-]{0,258})$";

    fn fault(text: &str) -> Option<String> {
        match Door::parse(text) {
            Some(_) => None,
            None => Some(
                "expected an address or a name, perhaps with a port: 192.0.2.10, \
                 [2001:db8::1]:8443, lb.example.net"
                    .into(),
            ),
        }
    }
}

impl Door {
    /// Reads `192.0.2.10`, `2001:db8::1`, `[2001:db8::1]:8443`, `lb.example.net:443`.
    fn parse(text: &str) -> Option<Self> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Some(Self { host: address.to_string(), port: None });
        }
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (address, rest) = rest.split_once(']')?;
                address.parse::<Ipv6Addr>().ok()?;
                (address, if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) })
            }
            None => match text.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        let port = match port {
            Some(port) => Some(port.parse().ok().filter(|it| *it > 0)?),
            None => None,
        };
        let is_host = host.parse::<Ipv6Addr>().is_ok() || HostText::fault(host).is_none();
        is_host.then(|| Self { host: host.to_owned(), port })
    }
}

impl Checked<AddressText> {
    pub(super) fn address(&self) -> Option<IpAddr> {
        self.0.parse().ok()
    }
}

impl Grammar for SocketText {
    const NAME: &'static str = "the address of a DNS server";
    const PATTERN: &'static str =
        r"^(\[[0-9A-Fa-f:.]{2,45}\]:[0-9]{1,5}|[0-9.]{7,15}(:[0-9]{1,5})?|[0-9A-Fa-f:.]{2,45})$";

    fn fault(text: &str) -> Option<String> {
        let hint = "expected an IP address, perhaps with a port: 192.0.2.1, [2001:db8::1]:5353";
        socket(text).is_none().then(|| hint.to_owned())
    }
}

impl Checked<SocketText> {
    pub(super) fn socket(&self) -> Option<SocketAddr> {
        socket(&self.0)
    }
}

/// An address with its port; without one, that of the DNS.
fn socket(text: &str) -> Option<SocketAddr> {
    let bare = text.parse::<IpAddr>().map(|it| SocketAddr::new(it, 53));
    text.parse().ok().or_else(|| bare.ok())
}

impl Checked<DoorText> {
    pub(super) fn door(&self) -> Option<Door> {
        Door::parse(&self.0)
    }
}

impl Grammar for UserText {
    const NAME: &'static str = "a user name";
    const PATTERN: &'static str = "^[a-z_][a-z0-9_.-]{0,31}$";

    fn fault(text: &str) -> Option<String> {
        let first = |c: &char| !(c.is_ascii_lowercase() || *c == '_');
        let other = |c: &char| first(c) && !(c.is_ascii_digit() || ".-".contains(*c));
        sized("a user name", text, 32).or_else(|| {
            if let Some(c) = text.chars().next().filter(first) {
                let c = quoted(c);
                return Some(format!("a user name begins with a small letter or `_`, not {c}"));
            }
            text.chars().find(other).map(|c| {
                format!(
                    "a user name cannot hold {}: only small letters, digits and `_` `.` `-`",
                    quoted(c)
                )
            })
        })
    }
}

impl Grammar for LabelText {
    const NAME: &'static str = "text";
    const PATTERN: &'static str = r"^[^\u0000-\u001f\u007f]{1,253}$";

    fn fault(text: &str) -> Option<String> {
        sized("this text", text, 253).or_else(|| unseen("this text", text))
    }
}

impl Grammar for PathText {
    const NAME: &'static str = "a path";
    const PATTERN: &'static str = r"^[^\u0000-\u001f\u007f]{1,4096}$";

    fn fault(text: &str) -> Option<String> {
        // PATH_MAX of Linux.
        sized("a path", text, 4096).or_else(|| unseen("a path", text))
    }
}

impl Grammar for CommandText {
    const NAME: &'static str = "a command";
    const PATTERN: &'static str = r"\S";

    fn fault(text: &str) -> Option<String> {
        if text.trim().is_empty() {
            return Some("a command cannot be empty".into());
        }
        text.contains('\0').then(|| "a command cannot hold `^@` (NUL)".into())
    }
}

impl Grammar for VariableText {
    const NAME: &'static str = "the name of an environment variable";
    const PATTERN: &'static str = "^[A-Za-z_][A-Za-z0-9_]*$";

    fn fault(text: &str) -> Option<String> {
        let is_name = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        // The value is not repeated: it may be the secret itself.
        let fault = "this is not the name of an environment variable: \
                     letters, digits and `_`, the first no digit";
        (!is_name).then(|| fault.into())
    }
}

impl Grammar for UrlText {
    const NAME: &'static str = "the URL of an ACME directory";
    const PATTERN: &'static str = URL;

    fn fault(text: &str) -> Option<String> {
        url_fault(text, "an ACME directory")
    }
}

impl Grammar for HookUrlText {
    const NAME: &'static str = "the URL of a webhook";
    const PATTERN: &'static str = URL;

    fn fault(text: &str) -> Option<String> {
        url_fault(text, "a webhook")
    }
}

impl Grammar for StoreUrlText {
    const NAME: &'static str = "the URL of a store of secrets";
    const PATTERN: &'static str = URL;

    fn fault(text: &str) -> Option<String> {
        url_fault(text, "a store of secrets")
    }
}

/// What a URL looks like that may be spoken to.
const URL: &str =
    r"^(https://[^/?#@\s]|http://(localhost|127(\.[0-9]{1,3}){3}|\[::1\])([:/]|$))[^@\s]*$";

fn url_fault(text: &str, what: &str) -> Option<String> {
    let Some((scheme, rest)) = text.split_once("://") else {
        return Some("expected a URL that begins with `https://`".into());
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.is_empty() || text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Some(format!("this is not the URL of {what}"));
    }
    if authority.contains('@') {
        return Some("a URL cannot hold a user or a password here".into());
    }
    match scheme {
        "https" => None,
        "http" if is_loopback(authority) => None,
        "http" => Some(format!("{what} needs `https`; `http` only on this machine")),
        _ => Some("expected a URL that begins with `https://`".into()),
    }
}

impl Grammar for PatienceText {
    const NAME: &'static str = "a length of time, or never";
    const PATTERN: &'static str = "^([0-9]+(\\.[0-9]+)?[smh]|never)$";

    fn fault(text: &str) -> Option<String> {
        match seconds(text) {
            _ if text == "never" => None,
            Some(1..=DAY) => None,
            Some(_) => Some("expected a length of time up to 24h, or \"never\"".into()),
            None => Some("expected a length of time, as in \"30m\", or \"never\"".into()),
        }
    }
}

impl Grammar for ServerText {
    const NAME: &'static str = "the URL of a server";
    const PATTERN: &'static str = r"^https?://[^/?#@\s]+(/[^?#@\s]*)?$";

    fn fault(text: &str) -> Option<String> {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let Some(rest) = rest else {
            return Some("expected a URL that begins with `https://` or `http://`".into());
        };
        let is_odd = |it: char| it.is_whitespace() || it.is_control() || matches!(it, '?' | '#');
        if rest.split('/').next().unwrap_or_default().is_empty() || rest.contains(is_odd) {
            return Some("this is not the URL of a server".into());
        }
        rest.contains('@').then(|| "a URL cannot hold a user or a password here".into())
    }
}

impl Checked<ServerText> {
    /// Whether what is sent there can be read on the way.
    pub(super) fn is_open(&self) -> bool {
        let rest = self.0.strip_prefix("http://");
        rest.is_some_and(|it| !is_loopback(it.split('/').next().unwrap_or_default()))
    }
}

impl Grammar for LengthText {
    const NAME: &'static str = "a length of time";
    const PATTERN: &'static str = "^[0-9]+(\\.[0-9]+)?[smh]$";

    fn fault(text: &str) -> Option<String> {
        match seconds(text) {
            Some(1..=3600) => None,
            Some(_) => Some("a timeout lies between 1s and 1h".into()),
            None => Some("expected a length of time, as in \"10s\" or \"2m\"".into()),
        }
    }
}

impl Grammar for RateText {
    const NAME: &'static str = "a rate";
    const PATTERN: &'static str = "^ *[0-9]+ */ *[0-9]+ *[smhd] *$";

    fn fault(text: &str) -> Option<String> {
        match Limit::parse(text) {
            Some(_) => None,
            None => Some("expected so many in a length of time, as in \"300/3h\"".into()),
        }
    }
}

impl Grammar for MailText {
    const NAME: &'static str = "a mail address";
    const PATTERN: &'static str = r"^[^@\s,?:]+@[^@\s,?:]+$";

    /// One address without header fields: more than that is refused by CAs (RFC 8555, section
    /// 7.3).
    fn fault(text: &str) -> Option<String> {
        let is_part = |it: &str| {
            !it.is_empty() && !it.contains(|c: char| c.is_whitespace() || ",?:@".contains(c))
        };
        let is_one = text.split_once('@').is_some_and(|(who, at)| is_part(who) && is_part(at));
        if !is_one {
            return Some("expected a mail address, as in \"ops@example.net\"".into());
        }
        sized("a mail address", text, 253).or_else(|| unseen("a mail address", text))
    }
}

/// A whole number from `MIN` to `MAX`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Count<const MIN: u16, const MAX: u16>(u16);

impl<const MIN: u16, const MAX: u16> Count<MIN, MAX> {
    pub(super) fn value(self) -> u16 {
        self.0
    }
}

impl<'de, const MIN: u16, const MAX: u16> Deserialize<'de> for Count<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = i64::deserialize(deserializer)?;
        match u16::try_from(number) {
            Ok(it) if (MIN..=MAX).contains(&it) => Ok(Self(it)),
            _ => Err(D::Error::custom(format!("expected a number from {MIN} to {MAX}"))),
        }
    }
}

impl<const MIN: u16, const MAX: u16> JsonSchema for Count<MIN, MAX> {
    fn schema_name() -> Cow<'static, str> {
        format!("a number from {MIN} to {MAX}").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": MIN, "maximum": MAX })
    }
}

/// A TOML date, or a date and time with an offset.
#[derive(Debug, Clone, Copy)]
pub(super) struct Day(Moment);

impl Day {
    pub(super) fn moment(self) -> Moment {
        self.0
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let datetime = toml::value::Datetime::deserialize(deserializer)
            .map_err(|_| D::Error::custom("expected a date without quotes, as in `2027-02-01`"))?;
        if datetime.date.is_some() && datetime.time.is_some() && datetime.offset.is_none() {
            let fault = "a time needs its offset from UTC, as in `2027-02-01T12:00:00Z`";
            return Err(D::Error::custom(fault));
        }
        let moment = Moment::parse(&datetime.to_string());
        moment.map(Self).ok_or_else(|| {
            D::Error::custom("expected a date, as in `2027-02-01`, or a date and time")
        })
    }
}

impl JsonSchema for Day {
    fn schema_name() -> Cow<'static, str> {
        "a date".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        // Editors hand TOML dates to a schema as text.
        json_schema!({
            "type": "string",
            "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ][0-9:.]+([Zz]|[+-][0-9]{2}:[0-9]{2}))?$",
        })
    }
}

/// A kind of thing that expires, by its word.
#[derive(Debug, Clone, Copy)]
pub(super) struct ExpiryKind(fleet::ExpiryKind);

impl ExpiryKind {
    pub(super) fn kind(self) -> fleet::ExpiryKind {
        self.0
    }

    fn words() -> [&'static str; 4] {
        fleet::ExpiryKind::ALL.map(fleet::ExpiryKind::word)
    }
}

impl<'de> Deserialize<'de> for ExpiryKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        fleet::ExpiryKind::named(&word).map(Self).ok_or_else(|| {
            let (word, known) = (SafeText::new(&word), Self::words().join(", "));
            D::Error::custom(format!("unknown kind `{word}`, expected one of {known}"))
        })
    }
}

impl JsonSchema for ExpiryKind {
    fn schema_name() -> Cow<'static, str> {
        "a kind of thing that expires".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "enum": Self::words() })
    }
}

/// Whether a URL's host and port are on this machine.
fn is_loopback(authority: &str) -> bool {
    if authority.starts_with('[') {
        return authority == "[::1]" || authority.starts_with("[::1]:");
    }
    let host = authority.split(':').next().unwrap_or_default();
    host == "localhost"
        || host.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_loopback())
}

fn sized(what: &str, text: &str, max: usize) -> Option<String> {
    if text.is_empty() {
        return Some(format!("{what} cannot be empty"));
    }
    (text.chars().count() > max).then(|| format!("{what} has at most {max} characters"))
}

/// A fault where text would look different from what it is.
fn unseen(what: &str, text: &str) -> Option<String> {
    let is_unseen = |c: &char| SafeText::new(c.encode_utf8(&mut [0; 4])).as_str().chars().ne([*c]);
    text.chars().find(is_unseen).map(|c| format!("{what} cannot hold {}", quoted(c)))
}

/// A character so that it can be seen.
fn quoted(c: char) -> String {
    match c {
        ' ' => "a blank".into(),
        '`' => "a backtick".into(),
        _ => format!("`{}`", SafeText::new(&c.to_string())),
    }
}
