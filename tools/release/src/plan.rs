//! What a run publishes, for the jobs after its first: a file that travels, and outputs of the workflow.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use llama_src::Error;
use llama_src::place;
use llama_src::sh::Cmd;
use serde::{Deserialize, Serialize};

use super::event::{Event, Policy};
use super::jobs::{self, DIR, What};
use super::{archives, crates};
use image::publish::{Built, Of, Release};
use image::semver::Semver;
use product::identity::Identity;
use workspace::cargo;

/// The branch that moves names.
const MAIN: &str = "main";

/// What GitHub tells a job, or a person who plays it.
#[derive(Debug, Clone, Default)]
pub(super) struct Told {
    pub(super) event: Option<String>,
    pub(super) reference: Option<String>,
    pub(super) owner: Option<String>,
    /// `https://github.com/OWNER/NAME`.
    pub(super) page: Option<String>,
    /// Where outputs are written.
    pub(super) outputs: Option<PathBuf>,
    /// A base of images in place of the Dockerfiles' own.
    pub(super) base: Option<String>,
    /// `HOST/OWNER` in place of GitHub's.
    pub(super) registry: Option<String>,
}

impl Told {
    pub(super) fn read() -> Self {
        #[expect(clippy::disallowed_methods, reason = "how GitHub tells its jobs")]
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let page = || {
            Some(format!("{}/{}", variable("GITHUB_SERVER_URL")?, variable("GITHUB_REPOSITORY")?))
        };
        Self {
            event: variable("GITHUB_EVENT_NAME"),
            reference: variable("GITHUB_REF"),
            owner: variable("GITHUB_REPOSITORY_OWNER"),
            page: page(),
            outputs: variable("GITHUB_OUTPUT").map(PathBuf::from),
            base: variable("RELEASE_BASE"),
            registry: variable("RELEASE_REGISTRY"),
        }
    }

    /// A person who says nothing tries it out.
    ///
    /// # Errors
    /// For an event that the workflow does not ask for.
    pub(super) fn event(&self) -> Result<Event> {
        match (&self.event, &self.reference) {
            (Some(name), Some(reference)) => Event::read(name, reference),
            _ => Ok(Event::Trial),
        }
    }

    fn registry(&self) -> String {
        let owner = || self.owner.as_deref().unwrap_or("owner").to_lowercase();
        self.registry.clone().unwrap_or_else(|| format!("ghcr.io/{}", owner()))
    }
}

/// Everything that jobs without a checkout have to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Plan {
    pub(super) registry: String,
    pub(super) identity: Identity,
    /// The version of the crates that is released.
    pub(super) release: Option<String>,
    /// Whether images may be pushed: the event's are, and whatever a person pushes to a registry of their own.
    pub(super) publish: bool,
    /// Page of this repository.
    pub(super) source: Option<String>,
}

impl Plan {
    /// Of an event, for the commit that is here; `identity` is git's.
    pub(super) fn new(told: &Told, event: &Event, identity: Identity, of_main: bool) -> Self {
        // A tag is checked out without a branch; names move with what is on the main one.
        let branch = match (of_main, identity.branch.as_str()) {
            (true, _) => MAIN.to_owned(),
            (false, "main" | "master") => "HEAD".to_owned(),
            (false, other) => other.to_owned(),
        };
        Self {
            registry: told.registry(),
            identity: Identity { branch, ..identity },
            release: event.version().map(ToString::to_string),
            publish: event.policy().publish || told.registry.is_some(),
            source: told.page.clone().or_else(image::source),
        }
    }

    /// Of what GitHub tells, and git.
    ///
    /// # Errors
    /// When git does not know the commit.
    pub(super) fn find(told: &Told, event: &Event) -> Result<Self> {
        let of_main = event.is_of_main().unwrap_or_else(is_on_main);
        Ok(Self::new(told, event, Identity::find()?, of_main))
    }

