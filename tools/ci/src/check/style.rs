//! The rules of the house that a machine can hold, over every file that git tracks or would track.
//! Words that a rule forbids are written in two parts here, so that this file keeps the rules too.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Result, bail};
use llama_src::sh::Cmd;

use workspace::cargo;

/// Longest file that one still feels at home in.
const MOST_LINES: usize = 400;
/// Where `cargo xtask bench` writes what it measured.
const MEASURED: [&str; 2] = ["bench/results/", "docs/performance/"];

/// A rule about single lines.
struct Rule {
    name: &'static str,
    message: &'static str,
    covers: fn(&str) -> bool,
    breaks: fn(&str) -> bool,
}

const RULES: &[Rule] = &[
    Rule {
        name: "allow",
        message: "silences a lint even when nothing triggers it: use #[expect(…, reason = \"…\")]",
        covers: is_rust,
        breaks: |line| {
            line.contains(concat!("#", "[allow(")) || line.contains(concat!("#!", "[allow("))
        },
    },
    Rule {
        name: "ignore",
        message: "disables a test: fix it or delete it",
        covers: is_rust,
        breaks: |line| line.contains(concat!("#", "[ignore")),
    },
    Rule {
        name: "unfinished",
        message: "finish it, or open an issue",
        covers: is_code,
        breaks: is_unfinished,
    },
    Rule {
        name: "directive",
        message: "uses the old `cargo:` directive: write `cargo::`",
        covers: is_rust,
        breaks: has_old_directive,
    },
    Rule {
        name: "machine",
        message: "contains a path of one machine",
        covers: |_| true,
        breaks: names_a_machine,
    },
    Rule {
        name: "registry",
        message: "contains the address of a package registry or mirror: each machine sets its own",
        covers: |_| true,
        breaks: names_a_registry,
    },
    Rule {
        name: "whitespace",
        message: "ends in white space",
        covers: is_typed,
        breaks: |line| line.ends_with([' ', '\t', '\r']),
    },
];

/// Files that may break one rule: path, name of the rule, reason.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("Cargo.lock", "length", "written by Cargo"),
    ("tools/bench/drivers/llama-cpp-2/Cargo.lock", "length", "written by Cargo"),
    (
        "gguf-packer/src/registry/auth.rs",
        "registry",
        "Docker's name of its hub, in its configuration",
    ),
    ("llama-sys/src/bindings.rs", "length", "generated"),
    ("llama-sys/src/bindings.rs", "opening", "generated: begins with who wrote it"),
    ("llama-sys/src/bindings_mtmd.rs", "length", "generated"),
    ("llama-sys/src/bindings_mtmd.rs", "opening", "generated: begins with who wrote it"),
    ("llama-sys/src/lib.rs", "allow", "which lints generated code breaks depends on its features"),
    (
        "tools/ci/src/check/parity/architectures.rs",
        "variant",
        "upstream writes each vendor's list in another way",
    ),
    ("packaging/debian/rules", "registry", "Cargo's name of what a folder of crates stands for"),
];

pub(super) fn run() -> Result<()> {
    let git = Cmd::new("git").dir(cargo::root());
    let list = git.args(["ls-files", "-co", "--exclude-standard", "-z"]).read()?;
    let mut wrong = Vec::new();
    let mut excused = BTreeSet::new();
    for path in list.split('\0').filter(|path| !path.is_empty()) {
        // Models and pictures are no text; a file that was just removed is still in the list.
        let text = fs::read_to_string(cargo::root().join(path)).unwrap_or_default();
        excused.extend(broken(path, &text).into_iter().map(|(rule, _)| (path.to_owned(), rule)));
        wrong.extend(violations(path, &text));
    }
    for (path, rule, _) in EXCEPTIONS {
        if !excused.contains(&((*path).to_owned(), *rule)) {
            wrong.push(format!(
                "{path}: no longer breaks the rule `{rule}`: remove it from EXCEPTIONS"
            ));
        }
    }
    if wrong.is_empty() { Ok(()) } else { bail!("{}", wrong.join("\n")) }
}

/// What is wrong with a file, exceptions aside.
fn violations(path: &str, text: &str) -> Vec<String> {
    let excepted = |rule: &str| EXCEPTIONS.iter().any(|row| row.0 == path && row.1 == rule);
    let found = broken(path, text).into_iter().filter(|(rule, _)| !excepted(rule));
    found.map(|(_, message)| message).collect()
}

