//! Presets that state only what differs from another one: `based_on = "two-cores"`, a built-in name or a file beside the preset.
//!
//! Guarantees: tables are merged value by value, so one number of `training.float` can be changed alone; what is wrong with a
//! value is told with its name in the file that states it.

use std::path::Path;

use serde::de::DeserializeOwned;
use toml::{Table, Value};

/// The key that names the base.
const BASE: &str = "based_on";
/// Presets that may be based on each other in a row: more are a circle.
const DEPTH: usize = 8;

/// Reads a preset's text; `text_of` gives that of a base. `path` is where the text is from.
///
/// # Errors
/// One line that names the line, or the value that makes no sense.
pub(super) fn parse<T: DeserializeOwned>(
    text: &str,
    path: &Path,
    text_of: &dyn Fn(&str) -> Result<String, String>,
) -> Result<T, String> {
    let stated: Table = toml::from_str(text).map_err(|error| at_line(text, &error))?;
    if !stated.contains_key(BASE) {
        return toml::from_str(text).map_err(|error| match error.message() {
            _ if stated.contains_key("blocks") => "it is a search space: give it to --space".into(),
            message if message.starts_with("missing field") => format!(
                "{message}: to state only what differs from another preset, begin with `{BASE} = \"two-cores\"`"
            ),
            _ => at_line(text, &error),
        });
    }
    let whole = resolved(stated.clone(), path, text_of, DEPTH)?;
    whole.clone().try_into().map_err(|error: toml::de::Error| {
        let message = error.message().replace('\n', ", ");
        // Which of the stated values it is: the first that spoils the base.
        let base = base_of(&stated, path, text_of, DEPTH);
        let guilty = base.ok().flatten().and_then(|base| {
            leaves(&stated, "").into_iter().find(|(name, _)| {
                let mut one = base.clone();
                set(&mut one, name, &whole);
                one.try_into::<T>().is_err()
            })
        });
        match guilty {
            Some((name, _)) => format!("{name}: {message}"),
            None => message,
        }
    })
}

/// The error with its line and, where the line has one, the name of the value.
fn at_line(text: &str, error: &toml::de::Error) -> String {
    let index = text[..error.span().map_or(0, |span| span.start)].matches('\n').count();
    let name = text.lines().nth(index).and_then(|line| Some(line.split_once('=')?.0.trim()));
    let location = name.map_or_else(String::new, |name| format!(", {name}"));
    format!("line {}{location}: {}", index + 1, error.message().replace('\n', ", "))
}

/// What `stated` says over what its base says.
fn resolved(
    stated: Table,
    path: &Path,
    text_of: &dyn Fn(&str) -> Result<String, String>,
    depth: usize,
) -> Result<Table, String> {
    let base = base_of(&stated, path, text_of, depth)?;
    let mut whole = base.unwrap_or_default();
    let own = stated.into_iter().filter(|(name, _)| name != BASE).collect();
    merge(&mut whole, own);
    Ok(whole)
}

/// The preset that `stated` is based on, whole.
fn base_of(
    stated: &Table,
    path: &Path,
    text_of: &dyn Fn(&str) -> Result<String, String>,
    depth: usize,
) -> Result<Option<Table>, String> {
    let Some(base) = stated.get(BASE) else { return Ok(None) };
    let name = base.as_str().ok_or_else(|| format!("{BASE}: the name of a preset in quotes is needed"))?;
    if depth == 0 {
        return Err(format!(
            "{BASE}: presets are based on each other in a circle, or more than {DEPTH} in a row"
        ));
    }
    // Beside the preset, if there is such a file.
    let beside = path.with_file_name(name);
    let name = if beside.is_file() { beside.to_string_lossy().into_owned() } else { name.to_owned() };
    let text = text_of(&name).map_err(|problem| format!("{BASE}: {problem}"))?;
    let base: Table =
        toml::from_str(&text).map_err(|error| format!("{BASE} {name}, {}", at_line(&text, &error)))?;
    resolved(base, Path::new(&name), text_of, depth - 1).map(Some)
}

fn merge(whole: &mut Table, own: Table) {
    for (name, value) in own {
        match (whole.get_mut(&name), value) {
            (Some(Value::Table(whole)), Value::Table(own)) => merge(whole, own),
            (_, value) => {
                whole.insert(name, value);
            }
        }
    }
}

/// The stated values by their names, such as `training.float.epochs`.
fn leaves(table: &Table, above: &str) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for (name, value) in table.iter().filter(|(name, _)| !above.is_empty() || *name != BASE) {
        let name = if above.is_empty() { name.clone() } else { format!("{above}.{name}") };
        match value {
            Value::Table(table) => found.extend(leaves(table, &name)),
            value => found.push((name, value.clone())),
        }
    }
    found
}

/// Sets the value of this name to what it is in `from`.
fn set(table: &mut Table, name: &str, from: &Table) {
    let (first, rest) = name.split_once('.').map_or((name, None), |(first, rest)| (first, Some(rest)));
    match (rest, from.get(first)) {
        (Some(rest), Some(Value::Table(from))) => {
            let inner = table.entry(first).or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(inner) = inner {
                set(inner, rest, from);
            }
        }
        (_, Some(value)) => {
            table.insert(first.to_owned(), value.clone());
        }
        (_, None) => {}
    }
}
