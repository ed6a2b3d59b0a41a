//! Definitions from files: what is read, and how each mistake is named.

use std::path::Path;

use bomp_export::ir::Shape;

use super::{Space, built_in, tiny};

const TINY: &str = r#"name = "mine"
classes = 10
input = { height = 28, width = 28, channels = 1 }
bits = { choices = [4, 8], seed = 8 }
reductions = [{ choices = [0], seed = 0 }]
[stem]
filters = 8
kernel = 3
stride = { choices = [1], seed = 1 }
[[blocks]]
filters = 8
kernel = { choices = [3, 5], seed = 3 }
width = { choices = [0.5, 1.0], seed = 1.0 }
expansion = { choices = [1], seed = 1 }
repetitions = { choices = [1, 2], seed = 1 }
[conv2]
filters = { choices = [0, 16], seed = 16 }
"#;

fn load(text: &str) -> Result<Space, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.toml");
    std::fs::write(&path, text).unwrap();
    let shown = path.display().to_string();
    Space::load(&path).map_err(|error| error.to_string().replace(&shown, "mine.toml"))
}

#[test]
fn a_users_space_is_read_from_toml() {
    let space = load(TINY).unwrap();
    assert_eq!(space.definition().name, "mine");
    space.network(&space.seed()).validate().unwrap();
}

#[test]
fn a_space_survives_toml_and_json() {
    for space in built_in().chain([tiny("[6, 8]")]) {
        let text = toml::to_string(&space).unwrap();
        assert_eq!(toml::from_str::<Space>(&text).unwrap(), space);
        let text = serde_json::to_string(&space).unwrap();
        assert_eq!(serde_json::from_str::<Space>(&text).unwrap(), space);
    }
}

#[test]
fn each_mistake_is_named_with_file_and_field() {
    let mistakes = [
        ("classes = 10", "classes = 1", "mine.toml: classes: is 1, give 2 to 65535"),
        ("classes = 10", "classes = \"ten\"", "mine.toml, line 2: invalid type: string"),
        ("classes = 10", "clases = 10", "mine.toml, line 2: unknown field `clases`"),
        ("classes = 10", "", "mine.toml, line 1: missing field `classes`"),
        ("classes = 10", "classes = -10", "mine.toml, line 2: invalid value"),
        ("height = 28", "height = 0", "mine.toml: input.height: is 0, give 1 to 65535"),
        ("[4, 8], seed = 8", "[4, 9], seed = 9", "mine.toml, line 4: a weight width of 9 bits"),
        ("[4, 8], seed = 8", "[8, 4], seed = 8", "mine.toml: bits: the choices"),
        (
            "[4, 8], seed = 8",
            "[4, 8], seed = 6",
            "mine.toml: bits: the seed 6 must be one of the choices 4, 8",
        ),
        (
            "[0], seed = 0",
            "[1], seed = 1",
            "mine.toml: reduction 1: the choice 1 is not possible, give 0 to 0",
        ),
        ("[3, 5], seed = 3", "[], seed = 3", "mine.toml: block 1, kernel: has no choices"),
        (
            "[3, 5], seed = 3",
            "[3, 16], seed = 3",
            "mine.toml: block 1, kernel: the choice 16 is not possible",
        ),
        (
            "[0.5, 1.0], seed = 1.0",
            "[-1.0, 1.0], seed = 1.0",
            "mine.toml: block 1, width: the choice -1 is not",
        ),
        ("[0.5, 1.0], seed = 1.0", "[nan], seed = 1.0", "mine.toml: block 1, width: the choice NaN is not"),
        (
            "[1, 2], seed = 1",
            "[0, 1], seed = 1",
            "mine.toml: block 1, repetitions: the choice 0 is not possible",
        ),
        (
            "choices = [1], seed = 1 }\nrep",
            "choices = [9000], seed = 9000 }\nrep",
            "mine.toml: block 1, width or",
        ),
        ("[0, 16]", "[0, 16, 70000]", "mine.toml: conv2.filters: the choice 70000 is not possible"),
        ("28, width = 28", "60000, width = 60000", "would be too large"),
        ("28, width = 28", "600, width = 600", "mine.toml: input: the pool would sum 90000 values"),
        ("[[blocks]]", "[blocks]", "mine.toml, line 10: "),
        ("name = \"mine\"", "name = mine", "mine.toml, line 1: "),
    ];
    for (right, wrong, message) in mistakes {
        assert_eq!(TINY.matches(right).count(), 1, "{right}");
        let error = load(&TINY.replace(right, wrong)).unwrap_err();
        assert!(error.contains(message), "{wrong}: {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

#[test]
fn a_space_of_one_network_is_refused() {
    let mut text = TINY.to_owned();
    for (from, to) in [
        ("[4, 8]", "[8]"),
        ("[3, 5]", "[3]"),
        ("[0.5, 1.0]", "[1.0]"),
        ("[1, 2]", "[1]"),
        ("[0, 16]", "[16]"),
    ] {
        text = text.replace(from, to);
    }
    let error = load(&text).unwrap_err();
    assert!(error.contains("a single network"), "{error}");
}

#[test]
fn an_unknown_name_lists_the_built_in_spaces() {
    let error = Space::open("papr").unwrap_err().to_string();
    assert!(
        error.starts_with("papr: cannot be read") && error.contains("paper, paper-cifar100, extended, micro"),
        "{error}"
    );
    assert!(Space::load(Path::new("/")).is_err());
}

#[test]
fn another_input_is_accepted_or_refused_whole() {
    let space = Space::open("paper").unwrap();
    let other = space.clone().with_input(Shape::new(28, 28, 1), 47).unwrap();
    assert_eq!((other.definition().input, other.definition().classes), (Shape::new(28, 28, 1), 47));
    assert_eq!(other.definition().blocks, space.definition().blocks);
    let error = space.clone().with_input(Shape::new(0, 28, 1), 10).unwrap_err().to_string();
    assert_eq!(error, "search space `paper`: input.height: is 0, give 1 to 65535");
    assert!(space.with_input(Shape::new(28, 28, 20_000), 10).is_err());
}
