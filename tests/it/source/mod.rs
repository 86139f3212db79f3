//! The scripts of all sources, run for real by every shell that hosts have, on trees made here.

mod automation;
mod cert_manager;
mod certbot;
mod clients;
mod hostile;
mod pem;
mod real;
mod servers;
mod tree;
