//! What can go wrong between this machine and a CA, in words for people. Everything that came
//! from outside is in it as [`SafeText`] only; nothing secret is in it at all.

use std::path::PathBuf;

use crate::fleet::Moment;
use crate::text::SafeText;
use crate::{https, secret};

/// Why something could not be done at a CA.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// What answered is no ACME server, or not one that works: a page of HTML, half an answer,
    /// more than is read.
    #[error("{ca}: {why} (HTTP {status})")]
    Answer {
        /// The host that was asked.
        ca: SafeText,
        /// The status of the answer.
        status: u16,
        /// What is wrong with it.
        why: SafeText,
    },
    /// The CA wants to be left alone for a while: 429, 503, `rateLimited`.
    #[error("{ca}: asks to be left alone until {until}{}", detail(.problem.as_ref()))]
    Busy {
        /// The host that was asked.
        ca: SafeText,
        /// The status of the answer.
        status: u16,
        /// Nothing is asked before.
        until: Moment,
        /// Whether the CA named that time; otherwise it is a guess of this program.
        is_told: bool,
        /// What it said.
        problem: Option<Problem>,
    },
    /// The DNS, or whoever writes it, did not do what an order needs.
    #[error(transparent)]
    Dns(#[from] super::desk::Error),
    /// The CA wants accounts to be bound to a customer (RFC 8555, section 7.3.4).
    #[error("{issuer}: the CA wants an external account, and the inventory names none")]
    External {
        /// The `[[issuer]]`.
        issuer: SafeText,
    },
    /// A file of this machine cannot be used.
    #[error("{}: {why}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: SafeText,
    },
    /// The library was asked for something that cannot be: a URL that is none, a key that is none.
    #[error("{ca}: {why}")]
    Impossible {
        /// The host of the CA.
        ca: SafeText,
        /// What is wrong.
        why: SafeText,
    },
    /// It answers, and has not done in time what it was waited for.
    #[error("{ca}: was not done in time")]
    Late {
        /// The host that was asked.
        ca: SafeText,
    },
    /// The account that is kept belongs to another CA than the inventory names now.
    #[error("{issuer}: the account in {} belongs to {kept}, the inventory says {directory}", .path.display())]
    Moved {
        /// The `[[issuer]]`.
        issuer: SafeText,
        /// The file of the account.
        path: PathBuf,
        /// The directory in that file.
        kept: SafeText,
        /// The directory in the inventory.
        directory: SafeText,
    },
    /// No account is kept here.
    #[error("{issuer}: there is no account{} yet", twin(*.is_staging))]
    NoAccount {
        /// The `[[issuer]]`.
        issuer: SafeText,
        /// Whether its staging twin is meant.
        is_staging: bool,
    },
    /// The CA answered as RFC 8555, section 6.7, has it.
    #[error("{ca}: {problem}")]
    Problem {
        /// The host that was asked.
        ca: SafeText,
        /// What it said.
        problem: Problem,
    },
    /// The CA offers no such profile (draft-ietf-acme-profiles, section 3).
    #[error("{ca}: offers no profile `{asked}`, {}", offers(.offered))]
    Profile {
        /// The host of the CA.
        ca: SafeText,
        /// What was asked for.
        asked: SafeText,
        /// What there is.
        offered: Vec<SafeText>,
    },
    /// A secret is not where the inventory says.
    #[error("{0}")]
    Secret(SafeText),
    /// It cannot be spoken to, or did not answer in time.
    #[error("{ca}: cannot be reached: {why}")]
    Unreached {
        /// The host that was asked.
        ca: SafeText,
        /// Why.
        why: SafeText,
    },
}

/// A problem document (RFC 7807) as CAs write them (RFC 8555, section 6.7).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problem {
    /// The type, as it was sent: `urn:ietf:params:acme:error:rateLimited`.
    pub kind: SafeText,
    /// What the CA says.
    pub detail: SafeText,
    /// The HTTP status.
    pub status: u16,
    /// Problems of single names (RFC 8555, section 6.7.1).
    pub subproblems: Vec<Subproblem>,
}

