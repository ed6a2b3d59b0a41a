//! What one Thumb instruction does to the stack pointer and to the flow of control; everything else is [`Effect::None`].
//!
//! Guarantee: an instruction that writes the stack pointer in a way that is not understood is [`Effect::Unknown`], never
//! [`Effect::None`]. Encodings: Armv7-M and Armv8-M Architecture Reference Manuals, chapter "The Thumb Instruction Set
//! Encoding".

/// Number of the stack pointer among the registers.
pub(super) const SP: u8 = 13;
const LR: u8 = 14;
const PC: u8 = 15;

/// What an instruction does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing that matters here.
    None,
    /// The stack grows by that many bytes; shrinks if negative.
    Grow(i32),
    /// The stack grows by the value of a register, or shrinks.
    GrowBy {
        /// The register.
        register: u8,
        /// Whether the stack shrinks by it.
        shrinks: bool,
    },
    /// The stack pointer is copied from a register, or computed from one.
    FromRegister(u8),
    /// Sets a register to another one less a constant.
    Less {
        /// The register.
        register: u8,
        /// The other one.
        than: u8,
    },
    /// Writes the stack pointer in another way.
    Unknown,
    /// Goes to an address; `conditional` if it may also go on.
    Branch {
        /// Where to.
        target: u32,
        /// Whether it may go on instead.
        conditional: bool,
    },
    /// Calls an address.
    Call(u32),
    /// Calls the address in a register.
    CallRegister(u8),
    /// Jumps to the address in a register.
    JumpRegister(u8),
    /// Jumps through a table, within the function.
    Table,
    /// Returns.
    Return,
    /// Never goes on.
    Stop,
    /// Makes the next 1 to 4 instructions conditional.
    IfThen(u8),
    /// Loads the word at an address into a register.
    Load {
        /// The register.
        register: u8,
        /// Where the word lies.
        address: u32,
    },
    /// Sets a register to a constant.
    Set {
        /// The register.
        register: u8,
        /// The constant.
        value: u32,
    },
    /// Sets the upper half of a register.
    SetTop {
        /// The register.
        register: u8,
        /// The upper half.
        value: u32,
    },
}

/// Bytes of the instruction that begins with `first`.
pub(super) const fn length(first: u16) -> u32 {
    if first >> 11 >= 0b11101 { 4 } else { 2 }
}

/// Decodes the instruction at `address`; `second` matters only if [`length`] says 4.
pub(super) fn decode(address: u32, first: u16, second: u16) -> Effect {
    let pc = address.wrapping_add(4);
    if length(first) == 4 { wide(pc, first.into(), second.into()) } else { narrow(pc, first.into()) }
}

