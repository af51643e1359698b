//! Writes images of the store, layer by layer.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

use serde_json::{Value, json};

use super::Format;
use crate::Error;
use crate::digest::Digest;
use crate::image::manifest::{Descriptor, INDEX, MANIFEST};
use crate::part::Part;
use crate::reference::{Name, Version};
use crate::store::{Layer, Store, StoredImage};

/// Bytes that are copied at once.
const BUFFER: usize = 1 << 20;

/// Writes `images` to `path`, each with the names that it is to have there. The file, or the list of a folder,
/// appears as a whole.
///
/// # Errors
/// When a layer is missing, or the file cannot be written; then what was begun is removed.
pub fn save(
    store: &Store,
    images: &[(StoredImage, Vec<Name>)],
    format: Format,
    path: &Path,
) -> Result<(), Error> {
    if format == Format::OciDir {
        return save_folder(store, images, path);
    }
    let part = Part::begin(path)?;
    let mut out = BufWriter::with_capacity(BUFFER, part.file());
    write_archive(store, images, format, &mut out)?;
    drop(out);
    part.finish()
}

/// Writes an archive.
///
/// # Errors
/// When a layer is missing, or `out` takes no more.
pub fn write_archive(
    store: &Store,
    images: &[(StoredImage, Vec<Name>)],
    format: Format,
    out: &mut impl Write,
) -> Result<(), Error> {
    let mut archive = Archive { out };
    for folder in ["blobs/", "blobs/sha256/"] {
        archive.entry(folder, 0, &mut io::empty())?;
    }
    let documents = Documents::of(images);
    archive.text("index.json", &documents.index)?;
    if format == Format::DockerArchive {
        archive.text("manifest.json", &documents.docker)?;
    }
    archive.text("oci-layout", LAYOUT)?;
    for (digest, bytes) in &documents.blobs {
        archive.text(&format!("blobs/sha256/{}", digest.hex()), bytes)?;
    }
    for layer in documents.layers {
        let name = format!("blobs/sha256/{}", layer.diff_id.hex());
        archive.entry(&name, layer.size, &mut store.read_layer(&layer.diff_id)?)?;
    }
    // The end of a tar.
    archive.write(&[0; 1024])?;
    archive.out.flush().map_err(|e| unwritten(&e))
}

/// What says that a folder is an OCI layout.
const LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

fn save_folder(
    store: &Store,
    images: &[(StoredImage, Vec<Name>)],
    path: &Path,
) -> Result<(), Error> {
    let layout = path.join("oci-layout");
    if !layout.is_file() && has_files(path) {
        return Err(Error::new(format!("{} has files, and is no OCI layout", path.display()))
            .hint("name a folder that is not there, or is empty"));
    }
    // What says that the folder is ours is there first: a killed process can be gone on from.
    let make =
        |folder: &Path| fs::create_dir_all(folder).map_err(|e| Error::io("make", folder, &e));
    make(path)?;
    put(&layout, &mut &*LAYOUT)?;
    let blobs = path.join("blobs/sha256");
    make(&blobs)?;
    let documents = Documents::of(images);
    for (digest, bytes) in &documents.blobs {
        put(&blobs.join(digest.hex()), &mut bytes.as_slice())?;
    }
    for layer in &documents.layers {
        let place = blobs.join(layer.diff_id.hex());
        // Named by its content, and renamed when it is whole.
        if fs::metadata(&place).map_or(0, |known| known.len()) != layer.size {
            put(&place, &mut store.read_layer(&layer.diff_id)?)?;
        }
    }
    put(&path.join("index.json"), &mut documents.index.as_slice())
}

/// Whether the folder has anything but what a killed process began with.
fn has_files(folder: &Path) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| entry.file_name() != ".oci-layout.part")
}

fn put(path: &Path, content: &mut impl Read) -> Result<(), Error> {
    let part = Part::begin(path)?;
    let mut out = BufWriter::with_capacity(BUFFER, part.file());
    let written = io::copy(content, &mut out).and_then(|_| out.flush());
    written.map_err(|e| Error::io("write", path, &e))?;
    drop(out);
    part.finish()
}