/// The problem of one name in an order of many.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subproblem {
    /// The name, if it is about one.
    pub name: Option<SafeText>,
    /// The type.
    pub kind: SafeText,
    /// What the CA says.
    pub detail: SafeText,
}

impl Problem {
    /// The type without the prefix that all of ACME's have: `rateLimited`.
    pub fn name(&self) -> &str {
        let kind = self.kind.as_str();
        kind.strip_prefix(PREFIX).unwrap_or(kind)
    }

    /// As the library read it. The status of the answer counts where the document names none.
    pub(super) fn read(problem: &instant_acme::Problem, status: Option<u16>) -> Self {
        let subproblems = problem.subproblems.iter().take(MAX_SUBPROBLEMS).map(|it| Subproblem {
            name: it
                .identifier
                .as_ref()
                .map(|it| SafeText::capped(&it.authorized(false).to_string(), 253)),
            kind: text(it.r#type.as_deref()),
            detail: text(it.detail.as_deref()),
        });
        Self {
            kind: text(problem.r#type.as_deref()),
            detail: text(problem.detail.as_deref()),
            status: status.or(problem.status).unwrap_or_default(),
            subproblems: subproblems.collect(),
        }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.detail.is_empty(), self.kind.is_empty()) {
            (false, false) => write!(f, "{} ({})", self.detail, self.name()),
            (false, true) => write!(f, "{}", self.detail),
            (true, false) => write!(f, "{}", self.name()),
            (true, true) => write!(f, "HTTP {}, without a reason", self.status),
        }
    }
}

impl Error {
    /// What to try, in one line.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::Answer { .. } => {
                "see the CA's status page; if this is no ACME directory, correct it in the inventory"
            }
            Self::Busy { .. } => "wait until then, or order from another issuer of the inventory",
            Self::Dns(it) => it.hint(),
            Self::External { .. } => {
                "get a key from the CA, set `eab-kid` and `secret-file` of this [[issuer]]"
            }
            Self::Impossible { .. } | Self::File { .. } => return None,
            Self::Late { .. } => "see the CA's status page; order from another issuer meanwhile",
            Self::Moved { .. } => {
                "give the new directory an [[issuer]] of its own, or move that file away"
            }
            Self::NoAccount { .. } => "`certdeck issuer register NAME` makes one",
            Self::Problem { problem, .. } => match problem.name() {
                "accountDoesNotExist" => "restore a backup, or move the file away and register",
                "unauthorized" if problem.detail.as_str().contains("deactivated") => {
                    "the account is closed: move its file away, then `certdeck issuer register NAME`"
                }
                "invalidContact" | "unsupportedContact" => "correct `contact` of this [[issuer]]",
                "externalAccountRequired" => {
                    "set `eab-kid` and `secret-file` of this [[issuer]] to what the CA gives out"
                }
                _ => return None,
            },
            Self::Profile { .. } => "choose one of those, or none",
            Self::Secret(_) => "see `secret-file`, `secret-env`, `secret-command` in the inventory",
            Self::Unreached { why, .. } if why.as_str().contains("certificate") => {
                "if the CA is your own, name its root in `roots` of this [[issuer]]"
            }
            Self::Unreached { .. } => {
                "see that this machine can reach it, or order from another issuer of the inventory"
            }
        })
    }

    /// What the CA said, if it did.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Problem { problem, .. } => Some(problem),
            Self::Busy { problem, .. } => problem.as_ref(),
            _ => None,
        }
    }

    /// Whether the CA said that.
    pub fn is(&self, name: &str) -> bool {
        self.problem().is_some_and(|it| it.name() == name)
    }

    /// What the library has to say about a CA; what our own transport said comes out as it was.
    pub(super) fn of(error: instant_acme::Error, ca: &str) -> Self {
        let ca = SafeText::capped(ca, 253);
        match error {
            instant_acme::Error::Api(problem) => {
                Self::Problem { ca, problem: Problem::read(&problem, None) }
            }
            instant_acme::Error::Json(it) => Self::Answer {
                ca,
                // Answers that are none are kept back before the library reads them.
                status: 200,
                why: SafeText::new(&format!("answers with what is no ACME: {it}")),
            },
            instant_acme::Error::Timeout(_) => Self::Late { ca },
            instant_acme::Error::Other(it) => match it.downcast::<Self>() {
                Ok(ours) => *ours,
                Err(it) => Self::Impossible { ca, why: SafeText::new(&it.to_string()) },
            },
            it => Self::Impossible { ca, why: SafeText::new(&it.to_string()) },
        }
    }
}

