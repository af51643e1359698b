//! Tests of `variables.rs`.

use super::*;

type Given<'a> = &'a [(&'a str, &'a str)];

fn expand_as(text: &str, values: Given<'_>, how: (char, Quoting)) -> Result<String, Fault> {
    let (mut scope, mut budget) = (Scope::default(), Budget::default());
    for (name, value) in values {
        scope.declare(name, Some((*value).to_owned()));
    }
    Expander::new(text, how, &scope, &mut budget).expand().map(|(text, _)| text)
}

fn word(text: &str, values: Given<'_>) -> Result<String, String> {
    expand_as(text, values, ('\\', Quoting::Word))
        .map_err(|fault| format!("{}: {}", fault.at, fault.what))
}

const SOME: Given<'_> = &[("FOO", "xxx"), ("EMPTY", ""), ("PWD", "/home"), ("한", "글")];

/// From the tests of BuildKit's lexer, and more.
const WORDS: &[(&str, &str)] = &[
    ("hello", "hello"),
    ("he'll'o", "hello"),
    ("he'llo\\'", "hello\\"),
    ("he\\'llo", "he'llo"),
    ("he\\\\'llo'", "he\\llo"),
    ("abc\\tdef", "abctdef"),
    ("\"abc\\tdef\"", "abc\\tdef"),
    ("\"abc\\\\tdef\"", "abc\\tdef"),
    ("'abc\\tdef'", "abc\\tdef"),
    ("hello\\", "hello"),
    ("hello\\\\", "hello\\"),
    ("\"hello\\\\\"", "hello\\"),
    ("\"he'llo\"", "he'llo"),
    ("\"hello\\\"\"", "hello\""),
    ("\"'hello' there\"", "'hello' there"),
    ("'hello\" there'", "hello\" there"),
    ("hello there", "hello there"),
    ("$", "$"),
    ("hello$", "hello$"),
    ("he$FOO.", "hexxx."),
    ("he$FOOx", "he"),
    ("he${FOO}xx", "hexxxxx"),
    ("'${FOO}'", "${FOO}"),
    ("\"${FOO}\"", "xxx"),
    ("\\$FOO", "$FOO"),
    ("\\\\$FOO", "\\xxx"),
    ("\"\\$FOO\"", "$FOO"),
    ("he\\$PWD.", "he$PWD."),
    ("he$1x", "hex"),
    ("$00x", "x"),
    ("$@x", "x"),
    ("$한", "글"),
    ("é${FOO}é", "éxxxé"),
    ("${FOO-aaa} ${EMPTY-bbb} ${BAZ-ccc}", "xxx  ccc"),
    ("${FOO:-aaa} ${EMPTY:-bbb} ${BAZ:-ccc}", "xxx bbb ccc"),
    ("${FOO:-}${BAZ:-}", "xxx"),
    ("${FOO+aaa} ${EMPTY+bbb} ${BAZ+ccc}", "aaa bbb "),
    ("${FOO:+aaa} ${EMPTY:+bbb} ${BAZ:+ccc}", "aaa  "),
    ("${FOO?aaa}${EMPTY?bbb}${FOO:?aaa}", "xxxxxx"),
    ("${BAZ:-${FOO:+a$FOO}b}", "axxxb"),
    ("${BAZ:-'}'\"}\"\\}}", "}}}"),
    ("${BAZ:-a b}", "a b"),
    ("v${PWD:+-${PWD}}.tar", "v-/home.tar"),
];

#[test]
fn words_are_expanded_as_buildkit_does() {
    for (text, expected) in WORDS {
        assert_eq!(word(text, SOME), Ok((*expected).to_owned()), "{text}");
    }
}

#[test]
fn patterns_trim_and_replace() {
    for (text, foo, bar, expected) in [
        ("${FOO#()[]{\\}^$.\\*\\?|\\\\}", "()[]{}^$.*?|\\x", "", "x"),
        ("${FOO%%\\**}", "xx**", "", "xx"),
        ("${FOO#*x*y}", "xxyy", "", "y"),
        ("${FOO#*}", "xxyy", "", "xxyy"),
        ("${FOO##*}", "xxyy", "", ""),
        ("${FOO:##*x}", "xxyy", "", "yy"),
        ("${FOO#$BAR}", "xxyy", "x", "xyy"),
        ("${FOO#$BAR}", "xxyy", "", "xxyy"),
        ("${FOO#}", "xxyy", "", "xxyy"),
        ("${FOO##*x}", "xxyy", "", "yy"),
        ("${FOO##}", "xxyy", "", "xxyy"),
        ("${FOO#?\\?}", "???y", "", "?y"),
        ("${ABC:-.}${FOO%x}${ABC:-.}", "xxyy", "", ".xxyy."),
        ("${FOO%%\\**\\*}", "a***yy*", "", "a"),
        ("${FOO%y*}", "xxyy", "", "xxy"),
        ("${FOO%%y*}", "xxyy", "", "xx"),
        ("${FOO%}", "xxyy", "", "xxyy"),
        ("${FOO%.gguf}", "a.b.gguf", "", "a.b"),
        ("${FOO%%.*}", "a.b.gguf", "", "a"),
        ("${FOO##*/}", "a/b/c", "", "c"),
        ("${FOO/$BAR/.} - ${FOO//$BAR/.}", "/foo*/*/*.txt", "\\*/", "/foo.*/*.txt - /foo..*.txt"),
        ("${FOO/$BAR/} - ${FOO//$BAR/}", "/var/var/bar.txt", "/var", "/var/bar.txt - /bar.txt"),
        ("${FOO/$BAR//} - ${FOO//$BAR//}", "/a/foo/b/c.txt", "/?/", "/foo/b/c.txt - /foo/c.txt"),
        ("${FOO/$BAR/https://}", "http://google.de", "http://", "https://google.de"),
        ("${FOO//\\//\\/}", "/var/foo.txt", "", "\\/var\\/foo.txt"),
        ("${FOO/$BAR/ww}", "xxyy", "", "wwxxyy"),
        ("${FOO//$BAR/w}", "xxyy", "", "wxwxwywyw"),
        ("${FOO///}", "xxyy", "", "xxyy"),
        ("${FOO//x*/-}", "axbxc", "", "a-"),
        ("${FOO//_/-}", "Q4_K_M", "", "Q4-K-M"),
        ("${FOO//[/(}", "a[[", "", "a(("),
        ("${NONE///}", "", "", ""),
    ] {
        let values = [("FOO", foo), ("BAR", bar)];
        assert_eq!(word(text, &values), Ok(expected.to_owned()), "{text} of {foo}");
    }
}

