//! From archives to names: digests first, names last, and only forward.

use serde_json::{Value, json};
use sha2::Digest as _;

use super::super::tags::Kind;
use super::names::keeps;
use super::*;

fn release(semver: Option<&str>) -> Release {
    Release {
        registry: "ghcr.io/me".to_owned(),
        identity: Identity {
            version: "2508201420-abc1234".into(),
            commit: "abc1234567890abcdef1234567890abcdef12345".into(),
            timestamp: "2508201420".into(),
            branch: "main".into(),
            epoch: 1_755_699_600,
        },
        semver: semver.map(|version| Semver::parse(version).unwrap()),
        source: None,
    }
}

fn built() -> Vec<Built> {
    let rows = product::variant::matrix().into_iter();
    let rows = rows.filter(|row| row.variant == product::variant::Variant::Cpu);
    rows.map(|row| of(Of::Server { row, minimal: false }, "")).collect()
}

fn of(of: Of, name: &str) -> Built {
    Built {
        archive: format!("{}{name}.tar", of.platform().replace('/', "-")).into(),
        papers: [("spdxjson", "x.spdx.json".into()), ("openvex", "x.openvex.json".into())],
        of,
    }
}

#[test]
fn the_packer_has_one_repository_and_names_of_its_own() {
    let release = release(Some("1.2.3"));
    let built = ["linux/amd64", "linux/arm64"].map(|platform| of(Of::Packer(platform), "-packer"));
    let push = push(&release, &built, Path::new("indexes"), &read).unwrap();
    let scanned: Vec<&str> = push.scan.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(scanned, ["gguf-packer-amd64", "gguf-packer-arm64"]);
    for line in push.lines.iter().chain(&push.sign) {
        let to = line.0.last().unwrap();
        assert!(to.contains("ghcr.io/me/gguf-packer@sha256:"), "{to}");
    }
    // The index of both, which is signed with its platforms, and one for each alone.
    let recursive = push.sign.iter().filter(|line| line.0.contains(&"--recursive".to_owned()));
    assert_eq!((recursive.count(), push.pushed.len()), (1, 3));
    let named = name(&release, &push.pushed, &nobody).unwrap();
    let document: Value = serde_json::from_str(&named.document).unwrap();
    let tags = |at: usize| -> Vec<&str> {
        let tags = document["images"][at]["tags"].as_array().unwrap().iter();
        tags.map(|tag| tag.as_str().unwrap().strip_prefix("ghcr.io/me/gguf-packer:").unwrap())
            .collect()
    };
    assert_eq!(tags(0), ["2508201420-abc1234", "1.2.3", "1.2", "1", "latest"]);
    assert_eq!(tags(1)[4], "latest-amd64");
    assert_eq!(document["images"][0]["variant"], "gguf-packer");
    // A version's names are given once, the others only forward.
    let newer = now("other", "2099-01-01T00:00:00Z", Some("9.0.0"));
    let named = name(&release, &push.pushed, &|_| Ok(Some(newer.clone()))).unwrap();
    assert!(named.lines.is_empty(), "{:?}", named.lines);
    assert!(
        named.kept.contains(&"ghcr.io/me/gguf-packer:1.2.3: a full version never moves".to_owned())
    );
}

fn read(archive: &Path) -> Result<Descriptor> {
    let name = archive.file_stem().unwrap().to_string_lossy().into_owned();
    let digest = |what: &str| format!("sha256:{what}-{name}");
    let entries = vec![json!({ "digest": digest("image"), "platform": { "os": "linux" } })];
    Ok(Descriptor { digest: digest("all"), image: digest("image"), entries })
}

fn pushed(release: &Release) -> Push {
    push(release, &built(), Path::new("indexes"), &read).unwrap()
}

