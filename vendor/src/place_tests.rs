//! Folders and files that take their place whole, and no others.

use super::*;

#[test]
fn a_finished_folder_replaces_the_old_one_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let lock = Lock::acquire(dir.path(), &mut |_| ()).unwrap();
    fs::create_dir_all(dir.path().join(".x.new/leftover")).unwrap();
    fs::create_dir_all(dir.path().join("x/old")).unwrap();
    let staging = Staging::new(&lock, "x").unwrap();
    let from = staging.dir().join("tree");
    fs::create_dir(&from).unwrap();
    fs::write(from.join("file"), "new").unwrap();
    staging.publish(&from, &dir.path().join("x")).unwrap();
    drop(staging);
    let mut names: Vec<_> =
        fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, [".lock", "x"]);
    assert!(!dir.path().join("x/old").exists() && dir.path().join("x/file").exists());
}

#[test]
fn nowhere_to_write_tells_every_place_and_the_way_out() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Lock::first(&[file.join("a"), file.join("b")], &mut |_| ()).unwrap_err();
    assert_eq!(
        error.to_string().replace(&file.display().to_string(), "F"),
        "no folder to put llama.cpp in can be written\n\
         \x20 | F/a: Not a directory (os error 20)\n\
         \x20 | F/b: Not a directory (os error 20)\n\
         \x20 hint: name a folder for it: LLAMA_SYS_CACHE_DIR=/path/to/cache"
    );
}

/// The names in `dir` but for the lock's.
fn names(dir: &Path) -> Vec<String> {
    let items = fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = items.filter(|name| name != ".lock").collect();
    names.sort();
    names
}

#[test]
fn what_was_there_is_put_back_when_the_new_one_cannot_take_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let lock = Lock::acquire(dir.path(), &mut |_| ()).unwrap();
    fs::create_dir_all(dir.path().join("x/old")).unwrap();
    let staging = Staging::new(&lock, "x").unwrap();
    let from = staging.dir().join("never made");
    let to = dir.path().join("x");
    let error = staging.rename(&from, &to).unwrap_err().to_string();
    assert!(error.starts_with(&format!("cannot rename to {}: ", to.display())), "{error}");
    drop(staging);
    assert_eq!(names(dir.path()), ["x"]);
    assert!(to.join("old").is_dir());
}

#[test]
fn what_was_there_is_kept_beside_when_its_name_was_taken() {
    let dir = tempfile::tempdir().unwrap();
    let [old, to] = ["old", "x"].map(|name| dir.path().join(name));
    fs::create_dir_all(old.join("mine")).unwrap();
    fs::create_dir_all(to.join("of somebody else")).unwrap();
    let error = put_back(&old, &to, Error::new("it failed")).to_string();
    let kept = dir.path().join("x.old");
    let start = format!("it failed\n  hint: what was there is in {}: ", kept.display());
    assert!(error.starts_with(&start), "{error}");
    assert!(kept.join("mine").is_dir());
}

#[cfg(unix)]
#[test]
fn a_lock_does_not_follow_a_link() {
    let dir = tempfile::tempdir().unwrap();
    let elsewhere = dir.path().join("elsewhere");
    std::os::unix::fs::symlink(&elsewhere, dir.path().join(".lock")).unwrap();
    let error = Lock::acquire(dir.path(), &mut |_| ()).unwrap_err();
    assert!(error.to_string().contains("symbolic links"), "{error}");
    assert!(!elsewhere.exists());
}

#[cfg(unix)]
#[test]
fn a_small_file_is_written_past_a_link_that_was_put_in_its_way() {
    let dir = tempfile::tempdir().unwrap();
    let [other, note] = ["other", "note"].map(|name| dir.path().join(name));
    fs::write(&other, "mine").unwrap();
    let aside = dir.path().join(format!("note.{}", std::process::id()));
    std::os::unix::fs::symlink(&other, &aside).unwrap();
    write_whole(&note, "text").unwrap();
    assert_eq!(fs::read_to_string(&note).unwrap(), "text");
    assert_eq!(fs::read_to_string(&other).unwrap(), "mine");
    assert_eq!(names(dir.path()), ["note", "other"]);
}

/// Only root can give a folder away; `cargo xtask test` says at its end what it left out.
#[cfg(unix)]
#[test]
fn a_cache_of_another_user_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let theirs = dir.path().join("theirs");
    fs::create_dir(&theirs).unwrap();
    if let Err(error) = std::os::unix::fs::chown(&theirs, Some(4711), None) {
        #[expect(clippy::disallowed_methods, reason = "CI must not pass by skipping")]
        let [ci, left_out] = ["CI", "LLAMA_TEST_LEFT_OUT"].map(std::env::var_os);
        let Some(file) = left_out else {
            assert!(ci.is_none(), "needs root: {error}");
            return println!("skipped, needs root: {error}");
        };
        let line = "the test a_cache_of_another_user_is_refused: it needs root\n";
        let file = fs::File::options().create(true).append(true).open(file);
        return file.and_then(|mut file| file.write_all(line.as_bytes())).unwrap();
    }
    let said = "refused: it belongs to user 4711, who can change it";
    let error = Lock::acquire_cache(&theirs, &mut |_| ()).unwrap_err();
    assert_eq!(error.to_string(), said);
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Lock::first(&[file.join("a"), theirs.clone()], &mut |_| ()).unwrap_err();
    assert!(error.to_string().contains(&format!("  | {}: {said}\n", theirs.display())), "{error}");
    // A package's own folder may be anybody's: a container's root builds a clone of its user's.
    drop(Lock::first(std::slice::from_ref(&theirs), &mut |_| ()).unwrap());
    let mine = dir.path().join("mine");
    fs::create_dir(&mine).unwrap();
    fs::write(mine.join(".lock"), "").unwrap();
    std::os::unix::fs::chown(mine.join(".lock"), Some(4711), None).unwrap();
    let error = Lock::acquire(&mine, &mut |_| ()).unwrap_err();
    assert_eq!(error.to_string(), "refused: it belongs to user 4711");
}
