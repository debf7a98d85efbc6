//! Deployed forms and resources, the same on every partition.
//!
//! Both kinds are kept alike in families of their own. Version numbers per id are never given out
//! twice, also not after a deletion.

use std::rc::Rc;
use std::sync::Arc;

use crate::ids::Key;
use crate::model::Binding;
use crate::record::Text;
use crate::record::value::ResourceRecord;
use crate::record_value;
use crate::state::definition::LivingVersion;
use crate::state::{KeyRow, State, StateError, Table, VersionsRow};

record_value! {
    /// A deployed file.
    pub struct FileRow {
        /// Its record, content included.
        record "": Arc<ResourceRecord>,
    }
}

/// Which families a deployed file is in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileKind {
    /// A form.
    Form,
    /// Anything that is neither process, decision nor form.
    Resource,
}

impl FileKind {
    /// Both kinds.
    pub const ALL: [Self; 2] = [Self::Form, Self::Resource];
}

/// The families of one kind.
struct Families<'s> {
    rows: &'s Table<Key, FileRow>,
    versions: &'s Table<(Text, Text), VersionsRow>,
    by_deployment: &'s Table<(Text, Text, Key), KeyRow>,
    by_tag: &'s Table<(Text, Text, Text), KeyRow>,
}

/// The families of one kind, to change.
struct FamiliesMut<'s> {
    rows: &'s mut Table<Key, FileRow>,
    versions: &'s mut Table<(Text, Text), VersionsRow>,
    by_deployment: &'s mut Table<(Text, Text, Key), KeyRow>,
    by_tag: &'s mut Table<(Text, Text, Text), KeyRow>,
}

impl State {
    fn files(&self, kind: FileKind) -> Families<'_> {
        match kind {
            FileKind::Form => Families {
                rows: &self.forms,
                versions: &self.form_versions,
                by_deployment: &self.form_by_deployment,
                by_tag: &self.form_by_tag,
            },
            FileKind::Resource => Families {
                rows: &self.resources,
                versions: &self.resource_versions,
                by_deployment: &self.resource_by_deployment,
                by_tag: &self.resource_by_tag,
            },
        }
    }

    fn files_mut(&mut self, kind: FileKind) -> FamiliesMut<'_> {
        match kind {
            FileKind::Form => FamiliesMut {
                rows: &mut self.forms,
                versions: &mut self.form_versions,
                by_deployment: &mut self.form_by_deployment,
                by_tag: &mut self.form_by_tag,
            },
            FileKind::Resource => FamiliesMut {
                rows: &mut self.resources,
                versions: &mut self.resource_versions,
                by_deployment: &mut self.resource_by_deployment,
                by_tag: &mut self.resource_by_tag,
            },
        }
    }

    /// The file under `key`.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub fn file(&self, kind: FileKind, key: Key) -> Result<Option<Rc<FileRow>>, StateError> {
        self.files(kind).rows.get(&key)
    }

    /// The newest file with an id.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub fn latest_file(
        &self,
        kind: FileKind,
        tenant: &Text,
        id: &Text,
    ) -> Result<Option<Rc<FileRow>>, StateError> {
        let files = self.files(kind);
        let versions = files.versions.get(&(tenant.clone(), id.clone()))?;
        match versions.as_ref().and_then(|row| row.living.last()) {
            Some(latest) => files.rows.get(&latest.key),
            None => Ok(None),
        }
    }

    /// The highest version ever given to an id; 0 = none.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub fn highest_file_version(
        &self,
        kind: FileKind,
        tenant: &Text,
        id: &Text,
    ) -> Result<i32, StateError> {
        let versions = (self.files(kind).versions).get(&(tenant.clone(), id.clone()))?;
        Ok(versions.map_or(0, |row| row.highest))
    }

    /// The file that a model means: `deployment` is the deployment of the model.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub fn bound_file(
        &self,
        kind: FileKind,
        tenant: &Text,
        id: &Text,
        binding: &Binding,
        deployment: Key,
    ) -> Result<Option<Rc<FileRow>>, StateError> {
        let files = self.files(kind);
        let (tenant, id) = (tenant.clone(), id.clone());
        let found = match binding {
            Binding::Latest => return self.latest_file(kind, &tenant, &id),
            Binding::Deployment => files.by_deployment.get(&(tenant, id, deployment))?,
            Binding::VersionTag(tag) => files.by_tag.get(&(tenant, id, tag.clone()))?,
        };
        match found {
            Some(row) => files.rows.get(&row.key),
            None => Ok(None),
        }
    }

    /// Adds a file.
    pub(crate) fn put_file(
        &mut self,
        kind: FileKind,
        key: Key,
        record: Arc<ResourceRecord>,
    ) -> Result<(), StateError> {
        let files = self.files_mut(kind);
        let (tenant, id) = (record.tenant_id.clone(), record.id.clone());
        let known = files.versions.get(&(tenant.clone(), id.clone()))?;
        let mut versions = known.map_or_else(VersionsRow::default, |row| VersionsRow::clone(&row));
        versions.highest = versions.highest.max(record.version);
        let version = record.version;
        versions.living.push(LivingVersion { version, key });
        versions.living.sort_by_key(|living| living.version);
        files.versions.put((tenant.clone(), id.clone()), versions)?;
        let by_deployment = (tenant.clone(), id.clone(), record.deployment_key);
        files.by_deployment.put(by_deployment, KeyRow { key })?;
        if !record.version_tag.is_empty() {
            let by_tag = (tenant, id, record.version_tag.clone());
            files.by_tag.put(by_tag, KeyRow { key })?;
        }
        files.rows.put(key, FileRow { record })
    }

    /// Deletes a file.
    pub(crate) fn remove_file(&mut self, kind: FileKind, key: Key) -> Result<(), StateError> {
        let files = self.files_mut(kind);
        let Some(row) = files.rows.get(&key)? else {
            return Ok(());
        };
        let record = &row.record;
        let (tenant, id) = (record.tenant_id.clone(), record.id.clone());
        files
            .versions
            .update(&(tenant.clone(), id.clone()), |versions| {
                versions.living.retain(|living| living.key != key);
            })?;
        let by_deployment = (tenant.clone(), id.clone(), record.deployment_key);
        files.by_deployment.remove(&by_deployment)?;
        let by_tag = (tenant, id, record.version_tag.clone());
        if files.by_tag.get(&by_tag)?.is_some_and(|row| row.key == key) {
            files.by_tag.remove(&by_tag)?;
        }
        files.rows.remove(&key)
    }
}
