//! The rules about how our files are guarded: what every one has, and what is compiled into the code that reads
//! strangers' files and requests. The compute kernels are the exception.

use super::facts::{self, Entries};
use elf::{Elf, Guards};
use llama_build::backend::ROWS;
use product::variant::PACKER;

/// Our libraries that handle buffers of C, in which a check of their size is to be seen.
const HANDLE_BUFFERS: &[&str] = &[
    "libggml-base.so",
    "libllama-common.so",
    "libllama-server-impl.so",
    "libllama.so",
    "libmtmd.so",
];

/// All of them, for the files that are ours.
pub(super) fn violations(entries: &Entries) -> Vec<String> {
    let ours = facts::elves(entries).filter(|(path, _)| !facts::is_vendors(path));
    let about = |(path, elf): (&str, &Elf)| {
        let mut wrong = about_loading(&elf.guards);
        if is_cxx(path, elf) && !holds_kernels(path) {
            wrong.extend(about_compiling(path, &elf.guards));
        }
        wrong.into_iter().map(|message| format!("{path}: {message}")).collect::<Vec<_>>()
    };
    ours.flat_map(about).collect()
}

/// Whether a library holds the code of kernels and what starts them.
fn holds_kernels(path: &str) -> bool {
    let compiled = ROWS.iter().filter(|backend| backend.gpu_compiler);
    path.starts_with("libggml-cpu")
        || compiled
            .map(|backend| format!("lib{}.so", backend.library))
            .any(|library| path == library)
}

fn about_loading(guards: &Guards) -> Vec<String> {
    [
        (guards.relocatable, "loads at a fixed address (no PIE)"),
        (guards.stack_is_data, "has an executable stack"),
        (guards.relro, "has writable relocation tables (no RELRO)"),
        (guards.bind_now, "binds functions lazily (no BIND_NOW)"),
        (!guards.text_relocations, "has text relocations (TEXTREL)"),
    ]
    .into_iter()
    .filter(|(kept, _)| !kept)
    .map(|(_, message)| message.to_owned())
    .collect()
}

fn about_compiling(path: &str, guards: &Guards) -> Vec<String> {
    let mut wrong = Vec::new();
    if !guards.stack_protector {
        wrong.push("has no stack protector (-fstack-protector-strong)".to_owned());
    }
    let handles_buffers = HANDLE_BUFFERS.contains(&path) || super::is_program(path);
    if handles_buffers && !guards.fortified {
        wrong.push("has no buffer checks (_FORTIFY_SOURCE)".to_owned());
    }
    if let Some(function) = &guards.no_landing {
        wrong.push(format!("has no landing pad for jumps in {function} (CET, BTI)"));
    }
    wrong
}

/// Whether it holds C++: our libraries, and a server or packer that has all of it in itself.
fn is_cxx(path: &str, elf: &Elf) -> bool {
    facts::is_library(path)
        || path == PACKER
        || path == super::PROGRAM && !elf.needed.iter().any(|name| name.starts_with("libllama"))
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use object::elf::{DF_TEXTREL, PF_R, PF_W, PF_X};

    use super::super::made::{NOTHING, listed};
    use elf::made::Made;

    #[test]
    fn every_file_of_ours_is_guarded_when_it_is_loaded() {
        let made = Made { flags: DF_TEXTREL, stack: PF_R | PF_W | PF_X, ..Made::default() };
        assert_eq!(
            listed(|dist| dist.elf("llama-healthcheck", &made)),
            [
                "llama-healthcheck: binds functions lazily (no BIND_NOW)",
                "llama-healthcheck: has an executable stack",
                "llama-healthcheck: has text relocations (TEXTREL)",
            ]
        );
    }

    #[test]
    fn what_reads_strangers_files_checks_stack_and_buffers() {
        let bare = Made { imports: Vec::new(), ..Made::default() };
        let soname = Some("libllama.so");
        assert_eq!(
            listed(|dist| {
                dist.elf("libllama.so", &Made { soname, ..bare.clone() });
                dist.elf("llama-server", &bare);
                // Rust and kernels are not compiled so.
                dist.elf("llama-healthcheck", &bare);
                dist.elf("libggml-cpu-zen4.so", &bare);
            }),
            [
                "libllama.so: has no buffer checks (_FORTIFY_SOURCE)",
                "libllama.so: has no stack protector (-fstack-protector-strong)",
                "llama-server: has no buffer checks (_FORTIFY_SOURCE)",
                "llama-server: has no stack protector (-fstack-protector-strong)",
            ]
        );
        let packer = |dist: &mut crate::made::Dist| dist.elf("gguf-packer", &bare);
        assert_eq!(
            listed(packer),
            [
                "gguf-packer: has no buffer checks (_FORTIFY_SOURCE)",
                "gguf-packer: has no stack protector (-fstack-protector-strong)",
            ]
        );
        let launcher = Made { needed: vec!["libllama.so"], runpath: Some("$ORIGIN"), ..bare };
        assert_eq!(listed(|dist| dist.elf("llama-server", &launcher)), NOTHING);
    }
}
