//! The command line of GGUF Packer.

fn main() {}
