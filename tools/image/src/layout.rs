//! Reads images from archives: OCI layouts, and what `docker image save` writes, old and new.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Take};
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use llama_src::Error;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// An archive that files can be taken from in any order.
#[derive(Debug)]
pub(super) struct Archive {
    file: File,
    /// Where the bytes of an entry are, and how many.
    entries: BTreeMap<String, (u64, u64)>,
}

/// One image of an archive.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Image {
    /// As in `linux/amd64`.
    pub(super) platform: String,
    /// Names of entries, the lowest layer first.
    pub(super) layers: Vec<String>,
}

/// OCI's index and manifest; those of Docker have the same names.
#[derive(Debug, Deserialize)]
struct Manifest {
    #[serde(default)]
    manifests: Vec<Descriptor>,
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Vec<Descriptor>,
}

#[derive(Debug, Deserialize)]
struct Descriptor {
    digest: String,
}

#[derive(Debug, Deserialize)]
struct Config {
    os: Option<String>,
    architecture: Option<String>,
}

/// `manifest.json` of engines before 25.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    layers: Vec<String>,
}

impl Archive {
    /// The archive `path`.
    ///
    /// # Errors
    /// When it cannot be read, or is no tar archive.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let place = path.display();
        let mut file = File::open(path).with_context(|| format!("cannot read {place}"))?;
        let mut entries = BTreeMap::new();
        let mut tar = tar::Archive::new(&mut file);
        let refuse = |error: std::io::Error| {
            // The error has what was found in it.
            let error = error.to_string();
            let error = error.lines().next().unwrap_or_default();
            anyhow!(
                Error::new(format!("{place} is no image archive: {error}"))
                    .hint("docker image save -o FILE IMAGE")
            )
        };
        for entry in tar.entries_with_seek().map_err(refuse)? {
            let entry = entry.map_err(refuse)?;
            let name = entry.path_bytes();
            let name = String::from_utf8_lossy(&name).trim_start_matches("./").to_owned();
            entries.insert(name, (entry.raw_file_position(), entry.size()));
        }
        Ok(Self { file, entries })
    }

    /// Its images. Attestations are none: no platform runs them.
    ///
    /// # Errors
    /// When it holds none, or is not whole.
    pub(super) fn images(&mut self) -> Result<Vec<Image>> {
        let mut images = Vec::new();
        if self.entries.contains_key("index.json") {
            self.follow("index.json", &mut images)?;
        } else if self.entries.contains_key("manifest.json") {
            for saved in self.json::<Vec<Saved>>("manifest.json")? {
                images.push(self.image(&saved.config, saved.layers)?);
            }
        }
        images.retain(|image| image.platform != "unknown/unknown");
        if images.is_empty() {
            bail!(Error::new("there is no image in it").hint("docker image save -o FILE IMAGE"));
        }
        Ok(images)
    }

    /// The bytes of an entry, and how many there are.
    ///
    /// # Errors
    /// When there is no such entry.
    pub(super) fn read(&mut self, name: &str) -> Result<(Take<&File>, u64)> {
        let (at, size) =
            *self.entries.get(name).with_context(|| format!("the archive has no {name}"))?;
        self.file.seek(SeekFrom::Start(at))?;
        Ok(((&self.file).take(size), size))
    }

    /// An index names others, and those their images.
    fn follow(&mut self, name: &str, images: &mut Vec<Image>) -> Result<()> {
        let manifest: Manifest = self.json(name)?;
        for other in &manifest.manifests {
            self.follow(&blob(other), images)?;
        }
        if let Some(config) = &manifest.config {
            let layers = manifest.layers.iter().map(blob).collect();
            images.push(self.image(&blob(config), layers)?);
        }
        Ok(())
    }

    fn image(&mut self, config: &str, layers: Vec<String>) -> Result<Image> {
        let config: Config = self.json(config)?;
        let unknown = || "unknown".to_owned();
        let os = config.os.unwrap_or_else(unknown);
        let architecture = config.architecture.unwrap_or_else(unknown);
        Ok(Image { platform: format!("{os}/{architecture}"), layers })
    }

    fn json<T: DeserializeOwned>(&mut self, name: &str) -> Result<T> {
        let text = self.bytes(name)?;
        serde_json::from_slice(&text).with_context(|| format!("{name} is not as OCI has it"))
    }

    /// All bytes of an entry.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(super) fn bytes(&mut self, name: &str) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.read(name)?.0.read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