/// All that is small.
struct Documents {
    index: Vec<u8>,
    /// Docker's list.
    docker: Vec<u8>,
    blobs: Vec<(Digest, Vec<u8>)>,
    layers: Vec<Layer>,
}

impl Documents {
    fn of(images: &[(StoredImage, Vec<Name>)]) -> Self {
        let (mut entries, mut docker) = (Vec::new(), Vec::new());
        let (mut blobs, mut layers, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
        for (image, names) in images {
            entries.extend(index_entries(image, names));
            docker.push(docker_entry(image, names));
            let mut documents = vec![&image.manifest, &image.config];
            documents.extend(&image.index);
            documents.extend(image.others.iter().flat_map(|(config, manifest)| [manifest, config]));
            for bytes in documents {
                let digest = Digest::of(bytes);
                if seen.insert(digest) {
                    blobs.push((digest, bytes.clone()));
                }
            }
            layers.extend(image.layers.iter().filter(|layer| seen.insert(layer.diff_id)));
        }
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries});
        let text = |value: &Value| serde_json::to_vec(value).expect("all keys are texts");
        Self { index: text(&index), docker: text(&docker.into()), blobs, layers }
    }
}

/// The image in `index.json`, once for each name.
fn index_entries(image: &StoredImage, names: &[Name]) -> Vec<Value> {
    let descriptor = match &image.index {
        Some(index) => Descriptor::of(INDEX, index),
        None => Descriptor::of(MANIFEST, &image.manifest),
    };
    let plain = serde_json::to_value(descriptor).expect("all keys are texts");
    let named = |name: &Name| {
        let mut entry = plain.clone();
        let mut annotations = json!({"io.containerd.image.name": name.full()});
        if let Version::Tag(tag) = name.version() {
            annotations["org.opencontainers.image.ref.name"] = tag.as_str().into();
        }
        entry["annotations"] = annotations;
        entry
    };
    if names.is_empty() { vec![plain] } else { names.iter().map(named).collect() }
}

fn docker_entry(image: &StoredImage, names: &[Name]) -> Value {
    let blob = |digest: &Digest| format!("blobs/sha256/{}", digest.hex());
    let tags = names.iter().filter(|name| name.tag().is_some()).map(ToString::to_string);
    json!({
        "Config": blob(&image.id),
        "RepoTags": tags.collect::<Vec<_>>(),
        "Layers": image.layers.iter().map(|layer| blob(&layer.diff_id)).collect::<Vec<_>>(),
    })
}

struct Archive<'a, W> {
    out: &'a mut W,
}

impl<W: Write> Archive<'_, W> {
    fn text(&mut self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        self.entry(name, bytes.len() as u64, &mut &*bytes)
    }

    fn entry(&mut self, name: &str, size: u64, content: &mut dyn Read) -> Result<(), Error> {
        let mut header = tar::Header::new_gnu();
        let folder = name.ends_with('/');
        header.set_entry_type(if folder {
            tar::EntryType::Directory
        } else {
            tar::EntryType::Regular
        });
        header.set_path(name).expect("names of a layout are short");
        header.set_mode(if folder { 0o755 } else { 0o644 });
        header.set_size(size);
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        header.set_cksum();
        self.write(header.as_bytes())?;
        let mut buffer = vec![0; BUFFER.min(usize::try_from(size).unwrap_or(BUFFER))];
        let mut left = size;
        while left > 0 {
            let some = buffer.len().min(usize::try_from(left).unwrap_or(BUFFER));
            let cut = |e| Error::new(format!("cannot read {name}: {e}"));
            content.read_exact(&mut buffer[..some]).map_err(cut)?;
            self.write(&buffer[..some])?;
            left -= some as u64;
        }
        let padding = size.next_multiple_of(512) - size;
        self.write(&[0; 512][..usize::try_from(padding).expect("less than 512")])
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.out.write_all(bytes).map_err(|e| unwritten(&e))
    }
}

fn unwritten(error: &io::Error) -> Error {
    let text = Error::new(format!("cannot write the archive: {error}"));
    if error.kind() == io::ErrorKind::StorageFull { text.full_disk() } else { text }
}
