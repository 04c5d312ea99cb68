//! The embedded store: one redb file, each commit on disk before it is told.

use std::fs::{File, OpenOptions, Permissions};
use std::io;
use std::ops::Bound;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use redb::{
    Database, DatabaseError, ReadTransaction, ReadableDatabase, ReadableTable, StorageError,
    TableDefinition, TableError, WriteTransaction,
};

use super::{Backend, Pairs, Space, StoreError, Transaction, Verdict, View, WriteWork};

/// A redb file.
pub(super) struct Embedded {
    path: PathBuf,
    /// Opened anew after a failed write, as redb then refuses to go on; nothing while that fails.
    database: RwLock<Option<Arc<Database>>>,
}

type Keys = TableDefinition<'static, &'static [u8], &'static [u8]>;

const fn table(space: Space) -> Keys {
    TableDefinition::new(space)
}

impl Embedded {
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let database = open_file(path)?;
        Ok(Self {
            path: path.to_owned(),
            database: RwLock::new(Some(Arc::new(database))),
        })
    }

    fn database(&self) -> Result<Arc<Database>, StoreError> {
        let open = self.database.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(database) = &*open {
            return Ok(Arc::clone(database));
        }
        drop(open);
        let mut closed = self
            .database
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(database) = &*closed {
            return Ok(Arc::clone(database));
        }
        let database = Arc::new(open_file(&self.path)?);
        *closed = Some(Arc::clone(&database));
        Ok(database)
    }

    /// Lets go of a file that redb will write no more, so that the next transaction opens it anew.
    fn let_go(&self) {
        *self
            .database
            .write()
            .unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn transact(&self, database: &Database, work: WriteWork<'_>) -> Result<(), redb::Error> {
        let mut tx = database.begin_write()?;
        // Costs a little on each commit and spares a long repair after a kill.
        tx.set_quick_repair(true);
        match work(&mut Changing {
            tx: &tx,
            path: &self.path,
        }) {
            Verdict::Commit => Ok(tx.commit()?),
            Verdict::Abort => Ok(tx.abort()?),
        }
    }
}

impl Backend for Embedded {
    fn read(&self, work: &mut dyn FnMut(&dyn View)) -> Result<(), StoreError> {
        let tx = self
            .database()?
            .begin_read()
            .map_err(|error| fault(&self.path, "read", error.into()))?;
        work(&Reading {
            tx: &tx,
            path: &self.path,
        });
        Ok(())
    }

    fn write(&self, work: WriteWork<'_>) -> Result<(), StoreError> {
        let database = self.database()?;
        self.transact(&database, work).map_err(|error| {
            let broken = matches!(error, redb::Error::Io(_) | redb::Error::PreviousIo);
            if broken {
                self.let_go();
            }
            fault(&self.path, "written", error)
        })
    }
}

fn open_file(path: &Path) -> Result<Database, StoreError> {
    let refused = |error: io::Error| fault(path, "opened", redb::Error::Io(error));
    let is_new = !path.exists();
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        std::fs::create_dir_all(folder).map_err(refused)?;
    }
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(refused)?;
    file.set_permissions(Permissions::from_mode(0o600))
        .map_err(refused)?;
    drop(file);
    let database = Database::create(path).map_err(|error| match error {
        DatabaseError::UpgradeRequired(version) => StoreError::Damaged {
            path: path.to_owned(),
            why: format!("it is in file format {version}, too old for this Hotline"),
        },
        other => fault(path, "opened", other.into()),
    })?;
    if is_new {
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))
            .and_then(|folder| folder.sync_all())
            .map_err(refused)?;
    }
    Ok(database)
}

/// Says in our words what redb or the system said.
fn fault(path: &Path, action: &'static str, error: redb::Error) -> StoreError {
    let path = path.to_owned();
    match error {
        redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => {
            StoreError::InUse { path }
        }
        redb::Error::Io(error) if error.kind() == io::ErrorKind::StorageFull => {
            StoreError::Full { path }
        }
        // What redb says of a file that does not begin as its own do.
        redb::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
            StoreError::Damaged {
                path,
                why: error.to_string(),
            }
        }
        redb::Error::Corrupted(why) => StoreError::Damaged { path, why },
        other => StoreError::Io {
            path,
            action,
            why: other.to_string(),
        },
    }
}

fn range_of(
    table: &impl ReadableTable<&'static [u8], &'static [u8]>,
    from: Bound<&[u8]>,
    to: Bound<&[u8]>,
    limit: usize,
) -> Result<Pairs, StorageError> {
    table
        .range::<&[u8]>((from, to))?
        .take(limit)
        .map(|pair| pair.map(|(key, value)| (key.value().to_vec(), value.value().to_vec())))
        .collect()
}

struct Reading<'a> {
    tx: &'a ReadTransaction,
    path: &'a Path,
}

impl Reading<'_> {
    fn fault(&self, error: impl Into<redb::Error>) -> StoreError {
        fault(self.path, "read", error.into())
    }
}

impl View for Reading<'_> {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match self.tx.open_table(table(space)) {
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(self.fault(error)),
            Ok(table) => Ok(table
                .get(key)
                .map_err(|error| self.fault(error))?
                .map(|value| value.value().to_vec())),
        }
    }

    fn range(
        &self,
        space: Space,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        limit: usize,
    ) -> Result<Pairs, StoreError> {
        match self.tx.open_table(table(space)) {
            Err(TableError::TableDoesNotExist(_)) => Ok(Vec::new()),
            Err(error) => Err(self.fault(error)),
            Ok(table) => range_of(&table, from, to, limit).map_err(|error| self.fault(error)),
        }
    }
}

struct Changing<'a> {
    tx: &'a WriteTransaction,
    path: &'a Path,
}

impl Changing<'_> {
    fn fault(&self, error: impl Into<redb::Error>) -> StoreError {
        fault(self.path, "written", error.into())
    }
}

impl View for Changing<'_> {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let table = self
            .tx
            .open_table(table(space))
            .map_err(|error| self.fault(error))?;
        let value = table.get(key).map_err(|error| self.fault(error))?;
        Ok(value.map(|value| value.value().to_vec()))
    }

    fn range(
        &self,
        space: Space,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        limit: usize,
    ) -> Result<Pairs, StoreError> {
        let table = self
            .tx
            .open_table(table(space))
            .map_err(|error| self.fault(error))?;
        range_of(&table, from, to, limit).map_err(|error| self.fault(error))
    }
}

impl Transaction for Changing<'_> {
    fn put(&mut self, space: Space, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        let mut table = self
            .tx
            .open_table(table(space))
            .map_err(|error| self.fault(error))?;
        table
            .insert(key, value)
            .map(drop)
            .map_err(|error| self.fault(error))
    }

    fn delete(&mut self, space: Space, key: &[u8]) -> Result<(), StoreError> {
        let mut table = self
            .tx
            .open_table(table(space))
            .map_err(|error| self.fault(error))?;
        table
            .remove(key)
            .map(drop)
            .map_err(|error| self.fault(error))
    }
}
