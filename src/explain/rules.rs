//! The causes that are known, as data: by what they are recognised and what is said of them.
//!
//! The words are those of certbot 2.1.0 to 5.1, of its plugins, of cert-manager's challenges, and of
//! Boulder and Pebble, the servers of Let's Encrypt. The order matters: the first rule that fits is the explanation, so
//! that what wraps something else, and what is said more exactly, comes first.

/// A cause.
#[derive(Debug)]
pub(super) struct Rule {
    /// Its name.
    pub(super) name: &'static str,
    /// In small letters, what stands in the output; ` … ` parts what stands on one line.
    pub(super) marks: &'static [&'static str],
    /// The cause, with gaps in braces.
    pub(super) cause: &'static str,
    /// The next safe step.
    pub(super) next: &'static str,
}

/// Every cause, in the order in which they are looked for.
pub(super) fn all() -> impl Iterator<Item = &'static Rule> {
    CA.iter().chain(HOST)
}

/// What a CA says, whatever client it says it to.
pub(super) static CA: &[Rule] = &[
    // Limits: every further order makes it worse or is refused.
    Rule {
        name: "paused",
        marks: &["account is temporarily prevented from requesting"],
        cause: "the CA has paused this account for {domain}: it failed for so long that the CA asks for a person",
        next: "mend the cause of the failures first; then open {visit} in a browser, which lifts the pause",
    },
    Rule {
        name: "limit-exact-set",
        marks: &["already issued for this exact set", "already issued for exact set of"],
        cause: "the limit for certificates with this exact set of names is used up until {retry}",
        next: "order nothing before that; roll back to a version in the archive, copy one from a sibling, or issue with a name more or less, which is another set",
    },
    Rule {
        name: "limit-domain",
        marks: &["too many certificates … already issued for \""],
        cause: "the limit for new certificates under {quoted} is used up until {retry}",
        next: "order nothing new there before that; renewals of a set of names that exists are not counted",
    },
    Rule {
        name: "limit-orders",
        marks: &["too many new orders"],
        cause: "this account has placed too many orders; it may order again after {retry}",
        next: "find what orders so often, and stop it; then wait until the time that is told",
    },
    Rule {
        name: "limit-failures",
        marks: &["too many failed authorizations"],
        cause: "verifying {quoted} has failed too often; the CA looks again after {retry}",
        next: "mend the cause before anything else, and try it with a dry run, which has limits of its own; order after the time that is told",
    },
    Rule {
        name: "limit-accounts",
        marks: &["too many new registrations", "too many registrations"],
        cause: "too many accounts were made from this address; the next is possible after {retry}",
        next: "use the account that is on the host or on a sibling, instead of a new one",
    },
    Rule {
        name: "limit",
        marks: &[
            "error:ratelimited",
            "too many requests of a given type",
            "429 client error",
            "too many currently pending",
        ],
        cause: "a limit of the CA is used up",
        next: "order nothing before {retry}; the CA's own words, which the log has, name the limit",
    },
    // What cert-manager waits for before it lets the CA look.
    Rule {
        name: "self-check",
        marks: &["perform self check", "challenge propagation: wrong status code"],
        cause: "cert-manager does not get the test file of {domain} itself, and lets the CA look only then",
        next: "see that the name leads to the cluster, and that it can be reached from inside (a load balancer that does not lead back, a redirect, a proxy are usual); it goes on by itself then",
    },
    Rule {
        name: "propagation",
        marks: &["dns record for … not yet propagated"],
        cause: "the TXT record that proves {quoted} is not yet at all name servers that cert-manager asks",
        next: "ask the zone's name servers for it; if it is there, cert-manager asks others (`--dns01-recursive-nameservers`), and if not, look at its solver's credentials; it goes on by itself then",
    },
    // What the CA saw when it verified a name.
    Rule {
        name: "perspectives",
        marks: &["during secondary validation"],
        cause: "the CA reached {domain} from one place of the world and not from others",
        next: "open port 80, or the DNS servers, to the whole world: a block by country or a slow second name server is the usual reason; then a dry run",
    },
    Rule {
        name: "caa",
        marks: &[
            "caa record for … prevents issuance",
            "while processing caa",
            "error:caa",
            "caa … forbid",
        ],
        cause: "the CAA records of {domain} forbid this CA, or could not be read",
        next: "look at the CAA records of the name and of every domain above it; they must allow this CA, its account and this method",
    },
    Rule {
        name: "dnssec",
        marks: &["dnssec", "dnskey", "signature expired … dns"],
        cause: "the signatures of the zone of {domain} do not hold (DNSSEC), so that the CA must not believe its answers",
        next: "mend the signatures or the DS record at the registrar; nothing on this host helps",
    },
    Rule {
        name: "txt-record",
        marks: &[
            "incorrect txt record",
            "no txt record found",
            "txt record … did not match",
            "no txt records found",
            "nxdomain looking up txt",
            "error retrieving txt records … no such host",
            "correct value not found for dns challenge",
        ],
        cause: "the CA did not find the right TXT record below _acme-challenge of {domain}",
        next: "look whether every name server of the zone has the record: a server that lags, a stale record or a CNAME elsewhere are usual; give the record more time to reach all of them",
    },
    Rule {
        name: "no-such-name",
        marks: &[
            "nxdomain looking up",
            "nxdomain … check that a dns record exists",
            "could not resolve url",
            "no such host",
        ],
        cause: "{domain} is not in the DNS",
        next: "add its record; or, if the name is gone for good, issue without it: one dead name blocks the whole certificate",
    },
    Rule {
        name: "dns-broken",
        marks: &[
            "servfail looking up",
            "query timed out looking up",
            "dns problem … timed out",
            "refused looking up",
            "nameservers may be malfunctioning",
        ],
        cause: "the name servers of {domain} do not answer as they should",
        next: "ask each of them for the name; once all answer, a dry run",
    },
    Rule {
        name: "no-address",
        marks: &[
            "no valid a records found",
            "no valid ip addresses found",
            "no valid aaaa records found",
        ],
        cause: "{domain} has no address",
        next: "add an A or AAAA record that leads to this host, or issue without the name",
    },
    Rule {
        name: "redirects",
        marks: &[
            "redirect loop detected",
            "too many redirects",
            "invalid port in redirect",
            "invalid hostname in redirect",
        ],
        cause: "the web server sends the CA in a circle, or away, for the test file of {domain}",
        next: "let /.well-known/acme-challenge/ be served without a redirect; then a dry run",
    },
    Rule {
        name: "refused",
        marks: &[
            "acme-challenge … connection refused",
            ": connection refused",
            "connect: connection refused",
        ],
        cause: "nothing listens at port 80 where {domain} leads to",
        next: "start the web server, or mend the address of the name (an AAAA record that leads elsewhere is usual); then a dry run",
    },
    Rule {
        name: "timeout",
        marks: &[
            "timeout during connect",
            "timeout after connect",
            "i/o timeout",
            "context deadline exceeded",
            "no route to host",
            "connection reset by peer … acme-challenge",
            "acme-challenge … connection reset",
            "error getting validation data",
        ],
        cause: "the CA gets no answer from port 80 of {domain}",
        next: "let the world reach port 80 (firewall, NAT, load balancer, AAAA record); then a dry run",
    },
    Rule {
        name: "not-found",
        marks: &[
            "acme-challenge … returned 404",
            "acme-challenge … : 404",
            "acme-challenge … 404 not found",
            "invalid response from … 404",
        ],
        cause: "the server that answers for {domain} does not find the test file (404)",
        next: "look which server answers there, and serve /.well-known/acme-challenge/ from the webroot of the renewal configuration; then a dry run",
    },
    Rule {
        name: "wrong-answer",
        marks: &[
            "invalid response from",
            "key authorization file from the server did not match",
            "non-200 status code from http",
        ],
        cause: "another answer than the test file comes from {domain}",
        next: "look which server answers there: another host, a proxy or a page for everything is usual; then a dry run",
    },
];

