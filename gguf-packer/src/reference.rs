//! Names of images and models, read and shown as Docker does.

use std::fmt;
use std::str::FromStr;

use crate::Error;
use crate::digest::Digest;

/// Docker's own registry.
const DOCKER: &str = "docker.io";

/// Where models of Hugging Face have their names.
const HUGGING_FACE: &str = "hf.co";

/// A name: registry, repository, and a tag or a digest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    registry: String,
    repository: String,
    version: Version,
}

/// What picks one image of a repository.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// A tag, which may move.
    Tag(String),
    /// The digest of a manifest.
    Digest(Digest),
}

impl Name {
    /// A name of parts that are known to be right.
    #[must_use]
    pub fn of(registry: &str, repository: &str, version: Version) -> Self {
        Self { registry: registry.to_owned(), repository: repository.to_owned(), version }
    }

    /// `HOST[:PORT]`; `docker.io` where none is given.
    #[must_use]
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The repository in full, `library/` included.
    #[must_use]
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// Tag or digest.
    #[must_use]
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// The tag, when it has one.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        match &self.version {
            Version::Tag(tag) => Some(tag),
            Version::Digest(_) => None,
        }
    }

    /// The digest, when it has one.
    #[must_use]
    pub fn digest(&self) -> Option<Digest> {
        match self.version {
            Version::Tag(_) => None,
            Version::Digest(digest) => Some(digest),
        }
    }

    /// Reads a name that a person gives to an image.
    ///
    /// # Errors
    /// As [`Name::from_str`], and those of [`Name::check_given`].
    pub fn given(text: &str) -> Result<Self, Error> {
        let name: Self = text.parse()?;
        name.check_given().map(|()| name)
    }

    /// Refuses a digest: nobody gives it to an image, it follows from the manifest.
    ///
    /// # Errors
    /// When the name has a digest.
    pub fn check_given(&self) -> Result<(), Error> {
        if self.tag().is_some() {
            return Ok(());
        }
        let text = format!("refusing to create a tag with a digest reference: `{self}`");
        Err(Error::usage(text).hint(format!("use a tag: {}:TAG", self.short_repository())))
    }

    /// The same repository, another tag or digest.
    #[must_use]
    pub fn with(&self, version: Version) -> Self {
        Self { version, ..self.clone() }
    }

    /// Registry and repository as Docker shows them: without what it adds by itself.
    #[must_use]
    pub fn short_repository(&self) -> String {
        if self.registry != DOCKER {
            return format!("{}/{}", self.registry, self.repository);
        }
        self.repository.strip_prefix("library/").unwrap_or(&self.repository).to_owned()
    }

    /// All of it, with nothing left out.
    #[must_use]
    pub fn full(&self) -> String {
        format!("{}/{}{}", self.registry, self.repository, self.version)
    }

    /// Whether it names a repository of Hugging Face.
    #[must_use]
    pub fn is_hugging_face(&self) -> bool {
        self.registry == HUGGING_FACE
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => write!(f, ":{tag}"),
            Self::Digest(digest) => write!(f, "@{digest}"),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.short_repository(), self.version)
    }
}

impl FromStr for Name {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let refused =
            |why: &str| Error::usage(format!("invalid reference format: `{text}`: {why}"));
        let hugging_face = text.strip_prefix("hf://").map(|rest| format!("{HUGGING_FACE}/{rest}"));
        let (path, version) = split(hugging_face.as_deref().unwrap_or(text)).map_err(refused)?;
        let (registry, repository) = match path.split_once('/') {
            Some((host, rest)) if is_host(host) => (host, rest.to_owned()),
            Some(_) => (DOCKER, path.to_owned()),
            None => (DOCKER, format!("library/{path}")),
        };
        let registry = match registry {
            "index.docker.io" | "registry-1.docker.io" => DOCKER,
            "huggingface.co" | "www.huggingface.co" => HUGGING_FACE,
            other => other,
        };
        let repository = match (registry, repository.contains('/')) {
            (DOCKER, false) => format!("library/{repository}"),
            _ => repository,
        };
        if registry == HUGGING_FACE {
            check_hugging_face(&repository, &version).map_err(refused)?;
            return Ok(Self { registry: registry.to_owned(), repository, version });
        }
        if repository.bytes().any(|byte| byte.is_ascii_uppercase()) {
            // More may be wrong with it.
            check(registry, &repository.to_lowercase()).map_err(refused)?;
            let lower = text.replacen(path, &path.to_lowercase(), 1);
            return Err(refused("the repository name must be lowercase")
                .hint(format!("write it `{lower}`")));
        }
        check(registry, &repository).map_err(refused)?;
        Ok(Self { registry: registry.to_owned(), repository, version })
    }
}