#[test]
fn what_cannot_be_expanded_is_told() {
    for (text, told) in [
        ("a'b", "1: this `'` is not closed"),
        ("a\"b", "1: this `\"` is not closed"),
        ("a\"b\\\"", "1: this `\"` is not closed"),
        ("a${", "1: this `${` is not closed"),
        ("a${FOO", "1: this `${` is not closed"),
        ("${}", "0: `${` without a name"),
        ("${{a}", "0: `${` without a name"),
        ("${:a}", "0: `${` without a name"),
        ("${FOO:-a", "8: a `}` is missing"),
        ("${FOO#a", "7: a `}` is missing"),
        ("${FOO//ww}", "10: a `/` is missing in `${…/…/…}`"),
        ("${FOO/a/b", "9: a `}` is missing"),
        ("${FOO=aaa}", "0: unsupported modifier `=` in a substitution"),
        ("${FOO:=aaa}", "0: unsupported modifier `:=` in a substitution"),
        ("${FOO:", "0: unsupported modifier `:` in a substitution"),
        ("${FOO bar}", "0: this `${` is not closed"),
        ("${FOO:\n}", "0: this `${` is not closed"),
        ("é${BAZ?}", "2: `BAZ` has no value"),
        ("${EMPTY:?}", "0: `EMPTY` is empty"),
        ("${BAZ:?say $FOO}", "0: BAZ: say xxx"),
        ("${FOO#\\x}", "0: invalid escape `\\x` in a pattern"),
    ] {
        assert_eq!(word(text, SOME), Err(told.to_owned()), "{text}");
    }
}

#[test]
fn text_keeps_its_quotes_and_escapes() {
    for (text, expected) in [
        ("it's \"$FOO\"", "it's \"xxx\""),
        ("{{ '\\n' }}", "{{ '\\n' }}"),
        ("\\$FOO \\\\ \\\\$FOO", "$FOO \\ \\xxx"),
        ("${BAZ:-\"a\\}\"}", "\"a}\""),
        ("a\\\nb", "a\nb"),
        ("a\\", "a\\"),
        ("${FOO%x}", "xx"),
    ] {
        let expanded = expand_as(text, SOME, ('\\', Quoting::Text));
        assert_eq!(expanded, Ok(expected.to_owned()), "{text}");
    }
    assert_eq!(expand_as("`$FOO \\n `n", SOME, ('`', Quoting::Word)), Ok("$FOO \\n n".to_owned()));
    assert_eq!(expand_as("`$FOO C:\\n", SOME, ('`', Quoting::Text)), Ok("$FOO C:\\n".to_owned()));
}

#[test]
fn uses_know_their_place_and_whether_they_are_guarded() {
    let (scope, mut budget) = (Scope::default(), Budget::default());
    let expander =
        Expander::new("a$A '$B' ${C:-$D} ${E%x}", ('\\', Quoting::Word), &scope, &mut budget);
    let (_, uses) = expander.expand().expect("a text");
    let uses: Vec<_> =
        uses.iter().map(|used| (used.name.as_str(), used.at, used.guarded)).collect();
    assert_eq!(uses, [("A", 1, false), ("C", 9, true), ("D", 14, false), ("E", 18, false)]);
}

#[test]
fn values_have_bounds() {
    let long = "x".repeat(LONGEST / 2 + 1);
    let values: Given<'_> = &[("A", &long)];
    assert!(word("$A", values).is_ok());
    assert_eq!(word("$A$A", values), Err(format!("2: the value is longer than {LONGEST} bytes")));
    assert_eq!(
        word("${A//x/xx}", values),
        Err(format!("0: the value is longer than {LONGEST} bytes"))
    );
    let deep = |count: usize| format!("{}{}", "${B:-".repeat(count), "}".repeat(count));
    assert_eq!(word(&deep(64), values), Ok(String::new()));
    assert_eq!(word(&deep(65), values), Err("320: more than 64 nested braces".to_owned()));
    let much = "${B:-${A}}".repeat(2);
    assert!(word(&much, values).is_err());
    let wide = format!("${{A//{}/}}", "a".repeat(1000));
    assert_eq!(word(&wide, values), Err("0: this file matches too many patterns".to_owned()));
    // Values that are thrown away are paid for too.
    let thrown = "${B+${A%%y}}".repeat(100);
    assert_eq!(
        word(&thrown, values).map_err(|told| told.split_once(' ').map(|(_, told)| told.to_owned())),
        Err(Some("all values in this file together are too long".to_owned()))
    );
}
