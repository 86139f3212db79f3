//! The JSON Schema of the file, for editors: made from the same definitions that read it.

use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use super::shape::File;
use crate::source;

/// The schema of the whole file (JSON Schema, draft 2020-12).
pub fn schema() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|it| {
        // Without references, the keys of a source can be joined with its `kind`.
        it.inline_subschemas = true;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<File>().to_value();
    forbid_null(&mut schema);
    schema
}

/// Takes `null` out of every choice: TOML has none, a key is there or not.
fn forbid_null(schema: &mut Value) {
    let null = json!("null");
    let Value::Object(keys) = schema else {
        if let Value::Array(parts) = schema {
            parts.iter_mut().for_each(forbid_null);
        }
        return;
    };
    if keys.get("default") == Some(&Value::Null) {
        keys.remove("default");
    }
    if let Some(types) = keys.get_mut("type")
        && let Some([only]) = types.as_array_mut().map(|it| {
            it.retain(|it| *it != null);
            it.as_slice()
        })
    {
        *types = only.clone();
    }
    if let Some(Value::Array(choices)) = keys.get_mut("anyOf") {
        choices.retain(|it| it.get("type") != Some(&null));
        if let [Value::Object(only)] = choices.as_mut_slice() {
            let only = std::mem::take(only);
            keys.remove("anyOf");
            for (key, value) in only {
                // What the key means says more than what its type is.
                keys.entry(key).or_insert(value);
            }
        }
    }
    keys.values_mut().for_each(forbid_null);
}

/// The schema of `[[host.source]]`: one choice per kind.
pub(super) fn sources(generator: &mut SchemaGenerator) -> Schema {
    let kinds: Vec<_> = source::ALL.iter().map(|it| source_kind(it, generator)).collect();
    json_schema!({ "type": "array", "items": { "oneOf": kinds } })
}

