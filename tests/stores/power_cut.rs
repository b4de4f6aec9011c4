//! A disk whose power can be cut, and that can be full, broken, or lie about a sync.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use redb::StorageBackend;

/// Keeps what was written apart from what was synced. Clones are the same disk.
#[derive(Clone, Debug)]
pub struct PowerCut(Arc<Mutex<Disk>>);

#[derive(Debug, Default)]
struct Disk {
    /// What survives.
    durable: Vec<u8>,
    /// What can be read.
    volatile: Vec<u8>,
    /// Sectors written since the last sync.
    dirty: BTreeSet<usize>,
    fault: Fault,
    writes: usize,
    syncs: usize,
    cut_at: Option<usize>,
    cut: Option<Vec<u8>>,
}

/// What does not work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    #[default]
    None,
    /// `ENOSPC` for every write and every growth.
    Full,
    /// `EIO` for everything.
    Broken,
    /// `EIO` for a sync, which then takes what it could not write for written, as Linux does: it can still be read, and no
    /// later sync writes it.
    LyingSync {
        /// So many syncs work before. A commit has two.
        after: usize,
    },
}

impl PowerCut {
    /// An empty disk.
    pub fn new() -> Self {
        Self::holding(Vec::new())
    }

    /// A disk that holds `bytes`.
    pub fn holding(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(Disk { durable: bytes.clone(), volatile: bytes, ..Disk::default() })))
    }

    /// The disk that is found after the power was cut now: all that was synced and, of what was written since, a random
    /// part, sector by sector, or nothing where `seed` is 0. This one goes on as if nothing had been.
    pub fn cut(&self, seed: u64) -> Self {
        Self::holding(self.0.lock().after_cut(seed))
    }

    /// Cuts the power at the write number `number` from now, for [`PowerCut::found`] to find.
    pub fn cut_at(&self, number: usize) {
        let mut disk = self.0.lock();
        disk.cut_at = Some(disk.writes + number);
        disk.cut = None;
    }

    /// The disk after [`PowerCut::cut_at`], if it came to that.
    pub fn found(&self) -> Option<Self> {
        self.0.lock().cut.clone().map(Self::holding)
    }

    /// How often it was synced.
    pub fn syncs(&self) -> usize {
        self.0.lock().syncs
    }

    pub fn set_fault(&self, fault: Fault) {
        self.0.lock().fault = fault;
    }

    /// What can be read.
    pub fn bytes(&self) -> Vec<u8> {
        self.0.lock().volatile.clone()
    }
}

impl Disk {
    fn after_cut(&self, seed: u64) -> Vec<u8> {
        let mut random = Random(seed);
        let mut found = self.durable.clone();
        if seed == 0 {
            return found;
        }
        if random.coin() {
            found.resize(self.volatile.len(), 0);
        }
        for sector in &self.dirty {
            let range = sector * SECTOR..(sector + 1) * SECTOR;
            if random.coin()
                && let (Some(to), Some(from)) = (found.get_mut(range.clone()), self.volatile.get(range))
            {
                to.copy_from_slice(from);
            }
        }
        found
    }

    fn check(&mut self, growing: bool) -> io::Result<()> {
        match self.fault {
            Fault::Broken => Err(io::Error::from_raw_os_error(EIO)),
            Fault::Full if growing => Err(io::Error::from_raw_os_error(ENOSPC)),
            _ => Ok(()),
        }
    }

    fn wrote(&mut self) {
        self.writes += 1;
        if self.cut_at == Some(self.writes) {
            self.cut = Some(self.after_cut(self.writes as u64));
        }
    }
}

impl StorageBackend for PowerCut {
    fn len(&self) -> io::Result<u64> {
        let mut disk = self.0.lock();
        disk.check(false)?;
        Ok(disk.volatile.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let mut disk = self.0.lock();
        disk.check(false)?;
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        let from = disk.volatile.get(start..start + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(from);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut disk = self.0.lock();
        let len = usize::try_from(len).map_err(io::Error::other)?;
        let growing = len > disk.volatile.len();
        disk.check(growing)?;
        disk.volatile.resize(len, 0);
        disk.dirty.retain(|sector| sector * SECTOR < len);
        disk.wrote();
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut disk = self.0.lock();
        disk.check(false)?;
        let disk = &mut *disk;
        match &mut disk.fault {
            Fault::LyingSync { after: 0 } => {
                disk.dirty.clear();
                return Err(io::Error::from_raw_os_error(EIO));
            }
            Fault::LyingSync { after } => *after -= 1,
            _ => {}
        }
        disk.syncs += 1;
        disk.durable.resize(disk.volatile.len(), 0);
        for sector in std::mem::take(&mut disk.dirty) {
            let range = sector * SECTOR..((sector + 1) * SECTOR).min(disk.volatile.len());
            disk.durable[range.clone()].copy_from_slice(&disk.volatile[range]);
        }
        disk.wrote();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut disk = self.0.lock();
        disk.check(true)?;
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        let end = start + data.len();
        if end > disk.volatile.len() {
            disk.volatile.resize(end, 0);
        }
        disk.volatile[start..end].copy_from_slice(data);
        disk.dirty.extend(start / SECTOR..end.div_ceil(SECTOR));
        disk.wrote();
        Ok(())
    }
}

/// Enough of a random source for which sectors reach the disk (splitmix64).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        value ^ (value >> 31)
    }

    fn coin(&mut self) -> bool {
        self.next() & 1 == 1
    }
}

/// What a disk writes whole or not at all, in bytes.
const SECTOR: usize = 512;
const EIO: i32 = 5;
const ENOSPC: i32 = 28;