fn narrow(pc: u32, code: u32) -> Effect {
    let register = (code >> 3 & 15) as u8;
    let destination = (code >> 4 & 8 | code & 7) as u8;
    match code {
        _ if code & 0xfe00 == 0xb400 => Effect::Grow(4 * (code & 0x1ff).count_ones() as i32),
        _ if code & 0xff00 == 0xbd00 => Effect::Return,
        _ if code & 0xff00 == 0xbc00 => Effect::Grow(-4 * (code & 0xff).count_ones() as i32),
        _ if code & 0xff80 == 0xb000 => Effect::Grow(-4 * (code & 0x7f) as i32),
        _ if code & 0xff80 == 0xb080 => Effect::Grow(4 * (code & 0x7f) as i32),
        _ if code & 0xff00 == 0x4400 && destination == SP => Effect::GrowBy { register, shrinks: true },
        _ if code & 0xff00 == 0x4400 && destination == PC => Effect::Table,
        _ if code & 0xff00 == 0x4600 && destination == SP => Effect::FromRegister(register),
        _ if code & 0xff00 == 0x4600 && destination == PC || code & 0xff87 == 0x4700 => {
            if register == LR {
                Effect::Return
            } else {
                Effect::JumpRegister(register)
            }
        }
        _ if code & 0xff87 == 0x4780 => Effect::CallRegister(register),
        _ if code & 0xf800 == 0x4800 => Effect::Load {
            register: (code >> 8 & 7) as u8,
            address: (pc & !3).wrapping_add(4 * (code & 0xff)),
        },
        _ if code & 0xf800 == 0x2000 => Effect::Set { register: (code >> 8 & 7) as u8, value: code & 0xff },
        _ if code & 0xfe00 == 0x1e00 => {
            Effect::Less { register: (code & 7) as u8, than: (code >> 3 & 7) as u8 }
        }
        _ if code & 0xf800 == 0x3800 => {
            let register = (code >> 8 & 7) as u8;
            Effect::Less { register, than: register }
        }
        _ if code & 0xff00 == 0xde00 => Effect::Stop,
        _ if code & 0xf000 == 0xd000 && code & 0x0f00 != 0x0f00 => {
            Effect::Branch { target: pc.wrapping_add(signed(code & 0xff, 8) << 1), conditional: true }
        }
        _ if code & 0xf800 == 0xe000 => {
            Effect::Branch { target: pc.wrapping_add(signed(code & 0x7ff, 11) << 1), conditional: false }
        }
        _ if code & 0xf500 == 0xb100 => {
            let offset = (code >> 9 & 1) << 6 | (code >> 3 & 31) << 1;
            Effect::Branch { target: pc.wrapping_add(offset), conditional: true }
        }
        _ if code & 0xff00 == 0xbf00 && code & 15 != 0 => {
            Effect::IfThen(4 - (code & 15).trailing_zeros() as u8)
        }
        _ => Effect::None,
    }
}

