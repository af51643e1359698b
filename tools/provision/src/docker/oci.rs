//! An OCI image of several platforms out of one root file system each, as `docker load` takes it. Packed by gzip
//! itself, as Docker Hub's Debian is: an engine's own packing is 3 % larger.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use llama_src::sh::Cmd;
use llama_src::tree::hex;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use product::files;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// What the history of such an image says.
pub(super) const CREATED_BY: &str = "mmdebstrap";

/// Writes into the new folder `dir` the image `image`, made at `created` (RFC 3339), of the tar archives `roots` by
/// Docker's name of their architecture; those are used up.
///
/// # Errors
/// When a file cannot be read or written.
pub(super) fn write(
    dir: &Path,
    image: &str,
    created: &str,
    roots: &[(&str, PathBuf)],
) -> Result<()> {
    let layout = Layout { blobs: dir.join("blobs/sha256") };
    fs::create_dir_all(&layout.blobs)?;
    let mut images = Vec::new();
    for (architecture, root) in roots {
        images.push(layout.image(architecture, created, root)?);
    }
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": images });
    let mut index = layout.json(INDEX, &index)?;
    let tag = image.rsplit(':').next().unwrap_or(image);
    index["annotations"] = json!({
        "io.containerd.image.name": format!("docker.io/library/{image}"),
        "org.opencontainers.image.ref.name": tag,
    });
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [index] });
    fs::write(dir.join("index.json"), index.to_string())?;
    Ok(fs::write(dir.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)?)
}

/// Files by their digest.
struct Layout {
    blobs: PathBuf,
}

impl Layout {
    /// The descriptor of an image with one layer.
    fn image(&self, architecture: &str, created: &str, root: &Path) -> Result<Value> {
        let (layer, diff_id) = self.layer(root)?;
        let config = json!({
            "architecture": architecture, "os": "linux", "created": created,
            "config": { "Cmd": ["bash"] },
            "rootfs": { "type": "layers", "diff_ids": [diff_id] },
            "history": [{ "created": created, "created_by": CREATED_BY }],
        });
        let config = self.json(CONFIG, &config)?;
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer],
        });
        let mut image = self.json(MANIFEST, &manifest)?;
        image["platform"] = json!({ "architecture": architecture, "os": "linux" });
        Ok(image)
    }

    /// The descriptor of a layer, and the digest of what is packed in it.
    fn layer(&self, root: &Path) -> Result<(Value, String)> {
        let diff_id = files::sha256(root)?;
        Cmd::new("gzip").args(["--best", "--no-name"]).arg(root).run()?;
        let mut packed = root.as_os_str().to_owned();
        packed.push(".gz");
        let packed = Path::new(&packed);
        let (digest, size) = (files::sha256(packed)?, packed.metadata()?.len());
        fs::rename(packed, self.blobs.join(&digest))?;
        let layer = json!({ "mediaType": LAYER, "digest": name(&digest), "size": size });
        Ok((layer, name(&diff_id)))
    }

    fn json(&self, kind: &str, value: &Value) -> Result<Value> {
        let bytes = value.to_string();
        let digest = hex(&Sha256::digest(&bytes));
        fs::write(self.blobs.join(&digest), &bytes)?;
        Ok(json!({ "mediaType": kind, "digest": name(&digest), "size": bytes.len() }))
    }
}

/// As descriptors have a digest.
fn name(digest: &str) -> String {
    format!("sha256:{digest}")
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[cfg(unix)]
    #[test]
    fn every_name_leads_to_bytes_with_that_digest() {
        let dir = tempfile::tempdir().unwrap();
        let root = |name: &str| {
            let root = dir.path().join(name);
            fs::write(&root, b"a root".repeat(100)).unwrap();
            root
        };
        let to = dir.path().join("image");
        write(
            &to,
            "debian:x",
            "2026-01-02T03:04:05Z",
            &[("amd64", root("1.tar")), ("arm64", root("2.tar"))],
        )
        .unwrap();
        let read = |digest: &Value| {
            let digest = digest["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap();
            let bytes = fs::read(to.join("blobs/sha256").join(digest)).unwrap();
            assert_eq!(hex(&Sha256::digest(&bytes)), digest);
            bytes
        };
        let json = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap();
        let index = json(&fs::read(to.join("index.json")).unwrap());
        let index = json(&read(&index["manifests"][0]));
        assert_eq!(index["manifests"][1]["platform"]["architecture"], "arm64");
        let manifest = json(&read(&index["manifests"][0]));
        let config = json(&read(&manifest["config"]));
        let layer = read(&manifest["layers"][0]);
        assert_eq!(manifest["layers"][0]["size"], layer.len());
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(&layer[..]).read_to_end(&mut plain).unwrap();
        let digest = format!("sha256:{}", hex(&Sha256::digest(&plain)));
        assert_eq!(config["rootfs"]["diff_ids"][0], digest);
    }
}
