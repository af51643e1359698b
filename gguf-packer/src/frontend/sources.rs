//! Sources as operations: the context, named contexts, images, files of the web, repositories.

use std::sync::Arc;

use url::Url;

use super::buildkit::{BuildKit, locked};
use super::folders::Place;
use super::listing::Modes;
use super::llb::Output as Vertex;
use super::pb::{self, ResolveImageConfigRequest};
use super::step::{COMMIT, Task};
use super::vertices::source;
use crate::Error;
use crate::executor::BaseImage;
use crate::executor::copy::path;
use crate::executor::node::based;
use crate::executor::output::Output;
use crate::executor::run::Run;
use crate::executor::source::{git, local};
use crate::image::Platform;
use crate::plan::{Git, Http, HuggingFace, Layout, Local};
use crate::reference::Name;
use crate::tree::{Entry, Kind, Tree};

/// The most bytes that a commit's file has.
const COMMIT_SIZE: u64 = 100;

impl BuildKit<'_> {
    /// The files of a folder that an instruction names.
    pub(super) fn local(&self, wanted: &Local) -> Result<Arc<Tree>, Error> {
        let key = serde_json::to_string(wanted).expect("data without maps that can fail");
        if let Some(tree) = locked(&self.known.trees).get(&key) {
            return Ok(tree.clone());
        }
        let (place, ignored) = match &wanted.context {
            None => (&self.contexts.main, &self.contexts.ignored),
            Some(name) => {
                let named = self.contexts.named.get(name).ok_or_else(|| {
                    Error::new(format!("unknown build context `{name}`"))
                        .hint(format!("define it: `--build-context {name}=FOLDER`"))
                })?;
                (&named.0, &named.1)
            }
        };
        let vertex = match place {
            Place::Client(name) => self.client(name, &ignored.patterns, wanted),
            Place::Made(vertex) => vertex.clone(),
        };
        let tree = Arc::new(self.tree(&vertex, Modes::Git)?);
        local::named(&*tree, "the build context", wanted, &|source| {
            local::kept_out(source, ignored.file.as_deref()?, &ignored.ignore)
        })?;
        locked(&self.known.trees).insert(key, tree.clone());
        Ok(tree)
    }

    /// The operation that takes from the client what `wanted` names.
    fn client(&self, name: &str, patterns: &[String], wanted: &Local) -> Vertex {
        let json = |list: &[String]| serde_json::to_string(list).expect("a list of texts");
        let mut attrs = vec![(
            "local.sharedkeyhint",
            format!("gguf-packer:{name}:{}", wanted.sources.join(" ")),
        )];
        attrs.extend(self.daemon.session_attribute("local.session"));
        if let Some(paths) = followed(wanted) {
            attrs.push(("local.followpaths", json(&paths)));
        }
        if !patterns.is_empty() {
            attrs.push(("local.excludepatterns", json(patterns)));
        }
        let shown = format!("[internal] load {name}: {}", wanted.sources.join(" "));
        source(format!("local://{name}"), &attrs, None, shown, self.options.no_cache)
    }

    /// An image of a registry, or of the daemon.
    pub(super) fn image(&self, reference: &str, platform: Option<&str>) -> Result<Output, Error> {
        let name: Name = reference.parse()?;
        let platform = self.wanted(platform)?;
        let request = ResolveImageConfigRequest {
            reference: name.full(),
            platform: Some(to_pb(&platform)),
            resolve_mode: self.options.resolve_mode.clone(),
            log_name: format!("[internal] load metadata for {}", name.full()),
            ..ResolveImageConfigRequest::default()
        };
        let found = self.daemon.image(&request)?;
        let pinned = match found.reference.split_once('@') {
            None if !found.digest.is_empty() => format!("{}@{}", found.reference, found.digest),
            _ => found.reference.clone(),
        };
        let attrs = match self.options.resolve_mode.as_str() {
            "default" => vec![],
            mode => vec![("image.resolvemode", mode.to_owned())],
        };
        let identifier = format!("docker-image://{pinned}");
        let shown = format!("FROM {reference}");
        let vertex = source(identifier, &attrs, Some(to_pb(&platform)), shown, false);
        self.base(&vertex, (reference, &platform), &found.config, found.digest)
    }

    /// An image of an OCI layout on the client's disk; its tag is a digest.
    pub(super) fn layout(&self, wanted: &Layout) -> Result<Output, Error> {
        let platform = self.wanted(wanted.platform.as_deref())?;
        let digest = wanted.tag.clone().unwrap_or_default();
        let reference = format!("docker.io/library/layout@{digest}");
        let request = ResolveImageConfigRequest {
            reference: reference.clone(),
            platform: Some(to_pb(&platform)),
            log_name: format!("[internal] load metadata of {}", wanted.folder),
            resolver_type: 1,
            session_id: self.daemon.session().to_owned(),
            store_id: wanted.folder.clone(),
            ..ResolveImageConfigRequest::default()
        };
        let found = self.daemon.image(&request)?;
        let mut attrs = vec![("oci.store", wanted.folder.clone())];
        attrs.extend(self.daemon.session_attribute("oci.session"));
        let identifier = format!("oci-layout://{reference}");
        let shown = format!("FROM {}", wanted.folder);
        let vertex = source(identifier, &attrs, Some(to_pb(&platform)), shown, false);
        self.base(&vertex, (&wanted.folder, &platform), &found.config, digest)
    }

    fn base(
        &self,
        vertex: &Vertex,
        (name, platform): (&str, &Platform),
        config: &[u8],
        digest: String,
    ) -> Result<Output, Error> {
        let config = serde_json::from_slice(config)
            .map_err(|e| Error::new(format!("cannot read the config of {name}: {e}")))?;
        if let Some(actual) = Platform::of(&config).filter(|actual| actual != platform) {
            (self.other_platform)(name, platform, &actual);
        }
        let tree = self.tree(vertex, Modes::All)?;
        self.keep_base(&digest, vertex);
        let (layers, name) = (Vec::new(), name.to_owned());
        Ok(based(BaseImage { config, layers, digest, name }, tree))
    }

    fn wanted(&self, platform: Option<&str>) -> Result<Platform, Error> {
        platform.map_or_else(|| Ok(self.platform.clone()), str::parse)
    }

    /// One file of the web.
    pub(super) fn http(&self, run: &Run<'_>, wanted: &Http) -> Result<Tree, Error> {
        let attrs: Vec<_> =
            wanted.checksum.iter().map(|checksum| ("http.checksum", checksum.clone())).collect();
        let always = self.options.no_cache;
        let vertex = source(wanted.url.clone(), &attrs, None, wanted.url.clone(), always);
        let tree = self.tree(&vertex, Modes::Git)?;
        let files = tree.iter().map(|entry| Entry { mode: 0o644, ..entry.clone() });
        let tree: Tree = files.collect();
        let first = tree.iter().next().cloned();
        if let Some(file) = first.filter(|_| wanted.unpack) {
            use crate::executor::backend::Backend;
            if let Some(entries) = self.unpacked(run, &file)? {
                return Ok(entries.into_iter().map(|(_, entry)| entry).collect());
            }
        }
        Ok(tree)
    }

    /// A repository of Hugging Face, by our own client in containers, at the commit that it is at now.
    pub(super) fn repository(&self, wanted: &HuggingFace) -> Result<Tree, Error> {
        let page = crate::hub::page(
            &wanted.repository.endpoint,
            &wanted.repository.kind,
            &wanted.repository.repository,
        );
        let revision = wanted.revision.as_deref().unwrap_or("main");
        let is_commit = revision.len() == 40 && revision.bytes().all(|b| b.is_ascii_hexdigit());
        let commit = if is_commit {
            revision.to_ascii_lowercase()
        } else {
            let mut container =
                self.container(&format!("[internal] commit of {page} at {revision}"));
            container.always();
            container.with_network();
            let made = container.run(&Task::Commit(wanted.clone()));
            let bytes =
                self.daemon.read_all(&self.held(&made)?, &format!("/{COMMIT}"), COMMIT_SIZE)?;
            String::from_utf8_lossy(&bytes).into_owned()
        };
        let mut container = self.container(&format!("{page} at {commit}"));
        container.with_network();
        let wanted = HuggingFace { revision: Some(commit), ..wanted.clone() };
        self.tree(&container.run(&Task::Repository(wanted)), Modes::Git)
    }

    /// A repository of Git.
    pub(super) fn git(&self, wanted: &Git) -> Result<Tree, Error> {
        let vertex = git_vertex(wanted, self.options.no_cache);
        let tree = self.tree(&vertex, Modes::Git)?;
        let mut pointers = Vec::new();
        for entry in tree.iter() {
            let Kind::File { size, digest } = &entry.kind else { continue };
            if *size == 0 || *size >= git::POINTER_SIZE {
                continue;
            }
            if let Some((vertex, path)) = self.place_of(digest) {
                let text = self.daemon.read(&self.held(&vertex)?, &format!("/{path}"), 0)?;
                if text.starts_with(git::POINTER) {
                    pointers.push(entry.path.clone());
                }
            }
        }
        if pointers.is_empty() {
            return Ok(tree);
        }
        Err(git::elsewhere(&wanted.remote, &pointers))
    }
}