fn wide(pc: u32, first: u32, second: u32) -> Effect {
    let code = first << 16 | second;
    let (base, target) = ((first & 15) as u8, (second >> 12 & 15) as u8);
    let destination = (second >> 8 & 15) as u8;
    if code & 0xf800_8000 == 0xf000_8000 {
        return branch(pc, first, second);
    }
    let words = |mask: u32| 4 * (second & mask).count_ones() as i32;
    match first {
        0xe92d => return Effect::Grow(words(0xffff)),
        0xe8bd if second & 0x8000 != 0 => return Effect::Return,
        0xe8bd => return Effect::Grow(-words(0xffff)),
        // Two words, before or after the stack pointer moves.
        0xe96d => return Effect::Grow(4 * (second & 0xff) as i32),
        0xe8fd => return Effect::Grow(-4 * (second & 0xff) as i32),
        0xf84d if second & 0x0f00 == 0x0d00 => return Effect::Grow((second & 0xff) as i32),
        0xf85d if second & 0x0f00 == 0x0b00 && target == PC => return Effect::Return,
        0xf85d if second & 0x0f00 == 0x0b00 => return Effect::Grow(-((second & 0xff) as i32)),
        _ => {}
    }
    match first & 0xffbf {
        0xed2d if second & 0x0e00 == 0x0a00 => return Effect::Grow(4 * (second & 0xff) as i32),
        0xecbd if second & 0x0e00 == 0x0a00 => return Effect::Grow(-4 * (second & 0xff) as i32),
        _ => {}
    }
    if first & 0xfff0 == 0xe8d0 && second & 0xffe0 == 0xf000 {
        return Effect::Table;
    }
    // Loads of the program counter other than from the stack: multiple, and single.
    if matches!(first & 0xffd0, 0xe890 | 0xe910) && second & 0x8000 != 0 {
        return Effect::Table;
    }
    if first & 0xfe70 == 0xf850 && base == PC && target != PC {
        let offset = second & 0xfff;
        let address =
            if first & 0x80 != 0 { (pc & !3).wrapping_add(offset) } else { (pc & !3).wrapping_sub(offset) };
        return Effect::Load { register: target, address };
    }
    if first & 0xfe70 == 0xf850 && target == PC {
        return Effect::Table;
    }
    // Other stores and loads that move the stack pointer: of single words, of pairs, of several and of vectors.
    let single = first & 0xfe80 == 0xf800 && base == SP && second & 0x0900 == 0x0900;
    let several = matches!(first & 0xffef, 0xe8ad | 0xe92d | 0xe93d);
    if single || several || first & 0xfe6f == 0xe86d || first & 0xfe2f == 0xec2d {
        return Effect::Unknown;
    }
    let immediate = first >> 10 & 1;
    if code & 0xfa00_8000 == 0xf000_0000 {
        let value = modified(immediate << 11 | (second >> 12 & 7) << 8 | second & 0xff);
        return match (first >> 5 & 15, base, destination) {
            (13, SP, SP) => Effect::Grow(value as i32),
            (8, SP, SP) => Effect::Grow((value as i32).wrapping_neg()),
            (8 | 13, register, SP) => Effect::FromRegister(register),
            (2, PC, register) if register != SP => Effect::Set { register, value },
            (_, _, SP) => Effect::Unknown,
            (13, than, register) if first & 0x10 == 0 => Effect::Less { register, than },
            _ => Effect::None,
        };
    }
    if code & 0xfa00_8000 == 0xf200_0000 {
        let value = immediate << 11 | (second >> 12 & 7) << 8 | second & 0xff;
        let half = u32::from(base) << 12 | value;
        return match (first >> 4 & 31, base, destination) {
            (10, SP, SP) => Effect::Grow(value as i32),
            (0, SP, SP) => Effect::Grow(-(value as i32)),
            (0 | 10, register, SP) => Effect::FromRegister(register),
            (4, _, register) if register != SP => Effect::Set { register, value: half },
            (12, _, register) if register != SP => Effect::SetTop { register, value: half },
            (_, _, SP) => Effect::Unknown,
            _ => Effect::None,
        };
    }
    if first & 0xfe00 == 0xea00 {
        let (plain, register) = (second & 0x70f0 == 0, (second & 15) as u8);
        return match (first >> 5 & 15, base, destination) {
            (13, SP, SP) if plain => Effect::GrowBy { register, shrinks: false },
            (8, SP, SP) if plain => Effect::GrowBy { register, shrinks: true },
            (2, PC, SP) if plain => Effect::FromRegister(register),
            (_, _, SP) => Effect::Unknown,
            _ => Effect::None,
        };
    }
    Effect::None
}

/// Branches and miscellaneous control.
fn branch(pc: u32, first: u32, second: u32) -> Effect {
    let sign = first >> 10 & 1;
    let (j1, j2) = (second >> 13 & 1, second >> 11 & 1);
    let far = || {
        let (i1, i2) = (1 ^ j1 ^ sign, 1 ^ j2 ^ sign);
        let offset = sign << 24 | i1 << 23 | i2 << 22 | (first & 0x3ff) << 12 | (second & 0x7ff) << 1;
        pc.wrapping_add(signed(offset, 25))
    };
    match second & 0xd000 {
        0xd000 => Effect::Call(far()),
        0x9000 => Effect::Branch { target: far(), conditional: false },
        0x8000 if first >> 6 & 15 < 14 => {
            let offset = sign << 20 | j2 << 19 | j1 << 18 | (first & 0x3f) << 12 | (second & 0x7ff) << 1;
            Effect::Branch { target: pc.wrapping_add(signed(offset, 21)), conditional: true }
        }
        0x8000 if first & 0xfff0 == 0xf7f0 && second & 0xf000 == 0xa000 => Effect::Stop,
        // MSR to one of the stack pointers or their limits.
        0x8000 if first & 0xffe0 == 0xf380 && matches!(second & 0x7f, 8 | 9) => Effect::Unknown,
        // Loops of Armv8.1-M go back to where they were with the same stack pointer.
        _ => Effect::None,
    }
}

