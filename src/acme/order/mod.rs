//! An order from its first request to its chain (RFC 8555, section 7.4). How far it is, is on the
//! disk before each request that leads on, so that it can be taken up by its URL; whatever answers
//! challenges is on the disk before it is put in place, so that it can be taken away.
//!
//! ```text
//! begun -> ordered -> placed -> triggered -> ready -> finalizing -> valid -> downloaded
//! ```
//!
//! One action has one order that is finalized: at most one certificate comes of it.

mod chain;
mod keep;
mod patience;
mod stop;

use std::time::Duration;

use futures_util::future::BoxFuture;
use instant_acme::{
    AuthorizationStatus, CertificateIdentifier, ChallengeType, Identifier, NewOrder, Order,
    OrderStatus, RetryPolicy,
};
use tokio::time::sleep;

use super::error::{Error, Problem};
use super::nonce::until_taken;
use super::{Account, Office, Stage, Step};
use crate::audit::Permit;
use crate::fleet::Fingerprint;
use crate::inventory::Issuer;
use crate::text::SafeText;

pub use keep::{Kept, Passing, Placed};
use patience::Patience;

/// What is ordered.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// From whom.
    pub issuer: &'a Issuer,
    /// Whether its staging twin is asked.
    pub is_staging: bool,
    /// Whether it ends once control is proven, without a certificate.
    pub is_rehearsal: bool,
    /// The names; a wildcard with its star.
    pub names: &'a [String],
    /// The profile that is asked for.
    pub profile: Option<&'a str>,
    /// The certificate that is replaced (RFC 9773, section 4.1).
    pub replaces: Option<&'a str>,
}

/// The request of the host, which has the key.
#[derive(Debug, Clone, Copy)]
pub struct Csr<'a> {
    /// The request in DER (RFC 2986).
    pub der: &'a [u8],
    /// SHA-256 of its public key, as `SubjectPublicKeyInfo`.
    pub spki: Fingerprint,
}

/// A challenge that waits for an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// The name, without a star.
    pub name: String,
    /// Whether it is about the wildcard of that name.
    pub is_wildcard: bool,
    /// What is asked for.
    pub kind: Kind,
    /// The token: the name of the file.
    pub token: String,
    /// What the file holds (RFC 8555, section 8.1).
    pub content: String,
    /// What the record holds (RFC 8555, section 8.4).
    pub record: String,
}

/// The challenges that can be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file at port 80.
    Http01,
    /// A record in the DNS.
    Dns01,
}

/// Why a challenge could not be answered: nothing was asked of the CA about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unanswered {
    /// What is in the way.
    pub text: SafeText,
    /// What to do about it.
    pub hint: Option<SafeText>,
}

/// What answers challenges.
pub trait Solver: Send + Sync {
    /// How control of a name is proven.
    fn kind(&self, name: &str, is_wildcard: bool) -> Kind;

    /// What would be put in place to answer a challenge. Changes nothing.
    fn prepare<'a>(
        &'a mut self,
        challenge: &'a Challenge,
    ) -> BoxFuture<'a, Result<Vec<Placed>, Unanswered>>;

    /// Puts it in place, and waits until the CA can see it. What is there already stays.
    fn place<'a>(
        &'a mut self,
        placed: &'a [Placed],
        tell: &'a mut Tell<'_>,
    ) -> BoxFuture<'a, Result<(), Unanswered>>;

    /// Takes it away, and returns what could not be.
    fn remove<'a>(
        &'a mut self,
        placed: &'a [Placed],
        tell: &'a mut Tell<'_>,
    ) -> BoxFuture<'a, Vec<Placed>>;
}

/// Who is told what happens.
pub type Tell<'a> = dyn FnMut(Step) + Send + 'a;

/// Why no certificate came of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// What the CA said, or that it said nothing.
    Ca(Error),
    /// The CA looked, and control of these names was not proven.
    Unproven {
        /// The host of the CA.
        ca: SafeText,
        /// Each name with what the CA says.
        names: Vec<(SafeText, Problem)>,
    },
    /// What answers the challenges could not be put in place, or was not seen.
    Unanswered(Unanswered),
    /// What the CA sent is not what was ordered.
    Wrong {
        /// The host of the CA.
        ca: SafeText,
        /// What is wrong with it.
        why: SafeText,
    },
    /// The CA does not come to an end with it.
    Stuck {
        /// The host of the CA.
        ca: SafeText,
        /// What it waits for.
        why: SafeText,
    },
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Ca(error)
    }
}

/// An order being carried out.
pub struct Work<'a> {
    /// Where orders are kept.
    pub office: &'a Office,
    /// The account that orders.
    pub account: &'a Account,
    /// The request of the host; without one the order ends once control is proven.
    pub csr: Option<Csr<'a>>,
    /// What answers challenges.
    pub solver: &'a mut dyn Solver,
}

