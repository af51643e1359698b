//! The archives of a release, and what lies beside each.

use super::*;

#[test]
fn every_row_has_an_archive_with_a_sum_a_signature_and_its_papers() {
    let archives = archives("1.2.3");
    let jobs = jobs::all(&Policy { packs: true, ..Policy::default() });
    assert_eq!(archives.len(), jobs.len());
    let cpu = "dist/release/archives/llama-server-1.2.3-cpu-x86_64-unknown-linux-gnu";
    assert!(archives.contains(&format!("{cpu}.tar.gz")), "{archives:?}");
    let assets = assets("1.2.3");
    for ending in [".tar.gz", ".tar.gz.sha256", ".tar.gz.sigstore", ".spdx.json", ".openvex.json"] {
        assert!(assets.contains(&format!("{cpu}{ending}")), "{ending}: {assets:?}");
    }
    assert_eq!(assets.len(), 5 * archives.len());
    let signed: Vec<String> = signs("1.2.3").iter().map(|line| line.0.join(" ")).collect();
    for archive in &archives {
        let line = format!("sign-blob --yes --bundle {archive}.sigstore {archive}");
        assert!(signed.contains(&line), "{signed:?}");
    }
}

#[test]
fn a_release_is_a_draft_until_all_of_it_is_there() {
    let shown = |version: &str| {
        let lines = lines(version);
        let [create, edit] = &lines[..] else { panic!("{lines:?}") };
        assert!(assets(version).iter().all(|asset| create.0.contains(asset)));
        assert_eq!(edit.0.join(" "), format!("gh release edit v{version} --draft=false"));
        create.0.iter().filter(|word| !word.contains('/')).cloned().collect::<Vec<_>>().join(" ")
    };
    let words = "--draft --verify-tag --generate-notes --title";
    assert_eq!(shown("1.2.3"), format!("gh release create v1.2.3 {words} v1.2.3"));
    assert!(shown("1.2.3-rc.1").ends_with("v1.2.3-rc.1 --prerelease"));
}

#[test]
fn what_is_missing_is_named_before_anything_is_published() {
    let error = check("0.0.0-none").unwrap_err().to_string();
    let missing: Vec<String> =
        assets("0.0.0-none").iter().map(|path| format!("no {path}")).collect();
    assert_eq!(error, missing.join("\n"));
}
