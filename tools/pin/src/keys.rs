//! The keys of the file that names the pin.

use anyhow::{Result, ensure};

/// Changes the value of a top-level key of a TOML text and nothing else.
pub(crate) fn set(text: &str, key: &str, value: &str) -> Result<String> {
    let start = format!("{key} = ");
    let mut found = 0;
    let lines = text.lines().map(|line| {
        if line.starts_with(&start) && found == 0 {
            found += 1;
            return format!("{start}{value}\n");
        }
        format!("{line}\n")
    });
    let changed: String = lines.collect();
    ensure!(found == 1, "line `{start}…` not found in vendor/llama.cpp.toml");
    Ok(changed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_changes_and_comments_stay() {
        let text = "# why\ntag = \"b1\" \nversion = \"1\"\n\n[[mirror]]\nversion = \"2\"\n";
        let changed = set(text, "version", "\"3\"").unwrap();
        assert_eq!(changed, text.replacen("\"1\"", "\"3\"", 1));
        assert_eq!(
            set(text, "none", "1").unwrap_err().to_string(),
            "line `none = …` not found in vendor/llama.cpp.toml"
        );
    }
}
