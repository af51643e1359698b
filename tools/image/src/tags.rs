//! Every name of an image, in three schemes: a repository for each variant, one repository whose tags
//! name variant and platform, and the same one by toolkit, release and commit. Pure.

use serde::Serialize;

use super::images::{Images, Scheme};
use super::semver::Semver;
use super::subject::{Subject, architecture, platforms};
use product::identity::Identity;
use product::variant::PACKER;

/// Repository of the schemes that have one for everything; with `-cpu` and so on, of the one that has
/// one for each variant.
pub(super) const REPOSITORY: &str = "llama-cpp";

/// What all images of one run have in common.
#[derive(Debug, Clone)]
pub(super) struct Naming<'a> {
    pub(super) identity: &'a Identity,
    /// `HOST/OWNER`; without it the names are those of local images.
    pub(super) registry: Option<&'a str>,
    pub(super) semver: Option<&'a Semver>,
}

/// How long a name means the same image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    /// Once given, for ever: it has a version in it, or a commit.
    Once,
    /// It moves to the newest release of its number: `1.2-cpu`.
    Line,
    /// It moves to the newest commit of the main branch: `latest`.
    Newest,
}

/// One name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Tag {
    /// As `docker pull` takes it.
    pub(super) reference: String,
    pub(super) scheme: Scheme,
    pub(super) kind: Kind,
    /// What is behind it: several are an index.
    pub(super) platforms: Vec<&'static str>,
}

impl<'a> Naming<'a> {
    /// As `images` are named.
    pub(super) fn of(images: &'a Images, identity: &'a Identity) -> Self {
        Self { identity, registry: images.registry.as_deref(), semver: images.semver.as_ref() }
    }

    /// The repositories that have names of a variant.
    pub(super) fn repositories(&self, subject: &Subject) -> [String; 2] {
        let own = format!("{REPOSITORY}-{}", subject.variant);
        [own, REPOSITORY.to_owned()].map(|name| match self.registry {
            Some(host) => format!("{host}/{name}"),
            None => name,
        })
    }

    /// Every name of `subject`, the most definite first, in one scheme or in all of them.
    pub(super) fn tags(&self, subject: &Subject, scheme: Option<Scheme>) -> Vec<Tag> {
        let mut tags: Vec<Tag> = Vec::new();
        for scheme in Scheme::ALL.into_iter().filter(|one| scheme.is_none_or(|only| only == *one)) {
            let repository = match scheme {
                Scheme::Repository => format!("{REPOSITORY}-{}", subject.variant),
                Scheme::Platform | Scheme::Release => REPOSITORY.to_owned(),
            };
            for name in self.names(subject, scheme) {
                let reference = self.reference(&repository, &name);
                if tags.iter().all(|tag| tag.reference != reference) {
                    let (platforms, kind) = (subject.platforms.clone(), self.kind(&name));
                    tags.push(Tag { reference, scheme, kind, platforms });
                }
            }
        }
        tags
    }

    /// Every name of gguf-packer's image: of all platforms, or of the one called `architecture`.
    pub(super) fn packer_tags(&self, architecture: Option<&str>) -> Vec<(String, Kind)> {
        let mut names = vec![self.identity.version.clone()];
        names.extend(self.semver.map(Semver::names).unwrap_or_default());
        names.extend(self.moves().then(|| "latest".to_owned()));
        let end = architecture.map(|name| format!("-{name}")).unwrap_or_default();
        let names = names.into_iter().map(|name| format!("{name}{end}"));
        names.map(|name| (self.reference(PACKER, &name), self.kind(&name))).collect()
    }

    /// The names of a build that somebody tries out.
    pub(super) fn dev_tags(&self, subject: &Subject) -> Vec<String> {
        let flavour = flavour(subject);
        let mut names = vec![format!("{flavour}-dev")];
        for architecture in subject.platforms.iter().map(|platform| architecture(platform)) {
            names.push(format!("{flavour}-{architecture}-dev"));
            names.push(match flavour.strip_prefix("cpu") {
                Some(rest) => format!("{architecture}{rest}-dev"),
                None => format!("{architecture}-{flavour}-dev"),
            });
        }
        names.iter().map(|name| self.reference(REPOSITORY, name)).collect()
    }

    /// The name of a build on this machine that is for nobody else.
    pub(super) fn local_tag(&self, subject: &Subject) -> String {
        let other = if subject.has_default_toolkit() { Vec::new() } else { toolkit_names(subject) };
        let other = other.first().map(|name| format!("-{name}")).unwrap_or_default();
        let repository = format!("{REPOSITORY}-{}", subject.variant);
        self.reference(&repository, &format!("local{other}{}", minimal(subject)))
    }

    fn reference(&self, repository: &str, tag: &str) -> String {
        let host = self.registry.map(|host| format!("{host}/")).unwrap_or_default();
        format!("{host}{repository}:{tag}")
    }