impl Work<'_> {
    /// Carries an order out, from wherever it is, to its chain in PEM, or to nothing where there
    /// is no request. What was put in place to
    /// answer challenges is taken away in any case; what could not be stays in `kept`.
    ///
    /// # Errors
    /// [`Failure`]; the order that is kept then says how far it came.
    pub async fn obtain(
        &mut self,
        kept: &mut Kept,
        tell: &mut Tell<'_>,
        _permit: &Permit,
    ) -> Result<String, Failure> {
        let obtained = self.go_on(kept, tell).await;
        let cleared = clear(self.office, self.solver, kept, tell).await;
        let chain = obtained?;
        cleared?;
        Ok(chain)
    }

    async fn go_on(&mut self, kept: &mut Kept, tell: &mut Tell<'_>) -> Result<String, Failure> {
        if let Some(chain) = &kept.chain {
            return Ok(chain.clone());
        }
        let mut patience = Patience::default();
        let mut order = loop {
            match self.open(kept, tell).await {
                Ok(order) => break order,
                Err(failure) => patience.bear(failure, self.office, kept.stage, tell).await?,
            }
        };
        // Each round leads on, or waits; an order of a hundred names takes a handful.
        for _ in 0..MAX_ROUNDS {
            let step = match (order.state().status, self.csr) {
                (OrderStatus::Pending, _) => self.prove(&mut order, kept, tell).await,
                (OrderStatus::Invalid, _) => return Err(self.why(&mut order).await),
                (_, None) => return Ok(String::new()),
                (OrderStatus::Ready, Some(csr)) => self.finalize(&mut order, csr, kept, tell).await,
                (OrderStatus::Processing, _) => self.wait(&mut order, kept, tell).await,
                (OrderStatus::Valid, Some(csr)) => {
                    match self.download(&mut order, csr, kept, tell).await {
                        Ok(chain) => return Ok(chain),
                        Err(failure) => Err(failure),
                    }
                }
            };
            if let Err(failure) = step {
                patience.bear(failure, self.office, kept.stage, tell).await?;
                // What the CA made of the request that failed, it says itself.
                let ca = self.account.ca();
                until_taken!(ca, order.refresh().await.map(drop))?;
            }
        }
        Err(self.stuck("it neither goes on nor ends"))
    }

    /// The order of this action: the one that is known, or a new one.
    async fn open(&self, kept: &mut Kept, tell: &mut Tell<'_>) -> Result<Order, Failure> {
        let (library, ca) = (&self.account.library, self.account.ca());
        if let Some(url) = kept.url.clone() {
            say(tell, kept.stage, &format!("the order is taken up at {ca}"));
            let mut order = until_taken!(ca, library.order(url.clone()).await);
            let is_over = match &mut order {
                Ok(order) => order.state().status == OrderStatus::Invalid,
                Err(error) => matches!(error, Error::Problem { .. }),
            };
            if kept.passing != Passing::Adopted || !is_over {
                return Ok(order?);
            }
            say(tell, kept.stage, "it has ended there: another one is asked for");
            (kept.url, kept.stage, kept.passing) = (None, Stage::Begun, Passing::Own);
        }
        if let Some(profile) = &kept.profile {
            self.account.directory().check_profile(profile)?;
        }
        // A CA that tells no windows knows no replacements either (RFC 9773, section 5).
        if !self.account.directory().has_renewal_windows() {
            kept.replaces = None;
        }
        loop {
            say(tell, kept.stage, &format!("{ca} is asked for an order"));
            kept.write(self.office)?;
            let error = match self.ask(kept).await {
                Ok(mut order) => {
                    kept.url = Some(order.url().to_owned());
                    kept.stage = Stage::Ordered;
                    kept.write(self.office)?;
                    let count = order.state().authorizations.len();
                    let names = if count == 1 { "name" } else { "names" };
                    say(tell, kept.stage, &format!("{ca} has the order: {count} {names} to prove"));
                    return Ok(order);
                }
                Err(error) => error,
            };
            // RFC 9773, section 5: it may be refused for reasons that say nothing about the order.
            let is_refused = !matches!(error, Error::Unreached { .. } | Error::Busy { .. });
            if !is_refused || kept.replaces.take().is_none() {
                return Err(error.into());
            }
            let text = format!(
                "{ca} does not take it as a replacement ({error}): it is ordered as another one"
            );
            say(tell, kept.stage, &text);
        }
    }

    /// Asks for a new order.
    async fn ask(&self, kept: &Kept) -> Result<Order, Error> {
        let names: Vec<_> = kept.names.iter().map(|it| Identifier::Dns(it.clone())).collect();
        let mut new = NewOrder::new(&names);
        if let Some(profile) = &kept.profile {
            new = new.profile(profile);
        }
        if let Some((authority, serial)) =
            kept.replaces.as_deref().and_then(|it| it.split_once('.'))
        {
            new = new.replaces(CertificateIdentifier {
                authority_key_identifier: authority.into(),
                serial: serial.into(),
            });
        }
        until_taken!(self.account.ca(), self.account.library.new_order(&new).await)
    }

    /// Answers the challenges of the names that are not proven yet, and lets the CA look.
    async fn prove(
        &mut self,
        order: &mut Order,
        kept: &mut Kept,
        tell: &mut Tell<'_>,
    ) -> Result<(), Failure> {
        let ca = self.account.ca();
        let challenges = self.challenges(order).await?;
        if !challenges.is_empty() {
            let mut placed = Vec::new();
            for it in &challenges {
                placed.extend(self.solver.prepare(it).await.map_err(Failure::Unanswered)?);
            }
            for it in placed {
                if !kept.placed.contains(&it) {
                    kept.placed.push(it);
                }
            }
            kept.stage = Stage::Placed;
            kept.write(self.office)?;
            let answers = kept.placed.clone();
            self.solver.place(&answers, tell).await.map_err(Failure::Unanswered)?;
            kept.stage = Stage::Triggered;
            kept.write(self.office)?;
            for it in &challenges {
                let how = match it.kind {
                    Kind::Http01 => "over HTTP",
                    Kind::Dns01 => "in the DNS",
                };
                say(tell, kept.stage, &format!("{ca} looks at {} {how}", shown(it)));
                until_taken!(ca, set_ready(order, it).await)?;
            }
        }
        let retries = RetryPolicy::default().timeout(VALIDATION);
        match until_taken!(ca, order.poll_ready(&retries).await) {
            Ok(OrderStatus::Ready) => say(tell, Stage::Ready, "control of every name is proven"),
            Ok(_) => {}
            // The order itself says what became of it.
            Err(Error::Problem { .. }) => {
                until_taken!(ca, order.refresh().await.map(drop))?;
            }
            Err(Error::Late { .. }) => {
                return Err(self.stuck("it has not looked at the names within five minutes"));
            }
            Err(error) => return Err(error.into()),
        }
        clear(self.office, self.solver, kept, tell).await?;
        Ok(())
    }

    /// The challenges of the names that are not proven yet.
    async fn challenges(&self, order: &mut Order) -> Result<Vec<Challenge>, Failure> {
        let ca = self.account.ca();
        let read = until_taken!(ca, pending(order, self.solver).await);
        read?
            .into_iter()
            .map(|it| {
                it.map_err(|(name, kind)| {
                    let text = format!("{ca} does not let {name} be proven by {}", kind.name());
                    let hint = "choose the other method with --authenticator";
                    Failure::Unanswered(Unanswered {
                        text: SafeText::new(&text),
                        hint: Some(SafeText::new(hint)),
                    })
                })
            })
            .collect()
    }

    async fn finalize(
        &mut self,
        order: &mut Order,
        csr: Csr<'_>,
        kept: &mut Kept,
        tell: &mut Tell<'_>,
    ) -> Result<(), Failure> {
        let ca = self.account.ca();
        kept.stage = Stage::Finalizing;
        kept.write(self.office)?;
        say(tell, kept.stage, &format!("{ca} gets the request of the host"));
        until_taken!(ca, order.finalize_csr(csr.der).await)?;
        Ok(())
    }

    async fn wait(
        &mut self,
        order: &mut Order,
        kept: &mut Kept,
        tell: &mut Tell<'_>,
    ) -> Result<(), Failure> {
        let ca = self.account.ca();
        say(tell, kept.stage, &format!("{ca} makes the certificate"));
        let begin = tokio::time::Instant::now();
        let mut pause = Duration::from_millis(250);
        while begin.elapsed() < ISSUING {
            sleep(pause).await;
            until_taken!(ca, order.refresh().await.map(drop))?;
            if order.state().status != OrderStatus::Processing {
                return Ok(());
            }
            pause = (pause * 2).min(Duration::from_secs(5));
        }
        Err(self.stuck("it has not made the certificate within ten minutes"))
    }

    async fn download(
        &mut self,
        order: &mut Order,
        csr: Csr<'_>,
        kept: &mut Kept,
        tell: &mut Tell<'_>,
    ) -> Result<String, Failure> {
        let ca = self.account.ca();
        kept.stage = Stage::Valid;
        kept.write(self.office)?;
        let text = until_taken!(ca, order.certificate().await)?;
        let ordered =
            chain::Ordered { spki: csr.spki, names: &kept.names, now: self.office.clock.now() };
        let wrong = |why: &str| Failure::Wrong { ca: SafeText::new(ca), why: SafeText::new(why) };
        let text = text.ok_or_else(|| wrong("the order is done, and there is no certificate"))?;
        let chain = chain::check(&text, &ordered).map_err(|it| wrong(&it))?;
        kept.chain = Some(chain.clone());
        kept.stage = Stage::Downloaded;
        kept.write(self.office)?;
        say(tell, kept.stage, "the certificate is here, and is what was ordered");
        Ok(chain)
    }

    /// Why an order is invalid: what the CA saw of each name, or what it says of the whole.
    async fn why(&self, order: &mut Order) -> Failure {
        let ca = self.account.ca();
        let read = until_taken!(ca, errors(order).await);
        match read {
            Ok(names) if !names.is_empty() => {
                return Failure::Unproven { ca: SafeText::new(ca), names };
            }
            Err(error) if order.state().error.is_none() => return error.into(),
            _ => {}
        }
        match &order.state().error {
            Some(problem) => Failure::Ca(Error::Problem {
                ca: SafeText::new(ca),
                problem: Problem::read(problem, None),
            }),
            None => self.stuck("the order has ended without a certificate: it may have been left lying for too long"),
        }
    }

    fn stuck(&self, why: &str) -> Failure {
        Failure::Stuck { ca: SafeText::new(self.account.ca()), why: SafeText::new(why) }
    }
}

