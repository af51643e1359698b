//! Made-up ELF files for tests: small enough to be written by hand, real enough for the loader.

use object::elf;

/// What a made-up library says of itself.
#[derive(Clone)]
pub struct Made {
    /// `e_machine`.
    pub machine: u16,
    /// `DT_NEEDED`.
    pub needed: Vec<&'static str>,
    /// `DT_SONAME`.
    pub soname: Option<&'static str>,
    /// `DT_RPATH`.
    pub rpath: Option<&'static str>,
    /// `DT_RUNPATH`.
    pub runpath: Option<&'static str>,
    /// Names such as `GLIBC_2.34`, all of `libc.so.6`.
    pub versions: Vec<&'static str>,
    /// Whether it still has its symbols.
    pub symtab: bool,
    /// Functions of `libc.so.6` that it calls.
    pub imports: Vec<&'static str>,
    /// `DT_FLAGS`.
    pub flags: u32,
    /// Flags of the stack.
    pub stack: u32,
    /// Bytes besides.
    pub payload: &'static str,
}

impl Default for Made {
    fn default() -> Self {
        Self {
            machine: elf::EM_X86_64,
            needed: Vec::new(),
            soname: None,
            rpath: None,
            runpath: None,
            versions: Vec::new(),
            symtab: false,
            imports: vec!["__stack_chk_fail", "__memcpy_chk"],
            flags: elf::DF_BIND_NOW,
            stack: elf::PF_R | elf::PF_W,
            payload: "",
        }
    }
}

/// Begin of what follows the header and four program headers.
const START: u64 = 64 + 4 * 56;

/// Type, content, link and count of a section.
type Section = (u32, Vec<u8>, u32, u32);

impl Made {
    /// The file.
    pub fn bytes(&self) -> Vec<u8> {
        let mut strings = vec![0];
        let mut text = |text: &str| {
            let at = strings.len() as u64;
            strings.extend(text.bytes().chain([0]));
            at
        };
        let mut dynamic: Vec<(u32, u64)> =
            self.needed.iter().map(|name| (elf::DT_NEEDED, text(name))).collect();
        for (tag, value) in [
            (elf::DT_SONAME, self.soname),
            (elf::DT_RPATH, self.rpath),
            (elf::DT_RUNPATH, self.runpath),
        ] {
            dynamic.extend(value.map(|value| (tag, text(value))));
        }
        let library = text("libc.so.6") as u32;
        let names: Vec<u32> = self.versions.iter().map(|name| text(name) as u32).collect();
        let mut symbols = vec![0; 24];
        for name in &self.imports {
            symbols.extend((text(name) as u32).to_le_bytes());
            symbols.extend([elf::STT_FUNC | elf::STB_GLOBAL << 4, 0, 0, 0]);
            symbols.extend([0; 16]);
        }
        let mut sections: Vec<Section> = vec![
            (elf::SHT_STRTAB, strings, 0, 0),
            (elf::SHT_DYNSYM, symbols, 1, 1),
            (elf::SHT_GNU_VERNEED, verneed(library, &names), 1, 1),
            (elf::SHT_PROGBITS, self.payload.as_bytes().to_vec(), 0, 0),
        ];
        let at = offsets(&sections);
        dynamic.extend([(elf::DT_STRTAB, at[0]), (elf::DT_STRSZ, at[1] - at[0])]);
        dynamic.extend([(elf::DT_SYMTAB, at[1]), (elf::DT_SYMENT, 24)]);
        dynamic.extend([(elf::DT_FLAGS, self.flags.into()), (elf::DT_NULL, 0)]);
        let dynamic = dynamic.iter().flat_map(|(tag, value)| [u64::from(*tag), *value]);
        let dynamic: Vec<u8> = dynamic.flat_map(u64::to_le_bytes).collect();
        sections.push((elf::SHT_DYNAMIC, dynamic, 1, 0));
        if self.symtab {
            sections.push((elf::SHT_SYMTAB, vec![0; 24], 1, 1));
        }
        self.file(&sections)
    }

    fn file(&self, sections: &[Section]) -> Vec<u8> {
        let at = offsets(sections);
        let end = at[sections.len()];
        let mut out = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        out.extend([3_u16, self.machine].map(u16::to_le_bytes).concat());
        out.extend(1_u32.to_le_bytes());
        out.extend([0, 64, end].map(u64::to_le_bytes).concat());
        out.extend(0_u32.to_le_bytes());
        let count = sections.len() as u16 + 1;
        out.extend([64_u16, 56, 4, 64, count, 1].map(u16::to_le_bytes).concat());
        // Everything is mapped as it lies in the file; the dynamic section is named besides. Without the
        // last one a library asks for a stack that can be executed, which glibc 2.41 refuses.
        let data = elf::PF_R | elf::PF_W;
        let headers = [
            (elf::PT_LOAD, data, 0, end),
            (elf::PT_DYNAMIC, data, at[4], at[5]),
            (elf::PT_GNU_STACK, self.stack, 0, 0),
            (elf::PT_GNU_RELRO, data, 0, 0),
        ];
        for (kind, flags, from, to) in headers {
            out.extend([kind, flags].map(u32::to_le_bytes).concat());
            out.extend(
                [from, from, from, to - from, to - from, 4096].map(u64::to_le_bytes).concat(),
            );
        }
        sections.iter().for_each(|section| out.extend(padded(&section.1)));
        out.extend([0; 64]);
        for ((kind, content, link, info), offset) in sections.iter().zip(at) {
            out.extend([0, *kind].map(u32::to_le_bytes).concat());
            out.extend([2, offset, offset, content.len() as u64].map(u64::to_le_bytes).concat());
            out.extend([*link, *info].map(u32::to_le_bytes).concat());
            out.extend([8_u64, 0].map(u64::to_le_bytes).concat());
        }
        out
    }
}

fn padded(content: &[u8]) -> Vec<u8> {
    let mut content = content.to_vec();
    content.resize(content.len().next_multiple_of(8), 0);
    content
}

/// Where each section begins, and where the last one ends.
fn offsets(sections: &[Section]) -> Vec<u64> {
    let mut at = vec![START];
    for section in sections {
        at.push(at[at.len() - 1] + padded(&section.1).len() as u64);
    }
    at
}

/// One library with versions; the loader never reads it, because no tag names it.
fn verneed(library: u32, names: &[u32]) -> Vec<u8> {
    let mut out = [1_u16, names.len() as u16].map(u16::to_le_bytes).concat();
    out.extend([library, 16, 0].map(u32::to_le_bytes).concat());
    for (number, name) in names.iter().enumerate() {
        let next = if number + 1 == names.len() { 0 } else { 16_u32 };
        out.extend([0, 0, *name, next].map(u32::to_le_bytes).concat());
    }
    out
}
