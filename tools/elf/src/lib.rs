//! Facts about an ELF file: what it needs, what it is called, for which machine it is, and how new the
//! system must be that runs it.

#[cfg(any(test, feature = "made"))]
pub mod made;

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::path::Path;

use anyhow::{Result, bail};
use object::elf::{self, FileHeader64};
use object::read::elf::{Dyn, FileHeader, ProgramHeader, SectionHeader, SectionTable, Sym};
use object::read::{ReadCache, ReadRef};
use object::{Endianness, SectionIndex, StringTable};

/// Instructions where an indirect jump may land, by `e_machine`: `endbr64`; `bti c`, `bti jc`, `paciasp`. Files of
/// other machines are not checked.
const LANDINGS: [(u16, &[[u8; 4]]); 2] = [
    (elf::EM_X86_64, &[[0xf3, 0x0f, 0x1e, 0xfa]]),
    (
        elf::EM_AARCH64,
        &[[0x5f, 0x24, 0x03, 0xd5], [0xdf, 0x24, 0x03, 0xd5], [0x3f, 0x23, 0x03, 0xd5]],
    ),
];

/// What `verify` and `dist` want to know of an executable or a library.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Elf {
    /// `e_machine`; [`machine_name`] has the words for it.
    pub machine: u16,
    /// Libraries that the loader looks for, in its order.
    pub needed: Vec<String>,
    /// The name by which others need it.
    pub soname: Option<String>,
    /// The old run path, which goes before the user's own.
    pub rpath: Option<String>,
    /// The run path.
    pub runpath: Option<String>,
    /// Highest version by prefix of what it needs: `GLIBC` → 2.34.
    pub versions: BTreeMap<String, Version>,
    /// Without symbol table and debugging information.
    pub stripped: bool,
    /// What the loader keeps from being written, and where code checks itself.
    pub guards: Guards,
}

/// How a file is guarded against what a mistake in it would let a stranger do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Guards {
    /// It is loaded anywhere.
    pub relocatable: bool,
    /// Its stack holds no code.
    pub stack_is_data: bool,
    /// Its tables of addresses can be made read-only…
    pub relro: bool,
    /// …and are, once it is loaded: every address is looked up then.
    pub bind_now: bool,
    /// Its code is changed while it is loaded.
    pub text_relocations: bool,
    /// It checks its stack.
    pub stack_protector: bool,
    /// It checks the sizes of buffers.
    pub fortified: bool,
    /// An exported function that does not begin where a jump may land (IBT's `endbr64`, BTI's `bti`).
    pub no_landing: Option<String>,
}

/// A version of numbers, which compares as such: 2.34 is more than 2.4.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(Vec<u32>);

/// Reads the file at `path`; `None` when it is no ELF file.
///
/// # Errors
/// When the file cannot be read, is damaged, or is not for a 64-bit machine.
pub fn read(path: &Path) -> Result<Option<Elf>> {
    parse(&ReadCache::new(File::open(path)?))
}

/// Names of the sections of the ELF file at `path`.
///
/// # Errors
/// When it cannot be read or is no 64-bit ELF file.
pub fn sections(path: &Path) -> Result<Vec<String>> {
    let data = &ReadCache::new(File::open(path)?);
    let header = FileHeader64::<Endianness>::parse(data)?;
    let endian = header.endian()?;
    let table = header.sections(endian, data)?;
    let name = |section| Ok(String::from_utf8_lossy(table.section_name(endian, section)?).into());
    table.iter().map(name).collect()
}

/// Names of its sections that hold code.
///
/// # Errors
/// When it cannot be read or is no 64-bit ELF file.
pub fn code_sections(path: &Path) -> Result<Vec<String>> {
    let data = &ReadCache::new(File::open(path)?);
    let header = FileHeader64::<Endianness>::parse(data)?;
    let endian = header.endian()?;
    let table = header.sections(endian, data)?;
    let code = table
        .iter()
        .filter(|section| section.sh_flags(endian) & u64::from(elf::SHF_EXECINSTR) != 0);
    let name = |section| Ok(String::from_utf8_lossy(table.section_name(endian, section)?).into());
    code.map(name).collect()
}

/// The highest versions that any of `files` needs, as a manifest has them.
pub fn highest<'a>(files: impl IntoIterator<Item = &'a Elf>) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for (prefix, version) in files.into_iter().flat_map(|file| &file.versions) {
        raise(&mut all, prefix, version.clone());
    }
    all.into_iter().map(|(prefix, version)| (prefix, version.to_string())).collect()
}

fn parse<'data, R: ReadRef<'data>>(data: R) -> Result<Option<Elf>> {
    if !data.read_bytes_at(0, 4).is_ok_and(|magic| magic == elf::ELFMAG) {
        return Ok(None);
    }
    if !data.read_bytes_at(4, 1).is_ok_and(|class| class == [elf::ELFCLASS64]) {
        bail!("an ELF file that is not for a 64-bit machine");
    }
    let header = FileHeader64::<Endianness>::parse(data)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, data)?;
    if sections.is_empty() {
        bail!("an ELF file without section headers");
    }
    let mut facts = Elf {
        machine: header.e_machine(endian),
        stripped: is_stripped(&sections, endian),
        ..Elf::default()
    };
    facts.guards.relocatable = header.e_type(endian) == elf::ET_DYN;
    for segment in header.program_headers(endian, data)? {
        match segment.p_type(endian) {
            elf::PT_GNU_STACK => {
                facts.guards.stack_is_data = segment.p_flags(endian) & elf::PF_X == 0;
            }
            elf::PT_GNU_RELRO => facts.guards.relro = true,
            _ => {}
        }
    }
    read_dynamic(&mut facts, &sections, endian, data)?;
    read_symbols(&mut facts, &sections, endian, data)?;
    read_versions(&mut facts, &sections, endian, data)?;
    Ok(Some(facts))
}

