//! Images for tests of artifacts: a model with everything that a command can name.

use std::fs::File;
use std::io::Read;

use crate::Error;
use crate::digest::Digest;
use crate::gguf::write::Writer;
use crate::image::{ConfigInput, Described, History, Platform, manifest};
use crate::reference::Name;
use crate::store::{NewImage, Store, StoredImage};
use crate::tree::{Entry, Kind, Tree};

/// A projector that sees.
pub(crate) fn projector() -> Vec<u8> {
    let writer = Writer::default().text("general.architecture", "clip");
    writer.value("clip.has_vision_encoder", crate::gguf::Value::Bool(true)).bytes()
}

/// Content and path of a file; what begins with `-> ` is a link.
pub(crate) type Content<'a> = (&'a str, &'a [u8]);

/// Stores an image with these files and this command, made 100 seconds after 1970.
pub(crate) fn image(
    store: &Store,
    name: &Name,
    files: &[Content<'_>],
    command: &str,
    labels: &[(&str, &str)],
) -> StoredImage {
    let entry = |(path, bytes): &Content<'_>| {
        let kind = match bytes.strip_prefix(b"-> ") {
            Some(target) => Kind::Link { target: String::from_utf8(target.to_vec()).unwrap() },
            None => {
                let digest = store.add_bytes(bytes).unwrap();
                Kind::File { digest, size: bytes.len() as u64 }
            }
        };
        Entry { path: (*path).to_owned(), kind, mode: 0o644, uid: 0, gid: 0, mtime: 0 }
    };
    let entries: Vec<Entry> = files.iter().map(entry).collect();
    let layer = store.build_layer(&entries).unwrap();
    let command: Vec<String> = command.split(' ').map(str::to_owned).collect();
    let labels: Vec<(String, String)> =
        labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let input = ConfigInput {
        command: Some(&command),
        labels: &labels,
        base: None,
        base_name: None,
        history: &[History { created_by: "COPY".to_owned(), layers: vec![layer.diff_id] }],
        files: &entries.into_iter().collect::<Tree>(),
        created: 100,
    };
    let open = |digest: &Digest| -> Result<Box<dyn Read>, Error> {
        Ok(Box::new(File::open(store.blob_path(digest)).unwrap()))
    };
    let config = Described::new(&input, &open).unwrap().config(&Platform::here());
    let manifest = manifest::manifest(&config, &[(layer.diff_id, layer.size)]);
    let image = NewImage { config, layers: vec![layer], manifest, ..NewImage::default() };
    let id = store.commit(&image, std::slice::from_ref(name)).unwrap();
    store.find(&id.hex()).unwrap()
}
