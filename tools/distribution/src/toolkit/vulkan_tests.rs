//! Tests of `vulkan.rs`: versions of headers, compiler and packages, the SDK's shape, what is said.

use super::*;

#[test]
fn versions_are_read_as_they_are_written() {
    assert_eq!(numbers("2025.2-1"), Some([2025, 2, 0]));
    assert_eq!(numbers("1.3.239.0-1"), Some([1, 3, 239]));
    assert_eq!(numbers("1.3.239, 1.3.272 is needed"), Some([1, 3, 239]));
    assert_eq!(numbers("(none)"), None);
}

#[test]
fn what_is_missing_or_too_old_is_told_at_once() {
    let bookworm = Found { headers: Some([1, 3, 239]), glslc: Some([2023, 2, 0]), spirv: true };
    assert_eq!(
        advice(&missing(&bookworm)).to_string(),
        "the variant `vulkan` cannot be built on this machine:\n  \
         Vulkan headers too old: 1.3.239, 1.3.272 is needed\n  \
         glslc too old: 2023.2.0, 2025.2.0 is needed\n  \
         hint: cargo xtask dist --variant vulkan --setup"
    );
    assert_eq!(missing(&Found::default()), ["no Vulkan headers", "no glslc", "no SPIR-V headers"]);
    let trixie = Found { headers: Some([1, 4, 309]), glslc: Some([2025, 2, 0]), spirv: true };
    assert!(missing(&trixie).is_empty());
}

#[test]
fn packages_are_taken_from_apt_where_they_are_new_enough() {
    let policy = |headers: &str, glslc: &str| {
        format!(
            "libvulkan-dev:\n  Installed: (none)\n  Candidate: {headers}\n  Version table:\n\
             glslc:\n  Installed: (none)\n  Candidate: {glslc}\n  Version table:\n"
        )
    };
    assert!(suffices(&policy("1.4.309.0-1", "2025.2-1")));
    assert!(!suffices(&policy("1.3.239.0-1", "2023.2-1")));
    assert!(!suffices(&policy("1.3.275.0-1", "2023.8-1build1")));
    assert!(!suffices(&policy("(none)", "(none)")));
    assert!(!suffices(""));
}

#[cfg(unix)]
#[test]
fn unpacked_packages_become_an_sdk() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    for folder in ["etc/apt", "usr/include/vulkan", "usr/share/cmake"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    let header = root.join("usr/include/vulkan/vulkan_core.h");
    fs::write(header, "void vkCreateInstance(void);").unwrap();
    files::symlink("usr/bin", &root.join("bin")).unwrap();
    arrange(root).unwrap();
    let mut names: Vec<_> = fs::read_dir(root)
        .unwrap()
        .map(|item| item.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert_eq!(names, ["bin", "include", "lib", "share", "usr"]);
    assert!(root.join("include/vulkan").is_dir());
    let mode = fs::metadata(root.join("bin/glslc")).unwrap().permissions().mode();
    assert_eq!(mode & 0o111, 0o111);
}

/// An SDK whose compiler writes down that it was called, and makes of a shader its first line.
#[cfg(target_os = "linux")]
#[test]
fn the_same_shader_is_compiled_once() {
    let dir = tempfile::Builder::new().prefix("sdk ü ").tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    for folder in ["bin", "usr/lib64", "shaders"] {
        fs::create_dir_all(at(folder)).unwrap();
    }
    let loader = at("usr/lib64/ld-linux-x86-64.so.2");
    let compiler = "#!/bin/sh\nshift 3\necho x >> calls\ntest ! -e broken || exit 3\n\
                    while [ \"$1\" != -o ]; do shift; done\nhead -n 1 shaders/a.comp > \"$2\"\n";
    fs::write(&loader, compiler).unwrap();
    files::set_mode(&loader, 0o755).unwrap();
    start_glslc(dir.path()).unwrap();
    fs::write(at("shaders/a.comp"), "one").unwrap();
    fs::write(at("shaders/types.glsl"), "").unwrap();
    let mut expected = 0;
    let mut compile = |options: &[&str], compiles: bool| {
        let words = ["-fshader-stage=compute", "shaders/a.comp", "-o", "out.spv", "-O"];
        let done = Cmd::new(at(GLSLC)).args(words).args(options).dir(dir.path()).run();
        expected += usize::from(compiles);
        assert_eq!(fs::read_to_string(at("calls")).unwrap().len() / 2, expected, "{options:?}");
        done.map(|()| fs::read_to_string(at("out.spv")).unwrap().trim().to_owned())
    };
    assert_eq!(compile(&["-DA=1"], true).unwrap(), "one");
    assert_eq!(compile(&["-DA=1"], false).unwrap(), "one");
    compile(&["-DA=2"], true).unwrap();
    // It writes a second file, which nothing is known of.
    compile(&["-DA=1", "-MD", "-MF", "out.d"], true).unwrap();
    fs::write(at("shaders/types.glsl"), "changed").unwrap();
    compile(&["-DA=1"], true).unwrap();
    fs::write(at("shaders/a.comp"), "two").unwrap();
    fs::write(at("broken"), "").unwrap();
    assert!(compile(&["-DA=1"], true).unwrap_err().to_string().contains("exit status: 3"));
    fs::remove_file(at("broken")).unwrap();
    assert_eq!(compile(&["-DA=1"], true).unwrap(), "two");
    assert_eq!(compile(&["-DA=1"], false).unwrap(), "two");
}
