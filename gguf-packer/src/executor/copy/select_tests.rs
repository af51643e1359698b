//! Sources, by the smallest trees that have them.

use super::*;
use crate::executor::copy::files::tests::tree;
use crate::tree::Tree;

fn names(tree: &Tree, source: &str, parents: bool) -> Result<Vec<String>, String> {
    let found = select(tree, &["models", ""], source, parents).map_err(|e| e.to_string())?;
    Ok(found.into_iter().map(|found| format!("{} {}", found.path, found.name)).collect())
}

fn walked(tree: &Tree, source: &str, exclude: &str, parents: bool) -> Vec<String> {
    let found = select(tree, &[""], source, parents).expect("found");
    let walk =
        |found| walk(tree, found, &Ignore::of(exclude.lines()).expect("patterns")).expect("a tree");
    found.iter().flat_map(walk).map(|(_, entry)| entry.path).collect()
}

#[test]
fn a_source_is_a_path_or_a_pattern() {
    let tree =
        tree(&["a.gguf", "b.gguf", "c.txt", "d/e.gguf", "d/f/g.gguf", "h->d/f", "i->d/e.gguf"]);
    let names = |source: &str| names(&tree, source, false).expect(source);
    assert_eq!(names("a.gguf"), ["a.gguf a.gguf"]);
    assert_eq!(names("/d/./e.gguf"), ["d/e.gguf e.gguf"]);
    assert_eq!(names("*.gguf"), ["a.gguf a.gguf", "b.gguf b.gguf"]);
    assert_eq!(names("*/e.gguf"), ["d/e.gguf e.gguf"]);
    assert_eq!(names("d"), ["d d"]);
    assert_eq!(names("."), [" "]);
    assert_eq!(names("h"), ["d/f h"], "the link is followed, its name kept");
    assert_eq!(names("h/g.gguf"), ["d/f/g.gguf g.gguf"]);
    assert_eq!(names("i"), ["d/e.gguf i"]);
    assert_eq!(names("x*"), [""; 0]);
    assert_eq!(names("**/g.gguf"), ["d/f/g.gguf g.gguf"], "without --parents `**` is `*`: by h");
    assert_eq!(names("**/f/g.gguf"), ["d/f/g.gguf g.gguf"]);
}

#[test]
fn a_relative_source_is_looked_for_in_the_working_folder_first() {
    let tree = tree(&["models/a", "a", "b"]);
    assert_eq!(names(&tree, "a", false).expect("a"), ["models/a a"]);
    assert_eq!(names(&tree, "/a", false).expect("a"), ["a a"]);
    assert_eq!(names(&tree, "b", false).expect("b"), ["b b"]);
}

#[test]
fn parents_are_kept_from_the_pivot_on() {
    let tree = tree(&["a/b/c/x", "a/b/c/y", "a/z/x"]);
    let names = |source: &str| names(&tree, source, true).expect(source);
    assert_eq!(names("a/b/c/x"), ["a/b/c/x a/b/c/x"]);
    assert_eq!(names("a/./b/c/x"), ["a/b/c/x b/c/x"]);
    assert_eq!(names("a/*/x"), ["a/z/x a/z/x"]);
    assert_eq!(names("**/x"), ["a/b/c/x a/b/c/x", "a/z/x a/z/x"]);
    assert_eq!(names("./a/./**/y"), ["a/b/c/y b/c/y"]);
}

#[test]
fn what_is_missing_is_named_with_what_is_near() {
    let tree = tree(&["model.gguf", "modal.gguf", "other"]);
    let error = "file or folder not found: `Model.guf`\n  hint: did you mean `model.gguf`?\n  \
        hint: did you mean `modal.gguf`?";
    assert_eq!(names(&tree, "Model.guf", false), Err(error.to_owned()));
    assert_eq!(names(&tree, "zzz", false), Err("file or folder not found: `zzz`".to_owned()));
    let out = names(&tree, "../x", false).expect_err("out");
    assert!(
        out.starts_with("forbidden path outside the build context or stage: `../x`\n  hint: "),
        "{out}"
    );
}

#[test]
fn excluded_files_stay_away() {
    let tree = tree(&["d/a.txt", "d/b.md", "d/s/c.txt", "d/s/d.md", "e.txt"]);
    assert_eq!(walked(&tree, "d", "*.txt", false), ["d", "d/b.md", "d/s", "d/s/c.txt", "d/s/d.md"]);
    assert_eq!(walked(&tree, "d", "**/*.txt", false), ["d", "d/b.md", "d/s", "d/s/d.md"]);
    assert_eq!(
        walked(&tree, "d", "s\n!s/d.md", false),
        ["d", "d/a.txt", "d/b.md", "d/s", "d/s/d.md"]
    );
    assert_eq!(walked(&tree, "d", "s\n!s/x", false), ["d", "d/a.txt", "d/b.md"]);
    assert_eq!(walked(&tree, "*", "*.txt", false), ["d", "d/b.md", "d/s", "d/s/c.txt", "d/s/d.md"]);
    assert_eq!(walked(&tree, "e.txt", "*.txt", false), [""; 0]);
    assert_eq!(walked(&tree, "d", "d/s", true), ["d", "d/a.txt", "d/b.md"]);
}

#[test]
fn folders_may_be_deeper_than_the_stack_is_large() {
    // As a store of an earlier version may have them.
    let deep = format!("a/{}f", "d/".repeat(2000));
    let tree = tree(&[deep.as_str(), "a/x/y/z"]);
    let walk = move || {
        let all = walked(&tree, "a", "", false);
        let left = walked(&tree, "a", "d\nx\n!x/y/none", false);
        (all.len(), left)
    };
    let small = std::thread::Builder::new().stack_size(512 << 10).spawn(walk).expect("a thread");
    assert_eq!(small.join().expect("it ends"), (2005, vec!["a".to_owned()]));
}
