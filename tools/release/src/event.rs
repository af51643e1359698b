//! What happened on GitHub, and what may be published because of it. Pure: the one table of rights, caches and names.

use anyhow::{Result, bail};
use llama_src::Error;
use serde::Serialize;

use image::IMAGES_TAG;
use image::semver::Semver;

/// Why a workflow runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    /// Somebody asks for a change, perhaps from a fork.
    PullRequest,
    /// The main branch has a new commit.
    Main,
    /// A tag `base-images/v*`: images, and no release of the crates.
    Images,
    /// A tag `v1.2.3`: a release.
    Release(Semver),
    /// The week is over: Debian may have updates.
    Schedule,
    /// By hand, on the main branch: the same.
    Rebuild,
    /// By hand, anywhere else: whatever can be built is, and nothing leaves.
    Trial,
}

impl Event {
    /// Of GitHub's `GITHUB_EVENT_NAME` and `GITHUB_REF`.
    ///
    /// # Errors
    /// For an event that the workflow does not ask for, and for a tag `v*` that is no version.
    pub(super) fn read(name: &str, reference: &str) -> Result<Self> {
        let tag = reference.strip_prefix("refs/tags/");
        let is_main = reference == "refs/heads/main";
        match (name, tag) {
            ("pull_request", _) => Ok(Self::PullRequest),
            ("schedule", _) => Ok(Self::Schedule),
            ("workflow_dispatch", _) if is_main => Ok(Self::Rebuild),
            ("workflow_dispatch", _) => Ok(Self::Trial),
            ("push", None) if is_main => Ok(Self::Main),
            ("push", Some(tag)) if tag.starts_with(IMAGES_TAG) => Ok(Self::Images),
            ("push", Some(tag)) if tag.starts_with('v') => match Semver::parse(tag) {
                Ok(version) => Ok(Self::Release(version)),
                Err(_) => bail!(Error::usage(format!("the tag `{tag}` is no version")).hint("git tag v1.2.3")),
            },
            _ => bail!(Error::usage(format!("nothing is published for `{name}` of `{reference}`")).hint("see what cargo xtask release plan says with GITHUB_EVENT_NAME=workflow_dispatch")),
        }
    }

    /// What may be done.
    pub(super) fn policy(&self) -> Policy {
        let published = Policy { publish: true, packs: true, ..Policy::default() };
        match self {
            Self::PullRequest => {
                Policy { cache: true, one_architecture: true, ..Policy::default() }
            }
            Self::Main => Policy { cache: true, ..published },
            Self::Images => published,
            Self::Release(_) => Policy { release: true, ..published },
            Self::Schedule | Self::Rebuild => Policy { new_base: true, ..published },
            Self::Trial => Policy { packs: true, ..Policy::default() },
        }
    }

    /// The version of the crates that is released.
    pub(super) fn version(&self) -> Option<&Semver> {
        if let Self::Release(version) = self { Some(version) } else { None }
    }

    /// Whether it is of a commit of the main branch by what it is; of a tag git knows it.
    pub(super) fn is_of_main(&self) -> Option<bool> {
        match self {
            Self::Main | Self::Schedule | Self::Rebuild => Some(true),
            Self::PullRequest | Self::Trial => Some(false),
            Self::Images | Self::Release(_) => None,
        }
    }
}

/// What an event allows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct Policy {
    /// Images are pushed, signed, scanned and named.
    pub(super) publish: bool,
    /// Archives, the one-file server's among them, are made.
    pub(super) packs: bool,
    /// Archives are published, and the crates tried.
    pub(super) release: bool,
    /// Layers of an earlier run may be taken, and are kept for the next.
    pub(super) cache: bool,
    /// The newest Debian in place of the pinned one, and every layer anew.
    pub(super) new_base: bool,
    /// GPU code for one architecture: it is tried, not shipped.
    pub(super) one_architecture: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every event that the workflow asks for, as GitHub names it.
    pub(crate) const EVENTS: [(&str, &str); 8] = [
        ("pull_request", "refs/pull/7/merge"),
        ("push", "refs/heads/main"),
        ("push", "refs/tags/base-images/v2508201420-abc1234"),
        ("push", "refs/tags/v1.2.3"),
        ("schedule", "refs/heads/main"),
        ("workflow_dispatch", "refs/heads/main"),
        ("workflow_dispatch", "refs/heads/topic"),
        ("workflow_dispatch", "refs/tags/v1.2.3"),
    ];

    fn allowed(name: &str, reference: &str) -> String {
        let policy = Event::read(name, reference).unwrap().policy();
        let Policy { publish, packs, release, cache, new_base, one_architecture } = policy;
        let words = [
            (publish, "publish"),
            (packs, "pack"),
            (release, "release"),
            (cache, "cache"),
            (new_base, "new-base"),
            (one_architecture, "one-architecture"),
        ];
        words.iter().filter(|(yes, _)| *yes).map(|(_, word)| *word).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn each_event_may_do_what_the_table_says() {
        let table = [
            "cache one-architecture",
            "publish pack cache",
            "publish pack",
            "publish pack release",
            "publish pack new-base",
            "publish pack new-base",
            "pack",
            "pack",
        ];
        for ((name, reference), wanted) in EVENTS.into_iter().zip(table) {
            assert_eq!(allowed(name, reference), wanted, "{name} {reference}");
        }
    }

    #[test]
    fn what_leaves_from_a_tag_or_in_a_week_has_no_cache_behind_it() {
        for (name, reference) in EVENTS {
            let policy = Event::read(name, reference).unwrap().policy();
            let is_tag = reference.starts_with("refs/tags/");
            assert!(
                !(policy.cache && (is_tag || policy.new_base || policy.release)),
                "{reference}"
            );
        }
    }

    #[test]
    fn other_events_are_refused() {
        let refused = |name, reference| Event::read(name, reference).unwrap_err().to_string();
        let said = refused("push", "refs/heads/topic");
        assert!(
            said.starts_with("nothing is published for `push` of `refs/heads/topic`\n"),
            "{said}"
        );
        assert_eq!(
            refused("push", "refs/tags/vnext"),
            "the tag `vnext` is no version\n  hint: git tag v1.2.3"
        );
        assert!(Event::read("push", "refs/tags/other").is_err());
    }
}
