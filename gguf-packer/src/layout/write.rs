//! Writes images of the store, layer by layer, and artifacts, file by file.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use serde_json::{Value, json};

use super::Format;
use super::copy::{BUFFER, Content};
use crate::Error;
use crate::artifact::Artifact;
use crate::digest::Digest;
use crate::image::manifest::{Descriptor, INDEX, MANIFEST};
use crate::part::{Part, Sink};
use crate::reference::{Name, Version};
use crate::store::{Store, StoredImage, hash_file};

/// What is written.
#[derive(Debug, Clone)]
pub enum Item {
    /// An image, with its layers as tars.
    Image(StoredImage),
    /// A model as an artifact, with its files as they are.
    Artifact(Artifact),
}

/// Something with the names that it is to have there.
pub type Saved = (Item, Vec<Name>);

/// Writes `items` to `path`. The file, or the list of a folder, appears as a whole. A device or a pipe gets the
/// archive as it is written.
///
/// # Errors
/// When a layer is missing or corrupt, or the file cannot be written; then what was begun is removed.
pub fn save(store: &Store, items: &[Saved], format: Format, path: &Path) -> Result<(), Error> {
    if format == Format::OciDir {
        return save_folder(store, items, path);
    }
    let sink = Sink::open(path)?;
    let mut out = BufWriter::with_capacity(BUFFER, sink.file());
    write_archive(store, items, format, &mut out)?;
    drop(out);
    sink.finish()
}

/// Writes an archive.
///
/// # Errors
/// When a layer is missing, `out` takes no more, or an artifact is to be in an archive of Docker's.
pub fn write_archive(
    store: &Store,
    items: &[Saved],
    format: Format,
    out: &mut impl Write,
) -> Result<(), Error> {
    let is_artifact = |(item, _): &&Saved| matches!(item, Item::Artifact(_));
    if let Some((Item::Artifact(one), _)) = items.iter().find(is_artifact) {
        if format == Format::DockerArchive {
            return Err(images_alone(one.format));
        }
    }
    let mut archive = Archive { out };
    for folder in ["blobs/", "blobs/sha256/"] {
        archive.head(folder, 0)?;
    }
    let documents = Documents::of(items);
    archive.text("index.json", &documents.index)?;
    if format == Format::DockerArchive {
        archive.text("manifest.json", &documents.docker)?;
    }
    archive.text("oci-layout", LAYOUT)?;
    for (digest, bytes) in &documents.blobs {
        archive.text(&format!("blobs/sha256/{}", digest.hex()), bytes)?;
    }
    for content in documents.contents {
        let name = format!("blobs/sha256/{}", content.digest.hex());
        archive.head(&name, content.size)?;
        content.copy(store, &mut |bytes| archive.write(bytes))?;
        archive.pad(content.size)?;
    }
    // The end of a tar.
    archive.write(&[0; 1024])?;
    archive.out.flush().map_err(|e| unwritten(&e))
}

/// An archive of Docker's cannot have what has this format.
pub(crate) fn images_alone(format: crate::artifact::Format) -> Error {
    Error::new(format!("a docker-archive can contain only images, not `{format}`"))
        .hint("write oci-archive=PATH or oci-dir=PATH")
}

/// What says that a folder is an OCI layout.
const LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

fn save_folder(store: &Store, items: &[Saved], path: &Path) -> Result<(), Error> {
    let layout = path.join("oci-layout");
    if !layout.is_file() && has_files(path) {
        return Err(Error::new(format!(
            "{} is not empty, and is not an OCI layout",
            path.display()
        ))
        .hint("name a new or empty folder"));
    }
    // What says that the folder is ours is there first: a killed process can be gone on from.
    let make =
        |folder: &Path| fs::create_dir_all(folder).map_err(|e| Error::io("make", folder, &e));
    make(path)?;
    put(&layout, LAYOUT)?;
    let blobs = path.join("blobs/sha256");
    make(&blobs)?;
    let documents = Documents::of(items);
    for (digest, bytes) in &documents.blobs {
        put(&blobs.join(digest.hex()), bytes)?;
    }
    for content in &documents.contents {
        let place = blobs.join(content.digest.hex());
        if !is_there(&place, content)? {
            write(&place, |each| content.copy(store, each))?;
        }
    }
    put(&path.join("index.json"), &documents.index)
}

/// Whether the folder has it already, as it should be.
fn is_there(place: &Path, content: &Content) -> Result<bool, Error> {
    if fs::metadata(place).ok().map(|known| known.len()) != Some(content.size) {
        return Ok(false);
    }
    Ok(hash_file(place)? == (content.digest, content.size))
}