/// The operation that fetches a repository.
pub(super) fn git_vertex(wanted: &Git, always: bool) -> Vertex {
    let mut part = wanted.revision.clone().unwrap_or_default();
    if let Some(folder) = &wanted.folder {
        part = format!("{part}:{folder}");
    }
    let place = match Url::parse(&wanted.remote) {
        Ok(url) if url.host_str().is_some() => {
            let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
            format!("{}{port}{}", url.host_str().unwrap_or_default(), url.path())
        }
        // `git@host:path`.
        _ => wanted.remote.rsplit('@').next().unwrap_or_default().replacen(':', "/", 1),
    };
    let id = if part.is_empty() { place } else { format!("{place}#{part}") };
    let mut attrs = vec![("git.fullurl", wanted.remote.clone())];
    if wanted.keep_git_dir {
        attrs.push(("git.keepgitdir", "true".to_owned()));
    }
    let web = wanted.remote.starts_with("http");
    if web {
        attrs.push(("git.authtokensecret", "GIT_AUTH_TOKEN".to_owned()));
        attrs.push(("git.authheadersecret", "GIT_AUTH_HEADER".to_owned()));
    } else if !wanted.remote.starts_with("git://") {
        attrs.push(("git.mountsshsock", "default".to_owned()));
    }
    source(format!("git://{id}"), &attrs, None, wanted.remote.clone(), always)
}

/// The paths that the client is to send; none is everything.
fn followed(wanted: &Local) -> Option<Vec<String>> {
    let mut paths = Vec::new();
    for source in &wanted.sources {
        let plain = source.replace("/./", "/");
        let clean = path::clean(&plain).filter(|path| !path.is_empty())?;
        if clean.contains("**") {
            return None;
        }
        paths.push(clean);
    }
    Some(paths)
}

/// BuildKit's form of a platform.
pub(super) fn to_pb(platform: &Platform) -> pb::Platform {
    pb::Platform {
        architecture: platform.architecture.clone(),
        os: platform.os.clone(),
        variant: platform.variant.clone().unwrap_or_default(),
    }
}
