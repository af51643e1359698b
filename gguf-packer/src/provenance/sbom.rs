//! The bill of materials of an image: CycloneDX 1.6, whose `machine-learning-model` components are what scanners and
//! inventories read of models. <https://cyclonedx.org/docs/1.6/json/>

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::statement::is_weights;
use super::{Build, address};
use crate::digest::Digest;
use crate::executor::{Content, Material};
use crate::gguf::{self, Model};
use crate::image::command::{self, Named, Role};
use crate::image::described;
use crate::tree::Kind;

mod licence;

/// The whole document.
pub(super) fn sbom(build: &Build<'_>) -> Value {
    let weights = weights(build.config);
    let mut components = files(build, &weights);
    components.extend(intermediates(build));
    components.extend(build.materials.iter().filter_map(source));
    let is_made = |material: &Material| {
        matches!(material, Material::Converted { .. } | Material::Quantized { .. })
    };
    if build.materials.iter().any(is_made) {
        components.push(llama_cpp());
    }
    let mut bom = json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": build.config["created"],
            "tools": {"components": [{
                "type": "application", "name": "gguf-packer", "version": env!("CARGO_PKG_VERSION"),
            }]},
            "component": image(build, &weights),
        },
        "components": unique(components),
        "dependencies": dependencies(build),
    });
    let serial = Digest::of(serde_json::to_vec(&bom).expect("all keys are texts")).hex();
    bom["serialNumber"] = format!("urn:uuid:{}", uuid(&serial)).into();
    bom
}

/// A UUID of the kind that anybody may make of anything (RFC 9562, version 8), of hexadecimal digits.
fn uuid(hex: &str) -> String {
    let (a, b, c, d) = (&hex[..8], &hex[8..12], &hex[13..16], &hex[17..20]);
    format!("{a}-{b}-8{c}-8{d}-{}", &hex[20..32])
}

/// The files of weights that the command names, with their headers.
fn weights(config: &Value) -> Vec<(Named, Model)> {
    let named = command::files(&command::of_config(config)).unwrap_or_default().into_iter();
    named
        .filter_map(|named| {
            let model = described(config, &named)?;
            Some((named, model))
        })
        .collect()
}

/// The image itself: the model that it serves.
fn image(build: &Build<'_>, weights: &[(Named, Model)]) -> Value {
    let labels = &build.config["config"]["Labels"];
    let label = |name: &str| labels[name].as_str().filter(|text| !text.is_empty());
    let main = weights.iter().find(|(named, _)| named.role == Role::Model);
    let file = main.and_then(|(named, _)| named.path.rsplit('/').next());
    let name = label("org.opencontainers.image.title").or(file).unwrap_or("model");
    let mut component = json!({
        "bom-ref": IMAGE, "type": "machine-learning-model", "name": name,
        "properties": build.subjects.iter().map(|(what, digest)| {
            property(&format!("gguf-packer:digest:{what}"), &digest.to_string())
        }).collect::<Vec<_>>(),
    });
    for (key, label_of) in [
        ("version", "org.opencontainers.image.version"),
        ("description", "org.opencontainers.image.description"),
    ] {
        if let Some(text) = label(label_of) {
            component[key] = text.into();
        }
    }
    if let Some(text) = label("org.opencontainers.image.licenses") {
        component["licenses"] = licence::of(text);
    }
    if let Some((_, model)) = main {
        component["modelCard"] = card(model, label("gguf.model.usage"));
        let ancestors = ancestors(&build.config["config"]["Model"]["GGUF"]);
        if !ancestors.is_empty() {
            component["pedigree"] = json!({"ancestors": ancestors});
        }
    }
    component
}

/// How the image is called in the document.
const IMAGE: &str = "image";

fn card(model: &Model, task: Option<&str>) -> Value {
    let mut parameters = json!({"modelArchitecture": model.architecture()});
    if let Some(task) = task {
        parameters["task"] = task.into();
    }
    let kind = gguf::file_type_name(model.file_type());
    json!({
        "modelParameters": parameters,
        "properties": [
            property("gguf:file_type", kind),
            property("gguf:parameters", &model.parameters().to_string()),
        ],
    })
}

