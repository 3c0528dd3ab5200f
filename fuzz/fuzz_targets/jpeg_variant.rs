#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| defender::fuzzing::jpeg::jpeg_variant(data));
