//! Accounts at CAs: made, restored, given a new key, backed up, closed.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use instant_acme::{
    Account as Library, AccountBuilder, AccountCredentials, ExternalAccountKey, Key, NewAccount,
};
use rustls_pki_types::PrivateKeyDer;
use zeroize::Zeroizing;

use super::Office;
use super::directory::{Directory, ca_of, url_of};
use super::error::Error;
use super::http::Http;
use super::keep::{self, Kept};
use super::nonce::until_taken;
use crate::audit::Permit;
use crate::inventory::Issuer;
use crate::secret::Secret;
use crate::text::SafeText;

/// An account, ready to order with.
pub struct Account {
    pub(super) library: Library,
    directory: Directory,
}

/// What is known of an account without asking anybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The file in which it is kept.
    pub path: PathBuf,
    /// Its URL at the CA.
    pub url: SafeText,
    /// Where the CA writes to: mail addresses.
    pub contact: Vec<SafeText>,
    /// When it was made, RFC 3339.
    pub made: SafeText,
    /// The thumbprint of its key (RFC 7638).
    pub thumbprint: SafeText,
}

impl Account {
    /// Its URL at the CA.
    pub fn url(&self) -> &str {
        self.library.id()
    }

    /// What its CA offers.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// The host of its CA.
    pub fn ca(&self) -> &str {
        self.directory.ca.as_str()
    }

    /// The profiles that its CA offers, with what they are said to be.
    pub fn profiles(&self) -> &[(SafeText, SafeText)] {
        &self.directory.profiles
    }
}

/// What is kept of an issuer's account, or of that at its staging twin.
///
/// # Errors
/// Where the file cannot be used, or belongs to another CA than the inventory names.
pub fn known(office: &Office, issuer: &Issuer, is_staging: bool) -> Result<Option<Record>, Error> {
    let path = keep::path_of(office, issuer, is_staging);
    let Some(kept) = read(office, issuer, is_staging)? else { return Ok(None) };
    let contact = kept.contact.iter();
    Ok(Some(Record {
        path,
        url: SafeText::new(&kept.account),
        contact: contact
            .map(|it| SafeText::new(it.strip_prefix("mailto:").unwrap_or(it)))
            .collect(),
        made: SafeText::new(&kept.made),
        thumbprint: SafeText::new(&kept.thumbprint),
    }))
}

/// Opens the account of an issuer: the one that is kept, or else a new one, with this contact or
/// that of the inventory. Whoever makes one agrees to the terms of the CA.
///
/// # Errors
/// [`Error::Moved`] if the account that is kept belongs to another directory than the inventory
/// has now; [`Error::External`] if the CA wants an external account; what the CA says.
pub async fn open(
    office: &Office,
    issuer: &Issuer,
    is_staging: bool,
    contact: Option<&str>,
    _permit: &Permit,
) -> Result<Account, Error> {
    let _held = keep::lock(office).await?;
    let url = url_of(issuer, is_staging)?;
    let http = Http::of(office, issuer)?;
    let directory = Directory::get(&http, url).await?;
    let ca = directory.ca.clone();
    if let Some(kept) = read(office, issuer, is_staging)? {
        let library = library(&http, kept.credentials, ca.as_str()).await?;
        return Ok(Account { library, directory });
    }
    let external = external(issuer, &directory).await?;
    let contact = contact.or(issuer.contact.as_deref());
    let contact: Vec<String> = contact.iter().map(|it| format!("mailto:{it}")).collect();
    let contacts: Vec<&str> = contact.iter().map(String::as_str).collect();
    let new = NewAccount {
        contact: &contacts,
        terms_of_service_agreed: true,
        only_return_existing: false,
    };
    let made = until_taken!(ca.as_str(), {
        builder(&http).create(&new, url.to_owned(), external.as_ref()).await
    });
    let (library, credentials) = made.map_err(|it| match it {
        it if it.is("externalAccountRequired") && external.is_none() => {
            Error::External { issuer: SafeText::new(&issuer.name) }
        }
        it => it,
    })?;
    let made = office.clock.now().to_string();
    let kept = Kept {
        version: keep::VERSION,
        directory: url.to_owned(),
        account: library.id().to_owned(),
        contact,
        made,
        thumbprint: library.key_thumbprint().to_owned(),
        credentials,
    };
    kept.write(&keep::path_of(office, issuer, is_staging))?;
    Ok(Account { library, directory })
}