    /// The one that the first job made.
    ///
    /// # Errors
    /// When it is not there.
    pub(super) fn load() -> Result<Self> {
        let path = path();
        let text = fs::read_to_string(&path).with_context(|| {
            Error::missing(format!("{path} not found")).hint("first run: cargo xtask release plan")
        })?;
        serde_json::from_str(&text).with_context(|| format!("cannot parse {path}"))
    }

    /// # Errors
    /// Unless this plan `publishes` what a step is about to.
    pub(super) fn check(&self, publishes: bool, what: &str) -> Result<()> {
        ensure!(
            publishes,
            Error::usage(format!("{} is the plan of an event that publishes no {what}", path()))
                .hint(
                    "name the event in GITHUB_EVENT_NAME and GITHUB_REF: cargo xtask release plan"
                )
                .hint("to try it with a registry of yours: RELEASE_REGISTRY=localhost:5000/me")
        );
        Ok(())
    }

    pub(super) fn write(&self) -> Result<()> {
        write(&path(), &(serde_json::to_string_pretty(self)? + "\n"))
    }

    /// The version of the archives.
    pub(super) fn version(&self) -> &str {
        self.release.as_deref().unwrap_or(&self.identity.version)
    }

    /// # Errors
    /// When the version is none.
    pub(super) fn images(&self) -> Result<Release> {
        Ok(Release {
            registry: self.registry.clone(),
            identity: self.identity.clone(),
            semver: self.release.as_deref().map(Semver::parse).transpose()?,
            source: self.source.clone(),
        })
    }

    /// All images that were built for it.
    pub(super) fn built(&self) -> Vec<Built> {
        let mut built = Vec::new();
        for job in jobs::all(&Policy::default()) {
            let papers = archives::papers(&job.what, self.version());
            let of: Vec<Of> = match job.what {
                What::Images(row) => {
                    [false, true].map(|minimal| Of::Server { row: row.clone(), minimal }).into()
                }
                What::Packer(arch) => vec![Of::Packer(arch.platform)],
                What::OneFile(_) => continue,
            };
            built.extend(of.into_iter().map(|of| Built {
                archive: PathBuf::from(jobs::image(&job.id, of.is_minimal())),
                papers: papers.clone(),
                of,
            }));
        }
        built
    }
}

fn path() -> String {
    format!("{DIR}/plan.json")
}

/// Whether the commit that is here is of the main branch, as far as this clone knows.
fn is_on_main() -> bool {
    let words = ["merge-base", "--is-ancestor", "HEAD", &format!("origin/{MAIN}")];
    Cmd::new("git").dir(cargo::root()).args(words).read().is_ok()
}

/// Writes a file with its folder.
///
/// # Errors
/// When it cannot be written.
pub(super) fn write(path: &str, text: &str) -> Result<()> {
    let path = Path::new(path);
    let cannot = || format!("cannot write {}", path.display());
    fs::create_dir_all(path.parent().context("a file is in a folder")?).with_context(cannot)?;
    place::write_whole(path, text).with_context(cannot)
}

/// Outputs of the first job: what the others ask of it.
///
/// # Errors
/// For a tag that is not the crates' version.
pub(super) fn outputs(event: &Event, base: Option<&str>) -> Result<Vec<(&'static str, String)>> {
    let policy = event.policy();
    if let Some(version) = event.version() {
        crates::check_version(&crates::published()?, &version.to_string())?;
    }
    let jobs: Vec<_> = jobs::all(&policy).iter().map(jobs::Job::entry).collect();
    Ok(vec![
        ("jobs", serde_json::to_string(&jobs)?),
        ("publish", policy.publish.to_string()),
        ("packs", policy.packs.to_string()),
        ("release", policy.release.to_string()),
        ("cache", policy.cache.to_string()),
        ("base", base.unwrap_or_default().to_owned()),
    ])
}

/// Outputs as GitHub reads them from a file.
pub(super) fn as_file(outputs: &[(&str, String)]) -> String {
    let line = |(name, value): &(&str, String)| {
        if value.contains('\n') {
            format!("{name}<<END\n{}\nEND\n", value.trim_end())
        } else {
            format!("{name}={value}\n")
        }
    };
    outputs.iter().map(line).collect()
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
