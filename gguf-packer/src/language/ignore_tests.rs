//! Tests of `ignore.rs`.

use super::*;

/// From the tests of moby/patternmatcher: a pattern, a path, whether the path itself matches, and
/// whether it or a folder that holds it does.
const MATCHES: [(&str, &str, bool, bool); 74] = [
    ("**", "file", true, true),
    ("**/", "file", true, true),
    ("**", "dir/file", true, true),
    ("**/**", "dir/file", true, true),
    ("dir/**", "dir/file", true, true),
    ("dir/**", "dir/dir2/file", true, true),
    ("**/dir", "dir", true, true),
    ("**/dir", "dir/file", false, true),
    ("**/dir2/*", "dir/dir2/file", true, true),
    ("**/dir2/**", "dir/dir2/dir3/file", true, true),
    ("**file", "file", true, true),
    ("**file", "dir/file", true, true),
    ("**/file", "dir/file", true, true),
    ("**/file", "dir/dir/file", true, true),
    ("**/file*", "dir/dir/file", true, true),
    ("**/file*", "dir/dir/file.txt", true, true),
    ("**/file*txt", "dir/dir/file.txt", true, true),
    ("**/file*.txt*", "dir/dir/file.txt", true, true),
    ("**/**/*.txt", "dir/dir/file.txt", true, true),
    ("**/**/*.txt2", "dir/dir/file.txt", false, false),
    ("**/*.txt", "file.txt", true, true),
    ("**/**/*.txt", "file.txt", true, true),
    ("a**/*.txt", "a/file.txt", true, true),
    ("a**/*.txt", "a/dir/dir/file.txt", true, true),
    ("a/*.txt", "a/dir/file.txt", false, false),
    ("a/*.txt", "a/file.txt", true, true),
    ("a/*.txt**", "a/file.txt", true, true),
    ("a[b-d]e", "ae", false, false),
    ("a[b-d]e", "ace", true, true),
    ("a[b-d]e", "aae", false, false),
    ("a[^b-d]e", "aze", true, true),
    (".*", ".foo", true, true),
    (".*", "foo", false, false),
    ("abc.def", "abcZdef", false, false),
    ("abc?def", "abcZdef", true, true),
    ("abc?def", "abcdef", false, false),
    ("**/foo/bar", "foo/bar", true, true),
    ("**/foo/bar", "dir/dir2/foo/bar", true, true),
    ("abc/**", "abc", false, false),
    ("abc/**", "abc/def/ghi", true, true),
    ("**/.foo", ".foo", true, true),
    ("**/.foo", "bar.foo", false, false),
    ("a(b)c/def", "a(b)c/def", true, true),
    ("a.|)$(}+{bc", "a.|)$(}+{bc", true, true),
    ("dist/*.whl", "dist/proxy.py-2.4.0rc3.dev36+g08acad9-py3-none-any.whl", true, true),
    (r"a\*b", "a*b", true, true),
    (r"a\*b", "ab", false, false),
    ("*", "abc", true, true),
    ("*c", "abc", true, true),
    ("a*", "ab/c", false, true),
    ("a*/b", "abc/b", true, true),
    ("a*/b", "a/c/b", false, false),
    ("a*b*c*d*e*/f", "axbxcxdxexxx/f", true, true),
    ("a*b*c*d*e*/f", "axbxcxdxe/xxx/f", false, false),
    ("a*b?c*x", "abxbbxdbxebxczzx", true, true),
    ("a*b?c*x", "abxbbxdbxebxczzy", false, false),
    ("a?b", "a☺b", true, true),
    ("a???b", "a☺b", false, false),
    ("a[^a]b", "a☺b", true, true),
    ("[a-ζ]*", "α", true, true),
    ("*[a-ζ]", "A", false, false),
    ("a?b", "a/b", false, false),
    ("a*b", "a/b", false, false),
    (r"[\]a]", "]", true, true),
    (r"[\-x]", "-", true, true),
    (r"[x\-]", "z", false, false),
    ("*x", "xxx", true, true),
    ("/a/b", "a/b", true, true),
    ("a/", "a/b", false, true),
    ("./a/../b//c/.", "b/c", true, true),
    ("**lit", "dir/mylit", true, true),
    ("**/lit", "dir/mylit", false, false),
    ("  a  ", "a", true, true),
    ("a", "ab", false, false),
];

