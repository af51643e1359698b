//! Tests of `lint.rs`.

use std::collections::BTreeMap;

use super::super::parse;
use super::super::stages::tests::QUICK_START;
use super::*;

fn lint_with(text: &str, settings: &Settings, ignore: &str) -> Vec<String> {
    let script = parse(text, "F").unwrap_or_else(|errors| panic!("{errors}"));
    let ignore = Ignore::parse(ignore, "I").expect("patterns");
    lint(&script, settings, Some(&ignore)).iter().map(ToString::to_string).collect()
}

fn lints(text: &str) -> Vec<String> {
    lint_with(text, &Settings::default(), "secret.txt\n")
}

/// Each rule: a file that breaks it, what is told, and a file that keeps it.
const RULES: [(&str, &str, &str); 13] = [
    (
        "FROM scratch AS Base",
        "F:1:17: StageNameCasing: Stage name 'Base' should be lowercase",
        "FROM scratch AS base",
    ),
    (
        "FROM scratch as base",
        "F:1:14: FromAsCasing: 'as' and 'FROM' keywords' casing do not match",
        "from scratch as base",
    ),
    (
        "FROM scratch\nLABEL a=b \\\n\n  c=d",
        "F:3:1: NoEmptyContinuation: Empty continuation line",
        "FROM scratch\nLABEL a=b \\\n  # c\n  c=d",
    ),
    (
        "FROM scratch\nLabel a=b\ncopy a b\nCOPY a b",
        "F:2:1: ConsistentInstructionCasing: Command 'Label' should match the case of the command majority (uppercase)\n\
         F:3:1: ConsistentInstructionCasing: Command 'copy' should match the case of the command majority (uppercase)",
        "FROM scratch\nLABEL a=b",
    ),
    (
        "FROM scratch AS a\nFROM scratch AS a",
        "F:2:17: DuplicateStageName: Duplicate stage name \"a\", stage names should be unique",
        "FROM scratch AS a\nFROM scratch AS b",
    ),
    (
        "FROM scratch AS context",
        "F:1:17: ReservedStageName: Stage name should not use the same name as reserved stage \"context\"",
        "FROM scratch AS contexts",
    ),
    (
        "ARG BASE=b\nFROM a/${BSAE}b",
        "F:2:8: UndefinedArgInFrom: FROM argument 'BSAE' is not declared (did you mean BASE?)",
        "ARG BASE=b\nFROM a/${BASE}b",
    ),
    (
        "FROM scratch\nARG NAME=a\nCOPY x$NMAE ./",
        "F:3:7: UndefinedVar: Usage of undefined variable '$NMAE' (did you mean $NAME?)",
        "ARG G=1\nFROM scratch\nARG NAME\nCOPY x$NAME$G${NONE:-y} ./",
    ),
    (
        "FROM scratch\nCMD [\"-m\", \"a\"]\nCMD [\"-m\", \"b\"]",
        "F:2:1: MultipleInstructionsDisallowed: Multiple CMD instructions should not be used in the same stage because only the last one will be used",
        "FROM scratch\nCMD [\"-m\", \"a\"]\nFROM scratch\nCMD [\"-m\", \"b\"]",
    ),
    (
        "FROM scratch\nLABEL a b c",
        "F:2:7: LegacyKeyValueFormat: \"LABEL key=value\" should be used instead of legacy \"LABEL key value\" format",
        "FROM scratch\nLABEL a=\"b c\"",
    ),
    (
        "ARG HF_TOKEN=x\nFROM scratch\nARG apikey",
        "F:1:5: SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (ARG \"HF_TOKEN\")\n\
         F:3:5: SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (ARG \"apikey\")",
        "ARG EOS_TOKEN=x TOKENIZER=y KEYS\nFROM scratch",
    ),
    (
        "ARG REPO\nFROM ${REPO}/a",
        "F:2:6: InvalidDefaultArgInFrom: Default value for ARG ${REPO}/a results in empty or invalid base image name",
        "ARG REPO=r\nFROM ${REPO}/a",
    ),
    (
        "FROM scratch\nCOPY secret.txt /secret.txt ./\nADD secret.txt https://h/secret.txt ./",
        "F:2:6: CopyIgnoredFile: Attempting to Copy file \"secret.txt\" that is excluded by the ignore file\n\
         F:2:17: CopyIgnoredFile: Attempting to Copy file \"/secret.txt\" that is excluded by the ignore file\n\
         F:3:5: CopyIgnoredFile: Attempting to Add file \"secret.txt\" that is excluded by the ignore file",
        "FROM scratch AS a\nFROM scratch\nCOPY --from=a secret.txt ./\nCOPY open.txt ./",
    ),
];

