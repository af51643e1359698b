//! llama.cpp and the code of others in its tree that is compiled into what every distribution has.
//! Versions and licence texts are read from the files themselves.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use llama_src::Error;

use super::{Component, Group, Text, read_text};
use product::manifest::LlamaCpp;

mod table;

use table::{License, Row, TABLE};

/// llama.cpp and what its tree in `source` carries.
///
/// # Errors
/// When a version or a licence text is not where the table says; all such places are named.
pub(super) fn read(source: &Path, upstream: &LlamaCpp) -> Result<Vec<Component>> {
    let mut components = vec![llama_cpp(source, upstream)?];
    let mut wrong = Vec::new();
    for row in TABLE {
        match component(source, row) {
            Ok(component) => components.push(component),
            Err(error) => wrong.push(format!("{error:#}")),
        }
    }
    if wrong.is_empty() {
        return Ok(components);
    }
    bail!(
        Error::mismatch(wrong.join("\n"))
            .hint("update tools/distribution/src/component/carried/table.rs")
    )
}

fn llama_cpp(source: &Path, upstream: &LlamaCpp) -> Result<Component> {
    let text = |path: &str, file: &str| -> Result<Text> {
        Ok(Text { path: path.to_owned(), content: read_text(&source.join(file))? })
    };
    let mut texts = vec![text("llama.cpp.txt", "LICENSE")?];
    if source.join("AUTHORS").is_file() {
        texts.push(text("llama.cpp-authors.txt", "AUTHORS")?);
    }
    let tag = &upstream.tag;
    Ok(Component {
        version: Some(tag.clone()),
        supplier: Some("ggml-org".to_owned()),
        download: Some(format!(
            "https://github.com/ggml-org/llama.cpp/archive/refs/tags/{tag}.tar.gz"
        )),
        purl: Some(format!("pkg:github/ggml-org/llama.cpp@{tag}")),
        origin: Some(origin(upstream)),
        texts,
        ..Component::new(Group::Upstream, "llama.cpp", "MIT")
    })
}

fn origin(upstream: &LlamaCpp) -> String {
    let LlamaCpp { version, tree, verified, patches, .. } = upstream;
    let source = if *verified {
        format!("the git tree of the source was verified: {tree}")
    } else {
        format!("the git tree of the source was not verified: {tree}")
    };
    let patches = match patches.as_slice() {
        [] => "not patched".to_owned(),
        some => format!("patched: {}", some.join(", ")),
    };
    format!("version {version}; {source}; {patches}")
}

fn component(source: &Path, row: &Row) -> Result<Component> {
    let (file, words) = row.version;
    let version = match words {
        [] => None,
        _ => Some(version_after(&source_text(source, row, file)?, words).ok_or_else(|| {
            anyhow!("{}: no version found in {file} after `{}`", row.name, words.join("`, `"))
        })?),
    };
    let mut content = String::new();
    for license in row.license {
        let gap = if content.is_empty() { "" } else { "\n" };
        content += gap;
        content += &license_text(source, row, license)?;
    }
    let folder = if row.group == Group::Page { "web-ui" } else { "llama.cpp" };
    let path = format!("{folder}/{}.txt", row.name);
    let texts = if content.is_empty() { Vec::new() } else { vec![Text { path, content }] };
    let tagged = version.as_ref().filter(|_| !row.tag.is_empty());
    let at = tagged.map(|version| format!("{}{version}", row.tag));
    Ok(Component {
        version,
        purl: Some(format!("pkg:{}{}", row.purl, at.unwrap_or_default())),
        texts,
        ..Component::new(row.group, row.name, row.spdx)
    })
}

fn license_text(source: &Path, row: &Row, license: &License) -> Result<String> {
    match *license {
        License::File(file) => Ok(source_text(source, row, file)?.trim_end().to_owned() + "\n"),
        License::Comment(file, words) => comment(&source_text(source, row, file)?, words)
            .ok_or_else(|| anyhow!("{}: no comment with `{words}` found in {file}", row.name)),
        License::Mit => Ok(include_str!("texts/MIT.txt").to_owned()),
    }
}

fn source_text(source: &Path, row: &Row, file: &str) -> Result<String> {
    let path = source.join(file);
    fs::read_to_string(&path).with_context(|| format!("{}: read {}", row.name, path.display()))
}

/// The digits and dots that follow each of `words`, joined by dots.
fn version_after(text: &str, words: &[&str]) -> Option<String> {
    let part = |word: &&str| {
        let rest = text.split_once(word)?.1.trim_start_matches([' ', '"', '\'']);
        let number = rest.split(|c: char| !c.is_ascii_digit() && c != '.').next()?;
        (!number.is_empty()).then_some(number)
    };
    Some(words.iter().map(part).collect::<Option<Vec<_>>>()?.join("."))
}