/// The models that the file's header says it was made of.
fn ancestors(header: &Value) -> Vec<Value> {
    let pairs = header["header"]["metadataKV"].as_array().into_iter().flatten();
    let texts: BTreeMap<&str, &str> =
        pairs.filter_map(|pair| Some((pair["key"].as_str()?, pair["value"].as_str()?))).collect();
    let ancestor = |at: usize| {
        let text =
            |key: &str| texts.get(format!("general.base_model.{at}.{key}").as_str()).copied();
        let name = text("name").or_else(|| text("repo_url"))?;
        let mut base = json!({"type": "machine-learning-model", "name": name});
        for (key, of_header) in [("group", "organization"), ("version", "version")] {
            if let Some(text) = text(of_header) {
                base[key] = text.into();
            }
        }
        if let Some(url) = text("repo_url") {
            let url = address::public(url);
            base["externalReferences"] = json!([{"type": "distribution", "url": url}]);
        }
        Some(base)
    };
    (0..64).map_while(ancestor).collect()
}

/// The image's own files; of one that stands on another image the weights alone.
fn files(build: &Build<'_>, weights: &[(Named, Model)]) -> Vec<Value> {
    let mut all = Vec::new();
    for entry in build.files.iter() {
        let Kind::File { digest, size } = entry.kind else { continue };
        let path = format!("/{}", entry.path);
        let named = weights.iter().find(|(named, _)| names(&named.path, &path));
        if build.has_base && named.is_none() && !is_weights(&path) {
            continue;
        }
        let content = Content { path, digest, size };
        let mut component = file(&content, if is_weights(&content.path) { MODEL } else { "file" });
        if let Some((named, model)) = named {
            component["modelCard"] = card(model, None);
            let role = format!("{:?}", named.role).to_lowercase();
            properties(&mut component).push(property("gguf-packer:role", &role));
        }
        all.push(component);
    }
    all
}

const MODEL: &str = "machine-learning-model";

/// Whether the argument of a command names the file at `path`: itself, or as one of a list, or with a scale.
fn names(argument: &str, path: &str) -> bool {
    argument.trim_start_matches('/') == path.trim_start_matches('/')
        || crate::gguf::shards(argument).is_some_and(|all| all.iter().any(|one| one == path))
}

/// Files of weights that were made on the way and are not in the image.
fn intermediates(build: &Build<'_>) -> Vec<Value> {
    let made = build.materials.iter().filter_map(|material| match material {
        Material::Converted { kind, made, .. } => Some(("convert", kind, made)),
        Material::Quantized { kind, made, .. } => Some(("quantize", kind, made)),
        _ => None,
    });
    made.map(|(step, kind, digest)| {
        json!({
            "bom-ref": digest.to_string(), "type": MODEL, "name": format!("{kind} by {step}"),
            "scope": "excluded", "hashes": [hash(digest)],
        })
    })
    .collect()
}

/// Where files came from, each file with its hash.
fn source(material: &Material) -> Option<Value> {
    let (mut component, files) = match material {
        Material::Image { name, digest } => {
            let purl = address::of_image(name, digest);
            let name = if name.is_empty() { "image" } else { name };
            let hashes = json!([{"alg": "SHA-256", "content": address::hex(digest)}]);
            (
                json!({"type": "container", "name": name, "purl": purl, "bom-ref": purl, "hashes": hashes}),
                None,
            )
        }
        Material::HuggingFace { repository, commit, files } => {
            let purl = address::of_hugging_face(repository, commit);
            let kind = if repository.kind == "datasets" { "data" } else { MODEL };
            let (group, name) =
                repository.repository.split_once('/').unwrap_or(("", &repository.repository));
            let mut component = json!({"type": kind, "name": name, "version": commit, "purl": purl, "bom-ref": purl});
            if !group.is_empty() {
                component["group"] = group.into();
            }
            (component, Some(files))
        }
        Material::Git { remote, commit, files } => {
            let remote = address::public(remote);
            let name = remote.trim_end_matches(".git").rsplit(['/', ':']).next().unwrap_or("git");
            let references = json!([{"type": "vcs", "url": remote}]);
            (
                json!({"type": "data", "name": name, "version": commit, "bom-ref": format!("git+{remote}@{commit}"), "externalReferences": references}),
                Some(files),
            )
        }
        Material::Http { url, digest, .. } => {
            let url = address::public(url);
            let name = url.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or(&url);
            let kind = if is_weights(name) { MODEL } else { "data" };
            let references = json!([{"type": "distribution", "url": url}]);
            let hashes = json!([{"alg": "SHA-256", "content": address::hex(digest)}]);
            (
                json!({"type": kind, "name": name, "bom-ref": format!("{url}@{digest}"), "hashes": hashes, "externalReferences": references}),
                None,
            )
        }
        Material::Local { context, files } => {
            let name = context.as_deref().unwrap_or("context");
            (
                json!({"type": "data", "name": name, "bom-ref": format!("context:{name}:{}", of_all(files))}),
                Some(files),
            )
        }
        Material::Converted { .. } | Material::Quantized { .. } => return None,
    };
    component["scope"] = "excluded".into();
    let reference = component["bom-ref"].as_str().unwrap_or_default().to_owned();
    if let Some(files) = files.filter(|files| !files.is_empty()) {
        let below = files.iter().map(|content| {
            let mut below = file(content, if is_weights(&content.path) { MODEL } else { "file" });
            // The same content may be in several sources.
            below["bom-ref"] = format!("{reference}#{}", content.path).into();
            below
        });
        component["components"] = below.collect();
    }
    Some(component)
}