/// What else goes wrong with certbot.
static HOST: &[Rule] = &[
    // The client on its host.
    Rule {
        name: "port-busy",
        marks: &["could not bind tcp port", "problem binding to port"],
        cause: "certbot's own server found port 80 taken by another program, so the CA was not asked",
        next: "issue by webroot through the server that holds the port, or give the lineage a pre and a post hook that stop and start it",
    },
    Rule {
        name: "busy",
        marks: &["another instance of certbot is already running"],
        cause: "another certbot is at work on the host; this one did nothing",
        next: "wait until it has ended and scan the host; if it hangs, look at that process before you end it",
    },
    Rule {
        name: "no-lineage",
        marks: &["no certificate found with name", "no certificate with name"],
        cause: "certbot knows no lineage {lineage}",
        next: "scan the host: it was deleted or renamed, or lies in another folder than the inventory says",
    },
    Rule {
        name: "unknown-option",
        marks: &["error: unrecognized arguments", "error: ambiguous option"],
        cause: "this version of certbot does not know {option}",
        next: "nothing was done; upgrade certbot, or leave the option out of cli.ini and of the request",
    },
    Rule {
        name: "by-hand",
        marks: &["--manual-auth-hook when using the manual plugin", "manual plugin is not working"],
        cause: "the lineage was made by hand and needs a person for each renewal",
        next: "issue it anew with webroot, standalone or a DNS plugin; it keeps its name and its place",
    },
    Rule {
        name: "no-plugin",
        marks: &[
            "plugin does not appear to be installed",
            "could not choose appropriate plugin",
            "plugin is not working; there may be problems",
        ],
        cause: "the {plugin} plugin is not installed on the host, or does not start",
        next: "install it from where certbot came from (apt, snap or pip, not mixed), or issue with another method",
    },
    Rule {
        name: "no-challenge",
        marks: &["does not support any combination of challenges"],
        cause: "the method cannot prove what the CA asks for: wildcards can be proven in the DNS only",
        next: "issue with --authenticator dns-PLUGIN",
    },
    Rule {
        name: "dns-plugin",
        marks: &[
            "error adding txt record",
            "error communicating with the",
            "unable to determine base domain",
            "unable to determine zone",
            "error determining zone",
            "error finding hosted zone",
            "unable to find a route53 hosted zone",
            "received response from server … refused",
            "missing propert … in credentials",
        ],
        cause: "the DNS provider did not take the record: its credentials are wrong or have expired, or may not write the zone",
        next: "test the credentials on the host and renew them; no order has failed at the CA by this, so a dry run is free",
    },
    Rule {
        name: "bad-email",
        marks: &[
            "error:invalidcontact",
            "error:invalidemail",
            "contact email",
            "unable to parse email",
            "invalid email address",
        ],
        cause: "the CA does not take the mail address",
        next: "give one that receives mail with --email, not at example.com",
    },
    Rule {
        name: "external-account",
        marks: &["externalaccountrequired", "external account binding"],
        cause: "this CA wants accounts that are bound to a customer (EAB), and the host has none",
        next: "register on the host with --eab-kid and --eab-hmac-key from the CA's own site",
    },
    Rule {
        name: "terms",
        marks: &["error:useractionrequired", "must agree to the"],
        cause: "the CA's terms have changed, or were never agreed to",
        next: "read them, and agree on the host with `certbot update_account --agree-tos`, or give --email with issue",
    },
    Rule {
        name: "no-account",
        marks: &[
            "you should register before running non-interactively",
            "accountdoesnotexist",
            "account … not found",
            "unable to register an account",
            "missing command line flag or config entry … email",
        ],
        cause: "the host has no account at this CA",
        next: "issue with --email ADDRESS, which makes one and agrees to the CA's terms",
    },
    Rule {
        name: "too-many-names",
        marks: &[
            "too many identifiers",
            "more than 100 dns names",
            "exceeds the … names",
            "too many names",
        ],
        cause: "the certificate has more names than the CA allows",
        next: "issue two lineages with some of the names each",
    },
    Rule {
        name: "forbidden-name",
        marks: &[
            "rejectedidentifier",
            "cannot issue for",
            "policy forbids issuing",
            "attributeerror: can't set attribute",
            "redundant with a wildcard",
        ],
        cause: "the CA does not issue for one of the names, whatever is proven",
        next: "look for a name without a public suffix, a misspelt one, or one that a wildcard covers already, and issue without it",
    },
    Rule {
        name: "nonce",
        marks: &["error:badnonce"],
        cause: "the CA did not take a one-time number of certbot: requests took too long, or went through a proxy that keeps answers",
        next: "one more attempt in some minutes is safe; if it comes back, look at the proxy between the host and the CA",
    },
    Rule {
        name: "clock",
        marks: &["certificate is not yet valid", "certificate has expired (_ssl"],
        cause: "the host judges the CA's own certificate by a clock that is off",
        next: "set the host's clock and mend its time synchronisation; then a dry run",
    },
    Rule {
        name: "ca-untrusted",
        marks: &["certificate_verify_failed", "certificate verify failed"],
        cause: "the host does not trust the certificate of the CA's own server",
        next: "for a CA of your own, install its root on the host (REQUESTS_CA_BUNDLE for certbot); else look who answers in the CA's place",
    },
    Rule {
        name: "ca-down",
        marks: &[
            "error:serverinternal",
            "down for maintenance",
            "503 server error",
            "502 server error",
            "500 server error",
            "504 server error",
            "service busy; retry later",
            "error:serviceunavailable",
        ],
        cause: "{host} has a failure of its own",
        next: "look at its status page and wait; what is in place stays valid, and a version in the archive or another CA are the way around",
    },
    Rule {
        name: "ca-unreachable",
        marks: &[
            "max retries exceeded with url",
            "failed to establish a new connection",
            "read timed out",
            "requests.exceptions.connectionerror",
            "requests.exceptions.connecttimeout",
            "network is unreachable",
            "temporary failure in name resolution",
            "an error occurred while sending the request … directory",
        ],
        cause: "the host does not reach {host}",
        next: "look at the host's DNS, proxy and outgoing firewall: port 443 to the CA must be open; nothing was ordered",
    },
    Rule {
        name: "unauthorized",
        marks: &[
            "error:unauthorized :: the client lacks sufficient authorization :: account",
            "account is not valid, has status",
        ],
        cause: "the CA does not accept the account of this host any more",
        next: "register a new account on the host, and issue with it; find out who has deactivated the old one",
    },
    Rule {
        name: "disk-full",
        marks: &["no space left on device", "disk quota exceeded"],
        cause: "the disk of the host is full: {path} could not be written",
        next: "make room first, then look with a scan whether the four links still belong together; a certificate that was ordered and not written is lost and counts",
    },
    Rule {
        name: "read-only",
        marks: &["read-only file system"],
        cause: "certbot's folders are on a file system that may not be written",
        next: "find out why it was mounted read-only: a failing disk is usual; then a dry run",
    },
    Rule {
        name: "no-permission",
        marks: &["either run as root, or set --config-dir", "] permission denied"],
        cause: "certbot may not write {path}: it did not run as root",
        next: "set `become = \"sudo\"` for the host in the inventory, or give the user certbot folders of its own; nothing was done",
    },
    Rule {
        name: "remains",
        marks: &["archive directory exists for", "live directory exists for"],
        cause: "folders of an older lineage of that name are in the way; the certificate was ordered and could not be written",
        next: "issue under another lineage name, or move the folders that are left over aside on the host",
    },
    Rule {
        name: "no-webroot",
        marks: &[
            "does not exist or is not a directory",
            "unable to create directory … acme-challenge",
            "couldn't create root for",
        ],
        cause: "the webroot is not there or may not be written",
        next: "give the folder that the server serves now, with --webroot; the CA was not asked",
    },
    Rule {
        name: "hook-missing",
        marks: &["unable to find … -hook command", "-hook command … exists, but is not executable"],
        cause: "a hook of the renewal configuration is not on the host, so certbot does not begin",
        next: "put the command back, or change the hook in the renewal configuration",
    },
    Rule {
        name: "broken-conf",
        marks: &[
            "renewal configuration file … is broken",
            "renewal configuration file … produced an unexpected error",
            "renewal config file … is missing a required file reference",
            "1 parse failure(s)",
        ],
        cause: "certbot cannot use {conf}",
        next: "mend the file on the host, by the form of another lineage or from a backup; certbot skips the lineage until then",
    },
    Rule {
        name: "stopped",
        marks: &["exiting due to user request", "keyboardinterrupt"],
        cause: "certbot was stopped before it had ended, and rolled back",
        next: "scan the host and see what is in place before anything else",
    },
    Rule {
        name: "asks",
        marks: &[
            "missing command line flag or config entry",
            "cannot be used in noninteractive mode",
            "non-interactive mode",
        ],
        cause: "certbot wanted to ask somebody, and nobody is there",
        next: "the log on the host names what it asks for; give it with issue, or in the renewal configuration",
    },
    Rule {
        name: "no-certbot",
        marks: &[
            "certbot: not found",
            "certbot: command not found",
            "can't execute 'certbot'",
            "certbot … no such file or directory",
        ],
        cause: "the host has no certbot in its path",
        next: "look where it is (`certdeck scan` tells its version), and put a link to it into /usr/local/bin",
    },
    // Hooks: the certificate itself is there.
    Rule {
        name: "deploy-hook",
        marks: &[
            "hook 'deploy-hook' reported error code",
            "hook 'renew-hook' reported error code",
            "deploy-hook failed with exit code",
            "renew-hook failed with exit code",
        ],
        cause: "the certificate was renewed, but a deploy hook ended with exit code {code}{noise}",
        next: "mend the hook and run it again with `hook`; renewing again would only use up the CA's limit",
    },
    Rule {
        name: "pre-hook",
        marks: &["hook 'pre-hook' reported error code", "pre-hook failed with exit code"],
        cause: "a pre hook ended with exit code {code}{noise}",
        next: "mend the hook; certbot goes on without it, so look with a scan what came of the renewal",
    },
    Rule {
        name: "post-hook",
        marks: &["hook 'post-hook' reported error code", "post-hook failed with exit code"],
        cause: "a post hook ended with exit code {code}{noise}: what a pre hook has stopped may still be down",
        next: "look at the services of the host first; then mend the hook and run it again with `hook`",
    },
    // What says less than everything above.
    Rule {
        name: "not-due",
        marks: &["certificate not yet due for renewal", "no renewals were attempted"],
        cause: "by certbot's own judgement the certificate is not due, and it did nothing",
        next: "wait for its own time; if it must be now, force-renew, which counts against the CA's limits",
    },
    Rule {
        name: "validation",
        marks: &[
            "some challenges have failed",
            "failed to authenticate some domains",
            "challenge failed for domain",
        ],
        cause: "the CA could not verify {domain}",
        next: "the CA's own words are in the log on the host; mend that, then a dry run, which has limits of its own",
    },
];
