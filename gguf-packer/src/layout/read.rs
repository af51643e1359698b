//! Takes the images of a layout into the store.

use std::io::Read;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::source::{LOADABLE, Source, missing, name};
use crate::Error;
use crate::digest::Digest;
use crate::image::manifest::{self, Descriptor};
use crate::image::platform::Platform;
use crate::reference::Name;
use crate::registry;
use crate::store::{Compression, Layer, NewImage, Store};

/// Indexes in indexes.
const DEPTH: usize = 4;

/// An image that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// Its ID.
    pub id: Digest,
    /// The names that the archive gave it.
    pub names: Vec<Name>,
}

/// An entry of Docker's `manifest.json`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DockerImage {
    config: String,
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

/// A config with the manifest and the blobs of its layers.
struct Found {
    config: Vec<u8>,
    /// The manifest, when its layers are plain tars already.
    manifest: Option<Vec<u8>>,
    /// Where each layer lies, and the digest of what lies there when it is known.
    layers: Vec<(String, Option<Digest>)>,
    platform: Option<Platform>,
}

/// Takes all images of the folder or archive `from`; `-` is standard input.
///
/// # Errors
/// When it is none, something of it is missing or is not what its digest says, or the store cannot be written.
pub fn load(store: &Store, from: &Path) -> Result<Vec<Loaded>, Error> {
    let taken = Source::open(store, from).and_then(|source| take(store, &source));
    taken.map_err(|e| Error::new(format!("cannot load {}: {e}", from.display())))
}

fn take(store: &Store, source: &Source) -> Result<Vec<Loaded>, Error> {
    let docker = source.document("manifest.json")?;
    let docker: Vec<DockerImage> =
        docker.map_or(Ok(Vec::new()), |bytes| parse("manifest.json", &bytes))?;
    if let Some(index) = source.document("index.json")? {
        return take_oci(store, source, &parse("index.json", &index)?, &docker);
    }
    if docker.is_empty() {
        return Err(Error::new("it contains no image: index.json and manifest.json are missing")
            .hint(LOADABLE));
    }
    let loaded = docker.iter().map(|image| {
        let config = source.document(&image.config)?.ok_or_else(|| missing(&image.config))?;
        let layers = image.layers.iter().map(|layer| (layer.clone(), None)).collect();
        let names = tags(image.repo_tags.as_deref().unwrap_or_default(), None);
        store_image(
            store,
            source,
            vec![Found { config, manifest: None, layers, platform: None }],
            None,
            names,
        )
    });
    loaded.collect()
}

fn take_oci(
    store: &Store,
    source: &Source,
    index: &Value,
    docker: &[DockerImage],
) -> Result<Vec<Loaded>, Error> {
    let mut images: Vec<(Descriptor, Vec<Name>)> = Vec::new();
    for entry in index["manifests"].as_array().into_iter().flatten() {
        let descriptor: Descriptor = parse_value("index.json", entry)?;
        let names = annotated(entry, &descriptor.digest);
        match images.iter_mut().find(|(known, _)| known.digest == descriptor.digest) {
            Some((_, known)) => known.extend(names),
            None => images.push((descriptor, names)),
        }
    }
    let loaded = images.into_iter().map(|(descriptor, mut names)| {
        let bytes = source.blob(&descriptor.digest)?;
        let found = find(source, &descriptor, bytes.clone(), 0)?;
        // Docker says names of an image where its index has none.
        let configs: Vec<String> =
            found.iter().map(|found| name(&Digest::of(&found.config))).collect();
        let of_docker = docker.iter().filter(|image| configs.contains(&image.config));
        let tags = |image: &DockerImage| {
            tags(image.repo_tags.as_deref().unwrap_or_default(), Some(&descriptor.digest))
        };
        names.extend(of_docker.flat_map(tags));
        names.sort();
        names.dedup();
        if let [Found { manifest: None, config, .. }] = &found[..] {
            let open = |digest: &Digest| {
                source.content(&name(digest))?.ok_or_else(|| missing(&name(digest)))
            };
            if let Some(id) = registry::load_model(store, &names, (&bytes, config), &open)? {
                return Ok(Loaded { id, names });
            }
        }
        let index = (found.len() > 1).then_some(bytes);
        store_image(store, source, found, index, names)
    });
    loaded.collect()
}

/// The images behind a descriptor: one, or one for each platform.
fn find(
    source: &Source,
    what: &Descriptor,
    bytes: Vec<u8>,
    depth: usize,
) -> Result<Vec<Found>, Error> {
    let document: Value = parse(&name(&what.digest), &bytes)?;
    if let Some(entries) = document["manifests"].as_array().filter(|_| depth < DEPTH) {
        let mut all = Vec::new();
        for entry in entries {
            let of_build = entry["annotations"].get("vnd.docker.reference.type").is_some();
            let descriptor: Descriptor = parse_value("an index", entry)?;
            // A layout may have one platform of an index.
            let there = source.content(&name(&descriptor.digest))?.is_some();
            if !of_build && there {
                let bytes = source.blob(&descriptor.digest)?;
                all.extend(find(source, &descriptor, bytes, depth + 1)?);
            }
        }
        return if all.is_empty() {
            Err(missing("every image of its index.json"))
        } else {
            Ok(all)
        };
    }
    let config: Descriptor = parse_value("a manifest", &document["config"])?;
    let layers: Vec<Descriptor> = parse_value("a manifest", &document["layers"])?;
    let plain = layers.iter().all(|layer| layer.media_type == manifest::LAYER);
    Ok(vec![Found {
        config: source.blob(&config.digest)?,
        manifest: plain.then_some(bytes),
        layers: layers.iter().map(|layer| (name(&layer.digest), Some(layer.digest))).collect(),
        platform: what.platform.clone(),
    }])
}