/// Registers the key that is kept once more, at a CA that says that it does not know its account:
/// one that has lost its memory, as private CAs do. A CA that knows the key after all answers with
/// the account that it has (RFC 8555, section 7.3.1).
///
/// # Errors
/// Where the CA wants external accounts, which only a person can bind anew; what the CA says.
pub async fn register_again(
    office: &Office,
    issuer: &Issuer,
    is_staging: bool,
    _permit: &Permit,
) -> Result<Account, Error> {
    let _held = keep::lock(office).await?;
    let url = url_of(issuer, is_staging)?;
    let http = Http::of(office, issuer)?;
    let directory = Directory::get(&http, url).await?;
    if directory.is_external_required {
        return Err(Error::External { issuer: SafeText::new(&issuer.name) });
    }
    let mut kept = needed(office, issuer, is_staging)?;
    let ca = directory.ca.clone();
    let made = until_taken!(ca.as_str(), made_with_key(&http, url, &kept).await);
    let (library, credentials) = made?;
    library.id().clone_into(&mut kept.account);
    kept.credentials = credentials;
    kept.write(&keep::path_of(office, issuer, is_staging))?;
    Ok(Account { library, directory })
}

/// Asks the CA whether it knows the account and lets it work; its URL.
pub async fn check(office: &Office, issuer: &Issuer, is_staging: bool) -> Result<SafeText, Error> {
    let kept = needed(office, issuer, is_staging)?;
    let http = Http::of(office, issuer)?;
    ask(&http, url_of(issuer, is_staging)?, &kept).await
}

/// Gives the account a new key (RFC 8555, section 7.3.5). The old one is kept as `.prev`; the
/// CA does not take it any more.
///
/// # Errors
/// Where the answer of the CA is lost, the CA is asked which key it knows: an error then says
/// whether the old one is still good.
pub async fn roll(
    office: &Office,
    issuer: &Issuer,
    is_staging: bool,
    _permit: &Permit,
) -> Result<Record, Error> {
    let _held = keep::lock(office).await?;
    let kept = needed(office, issuer, is_staging)?;
    let url = url_of(issuer, is_staging)?;
    let http = Http::of(office, issuer)?;
    let ca = ca_of(url);
    let Kept { directory, account, contact, made, credentials, .. } = kept;
    let mut library = library(&http, credentials, ca.as_str()).await?;
    let rolled = until_taken!(ca.as_str(), library.update_key().await);
    match rolled {
        Ok(credentials) => {
            let thumbprint = library.key_thumbprint().to_owned();
            let version = keep::VERSION;
            let kept = Kept { version, directory, account, contact, made, thumbprint, credentials };
            kept.write(&keep::path_of(office, issuer, is_staging))?;
        }
        Err(error @ (Error::Unreached { .. } | Error::Answer { .. })) => {
            // The CA may have taken the new key, which nobody has any more.
            return Err(match check(office, issuer, is_staging).await {
                Err(it) if it.is("accountDoesNotExist") => it,
                _ => error,
            });
        }
        Err(error) => return Err(error),
    }
    known(office, issuer, is_staging)?.ok_or_else(|| none(issuer, is_staging))
}

/// Copies the account into a new file, 0600, and sees that the CA knows what stands there: the
/// account's URL.
pub async fn backup(
    office: &Office,
    issuer: &Issuer,
    is_staging: bool,
    file: &Path,
    _permit: &Permit,
) -> Result<SafeText, Error> {
    needed(office, issuer, is_staging)?.copy_to(file)?;
    let copy = Kept::read(file)?.ok_or_else(|| none(issuer, is_staging))?;
    let http = Http::of(office, issuer)?;
    ask(&http, url_of(issuer, is_staging)?, &copy).await
}

/// Takes the account out of a backup, once the CA has said that it knows it. What was there is
/// kept as `.prev`.
pub async fn restore(
    office: &Office,
    issuer: &Issuer,
    is_staging: bool,
    file: &Path,
    _permit: &Permit,
) -> Result<Record, Error> {
    let _held = keep::lock(office).await?;
    let kept = Kept::read(file)?.ok_or_else(|| Error::File {
        path: file.to_owned(),
        why: SafeText::new("there is no such file"),
    })?;
    fits(&kept, file, issuer, is_staging)?;
    let http = Http::of(office, issuer)?;
    let url = ask(&http, url_of(issuer, is_staging)?, &kept).await?;
    if url != kept.account.as_str() {
        let why = SafeText::new(&format!("the CA knows this key as {url}"));
        return Err(Error::File { path: file.to_owned(), why });
    }
    kept.write(&keep::path_of(office, issuer, is_staging))?;
    known(office, issuer, is_staging)?.ok_or_else(|| none(issuer, is_staging))
}

/// Closes the account at the CA, for good (RFC 8555, section 7.3.6), and moves its file out of
/// the way: where it is now.
pub async fn deactivate(
    office: &Office,
    issuer: &Issuer,
    is_staging: bool,
    _permit: &Permit,
) -> Result<PathBuf, Error> {
    let _held = keep::lock(office).await?;
    let kept = needed(office, issuer, is_staging)?;
    let http = Http::of(office, issuer)?;
    let ca = ca_of(url_of(issuer, is_staging)?);
    let library = library(&http, kept.credentials, ca.as_str()).await?;
    // Our transport makes errors of error answers, which the library does not look at here. But
    // a refused nonce passes, so whether it is closed is asked.
    for _ in 0..NONCES {
        library.clone().deactivate().await.map_err(|it| Error::of(it, ca.as_str()))?;
        match check(office, issuer, is_staging).await {
            Err(it) if is_closed(&it) => {
                return keep::close(&keep::path_of(office, issuer, is_staging));
            }
            Err(it) => return Err(it),
            Ok(_) => {}
        }
    }
    Err(Error::Impossible { ca, why: SafeText::new("the account is still open") })
}

