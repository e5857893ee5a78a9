//! `--set KEY=VALUE`: keys of the manifest overridden from the command line.

use toml::{Table, Value};

use super::places::{Places, Wrong};

/// Puts the values into the table, and their paths into `places`.
pub(super) fn apply(table: &mut Table, places: &mut Places, sets: &[(String, String)]) -> Result<(), Wrong> {
    for (key, text) in sets {
        let value = read(text);
        let words: Vec<&str> = key.split('.').map(str::trim).collect();
        let path = dotted(&words);
        places.overridden(&path, format!("{key} = {value}"));
        if words.iter().any(|word| word.is_empty()) {
            return Err(wrong(&path, format!("--set {key}=…: {key:?} is no dotted path")));
        }
        put(table, &words, value).map_err(|problem| wrong(&path, format!("--set {key}=…: {problem}")))?;
    }
    Ok(())
}

fn wrong(path: &str, message: String) -> Wrong {
    Wrong::new(path, message).help("write --set TABLE.KEY=VALUE, such as --set start.env.MODE=x").code("manifest::set")
}

/// A TOML value, or a bare string.
fn read(text: &str) -> Value {
    let parsed = format!("value = {text}").parse::<Table>().ok().filter(|table| table.len() == 1);
    parsed.and_then(|mut table| table.remove("value")).unwrap_or_else(|| Value::String(text.to_owned()))
}

/// The path as places know it: numbers are places in a list.
fn dotted(words: &[&str]) -> String {
    words.iter().fold(String::new(), |path, word| match word.parse::<usize>() {
        Ok(index) => format!("{path}[{index}]"),
        Err(_) if path.is_empty() => (*word).to_owned(),
        Err(_) => format!("{path}.{word}"),
    })
}

fn put(table: &mut Table, words: &[&str], value: Value) -> Result<(), String> {
    let (first, rest) = words.split_first().ok_or("there is no key")?;
    if rest.is_empty() {
        table.insert((*first).to_owned(), value);
        return Ok(());
    }
    match table.entry((*first).to_owned()).or_insert_with(|| Value::Table(Table::new())) {
        Value::Table(inner) => put(inner, rest, value),
        Value::Array(list) => put_in_list(first, list, rest, value),
        other => Err(format!("`{first}` is a {}, no table", other.type_str())),
    }
}

fn put_in_list(name: &str, list: &mut [Value], words: &[&str], value: Value) -> Result<(), String> {
    let (index, rest) = words.split_first().ok_or("there is no key")?;
    let length = list.len();
    let place = index.parse::<usize>().ok().and_then(|index| list.get_mut(index));
    match (place, rest.is_empty()) {
        (Some(place), true) => {
            *place = value;
            Ok(())
        }
        (Some(Value::Table(inner)), false) => put(inner, rest, value),
        (Some(other), false) => Err(format!("`{name}.{index}` is a {}, no table", other.type_str())),
        (None, _) => Err(format!("`{name}` is a list of {length}: follow it with a number below that")),
    }
}
