//! What is broken, cut off or in the way.

use super::*;

#[test]
fn what_is_broken_is_refused_and_nothing_of_it_is_an_image() {
    let from = Fixture::new();
    let images = [from.image(&["qwen2:tiny"])];
    let path = from.path("x.tar");
    save(&from.store, &saved(&images), Format::OciArchive, &path).unwrap();
    let files = entries(&path);
    let refused = |files: &[(String, Vec<u8>)]| {
        let to = Fixture::new();
        let path = to.path("broken.tar");
        pack(&path, files);
        let error = load(&to.store, &path).unwrap_err().to_string();
        assert!(to.store.images().unwrap().is_empty());
        error.replace(&path.display().to_string(), "FILE")
    };
    let layer = format!("blobs/sha256/{}", images[0].0.layers[1].diff_id.hex());
    let without: Vec<_> = files.iter().filter(|(name, _)| *name != layer).cloned().collect();
    let expected = format!(
        "cannot load FILE: the archive is incomplete: {layer} is missing\n  hint: save the image \
        again"
    );
    assert_eq!(refused(&without), expected);

    let mut changed = files.clone();
    changed
        .iter_mut()
        .filter(|(name, _)| *name == layer)
        .for_each(|(_, content)| content[600] ^= 1);
    assert!(
        refused(&changed).contains("the layer has the digest sha256:"),
        "{}",
        refused(&changed)
    );

    let config = format!("blobs/sha256/{}", images[0].0.id.hex());
    let mut changed = files.clone();
    changed
        .iter_mut()
        .filter(|(name, _)| *name == config)
        .for_each(|(_, content)| content.push(b' '));
    assert!(
        refused(&changed).contains(&format!("{config} has the wrong digest sha256:")),
        "{}",
        refused(&changed)
    );

    let expected = "cannot load FILE: it contains no image: index.json and manifest.json are \
        missing\n  hint: load the output of docker save, gguf-packer save, or skopeo copy … \
        oci-archive:FILE";
    assert_eq!(refused(&[("x".to_owned(), vec![])]), expected);
}

#[test]
fn an_archive_that_was_cut_off_is_refused() {
    let from = Fixture::new();
    let path = from.path("x.tar");
    save(&from.store, &saved(&[from.image(&[])]), Format::OciArchive, &path).unwrap();
    let whole = fs::read(&path).unwrap();
    let cut = from.path("cut.tar");
    fs::write(&cut, &whole[..whole.len() - 2048]).unwrap();
    let error = load(&Fixture::new().store, &cut).unwrap_err().to_string();
    assert!(error.contains("cut.tar is truncated: it has "), "{error}");
}

#[test]
fn a_folder_with_other_files_is_left_alone() {
    let from = Fixture::new();
    let images = [from.image(&["qwen2:tiny"])];
    let folder = from.path("mine");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("thesis.txt"), "x").unwrap();
    let error =
        save(&from.store, &saved(&images), Format::OciDir, &folder).unwrap_err().to_string();
    assert!(error.contains("mine is not empty, and is not an OCI layout"), "{error}");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    // What a killed process began with is no other file.
    fs::rename(folder.join("thesis.txt"), folder.join(".oci-layout.part")).unwrap();
    for _ in 0..2 {
        save(&from.store, &saved(&images), Format::OciDir, &folder).unwrap();
    }
    assert_eq!(fs::read_dir(folder.join("blobs/sha256")).unwrap().count(), 5 + 2);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 3);
}

/// Same size, another content: nobody but the digest can tell.
#[test]
fn a_corrupt_content_is_told_and_not_saved() {
    let from = Fixture::new();
    let (image, names) = from.image(&["qwen2:tiny", "q:2"]);
    let blob = from.store.blob_path(&Digest::of("b"));
    fs::remove_file(&blob).unwrap();
    fs::write(&blob, "c").unwrap();
    let layer = image.layers[1].diff_id;
    let items = saved(&[(image, names)]);
    let expected = format!(
        "the layer {layer} is corrupt (needed by q:2, qwen2:tiny)\n  \
        hint: gguf-packer remove q:2 qwen2:tiny && gguf-packer prune\n  \
        hint: then pull or build again what was removed"
    );
    for format in [Format::OciDir, Format::OciArchive, Format::DockerArchive] {
        let path = from.path(&format!("{format:?}"));
        let error = save(&from.store, &items, format, &path).unwrap_err().to_string();
        assert_eq!(error.trim_end(), expected, "{format:?}");
        assert!(format == Format::OciDir || !path.exists());
        assert!(!from.path(&format!(".{format:?}.part")).exists());
    }
    let blobs = from.path("OciDir").join("blobs/sha256");
    assert!(!blobs.join(layer.hex()).exists() && !blobs.join("../../index.json").exists());
    // What an older save left there is replaced.
    fs::write(&blob, "b").unwrap();
    let size = usize::try_from(from.store.layer(&layer).unwrap().unwrap().size).unwrap();
    fs::write(blobs.join(layer.hex()), vec![0; size]).unwrap();
    save(&from.store, &items, Format::OciDir, &from.path("OciDir")).unwrap();
    assert_eq!(Digest::of(fs::read(blobs.join(layer.hex())).unwrap()), layer);
}

#[test]
fn an_archive_that_cannot_be_written_leaves_nothing() {
    let from = Fixture::new();
    let (mut image, names) = from.image(&["qwen2:tiny"]);
    image.layers[1].diff_id = Digest::of("lost");
    let path = from.path("x.tar");
    assert!(save(&from.store, &saved(&[(image, names)]), Format::OciArchive, &path).is_err());
    assert!(!path.exists() && !from.path(".x.tar.part").exists());
}
