//! Bodies of records made short enough for a line. What is cut says so.

use serde_json::{Map, Value, json};

use super::record;

/// Cuts long texts, long lists and many members until the body fits into a record.
pub(super) fn fit(body: Map<String, Value>) -> Map<String, Value> {
    if fits(&body) {
        return body;
    }
    for (bytes, items) in LIMITS {
        let cut = cut_members(&body, bytes, items);
        if fits(&cut) {
            return cut;
        }
    }
    // Thousands of members, or texts nested in lists nested in lists: what stands first stays.
    let mut kept = Map::new();
    let whole = body.len();
    for (key, value) in cut_members(&body, 64, 4) {
        kept.insert(key.clone(), value);
        kept.insert(CUT.to_owned(), json!(whole + 1 - kept.len()));
        if !fits(&kept) {
            kept.remove(&key);
            break;
        }
    }
    kept.insert(CUT.to_owned(), json!(whole + 1 - kept.len()));
    kept
}

fn fits(body: &Map<String, Value>) -> bool {
    let members = body.iter().map(|(key, value)| {
        // Quotes, colon, comma, and the mark of a name that stands for something else.
        Value::from(key.as_str()).to_string().len() + value.to_string().len() + 6
    });
    members.sum::<usize>() <= record::room()
}

fn cut(value: &Value, bytes: usize, items: usize) -> Value {
    match value {
        Value::String(text) => json!(cut_text(text, bytes)),
        Value::Array(all) => {
            let mut kept: Vec<Value> =
                all.iter().take(items).map(|it| cut(it, bytes, items)).collect();
            if all.len() > items {
                kept.push(json!(format!("[{} more cut]", all.len() - items)));
            }
            Value::Array(kept)
        }
        Value::Object(all) => Value::Object(cut_members(all, bytes, items)),
        other => other.clone(),
    }
}

fn cut_members(all: &Map<String, Value>, bytes: usize, items: usize) -> Map<String, Value> {
    all.iter().map(|(key, value)| (cut_text(key, bytes), cut(value, bytes, items))).collect()
}

/// Keeps the beginning and says how much is missing.
fn cut_text(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    let kept = (0..=bytes).rev().find_map(|it| text.get(..it)).unwrap_or_default();
    format!("{kept} [{} bytes cut]", text.len() - kept.len())
}

/// The longest text in bytes, and the longest list.
const LIMITS: [(usize, usize); 5] = [(4096, 256), (1024, 128), (512, 64), (128, 32), (64, 4)];

const CUT: &str = "members-cut";

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(body: &Value, expect: &str) {
        let body = fit(body.as_object().unwrap().clone());
        assert!(fits(&body));
        let text = Value::Object(body).to_string();
        assert!(text.contains(expect), "{text}");
    }

    #[test]
    fn what_fits_stays() {
        check(&json!({"a": "x".repeat(15_000)}), &"x".repeat(15_000));
    }

    #[test]
    fn what_is_cut_says_so() {
        check(&json!({"a": "x".repeat(20_000), "b": "kept"}), "[15904 bytes cut]\",\"b\":\"kept\"");
        check(&json!({"a": "ü".repeat(20_000)}), "[35904 bytes cut]");
        check(&json!({"names": vec!["www.example.net"; 3000]}), "[2744 more cut]");
        check(&json!({"a": vec!["\u{1}".repeat(6000); 9]}), "bytes cut]");
    }

    #[test]
    fn whatever_is_too_much_goes() {
        let many = (0..5000).map(|it| (format!("key-{it:04}"), json!("x"))).collect();
        check(&Value::Object(many), "\"members-cut\":4");
        let deep = json!(vec![vec![vec![vec!["\u{1}".repeat(80); 9]; 9]; 9]; 9]);
        check(&json!({"deep": deep, "host": "web-01"}), "members-cut");
        check(&json!({"\u{1}".repeat(9000): "x", "host": "web-01"}), "web-01");
    }
}