/// Names of broken rules, each with where and why.
fn broken(path: &str, text: &str) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    if path.starts_with("vendor/llama.cpp/") {
        found.push(("vendored", format!("{path}: llama.cpp must not be committed")));
    }
    if is_rust(path) && !text.starts_with("//!") {
        found.push(("opening", format!("{path}: must open with `//!` and what it owns")));
    }
    if is_rust(path) && !has_variants(path) {
        let code = text.split("#[cfg(test)]\n").next().unwrap_or_default();
        let named = code.lines().zip(1..).filter(|(line, _)| names_a_variant(line));
        found.extend(named.map(|(_, number)| {
            let why = "names a variant: ask its row (tools/product/src/variant/rows.rs)";
            ("variant", format!("{path}:{number}: {why}"))
        }));
    }
    let lines = text.lines().count();
    if lines > MOST_LINES && !MEASURED.iter().any(|folder| path.starts_with(folder)) {
        found.push(("length", format!("{path}: {lines} lines, more than {MOST_LINES}")));
    }
    for (number, line) in text.split('\n').enumerate() {
        for rule in RULES.iter().filter(|rule| (rule.covers)(path) && (rule.breaks)(line)) {
            found.push((rule.name, format!("{path}:{}: {}", number + 1, rule.message)));
        }
    }
    found
}

fn is_rust(path: &str) -> bool {
    path.ends_with(".rs")
}

/// Whether code may name variants there: the table, the code of each vendor's toolkit, and tests.
fn has_variants(path: &str) -> bool {
    let places = ["tools/product/src/variant", "tools/distribution/src/toolkit/", "tests/"];
    places.iter().any(|place| path.starts_with(place)) || path.ends_with("tests.rs")
}

/// Whether a line says `Variant::` and a name; the CPU's is the one that the others are built on.
fn names_a_variant(line: &str) -> bool {
    let named = line.split("Variant::").skip(1);
    let mut names = named.filter_map(|rest| rest.split(|c: char| !c.is_alphanumeric()).next());
    names.any(|name| name.starts_with(char::is_uppercase) && !["ALL", "Cpu"].contains(&name))
}

fn is_code(path: &str) -> bool {
    let endings = [".rs", ".toml", ".yml", ".yaml", ".cmake", ".c", ".cpp", ".h", ".hcl", ".sh"];
    endings.iter().any(|ending| path.ends_with(ending)) || path.ends_with("Dockerfile")
}

/// Written by a person to be read: not by a test, `diff` or a fuzzer, whose white space means something.
fn is_typed(path: &str) -> bool {
    let parts = ["/golden/", "tests/fuzz/corpus/"];
    !parts.iter().any(|part| path.contains(part)) && !path.ends_with(".patch")
}

fn is_unfinished(line: &str) -> bool {
    let words = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
    let macros = [concat!("to", "do!"), concat!("unimple", "mented!")];
    words.iter().any(|word| has_word(line, word)) || macros.iter().any(|word| line.contains(word))
}

fn has_word(line: &str, word: &str) -> bool {
    let part_of_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    line.match_indices(word).any(|(at, _)| {
        let (before, after) =
            (line[..at].chars().next_back(), line[at + word.len()..].chars().next());
        !part_of_word(before) && !part_of_word(after)
    })
}

fn has_old_directive(line: &str) -> bool {
    let start = concat!("\"car", "go:");
    line.match_indices(start).any(|(at, _)| !line[at + start.len()..].starts_with(':'))
}

fn names_a_machine(line: &str) -> bool {
    let starts_path = |at: usize| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || "_.-})*".contains(c))
    };
    let after = |start: &str, follows: fn(&str) -> bool| {
        line.match_indices(start)
            .any(|(at, _)| starts_path(at) && follows(&line[at + start.len()..]))
    };
    let names_somebody = |rest: &str| {
        let name = rest.split(|c: char| !c.is_alphanumeric() && c != '-' && c != '_').next();
        name.is_some_and(|name| !name.is_empty() && rest[name.len()..].starts_with('/'))
    };
    let begins_with_letter = |rest: &str| rest.starts_with(|c: char| c.is_ascii_alphabetic());
    let folders = [concat!("/ro", "ot/"), concat!("/wo", "rk/"), concat!("/fa", "rm/")];
    folders.iter().any(|folder| after(folder, |_| true))
        || after(concat!("/ho", "me/"), names_somebody)
        || after(concat!("/t", "mp/"), begins_with_letter)
}

