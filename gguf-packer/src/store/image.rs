//! Images of the store: a config, whose digest is the ID, its layers, and the manifests that go with it
//! to a registry.

mod record;

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use record::Record;

use super::{Layer, Store, disk};
use crate::Error;
use crate::attached::Attached;
use crate::digest::Digest;
use crate::reference::Name;

/// An image to store. All of its layers are there already.
#[derive(Debug, Clone, Default)]
pub struct NewImage {
    /// The raw config; its digest is the ID.
    pub config: Vec<u8>,
    /// Its layers, the lowest first.
    pub layers: Vec<Layer>,
    /// The raw manifest that names this config and these layers as plain tar.
    pub manifest: Vec<u8>,
    /// The raw index, when several platforms share the layers.
    pub index: Option<Vec<u8>>,
    /// Config and manifest of the other platforms.
    pub others: Vec<(Vec<u8>, Vec<u8>)>,
    /// Documents about it; where there are none, those that the store has stay.
    pub attached: Vec<Attached>,
}

/// An image that the store has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredImage {
    /// Digest of its config.
    pub id: Digest,
    /// Its names.
    pub names: Vec<Name>,
    /// The raw config.
    pub config: Vec<u8>,
    /// Its layers, the lowest first.
    pub layers: Vec<Layer>,
    /// The raw manifest.
    pub manifest: Vec<u8>,
    /// The raw index, when several platforms share the layers.
    pub index: Option<Vec<u8>>,
    /// Config and manifest of the other platforms.
    pub others: Vec<(Vec<u8>, Vec<u8>)>,
    /// Documents about it.
    pub attached: Vec<Attached>,
    /// Its files, for a container or a server to read.
    pub folder: PathBuf,
}

/// What a list says of an image. One with several names is there once for each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListedImage {
    /// Registry and repository, short; none when it has no name any more and never had one.
    pub name: Option<String>,
    /// Tag; none when it is another image's now, or the name is by digest.
    pub tag: Option<String>,
    /// Digest of its config.
    pub id: Digest,
    /// What its labels and its config say.
    #[serde(flatten)]
    pub summary: Summary,
}

/// What labels and config say of a model.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Label `gguf.model.architecture`.
    pub architecture: Option<String>,
    /// Label `gguf.model.parameters`.
    pub parameters: Option<String>,
    /// Label `gguf.model.bpw`.
    pub bits_per_weight: Option<String>,
    /// Label `gguf.model.filetype`.
    pub file_type: Option<String>,
    /// Label `gguf.model.usage`.
    pub usage: Option<String>,
    /// Seconds since 1970.
    pub created: Option<u64>,
    /// Bytes.
    pub size: u64,
}

impl Store {
    /// Stores an image and gives it names, whichever images had them. It is there wholly or not at all. Who gives a
    /// name with a digest has read the manifest with that digest.
    ///
    /// # Errors
    /// When manifest and config do not belong together, a layer is missing, or the store cannot be
    /// written.
    pub fn commit(&self, image: &NewImage, names: &[Name]) -> Result<Digest, Error> {
        let id = Digest::of(&image.config);
        let config = agree(&image.config, &image.manifest)?;
        for (config, manifest) in &image.others {
            agree(config, manifest)?;
        }
        let said: Vec<Value> =
            image.layers.iter().map(|layer| layer.diff_id.to_string().into()).collect();
        if config["rootfs"]["diff_ids"].as_array() != Some(&said) {
            return Err(Error::new(format!(
                "the layers of the image do not match its config {id}"
            )));
        }
        for layer in &image.layers {
            self.known_layer(&layer.diff_id)?;
        }
        disk::replace(&self.temp_path(), &self.config_path(&id), &image.config)?;
        self.flatten(&id, &image.layers)?;
        let record = Record::of(image, self.record(&id)?, names)?;
        let lines = format!("{}\n{}\n", json(&summary(&config, &image.layers)), json(&record));
        disk::replace(&self.temp_path(), &self.image_path(&id), lines.as_bytes())?;
        names.iter().try_for_each(|name| self.name(name, &id))?;
        Ok(id)
    }

    /// The image with this name, or with an ID that begins with these 12 to 64 digits.
    ///
    /// # Errors
    /// When there is none, or there are several.
    pub fn find(&self, text: &str) -> Result<StoredImage, Error> {
        self.load(&self.find_id(text)?)
    }

