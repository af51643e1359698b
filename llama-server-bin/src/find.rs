//! Where `llama-server` is looked for, and in which order.

use std::env::consts::EXE_SUFFIX;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::{Error, SERVER_VARIABLE};

/// The `llama-server` to use; the first of these that is a program:
///
/// 1. `given`, when there is one: nothing else is tried;
/// 2. `$LLAMA_SERVER_BIN`, when it is set: nothing else is tried;
/// 3. beside the running program: `./llama-server`, then `../llama-server` for a program in Cargo's
///    `examples` or `deps` folder, then `../lib/llama-server/llama-server`;
/// 4. the one that this package's build made, where it still exists and belongs to whom the running program belongs to,
///    or to root: whoever makes a folder of that name later gets nothing run (feature `build`);
/// 5. the folders of `PATH`.
///
/// # Errors
/// [`Error::NotAProgram`] for a named path that is none, [`Error::NotFound`] with every place tried.
pub fn find(given: Option<&Path>) -> Result<PathBuf, Error> {
    World::read(given).find()
}

/// What the search depends on.
#[derive(Debug, Default)]
struct World {
    given: Option<PathBuf>,
    variable: Option<OsString>,
    program: Option<PathBuf>,
    built: Option<PathBuf>,
    path: Option<OsString>,
}

impl World {
    #[expect(clippy::disallowed_methods, reason = "a running program's own environment")]
    fn read(given: Option<&Path>) -> Self {
        Self {
            given: given.map(Path::to_owned),
            variable: std::env::var_os(SERVER_VARIABLE).filter(|value| !value.is_empty()),
            program: std::env::current_exe().ok(),
            built: option_env!("LLAMA_SERVER_BUILT").map(PathBuf::from),
            path: std::env::var_os("PATH"),
        }
    }

    fn find(&self) -> Result<PathBuf, Error> {
        if let Some(path) = &self.given {
            return named(path, "the given path");
        }
        if let Some(path) = &self.variable {
            return named(Path::new(path), SERVER_VARIABLE);
        }
        let places = [self.beside(), self.built.iter().cloned().collect(), self.on_path()].concat();
        let is_ours = |place: &Path| self.built.as_deref() != Some(place) || self.owns(place);
        if let Some(found) = places.iter().find(|place| is_program(place) && is_ours(place)) {
            return Ok(found.clone());
        }
        let mut tried = vec![format!("${SERVER_VARIABLE} (unset)")];
        tried.extend(places.iter().map(|place| place.display().to_string()));
        Err(Error::NotFound { tried })
    }

    /// Whether `path` belongs to whom the running program belongs to, or to root.
    #[cfg(unix)]
    fn owns(&self, path: &Path) -> bool {
        use std::os::unix::fs::MetadataExt;
        let owner = |path: &Path| path.metadata().ok().map(|meta| meta.uid());
        let own = self.program.as_deref().and_then(owner);
        owner(path).is_some_and(|owner| owner == 0 || Some(owner) == own)
    }

    #[cfg(not(unix))]
    fn owns(&self, _: &Path) -> bool {
        true
    }

    fn beside(&self) -> Vec<PathBuf> {
        let Some(folder) = self.program.as_deref().and_then(Path::parent) else {
            return Vec::new();
        };
        let mut places = vec![folder.join(server_name())];
        let Some(parent) = folder.parent() else { return places };
        if folder.ends_with("examples") || folder.ends_with("deps") {
            places.push(parent.join(server_name()));
        }
        places.push(parent.join("lib").join("llama-server").join(server_name()));
        places
    }

    fn on_path(&self) -> Vec<PathBuf> {
        let Some(path) = &self.path else { return Vec::new() };
        // A relative entry means whatever folder one happens to stand in.
        let folders = std::env::split_paths(path).filter(|folder| folder.is_absolute());
        folders.map(|folder| folder.join(server_name())).collect()
    }
}

fn named(path: &Path, named_by: &'static str) -> Result<PathBuf, Error> {
    if is_program(path) {
        return Ok(path.to_owned());
    }
    Err(Error::NotAProgram { path: path.to_owned(), named_by })
}

fn server_name() -> String {
    format!("llama-server{EXE_SUFFIX}")
}

