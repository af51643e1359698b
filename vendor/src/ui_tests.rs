//! The web UI with a made-up npm.

use std::fs;

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
        executables: Vec::new(),
    };
    let mut request = Request {
        root: at("vendor ü"),
        npm: at("npm").into(),
        fetches: true,
        ..Request::default()
    };
    request.pin.ui_mirrors.clear();
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

/// A build that `cargo xtask` started waits for the page that `cargo xtask` builds, with a Node.js of its own.
#[cfg(unix)]
#[test]
fn who_has_no_npm_waits_for_another_who_has() {
    let script = format!("sleep 1; mkdir -p dist/_app && cd dist && touch {FILES}");
    let (_dir, tree, request) = set_up(&script);
    let without = Request { npm: "/no/such/npm".into(), ..request.clone() };
    assert_eq!(Ui::is_for_npm(&tree, &request), Ok(true));
    assert_eq!(Ui::is_for_npm(&tree, &without), Err(NoUi::NoNpm));
    let offline = Request { offline: true, ..without.clone() };
    assert_eq!(Ui::is_for_npm(&tree, &offline), Ok(false));
    assert!(!Ui::is_kept(&tree, &request));
    std::thread::scope(|scope| {
        let other = scope.spawn(|| prepare(&tree, &request).unwrap());
        while !request.root.join(".ui.new/src").exists() && !other.is_finished() {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        assert_eq!(prepare(&tree, &without).unwrap(), other.join().unwrap());
    });
    assert!(Ui::is_kept(&tree, &without));
    assert_eq!(Ui::is_for_npm(&tree, &without), Ok(false));
}

#[cfg(unix)]
#[test]
fn pages_of_other_sources_are_removed() {
    let script = format!("mkdir -p dist/_app && cd dist && touch {FILES}");
    let (_dir, mut tree, request) = set_up(&script);
    Ui::remove_others(&tree, &request).unwrap();
    let ui = prepare(&tree, &request).unwrap();
    let other = ui.dir.with_file_name("b1-0");
    fs::create_dir_all(other.join("_app")).unwrap();
    tree.verified = false;
    Ui::remove_others(&tree, &request).unwrap();
    assert!(other.exists(), "a source of one's own is used for a while");
    tree.verified = true;
    Ui::remove_others(&tree, &request).unwrap();
    assert!(!other.exists() && Ui::is_kept(&tree, &request));
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
        assert_eq!(npm::is_for_npm(name), told, "{name}");
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
        "web UI not found, and offline mode is on\n  hint: fetch it on a machine with a network: \
        build again\n  hint: or use an archive of it: \
        LLAMA_SYS_UI_ARCHIVE=/path/to/llama-ui.tar.gz"
    );
}

#[cfg(unix)]
#[test]
fn npm_is_not_called_without_the_feature_that_allows_a_network() {
    let (dir, tree, mut request) =
        set_up(&format!("mkdir -p dist/_app && cd dist && touch {FILES}"));
    request.fetches = false;
    assert_eq!(Ui::is_for_npm(&tree, &request), Ok(false));
    let Err(NoUi::Failed(error)) = prepare(&tree, &request) else { panic!() };
    assert_eq!(
        error.to_string(),
        "web UI not found, and this build cannot download it (feature `fetch` is off)\n  hint: add \
        the feature `fetch`: cargo build --features llama-sys/fetch\n  hint: or use an archive of \
        it: LLAMA_SYS_UI_ARCHIVE=/path/to/llama-ui.tar.gz"
    );
    assert!(!dir.path().join("calls").exists(), "npm was called");
    // What is there is used.
    request.fetches = true;
    let built = prepare(&tree, &request).unwrap();
    request.fetches = false;
    assert_eq!(prepare(&tree, &request).unwrap(), built);
}

#[cfg(unix)]
#[test]
fn half_a_page_is_no_page() {
    let script = FILES.replace("sw.js", "").replace("_app/bundle.y.css", "");
    let (_dir, tree, request) = set_up(&format!("mkdir -p dist/_app && cd dist && touch {script}"));
    let Err(NoUi::Failed(error)) = prepare(&tree, &request) else { panic!() };
    let dist = request.root.join(".ui.new/dist");
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
            "source of the web UI not found in {at}\n  looked in: {at}/tools/ui/package.json\n  \
            hint: fetch the whole release: cargo xtask vendor --force"
        )
    );
}

