//! What a build reads: the file, the folder that is built, named contexts, and the ignore file.

use std::collections::{BTreeMap, BTreeSet};

use super::daemon::{Daemon, Held};
use super::folders::{Contexts, Ignored, Place};
use super::llb::Output;
use super::options::Options;
use super::pb::SourceInfo;
use super::sources::git_vertex;
use super::vertices::{inside, source};
use crate::Error;
use crate::image::Platform;
use crate::language::find;
use crate::language::ignore::Ignore;
use crate::plan::{self, Context, Git};

/// The longest file that is read, in bytes.
const LONGEST: u64 = 1 << 20;
/// What a file is called unless it is said.
const NAMES: [&str; 4] = ["GGUFPackerfile", "ggufpackerfile", "Dockerfile", "dockerfile"];
/// What the client calls the folder that is built, and the one with the file.
const CONTEXT: &str = "context";
const FILE: &str = "dockerfile";

/// Everything that a build reads.
#[derive(Debug)]
pub(super) struct All {
    pub(super) places: Contexts,
    /// Where the file is, when it is not on the client's disk.
    script: Option<Output>,
    /// Named contexts as they were given, without `context:`.
    given: BTreeMap<String, String>,
}

/// The file that is built.
#[derive(Debug)]
pub(super) struct Source {
    info: SourceInfo,
    text: String,
    digest: String,
    /// Its own ignore file.
    ignore: Option<(String, Vec<u8>)>,
}