#[test]
fn each_rule_is_told_when_it_is_broken_only() {
    for (broken, told, kept) in RULES {
        let rule = told.split(": ").nth(1).expect("a rule");
        let of_rule = |text: &str| {
            lints(text).into_iter().filter(|line| line.contains(rule)).collect::<Vec<_>>()
        };
        assert_eq!(of_rule(broken).join("\n"), told, "{broken}");
        assert_eq!(lints(kept), [""; 0], "{kept}");
        // A file may skip a rule, or all.
        for skip in [format!("skip=Other, {rule}"), "skip=all".to_owned()] {
            let text = format!("# check={skip}\n{broken}");
            assert_eq!(of_rule(&text), [""; 0], "{skip}");
        }
    }
    assert_eq!(lints(QUICK_START), [""; 0]);
}

#[test]
fn a_base_of_another_platform_is_told() {
    let text = "FROM scratch AS a\nFROM --platform=linux/arm64 r/b";
    let script = parse(text, "F").expect("a file");
    let stages = stages::resolve(&script, &Settings::default()).expect("stages").stages;
    let told = |script, actual| {
        base_platform(script, &stages[0], "r/b", "linux/arm64", actual)
            .map(|warning| warning.to_string())
    };
    let message = "F:2:1: InvalidBaseImagePlatform: Base image r/b was pulled with platform \"linux/amd64\", expected \"linux/arm64\" for current build";
    assert_eq!(told(&script, "linux/amd64").as_deref(), Some(message));
    assert_eq!(told(&script, "linux/arm64/v8"), None);
    let skips =
        parse(&format!("# check=skip=InvalidBaseImagePlatform\n{text}"), "F").expect("a file");
    assert_eq!(told(&skips, "linux/amd64"), None);
}

#[test]
fn with_a_target_only_what_it_needs_is_walked() {
    let text =
        "FROM scratch AS a\nCOPY $X ./\nFROM scratch AS b\nCOPY --from=c $Y ./\nFROM scratch";
    let target = |target: &str| Settings { target: Some(target.to_owned()), ..Settings::default() };
    assert_eq!(lints(text).len(), 2);
    assert_eq!(lint_with(text, &target("a"), "").len(), 1);
    assert_eq!(lint_with(text, &target("2"), "").len(), 0);
}

#[test]
fn build_arguments_and_platforms_are_known() {
    let settings = Settings {
        platform: BTreeMap::from([("TARGETARCH".to_owned(), "arm64".to_owned())]),
        build_args: BTreeMap::from([("BASE".to_owned(), "a".to_owned())]),
        ..Settings::default()
    };
    let text = "ARG BASE=A\nFROM ${BASE}\nCOPY $TARGETARCH ./";
    let told = lint_with(text, &settings, "");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("InvalidDefaultArgInFrom"));
    let fail = parse("# check=error=true\nFROM scratch AS A", "F").expect("a file");
    assert!(fails(&fail, &lint(&fail, &settings, None)));
    assert!(!fails(&fail, &[]));
    let lax = parse("FROM scratch AS A", "F").expect("a file");
    assert!(!fails(&lax, &lint(&lax, &settings, None)));
}
