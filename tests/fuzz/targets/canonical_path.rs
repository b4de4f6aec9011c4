#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| doorward_fuzz::run(doorward_fuzz::canonical_path::TARGET, data));
