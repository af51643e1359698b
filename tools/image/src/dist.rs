//! A finished distribution that becomes an image without being built again.

use std::io;
use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context, Result, bail};
use filetime::FileTime;
use llama_src::Error;
use llama_src::walk;

use super::subject::{self, Subject};
use product::identity::Identity;
use product::manifest::Manifest;

/// A distribution that is whole.
#[derive(Debug)]
pub(super) struct Dist {
    place: String,
    pub(super) manifest: Manifest,
}

impl Dist {
    /// The distribution in `dir`.
    ///
    /// # Errors
    /// When there is none, or what is in it is not what its manifest says: each file, and no other.
    pub(super) fn read(dir: &Path) -> Result<Self> {
        let manifest = Manifest::read(dir)?;
        let place = dir.display().to_string();
        let differ = manifest.files.iter().filter(|(path, file)| !file.is_at(&dir.join(path)));
        let mut wrong: Vec<String> = differ.map(|(path, _)| path.clone()).collect();
        // A library that nobody made would be loaded like the others.
        let known =
            |path: &str| path == product::manifest::FILE || manifest.files.contains_key(path);
        let found = walk::all(dir)?.into_iter().filter(|found| !found.kind.is_dir());
        wrong.extend(found.map(|found| found.path).filter(|path| !known(path)));
        if wrong.is_empty() {
            return Ok(Self { place, manifest });
        }
        bail!(
            Error::mismatch(format!(
                "{place} does not match its version.json: {}",
                wrong.join(", ")
            ))
            .hint(format!("cargo xtask dist --variant {}", manifest.variant))
        )
    }

    /// Whence it comes, and so the image.
    pub(super) fn identity(&self) -> Identity {
        self.manifest.identity()
    }

    /// `subject` as this distribution makes it. A platform that nobody `named` is the distribution's.
    ///
    /// # Errors
    /// When it is of another variant or platform.
    pub(super) fn subject(&self, subject: Subject, named: bool) -> Result<Subject> {
        let (place, manifest) = (&self.place, &self.manifest);
        let variant = subject.variant;
        let mut wrong = Vec::new();
        if manifest.variant != variant.name() {
            let is = &manifest.variant;
            wrong.push(
                Error::usage(format!("{place} has the variant `{is}`"))
                    .hint(format!("cargo xtask image build {is} --from-dist {place}")),
            );
        }
        let platform = subject::platform_of(&manifest.target);
        let own = platform.map(|platform| vec![platform]).unwrap_or_default();
        if named && subject.platforms != own {
            wrong.push(
                Error::usage(format!(
                    "{place} is for {}, not for {}",
                    manifest.target,
                    subject.platforms.join(", ")
                ))
                .hint(format!("cargo xtask dist --variant {variant} --target TRIPLE")),
            );
        } else if own.is_empty() {
            wrong.push(Error::usage(format!(
                "{place} is for {}, for which there are no images",
                manifest.target
            )));
        }
        if !wrong.is_empty() {
            bail!(Error::all(wrong));
        }
        // As in `cuda 13.0.88`. Vulkan has one version for all.
        let name = manifest.toolkit.as_deref().filter(|_| !subject.variant.toolkits().is_empty());
        let version = name.and_then(|name| name.split(' ').nth(1));
        let version = version.and_then(product::variant::major_minor);
        let list = manifest.gpu_architectures.join(";");
        Ok(Subject {
            toolkit: version.map(|(major, minor)| format!("{major}.{minor}")),
            architectures: Some(list).filter(|list| !list.is_empty()),
            platforms: own,
            ..subject
        })
    }
}

/// Gives what in `dir` is older than `epoch` the time of now: only times after it become the image's own. An
/// unpacked archive is older than most bases, and so is a distribution than the base that came out since.
///
/// # Errors
/// When a time cannot be set.
pub(super) fn renew(dir: &Path, epoch: u64) -> Result<()> {
    let now = FileTime::from_system_time(SystemTime::now());
    let epoch = i64::try_from(epoch).context("the creation time of the base image is too large")?;
    // Not the same for two distributions, even when the base is of this minute: BuildKit takes a file for
    // unchanged when its size and time are.
    let new = FileTime::from_unix_time(now.seconds().max(epoch + 1), now.nanoseconds());
    let paths = walk::all(dir)?.into_iter().map(|found| dir.join(found.path));
    let mut paths = std::iter::once(dir.to_owned()).chain(paths);
    paths.try_for_each(|path| renew_one(&path, epoch, new)).with_context(|| {
        let dir = dir.display();
        Error::new(format!(
            "cannot set the file times of {dir}, which are older than the base image"
        ))
        .hint(format!("copy it, and use the copy: cp -r {dir} COPY; … --from-dist COPY"))
    })
}