/// The keys of one kind of source, with `kind` itself.
fn source_kind(kind: &source::Kind, generator: &mut SchemaGenerator) -> Value {
    let Value::Object(mut keys) = (kind.schema)(generator).to_value() else {
        return Value::Bool(true);
    };
    let choice = json!({ "type": "string", "const": kind.name, "description": kind.about });
    let mut properties = Map::from_iter([("kind".to_owned(), choice)]);
    if let Some(Value::Object(others)) = keys.remove("properties") {
        properties.extend(others);
    }
    let mut required = vec![json!("kind")];
    if let Some(Value::Array(others)) = keys.remove("required") {
        required.extend(others);
    }
    keys.insert("type".into(), json!("object"));
    keys.insert("properties".into(), Value::Object(properties));
    keys.insert("required".into(), Value::Array(required));
    keys.insert("additionalProperties".into(), json!(false));
    Value::Object(keys)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::read;

    const EXAMPLE: &str = include_str!("../../inventory.example.toml");

    /// What an editor hands to a schema: dates are text.
    fn as_json(text: &str) -> Value {
        fn lower(value: toml::Value) -> Value {
            match value {
                toml::Value::Datetime(it) => json!(it.to_string()),
                toml::Value::Array(it) => it.into_iter().map(lower).collect(),
                toml::Value::Table(it) => it.into_iter().map(|it| (it.0, lower(it.1))).collect(),
                it => json!(it),
            }
        }
        lower(toml::Value::Table(text.parse().unwrap()))
    }

    #[test]
    fn the_example_fits() {
        let validator = jsonschema::validator_for(&schema()).unwrap();
        let document = as_json(EXAMPLE);
        let errors: Vec<_> = validator.iter_errors(&document).map(|it| it.to_string()).collect();
        assert_eq!(errors, [""; 0]);
    }

    #[test]
    fn the_example_mentions_every_key() {
        fn keys(schema: &Value, found: &mut Vec<String>) {
            if let Some(Value::Object(properties)) = schema.get("properties") {
                found.extend(properties.keys().cloned());
            }
            match schema {
                Value::Object(it) => it.values().for_each(|it| keys(it, found)),
                Value::Array(it) => it.iter().for_each(|it| keys(it, found)),
                _ => {}
            }
        }
        let mut found = Vec::new();
        keys(&schema(), &mut found);
        assert!(found.len() > 30, "{found:?}");
        let is_missing = |key: &String| {
            let starts = [format!("{key} = "), format!("[{key}]"), format!(".{key}]")];
            !starts.iter().any(|it| EXAMPLE.contains(it.as_str()))
        };
        let missing: Vec<_> = found.into_iter().filter(is_missing).collect();
        assert_eq!(missing, [""; 0]);
    }

    #[test]
    fn every_key_is_described_and_no_other_is_allowed() {
        fn check(schema: &Value, path: &str) {
            if let Some(Value::Object(properties)) = schema.get("properties") {
                assert_eq!(schema["additionalProperties"], json!(false), "{path}");
                for (key, value) in properties {
                    assert!(value["description"].is_string(), "{path}.{key}");
                }
            }
            match schema {
                Value::Object(it) => {
                    it.iter().for_each(|it| check(it.1, &format!("{path}.{}", it.0)))
                }
                Value::Array(it) => it.iter().for_each(|it| check(it, path)),
                _ => {}
            }
        }
        check(&schema(), "");
    }

    #[test]
    fn what_is_wrong_for_one_is_wrong_for_both() {
        let validator = jsonschema::validator_for(&schema()).unwrap();
        let host = "[[host]]\nname = 'a'\n";
        let dns = "[[dns]]\nname = 'a'\nkind = 'b'\n";
        let cases = [
            "hosst = []\n".to_owned(),
            "[[host]]\n".to_owned(),
            "[host]\nname = 'a'\n".to_owned(),
            "[[host]]\nname = '-a'\n".to_owned(),
            "[[host]]\nname = 'a b'\n".to_owned(),
            format!("{host}adress = 'x'\n"),
            format!("{host}port = 0\n"),
            format!("{host}port = '22'\n"),
            format!("{host}user = 'Root'\n"),
            format!("{host}groups = 'x'\n"),
            format!("{host}become = 'root'\n"),
            format!("{host}scan-timeout = '10'\n"),
            format!("{host}[[host.source]]\nkind = 'nginx'\n"),
            format!("{host}[[host.source]]\nconfig-dir = '/etc'\n"),
            format!("{host}[[host.source]]\nkind = 'certbot'\npaths = ['/etc']\n"),
            format!("{host}[[host.source]]\nkind = 'pem'\n"),
            format!("{host}[[host.endpoint]]\nport = 1\n"),
            format!("{host}[[host.endpoint]]\nname = 'a'\nstarttls = 'tls'\n"),
            format!("{host}[[host.endpoint]]\nname = 'a'\nprobe = ['moon']\n"),
            "[defaults]\nconcurrency = 501\n".to_owned(),
            "[[group]]\nname = ''\n".to_owned(),
            "[[group]]\nname = 'a'\nprotect = 'yes'\n".to_owned(),
            "[[issuer]]\nname = 'a'\ndirectory = 'http://a.example'\n".to_owned(),
            "[[issuer]]\nname = 'a'\ndirectory = 'http://127.0.0.1.example'\n".to_owned(),
            format!("{dns}api-token = 'x'\n"),
            format!("{dns}secret-file = '/a'\nsecret-env = 'A'\n"),
            format!("{dns}secret-env = '1'\n"),
            "[[hook]]\nname = 'a'\nrun = ' '\nimpact = 'none'\n".to_owned(),
            "[[hook]]\nname = 'a'\nrun = 'x'\n".to_owned(),
            "[[expiry]]\nname = 'a'\non = 2027-02-01T12:00:00\n".to_owned(),
            "[[expiry]]\nname = 'a'\non = 5\n".to_owned(),
        ];
        for text in cases {
            assert_ne!(read(&text).1, [], "{text}");
            assert!(!validator.is_valid(&as_json(&text)), "{text}");
        }
    }
}
