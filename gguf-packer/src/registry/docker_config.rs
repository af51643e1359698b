//! Docker's own `config.json`, where credentials are kept: by a helper where one is named, else as base64.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::Error;

/// The file, less what is not ours to know.
pub(super) struct DockerConfig {
    path: PathBuf,
    value: Map<String, Value>,
}

impl DockerConfig {
    pub(super) fn read(path: &Path) -> Result<Self, Error> {
        let value = match fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| {
                Error::new(format!("cannot read {}: {e}", path.display()))
                    .hint("repair the file, or remove it")
            })?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Map::new(),
            Err(e) => return Err(Error::io("read", path, &e)),
        };
        Ok(Self { path: path.to_owned(), value })
    }

    /// The helper that keeps the credentials of `server`.
    pub(super) fn helper(&self, registry: &str, server: &str) -> Option<String> {
        let helpers = &self.value.get("credHelpers");
        let own = [registry, server].into_iter().find_map(|name| helpers.as_ref()?[name].as_str());
        let own = own.or_else(|| self.value.get("credsStore")?.as_str());
        own.filter(|name| !name.is_empty()).map(str::to_owned)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps credentials in the file itself.
    pub(super) fn keep(mut self, server: &str, user: &str, password: &str) -> Result<(), Error> {
        let auth = STANDARD.encode(format!("{user}:{password}"));
        self.auths().insert(server.to_owned(), json!({ "auth": auth }));
        self.write()
    }

    /// Removes credentials from the file itself; says whether there were any.
    pub(super) fn forget(mut self, servers: &[String]) -> Result<bool, Error> {
        let before = self.auths().len();
        self.auths().retain(|server, _| !servers.contains(server));
        let removed = self.auths().len() < before;
        if removed {
            self.write()?;
        }
        Ok(removed)
    }

    fn auths(&mut self) -> &mut Map<String, Value> {
        let auths = self.value.entry("auths").or_insert_with(|| json!({}));
        if !auths.is_object() {
            *auths = json!({});
        }
        auths.as_object_mut().expect("it was made one")
    }

    /// Written beside it and renamed: Docker may read it at the same time.
    fn write(&self) -> Result<(), Error> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let failed = |e: std::io::Error| Error::io("write", &self.path, &e);
        fs::create_dir_all(folder).map_err(failed)?;
        // Readable by its owner alone, which is how tempfile makes files.
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
        let text = serde_json::to_string_pretty(&self.value).expect("its keys are texts");
        file.write_all(text.as_bytes()).and_then(|()| file.write_all(b"\n")).map_err(failed)?;
        // A link, to a folder of dot files say, stays one.
        let target = fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        file.persist(target).map(drop).map_err(|e| failed(e.error))
    }
}

/// Asks `docker-credential-NAME` to do something; `input` is its standard input.
pub(super) fn ask_helper(name: &str, action: &str, input: &str) -> Result<(), Error> {
    let program = format!("docker-credential-{name}");
    #[expect(clippy::disallowed_methods, reason = "the input is a secret that no message may show")]
    let child = std::process::Command::new(&program)
        .arg(action)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let failed = |e: std::io::Error| {
        Error::new(format!(
            "cannot run the credential helper {program} that Docker's configuration names: {e}"
        ))
        .hint("install it, or remove `credsStore` and `credHelpers` from Docker's config.json")
    };
    let mut child = child.map_err(failed)?;
    let mut stdin = child.stdin.take().expect("it is a pipe");
    // One that does not want it says why.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().map_err(failed)?;
    if output.status.success() {
        return Ok(());
    }
    let told = [output.stdout, output.stderr].concat();
    let lines = String::from_utf8_lossy(&told).lines().map(str::to_owned).collect::<Vec<_>>();
    Err(Error::new(format!("{program} {action} failed: {}", output.status)).log(lines))
}
