//! Upstream's `test-backend-ops`: every operation of the GPU's backend against the CPU's.

use std::path::Path;

use anyhow::Result;
use llama_src::Error;
use llama_src::sh::Cmd;
use serde::{Deserialize, Serialize};

use workspace::screen::Screen;

/// Failing tests that a message names.
const NAMED: usize = 10;

/// What the program found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ops {
    /// Operations that were tested, as they were asked for; `None`: all.
    pub filter: Option<String>,
    pub passed: u32,
    pub total: u32,
    /// Tests of what the backend leaves to the CPU.
    pub unsupported: u32,
    /// Names of the tests that failed; a result with such is never written.
    #[serde(skip)]
    pub(super) failing: Vec<String>,
}

/// Runs `test-backend-ops` from `dir`, which holds the distribution, on every GPU.
///
/// # Errors
/// When it does not come to a result; a result that is bad is no error here.
pub(super) fn run(
    screen: &mut Screen,
    dir: &Path,
    filter: Option<&str>,
    log: &Path,
) -> Result<Ops> {
    let mut cmd = Cmd::new(dir.join("test-backend-ops")).arg("test").dir(dir);
    if let Some(filter) = filter {
        cmd = cmd.args(["-o", filter]);
    }
    // The log of the last run is of no use; whether there was one does not matter.
    let _ = std::fs::remove_file(log);
    let mut lines = Vec::new();
    let ended = cmd.run_logged(log, |line| {
        screen.show(line.split('(').next().unwrap_or_default().trim());
        lines.push(line.to_owned());
    });
    screen.clear();
    let mut ops = read(&lines);
    ops.filter = filter.map(str::to_owned);
    // It fails when a test does; when it dies there is no sum.
    if ops.total == 0 || ops.passed == ops.total {
        ended?;
    }
    Ok(ops)
}

fn read(lines: &[String]) -> Ops {
    let mut ops = Ops::default();
    let mut names = false;
    for line in lines {
        if line.contains("): not supported [") {
            ops.unsupported += 1;
        } else if let Some(sum) = line.trim().strip_suffix(" tests passed") {
            let (passed, total) = sum.split_once('/').unwrap_or_default();
            ops.passed += passed.parse::<u32>().unwrap_or_default();
            ops.total += total.parse::<u32>().unwrap_or_default();
        } else if line == "Failing tests:" {
            names = true;
        } else if line.starts_with("  Backend ") {
            names = false;
        } else if names && line.starts_with("  ") {
            ops.failing.push(line.trim().to_owned());
        }
    }
    ops
}

impl Ops {
    /// What is wrong with the result.
    pub(super) fn violation(&self) -> Option<String> {
        let Self { passed, total, failing, .. } = self;
        if *total == 0 {
            let filter = self.filter.as_deref().unwrap_or("all");
            let error = Error::usage(format!("test-backend-ops tested nothing of `{filter}`"))
                .hint("names of operations are upper case: --ops MUL_MAT,ADD");
            return Some(error.to_string());
        }
        if passed == total {
            return None;
        }
        let mut text = format!("test-backend-ops: {} of {total} tests fail", total - passed);
        for name in failing.iter().take(NAMED) {
            text.push_str(&format!("\n  | {name}"));
        }
        if failing.len() > NAMED {
            text.push_str(&format!("\n  | and {} more", failing.len() - NAMED));
        }
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    const GOOD: &str = "\
Testing 2 devices

Backend 1/2: Vulkan0
  Device description: llvmpipe (LLVM 15.0.6, 256 bits)

  ADD(type=f32,ne=[1,1,1,1]): \u{1b}[1;32mOK\u{1b}[0m
  ADD(type=f16,ne=[1,1,1,1]): not supported [Vulkan0]
  1/1 tests passed
  Backend Vulkan0: \u{1b}[1;32mOK\u{1b}[0m
Backend 2/2: CPU
  Skipping CPU backend
2/2 backends passed
\u{1b}[1;32mOK\u{1b}[0m";

    #[test]
    fn a_good_run_is_counted() {
        let ops = read(&lines(GOOD));
        assert_eq!(ops, Ops { passed: 1, total: 1, unsupported: 1, ..Ops::default() });
        assert_eq!(ops.violation(), None);
    }

    #[test]
    fn failing_tests_are_named() {
        let text = GOOD.replace(
            "  1/1 tests passed",
            "  1/13 tests passed\n\nFailing tests:\n  A(x=1)\n  B(y=[1,2])",
        );
        let mut ops = read(&lines(&text));
        assert_eq!(
            ops.violation().unwrap(),
            "test-backend-ops: 12 of 13 tests fail\n  | A(x=1)\n  | B(y=[1,2])"
        );
        ops.failing = vec!["C()".to_owned(); 12];
        assert!(ops.violation().unwrap().ends_with("\n  | C()\n  | and 2 more"));
    }

    #[test]
    fn a_run_without_tests_is_none() {
        let ops = Ops { filter: Some("mul_mat".to_owned()), ..read(&lines("  0/0 tests passed")) };
        assert_eq!(
            ops.violation().unwrap(),
            "test-backend-ops tested nothing of `mul_mat`\n  hint: names of operations are upper case: \
             --ops MUL_MAT,ADD"
        );
    }
}
