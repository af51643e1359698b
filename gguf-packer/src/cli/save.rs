//! `save` and `load`, and the `--output` of `build`.

use std::io::{BufWriter, IsTerminal};
use std::path::{Path, PathBuf};

use super::formats::Formats;
use super::{Context, args, output};
use crate::Error;
use crate::layout::{self, Format, Saved};
use crate::part;
use crate::reference::Name;
use crate::store::Store;

/// Paths that mean standard output. One that leads to a file would else be replaced below the shell that opened it.
const STDOUT: [&str; 4] = ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"];

/// Bytes that standard output gets at once.
const BUFFER: usize = 1 << 20;

/// Where an image goes, and as what.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) format: Format,
    pub(super) path: PathBuf,
}

impl Target {
    /// Whether it is written to standard output.
    pub(super) fn is_stdout(&self) -> bool {
        STDOUT.iter().any(|name| self.path == Path::new(name))
    }

    /// Refuses what cannot be written to standard output, which may be a terminal.
    pub(super) fn check(&self) -> Result<(), Error> {
        self.check_stdout(std::io::stdout().is_terminal())
    }

    fn check_stdout(&self, is_terminal: bool) -> Result<(), Error> {
        if !self.is_stdout() {
            return Ok(());
        }
        if self.format == Format::OciDir {
            return Err(Error::usage("an oci-dir is a folder, which standard output cannot take")
                .hint("--output oci-archive=-, or --output oci-dir=PATH"));
        }
        if is_terminal { Err(part::terminal("standard output")) } else { Ok(()) }
    }

    /// Writes `items` there.
    pub(super) fn write(&self, store: &Store, items: &[Saved]) -> Result<(), Error> {
        if !self.is_stdout() {
            return layout::save(store, items, self.format, &self.path);
        }
        let mut out = BufWriter::with_capacity(BUFFER, std::io::stdout().lock());
        layout::write_archive(store, items, self.format, &mut out)
    }
}

/// What `KIND=PATH` says.
pub(super) fn target(text: &str) -> Result<Target, Error> {
    let wrong = |what: &str| {
        Error::new(format!("`{text}` {what}"))
            .hint("--output oci-dir=PATH, oci-archive=PATH or docker-archive=PATH")
    };
    let Some((kind, path)) = text.split_once('=') else {
        return Err(wrong("is not KIND=PATH"));
    };
    let format = kind.parse()?;
    if path.is_empty() {
        return Err(wrong("has no path"));
    }
    Ok(Target { format, path: path.into() })
}

pub(super) fn save(args: &args::Save, context: &Context) -> Result<(), Error> {
    let target = if args.output.contains('=') {
        target(&args.output)?
    } else {
        Target { format: Format::DockerArchive, path: (&args.output).into() }
    };
    let formats = Formats::of(&args.formats)?;
    formats.check(target.format)?;
    target.check()?;
    let store = context.store_to_read()?;
    let image = store.find(&args.image)?;
    let named: Vec<Name> =
        args.image.parse().into_iter().filter(|name| image.names.contains(name)).collect();
    let names = if named.is_empty() { image.names.clone() } else { named };
    let items = formats.items(&image, &names, &store)?;
    target.write(&store, &items)
}

pub(super) fn load(args: &args::Load, context: &Context) -> Result<(), Error> {
    let store = context.store()?;
    let names: Vec<Name> =
        args.tags.iter().map(|text| Name::given(text)).collect::<Result<_, _>>()?;
    let loaded = layout::load(&store, &args.path)?;
    let names = if let [one] = &loaded[..] {
        names.iter().try_for_each(|name| store.tag(&one.id.hex(), name).map(drop))?;
        &names[..]
    } else {
        &[]
    };
    for image in &loaded {
        let all: Vec<String> = image.names.iter().chain(names).map(Name::to_string).collect();
        output::line(&format!("loaded {} {}", image.id.short(), all.join(" ")))?;
    }
    if names.is_empty() && !args.tags.is_empty() {
        let count = loaded.len();
        return Err(Error::new(format!("`--tag` names one image, but {count} were loaded")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_goes_to_standard_output_unless_it_is_a_terminal() {
        let of = |text: &str| target(text).unwrap();
        for text in ["docker-archive=-", "oci-archive=/dev/stdout"] {
            assert!(of(text).is_stdout());
            assert!(of(text).check_stdout(false).is_ok());
        }
        let file = of("docker-archive=./-");
        assert!(!file.is_stdout() && file.check_stdout(true).is_ok());
        let error = of("oci-archive=-").check_stdout(true).unwrap_err().to_string();
        let expected = "cannot write an archive to standard output: it is a terminal\n  \
            hint: write a file: --output FILE\n";
        assert!(error.starts_with(expected), "{error}");
        let error = of("oci-dir=-").check_stdout(false).unwrap_err().to_string();
        let expected = "an oci-dir is a folder, which standard output cannot take\n  \
            hint: --output oci-archive=-, or --output oci-dir=PATH";
        assert_eq!(error.trim_end(), expected);
    }
}