impl Source {
    pub(super) fn info(&self) -> &SourceInfo {
        &self.info
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn name(&self) -> &str {
        &self.info.filename
    }

    /// Of the operation that read it.
    pub(super) fn digest(&self) -> &str {
        &self.digest
    }
}

/// Looks where the folders of the build are.
pub(super) fn read(daemon: &Daemon<'_>, options: &Options) -> Result<All, Error> {
    let mut inputs = daemon.inputs()?;
    let mut input = |name: &str| inputs.remove(name).map(Output::foreign).transpose();
    let key = daemon.option("contextkey").unwrap_or(CONTEXT);
    let remote = daemon.option(key).map(|address| remote(daemon, address, options)).transpose()?;
    let forced = daemon.option("dockerfilekey").is_some();
    let (mut main, mut script) = (remote.flatten(), None);
    if main.is_some() {
        script.clone_from(&main);
    } else {
        script = if forced { None } else { input(FILE)?.flatten() };
        main = input(CONTEXT)?.flatten();
    }
    if let (Some(folder), Some(whole)) = (daemon.option("contextsubdir"), &main) {
        main = Some(inside(whole.clone(), folder.trim_matches('/'), false));
    }
    let main = main.map_or_else(|| Place::Client(CONTEXT.to_owned()), Place::Made);
    let prefix = "context:";
    let given = daemon.options.iter();
    let given: BTreeMap<String, String> = given
        .filter_map(|(name, value)| Some((name.strip_prefix(prefix)?.to_owned(), value.clone())))
        .collect();
    let mut named = BTreeMap::new();
    for (name, value) in &given {
        let place = match value.split_once(':') {
            Some(("local", folder)) => Place::Client(folder.to_owned()),
            Some(("input", name)) => Place::Made(input(name)?.flatten().ok_or_else(|| {
                Error::new(format!("the client announced the input `{name}`, but did not send it"))
            })?),
            _ => continue,
        };
        let ignored = match &place {
            Place::Client(folder) => ignore_file(daemon, folder)?,
            Place::Made(_) => Ignored::default(),
        };
        named.insert(short(name), (place, ignored));
    }
    let ignored = Ignored::default();
    Ok(All { places: Contexts { main, named, ignored }, script, given })
}

/// A context that is an address: a repository, or an archive of the web.
fn remote(daemon: &Daemon<'_>, address: &str, options: &Options) -> Result<Option<Output>, Error> {
    if plan::remote::is_git(address) {
        let (remote, revision, folder) = plan::remote::parts(address);
        let git = Git { remote, revision, folder, keep_git_dir: options.keep_git_dir };
        return Ok(Some(git_vertex(&git, options.no_cache)));
    }
    if !address.starts_with("http://") && !address.starts_with("https://") {
        return Ok(None);
    }
    let attrs = [("http.filename", CONTEXT.to_owned())];
    let file =
        source(address.to_owned(), &attrs, None, format!("[internal] load {address}"), false);
    let held = daemon.solve(file.definition(None), true)?;
    let beginning = daemon.read(&held, &format!("/{CONTEXT}"), 0)?;
    let packed = [&b"BZh"[..], b"\x1f\x8b\x08", b"\xfd7zXZ\0"];
    let is_archive = packed.iter().any(|magic| beginning.starts_with(magic))
        || beginning.get(257..262) == Some(b"ustar");
    Ok(Some(if is_archive { inside(file, CONTEXT, true) } else { file }))
}

/// A context's name as a file says it: without its platform, and without `:latest`.
fn short(name: &str) -> String {
    let name = name.split("::").next().unwrap_or(name);
    name.strip_suffix(":latest").unwrap_or(name).to_owned()
}

/// Reads the file that is built.
pub(super) fn script(daemon: &Daemon<'_>, _: &Options, all: &All) -> Result<Source, Error> {
    let said = daemon.option("filename").filter(|name| !name.is_empty());
    // Docker says `Dockerfile` where its person has said nothing.
    let any = said.is_none_or(|name| name == "Dockerfile");
    let names = if any { NAMES.to_vec() } else { said.into_iter().collect() };
    let place = daemon.option("dockerfilekey").unwrap_or(FILE);
    let vertex = all.script.clone().unwrap_or_else(|| {
        let wanted = names.iter().flat_map(|name| [(*name).to_owned(), own(name), dockers(name)]);
        load(daemon, place, &wanted.collect::<Vec<_>>(), "the file")
    });
    let held = daemon.solve(vertex.definition(None), true)?;
    let there =
        chosen(names.iter().filter_map(|name| Some((*name, read_file(daemon, &held, name)?))));
    let (name, data) = there.ok_or_else(|| {
        Error::new(format!("file not found: `{}`", said.unwrap_or(NAMES[0])))
            .hint("docker build -f GGUFPackerfile .")
    })?;
    let text =
        String::from_utf8(data.clone()).map_err(|_| Error::new(format!("{name} is not UTF-8")))?;
    let ignore = [own(name), dockers(name)]
        .into_iter()
        .find_map(|name| Some((name.clone(), read_file(daemon, &held, &name)?)));
    let definition = Some(vertex.definition(None));
    let (filename, language) = (name.to_owned(), "Dockerfile".to_owned());
    let info = SourceInfo { filename, data, definition, language };
    Ok(Source { info, text, digest: vertex.digest().to_owned(), ignore })
}

/// The file to build of those that are there: one that says that it is ours, else the first.
fn chosen<'n>(there: impl Iterator<Item = (&'n str, Vec<u8>)>) -> Option<(&'n str, Vec<u8>)> {
    let mut all: Vec<_> = there.collect();
    let ours = |(name, bytes): &(&str, Vec<u8>)| {
        let text = String::from_utf8_lossy(bytes);
        name.eq_ignore_ascii_case("Dockerfile")
            && find::syntax(&text).is_some_and(|it| find::is_ours(&it))
    };
    let at = all.iter().position(ours).unwrap_or(0);
    (!all.is_empty()).then(|| all.swap_remove(at))
}

fn own(name: &str) -> String {
    format!("{name}.ggufpackerignore")
}

fn dockers(name: &str) -> String {
    format!("{name}.dockerignore")
}

