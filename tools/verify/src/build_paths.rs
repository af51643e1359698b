//! Paths of the build machine in the strings of a file: they tell where it was built, and make two
//! builds of one source differ.

use std::io::BufRead;

/// How many strings a message shows.
const SHOWN: usize = 3;
/// How much of a string a message shows.
const LONGEST: usize = 120;

/// Marks of a build folder, wherever they stand in a path.
const MARKS: &[&str] = &["/build/bin/", "/CMakeFiles/", "/.cargo/registry/", "/.cargo/git/"];
/// Folders of people, where a path begins.
const FOLDERS: &[&str] = &[concat!("/ho", "me/"), concat!("/ro", "ot/")];

/// Strings with a build path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// The first few.
    pub(super) first: Vec<String>,
    /// How many more paths there are.
    pub(super) more: usize,
}

/// Looks for marks of a build and for the `forbidden` paths, which are absolute.
pub(super) fn find(bytes: &[u8], forbidden: &[String]) -> Found {
    let mut found = Found::default();
    let mut rest = bytes;
    let mut seen = 0;
    // Every path has a slash; the jump to the next one is fast even without optimization.
    while rest.skip_until(b'/').is_ok_and(|skipped| skipped > 0) {
        let at = bytes.len() - rest.len() - 1;
        if at < seen || !breaks(&bytes[..at], &bytes[at..], forbidden) {
            continue;
        }
        let (text, end) = string_around(bytes, at);
        seen = end;
        if found.first.contains(&text) {
            continue;
        }
        if found.first.len() < SHOWN { found.first.push(text) } else { found.more += 1 }
    }
    found
}

fn breaks(before: &[u8], path: &[u8], forbidden: &[String]) -> bool {
    let starts = |start: &str| path.starts_with(start.as_bytes());
    MARKS.iter().any(|mark| starts(mark))
        || (begins_path(before) && FOLDERS.iter().any(|folder| starts(folder)))
        || is_output_folder(path)
        || forbidden.iter().any(|folder| is_below(before, path, folder.trim_end_matches('/')))
}

/// `/llama-sys-` and Cargo's hash: the folder that a build script writes to.
fn is_output_folder(path: &[u8]) -> bool {
    let Some(rest) = path.strip_prefix(b"/llama-sys-") else { return false };
    rest.len() > 20
        && rest[..16].iter().all(u8::is_ascii_hexdigit)
        && rest[16..].starts_with(b"/out")
}

/// Whether `path` is `folder` or in it. A folder of one word, `/src`, only counts where a path begins:
/// it is a part of too many others.
fn is_below(before: &[u8], path: &[u8], folder: &str) -> bool {
    let Some(rest) = path.strip_prefix(folder.as_bytes()) else { return false };
    let one_word = folder.matches('/').count() < 2;
    !folder.is_empty()
        && !rest.first().is_some_and(|byte| is_in_word(*byte))
        && (!one_word || begins_path(before))
}

/// Whether a path begins behind these bytes; the `I` of `-I/src` is no part of one.
fn begins_path(before: &[u8]) -> bool {
    match before {
        [.., b'-', b'I' | b'L' | b'B'] => true,
        [.., last] => !is_in_word(*last) && !b")}*".contains(last),
        [] => true,
    }
}

fn is_in_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_.-".contains(&byte)
}

/// The printable text around `at` and where it ends.
fn string_around(bytes: &[u8], at: usize) -> (String, usize) {
    let printable = |byte: &u8| (b' '..=b'~').contains(byte);
    let before =
        bytes[..at].iter().rev().take(LONGEST / 2).take_while(|byte| printable(byte)).count();
    let after = bytes[at..].iter().take_while(|byte| printable(byte)).count();
    let shown = &bytes[at - before..at + after.min(LONGEST)];
    (String::from_utf8_lossy(shown).trim().to_owned(), at + after)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(text: &str) -> Vec<String> {
        find(text.as_bytes(), &["/opt/tree".into(), "/src/".into()]).first
    }

    #[test]
    fn paths_of_a_build_are_found() {
        for text in [
            concat!("/ho", "me/jane/llama.cpp/ggml.c"),
            concat!("-I/ro", "ot/llama.cpp"),
            "x/build/bin/libllama.so",
            "a/CMakeFiles/x.dir/y.o",
            "~/.cargo/registry/src/serde",
            "x/llama-sys-8bbb75f0d32c2006/out/build",
            "file:/opt/tree/ggml.c",
            "/opt/tree",
            "/src/ggml.c",
        ] {
            assert_eq!(first(&format!("\0ELF\0{text}\0more")), [text]);
        }
    }

    #[test]
    fn what_is_no_path_of_a_machine_is_left_alone() {
        for text in [
            "/usr/share/ca-certificates",
            "/proc/cpuinfo",
            "ggml/src/ggml.c",
            "/opt/trees/x",
            concat!("/v1/ro", "ot/x"),
            concat!("${x}/ho", "me/y"),
            "/rustc/0123/library/std/src/io.rs",
            "llama-sys-0.1.0/out",
            "/llama-sys-8bbb75f0d32c2006x/out",
            "/srcs",
        ] {
            assert_eq!(first(text), [] as [&str; 0], "{text}");
        }
    }

    #[test]
    fn the_first_few_are_shown_once_and_the_others_counted() {
        let text = (0..6).map(|n| format!("/opt/tree/{n}:/opt/tree/x\0")).collect::<String>();
        let found = find((text.clone() + &text[..24]).as_bytes(), &["/opt/tree".into()]);
        let first =
            ["/opt/tree/0:/opt/tree/x", "/opt/tree/1:/opt/tree/x", "/opt/tree/2:/opt/tree/x"];
        assert_eq!(found, Found { first: first.map(str::to_owned).into(), more: 3 });
    }
}
