//! What an image says about itself to whoever inspects it: the labels that OCI names, and our own. Pure.

use super::subject::Subject;
use Promise::{Exact, Nothing, There};
use product::identity::Identity;
use product::variant::PACKER;
use product::variant::Variant;

/// What the names of our own labels begin with.
pub(super) const OWN: &str = "llama-server.";

/// Licences of the parts of every distribution.
const DISTRIBUTION: &[&str] = &[
    "((MIT OR Apache-2.0) AND Unicode-3.0)",
    "Apache-2.0",
    "(Apache-2.0 OR BSD-3-Clause)",
    "(Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT)",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "LicenseRef-public-domain-sha1",
    "LicenseRef-public-domain-sha256",
    "MIT",
    "(MIT OR Apache-2.0)",
    "(MIT OR Unlicense)",
    "(MPL-2.0 OR Apache-2.0)",
    "Unlicense",
    "(Unlicense OR MIT-0)",
];

/// What the labels tell besides the subject.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts<'a> {
    pub(super) identity: &'a Identity,
    /// Upstream's tag.
    pub(super) llama_cpp: &'a str,
    /// Page of this repository.
    pub(super) source: Option<&'a str>,
    /// What the image is built on, as the Dockerfile names it.
    pub(super) base: &'a str,
    /// Known once there is a distribution.
    pub(super) cpu_variants: &'a [String],
}

/// One label.
pub(super) struct Label {
    pub(super) name: &'static str,
    pub(super) promise: Promise,
    value: Value,
}

/// What `image test` holds a label to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Promise {
    /// It says what the subject is, or is not there if there is nothing to say.
    Exact,
    /// It is there.
    There,
    /// It may be missing.
    Nothing,
}

/// Where the value of a label comes from; an empty one makes no label.
enum Value {
    Subject(fn(&Subject) -> String),
    Facts(fn(&Facts<'_>) -> String),
}

/// Every label, in order: those that OCI names, then our own.
pub(super) const LABELS: &[Label] = &[
    fact("org.opencontainers.image.created", There, |facts| {
        product::time::rfc3339(facts.identity.epoch)
    }),
    fact("org.opencontainers.image.version", There, |facts| facts.identity.version.clone()),
    fact("org.opencontainers.image.revision", There, |facts| facts.identity.commit.clone()),
    fact("org.opencontainers.image.source", Nothing, |facts| {
        facts.source.unwrap_or_default().to_owned()
    }),
    own("org.opencontainers.image.licenses", There, |subject| licenses(subject.variant)),
    own(TITLE, There, title),
    own(DESCRIPTION, There, description),
    fact("org.opencontainers.image.base.name", There, |facts| facts.base().0.to_owned()),
    fact("org.opencontainers.image.base.digest", Nothing, |facts| facts.base().1.to_owned()),
    own("llama-server.variant", Exact, |subject| subject.variant.to_string()),
    own("llama-server.target", Exact, |subject| subject.stage().to_owned()),
    fact("llama-server.llama-cpp", Nothing, |facts| facts.llama_cpp.to_owned()),
    own("llama-server.toolkit", Exact, |subject| subject.toolkit.clone().unwrap_or_default()),
    own("llama-server.gpu-architectures", Nothing, |subject| subject.gpu_architectures().join(" ")),
    own("llama-server.minimum-driver", Exact, |subject| {
        subject.minimum_driver().unwrap_or_default().to_owned()
    }),
    fact("llama-server.cpu-variants", Nothing, |facts| facts.cpu_variants.join(" ")),
];

const TITLE: &str = "org.opencontainers.image.title";
const DESCRIPTION: &str = "org.opencontainers.image.description";

const fn own(name: &'static str, promise: Promise, value: fn(&Subject) -> String) -> Label {
    Label { name, promise, value: Value::Subject(value) }
}

const fn fact(name: &'static str, promise: Promise, value: fn(&Facts<'_>) -> String) -> Label {
    Label { name, promise, value: Value::Facts(value) }
}

impl Label {
    /// Its value if the subject alone decides it.
    pub(super) fn of(&self, subject: &Subject) -> Option<String> {
        let Value::Subject(value) = self.value else { return None };
        Some(value(subject)).filter(|value| !value.is_empty())
    }
}

impl Facts<'_> {
    /// Name and digest of what the image is built on.
    fn base(&self) -> (&str, &str) {
        self.base.split_once('@').unwrap_or((self.base, ""))
    }
}