    /// All images, by name.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn images(&self) -> Result<Vec<ListedImage>, Error> {
        let mut images = Vec::new();
        let mut nameless = self.ids()?;
        for link in self.links()? {
            nameless.retain(|id| *id != link.id);
            // One that another process is removing.
            let Some(summary) = self.summary(&link.id)? else { continue };
            let name = Some(link.name.short_repository());
            let tag = link.name.tag().filter(|_| !link.tombstone).map(str::to_owned);
            images.push(ListedImage { name, tag, id: link.id, summary });
        }
        for id in nameless {
            let Some(summary) = self.summary(&id)? else { continue };
            images.push(ListedImage { name: None, tag: None, id, summary });
        }
        Ok(images)
    }

    /// Gives the image that `text` names, or whose ID it begins, another name.
    ///
    /// # Errors
    /// When there is no such image, or the name has a digest.
    pub fn tag(&self, text: &str, name: &Name) -> Result<Digest, Error> {
        name.check_given()?;
        let id = self.find_id(text)?;
        self.name(name, &id)?;
        Ok(id)
    }

    /// All names with the layers of their images.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn names_with_layers(&self) -> Result<Vec<(Name, Vec<Layer>)>, Error> {
        let links = self.links()?.into_iter().filter(|link| !link.tombstone);
        links.map(|link| Ok((link.name, self.layers_of(&link.id)?))).collect()
    }

    pub(crate) fn find_id(&self, text: &str) -> Result<Digest, Error> {
        let name = text.parse::<Name>();
        if let Ok(name) = &name {
            if let Some(id) = self.named(name).filter(|id| self.is_called(id, name)) {
                return Ok(id);
            }
        }
        let start = text.strip_prefix("sha256:").unwrap_or(text);
        let hex = start.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if (12..=64).contains(&start.len()) && hex {
            let mut ids = self.ids()?;
            ids.retain(|id| id.hex().starts_with(start));
            match ids[..] {
                [id] => return Ok(id),
                [] => {}
                _ => return Err(ambiguous(start, &ids)),
            }
        }
        let mut error = Error::new(format!("no such image in the store: `{text}`"));
        for near in self.near(&name?.to_string())? {
            error = error.hint(format!("did you mean `{near}`?"));
        }
        Err(error
            .hint("list all images: gguf-packer list")
            .hint(format!("or pull it: gguf-packer pull {text}")))
    }

    /// Whether the image `id`, which has this name, is the one with the name's digest.
    fn is_called(&self, id: &Digest, name: &Name) -> bool {
        let has = |digest| self.record(id).ok().flatten().is_some_and(|record| record.has(&digest));
        name.digest().is_none_or(has)
    }

    /// As [`Store::find_id`], by a name with a false digest too: it can be removed.
    pub(crate) fn find_removable(&self, text: &str) -> Result<Digest, Error> {
        let named = text.parse::<Name>().ok().and_then(|name| self.named(&name));
        named.map_or_else(|| self.find_id(text), Ok)
    }

    pub(crate) fn ids(&self) -> Result<Vec<Digest>, Error> {
        let names = disk::names(&self.root.join("images"))?;
        Ok(names.iter().filter_map(|name| Digest::from_hex(name)).collect())
    }

    /// The image with this ID.
    pub(crate) fn load(&self, id: &Digest) -> Result<StoredImage, Error> {
        let links = self.links()?;
        let own = links.into_iter().filter(|link| link.id == *id && !link.tombstone);
        let names = own.map(|link| link.name).filter(|name| self.is_called(id, name));
        Ok(StoredImage { names: names.collect(), ..self.load_nameless(id)? })
    }

    /// The image with this ID, without its names.
    pub(crate) fn load_nameless(&self, id: &Digest) -> Result<StoredImage, Error> {
        let missing = || {
            let text = format!("the image {} is incomplete", id.short());
            Error::new(text).hint("pull or build it again")
        };
        let config = disk::read(&self.config_path(id))?.ok_or_else(missing)?;
        let record = self.record(id)?.ok_or_else(missing)?;
        let others =
            record.others.into_iter().map(|(config, manifest)| (config.into(), manifest.into()));
        Ok(StoredImage {
            id: *id,
            names: Vec::new(),
            config,
            layers: record.layers,
            manifest: record.manifest.into(),
            index: record.index.map(String::into_bytes),
            others: others.collect(),
            attached: record.attached,
            folder: self.flat_path(id),
        })
    }

    /// The layers of the image.
    pub(crate) fn layers_of(&self, id: &Digest) -> Result<Vec<Layer>, Error> {
        Ok(self.record(id)?.map(|record| record.layers).unwrap_or_default())
    }

    /// The documents about the image.
    pub(crate) fn attached_of(&self, id: &Digest) -> Result<Vec<Attached>, Error> {
        Ok(self.record(id)?.map(|record| record.attached).unwrap_or_default())
    }

    pub(crate) fn config_path(&self, id: &Digest) -> PathBuf {
        self.root.join("models/config/sha256").join(id.hex())
    }

    pub(crate) fn image_path(&self, id: &Digest) -> PathBuf {
        self.root.join("images").join(id.hex())
    }

    fn record(&self, id: &Digest) -> Result<Option<Record>, Error> {
        let path = self.image_path(id);
        let Some(bytes) = disk::read(&path)? else { return Ok(None) };
        let line = bytes.split(|byte| *byte == b'\n').nth(1).unwrap_or_default();
        let record = serde_json::from_slice(line);
        record.map(Some).map_err(|e| damaged(&path, &e))
    }

    fn summary(&self, id: &Digest) -> Result<Option<Summary>, Error> {
        let path = self.image_path(id);
        let Some(bytes) = disk::read(&path)? else { return Ok(None) };
        let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let summary = serde_json::from_slice(line);
        summary.map(Some).map_err(|e| damaged(&path, &e))
    }
}

