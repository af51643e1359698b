//! What `--build-context NAME=VALUE` can name.

use std::path::PathBuf;

use super::remote;

/// A named place of files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Context {
    /// A folder of the disk.
    Folder(PathBuf),
    /// `docker-image://REF`.
    Image(String),
    /// `oci-layout://FOLDER[:TAG]`.
    Layout {
        /// The folder.
        folder: String,
        /// Which image of it, when there are several.
        tag: Option<String>,
    },
    /// A repository, `#REF[:FOLDER]` where it is given.
    Git(String),
    /// A file of the web; an archive is unpacked.
    Url(String),
}

impl Context {
    /// What `value` says.
    #[must_use]
    pub fn parse(value: &str) -> Self {
        if let Some(reference) = value.strip_prefix("docker-image://") {
            return Self::Image(reference.to_owned());
        }
        if let Some(layout) = value.strip_prefix("oci-layout://") {
            // What follows the last colon is a tag unless it is a part of the path.
            let (folder, tag) = match layout.rsplit_once(':') {
                Some((folder, tag)) if !tag.contains(['/', '\\']) => (folder, Some(tag.to_owned())),
                _ => (layout, None),
            };
            return Self::Layout { folder: folder.to_owned(), tag };
        }
        if remote::is_git(value) {
            return Self::Git(value.to_owned());
        }
        if value.starts_with("http://") || value.starts_with("https://") {
            return Self::Url(value.to_owned());
        }
        Self::Folder(value.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_says_what_it_is() {
        let layout = |folder: &str, tag: Option<&str>| Context::Layout {
            folder: folder.to_owned(),
            tag: tag.map(str::to_owned),
        };
        for (value, expected) in [
            ("../models", Context::Folder("../models".into())),
            ("docker-image://a/b:c", Context::Image("a/b:c".to_owned())),
            ("oci-layout://x/y", layout("x/y", None)),
            ("oci-layout:///x:1.0", layout("/x", Some("1.0"))),
            ("oci-layout://C:/x", layout("C:/x", None)),
            ("https://h/x.git#v1", Context::Git("https://h/x.git#v1".to_owned())),
            ("git@h:x/y.git", Context::Git("git@h:x/y.git".to_owned())),
            ("https://h/x.tar.gz", Context::Url("https://h/x.tar.gz".to_owned())),
        ] {
            assert_eq!(Context::parse(value), expected, "{value}");
        }
    }
}