/// What is before the version, and the version; a digest holds when there is a tag too.
fn split(text: &str) -> Result<(&str, Version), &'static str> {
    let (text, digest) = match text.split_once('@') {
        Some((text, digest)) => {
            let digest = digest.parse().map_err(|_| "a digest is `sha256:` and 64 digits")?;
            (text, Some(Version::Digest(digest)))
        }
        None => (text, None),
    };
    let name = text.rfind('/').map_or(0, |slash| slash + 1);
    let (path, tag) = match text[name..].find(':') {
        Some(colon) => (&text[..name + colon], &text[name + colon + 1..]),
        None => (text, "latest"),
    };
    if !is_tag(tag) {
        return Err(
            "a tag has 1 to 128 letters, digits, `_`, `.` and `-`, and begins with a letter, a \
            digit or `_`",
        );
    }
    Ok((path, digest.unwrap_or_else(|| Version::Tag(tag.to_owned()))))
}

fn is_host(text: &str) -> bool {
    text.contains(['.', ':']) || text == "localhost" || text.bytes().any(|b| b.is_ascii_uppercase())
}

/// Whether `text` can only be the ID of an image in the store.
pub(crate) fn is_id(text: &str) -> bool {
    let text = text.strip_prefix("sha256:").unwrap_or(text);
    (12..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_tag(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.len() <= 128
        && text.bytes().next().is_some_and(plain)
        && text.bytes().all(|byte| plain(byte) || matches!(byte, b'.' | b'-'))
}

fn check(registry: &str, repository: &str) -> Result<(), &'static str> {
    let (host, port) = match registry.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) => {
            let right = address.bytes().all(|b| b.is_ascii_hexdigit() || b == b':');
            (if right { "v6" } else { "" }, port.strip_prefix(':'))
        }
        None => {
            registry.split_once(':').map_or((registry, None), |(host, port)| (host, Some(port)))
        }
    };
    let label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if !host.split('.').all(label) || port.is_some_and(|port| port.parse::<u16>().is_err()) {
        return Err("the registry must be `HOST` or `HOST:PORT`");
    }
    if repository.len() > 255 || !repository.split('/').all(is_component) {
        return Err("a repository name has lowercase letters and digits, with `.`, `_`, `__` or \
            `-` between them");
    }
    Ok(())
}

/// A repository, or a file in it whose beginning may be read. Hugging Face has no digests.
fn check_hugging_face(repository: &str, version: &Version) -> Result<(), &'static str> {
    let parts: Vec<&str> = repository.split('/').collect();
    let is_file = |parts: &[&str]| {
        parts.last().is_some_and(|file| file.to_ascii_lowercase().ends_with(".gguf"))
    };
    let is_one = parts.len() == 2 || parts.len() > 2 && is_file(&parts);
    if is_one
        && parts[..2].iter().all(|part| is_hugging_faces(part))
        && parts[2..].iter().all(|part| is_of_a_path(part))
        && matches!(version, Version::Tag(_))
    {
        return Ok(());
    }
    Err("a model of Hugging Face is `hf://ORG/REPO[:QUANT]`")
}

/// What Hugging Face allows in a name, such as `a_-_b`.
fn is_hugging_faces(text: &str) -> bool {
    let ends = ['-', '.'];
    (1..=96).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        && !text.starts_with(ends)
        && !text.ends_with(ends)
        && !["--", ".."].iter().any(|two| text.contains(two))
}

/// A file of a repository, or a folder in it.
fn is_of_a_path(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=255).contains(&text.len()) && text.bytes().all(plain) && !matches!(text, "." | "..")
}

