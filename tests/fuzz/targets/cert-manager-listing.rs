#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| certdeck::fuzz::run("cert-manager-listing", bytes));