/// The labels of `subject` by name; a name without a value is left out.
pub(super) fn labels(subject: &Subject, facts: &Facts<'_>) -> Vec<(String, String)> {
    all(facts, |label| label.of(subject))
}

/// The labels of gguf-packer's image, likewise.
pub(super) fn of_packer(facts: &Facts<'_>) -> Vec<(String, String)> {
    let about = "Packs, ships, sizes and runs GGUF models as images: a frontend of docker build, and a command";
    all(facts, |label| match label.name {
        TITLE => Some(PACKER.to_owned()),
        DESCRIPTION => Some(about.to_owned()),
        _ => None,
    })
}

fn all(facts: &Facts<'_>, of_subject: impl Fn(&Label) -> Option<String>) -> Vec<(String, String)> {
    let value = |label: &Label| match label.value {
        Value::Facts(value) => Some(value(facts)).filter(|value| !value.is_empty()),
        Value::Subject(_) => of_subject(label),
    };
    LABELS.iter().filter_map(|label| Some((label.name.to_owned(), value(label)?))).collect()
}

/// The page of a git remote, without the secret that CI puts into its address; `None` for one that
/// only this machine knows.
pub(super) fn page(remote: &str) -> Option<String> {
    let remote = remote.trim();
    let address = match remote.split_once("://") {
        Some(("https" | "http" | "ssh" | "git", rest)) => rest.to_owned(),
        // `git@host:owner/repository`.
        None if remote.contains('@') => remote.replacen(':', "/", 1),
        _ => return None,
    };
    let (host, path) = address.split_once('/')?;
    let host = host.rsplit('@').next()?;
    let path = path.trim_end_matches('/').trim_end_matches(".git");
    (!host.is_empty() && !path.is_empty()).then(|| format!("https://{host}/{path}"))
}

/// What holds for all that is in an image: of the distribution, as its bill of materials says (`contract.rs`
/// compares), with texts in `/app/licenses`; of the GPU's vendor; and of Debian's packages, whose texts are in
/// `/usr/share/doc`.
fn licenses(variant: Variant) -> String {
    let vendor = variant.image().license;
    let all = DISTRIBUTION.iter().copied().chain(vendor).chain(["LicenseRef-Debian"]);
    all.collect::<Vec<_>>().join(" AND ")
}

fn title(subject: &Subject) -> String {
    format!("llama-server, {}", subject.variant.row().title)
}

fn description(subject: &Subject) -> String {
    let devices = subject.variant.row().devices.map(|devices| format!(", {devices}"));
    let devices = devices.unwrap_or_default();
    let shell = if subject.minimal { "; no shell, no package manager" } else { "" };
    format!("llama.cpp's HTTP server with its web UI; runs on any CPU{devices}{shell}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_of_a_remote_has_no_secret_in_it() {
        for (remote, wanted) in [
            ("https://github.com/a/b.git\n", "https://github.com/a/b"),
            ("https://x-access-token:secret@github.com/a/b", "https://github.com/a/b"),
            ("git@github.com:a/b.git", "https://github.com/a/b"),
            ("ssh://git@github.com/a/b/", "https://github.com/a/b"),
        ] {
            assert_eq!(page(remote).as_deref(), Some(wanted), "{remote}");
        }
        for remote in
            ["", "/srv/git/b", "file:///srv/git/b", "../b", "https://github.com/", "git@h:"]
        {
            assert_eq!(page(remote), None, "{remote}");
        }
    }

    #[test]
    fn a_label_without_a_value_is_left_out() {
        let identity = Identity {
            version: "2508201420-abc1234".into(),
            commit: "abc".into(),
            timestamp: "2508201420".into(),
            branch: "main".into(),
            epoch: 1_755_699_600,
        };
        let facts = Facts {
            identity: &identity,
            llama_cpp: "b1",
            source: None,
            base: "debian:x",
            cpu_variants: &[],
        };
        let labels = labels(&Subject::new(Variant::Cpu), &facts);
        let names: Vec<&str> = labels.iter().map(|(name, _)| name.as_str()).collect();
        let missing = LABELS.iter().map(|label| label.name).filter(|name| !names.contains(name));
        assert_eq!(
            missing.collect::<Vec<_>>(),
            [
                "org.opencontainers.image.source",
                "org.opencontainers.image.base.digest",
                "llama-server.toolkit",
                "llama-server.gpu-architectures",
                "llama-server.minimum-driver",
                "llama-server.cpu-variants",
            ]
        );
        assert_eq!(labels[0].1, "2025-08-20T14:20:00Z");
    }
}