type Sections<'data, R> = SectionTable<'data, FileHeader64<Endianness>, R>;

fn is_stripped<'data, R: ReadRef<'data>>(
    sections: &Sections<'data, R>,
    endian: Endianness,
) -> bool {
    !sections.iter().any(|section| {
        let name = sections.section_name(endian, section).unwrap_or_default();
        section.sh_type(endian) == elf::SHT_SYMTAB || name.starts_with(b".debug_")
    })
}

fn read_dynamic<'data, R: ReadRef<'data>>(
    facts: &mut Elf,
    sections: &Sections<'data, R>,
    endian: Endianness,
    data: R,
) -> Result<()> {
    let Some((entries, link)) = sections.dynamic(endian, data)? else { return Ok(()) };
    let strings = sections.strings(endian, data, link)?;
    for entry in entries.iter().take_while(|entry| entry.tag32(endian) != Some(elf::DT_NULL)) {
        let text = || -> Result<String> {
            let offset =
                entry.val32(endian).ok_or_else(|| anyhow::anyhow!("damaged dynamic section"))?;
            text_at(strings, offset)
        };
        match entry.tag32(endian) {
            Some(elf::DT_NEEDED) => facts.needed.push(text()?),
            Some(elf::DT_SONAME) => facts.soname = Some(text()?),
            Some(elf::DT_RPATH) => facts.rpath = Some(text()?),
            Some(elf::DT_RUNPATH) => facts.runpath = Some(text()?),
            Some(elf::DT_BIND_NOW) => facts.guards.bind_now = true,
            Some(elf::DT_FLAGS) => {
                let flags = entry.val32(endian).unwrap_or_default();
                facts.guards.bind_now |= flags & elf::DF_BIND_NOW != 0;
                facts.guards.text_relocations |= flags & elf::DF_TEXTREL != 0;
            }
            Some(elf::DT_TEXTREL) => facts.guards.text_relocations = true,
            _ => {}
        }
    }
    Ok(())
}

/// What imports tell of the compiler's guards, and how exported functions begin.
fn read_symbols<'data, R: ReadRef<'data>>(
    facts: &mut Elf,
    sections: &Sections<'data, R>,
    endian: Endianness,
    data: R,
) -> Result<()> {
    let symbols = sections.symbols(endian, data, elf::SHT_DYNSYM)?;
    let landings = LANDINGS.iter().find(|(machine, _)| *machine == facts.machine);
    for symbol in symbols.iter() {
        let name = symbols.symbol_name(endian, symbol)?;
        if symbol.is_undefined(endian) {
            facts.guards.stack_protector |= name == b"__stack_chk_fail";
            facts.guards.fortified |=
                name.starts_with(b"__") && name.ends_with(b"_chk") && name != b"__stack_chk";
        } else if symbol.st_type() == elf::STT_FUNC && facts.guards.no_landing.is_none() {
            let section = sections.section(SectionIndex(symbol.st_shndx(endian).into()))?;
            let within = symbol.st_value(endian).wrapping_sub(section.sh_addr(endian));
            let code = data
                .read_bytes_at(section.sh_offset(endian).wrapping_add(within), 4)
                .unwrap_or_default();
            if landings.is_some_and(|(_, all)| !all.iter().any(|landing| landing == code)) {
                facts.guards.no_landing = Some(String::from_utf8_lossy(name).into_owned());
            }
        }
    }
    Ok(())
}

fn read_versions<'data, R: ReadRef<'data>>(
    facts: &mut Elf,
    sections: &Sections<'data, R>,
    endian: Endianness,
    data: R,
) -> Result<()> {
    let Some((mut needs, link)) = sections.gnu_verneed(endian, data)? else { return Ok(()) };
    let strings = sections.strings(endian, data, link)?;
    while let Some((_, mut names)) = needs.next()? {
        while let Some(name) = names.next()? {
            let name = text_at(strings, name.vna_name.get(endian))?;
            if let Some((prefix, version)) = split(&name) {
                raise(&mut facts.versions, prefix, version);
            }
        }
    }
    Ok(())
}

fn text_at<'data, R: ReadRef<'data>>(
    strings: StringTable<'data, R>,
    offset: u32,
) -> Result<String> {
    let bytes =
        strings.get(offset).map_err(|()| anyhow::anyhow!("a name outside the string table"))?;
    Ok(String::from_utf8_lossy(bytes).into_owned())
}

/// `GLIBC` and 2.34 of `GLIBC_2.34`; nothing of names without a number, such as `GLIBC_PRIVATE`.
fn split(name: &str) -> Option<(&str, Version)> {
    let (prefix, numbers) = name.rsplit_once('_')?;
    let numbers: Option<Vec<u32>> = numbers.split('.').map(|part| part.parse().ok()).collect();
    Some((prefix, Version(numbers?)))
}

fn raise(versions: &mut BTreeMap<String, Version>, prefix: &str, version: Version) {
    match versions.get_mut(prefix) {
        Some(known) if *known >= version => {}
        Some(known) => *known = version,
        None => {
            versions.insert(prefix.to_owned(), version);
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self.0.iter().map(u32::to_string).collect();
        f.write_str(&parts.join("."))
    }
}

#[cfg(test)]
#[path = "elf_tests.rs"]
mod tests;
