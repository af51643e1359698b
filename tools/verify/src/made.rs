//! A made-up distribution that keeps every promise, for tests that break one.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use tempfile::TempDir;

use serde_json::json;

use super::facts::{self, Entries, Entry};
use super::metadata::{SBOM, VEX};
use elf::made::Made;
use product::manifest::{self, File, Manifest};

/// A CUDA distribution in a temporary folder, with its manifest.
pub(crate) struct Dist {
    temp: TempDir,
    pub manifest: Manifest,
}

impl Dist {
    pub(crate) fn new() -> Self {
        let mut dist = Self { temp: tempfile::tempdir().unwrap(), manifest: Manifest::example() };
        fs::create_dir(dist.dir()).unwrap();
        dist.mode("", 0o755);
        let runpath = Some("$ORIGIN");
        let versions = vec!["GLIBC_2.4", "GLIBC_2.34", "GLIBCXX_3.4.30"];
        let needed = vec!["libllama.so", "libc.so.6"];
        dist.elf("llama-server", &Made { needed, runpath, versions, ..Made::default() });
        dist.elf("llama-healthcheck", &Made { needed: vec!["libc.so.6"], ..Made::default() });
        let needed = vec!["libggml.so", "libstdc++.so.6"];
        let soname = Some("libllama.so");
        dist.elf("libllama.so", &Made { needed, soname, runpath, ..Made::default() });
        let needed = vec!["libc.so.6"];
        dist.elf("libggml.so", &Made { needed, soname: Some("libggml.so"), ..Made::default() });
        let needed = vec!["libcudart.so.13", "libcuda.so.1"];
        dist.elf("libggml-cuda.so", &Made { needed, runpath, ..Made::default() });
        dist.elf("libcudart.so.13", &vendors());
        dist.write("licenses/llama.cpp.txt", b"MIT", 0o644);
        dist.write(VEX, b"{}", 0o644);
        fs::create_dir(dist.dir().join("bin")).unwrap();
        dist.mode("bin", 0o755);
        for name in ["llama-server", "llama-healthcheck"] {
            symlink(format!("../{name}"), dist.dir().join("bin").join(name)).unwrap();
        }
        dist.list();
        dist
    }

    pub(crate) fn dir(&self) -> PathBuf {
        self.temp.path().join("dist")
    }

    pub(super) fn elf(&self, path: &str, made: &Made) {
        self.write(path, &made.bytes(), 0o755);
    }

    /// Writes a file, and the folders for it.
    pub(super) fn write(&self, path: &str, bytes: &[u8], mode: u32) {
        let mut folder = self.dir();
        for part in path.split('/').rev().skip(1).collect::<Vec<_>>().into_iter().rev() {
            folder.push(part);
            if !folder.exists() {
                fs::create_dir(&folder).unwrap();
                fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
            }
        }
        fs::write(self.dir().join(path), bytes).unwrap();
        self.mode(path, mode);
    }

    pub(super) fn mode(&self, path: &str, mode: u32) {
        fs::set_permissions(self.dir().join(path), Permissions::from_mode(mode)).unwrap();
    }

    /// Lists what is there in the manifest and in the bill of materials.
    pub(super) fn list(&mut self) {
        self.list_files();
        self.write(SBOM, self.sbom().as_bytes(), 0o644);
        self.list_files();
    }

    fn list_files(&mut self) {
        self.manifest.files.clear();
        let entries = self.entries();
        for (path, entry) in &entries {
            let file = match entry {
                Entry::Regular(file) => {
                    File::Regular { sha256: file.sha256.clone(), size: file.size }
                }
                Entry::Link(target) => File::Link { target: target.clone() },
                Entry::Folder(_) | Entry::Other => continue,
            };
            self.manifest.files.insert(path.clone(), file);
        }
        self.manifest.files.remove(manifest::FILE);
        let ours = facts::elves(&entries).filter(|(path, _)| !facts::is_vendors(path));
        self.manifest.symbol_versions = elf::highest(ours.map(|(_, elf)| elf));
    }

    pub(super) fn entries(&self) -> Entries {
        self.write(manifest::FILE, self.manifest.text().as_bytes(), 0o644);
        facts::gather(&self.dir(), &["/opt/tree".into()]).unwrap()
    }

    pub(super) fn sha256(&self, path: &str) -> &str {
        let Some(File::Regular { sha256, .. }) = self.manifest.files.get(path) else {
            panic!("{path}")
        };
        sha256
    }

    pub(super) fn sbom(&self) -> String {
        let files = self.manifest.files.iter().filter_map(|(path, file)| match file {
            File::Regular { sha256, .. } if path != SBOM => Some(json!({
                "fileName": format!("./{path}"),
                "checksums": [{ "algorithm": "SHA256", "checksumValue": sha256 }],
            })),
            _ => None,
        });
        let files: Vec<_> = files.collect();
        let packages = [json!({ "name": "llama.cpp" })];
        json!({ "spdxVersion": "SPDX-2.3", "packages": packages, "files": files }).to_string()
    }

    /// What can be seen to be wrong, sorted.
    pub(super) fn violations(&self) -> Vec<String> {
        let mut wrong = super::look(&self.dir(), &self.manifest, &self.entries());
        wrong.sort();
        wrong
    }
}

/// What is said about the good distribution after `breaks`.
pub(super) fn after(breaks: impl FnOnce(&mut Dist)) -> Vec<String> {
    let mut dist = Dist::new();
    breaks(&mut dist);
    dist.violations()
}

/// The same, when what is broken is listed in the manifest as it is.
pub(super) fn listed(breaks: impl FnOnce(&mut Dist)) -> Vec<String> {
    after(|dist| {
        breaks(dist);
        dist.list();
    })
}

/// No violations.
pub(super) const NOTHING: [&str; 0] = [];

/// A vendor's library is shipped as it came: with its symbols and the paths of its builder.
pub(super) fn vendors() -> Made {
    Made {
        soname: Some("libcudart.so.13"),
        symtab: true,
        payload: "/opt/tree/cudart.c",
        versions: vec!["GLIBC_2.99"],
        ..Made::default()
    }
}
