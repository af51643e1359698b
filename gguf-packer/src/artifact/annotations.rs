//! What artifacts say in annotations: the path of a layer, and, of those that we make, the command of the server.

use std::collections::BTreeMap;

/// Where a layer says its path, in both formats.
///
/// <https://github.com/modelpack/model-spec/blob/27666dd23073a756dea79b98958224c42d65f4d0/specs-go/v1/annotations.go>
pub(super) const FILEPATH: &str = "org.cncf.model.filepath";

/// Where a layer says what its file was.
pub(super) const METADATA: &str = "org.cncf.model.file.metadata+json";

/// Whether the media type of a layer is a guess.
pub(super) const UNTESTED: &str = "org.cncf.model.file.mediatype.untested";

/// Where OCI's own tools look for a path: `oras pull` writes no file of a layer that lacks it.
pub(super) const TITLE: &str = "org.opencontainers.image.title";

/// Where our manifests have the command of llama-server, as a list in JSON whose paths are below
/// [`FOLDER`](super::FOLDER). The other annotations of such a manifest are the image's labels.
pub(super) const COMMAND: &str = "gguf.model.cmd";

/// Annotations by name.
pub(crate) type Annotations = BTreeMap<String, String>;

/// The path that a layer says.
pub(crate) fn said(annotations: Option<&Annotations>) -> Option<&str> {
    let known = [FILEPATH, TITLE].into_iter().find_map(|key| annotations?.get(key));
    known.map(String::as_str)
}

/// Labels with their values.
type Labels = Vec<(String, String)>;

/// The command and the labels of a manifest that we made.
pub(crate) fn ours(annotations: Option<&Annotations>) -> Option<(Vec<String>, Labels)> {
    let annotations = annotations?;
    let command: Vec<String> = serde_json::from_str(annotations.get(COMMAND)?).ok()?;
    let labels = annotations.iter().filter(|(key, _)| *key != COMMAND);
    let labels = labels.map(|(key, value)| (key.clone(), value.clone())).collect();
    Some((command, labels))
}
