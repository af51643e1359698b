//! Tests of the document, on made-up components.

use super::*;
use crate::component::{PACKER, SERVER, Text};
use product::manifest::{LlamaCpp, SCHEMA};

pub fn manifest() -> Manifest {
    Manifest {
        version: "2601150800-abc1234".into(),
        commit: "abc1234".into(),
        timestamp: "2601150800".into(),
        variant: "cuda".into(),
        branch: "main".into(),
        schema: SCHEMA,
        source_date_epoch: 1_800_000_000,
        llama_cpp: LlamaCpp {
            tag: "b1".into(),
            build_number: 1,
            version: "1.2.3".into(),
            tree: "ee32".into(),
            verified: true,
            patches: Vec::new(),
        },
        target: "x86_64-unknown-linux-gnu".into(),
        flags: BTreeMap::new(),
        tools: BTreeMap::new(),
        toolkit: None,
        gpu_architectures: Vec::new(),
        minimum_driver: None,
        cpu_variants: Vec::new(),
        symbol_versions: BTreeMap::new(),
        files: BTreeMap::new(),
    }
}

fn part(group: Group, name: &str, license: &str) -> Component {
    Component { version: Some("1.0+x".into()), ..Component::new(group, name, license) }
}

fn parts() -> Vec<Component> {
    let cublas = Component {
        supplier: Some("NVIDIA Corporation".into()),
        texts: vec![Text { path: "vendor/cublas.txt".into(), content: "terms\n".into() }],
        files: vec!["libcublas.so.13".into(), "cublas".into()],
        ..part(Group::Vendor, "cublas", "LicenseRef-NVIDIA")
    };
    vec![
        part(Group::Own, SERVER.package, "MIT"),
        part(Group::Crate, "rustix", "MIT"),
        Component { purl: Some("pkg:x".into()), ..part(Group::Upstream, "llama.cpp", "MIT") },
        Component { version: None, ..part(Group::Carried, "stb_image", "MIT OR Unlicense") },
        part(Group::WebUi, "llama-ui", "MIT"),
        part(Group::Page, "@s/a", "MIT"),
        cublas,
        part(Group::Vendor, "cccl", "(LicenseRef-NVIDIA AND MIT)"),
    ]
}

const PATHS: &[&str] =
    &["cublas/a.dat", "libcublas.so.13", "licenses/a", "llama-healthcheck", "llama-server"];

fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for path in PATHS {
        fs::create_dir_all(dir.path().join(path).parent().unwrap()).unwrap();
        fs::write(dir.path().join(path), path).unwrap();
    }
    dir
}

fn written(dir: &Path) -> serde_json::Value {
    write(dir, &manifest(), &parts()).unwrap();
    serde_json::from_str(&fs::read_to_string(dir.join(FILE)).unwrap()).unwrap()
}

#[test]
fn every_file_and_the_document_itself_are_listed() {
    let dir = folder();
    let listed = write(dir.path(), &manifest(), &parts()).unwrap();
    let paths: Vec<&str> = listed.keys().map(String::as_str).collect();
    assert_eq!(paths, [PATHS, &[FILE]].concat());
    let text = fs::read(dir.path().join(FILE)).unwrap();
    let size = text.len() as u64;
    let sha256 = product::files::sha256(&dir.path().join(FILE)).unwrap();
    assert_eq!(listed[FILE], manifest::File::Regular { sha256, size });
}

#[test]
fn the_document_says_whose_it_is() {
    let dir = folder();
    let document = written(dir.path());
    assert_eq!(document["name"], "llama-server 2601150800-abc1234 cuda x86_64-unknown-linux-gnu");
    assert_eq!(document["creationInfo"]["created"], "2027-01-15T08:00:00Z");
    assert_eq!(
        document["creationInfo"]["creators"][0],
        "Tool: cargo-xtask-dist-2601150800-abc1234"
    );
    let namespace = document["documentNamespace"].as_str().unwrap();
    let (start, hash) = namespace.rsplit_once('-').unwrap();
    assert_eq!(
        start,
        "https://spdx.org/spdxdocs/llama-server-2601150800-abc1234-cuda-x86_64-unknown-linux-gnu"
    );
    assert_eq!(hash.len(), 64);
}

