//! As much of a shell's grammar as the documents use: comments, quotes, continued lines, pipes, redirections, variables.

/// What splits commands, and what redirects, with the file that follows.
const OPERATORS: [&str; 5] = ["|", "||", "&&", ";", "&"];

/// The commands of a script, each a list of words; what only starts another program (`srun`) and variables set for one are left out.
pub(crate) fn commands(script: &str) -> Vec<Vec<String>> {
    let joined = script.replace("\\\n", " ");
    let mut commands: Vec<Vec<String>> = Vec::new();
    for line in joined.lines() {
        let mut command: Vec<String> = Vec::new();
        let mut skip_file = false;
        for word in words(line) {
            if OPERATORS.contains(&word.as_str()) {
                commands.push(std::mem::take(&mut command));
            } else if word.starts_with('>') || word == "<" {
                skip_file = word.trim_start_matches('>').is_empty();
            } else if !std::mem::take(&mut skip_file) {
                command.push(word);
            }
        }
        commands.push(command);
    }
    commands.into_iter().flat_map(nested).map(plain).filter(|command| !command.is_empty()).collect()
}

/// A synopsis as a command: `[--option N]` is given, `a|b` is its first.
pub(crate) fn usage(span: &str) -> String {
    let first = |word: &str| word.split('|').next().unwrap_or_default().to_owned();
    let open: String = span.chars().filter(|letter| !['[', ']'].contains(letter)).collect();
    open.split_whitespace()
        .map(|word| if word == "|" { word.to_owned() } else { first(word) })
        .collect::<Vec<_>>()
        .join(" ")
}

/// Words of a line up to its comment.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for letter in line.chars() {
        match (quote, letter) {
            (Some(open), _) if letter == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, '#') if word.is_none() => break,
            (None, ';') => words.extend(word.take().into_iter().chain([";".to_owned()])),
            (None, ' ' | '\t') => words.extend(word.take()),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

/// A command, and the one of this project that another program is told to start (`EXEC:bomp-sim …,pipes`).
fn nested(command: Vec<String>) -> Vec<Vec<String>> {
    let inner = command.iter().filter_map(|word| word.strip_prefix("EXEC:"));
    let inner: Vec<Vec<String>> =
        inner.map(|inner| words(inner.split(',').next().unwrap_or_default())).collect();
    [vec![command], inner].concat()
}

/// Without variables that are set for the command, starters of programs, and dots for what is left out; a word in capitals stands
/// for a value, for which 1 serves, as a number and as a name.
fn plain(command: Vec<String>) -> Vec<String> {
    let variable = |word: &String| {
        word.split_once('=')
            .is_some_and(|(name, _)| name.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_'))
    };
    let value = |word: String| {
        let capitals = !word.is_empty() && word.chars().all(|letter| letter.is_ascii_uppercase());
        if capitals { "1".to_owned() } else { word }
    };
    command
        .into_iter()
        .skip_while(|word| variable(word) || word == "srun")
        .filter(|word| word != "…" && word != "...")
        .map(value)
        .collect()
}

#[test]
fn commands_are_found_as_a_shell_finds_them() {
    let script = "# nothing\nexport A=$(cat f)\nX=1 srun one --a 'b c' \\\n  --d \"e\" >> \"f\" # g\ntwo N ... | three > x y; four 'a#b'\n";
    let found: Vec<String> = commands(script).iter().map(|words| words.join("_")).collect();
    assert_eq!(found, ["export_A=$(cat_f)", "one_--a_b c_--d_e", "two_1", "three_y", "four_a#b"]);
}

#[test]
fn a_synopsis_is_a_command() {
    assert_eq!(usage("p q [--seed N] [--s a|b|c] | head"), "p q --seed N --s a | head");
}
