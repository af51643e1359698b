//! What lies in the image: which variant it is, and whether `llama-server` could be started. The latter is
//! all that can be said where another program is the container's main process.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::gpu;

const MANIFEST: &str = "version.json";
const SERVER: &str = "llama-server";
/// Everything of the server but its backends is here or needed by it.
const CODE: &str = "libllama-server-impl.so";

/// The variant that the manifest in `app` names.
///
/// # Errors
/// When there is no manifest, or it names none.
pub(crate) fn variant(app: &Path) -> Result<String, String> {
    let path = app.join(MANIFEST);
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    // The first of its few keys; a JSON parser would be a quarter of this program.
    let after = text.split_once(r#""variant""#).map(|(_, rest)| rest.trim_start());
    let value = after.and_then(|rest| rest.strip_prefix(':')?.trim_start().strip_prefix('"'));
    let variant = value.and_then(|value| value.split_once('"')).map(|(variant, _)| variant);
    variant
        .map(str::to_owned)
        .ok_or_else(|| format!("{} does not contain `variant`", path.display()))
}

/// Opens every library of the server and of its backends with `open`: how many there are.
///
/// # Errors
/// Everything that keeps the server from starting.
pub(crate) fn check(app: &Path, open: fn(&Path) -> Result<(), String>) -> Result<usize, String> {
    let mut wrong = Vec::new();
    let program = app.join(SERVER);
    match fs::metadata(&program) {
        Ok(file) if file.is_file() && file.permissions().mode() & 0o111 != 0 => {}
        Ok(_) => wrong.push(format!("{} is not an executable file", program.display())),
        Err(error) => wrong.push(format!("{}: {error}", program.display())),
    }
    let libraries = libraries(app).unwrap_or_default();
    let has = |start: &str| libraries.iter().any(|library| name(library).starts_with(start));
    let backend = match variant(app) {
        Ok(variant) => gpu::library(&variant),
        Err(error) => {
            wrong.push(error);
            None
        }
    };
    for start in [CODE, "libggml-cpu"].into_iter().chain(backend).filter(|start| !has(start)) {
        wrong.push(format!("{start} not found in {}", app.display()));
    }
    for library in &libraries {
        if let Err(error) = open(library) {
            // The loader names first what it does not find.
            if !error.split_once(':').is_some_and(|(library, _)| gpu::is_drivers(library)) {
                wrong.push(format!("cannot load {}: {error}", name(library)));
            }
        }
    }
    if wrong.is_empty() { Ok(libraries.len()) } else { Err(wrong.join("; ")) }
}

/// The server's code, and every backend, as upstream looks for them.
fn libraries(app: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut libraries = Vec::new();
    for entry in fs::read_dir(app)? {
        let path = entry?.path();
        let name = name(&path);
        if name == CODE || (name.starts_with("libggml-") && name.ends_with(".so")) {
            libraries.push(path);
        }
    }
    libraries.sort();
    Ok(libraries)
}

fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST_TEXT: &str = r#"{ "version": "1", "variant" : "vulkan", "files": {} }"#;

    /// The image of a Vulkan variant without `missing`.
    fn app(missing: &str) -> tempfile::TempDir {
        let app = tempfile::tempdir().unwrap();
        let libraries = ["libggml-base.so", "libggml-cpu-x64.so", "libggml-vulkan.so", CODE];
        let other = [SERVER, MANIFEST, "libllama.so", "libggml-vulkan.so.txt"];
        for name in libraries.into_iter().chain(other).filter(|name| *name != missing) {
            let path = app.path().join(name);
            fs::write(&path, MANIFEST_TEXT).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        app
    }

    fn checked(app: &tempfile::TempDir, open: fn(&Path) -> Result<(), String>) -> String {
        match check(app.path(), open) {
            Ok(count) => format!("{count} open"),
            Err(why) => why.replace(&app.path().display().to_string(), "APP"),
        }
    }

    fn good(_: &Path) -> Result<(), String> {
        Ok(())
    }

    #[test]
    fn a_whole_image_can_start_its_server() {
        assert_eq!(checked(&app(""), good), "4 open");
        assert_eq!(variant(app("").path()).unwrap(), "vulkan");
    }

    #[test]
    fn whatever_is_missing_is_told() {
        let without = |name| checked(&app(name), good);
        assert_eq!(without(SERVER), "APP/llama-server: No such file or directory (os error 2)");
        assert_eq!(without(MANIFEST), "APP/version.json: No such file or directory (os error 2)");
        assert_eq!(without("libggml-cpu-x64.so"), "libggml-cpu not found in APP");
        assert_eq!(without("libggml-vulkan.so"), "libggml-vulkan.so not found in APP");
        assert_eq!(without(CODE), "libllama-server-impl.so not found in APP");
    }

    #[test]
    fn whatever_is_broken_is_told_together() {
        let app = app("");
        fs::set_permissions(app.path().join(SERVER), fs::Permissions::from_mode(0o644)).unwrap();
        fs::write(app.path().join(MANIFEST), "{}").unwrap();
        assert_eq!(
            checked(&app, |path| match path.ends_with("libggml-vulkan.so") {
                true => Err("undefined symbol: shader".to_owned()),
                false => Ok(()),
            }),
            "APP/llama-server is not an executable file; APP/version.json does not contain \
            `variant`; cannot load libggml-vulkan.so: undefined symbol: shader"
        );
        fs::remove_dir_all(app.path()).unwrap();
        assert_eq!(
            checked(&app, good),
            "APP/llama-server: No such file or directory (os error 2); APP/version.json: No such \
            file or directory (os error 2); libllama-server-impl.so not found in APP; libggml-cpu \
            not found in APP"
        );
    }

    #[test]
    fn a_missing_driver_is_no_defect() {
        let no_driver = |path: &Path| match path.ends_with("libggml-vulkan.so") {
            true => Err("libvulkan.so.1: cannot open shared object file".to_owned()),
            false => Ok(()),
        };
        assert_eq!(checked(&app(""), no_driver), "4 open");
    }
}