#[test]
fn everything_is_pushed_by_digest_and_every_repository_is_signed() {
    let release = release(None);
    let push = pushed(&release);
    for line in &push.lines {
        let to = line.0.last().unwrap();
        assert!(to.starts_with("docker://ghcr.io/me/") && to.contains("@sha256:"), "{to}");
    }
    let signed = |what: &str| push.sign.iter().any(|line| line.0.join(" ").contains(what));
    // All platforms, their index, and an index for each alone; in both repositories.
    let all = product::arch::Arch::ALL.len();
    let whole = &push.pushed.iter().find(|one| one.platforms.len() == all).unwrap().digest;
    for repository in ["ghcr.io/me/llama-cpp-cpu", "ghcr.io/me/llama-cpp"] {
        assert!(signed(&format!("sign --yes --recursive {repository}@{whole}")), "{:?}", push.sign);
        for kind in ["spdxjson", "openvex"] {
            assert!(signed(&format!("attest --yes --type {kind}")), "{:?}", push.sign);
        }
    }
    assert_eq!(push.pushed.len(), all + 1);
    // An index in a layout is what its digest says.
    for (path, text) in
        push.files.iter().filter(|(path, _)| path.to_string_lossy().contains("blobs"))
    {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        assert_eq!(name, llama_src::tree::hex(&sha2::Sha256::digest(text)));
    }
    assert_eq!(push.scan.len(), all);
    assert!(
        push.scan.iter().all(|one| one.image.contains("@sha256:image-linux-")),
        "{:?}",
        push.scan
    );
}

#[test]
fn what_is_named_is_what_was_pushed() {
    let release = release(None);
    let push = pushed(&release);
    let named = name(&release, &push.pushed, &nobody).unwrap();
    assert!(named.kept.is_empty());
    for line in &named.lines {
        let from = &line.0[line.0.len() - 2];
        assert!(push.pushed.iter().any(|one| from.ends_with(&one.digest)), "{line:?}");
        let to = line.0.last().unwrap();
        assert!(!to.contains('@') && to.rsplit('/').next().unwrap().contains(':'), "{to}");
    }
    let document: Value = serde_json::from_str(&named.document).unwrap();
    let tags = document["images"][0]["tags"].as_array().unwrap();
    assert!(tags.iter().any(|tag| tag == "ghcr.io/me/llama-cpp-cpu:latest"), "{tags:?}");
}

/// What has a name now, from its raw manifest.
fn now(digest_of: &str, created: &str, release: Option<&str>) -> Current {
    let own = format!("{}release", super::super::labels::OWN);
    let mut annotations = json!({ "org.opencontainers.image.created": created, "x": digest_of });
    if let Some(release) = release {
        annotations[own] = release.into();
    }
    Current::read(&json!({ "annotations": annotations }).to_string())
}

#[test]
fn names_move_forward_and_those_of_versions_never() {
    let old = now("old", "2025-01-01T00:00:00Z", Some("1.2.3"));
    let new = now("new", "2025-02-01T00:00:00Z", Some("1.2.4"));
    for kind in [Kind::Once, Kind::Line, Kind::Newest] {
        assert_eq!(keeps(kind, None, &new), None, "nobody has it");
        assert_eq!(keeps(kind, Some(&new), &new), Some("it is already this image"));
    }
    assert_eq!(keeps(Kind::Once, Some(&old), &new), Some("a full version never moves"));
    assert_eq!(keeps(Kind::Line, Some(&old), &new), None);
    assert_eq!(keeps(Kind::Line, Some(&new), &old), Some("it is on a newer release"));
    assert_eq!(keeps(Kind::Newest, Some(&old), &new), None);
    assert_eq!(keeps(Kind::Newest, Some(&new), &old), Some("it is on a newer commit"));
}

#[test]
fn a_name_that_cannot_be_asked_for_moves_nowhere() {
    let release = release(Some("1.2.3"));
    let push = pushed(&release);
    let silent = |_: &str| anyhow::bail!("no answer");
    assert!(name(&release, &push.pushed, &silent).is_err());
    let newer = now("other", "2099-01-01T00:00:00Z", Some("9.0.0"));
    let named = name(&release, &push.pushed, &|_| Ok(Some(newer.clone()))).unwrap();
    assert!(named.lines.is_empty(), "{:?}", named.lines);
    assert!(
        named.kept.iter().any(|why| why.ends_with("latest: it is on a newer commit")),
        "{:?}",
        named.kept
    );
}
