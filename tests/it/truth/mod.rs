//! Every fault that this program promises to name, brought about on real servers in the way in
//! which it comes about: what the binary says of it, what it says first among other hosts, and
//! that the first remedy that it names mends it, with proof on the wire.

mod authority;
mod automation;
mod chain;
mod cut_off;
mod fifty;
mod files;
mod guided;
mod hindered;
mod killed;
mod loaders;
mod names;
pub(crate) mod node;
mod orders;
mod reload;
mod resumed;
mod roll_out;
mod scene;
mod shop;
mod siblings;
mod staging;
mod unseen;
mod way_back;
mod wiretap;