#[test]
fn an_old_node_is_told_before_it_fails() {
    let request = Request { root: "nowhere/vendor".into(), ..Request::default() };
    assert!(npm::check_node(&request, "v20.19.2\n").is_ok());
    assert!(npm::check_node(&request, "v24.1.0\n").is_ok());
    assert!(npm::check_node(&request, "not a version").is_ok());
    let error = npm::check_node(&request, "v18.20.4\n").unwrap_err();
    assert_eq!(
        error.to_string(),
        "Node.js is too old: the web UI needs 20.19 or 22.12, but this is 18.20.4\n  hint: \
        install a newer Node.js, then: build again"
    );
}

/// A `.tar.gz` with a page of these files in one folder; each has its own name for content.
#[cfg(unix)]
fn archive(files: &str) -> (tempfile::TempDir, PathBuf, String) {
    let dir = tempfile::tempdir().unwrap();
    let page = dir.path().join("page");
    for file in files.split_whitespace() {
        let at = page.join(file);
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        fs::write(at, file).unwrap();
    }
    let gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut tar = tar::Builder::new(gz);
    tar.append_dir_all("llama-ui-b1", &page).unwrap();
    let path = dir.path().join("page.tar.gz");
    fs::write(&path, tar.into_inner().unwrap().finish().unwrap()).unwrap();
    let id = page::id(&page).unwrap();
    (dir, path, id)
}

#[cfg(unix)]
#[test]
fn an_archive_that_the_pin_proves_needs_no_npm_and_no_network() {
    let (_dir, tree, mut request) = set_up("exit 1");
    let (_archive, path, id) = archive(FILES);
    request.npm = "no-such-npm".into();
    request.offline = true;
    request.ui_archive = Some(path.clone());
    request.pin.ui_page_tree = id.clone();
    request.ui_cache = Some(_dir.path().join("shared"));
    let ui = prepare(&tree, &request).unwrap();
    assert!(ui.pinned && fs::read_to_string(ui.dir.join("sw.js")).unwrap() == "sw.js");
    // The other clone of it knows it by the pin alone, without a note.
    fs::remove_dir_all(request.root.join("ui")).unwrap();
    request.ui_archive = None;
    assert!(prepare(&tree, &request).unwrap().pinned);
    // Another page is none, whoever names it.
    let (_other, other, found) = archive(&format!("{FILES} more.js"));
    fs::remove_dir_all(request.root.join("ui")).unwrap();
    request.ui_cache = None;
    request.ui_archive = Some(other.clone());
    let Err(NoUi::Failed(error)) = prepare(&tree, &request) else { panic!() };
    let other = other.display();
    assert_eq!(
        error.to_string(),
        format!(
            "LLAMA_SYS_UI_ARCHIVE={other}: wrong git tree: it is {found}, but the pin names \
            {id}"
        )
    );
    assert!(!request.root.join("ui").exists() && !request.root.join(".ui.new").exists());
}

/// A flipped byte, with the time that the file had.
#[cfg(unix)]
fn flip(file: &Path) {
    let (mut bytes, time) = (fs::read(file).unwrap(), file.metadata().unwrap().modified().unwrap());
    bytes[0] ^= 1;
    fs::write(file, bytes).unwrap();
    fs::File::options().append(true).open(file).unwrap().set_modified(time).unwrap();
}

#[cfg(unix)]
#[test]
fn a_page_in_which_a_byte_was_changed_is_brought_again() {
    let script =
        format!("mkdir -p dist/_app && cd dist && for f in {FILES}; do echo $f > $f; done");
    for (pinned, script) in [(true, "exit 1".to_owned()), (false, script)] {
        let (_dir, tree, mut request) = set_up(&script);
        let (_archive, path, id) = archive(FILES);
        if pinned {
            request.ui_archive = Some(path);
            request.pin.ui_page_tree = id;
        }
        let ui = prepare(&tree, &request).unwrap();
        assert_eq!(ui.pinned, pinned);
        flip(&ui.dir.join("sw.js"));
        let mut said = Vec::new();
        let again = Ui::prepare(&tree, &request, &mut |news| {
            if let Progress::Say(text) = news {
                said.push(text.to_owned());
            }
        });
        assert_eq!(again.unwrap(), ui);
        let text = format!("ignored {}: it was changed after it was built", ui.dir.display());
        assert_eq!(said[0], text);
        assert_eq!(fs::read_to_string(ui.dir.join("sw.js")).unwrap().trim(), "sw.js");
        // Where nothing can bring it there is none.
        flip(&ui.dir.join("sw.js"));
        let nowhere = Request { offline: true, ui_archive: None, ..request };
        assert!(matches!(prepare(&tree, &nowhere), Err(NoUi::Failed(_))));
    }
}