fn renew_one(path: &Path, epoch: i64, new: FileTime) -> io::Result<()> {
    let meta = path.symlink_metadata()?;
    if FileTime::from_last_modification_time(&meta).seconds() <= epoch {
        filetime::set_symlink_file_times(path, new, new)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use product::variant::Variant;

    /// The SHA-256 of `ab`.
    const AB: &str = "fb8e20fc2e4c3f248c60c39bd652f3c1347298bb977b8b4d5903b85055620603";

    fn manifest(variant: &str, target: &str, more: &str) -> String {
        format!(
            r#"{{"version":"2508201420-abc1234","commit":"abc","timestamp":"2508201420",
            "variant":"{variant}","branch":"main","schema":1,"source_date_epoch":1755699600,
            "llama_cpp":{{"tag":"b1","build_number":1,"version":"1","tree":"t","verified":true,"patches":[]}},
            "target":"{target}","flags":{{}},"tools":{{}},"cpu_variants":["x64"],"symbol_versions":{{}},
            "files":{{"llama-server":{{"sha256":"{AB}","size":2}}}}{more}}}"#
        )
    }

    fn dist(text: &str, server: Option<&str>) -> (tempfile::TempDir, Result<Dist>) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("version.json"), text).unwrap();
        if let Some(server) = server {
            std::fs::write(dir.path().join("llama-server"), server).unwrap();
        }
        let dist = Dist::read(dir.path());
        (dir, dist)
    }

    #[test]
    fn an_image_is_what_its_distribution_is() {
        let more = r#","toolkit":"cuda 12.8.93","gpu_architectures":["89-real","90-virtual"]"#;
        let text = manifest("cuda", product::variant::X86_64, more);
        let (_dir, dist) = dist(&text, Some("ab"));
        let dist = dist.unwrap();
        let subject = dist.subject(Subject::new(Variant::Cuda), false).unwrap();
        assert_eq!(subject.toolkit.as_deref(), Some("12.8"));
        assert_eq!(subject.architectures.as_deref(), Some("89-real;90-virtual"));
        assert_eq!(subject.platforms, ["linux/amd64"]);
        assert_eq!(dist.identity().epoch, 1_755_699_600);
        let text = manifest("vulkan", product::variant::X86_64, r#","toolkit":"vulkan 1.4.309""#);
        let (_dir, dist) = self::dist(&text, Some("ab"));
        let subject = dist.unwrap().subject(Subject::new(Variant::Vulkan), false).unwrap();
        assert_eq!(subject.toolkit, None);
    }

    #[test]
    fn another_distribution_is_refused() {
        let (dir, dist) = dist(&manifest("cpu", product::variant::AARCH64, ""), Some("ab"));
        let (dist, place) = (dist.unwrap(), dir.path().display().to_string());
        let refused = |variant, platform: &'static str| {
            let subject = Subject { platforms: vec![platform], ..Subject::new(variant) };
            let error = dist.subject(subject, true).unwrap_err().to_string();
            error.replace(&place, "DIR")
        };
        assert_eq!(
            refused(Variant::Vulkan, "linux/amd64"),
            "DIR has the variant `cpu`\n  hint: cargo xtask image build cpu --from-dist DIR\nDIR \
            is for aarch64-unknown-linux-gnu, not for linux/amd64\n  hint: cargo xtask dist \
            --variant vulkan --target TRIPLE"
        );
        assert!(dist.subject(Subject::new(Variant::Cpu), false).is_ok());
        let (dir, dist) = self::dist(&manifest("cpu", "x86_64-unknown-freebsd", ""), Some("ab"));
        let error = dist.unwrap().subject(Subject::new(Variant::Cpu), false).unwrap_err();
        assert_eq!(
            error.to_string().replace(&dir.path().display().to_string(), "DIR"),
            "DIR is for x86_64-unknown-freebsd, for which there are no images"
        );
    }

    #[test]
    fn what_is_older_than_the_base_gets_another_time() {
        let (dir, _) = dist(&manifest("cpu", product::variant::X86_64, ""), Some("ab"));
        let server = dir.path().join("llama-server");
        let time = |path: &Path| FileTime::from_last_modification_time(&path.metadata().unwrap());
        let (old, later) = (FileTime::from_unix_time(1000, 0), FileTime::from_unix_time(3000, 5));
        filetime::set_file_mtime(&server, old).unwrap();
        filetime::set_file_mtime(dir.path().join("version.json"), later).unwrap();
        filetime::set_file_mtime(dir.path(), old).unwrap();
        renew(dir.path(), 2000).unwrap();
        assert_eq!(time(&dir.path().join("version.json")), later);
        let now = FileTime::now().seconds();
        assert!(now - time(&server).seconds() < 60 && now - time(dir.path()).seconds() < 60);
        // A base of this very minute.
        let epoch = u64::try_from(now).unwrap() + 60;
        renew(dir.path(), epoch).unwrap();
        assert_eq!(time(&server).seconds(), now + 61);
    }

    #[test]
    fn half_a_distribution_is_refused() {
        // None, one of another size, and one in which a byte is another.
        for server in [None, Some("abc"), Some("aB")] {
            let (dir, dist) = dist(&manifest("cpu", product::variant::X86_64, ""), server);
            assert_eq!(
                dist.unwrap_err().to_string().replace(&dir.path().display().to_string(), "DIR"),
                "DIR does not match its version.json: llama-server\n  hint: cargo xtask dist \
                --variant cpu"
            );
        }
        let (dir, whole) = dist(&manifest("cpu", product::variant::X86_64, ""), Some("ab"));
        assert!(whole.is_ok());
        std::fs::create_dir(dir.path().join("lib")).unwrap();
        std::fs::write(dir.path().join("lib/libggml-cpu-x.so"), "").unwrap();
        let error = Dist::read(dir.path()).unwrap_err().to_string();
        assert!(
            error.contains(" does not match its version.json: lib/libggml-cpu-x.so\n"),
            "{error}"
        );
        let dir = tempfile::tempdir().unwrap();
        let error = Dist::read(dir.path()).unwrap_err();
        assert!(
            error.to_string().ends_with(" is not a distribution: version.json not found"),
            "{error}"
        );
    }
}
