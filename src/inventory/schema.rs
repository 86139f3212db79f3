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

    /// A file as JSON, as an editor sees it. JSON has no dates: TOML's become strings.
    fn json(text: &str) -> Value {
        fn plain(value: toml::Value) -> Value {
            match value {
                toml::Value::Array(it) => it.into_iter().map(plain).collect(),
                toml::Value::Boolean(it) => json!(it),
                toml::Value::Datetime(it) => json!(it.to_string()),
                toml::Value::Float(it) => json!(it),
                toml::Value::Integer(it) => json!(it),
                toml::Value::String(it) => json!(it),
                toml::Value::Table(it) => it.into_iter().map(|(k, v)| (k, plain(v))).collect(),
            }
        }
        plain(toml::Value::Table(text.parse().unwrap()))
    }

    /// Whether the schema and the reader both take a file; they must agree.
    #[track_caller]
    fn check(text: &str, is_right: bool) {
        let (_, complaints) = read(text);
        assert_eq!(complaints.is_empty(), is_right, "the reader: {complaints:?}\n{text}");
        let validator = jsonschema::validator_for(&schema()).unwrap();
        let told: Vec<_> = validator.iter_errors(&json(text)).map(|it| it.to_string()).collect();
        assert_eq!(told.is_empty(), is_right, "the schema: {told:?}\n{text}");
    }

    #[test]
    fn the_example_is_right() {
        check(EXAMPLE, true);
    }

    #[test]
    fn reader_and_schema_agree() {
        check("", true);
        check("[[host]]\nname = 'web-01'\n", true);
        check("[defaults]\nescalate-after = 'never'\n", true);
        for wrong in [
            "[[host]]\nnmae = 'a'\n",
            "[[hots]]\nname = 'a'\n",
            "[[host]]\nname = 5\n",
            "[[host]]\nname = '-oProxyCommand=x'\n",
            "[[host]]\nname = 'a'\nport = 0\n",
            "[[host]]\nname = 'a'\n[[host.source]]\nkind = 'certbt'\n",
            "[[host]]\nname = 'a'\n[[host.source]]\nkind = 'pem'\n",
            "[[host]]\nname = 'a'\n[[host.source]]\nkind = 'certbot'\nglob = 'x'\n",
            "[[host]]\nname = 'a'\n[[host.endpoint]]\nname = 'b'\nstarttls = 'pop3'\n",
            "[defaults]\nbecome = 'doas'\n",
            "[defaults]\nconcurrency = 501\n",
            "[[hook]]\nname = 'x'\nrun = ''\nimpact = 'none'\n",
            "[[dns]]\nname = 'x'\nkind = 'rfc2136'\nsecret-env = 'A'\nsecret-file = 'b'\n",
            "[[dns]]\nname = 'x'\nkind = 'rfc2136'\napi-token = 'x'\n",
            "[[dns]]\nname = 'x'\nkind = 'rfc2136'\nsecret-env = '1'\n",
            "[host]\nname = 'a'\n",
            "[[host]]\n",
            "[[host]]\nname = 'a b'\n",
            "[[host]]\nname = 'a'\nport = '22'\n",
            "[[host]]\nname = 'a'\nuser = 'Root'\n",
            "[[host]]\nname = 'a'\ngroups = 'x'\n",
            "[[host]]\nname = 'a'\nscan-timeout = '10'\n",
            "[[host]]\nname = 'a'\n[[host.source]]\nconfig-dir = '/etc'\n",
            "[[host]]\nname = 'a'\n[[host.endpoint]]\nname = 'a'\nprobe = ['moon']\n",
            "[[group]]\nname = ''\n",
            "[[issuer]]\nname = 'a'\ndirectory = 'http://a.example'\n",
            "[[issuer]]\nname = 'a'\ndirectory = 'http://127.0.0.1.example'\n",
            "[[hook]]\nname = 'a'\nrun = 'x'\n",
            "[[notice]]\nname = 'a'\nkind = 'webhook'\nurl = 'https://a.example'\n",
            "[[notice]]\nname = 'a'\nkind = 'mail'\nurl = 'https://a.example'\nsecret-env = 'A'\n",
            "[[notice]]\nname = 'a'\nkind = 'webhook'\nurl = 'http://a.example'\nsecret-env = 'A'\n",
            "[[notice]]\nname = 'a'\nkind = 'webhook'\nurl = 'https://u:p@a.example'\nsecret-env = 'A'\n",
            "[[notice]]\nname = 'a'\nkind = 'webhook'\nurl = 'https://a.example'\nsecret-env = 'A'\non = ['x']\n",
            "[[host]]\nname = 'a'\nconnection = 'local'\nuser = 'b'\n",
            "[[host]]\nname = 'a'\nconnection = 'agent'\n",
            "[defaults]\nescalate-after = 'soon'\n",
            "[[expiry]]\nname = 'a'\non = 2027-02-01T12:00:00\n",
            "[[expiry]]\nname = 'a'\non = 5\n",
        ] {
            check(wrong, false);
        }
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
                Value::Object(parts) => {
                    // Conditions name keys and allow none.
                    let parts = parts.iter().filter(|it| it.0 != "if");
                    parts.for_each(|(key, it)| check(it, &format!("{path}.{key}")));
                }
                Value::Array(parts) => parts.iter().for_each(|it| check(it, path)),
                _ => {}
            }
        }
        check(&schema(), "");
    }

    #[test]
    fn the_example_names_every_key() {
        fn keys<'s>(schema: &'s Value, found: &mut Vec<&'s str>) {
            match schema {
                Value::Array(parts) => parts.iter().for_each(|it| keys(it, found)),
                Value::Object(parts) => {
                    if let Some(Value::Object(named)) = parts.get("properties") {
                        found.extend(named.keys().map(String::as_str));
                    }
                    parts.values().for_each(|it| keys(it, found));
                }
                _ => {}
            }
        }
        let (schema, mut found) = (schema(), Vec::new());
        keys(&schema, &mut found);
        assert!(found.len() > 40, "{found:?}");
        for key in found {
            assert!(EXAMPLE.contains(key), "inventory.example.toml does not show `{key}`");
        }
    }
}