impl From<secret::Error> for Error {
    fn from(error: secret::Error) -> Self {
        Self::Secret(error.0)
    }
}

impl From<https::Error> for Error {
    fn from(error: https::Error) -> Self {
        match error {
            https::Error::File { path, why } => Self::File { path, why },
            https::Error::Tls(why) => Self::Impossible { ca: SafeText::new("TLS"), why },
        }
    }
}

impl From<Error> for instant_acme::Error {
    /// The way through the library, out of which [`Error::of`] takes it again.
    fn from(error: Error) -> Self {
        Self::Other(Box::new(error))
    }
}

fn text(text: Option<&str>) -> SafeText {
    text.map(SafeText::new).unwrap_or_default()
}

fn detail(problem: Option<&Problem>) -> String {
    problem.map(|it| format!(": {it}")).unwrap_or_default()
}

fn twin(is_staging: bool) -> &'static str {
    if is_staging { " at its staging twin" } else { "" }
}

fn offers(offered: &[SafeText]) -> String {
    let names: Vec<_> = offered.iter().map(SafeText::as_str).collect();
    if names.is_empty() { "none at all".to_owned() } else { format!("only {}", names.join(", ")) }
}

/// What the types of ACME begin with (RFC 8555, section 6.7).
const PREFIX: &str = "urn:ietf:params:acme:error:";
/// As many names as a certificate of Let's Encrypt may have.
const MAX_SUBPROBLEMS: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_ca_says_is_safe_and_short_of_its_prefix() {
        let json = r#"{"type": "urn:ietf:params:acme:error:malformed", "detail": "a\u001b[2Jb",
            "subproblems": [{"identifier": {"type": "dns", "value": "a\u202e.test"},
                             "type": "urn:ietf:params:acme:error:dns", "detail": "no"}]}"#;
        let problem = Problem::read(&serde_json::from_str(json).unwrap(), Some(400));
        assert_eq!((problem.name(), problem.status), ("malformed", 400));
        let error = Error::Problem { ca: SafeText::new("ca.test"), problem };
        assert_eq!(error.to_string(), "ca.test: a^[[2Jb (malformed)");
        assert!(error.is("malformed"));
        let name = error.problem().unwrap().subproblems[0].name.clone().unwrap();
        assert_eq!(name, "a<U+202E>.test");
    }

    #[test]
    fn our_own_errors_pass_through_the_library() {
        let ours = Error::Unreached { ca: SafeText::new("ca.test"), why: SafeText::new("refused") };
        assert_eq!(Error::of(ours.clone().into(), "elsewhere"), ours);
        let json = serde_json::from_str::<u8>("<html>").unwrap_err();
        let broken = Error::of(instant_acme::Error::Json(json), "ca.test");
        assert!(
            broken.to_string().starts_with("ca.test: answers with what is no ACME"),
            "{broken}"
        );
    }

    #[test]
    fn errors_are_read_aloud() {
        let busy = Error::Busy {
            ca: SafeText::new("ca.test"),
            status: 429,
            until: Moment::from_unix(1_795_403_564),
            is_told: true,
            problem: None,
        };
        assert_eq!(busy.to_string(), "ca.test: asks to be left alone until 2026-11-23T03:12:44Z");
        let offered = ["classic", "shortlived"].map(SafeText::new).to_vec();
        let [ca, asked] = ["ca.test", "long"].map(SafeText::new);
        let profile = Error::Profile { ca, asked, offered };
        assert_eq!(
            profile.to_string(),
            "ca.test: offers no profile `long`, only classic, shortlived"
        );
    }
}