fn read_file(daemon: &Daemon<'_>, held: &Held, name: &str) -> Option<Vec<u8>> {
    daemon.probe(|| daemon.read_all(held, &format!("/{name}"), LONGEST))
}

/// Files of a folder of the client's disk.
fn load(daemon: &Daemon<'_>, place: &str, paths: &[String], what: &str) -> Output {
    let mut attrs = vec![
        ("local.followpaths", serde_json::to_string(paths).expect("a list of texts")),
        ("local.sharedkeyhint", format!("gguf-packer:{place}:{what}")),
        ("local.differ", "none".to_owned()),
    ];
    attrs.extend(daemon.session_attribute("local.session"));
    let shown = format!("[internal] load {what}");
    source(format!("local://{place}"), &attrs, None, shown, false)
}

/// The ignore file of a folder of the client's disk.
fn ignore_file(daemon: &Daemon<'_>, place: &str) -> Result<Ignored, Error> {
    let names = [".ggufpackerignore", ".dockerignore"].map(str::to_owned);
    let vertex = load(daemon, place, &names, "the ignore file");
    let held = daemon.solve(vertex.definition(None), true)?;
    let found = names.iter().find_map(|name| Some((name, read_file(daemon, &held, name)?)));
    found.map_or_else(|| Ok(Ignored::default()), |(name, bytes)| ignored(name, &bytes))
}

fn ignored(name: &str, bytes: &[u8]) -> Result<Ignored, Error> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let ignore = Ignore::parse(&text, name)?;
    Ok(Ignored { file: Some(name.to_owned()), patterns: patterns(&text), ignore })
}

impl All {
    /// Reads the ignore file that goes with `script`.
    pub(super) fn with_ignore_file(
        mut self,
        daemon: &Daemon<'_>,
        script: &Source,
    ) -> Result<Self, Error> {
        let Place::Client(place) = &self.places.main else { return Ok(self) };
        self.places.ignored = match &script.ignore {
            Some((name, bytes)) => ignored(name, bytes)?,
            None => ignore_file(daemon, place)?,
        };
        Ok(self)
    }

    /// The names of named contexts.
    pub(super) fn names(&self) -> BTreeSet<String> {
        self.given.keys().map(|name| short(name)).collect()
    }

    /// Named contexts as a plan knows them; one of this platform holds before one of all.
    pub(super) fn for_plan(&self, platform: &Platform) -> BTreeMap<String, Context> {
        let mut contexts = BTreeMap::new();
        let general = self.given.iter().filter(|(name, _)| !name.contains("::"));
        let own = self.given.iter().filter(|(name, _)| {
            name.split_once("::").is_some_and(|(_, of)| of == platform.to_string())
        });
        for (name, value) in general.chain(own) {
            contexts.insert(short(name), context(value));
        }
        contexts
    }
}

/// What a named context is.
fn context(value: &str) -> Context {
    match value.split_once(':') {
        Some(("local" | "input", name)) => Context::Folder(name.into()),
        // The client has read the layout, and names its image by a digest.
        Some(("oci-layout", layout)) => {
            let layout = layout.trim_start_matches("//");
            let (folder, digest) = layout.rsplit_once('@').unwrap_or((layout, ""));
            Context::Layout { folder: folder.to_owned(), tag: Some(digest.to_owned()) }
        }
        _ => Context::parse(value),
    }
}

/// The patterns of an ignore file as BuildKit's client takes them.
fn patterns(text: &str) -> Vec<String> {
    let one = |line: &str| {
        let line = line.trim_start_matches('\u{feff}');
        if line.starts_with('#') || line.trim().is_empty() {
            return None;
        }
        let (exception, path) = match line.trim().strip_prefix('!') {
            Some(path) => ("!", path.trim()),
            None => ("", line.trim()),
        };
        let parts: Vec<&str> =
            path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
        (!parts.is_empty()).then(|| format!("{exception}{}", parts.join("/")))
    };
    text.lines().filter_map(one).collect()
}
