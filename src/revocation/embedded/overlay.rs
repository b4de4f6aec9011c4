//! A disk that is only read: what is written to it stays in memory.
//!
//! Even opening a database writes to its file. On this a file can be looked through without a byte of it changing, and a
//! file on a full disk can be read.

use std::collections::BTreeMap;
use std::io;
use std::ops::Bound;

use parking_lot::Mutex;
use redb::{BackendError, StorageBackend};

use super::disk::Disk;

/// A [`Disk`] that is not written to.
#[derive(Debug)]
pub(super) struct Overlay {
    disk: Disk,
    written: Mutex<Written>,
}

#[derive(Debug)]
struct Written {
    /// Blocks that were written to, by number.
    blocks: BTreeMap<u64, Box<[u8; BLOCK]>>,
    len: u64,
    /// How much of the disk shows through: what was cut off once does not come back when the length grows.
    shown: u64,
}

impl Overlay {
    pub(super) fn new(disk: Disk) -> io::Result<Self> {
        let len = disk.len()?;
        Ok(Self { disk, written: Mutex::new(Written { blocks: BTreeMap::new(), len, shown: len }) })
    }
}

impl Written {
    /// Calls `work` for each part of `size` bytes from `offset` that is in one block: with the number of the block, where
    /// in it and where in the whole the part begins, and how long it is.
    fn each_part(
        offset: u64,
        size: usize,
        mut work: impl FnMut(u64, usize, usize, usize) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut done = 0;
        while done < size {
            let position = offset + done as u64;
            let within = usize::try_from(position % BLOCK as u64).map_err(io::Error::other)?;
            let part = (BLOCK - within).min(size - done);
            work(position / BLOCK as u64, within, done, part)?;
            done += part;
        }
        Ok(())
    }

    /// What stands in a block that was not written to.
    fn below(&self, disk: &Disk, number: u64) -> io::Result<Box<[u8; BLOCK]>> {
        let mut block = Box::new([0; BLOCK]);
        let start = number * BLOCK as u64;
        let shown = usize::try_from(self.shown.saturating_sub(start)).unwrap_or(BLOCK).min(BLOCK);
        if let Some(part) = block.get_mut(..shown)
            && shown > 0
        {
            disk.read(start, part)?;
        }
        Ok(block)
    }
}

impl StorageBackend for Overlay {
    fn len(&self) -> io::Result<u64> {
        Ok(self.written.lock().len)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let written = self.written.lock();
        if offset.saturating_add(out.len() as u64) > written.len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Written::each_part(offset, out.len(), |number, within, done, part| {
            let below;
            let block = if let Some(block) = written.blocks.get(&number) {
                block
            } else {
                below = written.below(&self.disk, number)?;
                &below
            };
            copy(block.get(within..within + part), out.get_mut(done..done + part))
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut written = self.written.lock();
        if len < written.len {
            let kept = len.div_ceil(BLOCK as u64);
            written.blocks.retain(|number, _| *number < kept);
            let within = usize::try_from(len % BLOCK as u64).map_err(io::Error::other)?;
            if within > 0
                && let Some(rest) = written.blocks.get_mut(&(kept - 1)).and_then(|block| block.get_mut(within..))
            {
                rest.fill(0);
            }
            written.shown = written.shown.min(len);
        }
        written.len = len;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut written = self.written.lock();
        Written::each_part(offset, data.len(), |number, within, done, part| {
            if !written.blocks.contains_key(&number) {
                let below = written.below(&self.disk, number)?;
                written.blocks.insert(number, below);
            }
            let block = written.blocks.get_mut(&number);
            copy(data.get(done..done + part), block.and_then(|block| block.get_mut(within..within + part)))
        })?;
        written.len = written.len.max(offset + data.len() as u64);
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.disk.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.disk.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.disk.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.disk.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.disk.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.disk.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.disk.query_lock_range(start, end)
    }
}

fn copy(from: Option<&[u8]>, to: Option<&mut [u8]>) -> io::Result<()> {
    match (from, to) {
        (Some(from), Some(to)) if from.len() == to.len() => to.copy_from_slice(from),
        _ => return Err(io::ErrorKind::InvalidInput.into()),
    }
    Ok(())
}

/// A database's page, in bytes.
const BLOCK: usize = 4096;

#[cfg(test)]
mod tests {
    use redb::backends::InMemoryBackend;

    use super::*;

    fn bytes(backend: &impl StorageBackend) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(backend.len().unwrap()).unwrap()];
        backend.read(0, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn it_behaves_like_the_disk_and_leaves_it_alone() {
        let disk = Disk::new(InMemoryBackend::new());
        let model = InMemoryBackend::new();
        let original: Vec<u8> = (0..20_000_u32).map(|number| (number % 251) as u8).collect();
        for backend in [&disk as &dyn StorageBackend, &model] {
            backend.set_len(20_000).unwrap();
            backend.write(0, &original).unwrap();
        }
        let overlay = Overlay::new(disk.clone()).unwrap();
        let steps: &[(Option<u64>, u64, usize)] = &[
            (None, 0, 1),
            (None, 4095, 2),
            (None, 4000, 9000),
            (Some(12_000), 0, 0),
            (Some(30_000), 0, 0),
            (None, 29_990, 10),
            (Some(13_000), 11_999, 3),
            (Some(8192), 0, 0),
            (Some(20_000), 0, 0),
        ];
        for (number, (len, offset, size)) in steps.iter().enumerate() {
            for backend in [&overlay as &dyn StorageBackend, &model] {
                if let Some(len) = len {
                    backend.set_len(*len).unwrap();
                }
                backend.write(*offset, &vec![0xA0 + number as u8; *size]).unwrap();
            }
            assert_eq!(bytes(&overlay), bytes(&model), "step {number}");
        }
        assert!(overlay.read(19_999, &mut [0; 2]).is_err());
        assert_eq!(bytes(&disk), original);
    }
}
