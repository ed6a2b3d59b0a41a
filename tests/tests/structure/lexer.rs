//! Rust as words and signs: without comments, contents of texts, lifetimes, and whatever is compiled for tests alone.

/// The tokens of `source`: identifiers, numbers, `::`, `->`, single signs, and `""` for a text or a character.
pub(crate) fn tokens(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(length) = text(rest) {
            found.push("\"\"".to_owned());
            length
        } else if first == '\'' {
            // A character, or a lifetime.
            let mut after = rest[1..].chars();
            let one = after.next().unwrap_or(' ');
            if one == '\\' {
                found.push("\"\"".to_owned());
                3 + rest[3..].find('\'').unwrap_or(0)
            } else if after.next() == Some('\'') {
                found.push("\"\"".to_owned());
                2 + one.len_utf8()
            } else {
                1 + word(&rest[1..])
            }
        } else if word(rest) > 0 {
            found.push(rest[..word(rest)].to_owned());
            word(rest)
        } else if rest.starts_with("::") || rest.starts_with("->") || rest.starts_with("=>") {
            found.push(rest[..2].to_owned());
            2
        } else {
            if !first.is_whitespace() {
                found.push(first.to_string());
            }
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    found
}

fn word(text: &str) -> usize {
    text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len())
}

/// Length of the literal that `rest` begins with, if it is a text.
fn text(rest: &str) -> Option<usize> {
    let prefix = ["br", "cr", "b", "c", "r", ""].into_iter().find(|prefix| {
        let after = rest.strip_prefix(prefix).unwrap_or(" ");
        after.starts_with('"') || (prefix.ends_with('r') && after.trim_start_matches('#').starts_with('"'))
    })?;
    let after = &rest[prefix.len()..];
    if prefix.ends_with('r') {
        let hashes = after.len() - after.trim_start_matches('#').len();
        let end = format!("\"{}", "#".repeat(hashes));
        let begin = hashes + 1;
        return Some(prefix.len() + begin + after[begin..].find(&end)? + end.len());
    }
    let mut escaped = true;
    let end = after.char_indices().find(|&(_, c)| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    })?;
    Some(prefix.len() + end.0 + 1)
}

/// `tokens` without the items behind `#[cfg(test)]`, and the names of the modules among these. A module within a file counts as
/// the file: its `super` is `self`.
pub(crate) fn without_tests(tokens: &[String]) -> (Vec<String>, Vec<String>) {
    let (mut kept, mut modules) = (Vec::new(), Vec::new());
    let token_is = |at: usize, expected: &str| tokens.get(at).is_some_and(|token| token == expected);
    let (mut at, mut inline_until) = (0, 0);
    while at < tokens.len() {
        if !matches(&tokens[at..], &["#", "[", "cfg", "(", "test", ")", "]"]) {
            if token_is(at, "mod") && token_is(at + 2, "{") {
                inline_until = inline_until.max(at + item_end(&tokens[at..]));
            }
            let head = token_is(at, "super") && (at == 0 || !token_is(at - 1, "::"));
            kept.push(if head && at < inline_until { "self".to_owned() } else { tokens[at].clone() });
            at += 1;
            continue;
        }
        at += 7;
        let end = item_end(&tokens[at..]);
        let item = &tokens[at..at + end];
        if let Some(name) = item.iter().position(|token| token == "mod") {
            modules.push(item[name + 1].clone());
        }
        at += end;
    }
    (kept, modules)
}

pub(crate) fn matches(tokens: &[String], pattern: &[&str]) -> bool {
    tokens.len() >= pattern.len() && tokens.iter().zip(pattern).all(|(token, expected)| token == expected)
}

/// Tokens of an item: to its semicolon, or to the end of its braces.
fn item_end(tokens: &[String]) -> usize {
    let mut depth = 0usize;
    for (index, token) in tokens.iter().enumerate() {
        match token.as_str() {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => {
                depth = depth.saturating_sub(1);
                if depth == 0 && token == "}" {
                    return index + 1;
                }
            }
            ";" | "," if depth == 0 => return index + 1,
            _ => {}
        }
    }
    tokens.len()
}
