//! Which index pip's own settings name: a company's mirror is known there, and nowhere else.

use std::path::PathBuf;

/// Where source packages are looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Addresses of indexes, best first.
    pub indexes: Vec<String>,
    /// Folders of packages.
    pub folders: Vec<PathBuf>,
}

/// The host of the public index.
const PUBLIC: &str = "pypi.org";

impl Default for Settings {
    /// pip's settings on this machine: its variables, then the files of the user, then those of the system.
    fn default() -> Self {
        #[expect(clippy::disallowed_methods, reason = "pip's own variables")]
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let files = files(&variable);
        let texts = files.iter().filter_map(|file| std::fs::read_to_string(file).ok());
        Self::read(&variable, &texts.collect::<Vec<_>>())
    }
}

impl Settings {
    fn read(variable: &dyn Fn(&str) -> Option<String>, files: &[String]) -> Self {
        let get = |key: &str| {
            let name = format!("PIP_{}", key.to_uppercase());
            variable(&name).or_else(|| files.iter().find_map(|text| value(text, key)))
        };
        let words = |key: &str| get(key).unwrap_or_default();
        let is_on =
            |value: String| ["1", "true", "yes", "on"].contains(&value.to_lowercase().as_str());
        let mut indexes = Vec::new();
        if !get("no_index").is_some_and(is_on) {
            indexes.push(get("index_url").unwrap_or_else(|| format!("https://{PUBLIC}/simple")));
            indexes.extend(words("extra_index_url").split_whitespace().map(str::to_owned));
        }
        let links = words("find_links");
        let local = links.split_whitespace().filter(|link| !link.contains("://"));
        Self { indexes, folders: local.map(PathBuf::from).collect() }
    }
}

/// The files that pip reads, the one that counts most first.
fn files(variable: &dyn Fn(&str) -> Option<String>) -> Vec<PathBuf> {
    let name = if cfg!(windows) { "pip.ini" } else { "pip.conf" };
    let folder = |variable_name: &str, below: &str| {
        variable(variable_name).map(|dir| PathBuf::from(dir).join(below).join(name))
    };
    let named = variable("PIP_CONFIG_FILE").map(PathBuf::from);
    let user = [
        folder("HOME", ".pip"),
        folder("XDG_CONFIG_HOME", "pip").or_else(|| folder("HOME", ".config/pip")),
        folder("HOME", "Library/Application Support/pip"),
        folder("APPDATA", "pip"),
    ];
    let system = [
        folder("ProgramData", "pip"),
        Some("/etc/xdg/pip/pip.conf".into()),
        Some("/etc/pip.conf".into()),
    ];
    let all = [named, folder("VIRTUAL_ENV", "")].into_iter().chain(user).chain(system);
    all.flatten().collect()
}

/// The value of `key` that counts for `pip download`, with the lines that follow it.
fn value(text: &str, key: &str) -> Option<String> {
    let mut values = [None, None];
    let mut section = None;
    let mut open = false;
    for line in text.lines() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = trimmed.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = ["download", "global"].iter().position(|known| *known == name);
            open = false;
            continue;
        }
        let Some(section) = section else { continue };
        if line.starts_with([' ', '\t']) {
            if let (true, Some(value)) = (open, &mut values[section]) {
                *value = format!("{value} {trimmed}").trim().to_owned();
            }
            continue;
        }
        let (name, value) = trimmed.split_once(['=', ':']).unwrap_or((trimmed, ""));
        open = name.trim().to_lowercase().replace('-', "_") == key;
        if open {
            values[section] = Some(value.trim().to_owned());
        }
    }
    values.into_iter().flatten().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)], files: &[&str]) -> (Vec<String>, Vec<PathBuf>) {
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let files: Vec<String> = files.iter().map(|&text| text.to_owned()).collect();
        let Settings { indexes, folders } = Settings::read(&variable, &files);
        (indexes, folders)
    }

    #[test]
    fn variables_count_more_than_files_and_the_user_s_more_than_the_system_s() {
        assert_eq!(settings(&[], &[]).0, [format!("https://{PUBLIC}/simple")]);
        let user = concat!("# mine\n[global]\ntimeout = 5\nindex-", "url = https://a/simple\n");
        let system = "[global]\nindex_url: https://b/simple\nextra_index_url =\n  https://c/simple\n\thttps://d/simple\n";
        assert_eq!(
            settings(&[], &[system]).0,
            ["https://b/simple", "https://c/simple", "https://d/simple"]
        );
        assert_eq!(settings(&[], &[user, system]).0[0], "https://a/simple");
        assert_eq!(settings(&[("PIP_INDEX_URL", "https://e")], &[user]).0, ["https://e"]);
        let command = "[global]\nindex_url = https://a\n[download]\nindex_url = https://f\n[install]\nindex_url=g";
        assert_eq!(settings(&[], &[command]).0, ["https://f"]);
    }

    #[test]
    fn folders_and_no_index_are_heard() {
        let links = [("PIP_FIND_LINKS", "/wheels https://x/wheels ./more"), ("PIP_NO_INDEX", "1")];
        assert_eq!(settings(&links, &[]), (vec![], vec!["/wheels".into(), "./more".into()]));
    }
}
