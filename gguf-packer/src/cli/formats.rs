//! In which formats a model is shipped, and under which names: one name of a registry is one format, since no reader
//! of artifacts looks into an index.

use std::collections::BTreeMap;

use super::{args, output};
use crate::Error;
use crate::artifact::{Artifact, Format};
use crate::layout::{self, Item, Saved};
use crate::reference::{Name, Version};
use crate::store::{Store, StoredImage};

/// A format that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wanted {
    format: Format,
    /// Its own name.
    name: Option<Name>,
}

/// The formats that were asked for; the image alone when none was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Formats {
    wanted: Vec<Wanted>,
    is_implied: bool,
}

impl Formats {
    /// What the words say.
    pub(super) fn of(args: &args::Formats) -> Result<Self, Error> {
        let mut wanted = Vec::new();
        for text in &args.formats {
            let (format, name) = match text.split_once('=') {
                Some((format, name)) => (format, Some(Name::given(name)?)),
                None => (text.as_str(), None),
            };
            let one = Wanted { format: format.parse()?, name };
            if !wanted.contains(&one) {
                wanted.push(one);
            }
        }
        let is_implied = wanted.is_empty();
        if is_implied {
            wanted.push(Wanted { format: Format::Image, name: None });
        }
        Ok(Self { wanted, is_implied })
    }

    /// Whether none was asked for.
    pub(super) fn are_implied(&self) -> bool {
        self.is_implied
    }

    /// Whether anything but an image was asked for.
    pub(super) fn has_artifact(&self) -> bool {
        self.first_artifact().is_some()
    }

    /// Whether all of them have their own name.
    pub(super) fn are_named(&self) -> bool {
        self.wanted.iter().all(|wanted| wanted.name.is_some())
    }

    /// Refuses what cannot be written as `to`.
    pub(super) fn check(&self, to: layout::Format) -> Result<(), Error> {
        match self.first_artifact() {
            Some(format) if to == layout::Format::DockerArchive => {
                Err(layout::images_alone(format))
            }
            _ => Ok(()),
        }
    }

    fn first_artifact(&self) -> Option<Format> {
        let formats = self.wanted.iter().map(|wanted| wanted.format);
        formats.into_iter().find(|format| *format != Format::Image)
    }

    /// The names of each format, of a model with `names`.
    pub(super) fn names(&self, names: &[Name]) -> Result<Vec<(Format, Vec<Name>)>, Error> {
        let is_one = self.wanted.len() == 1;
        let (mut all, mut known): (Vec<_>, Vec<(Name, Format)>) = (Vec::new(), Vec::new());
        for Wanted { format, name } in &self.wanted {
            let names: Vec<Name> = match name {
                Some(name) => vec![name.clone()],
                None if is_one || *format == Format::Image => names.to_vec(),
                None => {
                    names.iter().map(|name| with_format(name, *format)).collect::<Result<_, _>>()?
                }
            };
            for name in &names {
                if let Some((_, other)) =
                    known.iter().find(|(known, other)| known == name && other != format)
                {
                    let text =
                        format!("`{name}` cannot have two formats: `{other}` and `{format}`");
                    return Err(Error::usage(text).hint(format!("--format {format}=OTHER-NAME")));
                }
                known.push((name.clone(), *format));
            }
            all.push((*format, names));
        }
        Ok(all)
    }

    /// The image in each format, with its names there; says what a format lacks.
    pub(super) fn items(
        &self,
        image: &StoredImage,
        names: &[Name],
        store: &Store,
    ) -> Result<Vec<Saved>, Error> {
        let mut made: BTreeMap<Format, Item> = BTreeMap::new();
        let mut items = Vec::new();
        for (format, names) in self.names(names)? {
            let item = match made.get(&format) {
                Some(item) => item.clone(),
                None => item(format, image, store)?,
            };
            made.insert(format, item.clone());
            items.push((item, names));
        }
        Ok(items)
    }
}

