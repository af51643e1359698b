//! The web UI with a made-up npm.

use super::*;
use crate::Origin;

#[cfg(unix)]
const FILES: &str = "index.html manifest.webmanifest sw.js build.json workbox-1.js \
                     _app/version.json _app/bundle.x.js _app/bundle.y.css";

/// A tree with a `tools/ui`, a vendor folder, and an npm that runs `script` on `npm run build`.
#[cfg(unix)]
fn set_up(script: &str) -> (tempfile::TempDir, SourceTree, Request) {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::Builder::new().prefix("ui ä ").tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::create_dir_all(at("llama.cpp/tools/ui/node_modules")).unwrap();
    fs::write(at("llama.cpp/tools/ui/package.json"), "{}").unwrap();
    fs::write(at("llama.cpp/tools/ui/svelte.config.js"), "upstream's").unwrap();
    let npm = format!(
        "#!/bin/sh\necho \"$@\" >> '{}'\ncase \"$1\" in run) {script};; esac\n",
        at("calls").display()
    );
    fs::write(at("npm"), npm).unwrap();
    fs::set_permissions(at("npm"), fs::Permissions::from_mode(0o755)).unwrap();
    let tree = SourceTree {
        dir: at("llama.cpp"),
        verified: true,
        origin: Origin::Present,
        patches: at("patches"),
        tag: String::new(),
        packaged_tree: String::new(),
    };
    let request = Request { root: at("vendor ü"), npm: at("npm").into(), ..Request::default() };
    (dir, tree, request)
}

#[cfg(unix)]
fn prepare(tree: &SourceTree, request: &Request) -> Result<Ui, NoUi> {
    Ui::prepare(tree, request, &mut |_| ())
}

#[cfg(unix)]
#[test]
fn it_is_built_once_in_a_copy_and_then_kept() {
    let script = format!(
        "test ! -e node_modules && mkdir -p dist/_app && cd dist && touch {FILES} && \
         echo $LLAMA_BUILD_NUMBER > build.json && \
         cat ../svelte.config.js ../svelte.config.own.js > _app/version.json"
    );
    let (dir, tree, mut request) = set_up(&script);
    let ui = prepare(&tree, &request).unwrap();
    let name = format!("{}-{}", request.pin.tag, &request.pin.ui_tree[..12]);
    assert_eq!(ui.dir, request.root.join("ui").join(&name));
    assert_eq!(
        fs::read_to_string(ui.dir.join("_app/version.json")).unwrap(),
        format!(
            "import own from './svelte.config.own.js';\n\
             export default {{ ...own, kit: {{ version: {{ name: '{name}' }}, ...own.kit }} }};\nupstream's"
        )
    );
    assert_eq!(fs::read_to_string(ui.dir.join("build.json")).unwrap().trim(), request.pin.tag);
    assert!(!tree.dir.join("tools/ui/dist").exists() && !request.root.join(".ui.new").exists());
    request.offline = true;
    assert_eq!(prepare(&tree, &request).unwrap(), ui);
    let calls = fs::read_to_string(dir.path().join("calls")).unwrap();
    assert_eq!(calls, "--version\nci --include=dev --no-audit --no-fund\nrun build\n");
}

#[cfg(unix)]
#[test]
fn npm_is_not_told_the_user_s_keys() {
    let script =
        format!("mkdir -p dist/_app && cd dist && touch {FILES} && env > \"${{0%/*}}/seen\"");
    let (dir, tree, request) = set_up(&script);
    prepare(&tree, &request).unwrap();
    let seen = fs::read_to_string(dir.path().join("seen")).unwrap();
    let names: Vec<&str> = seen.lines().filter_map(|line| line.split('=').next()).collect();
    assert!(names.contains(&"PATH") && names.contains(&"LLAMA_BUILD_NUMBER"), "{seen}");
    assert!(!names.contains(&"CARGO_MANIFEST_DIR"), "{seen}");
    for (name, told) in [
        ("PATH", true),
        ("npm_config_registry", true),
        ("NPM_TOKEN", true),
        ("https_proxy", true),
        ("LC_ALL", true),
        ("LLAMA_API_KEY", false),
        ("HF_TOKEN", false),
        ("GITHUB_TOKEN", false),
        ("AWS_SECRET_ACCESS_KEY", false),
        ("CARGO_REGISTRY_TOKEN", false),
        ("SSH_AUTH_SOCK", false),
    ] {
        assert_eq!(is_for_npm(name), told, "{name}");
    }
}

