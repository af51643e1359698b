//! An image whose platforms share the layers.

use super::{Platform, manifest};
use crate::store::{Layer, NewImage};

/// The image of `configs`, at least one, which share `layers`. Its ID is that of the config for this machine, or else
/// of the first one.
pub(crate) fn assembled(configs: Vec<(Platform, Vec<u8>)>, layers: Vec<Layer>) -> NewImage {
    let tars: Vec<_> = layers.iter().map(|layer| (layer.diff_id, layer.size)).collect();
    let with_manifest = |(platform, config): (Platform, Vec<u8>)| {
        let manifest = manifest::manifest(&config, &tars);
        (platform, config, manifest)
    };
    let mut all: Vec<_> = configs.into_iter().map(with_manifest).collect();
    let manifests: Vec<(Platform, &[u8])> =
        all.iter().map(|(platform, _, manifest)| (platform.clone(), &manifest[..])).collect();
    let index = (manifests.len() > 1).then(|| manifest::index(&manifests));
    let here = Platform::here();
    let own = all.iter().position(|(platform, ..)| *platform == here).unwrap_or(0);
    let (_, config, manifest) = all.remove(own);
    let others = all.into_iter().map(|(_, config, manifest)| (config, manifest)).collect();
    NewImage { config, layers, manifest, index, others, attached: Vec::new() }
}