#[test]
fn relationships_are_those_of_the_parts() {
    let dir = folder();
    let document = written(dir.path());
    let mut found: Vec<String> = document["relationships"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| {
            let word = |key: &str| r[key].as_str().unwrap().replace("SPDXRef-", "");
            format!(
                "{} {} {}",
                word("spdxElementId"),
                word("relationshipType"),
                word("relatedSpdxElement")
            )
        })
        .collect();
    found.retain(|line| !line.starts_with("Distribution CONTAINS File-"));
    assert_eq!(
        found,
        [
            "DOCUMENT DESCRIBES Distribution",
            "Distribution CONTAINS own-llama-server-bin-1.0-x",
            "Distribution CONTAINS upstream-llama.cpp-1.0-x",
            "Distribution CONTAINS vendor-cublas-1.0-x",
            "File-1 EXPANDED_FROM_ARCHIVE vendor-cublas-1.0-x",
            "File-2 EXPANDED_FROM_ARCHIVE vendor-cublas-1.0-x",
            "File-4 GENERATED_FROM own-llama-server-bin-1.0-x",
            "File-5 GENERATED_FROM upstream-llama.cpp-1.0-x",
            "own-llama-server-bin-1.0-x STATIC_LINK crate-rustix-1.0-x",
            "upstream-llama.cpp-1.0-x CONTAINS carried-stb-image",
            "upstream-llama.cpp-1.0-x CONTAINS web-ui-llama-ui-1.0-x",
            "upstream-llama.cpp-1.0-x DYNAMIC_LINK vendor-cublas-1.0-x",
            "upstream-llama.cpp-1.0-x STATIC_LINK vendor-cccl-1.0-x",
            "web-ui-llama-ui-1.0-x CONTAINS page--s-a-1.0-x",
        ]
    );
}

#[test]
fn a_licence_that_spdx_does_not_list_comes_with_its_text_once() {
    let dir = folder();
    let document = written(dir.path());
    assert_eq!(
        document["hasExtractedLicensingInfos"],
        serde_json::json!([{"licenseId": "LicenseRef-NVIDIA", "extractedText": "terms\n"}])
    );
    assert_eq!(document["packages"][7]["supplier"], "Organization: NVIDIA Corporation");
    assert_eq!(
        document["packages"][0]["licenseDeclared"],
        "((LicenseRef-NVIDIA AND MIT)) AND LicenseRef-NVIDIA AND MIT AND (MIT OR Unlicense)"
    );
}

#[test]
fn the_same_files_give_the_same_bytes_and_others_another_namespace() {
    let (one, two) = (folder(), folder());
    let first = written(one.path());
    // Neither itself nor the manifest, which comes later, is in it.
    fs::write(two.path().join(manifest::FILE), "{}").unwrap();
    written(two.path());
    written(two.path());
    let read = |dir: &Path| fs::read(dir.join(FILE)).unwrap();
    assert_eq!(read(one.path()), read(two.path()));
    fs::write(two.path().join("llama-server"), "other").unwrap();
    let second = written(two.path());
    assert_ne!(first["documentNamespace"], second["documentNamespace"]);
    let code = |document: &serde_json::Value| {
        document["packages"][0]["packageVerificationCode"]["packageVerificationCodeValue"].clone()
    };
    assert_ne!(code(&first), code(&second));
}

#[test]
fn a_component_s_files_are_there() {
    let dir = folder();
    fs::remove_file(dir.path().join("libcublas.so.13")).unwrap();
    fs::remove_dir_all(dir.path().join("cublas")).unwrap();
    assert_eq!(
        write(dir.path(), &manifest(), &parts()).unwrap_err().to_string(),
        "libcublas.so.13 of cublas is not in the distribution\n\
         cublas of cublas is not in the distribution"
    );
}

#[test]
fn the_packer_is_made_of_its_crate_and_every_relation_is_between_parts() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("gguf-packer"), "program").unwrap();
    let manifest = Manifest { variant: "gguf-packer".into(), ..manifest() };
    let parts = [
        part(Group::Own, PACKER.package, "MIT"),
        part(Group::Own, SERVER.package, "MIT"),
        part(Group::Crate, "rustix", "MIT"),
        part(Group::Upstream, "llama.cpp", "MIT"),
        part(Group::Carried, "stb_image", "MIT"),
    ];
    write(dir.path(), &manifest, &parts).unwrap();
    let text = fs::read_to_string(dir.path().join(FILE)).unwrap();
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["name"], "gguf-packer 2601150800-abc1234 x86_64-unknown-linux-gnu");
    assert_eq!(document["packages"][0]["name"], "gguf-packer-x86_64-unknown-linux-gnu");
    let relations = document["relationships"].as_array().unwrap();
    let has = |from: &str, kind: &str, to: &str| {
        relations.iter().any(|one| {
            one["spdxElementId"] == from
                && one["relationshipType"] == kind
                && one["relatedSpdxElement"] == to
        })
    };
    assert!(has(DISTRIBUTION, "CONTAINS", "SPDXRef-own-gguf-packer-1.0-x"), "{relations:?}");
    assert!(has("SPDXRef-File-1", "GENERATED_FROM", "SPDXRef-own-gguf-packer-1.0-x"));
    // The server's library is one of its crates.
    assert!(has(
        "SPDXRef-own-gguf-packer-1.0-x",
        "STATIC_LINK",
        "SPDXRef-own-llama-server-bin-1.0-x"
    ));
    for one in relations {
        for end in ["spdxElementId", "relatedSpdxElement"] {
            assert!(one[end].as_str().unwrap().starts_with("SPDXRef-"), "{one}");
        }
    }
}