/// One digest of several files.
fn of_all(files: &[Content]) -> String {
    let lines: String =
        files.iter().map(|file| format!("{} {}\n", file.digest, file.path)).collect();
    Digest::of(lines).short()
}

fn llama_cpp() -> Value {
    let release = llama_src::Pin::load().tag;
    let purl = format!("pkg:github/ggml-org/llama.cpp@{release}");
    json!({"bom-ref": purl, "type": "application", "name": "llama.cpp", "version": release, "purl": purl, "scope": "excluded"})
}

fn file(content: &Content, kind: &str) -> Value {
    json!({
        "bom-ref": content.digest.to_string(), "type": kind, "name": content.path,
        "hashes": [hash(&content.digest)],
        "properties": [property("gguf-packer:size", &content.size.to_string())],
    })
}

fn hash(digest: &Digest) -> Value {
    json!({"alg": "SHA-256", "content": digest.hex()})
}

fn property(name: &str, value: &str) -> Value {
    json!({"name": name, "value": value})
}

fn properties(component: &mut Value) -> &mut Vec<Value> {
    component["properties"].as_array_mut().expect("each file has them")
}

/// The first component of each reference: the image's own file rather than the step that made it.
fn unique(components: Vec<Value>) -> Vec<Value> {
    let mut seen = std::collections::BTreeSet::new();
    components.into_iter().filter(|one| seen.insert(one["bom-ref"].to_string())).collect()
}

/// What the image has, and what each file of weights was made of.
fn dependencies(build: &Build<'_>) -> Vec<Value> {
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let own = files(build, &[]).into_iter();
    let own = own.filter_map(|file| file["bom-ref"].as_str().map(str::to_owned));
    let bases = build.materials.iter().filter_map(|material| match material {
        Material::Image { name, digest } => Some(address::of_image(name, digest)),
        _ => None,
    });
    all.insert(IMAGE.to_owned(), own.chain(bases).collect());
    let origins = origins(build.materials);
    for material in build.materials {
        let (Material::Converted { from, made, .. } | Material::Quantized { from, made, .. }) =
            material
        else {
            continue;
        };
        let on = all.entry(made.to_string()).or_default();
        on.extend(from.iter().filter_map(|content| origins.get(&content.digest).cloned()));
        on.push(format!("pkg:github/ggml-org/llama.cpp@{}", llama_src::Pin::load().tag));
    }
    let entry = |(reference, mut on): (String, Vec<String>)| {
        on.sort();
        on.dedup();
        let mut entry = Map::from_iter([("ref".to_owned(), Value::from(reference))]);
        entry.insert("dependsOn".to_owned(), on.into());
        Value::Object(entry)
    };
    all.into_iter().map(entry).collect()
}

/// The component that each content is: what a step made, else a file of a source.
fn origins(materials: &[Material]) -> BTreeMap<Digest, String> {
    let mut origins = BTreeMap::new();
    for material in materials {
        match material {
            Material::Converted { made, .. } | Material::Quantized { made, .. } => {
                origins.insert(*made, made.to_string());
            }
            _ => {
                let component = source(material).unwrap_or_default();
                let reference = component["bom-ref"].as_str().unwrap_or_default();
                let (Material::Local { files, .. }
                | Material::HuggingFace { files, .. }
                | Material::Git { files, .. }
                | Material::Http { files, .. }) = material
                else {
                    continue;
                };
                let has_files = component["components"].is_array();
                for file in files {
                    let own = format!("{reference}#{}", file.path);
                    let name = if has_files { own } else { reference.to_owned() };
                    origins.entry(file.digest).or_insert(name);
                }
            }
        }
    }
    origins
}