fn blob(descriptor: &Descriptor) -> String {
    format!("blobs/{}", descriptor.digest.replace(':', "/"))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// An archive with these entries.
    pub(in super::super) fn archive(entries: &[(&str, &[u8])]) -> (tempfile::TempDir, Archive) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("image.tar");
        std::fs::write(&path, tar(entries)).unwrap();
        (dir, Archive::open(&path).unwrap())
    }

    /// A tar archive; a name that ends with `→` is a link.
    pub(in super::super) fn tar(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        for (name, bytes) in entries {
            let mut header = tar::Header::new_ustar();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, name, *bytes).unwrap();
        }
        tar.into_inner().unwrap()
    }

    #[test]
    fn indices_are_followed_and_attestations_left_out() {
        let (_dir, mut archive) = archive(&[
            ("index.json", br#"{"manifests":[{"digest":"sha256:0i"}]}"#),
            ("blobs/sha256/0i", br#"{"manifests":[{"digest":"sha256:1m"},{"digest":"sha256:2m"}]}"#),
            (
                "blobs/sha256/1m",
                br#"{"config":{"digest":"sha256:1c"},"layers":[{"digest":"sha256:l1"},{"digest":"sha256:l2"}]}"#,
            ),
            ("blobs/sha256/1c", br#"{"os":"linux","architecture":"arm64"}"#),
            ("blobs/sha256/2m", br#"{"config":{"digest":"sha256:2c"},"layers":[]}"#),
            ("blobs/sha256/2c", br#"{"os":"unknown","architecture":"unknown"}"#),
        ]);
        let layers = vec!["blobs/sha256/l1".to_owned(), "blobs/sha256/l2".to_owned()];
        let image = Image { platform: "linux/arm64".into(), layers };
        assert_eq!(archive.images().unwrap(), [image]);
    }

    #[test]
    fn what_old_engines_save_is_read_too() {
        let (_dir, mut archive) = archive(&[
            (
                "manifest.json",
                br#"[{"Config":"c.json","RepoTags":["x:1"],"Layers":["a/layer.tar"]}]"#,
            ),
            ("c.json", br#"{"os":"linux","architecture":"amd64"}"#),
            ("a/layer.tar", b"bytes"),
        ]);
        let images = archive.images().unwrap();
        assert_eq!(images[0].platform, "linux/amd64");
        let mut text = String::new();
        archive.read(&images[0].layers[0]).unwrap().0.read_to_string(&mut text).unwrap();
        assert_eq!(text, "bytes");
    }

    #[test]
    fn what_is_no_image_is_refused() {
        let (_dir, mut archive) = archive(&[("readme", b"x")]);
        assert_eq!(
            archive.images().unwrap_err().to_string(),
            "there is no image in it\n  hint: docker image save -o FILE IMAGE"
        );
        let (_dir, mut archive) =
            self::archive(&[("index.json", br#"{"manifests":[{"digest":"sha256:0"}]}"#)]);
        assert_eq!(archive.images().unwrap_err().to_string(), "the archive has no blobs/sha256/0");
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        std::fs::write(&path, "no tar archive".repeat(100)).unwrap();
        let error = Archive::open(&path).unwrap_err().to_string();
        let (what, hint) = error.split_once(": ").unwrap();
        assert_eq!(what, format!("{} is no image archive", path.display()));
        assert!(hint.ends_with("\n  hint: docker image save -o FILE IMAGE"), "{error}");
    }
}
