//! The types of errors that a CA may name, as data: RFC 8555, section 6.7, in its order, then
//! those of RFC 9773 (renewal information) and of draft-ietf-acme-profiles.

/// What a type of error means to an order of ours.
#[derive(Debug)]
pub(super) struct Type {
    /// Its name, without `urn:ietf:params:acme:error:`.
    pub(super) kind: &'static str,
    /// The name of the cause: that of the rule for certbot, where it is the same.
    pub(super) name: &'static str,
    /// The cause, with gaps in braces.
    pub(super) cause: &'static str,
    /// The next safe step.
    pub(super) next: &'static str,
    /// Whether the detail may say it more exactly.
    pub(super) is_coarse: bool,
}

/// Every type.
pub(super) static ALL: &[Type] = &[
    Type {
        kind: "accountDoesNotExist",
        name: "no-account",
        cause: "the CA does not know the account that is kept here",
        next: "restore its file from a backup with `certdeck issuer restore`; only if there is none, move it away and register anew, which limits count as a new account",
        is_coarse: false,
    },
    Type {
        kind: "alreadyRevoked",
        name: "already-revoked",
        cause: "the certificate is revoked already",
        next: "nothing is left to revoke; see what the hosts serve, and renew it where it is still in use",
        is_coarse: false,
    },
    Type {
        kind: "badCSR",
        name: "bad-request",
        cause: "the CA does not take the request that the host has made: its key, its names or its signature",
        next: "see the CA's own words; a kind of key or a name that it does not take is usual: order with another `key` or without that name, at its staging twin first",
        is_coarse: false,
    },
    Type {
        kind: "badNonce",
        name: "nonce",
        cause: "the CA did not take a one-time number, several times in a row: its servers disagree, or a proxy in between keeps answers",
        next: "nothing was ordered by it; look whether a proxy stands between this machine and the CA, and leave it alone for some minutes",
        is_coarse: false,
    },
    Type {
        kind: "badPublicKey",
        name: "bad-key",
        cause: "the CA does not take this key: too weak, known to others, or of a kind that it does not sign",
        next: "order with a new key of another kind (`key`): ecdsa-p256 is taken everywhere; never use the refused one again",
        is_coarse: false,
    },
    Type {
        kind: "badRevocationReason",
        name: "bad-reason",
        cause: "the CA does not take this reason for a revocation",
        next: "nothing was revoked; choose `superseded`, or give no reason",
        is_coarse: false,
    },
    Type {
        kind: "badSignatureAlgorithm",
        name: "bad-algorithm",
        cause: "the CA does not take the kind of signature that accounts here have (ES256)",
        next: "order from another issuer of the inventory: this one cannot be used with such an account",
        is_coarse: false,
    },
    Type {
        kind: "caa",
        name: "caa",
        cause: "the CAA records of {domain} forbid this CA, or could not be read",
        next: "look at the CAA records of the name and of every domain above it; they must allow this CA, its account and this method",
        is_coarse: true,
    },
    Type {
        kind: "compound",
        name: "several",
        cause: "the CA has several reasons and names none",
        next: "try it at the CA's staging twin with half of the names, until the one that it does not take is found",
        is_coarse: true,
    },
    Type {
        kind: "connection",
        name: "unreached",
        cause: "the CA could not connect to {domain}",
        next: "look from outside whether port 80 of every address of the name answers, AAAA too (firewall, NAT, load balancer); then order from the staging twin first",
        is_coarse: true,
    },
    Type {
        kind: "dns",
        name: "dns-broken",
        cause: "the CA got no usable answer from the DNS about {domain}",
        next: "ask each name server of the zone for the name, its CAA and its TXT record; once all answer alike, order from the staging twin first",
        is_coarse: true,
    },
    Type {
        kind: "externalAccountRequired",
        name: "external-account",
        cause: "this CA wants accounts that are bound to a customer (EAB)",
        next: "get a key from the CA's own site, and set `eab-kid` and `secret-file` of its [[issuer]]",
        is_coarse: false,
    },
    Type {
        kind: "incorrectResponse",
        name: "wrong-answer",
        cause: "the CA got another answer for {domain} than the one that it asked for",
        next: "look which server answers there: another host, a proxy or a stale record is usual; then order from the staging twin first",
        is_coarse: true,
    },
    Type {
        kind: "invalidContact",
        name: "bad-email",
        cause: "the CA does not take the contact of the account",
        next: "set `contact` of its [[issuer]] to an address that receives mail, not at example.com",
        is_coarse: false,
    },
    Type {
        kind: "malformed",
        name: "malformed",
        cause: "the CA does not understand the request",
        next: "order nothing more of this kind; see the CA's own words, and look whether another profile, fewer names, or a newer version of this program is what it wants",
        is_coarse: true,
    },
    Type {
        kind: "orderNotReady",
        name: "not-ready",
        cause: "the CA got the request of the host before it had verified all names",
        next: "the order is kept: take it up with `certdeck jobs attach`, which begins with a look at what the CA says of it",
        is_coarse: false,
    },
    Type {
        kind: "rateLimited",
        name: "limit",
        cause: "a limit of the CA is used up",
        next: "order nothing before {retry}; the CA's own words, which the log has, name the limit",
        is_coarse: true,
    },
    Type {
        kind: "rejectedIdentifier",
        name: "forbidden-name",
        cause: "the CA does not issue for one of the names, whatever is proven",
        next: "look for a name without a public suffix, a misspelt one, or one that a wildcard covers already, and issue without it",
        is_coarse: false,
    },
    Type {
        kind: "serverInternal",
        name: "ca-down",
        cause: "the CA has a failure of its own",
        next: "look at its status page and wait; what is in place stays valid, and a version in the archive or another issuer of the inventory are the way around",
        is_coarse: false,
    },
    Type {
        kind: "tls",
        name: "tls",
        cause: "the CA could not agree with the server of {domain} on TLS",
        next: "look which server answers there at port 443; over http-01, stop redirecting the test file to it; then order from the staging twin first",
        is_coarse: true,
    },
    Type {
        kind: "unauthorized",
        name: "unauthorized",
        cause: "the CA does not let this account do that",
        next: "see with `certdeck issuer show` whether the account is still valid, and whether the names are those that were proven; nothing was ordered by it",
        is_coarse: true,
    },
    Type {
        kind: "unsupportedContact",
        name: "bad-email",
        cause: "the CA does not take contacts of this kind",
        next: "set `contact` of its [[issuer]] to a mail address, or leave it out",
        is_coarse: false,
    },
    Type {
        kind: "unsupportedIdentifier",
        name: "forbidden-name",
        cause: "the CA does not issue for names of this kind, such as addresses",
        next: "issue without that name, or with a profile or an issuer that takes it",
        is_coarse: false,
    },
    Type {
        kind: "userActionRequired",
        name: "terms",
        cause: "the CA waits for a person: its terms have changed, or were never agreed to",
        next: "read what {visit} says, and agree there; then `certdeck issuer show` tells whether the account may order again",
        is_coarse: false,
    },
    Type {
        kind: "alreadyReplaced",
        name: "already-replaced",
        cause: "another order has already replaced this certificate",
        next: "scan the hosts for the newer one before anything is ordered: a copy from a sibling costs nothing",
        is_coarse: false,
    },
    Type {
        kind: "invalidProfile",
        name: "no-profile",
        cause: "the CA does not offer this profile, or not to this account",
        next: "`certdeck issuer show` lists the profiles; choose one of those, or none",
        is_coarse: false,
    },
];