/// Whether the CA says that there is no such account any more.
fn is_closed(error: &Error) -> bool {
    // RFC 8555, section 7.3.6, wants `unauthorized`; Pebble says it knows no such account.
    error.is("unauthorized") || error.is("accountDoesNotExist")
}

/// Asks the CA for the account of a key, without making one (RFC 8555, section 7.3.1); its URL.
async fn ask(http: &Http, url: &str, kept: &Kept) -> Result<SafeText, Error> {
    let ca = ca_of(url);
    let asked = until_taken!(ca.as_str(), known_by_key(http, url, kept).await);
    Ok(SafeText::new(asked?.id()))
}

/// Registers the key that is kept, or finds what is registered with it.
async fn made_with_key(
    http: &Http,
    url: &str,
    kept: &Kept,
) -> Result<(Library, AccountCredentials), instant_acme::Error> {
    builder(http).create_from_key(pair(kept)?, url.to_owned()).await
}

/// The account that a CA knows by the key that is kept.
async fn known_by_key(http: &Http, url: &str, kept: &Kept) -> Result<Library, instant_acme::Error> {
    builder(http).from_key(pair(kept)?, url.to_owned()).await.map(|(library, _)| library)
}

fn builder(http: &Http) -> AccountBuilder {
    Library::builder_with_http(Box::new(http.clone()))
}

/// The key that is kept, twice, as the library wants it.
fn pair(kept: &Kept) -> Result<(Key, PrivateKeyDer<'static>), instant_acme::Error> {
    let key = kept.credentials.private_key();
    Ok((Key::from_pkcs8_der(key.clone_key())?, PrivateKeyDer::Pkcs8(key.clone_key())))
}

/// The account that is kept, as the library has it.
async fn library(http: &Http, credentials: AccountCredentials, ca: &str) -> Result<Library, Error> {
    let library = builder(http).from_credentials(credentials).await;
    library.map_err(|it| Error::of(it, ca))
}

fn read(office: &Office, issuer: &Issuer, is_staging: bool) -> Result<Option<Kept>, Error> {
    let path = keep::path_of(office, issuer, is_staging);
    let Some(kept) = Kept::read(&path)? else { return Ok(None) };
    fits(&kept, &path, issuer, is_staging)?;
    Ok(Some(kept))
}

fn needed(office: &Office, issuer: &Issuer, is_staging: bool) -> Result<Kept, Error> {
    read(office, issuer, is_staging)?.ok_or_else(|| none(issuer, is_staging))
}

/// An account is never used at another directory than the one where it was made.
fn fits(kept: &Kept, path: &Path, issuer: &Issuer, is_staging: bool) -> Result<(), Error> {
    let directory = url_of(issuer, is_staging)?;
    if kept.directory == directory {
        return Ok(());
    }
    Err(Error::Moved {
        issuer: SafeText::new(&issuer.name),
        path: path.to_owned(),
        kept: SafeText::new(&kept.directory),
        directory: SafeText::new(directory),
    })
}

fn none(issuer: &Issuer, is_staging: bool) -> Error {
    Error::NoAccount { issuer: SafeText::new(&issuer.name), is_staging }
}

/// The external account to bind ours to, if the inventory names one.
async fn external(
    issuer: &Issuer,
    directory: &Directory,
) -> Result<Option<ExternalAccountKey>, Error> {
    let Some(external) = &issuer.external else {
        return if directory.is_external_required {
            Err(Error::External { issuer: SafeText::new(&issuer.name) })
        } else {
            Ok(None)
        };
    };
    let whose = format!("issuer {}", issuer.name);
    let secret = Secret::read(&external.secret, &whose).await?;
    let key = hmac_key(secret.line()).ok_or_else(|| {
        Error::Secret(SafeText::new(&format!("{whose}: the HMAC key is not in base64url")))
    })?;
    Ok(Some(ExternalAccountKey::new(external.kid.clone(), &key)))
}

/// Reads a HMAC key. Google Trust Services and `ZeroSSL` give it out in base64url without padding
/// (cloud.google.com "Request EAB key ID and HMAC"; zerossl.com/documentation/acme), others in
/// plain base64.
fn hmac_key(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let letter = |it: &u8| match it {
        b'+' => b'-',
        b'/' => b'_',
        it => *it,
    };
    let letters: Zeroizing<Vec<u8>> =
        Zeroizing::new(text.iter().filter(|it| **it != b'=').map(letter).collect());
    let key = URL_SAFE_NO_PAD.decode(&*letters).ok().filter(|it| !it.is_empty())?;
    Some(Zeroizing::new(key))
}

/// How often closing is tried while nonces are refused.
const NONCES: usize = 36;
