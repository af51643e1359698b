//! What an image says about itself to whoever inspects it: the labels that OCI names, and our own. Pure.

use super::subject::Subject;
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

/// The labels of `subject` by name; a name without a value is left out.
pub(super) fn labels(subject: &Subject, facts: &Facts<'_>) -> Vec<(String, String)> {
    let (base, digest) = facts.base.split_once('@').unwrap_or((facts.base, ""));
    let identity = facts.identity;
    let standard = [
        ("created", product::time::rfc3339(identity.epoch)),
        ("version", identity.version.clone()),
        ("revision", identity.commit.clone()),
        ("source", facts.source.unwrap_or_default().to_owned()),
        ("licenses", licenses(subject.variant)),
        ("title", title(subject)),
        ("description", description(subject)),
        ("base.name", base.to_owned()),
        ("base.digest", digest.to_owned()),
    ];
    let own = [
        ("variant", subject.variant.to_string()),
        ("target", subject.stage().to_owned()),
        ("llama-cpp", facts.llama_cpp.to_owned()),
        ("toolkit", subject.toolkit.clone().unwrap_or_default()),
        ("gpu-architectures", subject.gpu_architectures().join(" ")),
        ("minimum-driver", subject.minimum_driver().unwrap_or_default().to_owned()),
        ("cpu-variants", facts.cpu_variants.join(" ")),
    ];
    let named = |prefix: &'static str| move |(name, value)| (format!("{prefix}{name}"), value);
    let standard = standard.into_iter().map(named("org.opencontainers.image."));
    let all = standard.chain(own.into_iter().map(named(OWN)));
    all.filter(|(_, value)| !value.is_empty()).collect()
}

/// The labels of gguf-packer's image, likewise.
pub(super) fn of_packer(facts: &Facts<'_>) -> Vec<(String, String)> {
    let (base, digest) = facts.base.split_once('@').unwrap_or((facts.base, ""));
    let identity = facts.identity;
    let about = "Packs, ships, sizes and runs GGUF models as images: a frontend of docker build, and a command";
    let all = [
        ("org.opencontainers.image.created", product::time::rfc3339(identity.epoch)),
        ("org.opencontainers.image.version", identity.version.clone()),
        ("org.opencontainers.image.revision", identity.commit.clone()),
        ("org.opencontainers.image.source", facts.source.unwrap_or_default().to_owned()),
        ("org.opencontainers.image.title", PACKER.to_owned()),
        ("org.opencontainers.image.description", about.to_owned()),
        ("org.opencontainers.image.base.name", base.to_owned()),
        ("org.opencontainers.image.base.digest", digest.to_owned()),
        ("llama-server.llama-cpp", facts.llama_cpp.to_owned()),
    ];
    let all = all.into_iter().map(|(name, value)| (name.to_owned(), value));
    all.filter(|(_, value)| !value.is_empty()).collect()
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
    format!("llama-server, {}", subject.variant.image().title)
}

fn description(subject: &Subject) -> String {
    let devices = subject.variant.image().devices.map(|devices| format!(", {devices}"));
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
        assert_eq!(
            names,
            [
                "org.opencontainers.image.created",
                "org.opencontainers.image.version",
                "org.opencontainers.image.revision",
                "org.opencontainers.image.licenses",
                "org.opencontainers.image.title",
                "org.opencontainers.image.description",
                "org.opencontainers.image.base.name",
                "llama-server.variant",
                "llama-server.target",
                "llama-server.llama-cpp",
            ]
        );
        assert_eq!(labels[0].1, "2025-08-20T14:20:00Z");
    }
}
