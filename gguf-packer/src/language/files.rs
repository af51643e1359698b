//! `ADD`, `COPY` and `CAT`: instructions that put files down as they are.

use super::call::{Call, Notes, Value};
use super::instruction::{Add, AddSource, Cat, Copy, Instruction, Origin, Placing};
use super::mode::Mode;

pub(super) fn add(call: &Call<'_>, notes: &mut Notes<'_>) -> Instruction {
    let sources: Vec<AddSource> =
        call.sources().iter().map(|value| add_source(value, notes)).collect();
    let checksum = call.flag("checksum").map(|value| {
        check_sum(value, &sources, notes);
        value.text.clone()
    });
    Instruction::Add(Add {
        dest: call.dest(notes),
        keep_git_dir: call.switch("keep-git-dir", notes),
        checksum,
        placing: placing(call, notes),
        sources,
    })
}

pub(super) fn copy(call: &Call<'_>, from: Option<Origin>, notes: &mut Notes<'_>) -> Instruction {
    let (mut sources, mut inline) = (Vec::new(), Vec::new());
    for value in call.sources() {
        match (add_source(value, notes), &from) {
            (AddSource::Path(path), _) => sources.push(path),
            (AddSource::Inline(name, text), None) => inline.push((name, text)),
            (AddSource::Inline(..), Some(_)) => {
                notes.problem(value.at, "`--from` does not apply to a heredoc", "remove `--from`");
            }
            (AddSource::Url(url), _) => {
                let what = format!("COPY takes files, not the URL `{url}`");
                notes.problem(value.at, what, "use ADD");
            }
            (AddSource::Git(url), _) => {
                let what = format!("COPY takes files, not the repository `{url}`");
                notes.problem(value.at, what, "use ADD");
            }
        }
    }
    Instruction::Copy(Copy {
        from: from.unwrap_or(Origin::Context),
        sources,
        inline,
        dest: call.dest(notes),
        parents: call.switch("parents", notes),
        placing: placing(call, notes),
    })
}

pub(super) fn cat(call: &Call<'_>, notes: &mut Notes<'_>) -> Instruction {
    let sources = call.sources();
    let texts: Vec<&str> = sources
        .iter()
        .filter_map(|value| value.body.as_ref())
        .map(|(_, text)| text.as_str())
        .collect();
    let text = if texts.is_empty() {
        let words: Vec<&str> = sources.iter().map(|value| value.text.as_str()).collect();
        words.join(" ")
    } else {
        if let Some(word) = sources.iter().find(|value| value.body.is_none()) {
            let hint = "write all of it between `<<EOF` and `EOF`";
            notes.problem(word.at, "CAT takes words or heredocs, not both", hint);
        }
        texts.concat()
    };
    let dest = call.dest(notes);
    if dest.ends_with('/') {
        let at = call.args.last().map_or(0, |value| value.at);
        let hint = format!("CAT <<EOF {dest}file.txt");
        notes.problem(at, format!("CAT writes a file, but `{dest}` is a folder"), hint);
    }
    Instruction::Cat(Cat { text, dest })
}

fn add_source(value: &Value, notes: &mut Notes<'_>) -> AddSource {
    let text = value.text.clone();
    if let Some((name, text)) = value.body.clone() {
        return AddSource::Inline(name, text);
    }
    if text.is_empty() {
        notes.problem(value.at, "a source is empty", "set every variable in it");
    }
    if is_git(&text) {
        AddSource::Git(text)
    } else if text.starts_with("http://") || text.starts_with("https://") {
        AddSource::Url(text)
    } else {
        AddSource::Path(text)
    }
}

/// Whether it names a Git repository: `….git` by HTTP, or another way that only Git goes.
fn is_git(text: &str) -> bool {
    if ["git://", "ssh://", "file://"].iter().any(|scheme| text.starts_with(scheme)) {
        return true;
    }
    let address = text.split(['#', '?']).next().unwrap_or_default();
    let by_http = address.starts_with("http://") || address.starts_with("https://");
    (by_http && address.ends_with(".git")) || is_git_over_ssh(text)
}

/// `user@host:path`.
fn is_git_over_ssh(text: &str) -> bool {
    let (user, rest) = text.split_once('@').unwrap_or_default();
    let (host, path) = rest.split_once(':').unwrap_or_default();
    let name = |part: &str, more: &str| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
    };
    name(user, "-_") && name(host, "-.") && !path.is_empty()
}

fn check_sum(value: &Value, sources: &[AddSource], notes: &mut Notes<'_>) {
    if !matches!(sources, [AddSource::Url(_)]) {
        let hint = "ADD --checksum=sha256:… https://host/model.gguf model.gguf";
        notes.problem(value.at, "`--checksum` needs exactly one source, which is a URL", hint);
    }
    let digits = match value.text.split_once(':') {
        Some(("sha256", hex)) => Some((hex, 64)),
        Some(("sha384", hex)) => Some((hex, 96)),
        Some(("sha512", hex)) => Some((hex, 128)),
        _ => None,
    };
    let good = digits.is_some_and(|(hex, length)| {
        hex.len() == length && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    });
    if !good {
        let hint =
            "sha256: and 64, sha384: and 96, or sha512: and 128 lower-case hexadecimal digits";
        notes.problem(value.at, format!("invalid checksum `{}`", value.text), hint);
    }
}

fn placing(call: &Call<'_>, notes: &mut Notes<'_>) -> Placing {
    if let Some(value) = call.flag("chmod").filter(|value| Mode::parse(&value.text).is_err()) {
        let what = format!("invalid mode `{}`", value.text);
        notes.problem(value.at, what, "--chmod=644 or --chmod=u=rw,go=r");
    }
    if let Some(value) = call.flag("chown").filter(|value| !is_owner(&value.text)) {
        let what = format!("invalid owner `{}`", value.text);
        notes.problem(value.at, what, "--chown=1000:1000 or --chown=user:group");
    }
    for value in call.all("exclude") {
        if let Err(why) = super::ignore::Pattern::parse(&value.text) {
            notes.problem(value.at, why, "--exclude=*.md");
        }
    }
    Placing {
        chown: call.text_of("chown"),
        chmod: call.text_of("chmod"),
        link: call.switch("link", notes),
        exclude: call.all("exclude").map(|value| value.text.clone()).collect(),
    }
}

fn is_owner(text: &str) -> bool {
    let (user, group) = text.split_once(':').unwrap_or((text, "0"));
    let good = |name: &str| {
        !name.is_empty() && !name.contains([':', '/']) && !name.contains(char::is_whitespace)
    };
    good(user) && good(group)
}
