//! What a linked image proves about itself: no panic, allocation or floating-point emulation is linked, and the stack stays
//! below a bound that follows from its code. Growth beyond the budget in `budget.toml` is a failure.
//!
//! The image is what is examined, after linking: whatever the compiler inlined, removed or added is in it. The bound is the
//! deepest chain of calls from the reset on, plus one exception; `stack` states what that rests on. Exceptions do not
//! nest: the only one that is ever enabled is the timer's. A fault ends the program and is not counted.

mod budget;
mod image;
mod stack;
mod symbols;
mod thumb;

use object::{File, Object, ObjectSymbol};
use serde::{Deserialize, Serialize};

use bomp_export::board::Board;

pub use budget::Budget;

/// Bytes that the processor itself pushes for an exception, alignment included: eight registers, and with a floating-point
/// unit eighteen more.
const EXCEPTION_FRAME: u64 = 32 + 4;
const EXCEPTION_FRAME_WITH_FLOATS: u64 = 104 + 4;
/// Vectors that end the program (reset, NMI and hard fault), by their numbers.
const ENDING: std::ops::RangeInclusive<usize> = 1..=3;

/// One function of the deepest chain of calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// Its name.
    pub function: String,
    /// Bytes of stack that it has in use when it calls the next, or of the last, all that it uses.
    pub bytes: u64,
}

/// The bound of the stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackBound {
    /// Bytes at most, an exception included.
    pub bytes: u64,
    /// Bytes of the program.
    pub program: u64,
    /// Bytes of an exception: what the processor pushes, and the deepest handler.
    pub exception: u64,
    /// The deepest chain of calls of the program.
    pub chain: Vec<Call>,
    /// Calls through a pointer, each taken to reach any function whose address the image holds.
    pub pointer_calls: usize,
}

/// What was found in an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// Symbols from which a panic can be told; there must be none.
    pub panic_symbols: Vec<String>,
    /// Symbols of an allocator; there must be none.
    pub heap_symbols: Vec<String>,
    /// Symbols of floating-point emulation; there must be none.
    pub float_symbols: Vec<String>,
    /// The bound of the stack, if there is one.
    pub stack: Option<StackBound>,
    /// Why there is none.
    pub stack_problem: Option<String>,
}

impl Certificate {
    /// Examines an image. The error says what makes it no image of this project.
    pub(crate) fn of(file: &File<'_>, board: &Board) -> Result<Self, String> {
        let mut names: Vec<&str> = file.symbols().filter_map(|symbol| symbol.name().ok()).collect();
        if names.is_empty() {
            return Err("it has no symbols, so nothing can be said of what is linked".into());
        }
        names.sort_unstable();
        names.dedup();
        let of = |is_of: fn(&str) -> bool| {
            names.iter().filter(|name| is_of(name)).map(|&name| demangled(name)).collect()
        };
        let (stack, stack_problem) = match stack_bound(file, board)? {
            Ok(bound) => (Some(bound), None),
            Err(problem) => (None, Some(problem)),
        };
        Ok(Self {
            panic_symbols: of(symbols::is_panic),
            heap_symbols: of(symbols::is_heap),
            float_symbols: of(symbols::is_float),
            stack,
            stack_problem,
        })
    }

    /// What is not as it must be, one line each.
    pub(crate) fn failures(&self) -> Vec<String> {
        let linked = [
            ("panics", &self.panic_symbols),
            ("allocation", &self.heap_symbols),
            ("floating-point emulation", &self.float_symbols),
        ];
        let mut failures: Vec<String> = linked
            .into_iter()
            .filter(|(_, symbols)| !symbols.is_empty())
            .map(|(what, symbols)| format!("the image contains {what}: {}", symbols.join(", ")))
            .collect();
        if let Some(problem) = &self.stack_problem {
            failures.push(format!("the stack has no bound: {problem}"));
        }
        failures
    }
}

/// The bound of the stack, or why there is none.
fn stack_bound(file: &File<'_>, board: &Board) -> Result<Result<StackBound, String>, String> {
    let code = image::code(file)?;
    let vectors = image::vectors(file)?;
    let reset = vectors.get(1).copied().ok_or("its vector table has no reset")?;
    let bound = || -> Result<StackBound, String> {
        let program = stack::bound(&code, reset)?;
        let mut handler = 0;
        for (number, &vector) in vectors.iter().enumerate().skip(1) {
            if vector != 0 && !ENDING.contains(&number) {
                handler = stack::bound(&code, vector)?.bytes.max(handler);
            }
        }
        let frame = if board.target.ends_with("hf") { EXCEPTION_FRAME_WITH_FLOATS } else { EXCEPTION_FRAME };
        let exception = frame + handler;
        let chain = program.chain.into_iter();
        Ok(StackBound {
            bytes: program.bytes + exception,
            program: program.bytes,
            exception,
            chain: chain.map(|(name, bytes)| Call { function: demangled(&name), bytes }).collect(),
            pointer_calls: program.pointer_calls,
        })
    };
    Ok(bound())
}

/// A symbol as its source spells it, without the hash.
fn demangled(name: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(name))
}
