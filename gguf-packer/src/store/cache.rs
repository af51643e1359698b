//! Results of build steps, by the digest of what the step does. A value that names contents or layers by
//! `sha256:…` keeps them from being removed.

use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::{Store, disk};
use crate::Error;
use crate::digest::Digest;

/// A file that was changed less than this before it was read may change again without its times showing
/// it: clocks of file systems tick in steps.
const SETTLED: Duration = Duration::from_millis(100);

impl Store {
    /// What was remembered for `key`.
    #[must_use]
    pub fn remembered(&self, key: &Digest) -> Option<Vec<u8>> {
        checked(&disk::read(&self.cache_path(key)).ok()??).map(<[u8]>::to_vec)
    }

    /// Remembers `value` for `key`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn remember(&self, key: &Digest, value: &[u8]) -> Result<(), Error> {
        let checked = [Digest::of(value).to_string().as_bytes(), b"\n", value].concat();
        disk::replace(&self.temp_path(), &self.cache_path(key), &checked)
    }

    fn cache_path(&self, key: &Digest) -> PathBuf {
        self.root.join("cache").join(key.hex())
    }
}

/// The value in a cache file, when a power cut has not spoiled it.
pub(crate) fn checked(bytes: &[u8]) -> Option<&[u8]> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let value = &bytes[end + 1..];
    (bytes[..end] == *Digest::of(value).to_string().as_bytes()).then_some(value)
}

/// Names the state that a foreign file is in, once it has not changed for a while.
pub(crate) fn state(path: &Path) -> Option<Digest> {
    let file = fs::metadata(path).ok()?;
    let changed = changed(&file)?;
    let settled = SystemTime::now().duration_since(changed).is_ok_and(|age| age >= SETTLED);
    settled.then(|| Digest::of(described(path, &file)))
}

/// What a foreign file looks like; another look means another content.
pub(crate) fn look(path: &Path) -> Option<String> {
    fs::metadata(path).ok().map(|file| described(path, &file))
}

#[cfg(unix)]
fn changed(file: &Metadata) -> Option<SystemTime> {
    use std::os::unix::fs::MetadataExt;
    let (seconds, nanos) =
        (u64::try_from(file.ctime()).ok()?, u32::try_from(file.ctime_nsec()).ok()?);
    SystemTime::UNIX_EPOCH.checked_add(Duration::new(seconds, nanos))
}

#[cfg(unix)]
fn described(_: &Path, file: &Metadata) -> String {
    use std::os::unix::fs::MetadataExt;
    let place = format!("file {} {} {}", file.dev(), file.ino(), file.len());
    let times = [file.mtime(), file.mtime_nsec(), file.ctime(), file.ctime_nsec()];
    format!("{place} {times:?}")
}

#[cfg(not(unix))]
fn changed(file: &Metadata) -> Option<SystemTime> {
    file.modified().ok()
}

#[cfg(not(unix))]
fn described(path: &Path, file: &Metadata) -> String {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    format!("file {} {} {:?}", path.display(), file.len(), file.modified().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spoiled_value_is_not_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_at(folder.path()).unwrap();
        let key = Digest::of("key");
        assert_eq!(store.remembered(&key), None);
        store.remember(&key, b"one\ntwo").unwrap();
        assert_eq!(store.remembered(&key).as_deref(), Some(&b"one\ntwo"[..]));
        store.remember(&key, b"three").unwrap();
        assert_eq!(store.remembered(&key).as_deref(), Some(&b"three"[..]));
        for spoiled in ["", "sha256:", "three"] {
            fs::write(store.cache_path(&key), spoiled).unwrap();
            assert_eq!(store.remembered(&key), None, "{spoiled}");
        }
    }
}
