//! `build`: what a build takes, from nothing, once more, and after a change of one line, of `cargo xtask dist`, of
//! `cargo build --release` and of upstream's own commands, on the same source with the same compiler.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use llama_src::sh::Cmd;
use llama_src::{Pin, Ui};

use crate::args::Args;
use crate::journal::{Journal, Series};
use crate::recipe::{self, Recipe};
use crate::results::{Part, Unit};
use crate::side::UPSTREAM;
use crate::usage;
use product::arch::Arch;
use product::variant::Variant;
use workspace::cargo;
use workspace::screen::Screen;
use workspace::source::{self, WithoutPage};

/// In upstream's build folder: the release that it is a whole build of.
const WHOLE: &str = "whole";
/// The certificates that Debian's programs trust.
const CA: &str = "/etc/ssl/certs/ca-certificates.crt";
/// The file that gets a line.
const CHANGED: &str = "src/llama-sampler.cpp";

/// One way to build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Dist,
    Cargo,
    Upstream,
}

/// Whether a compiler cache helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cache {
    /// It is off.
    Off,
    /// It is one of these measurements alone.
    On,
}

/// All ways, and the folders they build in.
struct Builder {
    variant: Variant,
    folder: PathBuf,
    /// Upstream's tree with the web page in it.
    tree: PathBuf,
    recipe: Recipe,
}

pub(crate) fn run(args: &Args, journal: &mut Journal, screen: &mut Screen) -> Result<()> {
    let builder = Builder::prepare(args.variant, screen)?;
    let mut sides = vec![
        ("ours, dist".to_owned(), Way::Dist),
        ("ours, cargo".to_owned(), Way::Cargo),
        (UPSTREAM.to_owned(), Way::Upstream),
    ];
    // `cargo build` builds a backend for this machine's card, the others for all.
    sides.retain(|(_, way)| args.variant == Variant::Cpu || *way != Way::Cargo);
    let rounds = if args.quick { 1 } else { 3 };
    let mut measure = |what: &str, rounds, sides: &[(String, Way)], one: Measure<'_>| {
        screen.step(&format!("building: {what}"));
        let units = [("time", Unit::Seconds), ("CPU time", Unit::Seconds), ("memory", Unit::Bytes)];
        let name = |(unit, kind)| (format!("{} {what}, {unit}", args.variant), kind);
        let series = Series { part: Part::Build, cases: units.map(name).to_vec(), rounds };
        journal.measure(&series, sides, |way| one(*way))
    };
    measure("from nothing", rounds, &sides, &|way| {
        builder.clean(way)?;
        builder.build(way, Cache::Off)
    })?;
    measure("once more", 3, &sides, &|way| builder.build(way, Cache::Off))?;
    if !args.quick {
        measure("with a warm cache", 1, &sides, &|way| {
            builder.clean(way)?;
            builder.build(way, Cache::On)?;
            builder.clean(way)?;
            builder.build(way, Cache::On)
        })?;
    }
    sides.retain(|(_, way)| *way != Way::Dist);
    if args.variant == Variant::Cpu {
        measure("one line changed", 1, &sides, &|way| builder.build_changed(way))?;
    }
    Ok(())
}

/// Both images from their clones, without what the engine has kept, also by `--mount=type=cache`.
pub(crate) fn images(args: &Args, journal: &mut Journal, screen: &mut Screen) -> Result<()> {
    let builder = Builder::prepare(args.variant, screen)?;
    let base = cargo::cargo("xtask").args(["image", "base"]).read()?;
    screen.step("building images");
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let build = |dir: &Path, file: String| {
        let cmd = Cmd::new("docker").args(["buildx", "build", "--no-cache", "--file", &file]);
        let empty = format!("BUILDKIT_CACHE_MOUNT_NS=bench-{seconds}");
        cmd.arg("--build-arg").arg(empty).dir(dir)
    };
    let ours = build(&cargo::root(), format!("docker/{}.Dockerfile", args.variant));
    let ours = ours.arg("--build-arg").arg(format!("BASE_IMAGE={}", base.trim_end()));
    // The network of this machine may have certificates of its own.
    let ca = Path::new(CA).is_file().then(|| format!("--secret=id=ca,src={CA}"));
    let ours = ours.args(ca).arg(".");
    let theirs = build(&builder.tree, format!(".devops/{}.Dockerfile", args.variant));
    let theirs = theirs.args(["--target", "server", "."]);
    let cases = vec![(format!("{} image, time", args.variant), Unit::Seconds)];
    let series = Series { part: Part::Build, cases, rounds: 1 };
    let sides = [("ours, image".to_owned(), ours), (UPSTREAM.to_owned(), theirs)];
    journal.measure(&series, &sides, |cmd| {
        Ok(vec![usage::measure(cmd, &builder.folder.join("image.log"), |_| ())?.wall])
    })
}