/// Whether the folder has anything but what a killed process began with.
fn has_files(folder: &Path) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| entry.file_name() != ".oci-layout.part")
}

fn put(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    write(path, |each| each(bytes))
}

/// Takes bytes in their order.
type Each<'a> = &'a mut dyn FnMut(&[u8]) -> Result<(), Error>;

/// Writes the file `path`, to which `content` gives its bytes.
fn write(path: &Path, content: impl FnOnce(Each<'_>) -> Result<(), Error>) -> Result<(), Error> {
    let failed = |e: io::Error| Error::io("write", path, &e);
    let part = Part::begin(path)?;
    let mut out = BufWriter::with_capacity(BUFFER, part.file());
    content(&mut |bytes| out.write_all(bytes).map_err(failed))?;
    out.flush().map_err(failed)?;
    drop(out);
    part.finish()
}

/// All that is small.
struct Documents {
    index: Vec<u8>,
    /// Docker's list.
    docker: Vec<u8>,
    blobs: Vec<(Digest, Vec<u8>)>,
    contents: Vec<Content>,
}

impl Item {
    /// All that is small.
    fn documents(&self) -> Vec<&Vec<u8>> {
        match self {
            Self::Artifact(artifact) => vec![&artifact.manifest, &artifact.config],
            Self::Image(image) => {
                let others = image.others.iter().flat_map(|(config, manifest)| [manifest, config]);
                [&image.manifest, &image.config]
                    .into_iter()
                    .chain(&image.index)
                    .chain(others)
                    .collect()
            }
        }
    }

    fn contents(&self) -> Vec<Content> {
        let (all, is_layer): (Vec<_>, _) = match self {
            Self::Artifact(artifact) => (artifact.blobs.clone(), false),
            Self::Image(image) => {
                (image.layers.iter().map(|layer| (layer.diff_id, layer.size)).collect(), true)
            }
        };
        all.into_iter().map(|(digest, size)| Content { digest, size, is_layer }).collect()
    }

    /// What it is in a list.
    fn descriptor(&self) -> Value {
        let (descriptor, artifact_type) = match self {
            Self::Image(StoredImage { index: Some(index), .. }) => {
                (Descriptor::of(INDEX, index), None)
            }
            Self::Image(image) => (Descriptor::of(MANIFEST, &image.manifest), None),
            Self::Artifact(artifact) => {
                (Descriptor::of(MANIFEST, &artifact.manifest), Some(artifact.artifact_type()))
            }
        };
        let mut value = serde_json::to_value(descriptor).expect("all keys are texts");
        if let Some(artifact_type) = artifact_type {
            value["artifactType"] = artifact_type.into();
        }
        value
    }
}

impl Documents {
    fn of(items: &[Saved]) -> Self {
        let (mut entries, mut docker) = (Vec::new(), Vec::new());
        let (mut blobs, mut contents, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
        for (item, names) in items {
            entries.extend(index_entries(item, names));
            if let Item::Image(image) = item {
                docker.push(docker_entry(image, names));
            }
            for bytes in item.documents() {
                let digest = Digest::of(bytes);
                if seen.insert(digest) {
                    blobs.push((digest, bytes.clone()));
                }
            }
            contents.extend(item.contents().into_iter().filter(|one| seen.insert(one.digest)));
        }
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries});
        let text = |value: &Value| serde_json::to_vec(value).expect("all keys are texts");
        Self { index: text(&index), docker: text(&docker.into()), blobs, contents }
    }
}

/// The item in `index.json`, once for each name.
fn index_entries(item: &Item, names: &[Name]) -> Vec<Value> {
    let plain = item.descriptor();
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
        let size = bytes.len() as u64;
        self.head(name, size)?;
        self.write(bytes)?;
        self.pad(size)
    }

    /// Begins a file of so many bytes, or a folder.
    fn head(&mut self, name: &str, size: u64) -> Result<(), Error> {
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
        self.write(header.as_bytes())
    }

    /// Ends a file of so many bytes.
    fn pad(&mut self, size: u64) -> Result<(), Error> {
        let padding = size.next_multiple_of(512) - size;
        self.write(&[0; 512][..usize::try_from(padding).expect("less than 512")])
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.out.write_all(bytes).map_err(|e| unwritten(&e))
    }
}

fn unwritten(error: &io::Error) -> Error {
    Error::from_io("cannot write the archive", error)
}