/// The image in a format; says what that lacks.
fn item(format: Format, image: &StoredImage, store: &Store) -> Result<Item, Error> {
    let Some(artifact) = Artifact::of(format, image, store)? else {
        return Ok(Item::Image(image.clone()));
    };
    for warning in &artifact.warnings {
        output::say(&format!("warning: {format}: {warning}"));
    }
    Ok(Item::Artifact(artifact))
}

/// The name of the format beside the image's.
fn with_format(name: &Name, format: Format) -> Result<Name, Error> {
    let Some(tag) = name.tag() else {
        return Err(Error::usage(format!(
            "cannot append `-{format}` to the tag of `{name}`: it has no tag"
        ))
        .hint(format!("--format {format}=NAME")));
    };
    // A tag may be too long then.
    name.with(Version::Tag(format!("{tag}-{format}"))).full().parse()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn formats(words: &[&str]) -> Result<Formats, Error> {
        let formats = words.iter().map(|word| (*word).to_owned()).collect();
        Formats::of(&args::Formats { formats })
    }

    /// `FORMAT:NAME NAME…` of each.
    fn names(words: &[&str], names: &[&str]) -> Result<Vec<String>, String> {
        let names: Vec<Name> = names.iter().map(|name| name.parse().unwrap()).collect();
        let all =
            formats(words).and_then(|formats| formats.names(&names)).map_err(|e| e.to_string())?;
        let line = |(format, names): (Format, Vec<Name>)| {
            let names: Vec<String> = names.iter().map(ToString::to_string).collect();
            format!("{format} {}", names.join(" "))
        };
        Ok(all.into_iter().map(line).collect())
    }

    #[test]
    fn one_format_has_the_name_and_several_have_their_own() {
        for (words, given, expected) in [
            (&[][..], &["r.io/m:q5"][..], &["image r.io/m:q5"][..]),
            (&["modelpack"], &["r.io/m:q5"], &["modelpack r.io/m:q5"]),
            (&["docker", "docker"], &["r.io/m:q5"], &["docker r.io/m:q5"]),
            (
                &["image", "modelpack", "docker"],
                &["r.io/m:q5", "r.io/m"],
                &[
                    "image r.io/m:q5 r.io/m:latest",
                    "modelpack r.io/m:q5-modelpack r.io/m:latest-modelpack",
                    "docker r.io/m:q5-docker r.io/m:latest-docker",
                ],
            ),
            (
                &["modelpack", "docker=ai/m:q5"],
                &["r.io/m:q5"],
                &["modelpack r.io/m:q5-modelpack", "docker ai/m:q5"],
            ),
            (&["image", "docker"], &[], &["image ", "docker "]),
        ] {
            assert_eq!(names(words, given).unwrap(), expected, "{words:?}");
        }
    }

    #[test]
    fn what_cannot_be_is_told_before_anything_is_built() {
        let digest = format!("r.io/m@sha256:{}", "0".repeat(64));
        let long = format!("r.io/m:{}", "x".repeat(125));
        for (words, given, expected) in [
            (
                &["squashfs"][..],
                "r.io/m",
                "unknown model format `squashfs`\n  hint: use one of image, modelpack, docker",
            ),
            (
                &["image", "docker=r.io/m"],
                "r.io/m",
                "`r.io/m:latest` cannot have two formats: `image` and `docker`\n  hint: --format \
                docker=OTHER-NAME",
            ),
            (&["image", "docker"], &digest, ": it has no tag\n  hint: --format docker=NAME"),
            (&["image", "docker"], &long, "a tag has 1 to 128"),
            (&["docker=UPPER"], "r.io/m", "invalid reference format"),
        ] {
            let error = names(words, &[given]).unwrap_err();
            assert!(error.contains(expected), "{words:?}: {error}");
        }
        let error = formats(&["image", "docker"]).unwrap().check(layout::Format::DockerArchive);
        let expected = "a docker-archive can contain only images, not `docker`\n  hint: write \
            oci-archive=PATH or oci-dir=PATH";
        assert_eq!(error.unwrap_err().to_string(), expected);
        formats(&["image"]).unwrap().check(layout::Format::DockerArchive).unwrap();
    }
}
