//! JSON Schema, as far as this project's schemas go: holds what `--json` prints against the files that describe it.

use serde_json::Value;

/// Holds `value` against `schema`; `path` says where.
///
/// # Panics
/// Then, and where the schema has a word that is not known here.
#[track_caller]
pub fn check(schema: &Value, value: &Value, path: &str) {
    let schema = schema.as_object().unwrap_or_else(|| panic!("{path}: the schema is not an object"));
    for (word, rule) in schema {
        match word.as_str() {
            "$schema" | "title" | "description" => {}
            "type" => {
                let types: Vec<&str> = match rule {
                    Value::Array(types) => types.iter().map(|name| name.as_str().unwrap()).collect(),
                    name => vec![name.as_str().unwrap()],
                };
                assert!(types.iter().any(|name| is(name, value)), "{path}: {value} is not {rule}");
            }
            "required" => {
                let Some(object) = value.as_object() else { continue };
                for name in rule.as_array().unwrap() {
                    assert!(object.contains_key(name.as_str().unwrap()), "{path}: {name} is missing");
                }
            }
            "properties" => {
                let Some(object) = value.as_object() else { continue };
                for (name, schema) in rule.as_object().unwrap() {
                    if let Some(value) = object.get(name) {
                        check(schema, value, &format!("{path}.{name}"));
                    }
                }
            }
            "additionalProperties" => {
                let Some(object) = value.as_object() else { continue };
                let known = schema.get("properties").and_then(Value::as_object);
                for (name, value) in object {
                    if known.is_some_and(|known| known.contains_key(name)) {
                        continue;
                    }
                    assert!(rule != &Value::Bool(false), "{path}: {name} is not in the schema");
                    check(rule, value, &format!("{path}.{name}"));
                }
            }
            "items" => {
                let Some(items) = value.as_array() else { continue };
                for (index, item) in items.iter().enumerate() {
                    check(rule, item, &format!("{path}[{index}]"));
                }
            }
            other => panic!("{path}: this test does not know `{other}`"),
        }
    }
}

fn is(name: &str, value: &Value) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => panic!("no such type: {name}"),
    }
}
