//! How a CA is now: whether its directory comes and how long that takes, whether it gives a
//! nonce, what time it has there. Asks only, once, and needs no account.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http::header::DATE;

use super::directory::{Directory, url_of};
use super::{Error, Http, Office, Pace};
use crate::fleet::Moment;
use crate::https::http_date;
use crate::inventory::Issuer;
use crate::text::SafeText;

/// How a CA is now.
#[derive(Debug, Clone)]
pub struct Health {
    /// Its directory, or why none came.
    pub directory: Result<Directory, Error>,
    /// How long that took.
    pub took: Duration,
    /// Its clock minus ours, in seconds, if it tells the time.
    pub offset: Option<i64>,
    /// Why it gave no nonce (RFC 8555, section 7.2), if it gave none.
    pub nonce: Result<(), Error>,
}

/// Looks at the CA of an issuer, or at its staging twin.
pub async fn look(office: &Office, issuer: &Issuer, is_staging: bool) -> Health {
    let began = Instant::now();
    let mut offset = None;
    let asked = async {
        let url = url_of(issuer, is_staging)?;
        let http = Http::of(office, issuer)?;
        // Whoever waits wants to know how it is now, not how it may be after some tries.
        let http = http.with_pace(Pace { question: PATIENCE, tries: 1, ..Pace::default() });
        let before = office.clock.now();
        let answer = http.get(url).await?;
        let now = office.clock.now();
        let date = answer.headers.get(DATE).and_then(|it| it.to_str().ok());
        offset = date.and_then(http_date).map(|it| it.since(middle(before, now)));
        Ok((Directory::read(url, &answer.body)?, http))
    };
    let asked: Result<(Directory, Http), Error> = asked.await;
    let took = began.elapsed();
    let (directory, nonce) = match asked {
        Ok((directory, http)) => {
            let nonce = nonce(&http, &directory).await;
            (Ok(directory), nonce)
        }
        Err(error) => (Err(error), Ok(())),
    };
    Health { directory, took, offset, nonce }
}

fn middle(before: Moment, after: Moment) -> Moment {
    before.plus(after.since(before) / 2)
}

async fn nonce(http: &Http, directory: &Directory) -> Result<(), Error> {
    let ca = directory.ca.clone();
    let request = Request::head(&directory.new_nonce).body(Bytes::new());
    let request = request.map_err(|it| Error::Impossible {
        ca: ca.clone(),
        why: SafeText::new(&format!("its address for nonces is no URL: {it}")),
    })?;
    let answer = http.send(request).await?;
    if answer.headers().contains_key("replay-nonce") {
        return Ok(());
    }
    let status = answer.status().as_u16();
    Err(Error::Answer { ca, status, why: SafeText::new("gives no nonce") })
}

/// A static file, and a nonce.
const PATIENCE: Duration = Duration::from_secs(10);
