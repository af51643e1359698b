//! Strangers' bytes under ASan and UBSan: what was once found stays mended, and a minute of new input finds nothing.

use llama_tests::{needs, workspace};

/// One target after the other begins with the inputs that are kept, the smallest of each finding among them.
#[test]
fn a_minute_of_broken_input_ends_nothing_and_what_was_found_stays_mended() {
    if needs::clang().is_none() {
        return;
    }
    let _alone = workspace::one_build_at_a_time();
    // Always the same input: this judges a change, and the long command looks for what is new.
    let said = workspace::xtask(&["fuzz", "--seconds", "60", "--seed", "1"]).succeed();
    assert!(said.contains("fuzzing request"), "{said}");
}