/// Upstream's build for the other words, made where there is no whole one of the pinned release.
///
/// # Errors
/// When it cannot be built.
pub(crate) fn keep_official(screen: &mut Screen) -> Result<()> {
    let kept = fs::read_to_string(crate::folder().join("official/build").join(WHOLE));
    if kept.is_ok_and(|tag| tag == Pin::load().tag) {
        return Ok(());
    }
    let builder = Builder::prepare(Variant::Cpu, screen)?;
    screen.step("building upstream's programs, once");
    let log = builder.folder.join("official.log");
    builder.command(Way::Upstream).run_logged(&log, |line| screen.show(line))?;
    builder.keep()
}

/// The numbers of one build.
type Measure<'a> = &'a dyn Fn(Way) -> Result<Vec<f64>>;

impl Builder {
    /// Copies upstream's tree, with the web page where its Dockerfile puts it.
    fn prepare(variant: Variant, screen: &mut Screen) -> Result<Self> {
        let source = source::with_page(screen, false, WithoutPage::Fail)?;
        let page = Ui::prepare(&source, &source::request()?, &mut |news| screen.news(news));
        let page = page.map_err(source::explain)?.dir;
        screen.step("copying the source");
        let folder = crate::folder();
        let tree = folder.join("official");
        remove(&tree)?;
        copy(&source.dir, &tree)?;
        copy(&page, &tree.join("tools/ui/dist"))?;
        let recipe = recipe::read(&tree, variant)?;
        Ok(Self { variant, folder, tree, recipe })
    }

    /// Says of upstream's build that it is whole.
    fn keep(&self) -> Result<()> {
        let file = self.target(Way::Upstream).join(WHOLE);
        let failed = || format!("cannot write {}", file.display());
        fs::write(&file, Pin::load().tag).with_context(failed)
    }

    fn command(&self, way: Way) -> Cmd {
        let target = self.target(way);
        match way {
            Way::Dist => {
                let cmd = cargo::cargo("xtask").args(["dist", "--variant", self.variant.name()]);
                cmd.arg("--out").arg(target.join("dist")).env("CARGO_TARGET_DIR", &target)
            }
            Way::Cargo => cargo::cargo("build").arg("--release").env("CARGO_TARGET_DIR", &target),
            Way::Upstream => {
                let arch =
                    Arch::of(&cargo::host()).map_or(std::env::consts::ARCH, |arch| arch.docker);
                let cmd = Cmd::new("sh").args(["-c", &self.recipe.script]).dir(&self.tree);
                let arguments = self.recipe.arguments.iter();
                let cmd = arguments.fold(cmd, |cmd, (name, value)| cmd.env(name, value));
                cmd.env("TARGETARCH", arch)
            }
        }
    }

    fn target(&self, way: Way) -> PathBuf {
        match way {
            Way::Dist => self.folder.join("ours-dist"),
            Way::Cargo => self.folder.join("ours-cargo"),
            Way::Upstream => self.tree.join("build"),
        }
    }

    fn clean(&self, way: Way) -> Result<()> {
        remove(&self.target(way))
    }

    fn build(&self, way: Way, cache: Cache) -> Result<Vec<f64>> {
        let measured = self.measured(&self.command(way), cache)?;
        if way == Way::Upstream && self.variant == Variant::Cpu {
            self.keep()?;
        }
        Ok(measured)
    }

    fn measured(&self, cmd: &Cmd, cache: Cache) -> Result<Vec<f64>> {
        let cmd = match cache {
            Cache::Off => cmd.clone().env("CCACHE_DISABLE", "1").env("SCCACHE_RECACHE", "1"),
            Cache::On => cmd.clone().env("CCACHE_DIR", self.folder.join("ccache")),
        };
        let log = self.folder.join("build.log");
        let usage = usage::measure(&cmd, &log, |_| ())?;
        Ok(vec![usage.wall, usage.cpu, usage.memory])
    }

    /// The build after a change in the tree that both sides then read. Ours builds it once before.
    fn build_changed(&self, way: Way) -> Result<Vec<f64>> {
        let mut cmd = self.command(way);
        if way == Way::Cargo {
            cmd = cmd.env("LLAMA_SYS_SOURCE_DIR", &self.tree);
            self.measured(&cmd, Cache::On)?;
        }
        let path = self.tree.join(CHANGED);
        let failed = || format!("cannot change {}", path.display());
        let original = fs::read(&path).with_context(failed)?;
        let mut file = fs::OpenOptions::new().append(true).open(&path).with_context(failed)?;
        file.write_all(b"// one more line\n").with_context(failed)?;
        drop(file);
        let result = self.measured(&cmd, Cache::Off);
        fs::write(&path, original).with_context(failed)?;
        result
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot create {}", to.display()))?;
    Cmd::new("cp").args(["-R", "--"]).arg(from.join(".")).arg(to).read()?;
    Ok(())
}

fn remove(dir: &Path) -> Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", dir.display()))
        }
        _ => Ok(()),
    }
}