/// Stores an image for all its platforms, when they share the layers, and otherwise for this one.
fn store_image(
    store: &Store,
    source: &Source,
    mut found: Vec<Found>,
    index: Option<Vec<u8>>,
    names: Vec<Name>,
) -> Result<Loaded, Error> {
    let here = Platform::here();
    let best = found.iter().position(|found| found.platform.as_ref() == Some(&here)).unwrap_or(0);
    let main = found.remove(best);
    let diff_ids = diff_ids(&main.config)?;
    if diff_ids.len() != main.layers.len() {
        let (said, there) = (diff_ids.len(), main.layers.len());
        return Err(Error::new(format!("its config lists {said} layers, but it contains {there}")));
    }
    let layers: Vec<Layer> = (main.layers.iter().zip(&diff_ids))
        .map(|((place, digest), diff_id)| layer(store, source, place, *digest, diff_id))
        .collect::<Result<_, _>>()?;
    let shared =
        found.iter().all(|other| self::diff_ids(&other.config).is_ok_and(|ids| ids == diff_ids));
    let as_they_are = main.manifest.is_some() && found.iter().all(|other| other.manifest.is_some());
    let sized: Vec<_> = layers.iter().map(|layer| (layer.diff_id, layer.size)).collect();
    let manifest = |found: &Found| {
        found.manifest.clone().unwrap_or_else(|| manifest::manifest(&found.config, &sized))
    };
    let image = NewImage {
        manifest: manifest(&main),
        index: index.filter(|_| shared && as_they_are),
        others: if shared {
            found.iter().map(|o| (o.config.clone(), manifest(o))).collect()
        } else {
            vec![]
        },
        config: main.config,
        layers,
        attached: Vec::new(),
    };
    let image = with_index(image, shared && !as_they_are, &found)?;
    Ok(Loaded { id: store.commit(&image, &names)?, names })
}

/// Writes the index anew, when its manifests had to be.
fn with_index(mut image: NewImage, anew: bool, others: &[Found]) -> Result<NewImage, Error> {
    if anew && !others.is_empty() {
        let platform = |config: &[u8]| parse::<Platform>("a config", config);
        let mut all = vec![(platform(&image.config)?, image.manifest.as_slice())];
        for (config, manifest) in &image.others {
            all.push((platform(config)?, manifest.as_slice()));
        }
        image.index = Some(manifest::index(&all));
    }
    Ok(image)
}

/// Takes a layer, unless the store has it with all of its contents.
fn layer(
    store: &Store,
    source: &Source,
    place: &str,
    digest: Option<Digest>,
    diff_id: &Digest,
) -> Result<Layer, Error> {
    if let Some(layer) = store.whole_layer(diff_id)? {
        return Ok(layer);
    }
    let open = || source.content(place)?.ok_or_else(|| missing(place));
    let unread = |e: std::io::Error| Error::new(format!("cannot read {place}: {e}"));
    let mut start = Vec::new();
    open()?.0.take(4).read_to_end(&mut start).map_err(unread)?;
    let compression = Compression::of(&start);
    let digest = match digest {
        Some(digest) => digest,
        None if compression == Compression::None => *diff_id,
        None => {
            let mut hasher = Sha256::new();
            std::io::copy(&mut open()?.0, &mut hasher).map_err(unread)?;
            Digest::finish(hasher)
        }
    };
    let mut receiver = store.receive_layer(&digest, compression)?;
    receiver.read_from(open()?.0, place)?;
    receiver.finish(Some(diff_id))
}

fn diff_ids(config: &[u8]) -> Result<Vec<Digest>, Error> {
    let config: Value = parse("a config", config)?;
    parse_value("a config", &config["rootfs"]["diff_ids"])
}

/// Names in an entry of `index.json`: of containerd, and of OCI when it is a whole one.
fn annotated(entry: &Value, digest: &Digest) -> Vec<Name> {
    let text = |key: &str| entry["annotations"][key].as_str().map(str::to_owned);
    let of_oci = text("org.opencontainers.image.ref.name").filter(|text| text.contains(['/', ':']));
    let names: Vec<String> = text("io.containerd.image.name").or(of_oci).into_iter().collect();
    tags(&names, Some(digest))
}

/// Those of `texts` that are names. A digest in a name has to be that of the manifest, if there is one.
fn tags(texts: &[String], manifest: Option<&Digest>) -> Vec<Name> {
    let names = texts.iter().filter_map(|text| text.parse().ok());
    names.filter(|name: &Name| name.digest().is_none_or(|own| Some(&own) == manifest)).collect()
}

fn parse<T: serde::de::DeserializeOwned>(what: &str, bytes: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(bytes).map_err(|e| Error::new(format!("cannot parse {what}: {e}")))
}

fn parse_value<T: serde::de::DeserializeOwned>(what: &str, value: &Value) -> Result<T, Error> {
    T::deserialize(value).map_err(|e| Error::new(format!("cannot parse {what}: {e}")))
}
