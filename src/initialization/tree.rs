//! Settings as a tree, as files and the environment have them.
//!
//! Names are compared without case and separators, so that one setting can be there in several
//! spellings; list items are members with numbers as names. Owned by
//! [`initialization`](super), which knows what the settings mean.
//!
//! Errors are sentences that name the path. Limit: [`ITEMS_MAX`].

use std::collections::BTreeMap;

use ringflow_core::record::Text;

/// Items of one list; more are no configuration but a mistake.
const ITEMS_MAX: usize = 10_000;

/// Settings as a tree: members by name as it stood, leaves with their text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tree {
    text: Option<String>,
    pub(super) members: BTreeMap<String, Tree>,
}

impl Tree {
    /// Puts `value` at `path`.
    pub(crate) fn put(&mut self, path: &[&str], value: &str) {
        match path.split_first() {
            None => self.text = Some(value.to_owned()),
            Some((first, rest)) => {
                let member = self.members.entry((*first).to_owned()).or_default();
                member.put(rest, value);
            }
        }
    }

    /// Takes over what is below a member of a configuration file.
    pub(crate) fn put_json(&mut self, value: &serde_json::Value) {
        match value {
            serde_json::Value::Object(members) => {
                for (name, member) in members {
                    self.members
                        .entry(name.clone())
                        .or_default()
                        .put_json(member);
                }
            }
            serde_json::Value::Array(items) => {
                for (at, item) in items.iter().enumerate() {
                    self.members
                        .entry(at.to_string())
                        .or_default()
                        .put_json(item);
                }
            }
            serde_json::Value::String(text) => self.text = Some(text.clone()),
            serde_json::Value::Null => {}
            serde_json::Value::Bool(_) | serde_json::Value::Number(_) => {
                self.text = Some(value.to_string());
            }
        }
    }

    /// Its items in the order of their numbers.
    pub(super) fn items(&self, path: &str) -> Result<Vec<(String, &Self)>, String> {
        let mut items = Vec::new();
        for (name, item) in &self.members {
            let number: usize = name
                .parse()
                .ok()
                .filter(|number| *number < ITEMS_MAX)
                .ok_or_else(|| format!("{path}.{name}: a list wants numbers"))?;
            items.push((number, item));
        }
        items.sort_by_key(|(number, _)| *number);
        Ok(items
            .into_iter()
            .map(|(number, item)| (format!("{path}[{number}]"), item))
            .collect())
    }

    /// Texts of a list: items, or one text with commas or blanks between.
    fn texts(&self, path: &str) -> Result<Vec<String>, String> {
        let mut texts: Vec<String> = self
            .text
            .iter()
            .flat_map(|text| text.split([',', ' ']))
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
            .collect();
        for (_, item) in self.items(path)? {
            texts.extend(item.text.clone());
        }
        Ok(texts)
    }

    /// Its members, each of which has to have one of the names.
    pub(super) fn fields(&self, path: &str, names: &[&'static str]) -> Result<Fields<'_>, String> {
        let mut fields = BTreeMap::new();
        for (name, member) in &self.members {
            let known = names.iter().find(|known| bare(known) == bare(name));
            let known = known.ok_or_else(|| format!("{path}.{name}: no such setting"))?;
            fields.entry(*known).or_insert_with(Vec::new).push(member);
        }
        Ok(Fields {
            path: path.to_owned(),
            fields,
        })
    }
}

/// Members of a tree, by their known names.
pub(super) struct Fields<'t> {
    path: String,
    /// A name may be written in several ways at once; lists are then one after the other.
    fields: BTreeMap<&'static str, Vec<&'t Tree>>,
}

impl Fields<'_> {
    /// What is there under each name.
    pub(super) fn each(&self) -> impl Iterator<Item = (&'static str, &Tree)> {
        let named = self.fields.iter();
        named.flat_map(|(name, trees)| trees.iter().map(|tree| (*name, *tree)))
    }

    pub(super) fn text(&self, name: &str) -> Text {
        let trees = self.fields.get(name).map_or(&[][..], Vec::as_slice);
        let text = trees.iter().find_map(|it| it.text.as_deref());
        Text::from(text.unwrap_or_default())
    }

    pub(super) fn required(&self, name: &str) -> Result<Text, String> {
        let text = self.text(name);
        if text.trim().is_empty() {
            return Err(format!("{}: {name} is missing", self.path));
        }
        Ok(text)
    }

    pub(super) fn texts(&self, name: &str) -> Result<Vec<String>, String> {
        let mut texts = Vec::new();
        for tree in self.fields.get(name).into_iter().flatten() {
            texts.extend(tree.texts(&format!("{}.{name}", self.path))?);
        }
        Ok(texts)
    }

    /// Refuses the first of the violations, naming where it is.
    pub(super) fn refuse(
        &self,
        violations: impl IntoIterator<Item = Option<String>>,
    ) -> Result<(), String> {
        match violations.into_iter().flatten().next() {
            Some(violation) => Err(format!("{}: {violation}", self.path)),
            None => Ok(()),
        }
    }
}

pub(super) fn bare(name: &str) -> String {
    name.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect()
}