    /// Tags of one scheme: of the whole, then of one platform.
    fn names(&self, subject: &Subject, scheme: Scheme) -> Vec<String> {
        let mut names = Vec::new();
        if subject.is_whole() {
            names.extend(match scheme {
                Scheme::Repository => self.by_repository(subject),
                Scheme::Platform => self.by_variant(subject),
                Scheme::Release => self.by_release(subject),
            });
        }
        let several = platforms(subject.variant).len() > 1;
        if let [platform] = subject.platforms[..] {
            let architecture = architecture(platform);
            names.extend(match scheme {
                Scheme::Platform => self.by_platform(subject, architecture),
                _ if !several => Vec::new(),
                Scheme::Repository => {
                    let names = self.by_repository(subject).into_iter();
                    names.map(|name| format!("{name}-{architecture}")).collect()
                }
                Scheme::Release => {
                    vec![format!("sha-{}-{}-{architecture}", self.commit(), flavour(subject))]
                }
            });
        }
        names
    }

    fn by_repository(&self, subject: &Subject) -> Vec<String> {
        let (version, minimal) = (&self.identity.version, minimal(subject));
        let toolkits = toolkit_names(subject);
        let mut names = Vec::new();
        if subject.has_default_toolkit() {
            names.push(format!("{version}{minimal}"));
            names.extend(self.moves().then(|| format!("latest{minimal}")));
        }
        names.extend(toolkits.first().map(|toolkit| format!("{version}-{toolkit}{minimal}")));
        let moving = toolkits.iter().filter(|_| self.moves());
        names.extend(moving.map(|toolkit| format!("{toolkit}{minimal}")));
        names
    }

    fn by_variant(&self, subject: &Subject) -> Vec<String> {
        let (version, flavour) = (&self.identity.version, flavour(subject));
        let mut names = vec![format!("{version}-{flavour}"), format!("{flavour}-{version}")];
        if self.moves() {
            names.push(format!("latest-{flavour}"));
            names.extend(subject.variant.backend().map(|_| format!("{flavour}-latest")));
        }
        names
    }

    fn by_platform(&self, subject: &Subject, architecture: &str) -> Vec<String> {
        let (version, flavour) = (&self.identity.version, flavour(subject));
        let mut names = vec![format!("{version}-{flavour}-{architecture}")];
        if self.moves() {
            names.push(format!("latest-{flavour}-{architecture}"));
            let gpu = subject.variant.backend();
            names.extend(gpu.map(|_| format!("{flavour}-{architecture}")));
        }
        names
    }

    /// The CPU's image is also what a name without a variant means.
    fn by_release(&self, subject: &Subject) -> Vec<String> {
        let (flavour, minimal) = (flavour(subject), minimal(subject));
        let mut releases = vec![format!("sha-{}", self.commit())];
        releases.extend(self.semver.map(Semver::names).unwrap_or_default());
        let mut names: Vec<String> =
            releases.iter().map(|release| format!("{release}-{flavour}")).collect();
        let is_cpu = subject.variant.backend().is_none();
        if is_cpu {
            names.extend(releases.iter().map(|release| format!("{release}{minimal}")));
        }
        if self.moves() {
            if subject.has_default_toolkit() {
                names.push(format!("{}{minimal}", subject.variant));
            }
            names.extend(toolkit_names(subject).iter().map(|name| format!("{name}{minimal}")));
            names.extend(is_cpu.then(|| format!("latest{minimal}")));
        }
        names
    }

    /// Names that move to the newest build do so for what is on the main branch.
    fn moves(&self) -> bool {
        let branch = self.identity.branch.as_str();
        !self.identity.commit.ends_with("-dirty") && matches!(branch, "main" | "master")
    }

    /// Of a name that [`Self::names`] gave.
    fn kind(&self, name: &str) -> Kind {
        let begins = |with: &String| {
            name.strip_prefix(with.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        };
        let releases = self.semver.map(Semver::names).unwrap_or_default();
        let commit = format!("sha-{}", self.commit());
        if name.contains(&self.identity.version)
            || begins(&commit)
            || releases.first().is_some_and(begins)
        {
            Kind::Once
        } else if releases.iter().any(begins) {
            Kind::Line
        } else {
            Kind::Newest
        }
    }

    fn commit(&self) -> &str {
        self.identity.commit.get(..7).unwrap_or(&self.identity.commit)
    }
}

fn minimal(subject: &Subject) -> &'static str {
    if subject.minimal { "-minimal" } else { "" }
}

/// The variant where its toolkit goes without saying, else both: `cuda12.8-minimal`.
fn flavour(subject: &Subject) -> String {
    let toolkit =
        toolkit_names(subject).into_iter().next().filter(|_| !subject.has_default_toolkit());
    toolkit.unwrap_or_else(|| subject.variant.to_string()) + minimal(subject)
}

/// `cuda13.0` and, for the newest of its number, `cuda13`.
fn toolkit_names(subject: &Subject) -> Vec<String> {
    let Some(toolkit) = &subject.toolkit else { return Vec::new() };
    let major = |version: &str| version.split('.').next().map(str::to_owned);
    let same =
        subject.variant.toolkits().into_iter().filter(|other| major(other) == major(toolkit));
    let newest = same.max_by_key(|version| product::variant::major_minor(version));
    let mut names = vec![format!("{}{toolkit}", subject.variant)];
    if newest == Some(toolkit.as_str()) {
        names.extend(major(toolkit).map(|major| format!("{}{major}", subject.variant)));
    }
    names
}

#[cfg(test)]
#[path = "tags_tests.rs"]
mod tests;
