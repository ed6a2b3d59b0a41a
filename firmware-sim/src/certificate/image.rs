//! The code of a linked image as the analysis of the stack takes it: functions, instructions and data told apart.

use std::collections::BTreeMap;

use object::{File, Object, ObjectSection, ObjectSymbol, SectionKind, SymbolKind};

use super::stack::{Code, Function};
use crate::elf::MODEL_SECTION;

/// Section of the vectors.
const VECTORS: &str = ".vector_table";

/// What the mapping symbols of the Arm ABI say of the bytes that follow.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Content {
    Thumb,
    Data,
}

/// All functions and what lies in them. The error says what is wrong with the image.
pub(super) fn code(file: &File<'_>) -> Result<Code, String> {
    let mut code = Code::default();
    let mut starts: BTreeMap<u32, (String, u32)> = BTreeMap::new();
    let mut marks: BTreeMap<u32, Content> = BTreeMap::new();
    for symbol in file.symbols() {
        let (Ok(name), Ok(address)) = (symbol.name(), u32::try_from(symbol.address())) else { continue };
        match name.as_bytes() {
            [b'$', b't', ..] => drop(marks.insert(address, Content::Thumb)),
            // A mark of code wins at its address: there the data have no bytes.
            [b'$', b'd', ..] => drop(marks.entry(address).or_insert(Content::Data)),
            _ if symbol.kind() == SymbolKind::Text && symbol.is_definition() => {
                let (_, size) = starts.entry(address & !1).or_insert_with(|| (name.to_owned(), 0));
                *size = (*size).max(symbol.size() as u32);
            }
            _ => {}
        }
    }
    for section in file.sections().filter(|section| {
        matches!(section.kind(), SectionKind::Text | SectionKind::ReadOnlyData | SectionKind::ReadOnlyString)
    }) {
        let name = section.name().unwrap_or("");
        let bytes = section.data().map_err(|error| format!("section `{name}`: {error}"))?;
        let start = section.address() as u32;
        let end = start + bytes.len() as u32;
        let is_code = section.kind() == SectionKind::Text && name != VECTORS;
        let before = marks.range(..=start).next_back().map(|(_, &content)| content);
        let mut content = if is_code { before.unwrap_or(Content::Thumb) } else { Content::Data };
        for address in (start..end).step_by(2) {
            if let Some(&mark) = marks.get(&address).filter(|_| is_code) {
                content = mark;
            }
            let at = (address - start) as usize;
            match content {
                Content::Thumb => {
                    if let Some(half) = bytes[at..].first_chunk::<2>() {
                        code.halfwords.insert(address, u16::from_le_bytes(*half));
                    }
                }
                // The firmware sees the model as bytes, which are never a pointer even where they look like one.
                Content::Data if name != VECTORS && name != MODEL_SECTION => {
                    if let Some(word) = bytes[at..].first_chunk::<4>().filter(|_| address % 4 == 0) {
                        code.words.insert(address, u32::from_le_bytes(*word));
                    }
                }
                Content::Data => {}
            }
        }
        if is_code {
            let inside: Vec<(&u32, &(String, u32))> = starts.range(start..end).collect();
            for (index, &(&first, (name, size))) in inside.iter().enumerate() {
                let next = inside.get(index + 1).map_or(end, |&(&next, _)| next);
                // Handwritten functions may state no size.
                let last = if *size == 0 { next } else { (first + size).min(next) };
                code.functions.push(Function { name: name.clone(), start: first, end: last });
            }
        }
    }
    code.functions.sort_by_key(|function| function.start);
    if code.functions.is_empty() { Err("it has no functions".into()) } else { Ok(code) }
}

/// The vector table's words.
pub(super) fn vectors(file: &File<'_>) -> Result<Vec<u32>, String> {
    let section = file.section_by_name(VECTORS).ok_or_else(|| format!("there is no section `{VECTORS}`"))?;
    let bytes = section.data().map_err(|error| format!("section `{VECTORS}`: {error}"))?;
    Ok(bytes.as_chunks().0.iter().map(|&word| u32::from_le_bytes(word)).collect())
}
