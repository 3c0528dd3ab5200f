#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| defender::fuzzing::name_answer(data));
