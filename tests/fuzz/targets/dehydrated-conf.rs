#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| certdeck::fuzz::run("dehydrated-conf", bytes));
