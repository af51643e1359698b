//! The labels that a model's header gives its image.

use std::collections::BTreeMap;

use crate::gguf::{self, Model};

/// Labels by name.
pub(super) type Labels = BTreeMap<String, String>;

/// Keys of the header, the label, and the label of OCI that says the same.
const TEXTS: [(&str, &str, &str); 5] = [
    ("general.name", "gguf.model.name", "org.opencontainers.image.title"),
    ("general.author", "gguf.model.authors", "org.opencontainers.image.authors"),
    ("general.url", "gguf.model.url", "org.opencontainers.image.url"),
    ("general.description", "gguf.model.description", "org.opencontainers.image.description"),
    ("general.license", "gguf.model.licenses", "org.opencontainers.image.licenses"),
];

/// What is measured; a base's are wrong for another model.
pub(super) const MEASURED: [&str; 4] =
    ["gguf.model.architecture", "gguf.model.parameters", "gguf.model.bpw", "gguf.model.filetype"];

/// Adds what `model` says where `labels` say nothing.
pub(super) fn describe(labels: &mut Labels, model: &Model) {
    let mut set = |label: &str, value: &str| {
        labels.entry(label.to_owned()).or_insert_with(|| value.to_owned());
    };
    set("gguf.model.vendor", "gguf-packer");
    set("org.opencontainers.image.vendor", "gguf-packer");
    set("gguf.model.usage", "text-to-text");
    let measured = [
        model.architecture().to_owned(),
        gguf::parameters(model.parameters()),
        gguf::bits_per_weight(model.bits_per_weight()),
        gguf::file_type_name(model.file_type()).to_owned(),
    ];
    MEASURED.iter().zip(&measured).for_each(|(label, value)| set(label, value));
    for (key, label, of_oci) in TEXTS {
        if let Some(value) = model.text(key) {
            set(label, value);
            set(of_oci, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gguf::write::Writer;

    #[test]
    fn a_header_gives_the_labels_of_the_document() {
        let writer = Writer::tiny_model()
            .text("general.author", "Qwen Team")
            .text("general.url", "https://example.org/tiny")
            .text("general.description", "A tiny model")
            .text("general.license", "apache-2.0");
        let model = Model::new(vec![writer.header()]).unwrap();
        let mut labels = Labels::from([("gguf.model.name".to_owned(), "Mine".to_owned())]);
        describe(&mut labels, &model);
        let expected = [
            ("gguf.model.architecture", "qwen2"),
            ("gguf.model.authors", "Qwen Team"),
            ("gguf.model.bpw", "12.25 bpw"),
            ("gguf.model.description", "A tiny model"),
            ("gguf.model.filetype", "IQ3_XXS/Q5_K_M"),
            ("gguf.model.licenses", "apache-2.0"),
            ("gguf.model.name", "Mine"),
            ("gguf.model.parameters", "1.02 K"),
            ("gguf.model.url", "https://example.org/tiny"),
            ("gguf.model.usage", "text-to-text"),
            ("gguf.model.vendor", "gguf-packer"),
            ("org.opencontainers.image.authors", "Qwen Team"),
            ("org.opencontainers.image.description", "A tiny model"),
            ("org.opencontainers.image.licenses", "apache-2.0"),
            ("org.opencontainers.image.title", "Tiny"),
            ("org.opencontainers.image.url", "https://example.org/tiny"),
            ("org.opencontainers.image.vendor", "gguf-packer"),
        ];
        let labels: Vec<_> = labels.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(labels, expected);
    }
}