/// Takes away what was put in place for an order. What could not be is kept, so that the next
/// start tries again.
///
/// # Errors
/// Where that cannot be written down.
pub async fn clear(
    office: &Office,
    solver: &mut dyn Solver,
    kept: &mut Kept,
    tell: &mut Tell<'_>,
) -> Result<(), Error> {
    if kept.placed.is_empty() {
        return Ok(());
    }
    kept.placed = solver.remove(&kept.placed, tell).await;
    kept.write(office)
}

/// The challenges of the names that are not proven yet; of a name for which the CA offers none of
/// the kind that is wanted, what is wanted.
async fn pending(
    order: &mut Order,
    solver: &dyn Solver,
) -> Result<Vec<Result<Challenge, (String, Kind)>>, instant_acme::Error> {
    let mut all = order.authorizations();
    let mut found = Vec::new();
    while let Some(next) = all.next().await {
        let mut one = next?;
        if one.status != AuthorizationStatus::Pending {
            continue;
        }
        let id = one.identifier();
        let is_wildcard = id.wildcard;
        let Identifier::Dns(name) = id.identifier.clone() else { continue };
        let kind = solver.kind(&name, is_wildcard);
        let Some(it) = one.challenge(kind.library()) else {
            found.push(Err((name, kind)));
            continue;
        };
        let authorization = it.key_authorization();
        found.push(Ok(Challenge {
            name,
            is_wildcard,
            kind,
            token: it.token.clone(),
            content: authorization.as_str().to_owned(),
            record: authorization.dns_value(),
        }));
    }
    Ok(found)
}