/// Checks that the manifest is one of the config; reads the config.
fn agree(config: &[u8], manifest: &[u8]) -> Result<Value, Error> {
    let id = Digest::of(config);
    let parsed = |what: &str, bytes: &[u8]| {
        serde_json::from_slice::<Value>(bytes)
            .map_err(|e| Error::new(format!("cannot read the {what} of the image: {e}")))
    };
    let manifest = parsed("manifest", manifest)?;
    if manifest["config"]["digest"] != id.to_string() {
        return Err(Error::new(format!("the manifest does not belong to the config {id}")));
    }
    parsed("config", config)
}

fn summary(config: &Value, layers: &[Layer]) -> Summary {
    let labels = &config["config"]["Labels"];
    let label = |name: &str| labels[format!("gguf.model.{name}")].as_str().map(str::to_owned);
    let size = config["config"]["Size"].as_u64();
    Summary {
        architecture: label("architecture"),
        parameters: label("parameters"),
        bits_per_weight: label("bpw"),
        file_type: label("filetype"),
        usage: label("usage"),
        created: config["created"].as_str().and_then(seconds),
        size: size.unwrap_or_else(|| layers.iter().map(|layer| layer.size).sum()),
    }
}

/// Seconds since 1970 of a time as RFC 3339 has it.
pub(crate) fn seconds(text: &str) -> Option<u64> {
    let at = text.len().checked_sub(6)?;
    let (text, east) = match text.get(at..).filter(|zone| zone.starts_with(['+', '-'])) {
        Some(zone) => {
            let (hours, minutes) = zone[1..].split_once(':')?;
            let offset = hours.parse::<i64>().ok()? * 3600 + minutes.parse::<i64>().ok()? * 60;
            let east = if zone.starts_with('-') { -offset } else { offset };
            (format!("{}Z", &text[..at]), east)
        }
        None => (text.to_owned(), 0),
    };
    let time = humantime::parse_rfc3339(&text).ok()?;
    let since: Duration = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    since.as_secs().checked_add_signed(-east)
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("strings and numbers can be written")
}

fn ambiguous(start: &str, ids: &[Digest]) -> Error {
    let error = Error::new(format!("the ID `{start}` is ambiguous: {} images match", ids.len()));
    ids.iter().take(5).fold(error, |error, id| error.hint(format!("write {}", id.hex())))
}

fn damaged(path: &std::path::Path, error: &serde_json::Error) -> Error {
    Error::new(format!("cannot read {}: {error}", path.display()))
        .hint(format!("remove it: rm {}", path.display()))
        .hint("then pull or build the image again")
}

#[cfg(test)]
#[path = "image_tests.rs"]
mod tests;