fn is_component(text: &str) -> bool {
    let bytes = text.as_bytes();
    let plain = |byte: &u8| byte.is_ascii_alphanumeric();
    bytes.first().is_some_and(plain)
        && bytes.last().is_some_and(plain)
        && bytes.iter().all(|byte| plain(byte) || matches!(byte, b'.' | b'_' | b'-'))
        && !["..", "___", "._", "_.", "-.", ".-", "-_", "_-"].iter().any(|two| text.contains(two))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_shown_as_docker_does() {
        let digest = format!("sha256:{}", "0".repeat(64));
        for (text, full, short) in [
            ("qwen2", "docker.io/library/qwen2:latest", "qwen2:latest"),
            ("ai/qwen2:0.5b", "docker.io/ai/qwen2:0.5b", "ai/qwen2:0.5b"),
            ("docker.io/qwen2", "docker.io/library/qwen2:latest", "qwen2:latest"),
            ("index.docker.io/ai/q:1", "docker.io/ai/q:1", "ai/q:1"),
            ("localhost/x", "localhost/x:latest", "localhost/x:latest"),
            ("localhost:5000/x", "localhost:5000/x:latest", "localhost:5000/x:latest"),
            ("[::1]:5000/x:1", "[::1]:5000/x:1", "[::1]:5000/x:1"),
            ("r.io/a/b__c-d.e:V_1.0-x", "r.io/a/b__c-d.e:V_1.0-x", "r.io/a/b__c-d.e:V_1.0-x"),
            (
                "hf://Qwen/Qwen2-GGUF:Q8_0",
                "hf.co/Qwen/Qwen2-GGUF:Q8_0",
                "hf.co/Qwen/Qwen2-GGUF:Q8_0",
            ),
            ("huggingface.co/a/B", "hf.co/a/B:latest", "hf.co/a/B:latest"),
            ("hf.co/_a/b_-_c.d:Q5", "hf.co/_a/b_-_c.d:Q5", "hf.co/_a/b_-_c.d:Q5"),
            ("hf://a/b/c--d.gguf:x", "hf.co/a/b/c--d.gguf:x", "hf.co/a/b/c--d.gguf:x"),
        ] {
            let name: Name = text.parse().expect(text);
            assert_eq!((name.full().as_str(), name.to_string().as_str()), (full, short), "{text}");
            assert_eq!(full.parse::<Name>().unwrap(), name);
        }
        let name: Name = format!("r.io/x:1@{digest}").parse().unwrap();
        assert_eq!(name.to_string(), format!("r.io/x@{digest}"));
        assert_eq!(name.tag(), None);
    }

    #[test]
    fn nobody_gives_a_digest_to_an_image() {
        let digest = format!("sha256:{}", "0".repeat(64));
        for text in [format!("r.io/x@{digest}"), format!("r.io/x:1@{digest}")] {
            let error = Name::given(&text).unwrap_err();
            let expected = format!(
                "refusing to create a tag with a digest reference: `r.io/x@{digest}`\n  hint: use a \
                tag: r.io/x:TAG"
            );
            assert_eq!((error.to_string(), error.exit_code()), (expected, 2));
        }
        assert_eq!(Name::given("x").unwrap().to_string(), "x:latest");
    }

    #[test]
    fn what_is_no_name_is_refused_with_the_reason() {
        for (text, reason) in [
            ("", "lowercase letters and digits"),
            ("a//b", "lowercase letters and digits"),
            ("../b", "must be `HOST` or"),
            ("x/../b", "lowercase letters and digits"),
            ("r.io/", "lowercase letters and digits"),
            ("a:", "a tag has 1 to 128"),
            ("a:.x", "a tag has 1 to 128"),
            ("a@sha256:00", "64 digits"),
            ("r.io:port/a", "must be `HOST` or"),
            ("r..io/a", "must be `HOST` or"),
            ("-r.io/a", "must be `HOST` or"),
            ("a b", "lowercase letters and digits"),
            ("a/-b", "lowercase letters and digits"),
        ] {
            let error = text.parse::<Name>().unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
        let digest = format!("hf://a/b@sha256:{}", "0".repeat(64));
        for text in [
            "hf://",
            "hf://a",
            "hf://a/b/c",
            "hf://a/b/",
            "hf://a//b",
            "hf.co/a",
            "hf://a/b c",
            &digest,
        ] {
            let error = text.parse::<Name>().unwrap_err().to_string();
            let form = "a model of Hugging Face is `hf://ORG/REPO[:QUANT]`";
            assert_eq!(error, format!("invalid reference format: `{text}`: {form}"));
        }
        "hf://a/b/c/m.GGUF".parse::<Name>().expect("a file of which a beginning may be read");
        let error = "Bad Name".parse::<Name>().unwrap_err().to_string();
        assert!(
            error.ends_with("`__` or `-` between them"),
            "no hint that is refused too: {error}"
        );
        let error = "r.io/Qwen:V1".parse::<Name>().unwrap_err().to_string();
        let expected = "invalid reference format: `r.io/Qwen:V1`: the repository name must be \
            lowercase\n  hint: write it `r.io/qwen:V1`";
        assert_eq!(error, expected);
    }
}