/// The text of the comment that has `words` in it: between `/*` and `*/`, or lines that begin with `//`.
fn comment(text: &str, words: &str) -> Option<String> {
    let at = text.find(words)?;
    let line = text[..at].rfind('\n').map_or(0, |end| end + 1);
    let plain = if text[line..].starts_with("//") {
        let is_comment = |line: &&str| line.starts_with("//");
        let before: Vec<&str> = text[..line].lines().rev().take_while(is_comment).collect();
        let after = text[line..].lines().take_while(is_comment);
        let lines = before.into_iter().rev().chain(after);
        let text = |line: &str| line.trim_start_matches('/').trim().to_owned() + "\n";
        lines.map(text).collect()
    } else {
        let start = text[..at].rfind("/*")? + 2;
        text[start..at + text[at..].find("*/")?].to_owned()
    };
    Some(plain.trim().to_owned() + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: Row = Row {
        name: "x",
        group: Group::Carried,
        spdx: "MIT",
        license: &[License::Comment("x.h", "Copyright"), License::Mit],
        version: ("x.h", &["#define X_MAJOR", "#define X_MINOR"]),
        purl: "github/a/x",
        tag: "@v",
    };

    #[test]
    fn a_version_is_read_from_the_source() {
        let text = "#define A_VERSION \"0.60.1\"\n#define A_MAJOR 3 // x\n#define A_MINOR 12\nx - v2.30 - p";
        let read = |words: &[&str]| version_after(text, words);
        assert_eq!(read(&["#define A_VERSION"]).unwrap(), "0.60.1");
        assert_eq!(read(&["#define A_MAJOR", "#define A_MINOR"]).unwrap(), "3.12");
        assert_eq!(read(&["x - v"]).unwrap(), "2.30");
        assert_eq!(read(&["#define A_MAJOR", "#define A_PATCH"]), None);
        assert_eq!(read(&["- p"]), None);
    }

    #[test]
    fn a_licence_is_taken_from_its_comment() {
        let text =
            "// by A\n//\n//  free\nint a; /* no */\n/*\n * kept as it is\n MIT */ b\n// c\n";
        assert_eq!(comment(text, "by A").unwrap(), "by A\n\nfree\n");
        assert_eq!(comment(text, "free").unwrap(), "by A\n\nfree\n");
        assert_eq!(comment(text, "MIT").unwrap(), "* kept as it is\n MIT\n");
        assert_eq!(comment(text, "GPL"), None);
    }

    #[test]
    fn a_row_is_read_or_what_is_missing_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let error = format!("{:#}", component(dir.path(), &ROW).unwrap_err());
        assert!(error.starts_with("x: read ") && error.contains("x.h: "), "{error}");
        fs::write(dir.path().join("x.h"), "#define X_MAJOR 1\n").unwrap();
        assert_eq!(
            component(dir.path(), &ROW).unwrap_err().to_string(),
            "x: no version found in x.h after `#define X_MAJOR`, `#define X_MINOR`"
        );
        fs::write(dir.path().join("x.h"), "#define X_MAJOR 1\n#define X_MINOR 2\n").unwrap();
        assert_eq!(
            component(dir.path(), &ROW).unwrap_err().to_string(),
            "x: no comment with `Copyright` found in x.h"
        );
        let text = "// Copyright me\n#define X_MAJOR 1\n#define X_MINOR 2\n";
        fs::write(dir.path().join("x.h"), text).unwrap();
        let component = component(dir.path(), &ROW).unwrap();
        assert_eq!(component.version.as_deref(), Some("1.2"));
        assert_eq!(component.purl.as_deref(), Some("pkg:github/a/x@v1.2"));
        assert_eq!(component.texts[0].path, "llama.cpp/x.txt");
        assert!(component.texts[0].content.starts_with("Copyright me\n\nThe MIT License\n"));
    }

    #[test]
    fn everything_that_is_missing_is_said_at_once() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("LICENSE"), "MIT").unwrap();
        let error = format!("{:#}", super::read(dir.path(), &upstream()).unwrap_err());
        assert!(error.contains("cpp-httplib: ") && error.contains("\nxxhash: "), "{error}");
        let hint = "\n  hint: update tools/distribution/src/component/carried/table.rs";
        assert!(error.ends_with(hint), "{error}");
    }

    #[test]
    fn what_is_known_of_the_source_is_said() {
        let mut upstream = upstream();
        assert_eq!(
            origin(&upstream),
            "version 1.2.3; the git tree of the source was verified: ee32; patched: 0001-a.patch"
        );
        (upstream.verified, upstream.patches) = (false, Vec::new());
        assert_eq!(
            origin(&upstream),
            "version 1.2.3; the git tree of the source was not verified: ee32; not patched"
        );
    }

    fn upstream() -> LlamaCpp {
        LlamaCpp {
            tag: "b1".into(),
            build_number: 1,
            version: "1.2.3".into(),
            tree: "ee32".into(),
            verified: true,
            patches: vec!["0001-a.patch".into()],
        }
    }
}
