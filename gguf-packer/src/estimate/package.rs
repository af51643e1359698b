//! What is estimated: the arguments of a server, whose files are those of this machine, or stand-ins that have a
//! header and the length of the file, and nothing on the disk behind it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use tempfile::TempDir;

use crate::Error;
use crate::gguf::Model;
use crate::image::command;
use crate::registry::Peeked;
use crate::run::Target;

/// A model with its command, ready to be planned.
#[derive(Debug)]
pub struct Package {
    /// Arguments of the server; they name files that are here.
    pub arguments: Vec<String>,
    /// The main model's header, when it was read.
    pub main: Option<Model>,
    /// The stand-ins; they go with this value.
    _folder: Option<TempDir>,
}

impl Package {
    /// A model whose files are here.
    ///
    /// # Errors
    /// When its header cannot be read.
    pub fn here(target: &Target) -> Result<Self, Error> {
        Ok(Self { arguments: target.arguments(), main: Some(target.model()?), _folder: None })
    }

    /// A model of which only the headers are here.
    ///
    /// # Errors
    /// When the folder for temporary files cannot be written.
    pub fn remote(peeked: &Peeked) -> Result<Self, Error> {
        let folder = tempfile::Builder::new().prefix("gguf-packer-").tempdir();
        let folder =
            folder.map_err(|e| Error::new(format!("cannot make a temporary folder: {e}")))?;
        let mut places = BTreeMap::new();
        for (at, (path, model)) in peeked.models.iter().enumerate() {
            let file = folder.path().join(format!("{at}.gguf"));
            stand_in(&file, model).map_err(|error| Error::new(format!("{path}: {error}")))?;
            places.insert(path.as_str(), file.display().to_string());
        }
        let arguments = command::rename(&peeked.command, |named| {
            Ok(places.get(named.path.as_str()).unwrap_or(&named.path).clone())
        })?;
        let main = command::model(&peeked.command)?;
        let main = main.and_then(|named| peeked.models.get(&named.path)).cloned();
        Ok(Self { arguments, main, _folder: Some(folder) })
    }
}

/// A file with the header of `model`, as long as with its weights.
fn stand_in(path: &Path, model: &Model) -> Result<(), Error> {
    let (header, size) = model.planned();
    let failed = |e: &std::io::Error| Error::io("write", path, e);
    let mut file = File::create_new(path).map_err(|e| failed(&e))?;
    file.write_all(&header).map_err(|e| failed(&e))?;
    if fs::metadata(path).is_ok_and(|known| known.len() <= size) {
        file.set_len(size).map_err(|e| {
            failed(&e).hint(
                "choose a temporary folder whose file system supports files of that size: \
                    TMPDIR=DIR",
            )
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gguf::Header;
    use crate::gguf::write::Writer;

    #[test]
    fn a_remote_model_has_a_stand_in_of_its_length() {
        let big = Writer::tiny_model().tensor("output.weight", &[256, 3], "Q5_K");
        let model = Model::new(vec![big.header()]).unwrap();
        let command = ["-m", "/m/a.gguf", "-c", "8"].map(str::to_owned).to_vec();
        let peeked =
            Peeked { command, models: BTreeMap::from([("/m/a.gguf".to_owned(), model.clone())]) };
        let package = Package::remote(&peeked).unwrap();
        assert_eq!(package.main.as_ref(), Some(&model));
        assert_eq!((package.arguments[0].as_str(), package.arguments[3].as_str()), ("-m", "8"));
        let file = fs::File::open(&package.arguments[1]).unwrap();
        let size = file.metadata().unwrap().len();
        assert_eq!(size, model.planned().1);
        let header = Header::read(file, size).unwrap();
        assert_eq!(header.tensors.len(), 3);
        let folder = Path::new(&package.arguments[1]).parent().unwrap().to_owned();
        drop(package);
        assert!(!folder.exists());
    }

    #[test]
    fn a_length_that_no_disk_has_is_refused_and_leaves_nothing() {
        let huge = Header { tensors: vec![tensor(1 << 60); 12], ..Writer::tiny_model().header() };
        let model = Model::new(vec![huge]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let error = stand_in(&folder.path().join("x.gguf"), &model).unwrap_err().to_string();
        assert!(error.contains("hint: choose a temporary folder"), "{error}");
    }

    fn tensor(elements: u64) -> crate::gguf::Tensor {
        let kind = crate::gguf::TensorType::F32;
        crate::gguf::Tensor {
            name: "t".into(),
            dimensions: vec![elements],
            kind,
            offset: 0,
            start: 0,
        }
    }
}
