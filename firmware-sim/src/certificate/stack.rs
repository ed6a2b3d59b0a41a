//! How much stack a program can use at most: the depth at every instruction of every function, and the deepest chain of
//! calls, all from the linked code.
//!
//! Limits, each of which makes the bound fail rather than be too small: recursion, a stack pointer that is computed at run
//! time, and a loop that grows the stack have no bound. A call through a pointer is taken to reach any function whose
//! address is kept anywhere in the image but in the model.

use std::collections::{BTreeMap, BTreeSet};

use super::thumb::{self, Effect};

/// A function of the image.
#[derive(Clone, Debug)]
pub(super) struct Function {
    pub(super) name: String,
    pub(super) start: u32,
    pub(super) end: u32,
}

/// The code of an image.
#[derive(Clone, Debug, Default)]
pub(super) struct Code {
    /// By address, without overlap.
    pub(super) functions: Vec<Function>,
    /// Halfwords of instructions by their address; data between them are left out.
    pub(super) halfwords: BTreeMap<u32, u16>,
    /// Words of data in flash by their address, but those of the model.
    pub(super) words: BTreeMap<u32, u32>,
}

/// Larger depths than any microcontroller has: the stack grows in a loop.
const ENDLESS: i64 = 1 << 24;

/// Number of the frame pointer among the registers.
const FRAME: u8 = 7;

/// What a function does to the stack.
#[derive(Clone, Debug, Default)]
struct Usage {
    /// Bytes that it uses itself at most.
    own: i64,
    /// What it calls, with the bytes that are in use at the call.
    calls: BTreeMap<Callee, i64>,
}

/// What is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Callee {
    /// The function that holds an address.
    Address(u32),
    /// Whatever a register points to.
    Pointer,
}

/// The deepest chain of calls from a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bound {
    /// Bytes.
    pub(super) bytes: u64,
    /// The functions with the bytes that each has in use when it calls the next; of the last, all that it uses.
    pub(super) chain: Vec<(String, u64)>,
    /// Calls through a pointer that were taken to reach any function.
    pub(super) pointer_calls: usize,
}

/// Bounds the stack of what begins at `entry`. The error says what has no bound, and where.
pub(super) fn bound(code: &Code, entry: u32) -> Result<Bound, String> {
    let mut analysis = Analysis { code, known: BTreeMap::new(), active: BTreeSet::new(), pointer_calls: 0 };
    let index = analysis.function(entry & !1).ok_or_else(|| format!("no function at {entry:#010x}"))?;
    let (bytes, _) = analysis.visit(index)?;
    let mut chain = Vec::new();
    let mut next = Some(index);
    while let Some(index) = next {
        let (_, (used, callee)) = analysis.known[&index];
        chain.push((code.functions[index].name.clone(), used as u64));
        next = callee;
    }
    Ok(Bound { bytes: bytes as u64, chain, pointer_calls: analysis.pointer_calls })
}

/// Bytes at most; bytes in use at the deepest call, and the function called there.
type Known = (i64, (i64, Option<usize>));

struct Analysis<'a> {
    code: &'a Code,
    known: BTreeMap<usize, Known>,
    active: BTreeSet<usize>,
    pointer_calls: usize,
}