fn names_a_registry(line: &str) -> bool {
    let labels = [
        "artifactory",
        "crates",
        "deb",
        "goproxy",
        "index",
        "jfrog",
        "mirror",
        "mirrors",
        "nexus",
        "npmjs",
        "proxy",
        "pypi",
        "pythonhosted",
        "registry",
    ];
    let settings = [concat!("index-", "url"), concat!("replace-", "with")];
    let address = |(at, _): (usize, &str)| {
        let host = line[at + 3..].split(['/', ':', '"', '\'', '`', ')', '>', ' ']).next();
        host.is_some_and(|host| host.split('.').any(|label| labels.contains(&label)))
    };
    line.match_indices("://").any(address) || settings.iter().any(|word| line.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The one violation of a Rust file with `line` in it.
    fn of(line: &str) -> String {
        let found = violations("src/a.rs", &format!("//! Why.\n{line}\n"));
        assert!(found.len() < 2, "{found:?}");
        found.into_iter().next().unwrap_or_default()
    }

    #[test]
    fn every_rule_about_lines_finds_its_broken_example() {
        let examples = [
            ("silences a lint", concat!("#", "[allow(dead_code)]")),
            ("silences a lint", concat!("#!", "[allow(dead_code, reason = \"x\")]")),
            ("disables a test", concat!("#", "[ignore]")),
            ("disables a test", concat!("#", "[ignore = \"slow\"]")),
            ("finish it", concat!("// TO", "DO: later")),
            ("finish it", concat!("let x = 1; // FIX", "ME")),
            ("finish it", concat!("// XX", "X")),
            ("finish it", concat!("    to", "do!()")),
            ("finish it", concat!("    unimple", "mented!(\"x\")")),
            ("old `cargo:` directive", concat!("println!(\"car", "go:rerun-if-changed=x\");")),
            ("one machine", concat!("let at = \"/ro", "ot/x\";")),
            ("one machine", concat!("// see /wo", "rk/main")),
            ("one machine", concat!("/fa", "rm/x")),
            ("one machine", concat!("/ho", "me/jane/x")),
            ("one machine", concat!("(/t", "mp/build)")),
            ("package registry", concat!("https:", "//static.crates.io/x")),
            ("package registry", concat!("\"http:", "//registry.example:4873/\"")),
            ("package registry", concat!("https:", "//pypi.org")),
            ("package registry", concat!("replace-", "with = \"x\"")),
            ("package registry", concat!("pip --index-", "url x")),
            ("names a variant", "if variant == Variant::Cuda {"),
            ("names a variant", "let cpu = Variant::Cpu; let both = [cpu, Variant::Vulkan];"),
            ("white space", "let x = 1; "),
            ("white space", "let x = 1;\r"),
        ];
        for (message, line) in examples {
            let found = of(line);
            assert!(
                found.starts_with("src/a.rs:2: ") && found.contains(message),
                "{line}: {found}"
            );
        }
    }

    #[test]
    fn what_only_looks_alike_is_left_alone() {
        for line in [
            "Variant::ALL.map(Variant::name).contains(&Variant::Cpu.name())",
            "#[expect(dead_code, reason = \"x\")]",
            "let mastodons = 1; // a TODOLIST is a name",
            "println!(\"cargo::warning=x\");",
            "error: cargo: not found",
            concat!("target/wo", "rk/x and ${HOME}/ro", "ot/ and ./t", "mp/x"),
            "LLAMA_SYS_SOURCE_DIR=/path/to/llama.cpp",
            "std::env::temp_dir() or /tmp",
            "https://github.com/ggml-org/llama.cpp/archive/refs/tags/b1.tar.gz",
            "registry+https://github.com/rust-lang/crates.io-index",
        ] {
            assert_eq!(of(line), "", "{line}");
        }
    }

    #[test]
    fn rules_about_whole_files_find_theirs() {
        assert_eq!(
            violations("a.rs", "// Why.\n"),
            ["a.rs: must open with `//!` and what it owns"]
        );
        assert_eq!(violations("a.md", &"x\n".repeat(401)), ["a.md: 401 lines, more than 400"]);
        assert!(violations("a.md", &"x\n".repeat(400)).is_empty());
        assert!(violations("bench/results/a.json", &"x\n".repeat(401)).is_empty());
        assert_eq!(
            violations("vendor/llama.cpp/LICENSE", ""),
            ["vendor/llama.cpp/LICENSE: llama.cpp must not be committed"]
        );
    }

    #[test]
    fn an_exception_is_for_one_file_and_one_rule() {
        let text = concat!("#", "[allow(dead_code)] ");
        let messages = |path: &str| violations(path, text).len();
        assert_eq!(messages("llama-sys/src/other.rs"), 3);
        assert_eq!(messages("llama-sys/src/bindings_mtmd.rs"), 2);
        assert_eq!(messages("llama-sys/src/lib.rs"), 2);
        for (path, rule, reason) in EXCEPTIONS {
            let known = ["length", "opening", "variant", "vendored"].contains(rule);
            assert!(known || RULES.iter().any(|row| row.name == *rule), "{path}: {rule}");
            assert!(!reason.is_empty());
        }
    }

    #[test]
    fn prose_may_speak_of_unfinished_work() {
        let text = concat!("no TO", "DO in code\n");
        assert!(violations("CONTRIBUTING.md", text).is_empty());
        assert_eq!(violations("ci.yml", text).len(), 1);
    }
}
