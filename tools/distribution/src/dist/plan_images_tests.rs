//! Images hold all that a distribution has, the same in both of a variant, the payload in one line.

use super::*;
use workspace::cargo;

/// What a stage copies out of a distribution: lines of patterns, without their destination.
fn copied(dockerfile: &str, stage: &str) -> Vec<Vec<String>> {
    let lines = dockerfile.lines().skip_while(|line| !line.ends_with(&format!(" AS {stage}")));
    let lines = lines.skip(1).take_while(|line| !line.starts_with("FROM "));
    let words = |line: &str| {
        let mut words: Vec<String> =
            line.split_whitespace().map(|word| word.trim_start_matches('/').to_owned()).collect();
        words.pop();
        words
    };
    lines.filter_map(|line| line.strip_prefix("COPY --from=dist ")).map(words).collect()
}

/// Whether a file is taken by `pattern`, which has `*` and `[x]`, or is below a folder of that name.
fn takes(pattern: &[u8], path: &[u8]) -> bool {
    match (pattern, path) {
        ([], [] | [b'/', ..]) => true,
        ([b'*', rest @ ..], _) => {
            let length = path.iter().position(|&byte| byte == b'/').unwrap_or(path.len());
            (0..=length).any(|skipped| takes(rest, &path[skipped..]))
        }
        ([b'[', one, b']', rest @ ..] | [one, rest @ ..], [first, path @ ..]) => {
            one == first && takes(rest, path)
        }
        _ => false,
    }
}

#[test]
fn every_file_of_a_distribution_is_in_its_images() {
    let mut payload = Vec::new();
    for variant in Variant::ALL {
        let path = cargo::root().join(format!("docker/{variant}.Dockerfile"));
        let text = std::fs::read_to_string(path).unwrap();
        let [runtime, minimal] = ["runtime", "minimal"].map(|stage| copied(&text, stage));
        assert_eq!(runtime, minimal, "{variant}");
        let patterns: Vec<&String> = runtime.iter().flatten().collect();
        for file in files(variant, false) {
            let path = file.replace('*', "x");
            let is_taken =
                patterns.iter().any(|pattern| takes(pattern.as_bytes(), path.as_bytes()));
            assert!(is_taken, "{variant}: {file} is in no COPY: {patterns:?}");
        }
        payload.extend(runtime.into_iter().filter(|line| line[0] == "llama-server"));
    }
    assert_eq!(payload.len(), Variant::ALL.len());
    assert!(payload.windows(2).all(|pair| pair[0] == pair[1]), "{payload:?}");
}

#[test]
fn patterns_take_files_and_what_is_below_folders() {
    let takes = |pattern: &str, path: &str| takes(pattern.as_bytes(), path.as_bytes());
    assert!(
        takes("lib*.so.*", "libcublas.so.13")
            && takes("bin", "bin/x")
            && takes("rocbla[s]", "rocblas/a/b")
    );
    assert!(!takes("lib*.so", "libcublas.so.13") && !takes("bin", "binary"));
}