/// The constant that twelve bits of an instruction stand for.
fn modified(bits: u32) -> u32 {
    let byte = bits & 0xff;
    match bits >> 8 & 15 {
        0 => byte,
        1 => byte << 16 | byte,
        2 => byte << 24 | byte << 8,
        3 => byte << 24 | byte << 16 | byte << 8 | byte,
        _ => (byte | 0x80).rotate_right(bits >> 7 & 31),
    }
}

/// Sign extension of `bits` bits, as a difference of addresses.
const fn signed(value: u32, bits: u32) -> u32 {
    ((value << (32 - bits)) as i32 >> (32 - bits)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Encodings as GNU's assembler gives them.
    #[test]
    fn instructions_that_matter() {
        let narrow = [
            (0xb5f0, Effect::Grow(20)),
            (0xbdf0, Effect::Return),
            (0xbc10, Effect::Grow(-4)),
            (0xb082, Effect::Grow(8)),
            (0xb002, Effect::Grow(-8)),
            (0x44b5, Effect::GrowBy { register: 6, shrinks: true }),
            (0x46bd, Effect::FromRegister(7)),
            (0x4770, Effect::Return),
            (0x4718, Effect::JumpRegister(3)),
            (0x4798, Effect::CallRegister(3)),
            (0x4902, Effect::Load { register: 1, address: 0x100c }),
            (0xd0fe, Effect::Branch { target: 0x1000, conditional: true }),
            (0xe7fe, Effect::Branch { target: 0x1000, conditional: false }),
            (0xb108, Effect::Branch { target: 0x1006, conditional: true }),
            (0xbf18, Effect::IfThen(1)),
            (0x1ffe, Effect::Less { register: 6, than: 7 }),
            (0x3e05, Effect::Less { register: 6, than: 6 }),
            (0xbf01, Effect::IfThen(4)),
            (0xdefe, Effect::Stop),
            (0xbeab, Effect::None),
            (0x1840, Effect::None),
        ];
        for (code, effect) in narrow {
            assert_eq!(length(code), 2, "{code:#x}");
            assert_eq!(decode(0x1000, code, 0), effect, "{code:#x}");
        }
        let wide: [(u32, Effect); 25] = [
            (0xf1a7_0418, Effect::Less { register: 4, than: 7 }),
            (0xe92d_4ff0, Effect::Grow(36)),
            (0xe8bd_8ff0, Effect::Return),
            (0xe8bd_4ff0, Effect::Grow(-36)),
            (0xf84d_ed04, Effect::Grow(4)),
            (0xf85d_fb04, Effect::Return),
            (0xf85d_eb04, Effect::Grow(-4)),
            (0xed2d_8b10, Effect::Grow(64)),
            (0xecbd_8b10, Effect::Grow(-64)),
            (0xf5ad_7d00, Effect::Grow(512)),
            (0xf50d_7d00, Effect::Grow(-512)),
            (0xf2ad_4d04, Effect::Grow(1028)),
            (0xebad_0d03, Effect::GrowBy { register: 3, shrinks: false }),
            (0xf000_f802, Effect::Call(0x1008)),
            (0xf7ff_fffe, Effect::Call(0x1000)),
            (0xf7ff_bffe, Effect::Branch { target: 0x1000, conditional: false }),
            (0xf43f_affe, Effect::Branch { target: 0x1000, conditional: true }),
            (0xe8df_f003, Effect::Table),
            (0xf240_1334, Effect::Set { register: 3, value: 0x134 }),
            (0xf2c2_0300, Effect::SetTop { register: 3, value: 0x2000 }),
            (0xf7f0_a000, Effect::Stop),
            (0xf380_8808, Effect::Unknown),
            (0xea4f_0d03, Effect::FromRegister(3)),
            (0xf8d0_f000, Effect::Table),
            (0xfb00_f101, Effect::None),
        ];
        for (code, effect) in wide {
            let (first, second) = ((code >> 16) as u16, code as u16);
            assert_eq!(length(first), 4, "{code:#x}");
            assert_eq!(decode(0x1000, first, second), effect, "{code:#x}");
        }
    }
}