impl Analysis<'_> {
    fn function(&self, address: u32) -> Option<usize> {
        let after = self.code.functions.partition_point(|function| function.start <= address);
        let index = after.checked_sub(1)?;
        (address < self.code.functions[index].end).then_some(index)
    }

    fn visit(&mut self, index: usize) -> Result<(i64, usize), String> {
        if let Some(&(bytes, _)) = self.known.get(&index) {
            return Ok((bytes, index));
        }
        let name = &self.code.functions[index].name;
        if !self.active.insert(index) {
            return Err(format!("`{name}` calls itself, so the stack has no bound"));
        }
        let usage = self.usage(index)?;
        let mut deepest = (usage.own, (usage.own, None));
        for (callee, depth) in usage.calls {
            let callees = match callee {
                Callee::Address(address) => vec![
                    self.function(address)
                        .ok_or_else(|| format!("`{name}` calls {address:#010x}, which is no function"))?,
                ],
                Callee::Pointer => {
                    self.pointer_calls += 1;
                    self.targets_of_pointers()
                }
            };
            for callee in callees.into_iter().filter(|&callee| callee != index) {
                let (bytes, _) = self.visit(callee)?;
                if depth + bytes > deepest.0 {
                    deepest = (depth + bytes, (depth, Some(callee)));
                }
            }
        }
        self.active.remove(&index);
        self.known.insert(index, deepest);
        Ok((deepest.0, index))
    }

    /// Functions whose address is kept in the data of the image, or put together by two instructions.
    fn targets_of_pointers(&self) -> Vec<usize> {
        let mut targets: BTreeSet<usize> = BTreeSet::new();
        let mut add = |word: u32| {
            if word & 1 == 1
                && let Some(index) = self.function(word & !1)
                && self.code.functions[index].start == word & !1
            {
                targets.insert(index);
            }
        };
        // The first words are the vectors, which only the processor calls.
        self.code.words.values().copied().for_each(&mut add);
        for function in &self.code.functions {
            let mut registers = BTreeMap::new();
            let mut address = function.start;
            while let Some((effect, length)) = self.instruction(address, function.end) {
                match effect {
                    Effect::Set { register, value } => drop(registers.insert(register, value)),
                    Effect::SetTop { register, value } => {
                        add(registers.get(&register).copied().unwrap_or(0) & 0xffff | value << 16);
                    }
                    _ => {}
                }
                address += length;
            }
        }
        targets.into_iter().collect()
    }

    /// What the instruction at `address` does, and its length.
    fn instruction(&self, address: u32, end: u32) -> Option<(Effect, u32)> {
        let halfword = |address: u32| self.code.halfwords.get(&address).copied();
        let first = (address < end).then(|| halfword(address)).flatten()?;
        let length = thumb::length(first);
        let second = if length == 4 { halfword(address + 2)? } else { 0 };
        Some((thumb::decode(address, first, second), length))
    }

    /// Follows every way through a function. A way that is come by again deeper is followed again.
    fn usage(&self, index: usize) -> Result<Usage, String> {
        let function = &self.code.functions[index];
        let failed = |address: u32, why: &str| Err(format!("`{}` at {address:#010x}: {why}", function.name));
        let mut usage = Usage::default();
        let mut depths: BTreeMap<u32, i64> = BTreeMap::new();
        let mut todo = vec![(function.start, 0i64)];
        let mut table_depth: Option<i64> = None;
        loop {
            let Some((mut address, mut depth)) = todo.pop() else {
                // Behind a jump through a table lies what nothing else leads to.
                let Some(depth) = table_depth else { break };
                let unseen = self.code.halfwords.range(function.start..function.end);
                let unseen =
                    unseen.map(|(&address, _)| address).find(|address| !depths.contains_key(address));
                match unseen {
                    Some(address) => todo.push((address, depth)),
                    None => break,
                }
                continue;
            };
            let mut registers: BTreeMap<u8, u32> = BTreeMap::new();
            let mut below_frame: Option<u8> = None;
            let mut conditional = 0u8;
            loop {
                if depths.get(&address).is_some_and(|&known| known >= depth) {
                    break;
                }
                if depth > ENDLESS {
                    return failed(address, "the stack grows in a loop");
                }
                let Some((effect, length)) = self.instruction(address, function.end) else {
                    // Runs on into the next function.
                    if self.function(address).is_some_and(|next| next != index) {
                        note(&mut usage, Callee::Address(address), depth);
                    }
                    break;
                };
                depths.insert(address, depth);
                if length == 4 {
                    // So that its second half is not taken for an instruction behind a table.
                    depths.entry(address + 2).or_insert(depth);
                }
                let maybe = conditional > 0;
                conditional = conditional.saturating_sub(1);
                let next = address + length;
                match effect {
                    Effect::None | Effect::Less { .. } => {}
                    // An instruction that may not be executed cannot be relied on to shrink the stack.
                    Effect::Grow(bytes) if bytes < 0 && maybe => {}
                    Effect::Grow(bytes) => depth = (depth + i64::from(bytes)).max(0),
                    Effect::GrowBy { register, shrinks } => {
                        let Some(&value) = registers.get(&register) else {
                            return failed(address, "the size of its frame is computed at run time");
                        };
                        let value = i64::from(value as i32);
                        depth = (depth + if shrinks { -value } else { value }).max(0);
                    }
                    // An epilogue: it comes back to the frame pointer, or to what was pushed below it, and pops that.
                    Effect::FromRegister(FRAME) => {}
                    Effect::FromRegister(register) if below_frame == Some(register) => {}
                    Effect::FromRegister(_) | Effect::Unknown => {
                        return failed(address, "the stack pointer is computed at run time");
                    }
                    Effect::Branch { target, conditional } => {
                        if (function.start..function.end).contains(&target) {
                            todo.push((target, depth));
                        } else {
                            note(&mut usage, Callee::Address(target), depth);
                        }
                        if !conditional && !maybe {
                            break;
                        }
                    }
                    Effect::Call(target) => {
                        note(&mut usage, Callee::Address(target), depth);
                        // A call that ends a function never returns: no compiler lets one run on into its neighbour.
                        if next == function.end {
                            break;
                        }
                    }
                    Effect::CallRegister(register) | Effect::JumpRegister(register) => {
                        let callee = registers.get(&register);
                        note(
                            &mut usage,
                            callee.map_or(Callee::Pointer, |&to| Callee::Address(to & !1)),
                            depth,
                        );
                        if matches!(effect, Effect::JumpRegister(_)) {
                            // It may also be the jump of a table, as Armv6-M has them.
                            table_depth = table_depth.max(Some(depth));
                            if !maybe {
                                break;
                            }
                        }
                    }
                    Effect::Table => {
                        table_depth = table_depth.max(Some(depth));
                        break;
                    }
                    Effect::Return | Effect::Stop if maybe => {}
                    Effect::Return | Effect::Stop => break,
                    Effect::IfThen(count) => conditional = count,
                    Effect::Load { register, address } => match self.code.words.get(&address) {
                        Some(&word) => drop(registers.insert(register, word)),
                        None => drop(registers.remove(&register)),
                    },
                    Effect::Set { register, value } => drop(registers.insert(register, value)),
                    Effect::SetTop { register, value } => {
                        let low = registers.get(&register).copied().unwrap_or(0) & 0xffff;
                        registers.insert(register, low | value << 16);
                    }
                }
                below_frame = match effect {
                    Effect::Less { register, than } if than == FRAME || below_frame == Some(than) => {
                        Some(register)
                    }
                    _ => None,
                };
                // A register is known only until anything else has happened: what may have changed it is not followed.
                if !matches!(effect, Effect::Load { .. } | Effect::Set { .. } | Effect::SetTop { .. }) {
                    registers.clear();
                }
                usage.own = usage.own.max(depth);
                address = next;
            }
        }
        Ok(usage)
    }
}

fn note(usage: &mut Usage, callee: Callee, depth: i64) {
    let known = usage.calls.entry(callee).or_insert(depth);
    *known = depth.max(*known);
}
