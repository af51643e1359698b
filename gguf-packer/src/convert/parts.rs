//! Which files of llama.cpp's source are its converter. The build script packs them into the program.

/// Files and folders, as paths in the source. Some conversions take their chat template from `models/templates`.
pub(crate) const PARTS: [&str; 8] = [
    "LICENSE",
    "conversion",
    "convert_hf_to_gguf.py",
    "convert_lora_to_gguf.py",
    "gguf-py/gguf",
    "models/templates",
    "requirements/requirements-convert_hf_to_gguf.txt",
    "requirements/requirements-convert_legacy_llama.txt",
];

/// Programs of gguf-py that no conversion starts.
pub(crate) const LEFT_OUT: &str = "gguf-py/gguf/scripts";
