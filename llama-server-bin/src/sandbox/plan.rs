//! What the server keeps: files, folders, devices, programs and ports, from what it is asked for and the
//! system that it is on. Pure, so it is tested for systems that are not here.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::options::{DEFAULT_PORT, Use};
use super::places;
use super::system::System;

/// Further files and folders of the user's, divided by colons.
pub(crate) const READ_VARIABLE: &str = "LLAMA_SERVER_SANDBOX_READ";
/// The same, to write as well.
pub(crate) const WRITE_VARIABLE: &str = "LLAMA_SERVER_SANDBOX_WRITE";

/// The first ABI of Landlock that knows ports (Linux 6.7).
pub(crate) const WITH_PORTS: u8 = 4;

/// What stays possible. What is not there when the server starts is left out.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Read because it was asked for.
    pub(crate) read: BTreeSet<PathBuf>,
    /// Read because every server may need it.
    pub(crate) system: BTreeSet<PathBuf>,
    /// Read and written, with everything below.
    pub(crate) write: BTreeSet<PathBuf>,
    /// Of these, folders that are made first, and files.
    pub(crate) make_folders: BTreeSet<PathBuf>,
    pub(crate) make_files: BTreeSet<PathBuf>,
    /// Read, written and told to do things.
    pub(crate) devices: BTreeSet<PathBuf>,
    /// Read and started; folders with everything below.
    pub(crate) programs: BTreeSet<PathBuf>,
    /// Unix sockets that are listened on.
    pub(crate) sockets: BTreeSet<PathBuf>,
    /// Ports that are listened on; none: any.
    pub(crate) bind: Option<BTreeSet<u16>>,
    /// Whether connections to others are made.
    pub(crate) connect: bool,
}

impl Plan {
    /// The plan for what is asked for on this system.
    pub(crate) fn new(asked: &[(Use, OsString)], system: &System<'_>) -> Self {
        let mut plan = Self { bind: Some(BTreeSet::new()), ..Self::default() };
        for (what, value) in asked {
            plan.add(*what, value, system);
        }
        let has = |what: Use| asked.iter().any(|(other, _)| *other == what);
        // A download can be a file of presets, which makes the server a router.
        let is_one = has(Use::Model) || has(Use::Devices);
        if !is_one || has(Use::Download) || has(Use::Presets) {
            plan.add_router(system);
        }
        if has(Use::Url) {
            let is_target = |what: Use| matches!(what, Use::Model | Use::Media);
            let targets = asked.iter().filter(|(what, _)| is_target(*what));
            targets.for_each(|(_, file)| plan.make(folder_of(Path::new(file))));
        }
        if has(Use::Media) || has(Use::Download) || has(Use::Url) {
            plan.add_ffmpeg(&places::variable_list("PATH", system), system);
        }
        let mut hosts = asked.iter().filter(|(what, _)| *what == Use::Host).peekable();
        if hosts.peek().is_some() && hosts.all(|(_, list)| addresses(list).all(is_socket)) {
            plan.bind.iter_mut().for_each(BTreeSet::clear);
        } else if !has(Use::Port) {
            plan.bind.iter_mut().for_each(|ports| _ = ports.insert(DEFAULT_PORT));
        }
        plan.add_system(system);
        plan
    }

    /// Whether programs are started.
    pub(crate) fn spawns(&self) -> bool {
        !self.programs.is_empty()
    }

    fn add(&mut self, what: Use, value: &OsStr, system: &System<'_>) {
        match what {
            Use::Model | Use::Read | Use::TlsKey | Use::TlsCert | Use::Presets => {
                self.read.extend(files(value));
                // Who links a model into a folder of models means its target.
                self.system.extend((system.links)(Path::new(value)));
            }
            Use::Media => {
                self.read.extend(files(value));
                self.connect = true;
            }
            Use::WriteFile => {
                self.make_files.insert(value.into());
                self.write.insert(value.into());
            }
            Use::WriteFolder => _ = self.write.insert(value.into()),
            Use::MakeFolder => self.make(value.into()),
            Use::Download | Use::Url => {
                self.connect = true;
                places::caches(system).into_iter().for_each(|cache| self.make(cache));
            }
            Use::Connect => self.connect = true,
            Use::Programs => self.add_programs(value, system),
            Use::Ffmpeg => self.add_ffmpeg(&[value.into()], system),
            Use::Host => {
                self.sockets
                    .extend(addresses(value).filter(|host| is_socket(host)).map(Path::to_owned));
            }
            Use::Port => {
                let port: Option<u16> = value.to_str().and_then(|port| port.parse().ok());
                self.bind.iter_mut().for_each(|ports| ports.extend(port));
            }
            Use::Devices | Use::Nothing => {}
        }
    }

    fn make(&mut self, folder: PathBuf) {
        self.make_folders.insert(folder.clone());
        self.write.insert(folder);
    }

    /// A router starts this program again, with ports that the kernel chooses, and downloads models.
    fn add_router(&mut self, system: &System<'_>) {
        self.programs.insert(system.program.clone());
        self.programs.extend(loader(system));
        self.bind = None;
        self.connect = true;
        places::caches(system).into_iter().for_each(|cache| self.make(cache));
    }

    /// Tools and MCP servers are anybody's programs: they get this system's programs, and the current
    /// folder to work in, where that is not everything.
    fn add_programs(&mut self, value: &OsStr, system: &System<'_>) {
        self.read.extend(files(value).filter(|file| (system.exists)(file)));
        let path = places::variable_list("PATH", system);
        self.programs
            .extend(["/bin", "/lib", "/lib64", "/sbin", "/usr", "/opt"].map(PathBuf::from));
        self.programs.extend(path.into_iter().filter(|folder| folder.parent().is_some()));
        self.programs.extend(loader(system));
        if system.folder.parent().is_some() {
            self.write.insert(system.folder.clone());
        }
        self.connect = true;
        self.bind = None;
    }