#[cfg(unix)]
#[test]
fn another_clone_takes_it_from_the_folder_that_both_know() {
    let script = format!("mkdir -p dist/_app && cd dist && touch {FILES}");
    let (dir, tree, mut request) = set_up(&script);
    request.ui_cache = Some(dir.path().join("shared"));
    let name = prepare(&tree, &request).unwrap().dir.file_name().unwrap().to_owned();
    let (_other, tree, of_other) = set_up("exit 1");
    let other = Request {
        ui_cache: request.ui_cache.clone(),
        npm: "no-such-npm".into(),
        offline: true,
        ..of_other
    };
    assert_eq!(prepare(&tree, &other).unwrap().dir, other.root.join("ui").join(&name));
    // A damaged one counts for nothing.
    fs::remove_file(dir.path().join("shared").join(&name).join("sw.js")).unwrap();
    fs::remove_dir_all(other.root.join("ui")).unwrap();
    let other = Request { offline: false, ..other };
    assert_eq!(prepare(&tree, &other), Err(NoUi::NoNpm));
}

#[cfg(unix)]
#[test]
fn no_npm_is_told_apart_from_a_failed_build() {
    let (_dir, tree, mut request) = set_up("echo no memory; exit 7");
    let Err(NoUi::Failed(error)) = prepare(&tree, &request) else { panic!() };
    let error = error.to_string();
    assert!(error.starts_with("a command failed with exit status: 7: cd "), "{error}");
    assert!(
        error.contains("npm_config_fetch_retries=1") && error.contains("\n  | no memory\n"),
        "{error}"
    );
    assert!(
        error.contains(&format!("the whole log is {}", request.root.join(".ui.log").display()))
    );
    assert!(!request.root.join("ui").exists() && !request.root.join(".ui.new").exists());
    request.npm = "no-such-npm".into();
    assert_eq!(prepare(&tree, &request), Err(NoUi::NoNpm));
    request.offline = true;
    let Err(NoUi::Failed(error)) = prepare(&tree, &request) else { panic!() };
    assert_eq!(
        error.to_string(),
        "the web UI is not built yet, and offline mode is on\n  \
         hint: build it with a network: build again"
    );
}

#[cfg(unix)]
#[test]
fn half_a_page_is_no_page() {
    let script = FILES.replace("sw.js", "").replace("_app/bundle.y.css", "");
    let (_dir, tree, request) = set_up(&format!("mkdir -p dist/_app && cd dist && touch {script}"));
    let Err(NoUi::Failed(error)) = prepare(&tree, &request) else { panic!() };
    let dist = request.root.join(".ui.new/src/dist");
    assert_eq!(
        error.to_string(),
        format!("the web UI in {} lacks sw*.js, bundle*.css", dist.display())
    );
}

#[cfg(unix)]
#[test]
fn a_published_crate_without_a_built_page_says_how_to_get_one() {
    let (_dir, tree, request) = set_up("exit 1");
    fs::remove_file(tree.dir.join("tools/ui/package.json")).unwrap();
    let Err(NoUi::Failed(error)) = prepare(&tree, &request) else { panic!() };
    let at = tree.dir.display();
    assert_eq!(
        error.to_string(),
        format!(
            "no source of the web UI in {at}\n  looked in: {at}/tools/ui/package.json\n  \
             hint: fetch the whole release: cargo xtask vendor --force"
        )
    );
}

#[test]
fn an_old_node_is_told_before_it_fails() {
    let request = Request { root: "nowhere/vendor".into(), ..Request::default() };
    assert!(check_node(&request, "v20.19.2\n").is_ok());
    assert!(check_node(&request, "v24.1.0\n").is_ok());
    assert!(check_node(&request, "not a version").is_ok());
    let Err(NoUi::Failed(error)) = check_node(&request, "v18.20.4\n") else {
        panic!("18 is too old")
    };
    assert_eq!(
        error.to_string(),
        "the web UI needs Node.js 20.19, this is 18.20.4\n  hint: install a newer Node.js, then: build again"
    );
}
