//! Which words of llama-server's command line are secrets. Whoever shows such a line asks here.

use std::ffi::{OsStr, OsString};

/// Options whose value is for the server alone. Their files' names are not secret.
const OPTIONS: &[&str] = &["--api-key", "-hft", "--hf-token", "--mcp-servers-json"];
/// Stands for a secret.
const HIDDEN: &str = "***";

/// The same arguments, fit to be shown: what follows `--api-key` and its like, and what an address has before
/// its `@`, is `***`.
#[must_use]
pub fn shown<A: AsRef<OsStr>>(args: &[A]) -> Vec<OsString> {
    let mut is_secret = false;
    let shown = args.iter().map(|arg| {
        let arg = arg.as_ref();
        let text = arg.to_string_lossy();
        if std::mem::replace(&mut is_secret, is_option(&text)) {
            return HIDDEN.into();
        }
        match text.split_once('=') {
            // No way to write it that the server knows, but somebody's key all the same.
            Some((option, _)) if is_option(option) => format!("{option}={HIDDEN}").into(),
            _ => without_password(&text).map_or_else(|| arg.to_owned(), OsString::from),
        }
    });
    shown.collect()
}

/// `text` with `***` for the user and the password of an address in it; `None` when it has none.
#[must_use]
pub fn without_password(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let (authority, _) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let (_, host) = authority.rsplit_once('@')?;
    Some(format!("{scheme}://{HIDDEN}@{host}{}", &rest[authority.len()..]))
}

/// Upstream takes `_` for `-` in a long option.
fn is_option(word: &str) -> bool {
    if word.starts_with("--") {
        return OPTIONS.contains(&word.replace('_', "-").as_str());
    }
    OPTIONS.contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(words: &str) -> String {
        let words: Vec<&str> = words.split(' ').collect();
        shown(&words).join(OsStr::new(" ")).into_string().unwrap()
    }

    #[test]
    fn no_way_to_give_a_secret_shows_it() {
        for (given, due) in [
            ("--api-key KEY -m m.gguf", "--api-key *** -m m.gguf"),
            ("--api_key KEY", "--api_key ***"),
            ("--api-key=KEY --port 1", "--api-key=*** --port 1"),
            ("-hft KEY --hf-token KEY", "-hft *** --hf-token ***"),
            ("--hf-token=KEY", "--hf-token=***"),
            ("--mcp-servers-json KEY", "--mcp-servers-json ***"),
            // The value is whatever follows, an option's name too.
            ("--api-key --port 1", "--api-key *** 1"),
            ("-mu https://me:KEY@host/m.gguf", "-mu https://***@host/m.gguf"),
            ("-mu https://KEY@host:1/a@b?c", "-mu https://***@host:1/a@b?c"),
            ("-mu http://me:K@Y@host", "-mu http://***@host"),
        ] {
            assert_eq!(line(given), due);
        }
    }

    #[test]
    fn everything_else_is_shown_as_it_is() {
        for words in [
            "-m a@b.gguf --port 80",
            "--api-key-file /run/key --host 0.0.0.0",
            "-mu https://host/a@b",
            "--api-key",
            "",
        ] {
            assert_eq!(line(words), words);
        }
        #[cfg(unix)]
        {
            let bytes: &OsStr = std::os::unix::ffi::OsStrExt::from_bytes(b"latin-1 \xe4.gguf");
            assert_eq!(shown(&[bytes]), [bytes]);
        }
    }
}