    fn add_ffmpeg(&mut self, folders: &[PathBuf], system: &System<'_>) {
        let names = |folder: &PathBuf| ["ffmpeg", "ffprobe"].map(|name| folder.join(name));
        let there: Vec<PathBuf> =
            folders.iter().flat_map(names).filter(|file| (system.exists)(file)).collect();
        if !there.is_empty() {
            self.programs.extend(there.into_iter().chain(loader(system)));
        }
    }

    fn add_system(&mut self, system: &System<'_>) {
        let is_library = |file: &&PathBuf| file.to_string_lossy().contains(".so");
        self.system.extend(places::READ.iter().map(PathBuf::from));
        self.system.extend(
            system.loader_conf.lines().filter(|line| line.starts_with('/')).map(PathBuf::from),
        );
        self.system.extend(system.mapped.iter().filter(is_library).map(|file| folder_of(file)));
        self.system.insert(folder_of(&system.program));
        for variable in places::READ_VARIABLES {
            self.system.extend(places::variable_list(variable, system));
        }
        // Not `/`, which an empty entry of the like would mean.
        self.system.retain(|path| path.is_relative() || path.parent().is_some());
        self.system.extend(places::config_files(system));
        self.read.extend(places::variable_list(READ_VARIABLE, system));
        self.write.extend(places::variable_list(WRITE_VARIABLE, system));
        let is_gpu = |device: &&PathBuf| {
            device.file_name().is_some_and(|name| places::is_gpu(&name.to_string_lossy()))
        };
        let gpus: Vec<PathBuf> = system.devices.iter().filter(is_gpu).cloned().collect();
        places::driver_folders(&gpus, system).into_iter().for_each(|folder| self.make(folder));
        self.devices.extend(places::DEVICES.iter().map(PathBuf::from).chain(gpus));
    }

    /// One line about it, as far as the kernel enforces it.
    pub(crate) fn summary(&self, abi: u8, files: bool, seccomp: bool) -> String {
        let mut parts = Vec::new();
        if abi > 0 && files {
            let what = list(&self.read, |path| path.display().to_string(), "nothing");
            parts.push(format!("reads {what} besides the system's libraries"));
            let what = list(&self.write, |path| path.display().to_string(), "nothing");
            parts.push(format!("writes {what}"));
        }
        if abi >= WITH_PORTS {
            let sockets = self.sockets.iter().map(|socket| socket.display().to_string());
            let ports = self.bind.as_ref().filter(|ports| !ports.is_empty());
            let ports = ports.map(|ports| format!("port {}", list(ports, u16::to_string, "none")));
            let any = self.bind.is_none().then(|| "any port".to_owned());
            let all: Vec<String> = sockets.chain(ports).chain(any).collect();
            parts.push(format!("listens on {}", all.join(", ")));
            parts.push(
                if self.connect { "connects out" } else { "does not connect out" }.to_owned(),
            );
        }
        parts.push(if self.spawns() { "starts programs" } else { "starts no program" }.to_owned());
        let landlock = (abi > 0).then(|| format!("Landlock (ABI {abi})"));
        let by = landlock.into_iter().chain(seccomp.then(|| "seccomp".to_owned()));
        format!("{}: {}", by.collect::<Vec<_>>().join(" and "), parts.join("; "))
    }
}

fn list<T>(items: &BTreeSet<T>, text: impl Fn(&T) -> String, none: &str) -> String {
    let texts: Vec<String> = items.iter().map(text).collect();
    if texts.is_empty() { none.to_owned() } else { texts.join(", ") }
}

/// The hosts of one option.
fn addresses(hosts: &OsStr) -> impl Iterator<Item = &Path> {
    let hosts = hosts.as_bytes().split(|byte| *byte == b',');
    hosts.map(|host| Path::new(OsStr::from_bytes(host)))
}

fn is_socket(host: &Path) -> bool {
    host.extension() == Some("sock".as_ref())
}

pub(crate) fn folder_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// The loader of programs, which the kernel starts with them.
fn loader(system: &System<'_>) -> Option<PathBuf> {
    let is_it =
        |file: &&PathBuf| file.file_name().is_some_and(|name| name.as_bytes().starts_with(b"ld-"));
    system.mapped.iter().find(is_it).cloned()
}

/// All that the value of an option can mean: a file, files divided by commas, with `:SCALE` or without, and
/// the other parts of a split model.
fn files(value: &OsStr) -> impl Iterator<Item = PathBuf> + '_ {
    let whole = [value.as_bytes()].into_iter();
    let parts = value.as_bytes().split(|byte| *byte == b',');
    let both = whole.chain(parts).flat_map(|part| {
        let scale = part.iter().rposition(|byte| *byte == b':');
        [Some(part), scale.map(|at| &part[..at])].into_iter().flatten()
    });
    both.filter(|part| !part.is_empty()).map(OsStr::from_bytes).flat_map(splits)
}

/// `m-00001-of-00003.gguf` is three files.
fn splits(file: &OsStr) -> Vec<PathBuf> {
    let all = file.to_str().and_then(|file| {
        let stem = file.strip_suffix(".gguf")?;
        let (stem, count) = stem.rsplit_once("-of-")?;
        let (stem, number) = stem.rsplit_once('-')?;
        let is_number =
            |text: &str| text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit());
        let all = (is_number(count) && is_number(number)).then(|| count.parse::<u32>().ok())??;
        Some((1..=all).map(|n| PathBuf::from(format!("{stem}-{n:05}-of-{count}.gguf"))).collect())
    });
    all.unwrap_or_else(|| vec![file.into()])
}
