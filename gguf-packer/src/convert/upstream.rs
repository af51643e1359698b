//! llama.cpp's own converter: the scripts of the release that is linked here, run by a Python.

use std::path::{Path, PathBuf};

use llama_src::sh::Cmd;

use super::{Means, Request, Watch};
use crate::Error;
use crate::process;

mod news;
mod python;
mod unpack;

use python::Python;

/// What decides whether a program reaches out, or writes where nobody asked it to.
const ENVIRONMENT: [(&str, &str); 6] = [
    ("HF_HUB_OFFLINE", "1"),
    ("TRANSFORMERS_OFFLINE", "1"),
    ("HF_HUB_DISABLE_TELEMETRY", "1"),
    ("PYTHONDONTWRITEBYTECODE", "1"),
    ("PYTHONUTF8", "1"),
    ("PYTHONUNBUFFERED", "1"),
];

/// Converts what `request` says into its file, which may be there and is written over.
///
/// # Errors
/// When there is no Python for it, and with the converter's own reason.
pub fn convert(
    request: &Request<'_>,
    architecture: &str,
    means: &Means,
    watch: &mut Watch<'_>,
) -> Result<(), Error> {
    let scripts = unpack::scripts(&means.cache)?;
    let python = python::find(means, &scripts).map_err(|lacks| lacks.told(architecture))?;
    (watch.note)(&format!("llama.cpp's script converts {architecture}, in {python}"));
    let arguments = arguments(request)?;
    let script =
        if request.base.is_some() { "convert_lora_to_gguf.py" } else { "convert_hf_to_gguf.py" };
    let cmd = command(&python, &scripts).arg(scripts.join(script)).args(arguments);
    let mut heard = news::Heard::default();
    let mut on_line = |line: &str| {
        if let Some((done, total)) = heard.hear(line) {
            (watch.step)(done, total);
        }
        python.note(line).into_iter().for_each(&mut *watch.note);
        news::note(line).iter().for_each(|text| (watch.note)(text));
    };
    match process::run(&cmd, &mut on_line, watch.stop) {
        Ok(()) if std::fs::metadata(request.out).is_ok_and(|file| file.len() > 0) => Ok(()),
        Ok(()) => Err(heard.failed(&Error::new("the converter wrote no file"), architecture)),
        Err(error) if (watch.stop)() => Err(error),
        Err(error) => Err(heard.failed(&error, architecture)),
    }
}

/// A Python that starts one of the scripts.
fn command(python: &Python, scripts: &Path) -> Cmd {
    let cmd = python.command(scripts).arg("-B").arg(scripts.join(unpack::START));
    // It would take a gguf that is installed, which is of another release.
    let cmd = cmd.env_remove("NO_LOCAL_GGUF");
    ENVIRONMENT.iter().fold(cmd, |cmd, (name, value)| cmd.env(name, value))
}

/// The arguments of upstream's script.
fn arguments(request: &Request<'_>) -> Result<Vec<PathBuf>, Error> {
    let absolute = |path: &Path| path.canonicalize().map_err(|e| Error::io("read", path, &e));
    let mut arguments = vec![
        absolute(request.dir)?,
        "--outfile".into(),
        literal(
            &std::path::absolute(request.out).map_err(|e| Error::io("write", request.out, &e))?,
        ),
        "--outtype".into(),
        request.kind.to_lowercase().into(),
    ];
    if let Some(base) = request.base {
        arguments.extend(["--base".into(), absolute(base)?]);
    }
    Ok(arguments)
}

/// A path whose name upstream takes as it is: it fills in what stands between braces.
fn literal(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(name.replace('{', "{{").replace('}', "}}"))
}

#[cfg(test)]
#[path = "upstream/tests.rs"]
mod tests;