/// What the CA says of each name that it could not verify.
async fn errors(order: &mut Order) -> Result<Vec<(SafeText, Problem)>, instant_acme::Error> {
    let mut all = order.authorizations();
    let mut names = Vec::new();
    while let Some(next) = all.next().await {
        let mut one = next?;
        let name = SafeText::capped(&one.identifier().to_string(), 255);
        let state = one.refresh().await?;
        let errors = state.challenges.iter().filter_map(|it| it.error.as_ref());
        names.extend(errors.map(|it| (name.clone(), Problem::read(it, None))));
    }
    Ok(names)
}

async fn set_ready(order: &mut Order, wanted: &Challenge) -> Result<(), instant_acme::Error> {
    let mut all = order.authorizations();
    while let Some(next) = all.next().await {
        let mut one = next?;
        if let Some(mut it) = one.challenge(wanted.kind.library())
            && it.token == wanted.token
        {
            return it.set_ready().await;
        }
    }
    Ok(())
}

impl Kind {
    /// Its name (RFC 8555, section 8).
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http01 => "http-01",
            Self::Dns01 => "dns-01",
        }
    }

    const fn library(self) -> ChallengeType {
        match self {
            Self::Http01 => ChallengeType::Http01,
            Self::Dns01 => ChallengeType::Dns01,
        }
    }
}

fn shown(it: &Challenge) -> String {
    if it.is_wildcard { format!("*.{}", it.name) } else { it.name.clone() }
}

fn say(tell: &mut Tell<'_>, stage: Stage, text: &str) {
    tell(Step { stage, text: SafeText::new(text) });
}

/// How long a CA may take to look at the names. Boulder gives up after a minute.
const VALIDATION: Duration = Duration::from_secs(300);

/// How long a CA may take to sign: ZeroSSL takes minutes at times (acme.sh, wiki "ZeroSSL.com CA").
const ISSUING: Duration = Duration::from_secs(600);

const MAX_ROUNDS: usize = 12;
