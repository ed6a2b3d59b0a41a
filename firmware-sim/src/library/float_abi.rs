//! Marks the objects of a static library as independent of the floating-point calling convention, so that firmware of any
//! `-mfloat-abi` links it.
//!
//! Guarantee: nothing but the objects' build attributes and the archive's own offsets changes, and an archive that is not as
//! expected is an error, never a damaged library.
//!
//! A linker refuses to mix objects that pass floats in floating-point registers with objects that do not; each says what it does
//! in the attribute `Tag_ABI_VFP_args` ("Addenda to, and Errata in, the ABI for the Arm Architecture", section 3.3.6). The library passes
//! no floats at all, for which the attribute has a value of its own, which compilers never write by themselves.

/// `Tag_ABI_VFP_args`, and its value for code that is compatible with every convention.
const VFP_ARGS: u8 = 28;
const COMPATIBLE: u8 = 3;

const MAGIC: &[u8] = b"!<arch>\n";
/// Bytes of a member's header; where its size stands in it.
const HEADER: usize = 60;
const SIZE: std::ops::Range<usize> = 48..58;

/// The section's type in an ELF file.
const SHT_ARM_ATTRIBUTES: u32 = 0x7000_0003;

/// The archive with every ELF object in it marked.
///
/// # Errors
/// What of the archive is not as GNU's `ar` and LLVM write it, or that it holds no object for a 32-bit Arm.
pub(super) fn mark(archive: &[u8]) -> Result<Vec<u8>, String> {
    if !archive.starts_with(MAGIC) {
        return Err("it is no archive".into());
    }
    let mut marked = MAGIC.to_vec();
    // Where each member begins, before and after.
    let mut moved: Vec<(u32, u32)> = Vec::new();
    let mut index = None;
    let mut objects = 0;
    let mut at = MAGIC.len();
    while at < archive.len() {
        let header = archive.get(at..at + HEADER).ok_or("a member's header is cut off")?;
        let size = std::str::from_utf8(&header[SIZE]).ok().and_then(|size| size.trim_end().parse().ok());
        let size: usize = size.ok_or("a member's size is no number")?;
        let start = at + HEADER;
        let end = start.checked_add(size).filter(|&end| end <= archive.len());
        let body = &archive[start..end.ok_or("a member is cut off")?];
        moved.push((offset(at)?, offset(marked.len())?));
        let changed = if body.starts_with(b"\x7fELF") {
            objects += 1;
            mark_object(body)?
        } else {
            match &header[..16] {
                b"/               " => index = Some(marked.len() + HEADER),
                b"/SYM64/         " => return Err("its index has 64-bit offsets".into()),
                _ => {}
            }
            body.to_vec()
        };
        let mut new_header = header.to_vec();
        new_header[SIZE].copy_from_slice(format!("{:<10}", changed.len()).as_bytes());
        marked.extend(new_header);
        marked.extend(changed);
        if marked.len() % 2 == 1 {
            marked.push(b'\n');
        }
        at = start + size + size % 2;
    }
    if objects == 0 {
        return Err("it holds no object".into());
    }
    if let Some(index) = index {
        move_index(&mut marked, index, &moved)?;
    }
    Ok(marked)
}

/// The index: how many symbols there are, then for each the offset of its member, all big-endian.
fn move_index(marked: &mut [u8], index: usize, moved: &[(u32, u32)]) -> Result<(), String> {
    let word = |bytes: &[u8]| <[u8; 4]>::try_from(bytes).map(u32::from_be_bytes).ok();
    let count = marked.get(index..index + 4).and_then(word).ok_or("its index is cut off")? as usize;
    let offsets = marked.get_mut(index + 4..).and_then(|rest| rest.get_mut(..count.checked_mul(4)?));
    for place in offsets.ok_or("its index is cut off")?.chunks_exact_mut(4) {
        let before = word(place);
        let entry = moved.iter().find(|(from, _)| Some(*from) == before);
        let (_, after) = entry.ok_or("its index names a member that is not there")?;
        place.copy_from_slice(&after.to_be_bytes());
    }
    Ok(())
}

fn offset(at: usize) -> Result<u32, String> {
    u32::try_from(at).map_err(|_| "it is larger than 4 GB".into())
}

/// A little-endian ELF32 object with its attributes, grown, at its end; every offset in it stays valid.
fn mark_object(object: &[u8]) -> Result<Vec<u8>, String> {
    if object.get(4..6) != Some(&[1, 1]) {
        return Err("an object in it is not for a 32-bit little-endian processor".into());
    }
    let word = |at: usize| -> Option<usize> {
        let bytes = object.get(at..at.checked_add(4)?)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?) as usize)
    };
    let half = |at: usize| Some(usize::from(u16::from_le_bytes(object.get(at..at + 2)?.try_into().ok()?)));
    let find = || {
        let (table, entry, count) = (word(32)?, half(46)?, half(48)?);
        (0..count)
            .map(|number| table + number * entry)
            .find(|&section| word(section + 4) == Some(SHT_ARM_ATTRIBUTES as usize))
    };
    let section = find().ok_or("an object in it has no Arm build attributes")?;
    let content = (|| object.get(word(section + 16)?..)?.get(..word(section + 20)?))();
    let content = with_attribute(content.ok_or("an object's attributes are cut off")?)
        .ok_or("an object's attributes are not those of the Arm ABI")?;
    let mut marked = object.to_vec();
    let place = offset(marked.len())?;
    marked[section + 16..section + 20].copy_from_slice(&place.to_le_bytes());
    marked[section + 20..section + 24].copy_from_slice(&offset(content.len())?.to_le_bytes());
    marked.extend(content);
    Ok(marked)
}

/// The attributes with the one that is wanted: 'A', a subsection of the vendor "aeabi", in it one list for the whole file.
fn with_attribute(content: &[u8]) -> Option<Vec<u8>> {
    const VENDOR: &[u8] = b"aeabi\0";
    let length = |bytes: &[u8]| Some(u32::from_le_bytes(bytes.get(..4)?.try_into().ok()?) as usize);
    let [b'A', subsection @ ..] = content else { return None };
    let list = subsection.get(4..)?.strip_prefix(VENDOR)?;
    // Tag_File is 1; its length counts itself and the tag.
    let alone = length(subsection)? == subsection.len() && list.first() == Some(&1);
    if !alone || length(list.get(1..)?)? != list.len() {
        return None;
    }
    let mut attributes = list.get(5..)?;
    let mut kept = Vec::new();
    while let [tag, rest @ ..] = attributes {
        let value = match tag {
            // Names, and from 32 on odd tags, are texts; Tag_compatibility, 32, is a number and a text. Tags above 127 need two
            // bytes and are none that a compiler for Cortex-M writes.
            4 | 5 | 65 | 67 => rest.iter().position(|&byte| byte == 0)? + 1,
            32 | 128.. => return None,
            33.. if tag % 2 == 1 => rest.iter().position(|&byte| byte == 0)? + 1,
            _ => rest.iter().position(|&byte| byte < 128)? + 1,
        };
        let (attribute, after) = attributes.split_at(1 + value);
        if *tag != VFP_ARGS {
            kept.extend(attribute);
        }
        attributes = after;
    }
    kept.extend([VFP_ARGS, COMPATIBLE]);
    let list_length = u32::try_from(5 + kept.len()).ok()?;
    let all = list_length + 4 + VENDOR.len() as u32;
    let list = [&[1][..], &list_length.to_le_bytes(), &kept].concat();
    Some([&b"A"[..], &all.to_le_bytes(), VENDOR, &list].concat())
}

#[cfg(test)]
mod tests;
