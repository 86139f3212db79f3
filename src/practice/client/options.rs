//! What certbot is asked for, as far as a practice host understands it.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue};
use clap::{ArgAction, Parser};

/// certbot's command line. Its own help is not here: it fills screens.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of certbot's")]
#[derive(Debug, Parser)]
#[command(
    no_binary_name = true,
    disable_help_flag = true,
    disable_version_flag = true,
    args_override_self = true
)]
pub(super) struct Options {
    pub(super) verb: Option<String>,
    #[arg(long)]
    pub(super) version: bool,

    #[arg(long)]
    pub(super) cert_name: Option<String>,
    #[arg(short, long = "domain", alias = "domains", value_delimiter = ',')]
    pub(super) domains: Vec<String>,
    #[arg(long)]
    pub(super) dry_run: bool,
    #[arg(long, alias = "renew-by-default")]
    pub(super) force_renewal: bool,
    #[arg(long, alias = "renew-with-new-domains")]
    pub(super) expand: bool,
    #[arg(long, alias = "test-cert")]
    pub(super) staging: bool,
    #[arg(long)]
    pub(super) server: Option<String>,

    #[arg(short, long)]
    pub(super) authenticator: Option<String>,
    #[arg(long)]
    pub(super) webroot: bool,
    #[arg(short, long)]
    pub(super) webroot_path: Option<String>,
    #[arg(long)]
    pub(super) standalone: bool,
    #[arg(long)]
    pub(super) manual: bool,
    #[arg(long)]
    pub(super) manual_auth_hook: Option<String>,
    #[arg(long)]
    pub(super) dns_rfc2136: bool,
    #[arg(long)]
    pub(super) dns_rfc2136_credentials: Option<String>,

    #[arg(long)]
    pub(super) key_type: Option<String>,
    #[arg(long)]
    pub(super) reuse_key: bool,
    #[arg(long)]
    pub(super) pre_hook: Option<String>,
    #[arg(long, alias = "renew-hook")]
    pub(super) deploy_hook: Option<String>,
    #[arg(long)]
    pub(super) post_hook: Option<String>,
    #[arg(long)]
    pub(super) no_directory_hooks: bool,

    #[arg(long)]
    pub(super) config_dir: Option<String>,
    #[arg(long)]
    pub(super) work_dir: Option<String>,
    #[arg(long)]
    pub(super) logs_dir: Option<String>,

    #[arg(long)]
    pub(super) agree_tos: bool,
    #[arg(short = 'm', long)]
    pub(super) email: Option<String>,
    #[arg(long)]
    pub(super) register_unsafely_without_email: bool,
    #[arg(short, long)]
    pub(super) quiet: bool,

    #[command(flatten)]
    _heard: Heard,
}

/// What is understood and makes no difference to a practice host.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of certbot's")]
#[derive(Debug, clap::Args)]
struct Heard {
    #[arg(short = 'n', long, alias = "noninteractive")]
    non_interactive: bool,
    #[arg(long)]
    no_random_sleep_on_renew: bool,
    #[arg(long, alias = "keep", alias = "reinstall")]
    keep_until_expiring: bool,
    #[arg(long)]
    allow_subset_of_names: bool,
    #[arg(long)]
    preferred_challenges: Option<String>,
    #[arg(long)]
    preferred_chain: Option<String>,
    #[arg(long)]
    dns_rfc2136_propagation_seconds: Option<String>,
    #[arg(long)]
    rsa_key_size: Option<String>,
    #[arg(long)]
    elliptic_curve: Option<String>,
    #[arg(long)]
    new_key: bool,
    #[arg(long)]
    no_eff_email: bool,
    #[arg(long)]
    disable_hook_validation: bool,
    #[arg(long)]
    max_log_backups: Option<String>,
    #[arg(short, long, action = ArgAction::Count)]
    verbose: u8,
}

impl Options {
    /// Reads them, or says what certbot says of a wrong command line.
    pub(super) fn read(typed: &[OsString]) -> Result<Self, String> {
        Self::try_parse_from(typed).map_err(|error| {
            let what = error.get(ContextKind::InvalidArg);
            let what = what.map(ContextValue::to_string).unwrap_or_default();
            format!("{USAGE}\ncertbot: error: unrecognized arguments: {what}")
        })
    }
}

const USAGE: &str = "usage: 
  certbot [SUBCOMMAND] [options] [-d DOMAIN] [-d DOMAIN] ...

Certbot can obtain and install HTTPS/TLS/SSL certificates.  By default,
it will attempt to use a webserver both for obtaining and installing the
certificate. ";

#[cfg(test)]
mod tests {
    use super::*;

    fn read(typed: &str) -> Result<Options, String> {
        Options::read(&typed.split(' ').map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn order_does_not_matter_and_repetition_does_not_hurt() {
        let it = read("-n renew --cert-name=a -n --dry-run --cert-name b -vv").unwrap();
        assert_eq!((it.verb.as_deref(), it.cert_name.as_deref()), (Some("renew"), Some("b")));
        assert!(it.dry_run && !it.force_renewal);
        let it = read("certonly -d a.example,b.example --webroot -w /w -d c.example").unwrap();
        assert_eq!(it.domains, ["a.example", "b.example", "c.example"]);
    }

    #[test]
    fn what_certbot_2_1_does_not_know_is_refused() {
        let error = read("renew --run-deploy-hooks").unwrap_err();
        assert!(error.ends_with("unrecognized arguments: --run-deploy-hooks"), "{error}");
    }
}