fn is_program(path: &Path) -> bool {
    let Ok(metadata) = std::fs::metadata(path) else { return false };
    #[cfg(unix)]
    let executable = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o111 != 0;
    #[cfg(not(unix))]
    let executable = true;
    metadata.is_file() && executable
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with a program at each of `places`.
    fn folder_with(places: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for place in places.iter().chain(&["app/bin/app"]) {
            let path = root.path().join(place);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, "").unwrap();
            #[cfg(unix)]
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755))
                .unwrap();
        }
        root
    }

    fn world(root: &Path) -> World {
        World {
            given: None,
            variable: None,
            program: Some(root.join("app/bin/app")),
            built: Some(root.join("built").join(server_name())),
            path: Some(std::env::join_paths([root.join("p1"), root.join("p2")]).unwrap()),
        }
    }

    #[test]
    fn every_place_wins_over_those_after_it() {
        let name = server_name();
        let order = [
            "given/s",
            "variable/s",
            "app/bin/N",
            "app/lib/llama-server/N",
            "built/N",
            "p1/N",
            "p2/N",
        ]
        .map(|place| place.replace('N', &name));
        for first in 0..order.len() {
            let there: Vec<&str> = order[first..].iter().map(String::as_str).collect();
            let root = folder_with(&there);
            let mut world = world(root.path());
            world.given = (first == 0).then(|| root.path().join("given/s"));
            world.variable = (first <= 1).then(|| root.path().join("variable/s").into());
            assert_eq!(world.find().unwrap(), root.path().join(there[0]), "{there:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_build_that_became_somebody_elses_is_passed_over() {
        let name = server_name();
        let root = folder_with(&[&format!("built/{name}"), &format!("p1/{name}")]);
        let built = root.path().join("built").join(&name);
        let world = world(root.path());
        assert_eq!(world.find().unwrap(), built);
        // Only root can give a file away.
        if std::os::unix::fs::chown(&built, Some(65_534), None).is_ok() {
            assert_eq!(world.find().unwrap(), root.path().join("p1").join(&name));
        }
    }

    #[test]
    fn a_program_of_cargos_examples_folder_finds_the_server_above() {
        let root = folder_with(&["debug/examples/chat", &format!("debug/{}", server_name())]);
        let mut world = world(root.path());
        world.program = Some(root.path().join("debug/examples/chat"));
        assert_eq!(world.find().unwrap(), root.path().join("debug").join(server_name()));
    }

    #[test]
    fn a_named_path_that_is_missing_is_an_error_even_where_others_exist() {
        let root = folder_with(&[&format!("p1/{}", server_name())]);
        let mut world = world(root.path());
        world.variable = Some("/no/such/server".into());
        let error = world.find().unwrap_err();
        assert!(matches!(error, Error::NotAProgram { named_by: SERVER_VARIABLE, .. }), "{error}");
        world.given = Some(root.path().to_owned());
        let error = world.find().unwrap_err();
        assert!(matches!(error, Error::NotAProgram { named_by: "the given path", .. }), "{error}");
    }

    #[test]
    fn nothing_anywhere_lists_all_places_in_order() {
        let root = folder_with(&[]);
        let Err(Error::NotFound { tried }) = world(root.path()).find() else {
            panic!("found something")
        };
        let shown: Vec<String> = tried
            .iter()
            .map(|place| place.replace(&root.path().display().to_string(), "").replace('\\', "/"))
            .map(|place| place.replace(EXE_SUFFIX, ""))
            .collect();
        let expected = [
            "$LLAMA_SERVER_BIN (unset)",
            "/app/bin/llama-server",
            "/app/lib/llama-server/llama-server",
            "/built/llama-server",
            "/p1/llama-server",
            "/p2/llama-server",
        ];
        assert_eq!(shown, expected);
    }

    #[cfg(unix)]
    #[test]
    fn files_that_cannot_be_run_and_relative_folders_of_path_are_passed_over() {
        let root = folder_with(&["p2/llama-server"]);
        std::fs::create_dir(root.path().join("p1")).unwrap();
        std::fs::write(root.path().join("p1/llama-server"), "").unwrap();
        let mut world = world(root.path());
        assert_eq!(world.find().unwrap(), root.path().join("p2/llama-server"));
        world.path = Some(".:bin:".into());
        assert!(world.on_path().is_empty());
    }
}