#[test]
fn patterns_match_as_dockers_do() {
    for (pattern, path, exact, held) in MATCHES {
        let pattern_ = Pattern::parse(pattern).expect("a pattern");
        assert_eq!(pattern_.matches(path), exact, "{pattern} {path}");
        assert_eq!(pattern_.matches_or_holds(path), held, "{pattern} {path}");
    }
}

#[test]
fn the_last_pattern_that_matches_holds() {
    for (text, path, excluded) in [
        ("docs\n!docs/README.md", "docs/README.md", false),
        ("docs\n!docs/README.md", "docs/a.md", true),
        ("docs/*\n!docs/README.md", "docs/README.md", false),
        ("!a.go\n*.go", "a.go", true),
        ("*.go\n!a.go", "a.go", false),
        ("**\n!util/web", "util/web/foo", false),
        ("**\n!util/web\nutil/web/foo", "util/web/foo", true),
        ("*", "a/b", true),
        ("# a\n\n  \n/b\r\n! c ", "a", false),
        ("# a\n\n  \n/b\r\n! c ", "b", true),
        ("\u{feff}a", "/a", true),
        ("\u{feff}# b\nb", "./b", true),
        ("*\n!*.gguf", "m.gguf", false),
        ("*", ".", false),
        ("*", "/", false),
        ("", "a", false),
    ] {
        let ignore = Ignore::parse(text, "I").expect("patterns");
        assert_eq!(ignore.excludes(path), excluded, "{text:?} {path}");
    }
}

#[test]
fn folders_that_may_hold_exceptions_are_looked_into() {
    for (text, folder, may) in [
        ("docs", "docs", false),
        ("docs\n!docs/a/b.md", "docs", true),
        ("docs\n!docs/a/b.md", "docs/a", true),
        ("docs\n!docs/a/b.md", "docs/b", false),
        ("docs\n!docs/a/b.md", "docs/a/b.md/c", true),
        ("docs\n!d?cs/*.md", "docs", true),
        ("docs\n!other/*.md", "docs", false),
        ("docs\n!**/*.md", "docs", true),
        ("docs\n!do**/x", "elsewhere", true),
        ("docs\n!docs[^x]x", "docs", true),
        ("docs\n!*.md", "docs", false),
    ] {
        let ignore = Ignore::parse(text, "I").expect("patterns");
        assert_eq!(ignore.may_hold_exceptions(folder), may, "{text:?} {folder}");
    }
}

#[test]
fn lines_that_are_no_patterns_are_told() {
    let told =
        Ignore::parse("a\n!\n  [a\n[]a]\nb\\\n[a-\n", ".dockerignore").expect_err("no patterns");
    assert_eq!(
        told.to_string(),
        "\
.dockerignore:2:1: invalid pattern `!`
  2 | !
    | ^
  hint: docs/*.md, or !docs/keep.md
.dockerignore:3:3: invalid pattern `[a`: a `[` is not closed
  3 |   [a
    |   ^
  hint: docs/*.md, or !docs/keep.md
.dockerignore:4:1: invalid pattern `[]a]`: a `-` or `]` in brackets needs a `\\` before it
  4 | []a]
    | ^
  hint: docs/*.md, or !docs/keep.md
.dockerignore:5:1: invalid pattern `b\\`: nothing follows the `\\`
  5 | b\\
    | ^
  hint: docs/*.md, or !docs/keep.md
.dockerignore:6:1: invalid pattern `[a-`: a `[` is not closed
  6 | [a-
    | ^
  hint: docs/*.md, or !docs/keep.md"
    );
    assert!(Pattern::parse(&"a".repeat(LONGEST + 1)).is_err());
    assert!(Ignore::of(["a", "["]).is_err());
    assert!(Ignore::of(["*.md", "!a.md"]).expect("patterns").excludes("b.md"));
    assert!(Ignore::of([]).expect("patterns").is_empty());
}

#[test]
fn no_pattern_takes_long() {
    let pattern = Pattern::parse(&"**/*a*".repeat(600)).expect("a pattern");
    assert!(!pattern.matches(&"a/".repeat(2000)));
}
